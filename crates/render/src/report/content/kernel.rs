//! Parameters of the kernel.

use super::{cell, named, says, table};
use crate::report::Report;
use crate::report::document::{Block, Cell, Section};

/// The section; none where the kernel is left as it is.
pub(super) fn section(report: &Report<'_>) -> Option<Section> {
    let sysctls = &report.strategy.sysctls;
    let row = |sysctl: &subvault_plan::strategy::storage::Sysctl| -> Vec<Cell> {
        vec![named(sysctl.name), named(sysctl.value), cell(format!("because {}", sysctl.because))]
    };
    let about = "Each is set by a file below `/etc/sysctl.d`.";
    let rows: Vec<_> = sysctls.iter().map(row).collect();
    let table = table("Parameters of the kernel", &["Parameter", "Value", "Why"], rows);
    let blocks = vec![Block::Paragraph(says(about)), table];
    (!sysctls.is_empty()).then_some(Section { id: "kernel", title: "Kernel", blocks })
}
