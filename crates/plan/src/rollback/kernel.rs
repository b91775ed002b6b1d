//! Which version a kernel image is, from its own bytes.
//!
//! `bzImage` says it in its header (the kernel's boot protocol), a unified kernel image in its section `.uname`. A name is
//! believed only where the bytes say nothing, and only if it looks like a version.

use std::cmp::Ordering;
use std::path::Path;

/// The version of a kernel image, of which the first part is given.
#[must_use]
pub fn version(path: &Path, image: &[u8]) -> Option<String> {
    let section = section(image, b".uname").and_then(plain);
    section.or_else(|| of_bzimage(image)).or_else(|| of_name(path))
}

/// The command line that a unified kernel image carries.
#[must_use]
pub fn command_line(image: &[u8]) -> Option<Vec<u8>> {
    section(image, b".cmdline").map(<[u8]>::to_vec)
}

/// `HdrS` at 0x202, and at 0x20e where the text is, less 0x200.
fn of_bzimage(image: &[u8]) -> Option<String> {
    if image.get(0x202..0x206)? != b"HdrS" {
        return None;
    }
    let at = usize::from(u16::from_le_bytes(image.get(0x20e..0x210)?.try_into().ok()?));
    if at == 0 {
        return None;
    }
    plain(image.get(at + 0x200..)?)
}

/// `vmlinuz-6.1.0-25-amd64`
fn of_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let (_, version) = name.split_once('-')?;
    let version = version.strip_suffix(".efi").unwrap_or(version);
    version.starts_with(|c: char| c.is_ascii_digit()).then(|| version.to_owned())
}

/// The first word, if it is one that can be the name of a directory.
fn plain(text: &[u8]) -> Option<String> {
    let head = &text[..text.len().min(128)];
    let end = head.iter().position(|byte| matches!(byte, 0 | b' ' | b'\n')).unwrap_or(head.len());
    let word = std::str::from_utf8(&text[..end]).ok()?;
    let is_version = word.starts_with(|c: char| c.is_ascii_digit()) && !word.contains('/');
    is_version.then(|| word.to_owned())
}

/// What a section of a PE file holds.
fn section<'a>(image: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    if !image.starts_with(b"MZ") {
        return None;
    }
    let u32_at = |at: usize| Some(u32::from_le_bytes(image.get(at..at.checked_add(4)?)?.try_into().ok()?) as usize);
    let u16_at = |at: usize| Some(usize::from(u16::from_le_bytes(image.get(at..at.checked_add(2)?)?.try_into().ok()?)));
    let header = u32_at(0x3c)?;
    if image.get(header..header.checked_add(4)?)? != b"PE\0\0" {
        return None;
    }
    let (count, optional) = (u16_at(header + 6)?, u16_at(header + 20)?);
    let table = header + 24 + optional;
    for index in 0..count {
        let at = table + index * 40;
        let found = image.get(at..at + 8)?;
        let end = found.iter().position(|byte| *byte == 0).unwrap_or(8);
        if &found[..end] == name {
            // What is padded in the file is not part of it.
            let size = u32_at(at + 8)?.min(u32_at(at + 16)?);
            let begin = u32_at(at + 20)?;
            return image
                .get(begin..begin.checked_add(size)?)
                .map(|bytes| bytes.split(|b| *b == 0).next().unwrap_or(bytes));
        }
    }
    None
}

