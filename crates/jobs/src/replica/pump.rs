//! Brings a stream into a receiver, piece by piece; memory is bounded by the piece.

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;

use subvault_host::clock;
use subvault_host::receive::{ReceiveError, ReceiveSettings, Receiver, These};
use subvault_host::send::{Protocol, SendSettings, send, supported_protocol};
use subvault_host::subvolume::Subvolume;
use subvault_model::bandwidth::Bandwidth;
use subvault_model::bytesize::ByteSize;
use subvault_sendstream::decode::{Decoder, PushError, StreamError};

use super::Sink;
use crate::error::JobError;

/// How much is read at once.
pub(super) const PIECE: usize = 1 << 20;

/// Keeps a stream below a bandwidth.
#[derive(Debug, Clone, Copy)]
pub struct Throttle {
    limit: Option<Bandwidth>,
    free_at: Option<Instant>,
}

impl Throttle {
    /// At most so fast.
    #[must_use]
    pub fn new(limit: Option<Bandwidth>) -> Self {
        Self { limit, free_at: None }
    }

    /// Waits until so many bytes may pass.
    pub(super) fn wait(&mut self, bytes: usize) {
        let Some(limit) = self.limit else { return };
        let now = clock::monotonic();
        let begin = self.free_at.map_or(now, |at| at.max(now));
        self.free_at = Some(begin + limit.time_for(ByteSize::bytes(bytes as u64)));
        std::thread::sleep(begin.saturating_duration_since(now));
    }
}

/// A stream that is being applied.
pub(crate) struct Intake {
    decoder: Decoder,
    receiver: Receiver,
    stream: String,
}

impl Intake {
    /// Gets ready to receive `stream` as `name` into a directory, built on nothing but `sources`.
    pub(crate) fn begin(
        directory: &Path,
        name: OsString,
        sources: Vec<PathBuf>,
        threads: usize,
        stream: String,
    ) -> Result<Self, JobError> {
        let settings = ReceiveSettings { name, sources: Box::new(These(sources)), force_decompress: false, threads };
        match Receiver::new(directory, settings) {
            Ok(receiver) => Ok(Self { decoder: Decoder::new(), receiver, stream }),
            Err(source) => Err(JobError::Receive { stream, source: Box::new(source) }),
        }
    }

    /// Applies the next piece.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<(), JobError> {
        let receiver = &mut self.receiver;
        let pushed = self.decoder.push(piece, &mut |command| receiver.command(&command));
        pushed.map_err(|error| match error {
            PushError::Stream(error) => self.broken(error),
            PushError::Each(error) => self.failed(error),
        })
    }

    /// The receiver, once the stream has come to its end.
    pub(crate) fn end(self) -> Result<Receiver, JobError> {
        self.decoder.finish().map_err(|error| self.broken(error))?;
        Ok(self.receiver)
    }

    fn broken(&self, error: StreamError) -> JobError {
        JobError::Receive { stream: self.stream.clone(), source: Box::new(error) }
    }

    fn failed(&self, error: ReceiveError) -> JobError {
        JobError::Receive { stream: self.stream.clone(), source: Box::new(error) }
    }
}

/// How snapshots are sent: as they are on disk, where this kernel can do that.
pub(crate) fn as_stored() -> SendSettings {
    let protocol = supported_protocol();
    SendSettings { protocol, compressed: protocol >= Protocol::V2, no_data: false }
}

/// Gives all of a snapshot to a sink, or the difference to another one.
pub(crate) fn send_whole(
    snapshot: &Subvolume,
    parent: Option<&Subvolume>,
    sink: &mut Sink<'_>,
) -> Result<(), JobError> {
    let mut stream = send(snapshot, parent, &[], as_stored())?;
    let mut block = vec![0; PIECE];
    loop {
        match next_piece(&mut stream, &mut block) {
            // Nothing but the kernel's own word makes a stream whole.
            Ok([]) => return Ok(stream.finish()?),
            Ok(piece) => sink(piece)?,
            Err(error) => {
                stream.finish()?;
                return Err(JobError::file("send", snapshot.path())(error));
            }
        }
    }
}

/// Reads the next piece; empty at the end.
pub(super) fn next_piece<'a>(from: &mut dyn Read, block: &'a mut [u8]) -> std::io::Result<&'a [u8]> {
    let length = loop {
        match from.read(block) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            other => break other?,
        }
    };
    Ok(&block[..length])
}
