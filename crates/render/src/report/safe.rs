//! Texts of others on their way into a document: nothing in them is taken for markup, and nothing that cannot be seen moves
//! what can.
//!
//! Invariant: every text that is not a constant of this program passes through one of these functions, and through one only.

use subvault_model::file_path::is_hidden;

/// The text with everything that cannot be seen written out, such as `\u{202e}`; what XML cannot hold is among it.
pub(super) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_hidden(letter) || matches!(letter, '\u{fffe}' | '\u{ffff}') {
            shown.extend(letter.escape_default());
        } else {
            shown.push(letter);
        }
    }
    shown
}

/// The text as content or as an attribute's value of HTML and XML.
pub(super) fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in visible(text).chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(letter),
        }
    }
    escaped
}

/// The text as prose in Markdown, also in the cell of a table.
pub(super) fn markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let shown = visible(text);
    let mut letters = shown.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            // A backslash before it would be seen where it is not in a table.
            '|' => escaped.push_str("&#124;"),
            // Else it would be made a link.
            ':' if letters.peek() == Some(&'/') => escaped.push_str("&#58;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '~' | '#' | '!' | '$' => escaped.extend(['\\', letter]),
            _ => escaped.push(letter),
        }
    }
    escaped
}

/// The text as code in Markdown, also in the cell of a table.
pub(super) fn markdown_code(text: &str) -> String {
    let shown = visible(text);
    let is_plain = |letter: char| letter != '`' && letter != '|' && letter != '\\';
    let has_edges = shown.is_empty() || shown.starts_with(' ') || shown.ends_with(' ');
    if !has_edges && shown.chars().all(is_plain) {
        return format!("`{shown}`");
    }
    // Between backticks these cannot be written everywhere; as numbers they are never markup.
    let number = |letter: char| match letter {
        _ if letter.is_alphanumeric() => letter.to_string(),
        _ => format!("&#{};", u32::from(letter)),
    };
    format!("<code>{}</code>", shown.chars().map(number).collect::<String>())
}

/// The text as a label of Mermaid, which stands between quotes.
pub(super) fn mermaid(text: &str) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || " @/.,-+_:()·→".contains(letter);
    let number = |letter: char| if is_plain(letter) { letter.to_string() } else { format!("#{};", u32::from(letter)) };
    visible(text).chars().map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a|b`c\\d<e>&\"'\n\u{202e}\u{ffff}*_[x](y)";

    #[test]
    fn what_cannot_be_seen_is_written_out() {
        assert_eq!(visible("a\nb\u{202e}\u{61c}\u{feff}\u{fffe}é"), "a\\nb\\u{202e}\\u{61c}\\u{feff}\\u{fffe}é");
    }

    #[test]
    fn nothing_is_markup() {
        assert_eq!(xml(HOSTILE), "a|b`c\\d&lt;e&gt;&amp;&quot;&#39;\\n\\u{202e}\\u{ffff}*_[x](y)");
        assert_eq!(
            markdown("a|b`<i>&\n*_[x](y) http://z"),
            "a&#124;b\\`&lt;i&gt;&amp;\\\\n\\*\\_\\[x\\](y) http&#58;//z"
        );
        assert_eq!(mermaid("a\"]<b>#`"), "a#34;#93;#60;b#62;#35;#96;");
    }

    #[test]
    fn code_is_read_back_as_it_is() {
        assert_eq!(markdown_code("/home/@x y"), "`/home/@x y`");
        assert_eq!(markdown_code("a`|\\"), "<code>a&#96;&#124;&#92;</code>");
        assert_eq!(markdown_code(" "), "<code>&#32;</code>");
    }
}
