//! Takes changes back: what was made goes, what is gone comes back, what has another name gets its former one.
//!
//! Only what still is what the changes left is touched; what was changed again is a conflict, told and left out. The order
//! is what makes it work: files that were made go first, then directories and names come back from the top down, then
//! what was made in between goes from the bottom up, then content, and attributes of directories last. Paths in steps are
//! as of the moment at which the step is done.

use std::path::{Path, PathBuf};

use serde::Serialize;
use subvault_model::file::{FileKind, FileState, as_shown};
use subvault_model::names::SnapshotName;

use crate::bring_back::TreeSize;
use crate::file_step::FileStep;

/// Something at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Where.
    pub path: PathBuf,
    /// What.
    pub state: FileState,
}

/// A change, as it was found between two states, and what has become of it since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What was there before; `None` for what was made.
    pub before: Option<Seen>,
    /// How much that was.
    pub size: TreeSize,
    /// What was there after it; `None` for what is gone.
    pub after: Option<Seen>,
    /// Whether the content differs.
    pub content: bool,
    /// Whether owner, permissions, times or attributes differ.
    pub attributes: bool,
    /// What is there now.
    pub now: Now,
    /// Whether it is to be taken back; else it only matters to others.
    pub wanted: bool,
}

/// What is there now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Now {
    /// What the change left; and where, should a directory on the way have another name by now.
    AsAfter(PathBuf),
    /// What there was before the change.
    AsBefore,
    /// What there was before but for owner, permissions, times or attributes.
    Almost(FileState),
    /// Something else, or nothing.
    Otherwise(Option<FileState>),
}

/// Something that was changed again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangedAgain {
    /// Where.
    #[serde(serialize_with = "as_shown")]
    pub path: PathBuf,
    /// What is there now.
    pub now: Option<FileState>,
}

/// What will be done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Undo {
    /// The steps in order.
    pub steps: Vec<FileStep>,
    /// What was changed again and is left alone.
    pub conflicts: Vec<ChangedAgain>,
    /// How many changes are taken back already.
    pub done: usize,
}

/// How a name begins that something has for a moment, before it gets its former one.
const ASIDE: &str = ".subvault-aside.";

/// Decides how changes are taken back. With `force` also those of what was changed again.
#[must_use]
pub fn plan(changes: &[Change], force: bool, keep: &SnapshotName) -> Undo {
    let mut undo = Undo::default();
    let mut todo = Vec::new();
    for change in changes.iter().filter(|change| change.wanted) {
        match settle(change, force) {
            Settled::ToDo(task) => todo.push(task),
            Settled::Done => undo.done += 1,
            Settled::Conflict(conflict) => undo.conflicts.push(conflict),
        }
    }
    let mut names = Names { changes, todo: &todo, moved: Vec::new(), in_place: Vec::new(), steps: Vec::new() };
    names.remove_files();
    names.bring_names_back();
    names.remove_directories();
    names.bring_content_back();
    names.set_directories();
    undo.steps = names.steps;
    if !undo.steps.is_empty() {
        undo.steps.insert(0, FileStep::KeepState { name: keep.clone() });
    }
    undo
}

/// What a change comes to.
enum Settled<'a> {
    ToDo(Task<'a>),
    Done,
    Conflict(ChangedAgain),
}

/// A change that is taken back.
struct Task<'a> {
    change: &'a Change,
    /// What the change left, as it is now, and where that was when it was looked at.
    there: Option<Seen>,
    /// Whether the content is to come back.
    content: bool,
    /// Whether attributes are to be set back.
    attributes: bool,
}

fn settle(change: &Change, force: bool) -> Settled<'_> {
    let after = change.after.as_ref();
    let path = after.or(change.before.as_ref()).map(|seen| seen.path.clone()).unwrap_or_default();
    let task = |there, content, attributes| Settled::ToDo(Task { change, there, content, attributes });
    match &change.now {
        Now::AsBefore => Settled::Done,
        Now::AsAfter(at) => {
            let there = after.map(|seen| Seen { path: at.clone(), state: seen.state });
            task(there, change.content, change.attributes)
        }
        Now::Almost(state) => {
            let path = change.before.as_ref().map_or(path, |seen| seen.path.clone());
            task(Some(Seen { path, state: *state }), false, true)
        }
        Now::Otherwise(Some(state)) if force => task(Some(Seen { path, state: *state }), true, change.attributes),
        Now::Otherwise(None) if force && change.before.is_some() => task(None, true, false),
        Now::Otherwise(None) if change.before.is_none() => Settled::Done,
        Now::Otherwise(now) => Settled::Conflict(ChangedAgain { path, now: *now }),
    }
}

impl Task<'_> {
    fn before(&self) -> Option<&Seen> {
        self.change.before.as_ref()
    }

    /// Whether it was made and has to go.
    fn goes(&self) -> Option<&Seen> {
        self.there.as_ref().filter(|_| self.change.before.is_none())
    }

    /// Whether it is gone and has to come back.
    fn comes(&self) -> Option<&Seen> {
        self.before().filter(|_| self.there.is_none())
    }

    /// Whether it is the same inode as before.
    fn stays(&self) -> Option<(&Seen, &Seen)> {
        let (before, there) = (self.before()?, self.there.as_ref()?);
        (before.state.inode == there.state.inode && before.state.kind == there.state.kind).then_some((before, there))
    }
}