/// The order of versions: numbers by their value, `6.10` after `6.9`, and a release after its candidates.
#[must_use]
pub fn compare(one: &str, other: &str) -> Ordering {
    let parts = |text: &str| -> Vec<Result<u64, String>> {
        let mut found = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let digit = first.is_ascii_digit();
            let end = rest.find(|c: char| c.is_ascii_digit() != digit).unwrap_or(rest.len());
            let (part, after) = rest.split_at(end);
            found.push(part.parse().map_err(|_| part.to_owned()));
            rest = after;
        }
        found
    };
    let (one, other) = (parts(one), parts(other));
    for (a, b) in one.iter().zip(&other) {
        let order = match (a, b) {
            (Ok(a), Ok(b)) => a.cmp(b),
            (Err(a), Err(b)) => a.contains("rc").cmp(&b.contains("rc")).reverse().then(a.cmp(b)),
            (Ok(_), Err(_)) => Ordering::Greater,
            (Err(_), Ok(_)) => Ordering::Less,
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    let begins_with_candidate =
        |rest: &[Result<u64, String>]| matches!(rest.first(), Some(Err(text)) if text.contains("rc"));
    match one.len().cmp(&other.len()) {
        Ordering::Greater if begins_with_candidate(&one[other.len()..]) => Ordering::Less,
        Ordering::Less if begins_with_candidate(&other[one.len()..]) => Ordering::Greater,
        order => order,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_believed_before_a_name() {
        let mut image = vec![0; 0x400];
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image[0x20e..0x210].copy_from_slice(&0x100_u16.to_le_bytes());
        image[0x300..0x315].copy_from_slice(b"6.11.5-arch1-1 (x) #1");
        assert_eq!(version(Path::new("boot/vmlinuz-linux"), &image).as_deref(), Some("6.11.5-arch1-1"));
        assert_eq!(version(Path::new("boot/vmlinuz-9.9"), &image).as_deref(), Some("6.11.5-arch1-1"));
        assert_eq!(version(Path::new("boot/vmlinuz-6.1.0-25-amd64"), b"").as_deref(), Some("6.1.0-25-amd64"));
        assert_eq!(version(Path::new("boot/vmlinuz-linux"), b""), None);
    }

    #[test]
    fn sections_of_unified_images_are_found() {
        let image = unified(&[(b".cmdline", b"root=UUID=x rootflags=subvol=@\0"), (b".uname", b"6.12.1\n")]);
        assert_eq!(command_line(&image).as_deref(), Some(b"root=UUID=x rootflags=subvol=@".as_slice()));
        assert_eq!(version(Path::new("EFI/Linux/a.efi"), &image).as_deref(), Some("6.12.1"));
        for len in 0..image.len() {
            // A torn file is no reason to panic.
            let _ = (version(Path::new("a"), &image[..len]), command_line(&image[..len]));
        }
    }

    fn unified(sections: &[(&[u8], &[u8])]) -> Vec<u8> {
        let mut image = vec![0; 0x40 + 24 + sections.len() * 40];
        image[..2].copy_from_slice(b"MZ");
        image[0x3c..0x40].copy_from_slice(&0x40_u32.to_le_bytes());
        image[0x40..0x44].copy_from_slice(b"PE\0\0");
        image[0x46..0x48].copy_from_slice(&u16::try_from(sections.len()).unwrap().to_le_bytes());
        for (index, (name, bytes)) in sections.iter().enumerate() {
            let at = 0x40 + 24 + index * 40;
            let (size, begin) = (u32::try_from(bytes.len()).unwrap(), u32::try_from(image.len()).unwrap());
            image[at..at + name.len()].copy_from_slice(name);
            image[at + 8..at + 12].copy_from_slice(&size.to_le_bytes());
            image[at + 16..at + 20].copy_from_slice(&size.to_le_bytes());
            image[at + 20..at + 24].copy_from_slice(&begin.to_le_bytes());
            image.extend_from_slice(bytes);
        }
        image
    }

    #[test]
    fn versions_have_an_order() {
        let mut versions = ["6.10.1", "6.9.3-arch1-1", "6.10.0-rc2", "6.1.0-25-amd64", "6.10.0", "6.1.0-9-amd64"];
        versions.sort_by(|a, b| compare(a, b));
        assert_eq!(versions, ["6.1.0-9-amd64", "6.1.0-25-amd64", "6.9.3-arch1-1", "6.10.0-rc2", "6.10.0", "6.10.1"]);
    }
}
