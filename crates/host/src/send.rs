//! Send streams, as the kernel makes them, to be read like a file.
//!
//! Invariant: a reader that sees the end has the whole stream, once; when the kernel stopped early or
//! began again, the read that would be the end is an error instead, and `finish` says the same. Killed here: the kernel
//! notices that nobody reads and stops; the snapshot is untouched. It must never leave the kernel
//! sending after the stream was dropped, as that pins the snapshot.

use std::fmt;
use std::io::{self, PipeReader, PipeWriter, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use rustix::io::Errno;

use crate::error::{HostError, HostErrorKind, Result};
use crate::ioctl::{self, SendCall, SendRequest};
use crate::subvolume::Subvolume;

/// Where the kernel says what it can.
const VERSION_FILE: &str = "/sys/fs/btrfs/features/send_stream_version";

/// What an ordinary user may make a pipe, and plenty.
const PIPE_SIZE: usize = 1 << 20;

/// `btrfs-stream`, a zero and the version: what the kernel writes first.
const HEAD: usize = 17;

const WHAT: &str = "send";

/// A version of the stream format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// Every kernel and every `btrfs receive` knows it.
    V1,
    /// Linux 6.0: compressed data, longer writes, file flags.
    V2,
}

/// The newest version that this kernel sends and we use.
#[must_use]
pub fn supported_protocol() -> Protocol {
    let version = std::fs::read_to_string(VERSION_FILE).ok();
    match version.and_then(|text| text.trim().parse::<u32>().ok()) {
        Some(2..) => Protocol::V2,
        _ => Protocol::V1,
    }
}

/// How to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendSettings {
    /// The version of the stream format.
    pub protocol: Protocol,
    /// Send compressed data as it is on disk; needs `V2`.
    pub compressed: bool,
    /// Leave file data out: what changed, not what it became.
    pub no_data: bool,
}

/// A stream that the kernel is making.
pub struct SendStream {
    path: PathBuf,
    /// What was read ahead and not yet given out.
    head: Vec<u8>,
    reader: Option<PipeReader>,
    sender: Option<JoinHandle<rustix::io::Result<()>>>,
    /// What the kernel ended with, once that is known.
    ended: Option<rustix::io::Result<()>>,
}

impl fmt::Debug for SendStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendStream").field("path", &self.path).field("ended", &self.ended).finish()
    }
}

/// Starts sending `snapshot`, as a difference to `parent` where there is one.
///
/// The receiver must have the parent and the clone sources. All of them must be read-only.
///
/// Waits for the first bytes, so that what the kernel refuses is refused here.
///
/// # Errors
/// `NotReadOnly`, `OtherPool`, `Unsupported`, `Permission`; what the kernel says later comes from the stream.
pub fn send(
    snapshot: &Subvolume,
    parent: Option<&Subvolume>,
    clone_sources: &[&Subvolume],
    settings: SendSettings,
) -> Result<SendStream> {
    let call = Arc::new(SendCall::new(prepare(snapshot, parent, clone_sources, settings)?));
    let trouble = |error: io::Error| HostError::new(WHAT, snapshot.path(), error);
    let (reader, writer) = io::pipe().map_err(trouble)?;
    enlarge(&writer);
    let fd = snapshot.as_fd().try_clone_to_owned().map_err(trouble)?;
    let sender = std::thread::Builder::new()
        .name("send".to_owned())
        .spawn({
            let call = Arc::clone(&call);
            move || run(&fd, &writer, &call)
        })
        .map_err(trouble)?;
    let mut stream = SendStream {
        path: snapshot.path().to_owned(),
        head: Vec::new(),
        reader: Some(reader),
        sender: Some(sender),
        ended: None,
    };
    stream.read_head(&call)?;
    Ok(stream)
}

