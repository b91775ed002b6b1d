//! Tables of the first page.

use super::markdown;
use super::words::Words;

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    /// What its columns are.
    pub(super) head: Vec<Words>,
    /// Its rows.
    pub(super) rows: Vec<Vec<Words>>,
}

impl Table {
    pub(super) fn new(head: &[&str]) -> Self {
        Self { head: head.iter().map(|cell| Words::from(*cell)).collect(), rows: Vec::new() }
    }

    pub(super) fn add(&mut self, row: impl IntoIterator<Item = Words>) {
        self.rows.push(row.into_iter().collect());
    }

    /// As Markdown.
    pub(super) fn markdown(&self) -> String {
        let row = |cells: &[Words]| {
            // A bar ends a cell, also inside of code.
            let cells: Vec<String> = cells.iter().map(|cell| markdown::words(cell).replace('|', "\\|")).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let rule = format!("|{}\n", " --- |".repeat(self.head.len()));
        row(&self.head) + &rule + &self.rows.iter().map(|cells| row(cells)).collect::<String>()
    }
}
