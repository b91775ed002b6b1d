//! Files and functions stay short: beauty is lost in the tail.
//!
//! A ratchet: what was longer when the rule came is named here with its length, which may only shrink.

use crate::findings::Findings;
use crate::lexer::functions;
use crate::tree::TREE;

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

const FILE_WHY: &str = "a file is one concept; the second one gets a file of its own when it appears";
const FUNCTION_WHY: &str = "what does not fit on a screen is read in pieces and understood in none";

/// Files that may be longer, and how long they are.
const LONG_FILES: &[(&str, usize)] = &[];
/// Functions that may be longer: file, name, lines with code in the body.
const LONG_FUNCTIONS: &[(&str, &str, usize)] = &[];

/// What is said of a length against its limit and its exception.
fn judge(lines: usize, limit: usize, exception: Option<usize>) -> Option<String> {
    match exception {
        None if lines > limit => Some(format!("{lines} lines, and {limit} is the limit")),
        Some(was) if lines > was => Some(format!("{lines} lines; it had {was}, and may only shrink")),
        Some(was) if lines < was => Some(format!("{lines} lines: lower its exception from {was}, or take it out")),
        _ => None,
    }
}

#[test]
fn files_are_short() {
    let mut findings = Findings::default();
    for source in &TREE.sources {
        let exception = LONG_FILES.iter().find(|(path, _)| *path == source.path).map(|(_, lines)| *lines);
        let lines = source.text.lines().count();
        if let Some(what) = judge(lines, FILE_LINES_MAX, exception) {
            findings.add(&source.path, lines, what, FILE_WHY);
        }
    }
    for (path, _) in LONG_FILES.iter().filter(|(path, _)| TREE.sources.iter().all(|source| source.path != *path)) {
        findings.add(path, 1, "an exception for a file that is not there", FILE_WHY);
    }
    findings.settle();
}

#[test]
fn functions_are_short() {
    let mut findings = Findings::default();
    let mut met = 0;
    for source in &TREE.sources {
        for function in functions(&source.code) {
            let named = |(path, name, _): &&(&str, &str, usize)| *path == source.path && *name == function.name;
            let exception = LONG_FUNCTIONS.iter().find(named).map(|(_, _, lines)| *lines);
            met += usize::from(exception.is_some());
            if let Some(what) = judge(function.lines, FUNCTION_LINES_MAX, exception) {
                findings.add(&source.path, function.line, format!("`{}` has {what}", function.name), FUNCTION_WHY);
            }
        }
    }
    assert!(met >= LONG_FUNCTIONS.len(), "an exception for a function that is not there");
    findings.settle();
}

#[test]
fn an_exception_only_shrinks() {
    assert!(judge(70, 70, None).is_none() && judge(71, 70, None).is_some());
    assert!(judge(90, 70, Some(90)).is_none() && judge(91, 70, Some(90)).is_some());
    assert!(judge(89, 70, Some(90)).is_some());
}
