//! What can go wrong in a store, by what the user does next.
//!
//! A backend returns a [`Failure`]: a kind, found by code and never by the wording of a message, with its cause. The
//! wrapper adds what was being done and makes a [`StoreError`] of it.

use std::error::Error;
use std::fmt;

/// What kind of thing went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoreErrorKind {
    /// Nothing is stored under the key.
    NotFound,
    /// Something is stored under the key already.
    AlreadyExists,
    /// Another version than the expected one is stored under the key, or none.
    Changed,
    /// The upload was completed, aborted, or never begun.
    NoSuchUpload,
    /// The object must be thawed first.
    Cold,
    /// The object is shorter than what was asked for, or the answer broke off.
    Short,
    /// The object is larger than the caller is ready to load.
    TooLarge,
    /// What is stored is not what was sent or asked for.
    Unfaithful,
    /// The directory or the bucket does not exist.
    NoStore,
    /// The disk or the quota is full.
    NoSpace,
    /// The file system is read-only.
    ReadOnly,
    /// These credentials or this user may not do that.
    Permission,
    /// The credentials are missing, wrong or expired.
    BadCredentials,
    /// This machine's clock is wrong.
    ClockSkew,
    /// No connection.
    Unreachable,
    /// A connection, but no trusted encryption.
    Tls,
    /// The store asked to slow down, and was asked often enough.
    Throttled,
    /// The store answered with an error of its own.
    Unavailable,
    /// The store cannot do that.
    Unsupported,
    /// The settings of the store cannot be right.
    BadSettings,
    /// The store did not accept the request.
    Refused,
    /// The caller broke a rule of this interface.
    Misuse,
    /// Reading or writing failed in another way.
    Io,
}

impl StoreErrorKind {
    fn sentence(self) -> &'static str {
        match self {
            Self::NotFound => "nothing is stored there",
            Self::AlreadyExists => "something is stored there already",
            Self::Changed => "somebody else has changed it",
            Self::NoSuchUpload => "the upload does not exist any more",
            Self::Cold => "it lies in cold storage and is not thawed",
            Self::Short => "less came back than was asked for",
            Self::TooLarge => "it is larger than it can be",
            Self::Unfaithful => "what is stored is not what was asked for",
            Self::NoStore => "the store does not exist",
            Self::NoSpace => "the store is full",
            Self::ReadOnly => "the file system is read-only",
            Self::Permission => "permission denied",
            Self::BadCredentials => "the credentials were not accepted",
            Self::ClockSkew => "the clock of this machine is wrong",
            Self::Unreachable => "the store cannot be reached",
            Self::Tls => "no trusted encrypted connection could be made",
            Self::Throttled => "the store asks to slow down",
            Self::Unavailable => "the store has a fault of its own",
            Self::Unsupported => "the store cannot do that",
            Self::BadSettings => "the settings of the store are not right",
            Self::Refused => "the store did not accept the request",
            Self::Misuse => "this is a mistake in the program",
            Self::Io => "reading or writing failed",
        }
    }

    fn hint(self) -> &'static str {
        match self {
            Self::NotFound => "check the name; if it was deleted by hand, run a verification",
            Self::AlreadyExists => {
                "another run or another host may write to the same place; give each host its own prefix"
            }
            Self::Changed => "run again; if it keeps happening, two hosts write to the same place",
            Self::NoSuchUpload => "run again: the object is uploaded anew",
            Self::Cold => "thaw it first; that takes up to 48 hours, depending on class and speed",
            Self::Short | Self::TooLarge | Self::Unfaithful => {
                "verify the store; if only this object is concerned, upload it anew"
            }
            Self::NoStore => "mount the disk, or create the directory or bucket, then run again",
            Self::NoSpace => "free or add space, or shorten the retention, then run again: nothing stored is lost",
            Self::ReadOnly => "a disk is mounted read-only after errors: look at the kernel log before remounting it",
            Self::Permission => {
                "check the owner and mode of the directory, or the policy of the key; without the right to list a bucket, \
                 missing objects are reported like this too"
            }
            Self::BadCredentials => {
                "check the access key, the secret and their expiry, and that they belong to this endpoint"
            }
            Self::ClockSkew => "set the clock, for example with `timedatectl set-ntp true`",
            Self::Unreachable => "check the network, the endpoint's name and proxies; the next run tries again",
            Self::Tls => {
                "check that the endpoint speaks https, its certificate, and this machine's certificates and clock"
            }
            Self::Throttled => "run with fewer parallel uploads, or later; the next run tries again",
            Self::Unavailable => "wait; the next run tries again",
            Self::Unsupported => "choose another setting or provider; docs/providers.md says who can do what",
            Self::BadSettings => "check provider, region, endpoint and bucket in the configuration",
            Self::Refused => "the cause below is the store's own answer; check bucket policy and settings",
            Self::Misuse => "please report it with this message",
            Self::Io => "check the disk and the kernel log",
        }
    }
}

/// What failed, on what, and why.
///
/// The text is one sentence; what the system or the provider said is the `source`.
#[derive(Debug)]
pub struct StoreError {
    doing: String,
    failure: Failure,
}

impl StoreError {
    pub(crate) fn new(doing: String, failure: Failure) -> Self {
        Self { doing, failure }
    }

    /// The kind of the failure.
    #[must_use]
    pub fn kind(&self) -> StoreErrorKind {
        self.failure.kind
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        self.failure.kind.hint()
    }

    /// Whether the same call may succeed later without anybody doing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        use StoreErrorKind::{Short, Throttled, Unavailable, Unreachable};
        matches!(self.failure.kind, Throttled | Unavailable | Unreachable | Short)
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.doing, self.failure.kind.sentence())?;
        match &self.failure.detail {
            Some(detail) => write!(f, " ({detail})"),
            None => Ok(()),
        }
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.failure.source.as_deref().map(|source| source as _)
    }
}

/// What a backend says when it cannot: the wrapper knows what was being done.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: StoreErrorKind,
    pub(crate) detail: Option<String>,
    pub(crate) source: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    pub(crate) fn new(kind: StoreErrorKind) -> Self {
        Self { kind, detail: None, source: None }
    }

    pub(crate) fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

impl From<StoreErrorKind> for Failure {
    fn from(kind: StoreErrorKind) -> Self {
        Self::new(kind)
    }
}

impl From<rustix::io::Errno> for Failure {
    fn from(errno: rustix::io::Errno) -> Self {
        std::io::Error::from(errno).into()
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind;
        let kind = match error.kind() {
            ErrorKind::NotFound => StoreErrorKind::NotFound,
            ErrorKind::AlreadyExists => StoreErrorKind::AlreadyExists,
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => StoreErrorKind::NoSpace,
            ErrorKind::ReadOnlyFilesystem => StoreErrorKind::ReadOnly,
            ErrorKind::PermissionDenied => StoreErrorKind::Permission,
            ErrorKind::UnexpectedEof => StoreErrorKind::Short,
            ErrorKind::Unsupported => StoreErrorKind::Unsupported,
            _ => StoreErrorKind::Io,
        };
        Self::new(kind).because(error)
    }
}
