//! What `/etc/fstab` says of subvolumes, and a text of it that names them instead of counting them.
//!
//! The bytes of a line that is not changed stay as they are. It must never take a line for understood that is not:
//! such a line is passed over, as mount does.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use subvault_model::ids::SubvolumeId;

use super::PoolFacts;
use super::path::PoolPath;

/// A line that mounts something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number in the file, from 1.
    pub number: usize,
    /// The device.
    pub source: Vec<u8>,
    /// Where.
    pub point: PathBuf,
    /// The kind of file system.
    pub kind: Vec<u8>,
    options: Vec<Vec<u8>>,
}

impl Line {
    /// The subvolume that is named.
    #[must_use]
    pub fn subvol(&self) -> Option<PoolPath> {
        subvol_in(&self.options)
    }

    /// The number that is named.
    #[must_use]
    pub fn subvolid(&self) -> Option<SubvolumeId> {
        subvolid_in(&self.options)
    }

    /// Whether a boot goes on without it.
    #[must_use]
    pub fn may_fail(&self) -> bool {
        self.options.iter().any(|option| option == b"nofail" || option == b"noauto")
    }

    /// Whether it is of this pool. What is named by a device or a partition may be any.
    #[must_use]
    pub fn may_be_of(&self, pool: &PoolFacts) -> bool {
        (self.kind == b"btrfs" || self.kind == b"auto") && self.names(pool).unwrap_or(true)
    }

    /// Whether it is of this pool for certain.
    #[must_use]
    pub fn is_of(&self, pool: &PoolFacts) -> bool {
        self.kind == b"btrfs" && self.names(pool) == Some(true)
    }

    /// Whether it names this pool; `None` when it names none.
    fn names(&self, pool: &PoolFacts) -> Option<bool> {
        let source = self.source.strip_prefix(b"/dev/disk/by-uuid/").or_else(|| self.source.strip_prefix(b"UUID="));
        if let Some(uuid) = source {
            return Some(uuid.trim_ascii_matches(b'"').eq_ignore_ascii_case(pool.uuid.to_string().as_bytes()));
        }
        self.source.strip_prefix(b"LABEL=").map(|label| label.trim_ascii_matches(b'"') == pool.label)
    }
}

/// Takes off a byte at both ends.
trait TrimMatches {
    fn trim_ascii_matches(&self, byte: u8) -> &[u8];
}

impl TrimMatches for [u8] {
    fn trim_ascii_matches(&self, byte: u8) -> &[u8] {
        let inner = self.strip_prefix(&[byte]).unwrap_or(self);
        inner.strip_suffix(&[byte]).unwrap_or(inner)
    }
}

/// The subvolume that options of a mount name. The last one counts.
#[must_use]
pub fn subvol_in(options: &[Vec<u8>]) -> Option<PoolPath> {
    let named = options.iter().rev().find_map(|option| option.strip_prefix(b"subvol="))?;
    Some(PoolPath::new(Path::new(std::ffi::OsStr::from_bytes(named))))
}

/// The number of a subvolume that options of a mount name.
#[must_use]
pub fn subvolid_in(options: &[Vec<u8>]) -> Option<SubvolumeId> {
    let named = options.iter().rev().find_map(|option| option.strip_prefix(b"subvolid="))?;
    let text = std::str::from_utf8(named).ok()?;
    let number = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    // The kernel takes 0 for the top level.
    number.ok().map(|number| if number == 0 { SubvolumeId::TOP } else { SubvolumeId(number) })
}

/// Options as they are written: between commas.
#[must_use]
pub fn options(text: &[u8]) -> Vec<Vec<u8>> {
    text.split(|byte| *byte == b',').map(<[u8]>::to_vec).collect()
}

/// The lines that mount something.
#[must_use]
pub fn parse(text: &[u8]) -> Vec<Line> {
    let lines = text.split(|byte| *byte == b'\n').enumerate();
    lines.filter_map(|(index, line)| parse_line(index + 1, line)).collect()
}

