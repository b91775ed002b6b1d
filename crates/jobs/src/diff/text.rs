//! What differs in one file: a unified diff for text, a sentence for everything else.
//!
//! Lines are bytes and need not be UTF-8. Bounded: of two large files only the sizes are told, and whether they differ.
//! It must never follow a symbolic link, as that could lead out of the snapshot.

use std::fs::File;
use std::io::{BufReader, Read};
use std::ops::Range;

use imara_diff::{Algorithm, Diff, Hunk, InternedInput};
use serde::Serialize;
use subvault_model::bytesize::ByteSize;
use subvault_model::file_path::FilePath;

use super::Side;
use crate::error::JobError;

/// Larger files are not compared line by line.
const LARGEST: u64 = 16 << 20;
/// Where a zero byte makes a file binary.
const BEGINNING: usize = 8000;
/// Lines around each difference.
const CONTEXT: u32 = 3;

/// How two files compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Byte by byte the same.
    Same,
    /// They differ, and are text.
    Text,
    /// They differ, and at least one is not text.
    Binary,
    /// They differ, and are too large to be compared line by line.
    Large,
}

/// What differs in one file.
#[derive(Debug, Serialize)]
pub struct TextReport {
    /// Where it is.
    pub path: FilePath,
    /// How the two compare.
    pub verdict: Verdict,
    /// The size before; `None` where it was not there.
    pub size_before: Option<ByteSize>,
    /// The size after; `None` where it is not there.
    pub size_after: Option<ByteSize>,
    /// For text, the unified diff, of bytes.
    #[serde(skip)]
    pub unified: Vec<u8>,
    /// The same for programs, where it is UTF-8.
    #[serde(rename = "unified")]
    pub unified_text: Option<String>,
}

/// Compares the file at one path on both sides. One that is on one side only is compared with an empty one.
///
/// # Errors
/// When it is on neither side, is not a regular file, or cannot be read.
pub fn compare(from: &Side, to: &Side, path: &FilePath) -> Result<TextReport, JobError> {
    let (before, after) = (open(from, path)?, open(to, path)?);
    if before.is_none() && after.is_none() {
        return Err(JobError::Refused {
            what: format!("{path} is neither in {} nor in {}", from.label, to.label),
            hint: "write its path as it is inside the subvolume".to_owned(),
        });
    }
    let size = |file: Option<&(File, u64)>| file.map(|(_, size)| ByteSize::bytes(*size));
    let (size_before, size_after) = (size(before.as_ref()), size(after.as_ref()));
    let too_large = [size_before, size_after].into_iter().flatten().any(|size| size.get() > LARGEST);
    let mut report = TextReport {
        path: path.clone(),
        verdict: Verdict::Same,
        size_before,
        size_after,
        unified: Vec::new(),
        unified_text: None,
    };
    let trouble = || JobError::file("read", to.location().join(path.to_string()));
    if too_large {
        let same = size_before == size_after && same(before, after).map_err(trouble())?;
        report.verdict = if same { Verdict::Same } else { Verdict::Large };
        return Ok(report);
    }
    let (before, after) = (whole(before).map_err(trouble())?, whole(after).map_err(trouble())?);
    // An empty file that came or went differs, but in no line.
    let same = before == after && size_before == size_after;
    let is_binary = |bytes: &[u8]| bytes[..bytes.len().min(BEGINNING)].contains(&0);
    report.verdict = match same {
        true => Verdict::Same,
        false if is_binary(&before) || is_binary(&after) => Verdict::Binary,
        false => Verdict::Text,
    };
    if report.verdict == Verdict::Text {
        let name = |side: &Side, size: Option<ByteSize>| match size {
            Some(_) => format!("{}\t{}", path, side.label),
            None => "/dev/null".to_owned(),
        };
        report.unified = unified(&before, &after, [&name(from, size_before), &name(to, size_after)]);
        report.unified_text = String::from_utf8(report.unified.clone()).ok();
    }
    Ok(report)
}

fn open(side: &Side, path: &FilePath) -> Result<Option<(File, u64)>, JobError> {
    let Some(file) = side.subvolume.open_file(path)? else { return Ok(None) };
    let metadata = file.metadata().map_err(JobError::file("look at", side.location().join(path.to_string())))?;
    Ok(Some((file, metadata.len())))
}

