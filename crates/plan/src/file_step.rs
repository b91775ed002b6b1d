//! What is done to files of a subvolume, one thing at a time.
//!
//! Paths are below the top of what is worked in. A step that changes or removes something says what that was when the
//! plan was made: it is compared again right before.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use subvault_model::file::{FileKind, FileState, as_shown, shown};
use subvault_model::names::SnapshotName;

use crate::bring_back::TreeSize;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum FileStep {
    /// Take a snapshot first, so that this can be undone. Without it nothing else is done.
    KeepState {
        /// What it will be called.
        name: SnapshotName,
    },
    /// Remove what a killed copy left.
    RemoveLeftover {
        /// Its path.
        #[serde(serialize_with = "as_shown")]
        path: PathBuf,
    },
    /// Give something its former name back, where nothing is.
    Rename {
        /// Its present path.
        #[serde(serialize_with = "as_shown")]
        from: PathBuf,
        /// Its former path.
        #[serde(serialize_with = "as_shown")]
        to: PathBuf,
        /// What it is.
        there: FileState,
    },
    /// Give something its former name back, and what has that name the present one for now.
    Exchange {
        /// Its present path.
        #[serde(serialize_with = "as_shown")]
        from: PathBuf,
        /// Its former path.
        #[serde(serialize_with = "as_shown")]
        to: PathBuf,
        /// What it is.
        there: FileState,
    },
    /// Remove something; of a directory, only an empty one.
    Remove {
        /// Its path.
        #[serde(serialize_with = "as_shown")]
        path: PathBuf,
        /// What is there.
        there: FileState,
    },
    /// Make a directory as it was, without what was in it.
    MakeDirectory {
        /// Its path in the snapshot.
        #[serde(serialize_with = "as_shown")]
        from: PathBuf,
        /// Its path.
        #[serde(serialize_with = "as_shown")]
        to: PathBuf,
    },
    /// Copy something to where nothing is, with everything in it.
    Create {
        /// Its path in the snapshot.
        #[serde(serialize_with = "as_shown")]
        from: PathBuf,
        /// Its path.
        #[serde(serialize_with = "as_shown")]
        to: PathBuf,
        /// What it is.
        kind: FileKind,
        /// How much it is.
        size: TreeSize,
    },
    /// Copy something in the place of what is there.
    Replace {
        /// Its path in the snapshot.
        #[serde(serialize_with = "as_shown")]
        from: PathBuf,
        /// Its path.
        #[serde(serialize_with = "as_shown")]
        to: PathBuf,
        /// What it is.
        kind: FileKind,
        /// How much it is.
        size: TreeSize,
        /// What is there.
        there: FileState,
    },
    /// Give a file its content back in its place, because it has other names as well.
    Rewrite {
        /// Its path in the snapshot.
        #[serde(serialize_with = "as_shown")]
        from: PathBuf,
        /// Its path.
        #[serde(serialize_with = "as_shown")]
        to: PathBuf,
        /// How much it is.
        size: TreeSize,
        /// What is there.
        there: FileState,
    },
    /// Set owner, permissions, attributes and times back.
    SetAttributes {
        /// Its path in the snapshot.
        #[serde(serialize_with = "as_shown")]
        from: PathBuf,
        /// Its path.
        #[serde(serialize_with = "as_shown")]
        to: PathBuf,
        /// What is there.
        there: FileState,
    },
}

impl FileStep {
    /// What it is about; empty for the snapshot.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::KeepState { .. } => Path::new(""),
            Self::RemoveLeftover { path } | Self::Remove { path, .. } => path,
            Self::MakeDirectory { to, .. }
            | Self::Rename { to, .. }
            | Self::Exchange { to, .. }
            | Self::Create { to, .. }
            | Self::Replace { to, .. }
            | Self::Rewrite { to, .. }
            | Self::SetAttributes { to, .. } => to,
        }
    }

    /// Whether it changes or removes something that is there.
    #[must_use]
    pub fn changes_what_is_there(&self) -> bool {
        !matches!(
            self,
            Self::KeepState { .. } | Self::RemoveLeftover { .. } | Self::MakeDirectory { .. } | Self::Create { .. }
        )
    }
}

impl fmt::Display for FileStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amount = |kind: &FileKind, size: &TreeSize| match kind {
            FileKind::File => size.bytes.to_string(),
            FileKind::Directory => format!("directory, {} entries, {}", size.entries, size.bytes),
            other => other.to_string(),
        };
        match self {
            Self::KeepState { name } => write!(f, "snapshot   {name}, which keeps the present state"),
            Self::RemoveLeftover { path } => write!(f, "remove     {}, which a killed copy left", shown(path)),
            Self::Rename { from, to, .. } => write!(f, "rename     {} → {}", shown(from), shown(to)),
            Self::Exchange { from, to, .. } => write!(f, "exchange   {} ↔ {}", shown(from), shown(to)),
            Self::Remove { path, there } => write!(f, "remove     {} ({})", shown(path), there.kind),
            Self::Rewrite { to, size, .. } => {
                write!(f, "rewrite    {} ({}), which has other names", shown(to), size.bytes)
            }
            Self::MakeDirectory { to, .. } => write!(f, "create     {} (directory)", shown(to)),
            Self::Create { to, kind, size, .. } => write!(f, "create     {} ({})", shown(to), amount(kind, size)),
            Self::Replace { to, kind, size, .. } => write!(f, "replace    {} ({})", shown(to), amount(kind, size)),
            Self::SetAttributes { to, .. } => write!(f, "set        owner, permissions and times of {}", shown(to)),
        }
    }
}
