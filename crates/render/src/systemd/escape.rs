//! Words in units as systemd reads them back.

use std::path::Path;

use super::NotRendered;

/// A word of a command line in a unit: specifiers, variables and quotes are taken as they are written.
pub(super) fn argument(path: &Path) -> Result<String, NotRendered> {
    Ok(quoted(&plain(path)?.replace('$', "$$")))
}

/// One of several paths in a setting, which need not be there.
pub(super) fn optional(path: &Path) -> Result<String, NotRendered> {
    Ok(quoted(&format!("-{}", plain(path)?)))
}

fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
    let is_simple = |c: char| c.is_ascii_alphanumeric() || "/._-+@:=,%$".contains(c);
    if escaped.chars().all(is_simple) { escaped } else { format!("\"{escaped}\"") }
}

/// A path in another setting, which goes to the end of its line.
pub(super) fn setting(path: &Path) -> Result<String, NotRendered> {
    Ok(plain(path)?.replace('%', "%%"))
}

fn plain(path: &Path) -> Result<&str, NotRendered> {
    let unfit = || NotRendered::UnfitPath(path.to_owned());
    let text = path.to_str().ok_or_else(unfit)?;
    if text.is_empty() || text.chars().any(char::is_control) { Err(unfit()) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back_as_they_are() {
        for (path, word) in [
            ("/usr/bin/subvault", "/usr/bin/subvault"),
            ("/opt/my tools/subvault", "\"/opt/my tools/subvault\""),
            ("/a%b$c\"d\\e", "\"/a%%b$$c\\\"d\\\\e\""),
        ] {
            assert_eq!(argument(Path::new(path)).unwrap(), word);
        }
        assert_eq!(optional(Path::new("/usr/my $x")).unwrap(), "\"-/usr/my $x\"");
        for path in ["", "/a\nb", "/a\tb"] {
            assert!(argument(Path::new(path)).is_err(), "{path:?}");
        }
    }
}