fn is_directory(seen: &Seen) -> bool {
    matches!(seen.state.kind, FileKind::Directory | FileKind::Subvolume)
}

/// Follows names through the steps.
struct Names<'a> {
    changes: &'a [Change],
    todo: &'a [Task<'a>],
    /// Names that were given back, and whether what was there got the other one.
    moved: Vec<(PathBuf, PathBuf, bool)>,
    /// Directories that were made where one was that is gone: they stay in its place.
    in_place: Vec<InPlace<'a>>,
    steps: Vec<FileStep>,
}

/// A directory that takes the place of one that is gone.
struct InPlace<'a> {
    gone: &'a Seen,
    made: &'a Seen,
    /// Where both belong.
    at: PathBuf,
}

impl<'a> Names<'a> {
    /// Where something is by now that was at `path` before the first step.
    fn current(&self, path: &Path) -> PathBuf {
        let mut path = path.to_owned();
        for (from, to, both) in &self.moved {
            if let Ok(rest) = path.strip_prefix(from) {
                path = joined(to, rest);
            } else if let Some(rest) = path.strip_prefix(to).ok().filter(|_| *both) {
                path = joined(from, rest);
            }
        }
        path
    }

    /// Where something belongs that was at `path` before the changes: there, unless a directory on the way keeps the name
    /// that it has now.
    fn goal(&self, path: &Path) -> PathBuf {
        let kept = self.changes.iter().filter(|change| !change.wanted).filter_map(|change| {
            let (before, after) = (change.before.as_ref()?, change.after.as_ref()?);
            let rest = path.strip_prefix(&before.path).ok()?;
            let is_above = !rest.as_os_str().is_empty() && before.path != after.path && is_directory(before);
            is_above.then(|| (before.path.components().count(), joined(&after.path, rest)))
        });
        kept.max_by_key(|(depth, _)| *depth).map_or_else(|| path.to_owned(), |(_, path)| self.current(&path))
    }

    /// Files that were made, at the paths that they have.
    fn remove_files(&mut self) {
        let made = self.todo.iter().filter_map(Task::goes).filter(|seen| !is_directory(seen));
        self.steps.extend(made.map(|seen| FileStep::Remove { path: seen.path.clone(), there: seen.state }));
    }

    /// Directories that are gone and hold something that has another name now, and former names, from the top down.
    fn bring_names_back(&mut self) {
        let todo: &'a [Task<'a>] = self.todo;
        let stay = todo.iter().filter_map(Task::stays).map(|(before, there)| (before, Some(there)));
        let come = todo.iter().filter_map(Task::comes).filter(|seen| is_directory(seen));
        let shells = come.filter(|seen| self.is_shell(&seen.path)).chain(self.missing_above());
        let mut tasks: Vec<(&'a Seen, Option<&Seen>)> = stay.chain(shells.map(|seen| (seen, None))).collect();
        tasks.sort_by(|one, other| one.0.path.cmp(&other.0.path));
        for (before, there) in tasks {
            if let Some(there) = there {
                self.give_name_back(before, there);
            } else {
                self.make_shell(before);
            }
        }
    }

