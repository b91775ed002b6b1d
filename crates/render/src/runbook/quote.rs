//! Words of a command as bash reads them back: whatever bytes a name has, it stays one word and means itself.
//!
//! What is plain stays as it is, so that it can be read and typed; what people can read is put between single quotes;
//! everything else is written byte by byte, since a page is text and a name need not be.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use subvault_model::file_path::FilePath;

/// A path as a word.
pub(super) fn path(path: &Path) -> String {
    bytes(path.as_os_str().as_bytes())
}

/// A text as a word.
pub(super) fn text(text: &str) -> String {
    bytes(text.as_bytes())
}

/// A path that may begin with a dash as a word after which no option is looked for.
pub(super) fn operand(path: &Path) -> String {
    let word = self::path(path);
    if path.as_os_str().as_bytes().starts_with(b"-") { format!("-- {word}") } else { word }
}

/// A path for people: what cannot be seen is escaped.
pub(super) fn shown(path: &Path) -> String {
    FilePath::new(path.as_os_str().as_bytes()).to_string()
}

fn bytes(word: &[u8]) -> String {
    match std::str::from_utf8(word) {
        Ok(text) if is_plain(text) => text.to_owned(),
        Ok(text) if is_readable(text) => format!("'{}'", text.replace('\'', r"'\''")),
        _ => byte_by_byte(word),
    }
}

/// Nothing that bash, or a person, would take for something else. A `~` in front would be a home directory.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_.,:@%+=-".contains(&byte))
}

/// Whether the way that it is shown for people is the text itself, or differs in backslashes alone.
fn is_readable(text: &str) -> bool {
    let shown = FilePath::new(text).to_string();
    text.is_empty() || shown == text.replace('\\', r"\\")
}

/// `$'…'`: letters of ASCII as they are, everything else by its number.
fn byte_by_byte(word: &[u8]) -> String {
    let mut quoted = String::from("$'");
    for byte in word {
        match byte {
            b'\'' | b'\\' => quoted.extend(['\\', char::from(*byte)]),
            b' '..=b'~' => quoted.push(char::from(*byte)),
            // Three digits always: what follows may be a digit itself.
            _ => quoted.push_str(&format!("\\{byte:03o}")),
        }
    }
    quoted.push('\'');
    quoted
}

/// Part of a path, as a path.
pub(super) fn as_path(path: &FilePath) -> &Path {
    as_os(path.as_bytes())
}

/// Bytes, as a path.
pub(super) fn as_os(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_as_plain_as_they_can_be() {
        for (name, word) in [
            (&b"/home/ada"[..], "/home/ada"),
            (b"@home", "@home"),
            (b"", "''"),
            (b"my disk", "'my disk'"),
            (b"it's", r"'it'\''s'"),
            (b"a$(reboot)`b`\"c\"*?[x]{d,e}!f#g&h|i;j<k>l~", "'a$(reboot)`b`\"c\"*?[x]{d,e}!f#g&h|i;j<k>l~'"),
            (b"~ada", "'~ada'"),
            (b"UUID=1a-2b", "UUID=1a-2b"),
            ("Büro".as_bytes(), "'Büro'"),
            (br"a\b", r"'a\b'"),
            (b"two\nlines", r"$'two\012lines'"),
            (b"tab\t7'\\", r"$'tab\0117\'\\'"),
            (b"\xff\xfe", r"$'\377\376'"),
            ("a\u{202e}b".as_bytes(), r"$'a\342\200\256b'"),
        ] {
            assert_eq!(path(Path::new(OsStr::from_bytes(name))), word);
        }
        assert_eq!(operand(Path::new("-rf")), "-- -rf");
        assert_eq!(operand(Path::new("@")), "@");
    }
}
