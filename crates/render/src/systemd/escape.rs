//! Words in units as systemd reads them back.

use std::path::Path;

use super::NotRendered;

/// A word of a command line in a unit: specifiers, variables and quotes are taken as they are written.
pub(super) fn argument(path: &Path) -> Result<String, NotRendered> {
    let text = plain(path)?;
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    let is_simple = |c: char| c.is_ascii_alphanumeric() || "/._-+@:=,%$".contains(c);
    Ok(if escaped.chars().all(is_simple) { escaped } else { format!("\"{escaped}\"") })
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
        for path in ["", "/a\nb", "/a\tb"] {
            assert!(argument(Path::new(path)).is_err(), "{path:?}");
        }
    }
}
