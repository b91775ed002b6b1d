//! The distribution, from os-release(5): lines of `KEY=value`, quoted as in a shell.

use super::root::Root;

/// The `ID` of the distribution.
pub(super) fn id(root: &Root) -> Option<String> {
    // The first that is there counts, as the manual page says.
    let text = root.text("etc/os-release").or_else(|| root.text("usr/lib/os-release"))?;
    Some(value(&text, "ID").unwrap_or_else(|| "linux".to_owned()))
}

/// The value of a key; the last line counts, as in a shell.
fn value(text: &str, key: &str) -> Option<String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let mut values = lines.filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    values.next_back().and_then(unquoted).filter(|value| !value.is_empty())
}

/// What a shell would make of it; `None` for what it would take for more than one word, or not at all.
fn unquoted(text: &str) -> Option<String> {
    let mut value = String::new();
    let mut quote = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (None, '"' | '\'') => quote = Some(letter),
            (Some(open), letter) if letter == open => quote = None,
            (None, '\\') => value.push(letters.next()?),
            (Some('"'), '\\') => match letters.next()? {
                escaped @ ('"' | '\\' | '$' | '`') => value.push(escaped),
                other => value.extend(['\\', other]),
            },
            (None, blank) if blank.is_whitespace() => return None,
            (_, letter) => value.push(letter),
        }
    }
    quote.is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_unquoted_as_by_a_shell() {
        for (text, id) in [
            ("ID=debian\n", Some("debian")),
            ("NAME=x\nID=\"opensuse-tumbleweed\"\nID_LIKE=\"opensuse suse\"\n", Some("opensuse-tumbleweed")),
            ("ID='nixos'\n", Some("nixos")),
            ("ID=a'b'\"c\\\"d\\e\"\\f\n", Some("abc\"d\\ef")),
            ("#ID=one\n  ID=two\nID=three", Some("three")),
            ("VERSION_ID=12\nIDX=1\n", None),
            ("ID=\n", None),
            ("ID=\"open\n", None),
            ("ID=two words\n", None),
        ] {
            assert_eq!(value(text, "ID").as_deref(), id, "{text}");
        }
    }
}
