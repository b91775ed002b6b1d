//! When it is proved that a restore would work.

use subvault_plan::strategy::proof::{Proof, ProofKind};

use super::{cell, says, table};
use crate::report::document::{Block, Cell, Section};
use crate::report::{Report, words};

/// The section.
pub(super) fn section(report: &Report<'_>) -> Section {
    let row = |proof: &Proof| -> Vec<Cell> {
        vec![cell(what(proof.what)), cell(words::calendar(proof.calendar)), cell(format!("because {}", proof.because))]
    };
    let rows = report.strategy.proofs.iter().map(row).collect();
    let about = "A copy that was never restored is a hope. This is when it is proved that a restore would work.";
    let blocks = vec![Block::Paragraph(says(about)), table("Proofs", &["What is proved", "When", "Why"], rows)];
    Section { id: "proofs", title: "Proofs", blocks }
}

const fn what(kind: ProofKind) -> &'static str {
    match kind {
        ProofKind::Verify => "What is stored is compared with its manifests",
        ProofKind::RestoreOne => "The newest copy is restored and compared",
        ProofKind::RestoreAll => "Everything is restored and compared",
    }
}
