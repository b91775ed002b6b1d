//! How each subvolume is stored, and what makes that true.

use subvault_plan::strategy::SubvolumeStrategy;
use subvault_plan::strategy::storage::{Compression, Intent, Means};

use super::{cell, reasons, says, table};
use crate::report::Report;
use crate::report::document::{Block, Cell, Line, Section, Span};

/// The section; none where there is nothing to store.
pub(super) fn section(report: &Report<'_>) -> Option<Section> {
    let all = &report.strategy.subvolumes;
    let heads = ["Subvolume", "Compressed", "Copied on write", "Made so by", "What is given up"];
    let about = "Compression and its level hold for a whole filesystem. What a subvolume wishes for itself is carried by \
                 attributes of its top directory, which new files inherit.";
    let why = reasons("Stored", all, |subvolume| Some(&subvolume.storage), |intent| says(meant(*intent)));
    let blocks = vec![
        Block::Paragraph(says(about)),
        table("How each subvolume is stored", &heads, all.iter().map(row).collect()),
        Block::Why(why),
    ];
    (!all.is_empty()).then_some(Section { id: "storage", title: "Storage", blocks })
}

fn row(subvolume: &SubvolumeStrategy) -> Vec<Cell> {
    let intent = subvolume.storage.value;
    let or_nothing = |lines: Vec<Line>, nothing: &str| if lines.is_empty() { cell(nothing) } else { lines };
    vec![
        super::named(&subvolume.name),
        cell(compression(intent.compression)),
        cell(if intent.is_cow { "yes" } else { "no" }),
        or_nothing(subvolume.means.iter().map(means).collect(), "nothing needs to be set"),
        or_nothing(subvolume.caveats.iter().map(says).collect(), "nothing"),
    ]
}

fn compression(compression: Compression) -> String {
    match compression {
        Compression::Off => "no".to_owned(),
        Compression::Zstd(level) => format!("zstd, level {level}"),
    }
}

fn means(means: &Means) -> Line {
    match means {
        Means::FilesystemOption(option) => vec![Span::text("mount option "), Span::code(option)],
        Means::NoCowAttribute => vec![Span::code("chattr +C"), Span::text(" on its top directory while that is empty")],
        Means::CompressionProperty(value) => {
            vec![Span::code(&format!("btrfs property set … compression {value}")), Span::text(" on its top directory")]
        }
    }
}

fn meant(intent: Intent) -> String {
    let compressed = match intent.compression {
        Compression::Off => "not compressed".to_owned(),
        Compression::Zstd(level) => format!("compressed with zstd, level {level}"),
    };
    let cow = if intent.is_cow { "copied on write" } else { "overwritten in place" };
    format!("{compressed}, {cow}")
}
