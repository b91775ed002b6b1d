//! `subvault.slice`: what all the units get together, in proportion to others.
//!
//! Weights take nothing from anybody while nobody else wants it, so that no work ends later for them on an idle machine.

use super::{DiskIdentity, Wanted};
use crate::file::mark;

/// The text. What hooks need of memory nobody knows; and to open a LUKS container takes as much as its owner chose, often a
/// whole GiB. With either there is no limit.
pub(super) fn text(wanted: &Wanted) -> String {
    let opens = wanted.disks.iter().any(|disk| matches!(disk.identity, DiskIdentity::Luks(_)));
    let memory = if wanted.hooks || opens { "" } else { MEMORY };
    format!("{}{SLICE}{memory}", mark(super::WORD))
}

const SLICE: &str = "\
[Unit]
Description=What subvault does in the background
Documentation=man:subvault-run(1)

[Slice]
# Others have 100 each. On a disk whose scheduler knows no weights (none, mq-deadline) only the priority in the services counts.
CPUWeight=20
IOWeight=20
";

const MEMORY: &str = "\
# It works in less than 256 MiB; the rest is what it has just read, and need not push out what others read.
MemoryHigh=1G
";