    /// A directory that is gone comes back, or one that was made in its place stays there.
    fn make_shell(&mut self, gone: &'a Seen) {
        let todo: &'a [Task<'a>] = self.todo;
        let to = self.goal(&gone.path);
        let plain = |seen: &&Seen| seen.state.kind == FileKind::Directory && self.current(&seen.path) == to;
        match todo.iter().filter_map(Task::goes).find(plain) {
            Some(made) if gone.state.kind == FileKind::Directory => self.in_place.push(InPlace { gone, made, at: to }),
            _ => {
                // What has its name by now belongs somewhere else, perhaps in this very directory.
                let in_the_way = |(_, there): &(&Seen, &Seen)| self.current(&there.path) == to;
                if let Some((_, there)) = todo.iter().filter_map(Task::stays).find(in_the_way) {
                    self.put_aside(to.clone(), &to, there.state);
                }
                self.steps.push(FileStep::MakeDirectory { from: gone.path.clone(), to });
            }
        }
    }

    /// Directories that are gone and were not asked for, but something in them was.
    fn missing_above(&self) -> Vec<&'a Seen> {
        let (changes, todo) = (self.changes, self.todo);
        let gone = changes
            .iter()
            .filter(|change| !change.wanted && change.after.is_none() && matches!(change.now, Now::AsAfter(_)));
        let above = gone.filter_map(|change| change.before.as_ref()).filter(|above| {
            let is_in_it = |seen: &Seen| seen.path != above.path && seen.path.starts_with(&above.path);
            is_directory(above) && todo.iter().filter_map(Task::before).any(is_in_it)
        });
        above.collect()
    }

    fn give_name_back(&mut self, before: &Seen, there: &Seen) {
        let (mut from, to) = (self.current(&there.path), self.goal(&before.path));
        // Only the name of a directory above it differs.
        if from == to {
            return;
        }
        // What has its name now is what it lies in: first it comes out of there.
        if from.starts_with(&to) {
            from = self.put_aside(from, &to, there.state);
        }
        let is_taken = self.todo.iter().any(|task| {
            let other = task.there.as_ref().filter(|other| other.path != there.path);
            let stays_until_later = |seen: &Seen| task.before().is_some() || is_directory(seen);
            other.is_some_and(|other| stays_until_later(other) && self.current(&other.path) == to)
        });
        let there = there.state;
        self.moved.push((from.clone(), to.clone(), is_taken));
        self.steps.push(match is_taken {
            true => FileStep::Exchange { from, to, there },
            false => FileStep::Rename { from, to, there },
        });
    }

    /// Gives something a name beside `place` until it gets its own; where it is then.
    fn put_aside(&mut self, from: PathBuf, place: &Path, there: FileState) -> PathBuf {
        let aside = place.with_file_name(format!("{ASIDE}{}", there.inode));
        self.moved.push((from.clone(), aside.clone(), false));
        self.steps.push(FileStep::Rename { from, to: aside.clone(), there });
        aside
    }

    /// Whether a directory that is gone held something that still exists under another name, or is not wanted back as a
    /// whole: then it comes back empty, and what is wanted of it by itself.
    fn is_shell(&self, path: &Path) -> bool {
        self.changes.iter().any(|change| {
            let inside =
                change.before.as_ref().is_some_and(|before| before.path != path && before.path.starts_with(path));
            inside && (change.after.is_some() || !change.wanted || !matches!(change.now, Now::AsAfter(_)))
        })
    }

    /// Directories that were made, those inside first.
    fn remove_directories(&mut self) {
        let stays = |seen: &Seen| self.in_place.iter().any(|other| other.made.path == seen.path);
        let made = self.todo.iter().filter_map(Task::goes).filter(|seen| is_directory(seen) && !stays(seen));
        let mut made: Vec<(PathBuf, FileState)> = made.map(|seen| (self.current(&seen.path), seen.state)).collect();
        made.sort_by(|one, other| other.0.cmp(&one.0));
        self.steps.extend(made.into_iter().map(|(path, there)| FileStep::Remove { path, there }));
    }

    /// What is gone, and content.
    fn bring_content_back(&mut self) {
        let mut tasks: Vec<&Task<'_>> = self.todo.iter().filter(|task| task.before().is_some()).collect();
        tasks.sort_by_key(|task| task.before().map(|before| before.path.clone()));
        let mut whole: Vec<&Path> = Vec::new();
        let mut steps = Vec::new();
        for task in tasks {
            let Some(before) = task.before() else { continue };
            let (from, to, size) = (before.path.clone(), self.goal(&before.path), task.change.size);
            if task.comes().is_some() {
                let is_inside = whole.iter().any(|above| before.path.starts_with(above));
                let is_made = is_directory(before) && self.is_shell(&before.path);
                if !is_inside && !is_made {
                    steps.push(FileStep::Create { from, to, kind: before.state.kind, size });
                    if is_directory(before) {
                        whole.push(&before.path);
                    }
                }
            } else if let Some((before, there)) = task.stays().filter(|(before, _)| !is_directory(before)) {
                let there = there.state;
                let is_file = before.state.kind == FileKind::File;
                match (task.content, task.attributes) {
                    (true, _) if is_file && there.links.max(before.state.links) > 1 => {
                        steps.push(FileStep::Rewrite { from, to, size, there });
                    }
                    (true, _) => steps.push(FileStep::Replace { from, to, kind: before.state.kind, size, there }),
                    (false, true) => steps.push(FileStep::SetAttributes { from, to, there }),
                    (false, false) => {}
                }
            } else if let Some(there) = task.there.as_ref().filter(|_| task.stays().is_none()) {
                let there = there.state;
                steps.push(FileStep::Replace { from, to, kind: before.state.kind, size, there });
            }
        }
        self.steps.extend(steps);
    }

    /// Owner, permissions and attributes of directories, those inside first.
    fn set_directories(&mut self) {
        let set = self.todo.iter().filter(|task| task.attributes).filter_map(Task::stays);
        let mut set: Vec<FileStep> = set
            .filter(|(before, _)| is_directory(before))
            .map(|(before, there)| {
                let (from, to) = (before.path.clone(), self.goal(&before.path));
                FileStep::SetAttributes { from, to, there: there.state }
            })
            .collect();
        set.extend(self.in_place.iter().map(|InPlace { gone, made, at }| FileStep::SetAttributes {
            from: gone.path.clone(),
            to: at.clone(),
            there: made.state,
        }));
        set.sort_by(|one, other| other.path().cmp(one.path()));
        self.steps.extend(set);
    }
}

fn joined(path: &Path, rest: &Path) -> PathBuf {
    if rest.as_os_str().is_empty() { path.to_owned() } else { path.join(rest) }
}
