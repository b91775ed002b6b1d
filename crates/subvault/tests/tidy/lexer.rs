//! Just enough of Rust's grammar to tell code from comments and texts, tests from the product, and where functions end.
//!
//! Invariant: the code it gives has the lines of the source, so that line numbers are the same. It must never take a
//! word in a comment or in a text for code.

/// A function and where it is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) line: usize,
    /// Lines of its body with code on them.
    pub(crate) lines: usize,
}

/// A piece of source with everything but code blanked out. The quotes of texts stay.
pub(crate) fn code_of(source: &str) -> String {
    let mut out = source.as_bytes().to_vec();
    let mut at = 0;
    while at < out.len() {
        at = match end_of_other(source.as_bytes(), at) {
            Some((blank_from, blank_to, next)) => {
                out[blank_from..blank_to].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
                next
            }
            None => at + 1,
        };
    }
    String::from_utf8(out).unwrap_or_default()
}

/// When a comment or a literal begins at `at`: what of it is to be blanked, and where it ends.
fn end_of_other(bytes: &[u8], at: usize) -> Option<(usize, usize, usize)> {
    let rest = &bytes[at..];
    match rest {
        [b'/', b'/', ..] => {
            let end = at + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            Some((at, end, end))
        }
        [b'/', b'*', ..] => {
            let end = at + block_comment(rest);
            Some((at, end, end))
        }
        [b'"', ..] => {
            let end = at + 1 + text_length(&rest[1..], b'"');
            Some((at + 1, end, end + 1))
        }
        [b'r', ..] if at == 0 || !is_word(bytes[at - 1]) || is_prefix(bytes, at) => raw_text(bytes, at),
        [b'\'', ..] => character(bytes, at),
        _ => None,
    }
}

/// Whether the `r` at `at` follows the `b` or `c` of a raw byte or C text.
fn is_prefix(bytes: &[u8], at: usize) -> bool {
    matches!(bytes[at - 1], b'b' | b'c') && (at < 2 || !is_word(bytes[at - 2]))
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at + 1 < rest.len() {
        match &rest[at..at + 2] {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// How long a text is up to its closing quote.
fn text_length(rest: &[u8], quote: u8) -> usize {
    let mut at = 0;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    at.min(rest.len())
}

fn raw_text(bytes: &[u8], at: usize) -> Option<(usize, usize, usize)> {
    let hashes = bytes[at + 1..].iter().take_while(|byte| **byte == b'#').count();
    let begin = at + 1 + hashes;
    if bytes.get(begin) != Some(&b'"') {
        return None;
    }
    let mut closing = vec![b'"'];
    closing.resize(1 + hashes, b'#');
    let inner = bytes[begin + 1..].windows(closing.len()).position(|window| window == closing);
    let end = begin + 1 + inner.unwrap_or(bytes.len() - begin - 1);
    Some((begin + 1, end, (end + closing.len()).min(bytes.len())))
}

/// A character, if it is not a lifetime.
fn character(bytes: &[u8], at: usize) -> Option<(usize, usize, usize)> {
    let rest = &bytes[at + 1..];
    let length = match rest.first()? {
        b'\\' => text_length(rest, b'\''),
        _ => {
            let width = 1 + rest[1..].iter().take_while(|byte| **byte & 0xc0 == 0x80).count();
            (rest.get(width) == Some(&b'\'')).then_some(width)?
        }
    };
    Some((at + 1, at + 1 + length, at + 2 + length))
}

pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Where `word` stands in `line` by itself: no letter touches an end of it that is a letter.
pub(crate) fn find_word(line: &str, word: &str) -> Option<usize> {
    let bytes = line.as_bytes();
    line.match_indices(word).map(|(at, _)| at).find(|&at| {
        let end = at + word.len();
        let free_before = at == 0 || !is_word(bytes[at - 1]) || !is_word(bytes[at]);
        let free_after = end == bytes.len() || !is_word(bytes[end]) || !is_word(bytes[end - 1]);
        free_before && free_after
    })
}

/// The words of a line.
pub(crate) fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|word| !word.is_empty())
}

/// The end of the block that begins with the first `{` from `at` on; `None` when a `;` comes before it.
pub(crate) fn block_from(code: &[u8], at: usize) -> Option<(usize, usize)> {
    let (mut nested, mut open) = (0_i32, None);
    for (index, byte) in code.iter().enumerate().skip(at) {
        match byte {
            b'(' | b'[' => nested += 1,
            b')' | b']' => nested -= 1,
            b'{' if nested == 0 => {
                open = Some(index);
                break;
            }
            b';' if nested == 0 => return None,
            _ => {}
        }
    }
    let open = open?;
    let mut depth = 0_i32;
    for (index, byte) in code.iter().enumerate().skip(open) {
        depth += i32::from(*byte == b'{') - i32::from(*byte == b'}');
        if depth == 0 {
            return Some((open, index));
        }
    }
    Some((open, code.len() - 1))
}

/// On which line (from 1) a byte is.
pub(crate) fn line_of(code: &str, at: usize) -> usize {
    1 + code.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count()
}

/// All functions with a body.
pub(crate) fn functions(code: &str) -> Vec<Function> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = code[from..].find("fn ").map(|offset| from + offset) {
        from = at + 3;
        let is_free = at == 0 || !is_word(code.as_bytes()[at - 1]);
        let Some(name) = words(&code[from..]).next().filter(|_| is_free) else { continue };
        let Some((open, close)) = block_from(code.as_bytes(), from) else { continue };
        let body = code[open + 1..close].lines();
        let lines = body.filter(|line| !line.trim().is_empty()).count();
        found.push(Function { name: name.to_owned(), line: line_of(code, at), lines });
    }
    found
}

