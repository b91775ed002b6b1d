//! Failures of a job, with the kind that decides the exit code and the hint that says what to do next.

use std::path::PathBuf;

use subvault_archive::error::ArchiveError;
use subvault_host::HostError;
use subvault_model::error::Kind;
use subvault_model::names::StreamName;
use subvault_plan::restore::NoRestore;
use subvault_store::{StoreError, StoreErrorKind};

/// A failure of a job.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// This machine.
    #[error(transparent)]
    Host(#[from] HostError),
    /// Streams in a store.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing to restore.
    #[error(transparent)]
    NoRestore(#[from] NoRestore),
    /// Receiving failed.
    #[error("cannot receive {stream}")]
    Receive {
        /// Which stream.
        stream: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Snapshots could not be compared.
    #[error("cannot compare {what}")]
    Compare {
        /// What.
        what: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file or directory of our own.
    #[error("cannot {what} {path}")]
    File {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It could be done and should not.
    #[error("{what}")]
    Refused {
        /// What is refused, and why.
        what: String,
        /// What to do instead.
        hint: String,
    },
    /// A store has lost what was published there.
    #[error("{stream} was published there, and its manifest is gone")]
    Lost {
        /// The stream.
        stream: StreamName,
    },
    /// A target cannot be used as things are set up.
    #[error("{what}")]
    Unusable {
        /// Why.
        what: String,
        /// What to do.
        hint: Option<String>,
    },
    /// What came back is not what was archived.
    #[error("{what} differs from what was archived")]
    ContentDiffers {
        /// What was compared.
        what: String,
    },
    /// A disk is not here. That is how disks are.
    #[error("{what}")]
    Away {
        /// What is not here, and how that is known.
        what: String,
        /// What to do.
        hint: String,
    },
    /// What arrived is not what was announced.
    #[error("{what}")]
    Unfaithful {
        /// What differs.
        what: String,
    },
    /// Somebody else is at work there.
    #[error("the copies are in use")]
    InUse {
        /// Who.
        #[source]
        source: Box<subvault_host::lock::LockError>,
    },
    /// Another machine could not do what it was asked for.
    #[error("{peer}: {what}")]
    Remote {
        /// Which machine.
        peer: String,
        /// What it says.
        what: String,
        /// What kind of trouble it is.
        kind: Kind,
        /// What it says is to be done.
        hint: Option<String>,
    },
    /// The line to another machine is broken, or was never there.
    #[error("no connection to {peer}: {what}")]
    Connection {
        /// Which machine.
        peer: String,
        /// What is known.
        what: String,
    },
    /// What was seen when the run was planned has changed since.
    #[error("{0} has changed since the run was planned")]
    Stale(String),
    /// A promise inside the program was broken.
    #[error("internal error: {0}")]
    Bug(String),
}

impl JobError {
    /// A failure on a file of our own.
    pub(crate) fn file(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { what, path, source }
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Host(e) => e.model_kind(),
            Self::Store(e) | Self::Archive(ArchiveError::Store(e)) => store_kind(e.kind()),
            Self::Archive(e) => archive_kind(e),
            Self::NoRestore(NoRestore::ChainBroken { .. })
            | Self::ContentDiffers { .. }
            | Self::Lost { .. }
            | Self::Unfaithful { .. } => Kind::Damaged,
            Self::NoRestore(_)
            | Self::Receive { .. }
            | Self::File { .. }
            | Self::Stale(_)
            | Self::Compare { .. }
            | Self::Away { .. }
            | Self::Connection { .. } => Kind::Unavailable,
            Self::InUse { .. } => Kind::Busy,
            Self::Remote { kind, .. } => *kind,
            Self::Refused { .. } => Kind::Refused,
            Self::Unusable { .. } => Kind::Config,
            Self::Bug(_) => Kind::Bug,
        }
    }

    /// What to do next, where there is something to say.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Store(e) | Self::Archive(ArchiveError::Store(e)) => Some(e.hint().to_owned()),
            Self::Archive(e) => archive_hint(e),
            Self::Refused { hint, .. } | Self::Away { hint, .. } => Some(hint.clone()),
            Self::Unusable { hint, .. } => hint.clone(),
            Self::Lost { .. } => {
                Some("look for who or what removes objects there; the chain goes on from the stream before".to_owned())
            }
            Self::NoRestore(NoRestore::NothingArchived(_)) => Some("`subvault list` shows what is archived".to_owned()),
            Self::NoRestore(NoRestore::NothingThatOld { .. }) => Some("`subvault list` shows the dates".to_owned()),
            Self::NoRestore(NoRestore::ChainBroken { .. }) => {
                Some("`subvault verify` shows what is missing; an earlier date may be whole".to_owned())
            }
            Self::ContentDiffers { .. } => {
                Some("the copy was not put in place; run `subvault verify --all`".to_owned())
            }
            Self::Stale(_) => Some("run it again: the next run plans anew".to_owned()),
            Self::Bug(_) => Some("please report this".to_owned()),
            Self::InUse { .. } => Some("wait for it to end; a lock of a dead process is taken over".to_owned()),
            Self::Remote { hint, .. } => hint.clone(),
            Self::Connection { .. } => {
                Some("run it again when it can be reached; what was half sent is removed by itself".to_owned())
            }
            Self::Unfaithful { .. } => Some("run it again: what arrived was removed".to_owned()),
            Self::Host(_) | Self::Receive { .. } | Self::File { .. } | Self::Compare { .. } => None,
        }
    }
}

fn store_kind(kind: StoreErrorKind) -> Kind {
    match kind {
        StoreErrorKind::Short | StoreErrorKind::Unfaithful | StoreErrorKind::TooLarge => Kind::Damaged,
        StoreErrorKind::BadSettings | StoreErrorKind::BadCredentials | StoreErrorKind::Unsupported => Kind::Config,
        StoreErrorKind::AlreadyExists | StoreErrorKind::Changed | StoreErrorKind::Refused => Kind::Refused,
        _ => Kind::Unavailable,
    }
}

fn archive_kind(error: &ArchiveError) -> Kind {
    match error {
        ArchiveError::Store(e) => store_kind(e.kind()),
        ArchiveError::Stream(_) | ArchiveError::Damaged { .. } | ArchiveError::Zstd { .. } => Kind::Damaged,
        ArchiveError::Source(_) | ArchiveError::Diverged(_) | ArchiveError::Journal { .. } => Kind::Unavailable,
        ArchiveError::OtherHost(_) | ArchiveError::NewerFormat { .. } => Kind::Refused,
        ArchiveError::Key(_) | ArchiveError::NoIdentity(_) | ArchiveError::NoIdentityMatches(_) => Kind::Config,
        ArchiveError::Bug(_) => Kind::Bug,
    }
}

fn archive_hint(error: &ArchiveError) -> Option<String> {
    let hint = match error {
        ArchiveError::Damaged { key, .. } if key.ends_with("/host.json") => {
            "remove that object when the store is this machine's: the next run writes it again"
        }
        ArchiveError::Damaged { .. } | ArchiveError::Zstd { .. } => {
            "`subvault verify --all` shows what else is; an earlier date or another target may be whole"
        }
        ArchiveError::OtherHost(_) => "give this machine another `name` in [host], or remove host.json from the store",
        ArchiveError::NewerFormat { .. } => "install a newer subvault",
        ArchiveError::NoIdentity(_) => "give the private key with --identity FILE",
        ArchiveError::NoIdentityMatches(_) => "give the private key of one of the recipients with --identity FILE",
        ArchiveError::Bug(_) => "please report this",
        _ => return None,
    };
    Some(hint.to_owned())
}
