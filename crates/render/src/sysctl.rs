//! `sysctl.d`: the kernel's parameters for what the host is tuned for.

use subvault_plan::strategy::Strategy;

use crate::file::{RenderedFile, mark};

/// The parameters; `None` where the distribution's are left as they are.
#[must_use]
pub fn render(strategy: &Strategy) -> Option<RenderedFile> {
    if strategy.sysctls.is_empty() {
        return None;
    }
    let mode = &strategy.mode;
    let mut text = format!(
        "{}# For a {} that is tuned to be {}: {}.\n",
        mark("sysctl"),
        strategy.profile.value,
        mode.value,
        mode.because
    );
    for sysctl in &strategy.sysctls {
        text.push_str(&format!("\n# {}\n{} = {}\n", sysctl.because, sysctl.name, sysctl.value));
    }
    // After the distribution's own, before those that an administrator numbers 99.
    Some(RenderedFile { path: "etc/sysctl.d/60-subvault.conf".into(), text })
}
