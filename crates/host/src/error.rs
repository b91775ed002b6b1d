//! What can go wrong on this machine, said in terms of what was tried on which path.
//!
//! Display names the act, the path and a hint; the system's own words are in `source` and not
//! repeated. Names are shown with what is not UTF-8 replaced, here and nowhere else.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use subvault_model::error::Kind;

/// The result of something done to this machine.
pub type Result<T> = std::result::Result<T, HostError>;

/// What kind of trouble it is, for code that can do something about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HostErrorKind {
    /// It does not exist, or no longer.
    NotFound,
    /// It is on another kind of file system.
    NotBtrfs,
    /// It is on Btrfs, but not the top of a subvolume.
    NotASubvolume,
    /// Something of that name is there already.
    Exists,
    /// No room, or a quota is used up.
    NoSpace,
    /// The file system or the subvolume is read-only.
    ReadOnly,
    /// The subvolume would have to be read-only and is not.
    NotReadOnly,
    /// Not allowed.
    Permission,
    /// In use.
    Busy,
    /// Subvolumes are inside.
    NotEmpty,
    /// On another pool than it would have to be.
    OtherPool,
    /// It is not what it was taken for; doing it would harm something else.
    Refused,
    /// This kernel or this pool cannot do it.
    Unsupported,
    /// It did not end in time.
    TimedOut,
    /// Ended before it was complete.
    Interrupted,
    /// Anything else; see the source.
    Other,
}

/// Something that could not be done on this machine.
#[derive(Debug)]
pub struct HostError {
    what: &'static str,
    path: PathBuf,
    kind: HostErrorKind,
    hint: Option<String>,
    source: Option<io::Error>,
}

impl HostError {
    /// `what` (as in "open the subvolume") could not be done on `path`.
    pub fn new(what: &'static str, path: impl Into<PathBuf>, source: impl Into<io::Error>) -> Self {
        let source = source.into();
        let kind = kind_of(&source);
        Self { what, path: path.into(), kind, hint: None, source: Some(source) }
    }

    /// `what` was not tried on `path`, or gave nonsense, for a reason of our own.
    pub fn because(what: &'static str, path: impl Into<PathBuf>, kind: HostErrorKind, hint: impl Into<String>) -> Self {
        Self { what, path: path.into(), kind, hint: Some(hint.into()), source: None }
    }

    /// The same trouble, known to be of this kind.
    #[must_use]
    pub fn of_kind(mut self, kind: HostErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// The same with words that help.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What kind of trouble it is.
    #[must_use]
    pub fn kind(&self) -> HostErrorKind {
        self.kind
    }

    /// What it was about.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the person who reads it does next.
    #[must_use]
    pub fn model_kind(&self) -> Kind {
        match self.kind {
            HostErrorKind::Busy => Kind::Busy,
            HostErrorKind::NotBtrfs | HostErrorKind::NotASubvolume => Kind::Config,
            HostErrorKind::Refused | HostErrorKind::NotReadOnly | HostErrorKind::NotEmpty => Kind::Refused,
            _ => Kind::Unavailable,
        }
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}", self.what, self.path.display())?;
        match &self.hint {
            Some(hint) => write!(f, ": {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for HostError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

fn kind_of(error: &io::Error) -> HostErrorKind {
    use io::ErrorKind as Io;
    match error.kind() {
        Io::NotFound => HostErrorKind::NotFound,
        Io::AlreadyExists => HostErrorKind::Exists,
        Io::StorageFull | Io::QuotaExceeded => HostErrorKind::NoSpace,
        Io::ReadOnlyFilesystem => HostErrorKind::ReadOnly,
        Io::PermissionDenied => HostErrorKind::Permission,
        Io::ResourceBusy | Io::WouldBlock => HostErrorKind::Busy,
        Io::DirectoryNotEmpty => HostErrorKind::NotEmpty,
        Io::CrossesDevices => HostErrorKind::OtherPool,
        Io::TimedOut => HostErrorKind::TimedOut,
        Io::Interrupted | Io::BrokenPipe => HostErrorKind::Interrupted,
        Io::Unsupported => HostErrorKind::Unsupported,
        _ => match rustix::io::Errno::from_io_error(error) {
            Some(rustix::io::Errno::NOTTY | rustix::io::Errno::OPNOTSUPP) => HostErrorKind::Unsupported,
            _ => HostErrorKind::Other,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn the_cause_is_in_the_source_and_not_in_the_text() {
        let error = HostError::new("open", "/nowhere", rustix::io::Errno::NOENT);
        assert_eq!(error.to_string(), "cannot open /nowhere");
        assert_eq!(error.kind(), HostErrorKind::NotFound);
        assert!(error.source().unwrap().to_string().contains("No such file"));
    }

    #[test]
    fn errnos_that_matter_have_their_kind() {
        use rustix::io::Errno;
        for (errno, kind) in [
            (Errno::DQUOT, HostErrorKind::NoSpace),
            (Errno::NOSPC, HostErrorKind::NoSpace),
            (Errno::ROFS, HostErrorKind::ReadOnly),
            (Errno::PERM, HostErrorKind::Permission),
            (Errno::ACCESS, HostErrorKind::Permission),
            (Errno::BUSY, HostErrorKind::Busy),
            (Errno::NOTEMPTY, HostErrorKind::NotEmpty),
            (Errno::XDEV, HostErrorKind::OtherPool),
            (Errno::NOTTY, HostErrorKind::Unsupported),
            (Errno::OPNOTSUPP, HostErrorKind::Unsupported),
        ] {
            assert_eq!(HostError::new("try", "/x", errno).kind(), kind, "{errno}");
        }
    }
}
