//! The tree as it lies there: every file that is ours, as text.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use crate::lexer::{code_of, tests_in};

/// A text file.
pub(crate) struct File {
    /// Relative to the top.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A file of Rust.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
    /// With comments and texts blanked out.
    pub(crate) code: String,
    /// For each line, whether it is for tests only.
    pub(crate) test: Vec<bool>,
}

impl Source {
    /// The lines of code with their numbers (from 1), and whether they are for tests only.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str, bool)> {
        self.code.lines().enumerate().map(|(index, line)| (index + 1, line, self.test[index]))
    }

    /// The room it belongs to, if it is in one.
    pub(crate) fn room(&self) -> Option<&str> {
        self.path.strip_prefix("crates/")?.split('/').next()
    }
}

/// Everything.
pub(crate) struct Tree {
    pub(crate) files: Vec<File>,
    pub(crate) sources: Vec<Source>,
}

/// Folders that hold nothing of ours: what is built, what git keeps, what a fuzzer finds.
const FOREIGN: &[&str] = &["target", ".git", "fuzz/target", "fuzz/corpus", "fuzz/artifacts"];

/// The tree, read once.
pub(crate) static TREE: LazyLock<Tree> = LazyLock::new(|| {
    let mut paths = Vec::new();
    walk(&top(), Path::new(""), &mut paths);
    paths.sort();
    let read = |path: PathBuf| {
        // What is not text (an archive of samples, say) has no lines to judge.
        let text = String::from_utf8(fs::read(top().join(&path)).unwrap()).ok()?;
        Some(File { path: path.to_str().unwrap().to_owned(), text })
    };
    let files: Vec<File> = paths.into_iter().filter_map(read).collect();
    let sources = sources(&files);
    Tree { files, sources }
});

/// The top directory of the workspace.
pub(crate) fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A file that must be there.
pub(crate) fn file(path: &str) -> &'static File {
    let found = TREE.files.iter().find(|file| file.path == path);
    found.unwrap_or_else(|| panic!("{path} is missing"))
}

fn walk(top: &Path, below: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(top.join(below)).unwrap() {
        let entry = entry.unwrap();
        let path = below.join(entry.file_name());
        let kind = entry.file_type().unwrap();
        if FOREIGN.iter().any(|foreign| path == Path::new(foreign)) {
            continue;
        }
        if kind.is_dir() {
            walk(top, &path, found);
        } else if kind.is_file() {
            found.push(path);
        }
    }
}

fn sources(files: &[File]) -> Vec<Source> {
    let rust = files.iter().filter(|file| file.path.ends_with(".rs"));
    let read: Vec<(&File, String)> = rust.map(|file| (file, code_of(&file.text))).collect();
    let only_tests: BTreeSet<String> = read
        .iter()
        .flat_map(|(file, code)| tests_in(code).1.into_iter().map(|module| module_file(&file.path, &module)))
        .collect();
    read.into_iter()
        .map(|(file, code)| {
            let mut test = vec![only_tests.contains(&file.path) || is_test_file(&file.path); code.lines().count()];
            for block in tests_in(&code).0 {
                test[block.start() - 1..*block.end()].fill(true);
            }
            Source { path: file.path.clone(), text: file.text.clone(), code, test }
        })
        .collect()
}

/// Whether nothing in a file is handed to users.
pub(crate) fn is_test_file(path: &str) -> bool {
    let folders = ["/tests/", "/benches/", "/examples/"];
    folders.iter().any(|folder| path.contains(folder)) || !path.starts_with("crates/") || in_testkit(path)
}

fn in_testkit(path: &str) -> bool {
    path.starts_with("crates/testkit/")
}

/// The folder in which the modules of a file lie.
pub(crate) fn modules_folder(path: &str) -> String {
    let path = Path::new(path);
    let parent = path.parent().unwrap_or(Path::new(""));
    match path.file_stem().and_then(|stem| stem.to_str()) {
        Some("lib" | "main" | "mod") | None => parent.to_str().unwrap().to_owned(),
        Some(stem) => parent.join(stem).to_str().unwrap().to_owned(),
    }
}

fn module_file(path: &str, module: &str) -> String {
    format!("{}/{module}.rs", modules_folder(path))
}