/// All of a file; one that grows meanwhile is cut.
fn whole(file: Option<(File, u64)>) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some((file, _)) = file {
        file.take(LARGEST).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

fn same(before: Option<(File, u64)>, after: Option<(File, u64)>) -> std::io::Result<bool> {
    let (Some((before, _)), Some((after, _))) = (before, after) else { return Ok(false) };
    let (mut before, mut after) = (BufReader::new(before), BufReader::new(after));
    let mut blocks = [vec![0; 256 << 10], vec![0; 256 << 10]];
    loop {
        let [one, other] = &mut blocks;
        let (len, other_len) = (fill(&mut before, one)?, fill(&mut after, other)?);
        if one[..len] != other[..other_len] {
            return Ok(false);
        }
        if len == 0 {
            return Ok(true);
        }
    }
}

/// Reads until the block is full or the file ends.
fn fill(from: &mut impl Read, block: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < block.len() {
        match from.read(&mut block[filled..])? {
            0 => break,
            len => filled += len,
        }
    }
    Ok(filled)
}

/// A unified diff, as `patch` takes it.
fn unified(before: &[u8], after: &[u8], names: [&str; 2]) -> Vec<u8> {
    let input = InternedInput::new(before, after);
    let mut diff = Diff::compute(Algorithm::Histogram, &input);
    diff.postprocess_lines(&input);
    let mut out = format!("--- {}\n+++ {}\n", names[0], names[1]).into_bytes();
    let hunks: Vec<Hunk> = diff.hunks().collect();
    let end = u32::try_from(input.before.len()).unwrap_or(u32::MAX);
    // Differences whose surroundings meet are shown together.
    for group in hunks.chunk_by(|one, next| next.before.start - one.before.end <= 2 * CONTEXT) {
        write_group(&input, group, end, &mut out);
    }
    out
}

fn write_group(input: &InternedInput<&[u8]>, group: &[Hunk], end: u32, out: &mut Vec<u8>) {
    let (Some(first), Some(last)) = (group.first(), group.last()) else { return };
    let lead = first.before.start.min(CONTEXT);
    let tail = (end - last.before.end).min(CONTEXT);
    let old = first.before.start - lead..last.before.end + tail;
    let new = first.after.start - lead..last.after.end + tail;
    out.extend_from_slice(format!("@@ -{} +{} @@\n", lines(&old), lines(&new)).as_bytes());
    let mut at = old.start;
    for hunk in group {
        write_lines(input, b' ', at..hunk.before.start, false, out);
        write_lines(input, b'-', hunk.before.clone(), false, out);
        write_lines(input, b'+', hunk.after.clone(), true, out);
        at = hunk.before.end;
    }
    write_lines(input, b' ', at..old.end, false, out);
}

/// `3,7`: the first line, counted from 1, and how many; of no lines, the one before.
fn lines(range: &Range<u32>) -> String {
    match range.len() {
        0 => format!("{},0", range.start),
        1 => format!("{}", range.start + 1),
        len => format!("{},{len}", range.start + 1),
    }
}

fn write_lines(input: &InternedInput<&[u8]>, mark: u8, range: Range<u32>, new: bool, out: &mut Vec<u8>) {
    let tokens = if new { &input.after } else { &input.before };
    for token in &tokens[range.start as usize..range.end as usize] {
        let line = input.interner[*token];
        out.push(mark);
        out.extend_from_slice(line);
        if !line.ends_with(b"\n") {
            out.extend_from_slice(b"\n\\ No newline at end of file\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(before: &str, after: &str) -> String {
        String::from_utf8(unified(before.as_bytes(), after.as_bytes(), ["a", "b"])).unwrap()
    }

    #[test]
    fn differences_have_lines_around_them() {
        let before: String = (1..=20).map(|n| format!("{n}\n")).collect();
        let after = before.replace("\n5\n", "\nfive\n").replace("\n9\n", "\n").replace("20\n", "20");
        let expected = "--- a\n+++ b\n@@ -2,11 +2,10 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n-9\n 10\n 11\n 12\n\
            @@ -17,4 +16,4 @@\n 17\n 18\n 19\n-20\n+20\n\\ No newline at end of file\n";
        assert_eq!(shown(&before, &after), expected);
    }

    #[test]
    fn from_nothing_and_to_nothing() {
        assert_eq!(shown("", "x\n"), "--- a\n+++ b\n@@ -0,0 +1 @@\n+x\n");
        assert_eq!(shown("x\ny\n", ""), "--- a\n+++ b\n@@ -1,2 +0,0 @@\n-x\n-y\n");
    }
}
