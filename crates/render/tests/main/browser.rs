//! Reports as a browser shows them: `ci/browser/report.py` opens each in a headless Chromium. The pictures of them are left in
//! `screenshots` in the directory that cargo builds in, for people to look at.

use std::path::Path;
use std::process::Command;

use subvault_render::report::html;

use crate::samples;

#[test]
fn a_browser_finds_no_fault_with_any_report() {
    let pages = tempfile::tempdir().unwrap();
    for (name, sample) in samples::all() {
        std::fs::write(pages.path().join(format!("{name}.html")), html(&sample.report())).unwrap();
    }
    let screenshots = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("screenshots");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ci/browser/report.py");
    let output = Command::new("python3").arg(script).arg(pages.path()).arg(screenshots).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    println!("PROVED: reports in Chromium, as phones and desktops show them: {}", told.trim());
}
