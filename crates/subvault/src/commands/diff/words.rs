//! How a comparison looks.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;
use subvault_jobs::diff::text::{TextReport, Verdict};
use subvault_jobs::diff::{DiffReport, Difference, Entry, EntryKind, Totals};
use subvault_model::bytesize::ByteSize;
use subvault_model::file_path::FilePath;

use crate::output::{size, table};

/// How much differs below each top directory.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    from: String,
    to: String,
    directories: Vec<Below>,
    totals: Totals,
}

/// How much differs below one top directory; what is in none is below `.`.
#[derive(Debug, Serialize)]
struct Below {
    path: FilePath,
    #[serde(flatten)]
    totals: Totals,
}

/// All lines, and the totals.
pub(super) fn describe(report: &DiffReport) -> String {
    let mut text = String::new();
    for entry in &report.changes {
        line(&mut text, entry);
    }
    text + &format!("{} → {}: {}\n", report.from, report.to, totals(&report.totals))
}

fn line(text: &mut String, entry: &Entry) {
    let (sign, bytes) = match entry.change {
        Difference::Created => ('+', entry.size_after),
        Difference::Linked => ('+', None),
        Difference::Deleted => ('-', entry.size_before),
        Difference::Replaced => ('~', entry.size_after),
        Difference::Modified => ('~', Some(entry.written)),
        Difference::Renamed => ('»', Some(entry.written).filter(|written| *written != ByteSize::ZERO)),
        Difference::Metadata => ('m', None),
    };
    let bytes = bytes.map(size::size).unwrap_or_default();
    let slash = if entry.kind == EntryKind::Directory { "/" } else { "" };
    // There is nobody to tell when a string cannot grow.
    let _ = write!(text, "{sign} {bytes:>10}  ");
    if let (Difference::Renamed, Some(from)) = (entry.change, &entry.from) {
        let _ = write!(text, "{from}{slash} → ");
    }
    let _ = write!(text, "{}{slash}", entry.path);
    let details = details(entry);
    if !details.is_empty() {
        let _ = write!(text, "  ({})", details.join(", "));
    }
    text.push('\n');
}

fn details(entry: &Entry) -> Vec<String> {
    let mut details = Vec::new();
    let kind = match entry.kind {
        EntryKind::Symlink => "symbolic link",
        EntryKind::Fifo => "named pipe",
        EntryKind::Socket => "socket",
        EntryKind::Device => "device",
        EntryKind::File | EntryKind::Directory | EntryKind::Unknown => "",
    };
    details.extend((!kind.is_empty()).then(|| kind.to_owned()));
    details.extend(entry.link_to.as_ref().map(|to| format!("link to {to}")));
    if let (Some(before), Some(after)) = (entry.size_before, entry.size_after)
        && before != after
    {
        details.push(format!("{} → {}", size::size(before), size::size(after)));
    }
    match entry.change {
        Difference::Replaced => details.push("another in its place".to_owned()),
        Difference::Modified => details.extend(entry.from.as_ref().map(|from| format!("was {from}"))),
        _ => {}
    }
    details.extend(entry.metadata.iter().map(|what| (*what).to_owned()));
    details.extend(entry.xattrs.iter().map(ToString::to_string));
    let is_present_file = entry.kind == EntryKind::File && entry.change != Difference::Deleted;
    if is_present_file && entry.names > 1 {
        details.push(format!("one of {} names", entry.names));
    }
    details
}

fn totals(totals: &Totals) -> String {
    let bytes = |count: u64, bytes: ByteSize, what: &str| match bytes {
        ByteSize::ZERO => format!("{count} {what}"),
        bytes => format!("{count} {what} ({})", size::size(bytes)),
    };
    let parts = [
        (totals.created, bytes(totals.created, totals.created_bytes, "created")),
        (totals.deleted, bytes(totals.deleted, totals.deleted_bytes, "deleted")),
        (totals.modified, format!("{} modified", totals.modified)),
        (totals.renamed, format!("{} renamed", totals.renamed)),
        (totals.metadata, format!("{} in metadata only", totals.metadata)),
    ];
    let mut parts: Vec<String> = parts.into_iter().filter(|(count, _)| *count > 0).map(|(_, text)| text).collect();
    if totals.written_bytes != ByteSize::ZERO {
        parts.push(format!("{} written", size::size(totals.written_bytes)));
    }
    if parts.is_empty() { "no difference".to_owned() } else { parts.join(", ") }
}

/// The same by top directories.
pub(super) fn summary(report: &DiffReport) -> Summary {
    let mut below: BTreeMap<FilePath, Totals> = BTreeMap::new();
    for entry in &report.changes {
        let bytes = entry.path.as_bytes();
        let top = match bytes.iter().position(|byte| *byte == b'/') {
            Some(slash) => &bytes[..slash],
            None if entry.kind == EntryKind::Directory => bytes,
            None => b"",
        };
        below.entry(FilePath::new(top)).or_default().add(entry);
    }
    let directories = below.into_iter().map(|(path, totals)| Below { path, totals }).collect();
    Summary { from: report.from.clone(), to: report.to.clone(), directories, totals: report.totals }
}

/// A table of it.
pub(super) fn summarize(summary: &Summary) -> String {
    let columns =
        ["below", ">created", ">bytes", ">deleted", ">bytes", ">modified", ">written", ">renamed", ">metadata"];
    let mut table = table::new(&columns);
    for Below { path, totals: t } in &summary.directories {
        table.add_row([
            path.to_string(),
            t.created.to_string(),
            size::size(t.created_bytes),
            t.deleted.to_string(),
            size::size(t.deleted_bytes),
            t.modified.to_string(),
            size::size(t.written_bytes),
            t.renamed.to_string(),
            t.metadata.to_string(),
        ]);
    }
    let table = if summary.directories.is_empty() { String::new() } else { table::text(&table) };
    format!("{table}{} → {}: {}\n", summary.from, summary.to, totals(&summary.totals))
}

/// What differs in one file: the diff itself, which is bytes, or a sentence.
pub(super) fn content(report: &TextReport) -> Vec<u8> {
    let size = |size: Option<ByteSize>| size.map_or_else(|| "not there".to_owned(), size::size);
    let sizes = format!("{} → {}", size(report.size_before), size(report.size_after));
    match report.verdict {
        Verdict::Text => report.unified.clone(),
        Verdict::Same => format!("{} is the same\n", report.path).into_bytes(),
        Verdict::Binary => format!("{} differs and is not text: {sizes}\n", report.path).into_bytes(),
        Verdict::Large => format!("{} differs and is too large to show how: {sizes}\n", report.path).into_bytes(),
    }
}
