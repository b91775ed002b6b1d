//! Listing a directory store in the order of the keys' bytes, a page at a time.
//!
//! What is in memory is one page and the names in the directories on the way down. Files that vanish meanwhile are
//! left out; what is no regular file, or has a name that is no key, is not ours.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::backend::{Outcome, Page};
use crate::error::{Failure, StoreErrorKind};
use crate::key::{Key, PRIVATE_DIRECTORY};
use crate::object::ObjectInfo;

const PAGE: usize = 1000;

/// The pages of a listing.
pub(super) struct Pages {
    root: PathBuf,
    prefix: String,
    /// What is still to be visited in each directory on the way down, last name first; `None` before the first page.
    stack: Option<Vec<Vec<String>>>,
}

impl Pages {
    pub(super) fn new(root: &Path, prefix: &str) -> Self {
        Self { root: root.to_owned(), prefix: prefix.to_owned(), stack: None }
    }

    /// Visits the next name; an object if it is one.
    fn step(&self, stack: &mut Vec<Vec<String>>) -> Outcome<Option<ObjectInfo>> {
        let Some(names) = stack.last_mut() else {
            return Ok(None);
        };
        let Some(name) = names.pop() else {
            stack.pop();
            return Ok(None);
        };
        if let Some(directory) = name.strip_suffix('/') {
            stack.push(self.read(directory)?);
            return Ok(None);
        }
        let Ok(key) = Key::new(name) else {
            return Ok(None);
        };
        match fs::symlink_metadata(self.root.join(key.as_str())) {
            Ok(found) if found.is_file() => Ok(Some(super::info_of(key, &found))),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The wanted names in a directory, from the root, directories with a `/` behind; in descending order, so that the
    /// last is the next. The `/` puts `a/x` behind `a-b`, as the bytes of the keys do.
    fn read(&self, directory: &str) -> Outcome<Vec<String>> {
        let entries = match fs::read_dir(self.root.join(directory)) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return if self.root.is_dir() {
                    Ok(Vec::new())
                } else {
                    Err(Failure::new(StoreErrorKind::NoStore).because(error))
                };
            }
            other => other?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            let file_name = entry.file_name();
            let Some(name) = file_name.to_str().filter(|name| !(directory.is_empty() && *name == PRIVATE_DIRECTORY))
            else {
                continue;
            };
            let slash = if entry.file_type()?.is_dir() { "/" } else { "" };
            let above = if directory.is_empty() { "" } else { "/" };
            let path = format!("{directory}{above}{name}{slash}");
            if self.wanted(&path) {
                names.push(path);
            }
        }
        names.sort_unstable_by(|a, b| b.cmp(a));
        Ok(names)
    }

    /// Whether a file has the prefix, or something in a directory may.
    fn wanted(&self, path: &str) -> bool {
        path.starts_with(&self.prefix) || (path.ends_with('/') && self.prefix.starts_with(path))
    }

    fn page(&mut self) -> Outcome<Page> {
        let mut stack = match self.stack.take() {
            Some(stack) => stack,
            // What lies above the prefix need not be read.
            None => vec![self.read(self.prefix.rsplit_once('/').map_or("", |(directory, _)| directory))?],
        };
        let mut objects = Vec::new();
        while !stack.is_empty() && objects.len() < PAGE {
            objects.extend(self.step(&mut stack)?);
        }
        let last = stack.is_empty();
        self.stack = Some(stack);
        Ok(Page { objects, last })
    }
}

impl Iterator for Pages {
    type Item = Outcome<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.page())
    }
}
