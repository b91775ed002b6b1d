//! What has to be done so that a host is as its strategy says: subvolumes made, attributes set, files put in place, units
//! switched on. The same host gives no steps the second time. Nothing in it deletes or moves data. Pure.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;
use subvault_model::file_path::FilePath;

/// What is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The subvolumes, those that others lie in first.
    pub subvolumes: Vec<WantedSubvolume>,
    /// The files.
    pub files: Vec<WantedFile>,
    /// The units that are to be switched on.
    pub units: Vec<String>,
}

/// A subvolume that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedSubvolume {
    /// Where, from the root of the system.
    pub path: FilePath,
    /// Whether its files are to be overwritten in place.
    pub is_nocow: bool,
    /// How its files are to be compressed whatever the filesystem says, in the words of `btrfs property`.
    pub compression: Option<&'static str>,
    /// Why.
    pub because: String,
}

/// A file that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedFile {
    /// Its path below the root of the system.
    pub path: PathBuf,
    /// What is in it.
    pub text: String,
}

/// What is at the place of a subvolume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum There {
    /// Nothing, and what it would lie in is a directory of a Btrfs.
    Nothing,
    /// Nothing, and it cannot be made there.
    NoPlace,
    /// A subvolume.
    Subvolume(Attributes),
    /// A directory that is no subvolume, or something else.
    Other,
}

/// The attributes of a subvolume's top directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes {
    /// Whether nothing is in it.
    pub is_empty: bool,
    /// Whether its files are overwritten in place.
    pub is_nocow: bool,
    /// Whether it has the compression that is wanted.
    pub is_compressed_so: bool,
}

/// What is at the place of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileThere {
    /// Nothing.
    Nothing,
    /// What is wanted.
    Same,
    /// Another one that we wrote.
    Ours,
    /// One that somebody else wrote.
    Theirs,
}

/// What there is, in the order of what is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// At the places of subvolumes.
    pub subvolumes: Vec<There>,
    /// At the places of files.
    pub files: Vec<FileThere>,
    /// Whether each unit is switched on.
    pub units: Vec<bool>,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum ApplyStep {
    /// Make a subvolume where nothing is.
    CreateSubvolume {
        /// Where.
        path: FilePath,
        /// Why.
        because: String,
    },
    /// Have new files in it overwritten in place; it is empty.
    SetNoCow {
        /// The subvolume.
        path: FilePath,
        /// Why.
        because: String,
    },
    /// Have new files in it compressed so.
    SetCompression {
        /// The subvolume.
        path: FilePath,
        /// How.
        word: &'static str,
        /// Why.
        because: String,
    },
    /// Put a file in place, whole or not at all.
    WriteFile {
        /// Where.
        path: PathBuf,
        /// What is in it.
        #[serde(skip)]
        text: String,
        /// Whether one of ours is there that it takes the place of.
        replaces: bool,
    },
    /// Have systemd read its units again, and udev its rules.
    Reload,
    /// Switch a unit on.
    EnableUnit {
        /// Which.
        unit: String,
    },
}

/// What is to be done, and what cannot be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ApplyPlan {
    /// What is to be done, in this order.
    pub steps: Vec<ApplyStep>,
    /// What is not as it is wanted and is left, with the reason.
    pub left: Vec<String>,
}

/// Decides what is to be done.
#[must_use]
pub fn plan(wanted: &Wanted, observed: &Observed) -> ApplyPlan {
    let mut plan = ApplyPlan::default();
    for (subvolume, there) in wanted.subvolumes.iter().zip(&observed.subvolumes) {
        plan.subvolume(subvolume, *there);
    }
    let before = plan.steps.len();
    for (file, there) in wanted.files.iter().zip(&observed.files) {
        plan.file(file, *there);
    }
    if plan.steps.len() > before {
        plan.steps.push(ApplyStep::Reload);
    }
    for (unit, is_on) in wanted.units.iter().zip(&observed.units) {
        if !is_on {
            plan.steps.push(ApplyStep::EnableUnit { unit: unit.clone() });
        }
    }
    plan
}

impl ApplyPlan {
    fn subvolume(&mut self, wanted: &WantedSubvolume, there: There) {
        let path = &wanted.path;
        let attributes = match there {
            There::Nothing => {
                let because = wanted.because.clone();
                self.steps.push(ApplyStep::CreateSubvolume { path: path.clone(), because });
                Attributes { is_empty: true, is_nocow: false, is_compressed_so: false }
            }
            There::NoPlace => {
                self.left.push(format!("{}: what it would lie in is no directory of a Btrfs", shown(path)));
                return;
            }
            There::Other => {
                let what =
                    "is no subvolume; make one beside it, copy with `cp -a --reflink=always`, and exchange their names";
                self.left.push(format!("{} {what}", shown(path)));
                return;
            }
            There::Subvolume(attributes) => attributes,
        };
        self.attributes(wanted, attributes);
    }

    fn attributes(&mut self, wanted: &WantedSubvolume, there: Attributes) {
        let (path, because) = (wanted.path.clone(), wanted.because.clone());
        match (wanted.is_nocow && !there.is_nocow, there.is_empty) {
            (true, true) => self.steps.push(ApplyStep::SetNoCow { path: path.clone(), because: because.clone() }),
            (true, false) => self.left.push(format!(
                "{} has files, which stay copied on write; `chattr +C` holds for files that are made after it",
                shown(&path)
            )),
            (false, _) => {}
        }
        if let Some(word) = wanted.compression.filter(|_| !there.is_compressed_so) {
            self.steps.push(ApplyStep::SetCompression { path, word, because });
        }
    }

    fn file(&mut self, wanted: &WantedFile, there: FileThere) {
        let (path, text) = (wanted.path.clone(), wanted.text.clone());
        match there {
            FileThere::Same => {}
            FileThere::Theirs => {
                let path = path.display();
                self.left.push(format!("/{path} was not written by subvault, or was changed: it is left alone"));
            }
            FileThere::Nothing => self.steps.push(ApplyStep::WriteFile { path, text, replaces: false }),
            FileThere::Ours => self.steps.push(ApplyStep::WriteFile { path, text, replaces: true }),
        }
    }
}

/// A path from the root of the system on.
fn shown(path: &FilePath) -> String {
    if path.as_bytes().is_empty() { "/".to_owned() } else { format!("/{path}") }
}

impl fmt::Display for ApplyStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateSubvolume { path, because } => write!(f, "make the subvolume {}: {because}", shown(path)),
            Self::SetNoCow { path, because } => {
                write!(f, "have {} overwritten in place (chattr +C): {because}", shown(path))
            }
            Self::SetCompression { path, word, because } => {
                write!(f, "have {} compressed with {word}: {because}", shown(path))
            }
            Self::WriteFile { path, replaces: false, .. } => write!(f, "write /{}", path.display()),
            Self::WriteFile { path, replaces: true, .. } => write!(f, "write /{} anew", path.display()),
            Self::Reload => f.write_str("have systemd and udev read their files again"),
            Self::EnableUnit { unit } => write!(f, "switch {unit} on"),
        }
    }
}