fn parse_line(number: usize, line: &[u8]) -> Option<Line> {
    let mut fields = fields(line).map(|(_, field)| unescape(field));
    let source = fields.next().filter(|source| !source.starts_with(b"#"))?;
    let (point, kind) = (fields.next()?, fields.next()?);
    let written = fields.next().unwrap_or_else(|| b"defaults".to_vec());
    Some(Line { number, source, point: OsString::from_vec(point).into(), kind, options: options(&written) })
}

/// The fields of a line, with where they begin.
fn fields(line: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let mut at = 0;
    line.split(blank).filter_map(move |field| {
        let begin = at;
        at += field.len() + 1;
        (!field.is_empty()).then_some((begin, field))
    })
}

/// Undoes `\040` and the like.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, after)) = rest.split_first() {
        let octal = (first == b'\\')
            .then(|| after.get(..3))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        out.push(octal.unwrap_or(first));
        rest = if octal.is_some() { &after[3..] } else { after };
    }
    out
}

fn escape(path: &Path) -> Vec<u8> {
    let bytes = path.as_os_str().as_bytes().iter();
    bytes
        .flat_map(|byte| match byte {
            b' ' | b'\t' | b'\n' | b'\\' => format!("\\{byte:03o}").into_bytes(),
            other => vec![*other],
        })
        .collect()
}

/// The text with the lines of these numbers naming their subvolume, `place` where they name none, and no number.
#[must_use]
pub fn mend(text: &[u8], numbers: &[usize], place: &Path) -> Vec<u8> {
    let lines = text.split(|byte| *byte == b'\n').enumerate();
    let lines: Vec<Vec<u8>> = lines
        .map(|(index, line)| if numbers.contains(&(index + 1)) { mend_line(line, place) } else { line.to_vec() })
        .collect();
    lines.join(&b'\n')
}

fn mend_line(line: &[u8], place: &Path) -> Vec<u8> {
    let Some((begin, field)) = fields(line).nth(3) else { return line.to_vec() };
    let mut kept: Vec<&[u8]> = field.split(|byte| *byte == b',').collect();
    kept.retain(|option| !option.starts_with(b"subvolid="));
    let named = [b"subvol=/".as_slice(), &escape(place)].concat();
    if !kept.iter().any(|option| option.starts_with(b"subvol=")) {
        kept.push(&named);
    }
    [&line[..begin], &kept.join(&b','), &line[begin + field.len()..]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"# a comment\nUUID=aa /  btrfs rw,subvolid=256,subvol=/@\t0 0\n\n\
        /dev/sda1\t/boot\\040x ext4\nUUID=aa /home btrfs subvolid=0x101,nofail 0 0\nnonsense\n";

    #[test]
    fn lines_are_read_as_mount_reads_them() {
        let lines = parse(TEXT);
        assert_eq!(lines.iter().map(|line| line.number).collect::<Vec<_>>(), [2, 4, 5]);
        assert_eq!(lines[0].subvol(), Some(PoolPath::new("@")));
        assert_eq!(lines[0].subvolid(), Some(SubvolumeId(256)));
        assert_eq!(lines[1].point, Path::new("/boot x"));
        assert_eq!((lines[2].subvolid(), lines[2].may_fail()), (Some(SubvolumeId(257)), true));
    }

    #[test]
    fn numbers_become_names_and_the_rest_stays() {
        let mended = mend(TEXT, &[2, 5], Path::new("@ home"));
        let text = String::from_utf8(mended).unwrap();
        assert!(text.contains("UUID=aa /  btrfs rw,subvol=/@\t0 0\n"), "{text}");
        assert!(text.contains("/home btrfs nofail,subvol=/@\\040home 0 0\nnonsense\n"), "{text}");
        assert_eq!(mend(TEXT, &[], Path::new("@")), TEXT);
        assert_eq!(parse(text.as_bytes())[2].subvol(), Some(PoolPath::new("@ home")));
    }
}