fn prepare(
    snapshot: &Subvolume,
    parent: Option<&Subvolume>,
    clone_sources: &[&Subvolume],
    settings: SendSettings,
) -> Result<SendRequest> {
    let refuse = |path, kind, hint| Err(HostError::because(WHAT, path, kind, hint));
    let pool = snapshot.pool()?.uuid();
    if settings.compressed && settings.protocol < Protocol::V2 {
        let hint = "compressed data needs protocol 2";
        return refuse(snapshot.path(), HostErrorKind::Unsupported, hint);
    }
    if settings.protocol > supported_protocol() {
        let hint = "this kernel does not know protocol 2 (Linux 6.0 does)";
        return refuse(snapshot.path(), HostErrorKind::Unsupported, hint);
    }
    // A parent is a clone source too, or what was moved between files would be sent again.
    let sources: Vec<_> = parent.iter().chain(clone_sources).copied().collect();
    for subvolume in [snapshot].iter().chain(&sources) {
        if !subvolume.is_read_only()? {
            let hint = "it is writable; only a read-only snapshot can be sent or be a parent";
            return refuse(subvolume.path(), HostErrorKind::NotReadOnly, hint);
        }
        if subvolume.pool()?.uuid() != pool {
            let hint = "the snapshot is on another pool than its parent";
            return refuse(subvolume.path(), HostErrorKind::OtherPool, hint);
        }
    }
    Ok(SendRequest {
        parent: parent.map_or(0, |parent| parent.id().0),
        clone_sources: sources.iter().map(|source| source.id().0).collect(),
        version: match settings.protocol {
            Protocol::V1 => 1,
            Protocol::V2 => 2,
        },
        compressed: settings.compressed,
        no_data: settings.no_data,
    })
}

/// As large as allowed: each switch between the two ends costs more than the copy.
fn enlarge(pipe: &PipeWriter) {
    let mut size = PIPE_SIZE;
    while size > 64 << 10 && rustix::pipe::fcntl_setpipe_size(pipe, size).is_err() {
        size /= 2;
    }
}

/// The sending thread. The writing end closes with it, which is the reader's end of the stream.
fn run(snapshot: &OwnedFd, writer: &PipeWriter, call: &SendCall) -> rustix::io::Result<()> {
    // A handler that runs in this thread would end the stream; the other threads can run it as well.
    let _ = ioctl::block_signals_in_this_thread();
    call.run(snapshot.as_fd(), writer.as_fd())
}

impl Read for SendStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        if !self.head.is_empty() {
            let len = self.head.as_slice().read(buf)?;
            self.head.drain(..len);
            return Ok(len);
        }
        let read = match &mut self.reader {
            Some(reader) => reader.read(buf)?,
            None => 0,
        };
        if read == 0 {
            self.end().map_err(|error| io::Error::other(self.trouble(error)))?;
        }
        Ok(read)
    }
}

impl SendStream {
    /// Waits until the kernel is at work, and forbids it to begin again.
    fn read_head(&mut self, call: &SendCall) -> Result<()> {
        let mut head = [0; HEAD];
        let read = self.reader.as_mut().map(|reader| reader.read_exact(&mut head));
        call.forbid_restart();
        if matches!(read, Some(Ok(()))) {
            self.head = head.to_vec();
            return Ok(());
        }
        let error = self.end().err().unwrap_or(Errno::IO);
        Err(self.trouble(error))
    }

    /// Says whether the stream that was read is whole.
    ///
    /// # Errors
    /// What the kernel ended with; `Interrupted` when the stream was not read to its end.
    pub fn finish(mut self) -> Result<()> {
        let whole = self.ended.is_some();
        match self.end() {
            Ok(()) if whole => Ok(()),
            Ok(()) | Err(Errno::PIPE) => {
                let hint = "the stream was not read to its end";
                let kind = HostErrorKind::Interrupted;
                Err(HostError::because(WHAT, &self.path, kind, hint))
            }
            Err(error) => Err(self.trouble(error)),
        }
    }

    /// Closes the reading end, which makes the kernel stop, and waits until it did.
    fn end(&mut self) -> rustix::io::Result<()> {
        self.reader = None;
        if let Some(sender) = self.sender.take() {
            self.ended = Some(sender.join().unwrap_or(Err(Errno::IO)));
        }
        self.ended.unwrap_or(Err(Errno::IO))
    }

    fn trouble(&self, error: Errno) -> HostError {
        let wrapped = HostError::new(WHAT, &self.path, error);
        match error {
            Errno::PERM => wrapped.with_hint("only root (CAP_SYS_ADMIN) may"),
            // The mark of `forbid_restart`.
            Errno::BADF => wrapped
                .of_kind(HostErrorKind::Interrupted)
                .with_hint("the process was stopped or the machine suspended meanwhile; send it again"),
            _ => wrapped,
        }
    }
}

impl Drop for SendStream {
    fn drop(&mut self) {
        let _ = self.end();
    }
}
