//! Disks, pools and subvolumes, and how filesystems are mounted.

use super::{cell, reason, says, table};
use crate::report::document::{Block, Picture, Section, Span};
use crate::report::{Report, tree};

/// How the picture is to be read.
const HOW: &str = "Disks, what is on them, and subvolumes with where they are mounted. What is dashed is not used now, or made \
                   only where it is wanted.";

/// The section.
pub(super) fn section(report: &Report<'_>) -> Section {
    let about = if tree::tree(report).is_found {
        "What is there, and how much each subvolume matters."
    } else {
        "No pool of this host is known: this is how its disks are best divided."
    };
    let mut blocks = vec![Block::Paragraph(says(about)), Block::Picture(Picture::Layout, HOW)];
    let filesystems = &report.strategy.filesystems;
    if !filesystems.is_empty() {
        let head = ["Filesystem", "Mount options", "Differs now"];
        let option = |text: &String| vec![Span::code(text)];
        let row = |filesystem: &subvault_plan::strategy::FilesystemStrategy| {
            let options = filesystem.options.iter().map(|decision| option(&decision.value)).collect();
            let differs: Vec<_> = filesystem.differs.iter().map(option).collect();
            let differs = if differs.is_empty() { cell("nothing") } else { differs };
            vec![super::named(&filesystem.uuid), options, differs]
        };
        blocks.push(table(
            "Options that all subvolumes of a filesystem share",
            &head,
            filesystems.iter().map(row).collect(),
        ));
        let mut why = Vec::new();
        for decision in filesystems.iter().flat_map(|filesystem| &filesystem.options) {
            let reason = reason("Option", decision, |option| vec![Span::code(option)]);
            if !why.contains(&reason) {
                why.push(reason);
            }
        }
        blocks.push(Block::Why(why));
    }
    Section { id: "layout", title: "Layout", blocks }
}
