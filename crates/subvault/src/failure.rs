//! Why a command ended without doing what it was asked for.

use subvault_host::HostError;
use subvault_host::lock::LockError;
use subvault_jobs::error::JobError;
use subvault_store::StoreError;

use crate::config::ConfigError;
use crate::exit::Exit;

/// Why a command ended.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// What was asked for on the command line.
    #[error("{what}")]
    Usage {
        /// What is wrong.
        what: String,
        /// What to say instead.
        hint: String,
    },
    /// A job.
    #[error(transparent)]
    Job(#[from] JobError),
    /// Another run.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The answer could not be written.
    #[error("cannot write {what}")]
    Write {
        /// What.
        what: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl Failure {
    /// A mistake on the command line.
    pub fn usage(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage { what: what.into(), hint: hint.into() }
    }

    /// How the program ends.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Config(_) | Self::Usage { .. } => Exit::Usage,
            Self::Job(error) => error.kind().into(),
            Self::Lock(LockError::Held { .. }) => Exit::Locked,
            Self::Lock(LockError::Host(_)) | Self::Write { .. } => Exit::NothingDone,
        }
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Config(error) => error.hint().map(str::to_owned),
            Self::Usage { hint, .. } => Some(hint.clone()),
            Self::Job(error) => error.hint(),
            Self::Lock(LockError::Held { .. }) => {
                Some("wait for it to end; a lock of a dead process is taken over".to_owned())
            }
            Self::Lock(LockError::Host(_)) | Self::Write { .. } => None,
        }
    }
}

impl From<HostError> for Failure {
    fn from(error: HostError) -> Self {
        Self::Job(error.into())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Job(error.into())
    }
}