/// What `#[cfg(test)]` stands before: blocks as ranges of lines (from 1), and modules in files of their own.
pub(crate) fn tests_in(code: &str) -> (Vec<std::ops::RangeInclusive<usize>>, Vec<String>) {
    let (mut blocks, mut modules) = (Vec::new(), Vec::new());
    for (at, mark) in code.match_indices("#[cfg(test)]") {
        let after = at + mark.len();
        match block_from(code.as_bytes(), after) {
            Some((_, close)) => blocks.push(line_of(code, at)..=line_of(code, close)),
            None => modules.extend(words(&code[after..]).skip_while(|word| *word != "mod").nth(1).map(str::to_owned)),
        }
    }
    (blocks, modules)
}

#[test]
fn comments_and_texts_are_not_code() {
    let source = "a // b\n/* c /* d */ e */ f \"g \\\" h\" r#\"i\"j\"# 'k' '\\'' &'l m b\"n\" 'ä' o";
    let code = code_of(source);
    assert_eq!(words(&code).collect::<Vec<_>>(), ["a", "f", "r", "l", "m", "b", "o"]);
    assert_eq!(code.lines().count(), source.lines().count());
}

#[test]
fn a_word_stands_by_itself() {
    for (line, word, found) in [
        ("x unsafe {", "unsafe", true),
        ("unsafe_code", "unsafe", false),
        ("eprintln!(", "println!", false),
        ("std::process::Command::new(", "Command::new", true),
        ("MyCommand::new(", "Command::new", false),
        ("#[ignore]", "#[ignore", true),
    ] {
        assert_eq!(find_word(line, word).is_some(), found, "{line}");
    }
}

#[test]
fn functions_have_names_and_lengths() {
    let code =
        code_of("fn a() {}\nfn b(x: fn(u8) -> u8)\nwhere\n{\n    x;\n\n    // no\n    y;\n}\ntrait T { fn c(); }\n");
    let found: Vec<_> = functions(&code).into_iter().map(|f| (f.name, f.line, f.lines)).collect();
    assert_eq!(found, [("a".to_owned(), 1, 0), ("b".to_owned(), 2, 2)]);
}

#[test]
fn tests_are_told_from_the_product() {
    let code = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n#[cfg(test)]\nmod more;\n";
    assert_eq!(tests_in(code), (vec![2..=5], vec!["more".to_owned()]));
}
