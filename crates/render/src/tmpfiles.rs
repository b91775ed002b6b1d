//! `tmpfiles.d`: what inode attributes carry, since no mount option can for one subvolume.
//!
//! `chattr +C` is a line of type `h`. The property `compression` is the extended attribute `btrfs.compression`, so that a
//! line of type `t` sets it. Both are inherited by what is made below later; what is there already keeps what it has, and
//! nothing here rewrites it.

use subvault_plan::strategy::storage::Means;
use subvault_plan::strategy::{Strategy, SubvolumeStrategy};

use crate::file::{RenderedFile, mark};

/// The lines; `None` where every subvolume is as the filesystem is.
#[must_use]
pub fn render(strategy: &Strategy) -> Option<RenderedFile> {
    let mut subvolumes: Vec<&SubvolumeStrategy> = strategy.subvolumes.iter().collect();
    subvolumes.sort_by_key(|subvolume| &subvolume.path);
    let lines: String = subvolumes.into_iter().map(lines).collect();
    let text = format!("{}{HEAD}{lines}", mark("tmpfiles"));
    (!lines.is_empty()).then(|| RenderedFile { path: "etc/tmpfiles.d/subvault.conf".into(), text })
}

fn lines(decided: &SubvolumeStrategy) -> String {
    let attributes = decided.means.iter().filter_map(|means| match means {
        Means::FilesystemOption(_) => None,
        Means::NoCowAttribute => Some(("h", "+C".to_owned())),
        Means::CompressionProperty(value) => Some(("t", format!("btrfs.compression={value}"))),
    });
    let line = |(kind, attribute): (&str, String)| {
        let line = match pattern(&[b"/", decided.path.as_bytes()].concat()) {
            Some(path) => format!("{kind} {path} - - - - {attribute}\n"),
            None => format!("# There is no line with {attribute}: tmpfiles.d cannot hold /{}.\n", decided.path),
        };
        format!("# {}: {}.\n{line}", decided.name, decided.storage.because)
    };
    attributes.map(line).collect()
}

const HEAD: &str = "\
# What is made in these directories from now on inherits it. Files that are there keep what they have until they are copied:
#   mkdir new && chattr +C new && cp -a --reflink=never old/. new/
";

/// A path as a line of tmpfiles.d(5) names exactly that one: quoted, and with nothing in it that is a pattern or a specifier.
/// `None` for what is not text or has lines of its own: there are no escapes for bytes.
fn pattern(path: &[u8]) -> Option<String> {
    let plain = std::str::from_utf8(path).ok().filter(|text| !text.contains(['\n', '\r']))?;
    if plain.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+@".contains(c)) {
        return Some(plain.to_owned());
    }
    let escaped = |c: char| match c {
        '*' | '?' | '[' | ']' | '{' | '}' => format!("\\\\{c}"),
        '\\' => "\\\\\\\\".to_owned(),
        '"' => "\\\"".to_owned(),
        '%' => "%%".to_owned(),
        c => c.to_string(),
    };
    Some(format!("\"{}\"", plain.chars().map(escaped).collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_itself_and_no_pattern() {
        for (path, wanted) in [
            (&b"/var/lib/postgresql"[..], Some("/var/lib/postgresql")),
            (b"/a b", Some(r#""/a b""#)),
            (b"/100%*", Some(r#""/100%%\\*""#)),
            (b"/a\\\"", Some(r#""/a\\\\\"""#)),
            (b"/\xff", None),
            (b"/a\nb", None),
        ] {
            assert_eq!(pattern(path).as_deref(), wanted);
        }
    }
}
