//! The head of the pipeline: reads the stream, checks it command by command, and hands pieces on to be compressed.

use std::io::Read;
use std::sync::mpsc::{SyncSender, sync_channel};

use subvault_model::bytesize::ByteSize;
use subvault_model::monitor::Event;
use subvault_sendstream::command::Command;
use subvault_sendstream::decode::{Decoder, PushError};

use super::shared::Failure;
use super::workers::{Answer, Job};
use super::{CommandObserver, WriteJob};
use crate::error::ArchiveError;
use crate::frame::FRAME_BYTES;
use crate::hash::Hash256;
use crate::manifest::SendRecord;

/// A piece of the stream on its way through the workers.
pub(super) struct Frame {
    /// How much of the stream it holds.
    pub(super) plain_bytes: u32,
    /// Where its packed form will be.
    pub(super) answer: Answer,
}

/// Where pieces are handed on to.
pub(super) struct Downstream {
    pub(super) jobs: SyncSender<Job>,
    pub(super) frames: SyncSender<Frame>,
}

/// Reads the whole stream. A failure is set before the queues close, so that no later stage takes what has come so
/// far for the whole stream.
#[expect(clippy::needless_pass_by_value, reason = "dropping the queues is what closes the pipeline")]
pub(super) fn read(
    job: &WriteJob<'_>,
    source: &mut (dyn Read + Send),
    observer: &mut (dyn CommandObserver + Send),
    downstream: Downstream,
    failure: &Failure,
) -> Option<SendRecord> {
    read_all(job, source, observer, &downstream, failure).map_err(|error| failure.set(error)).ok()
}

fn read_all(
    job: &WriteJob<'_>,
    source: &mut (dyn Read + Send),
    observer: &mut (dyn CommandObserver + Send),
    downstream: &Downstream,
    failure: &Failure,
) -> Result<SendRecord, ArchiveError> {
    let mut decoder = Decoder::new();
    let mut hasher = blake3::Hasher::new();
    let mut bytes = 0_u64;
    loop {
        let plain = read_frame(source)?;
        if plain.is_empty() || failure.is_set() {
            break;
        }
        hasher.update(&plain);
        check(&mut decoder, &plain, observer)?;
        bytes += plain.len() as u64;
        job.monitor.event(Event::Progress(ByteSize::bytes(plain.len() as u64)));
        let plain_bytes = u32::try_from(plain.len()).map_err(|_| ArchiveError::Bug("a frame above 4 GiB"))?;
        let (answer, picked_up) = sync_channel(1);
        // A closed queue means that a later stage failed, and said why.
        let handed_on = downstream.frames.send(Frame { plain_bytes, answer: picked_up }).is_ok()
            && downstream.jobs.send(Job::Compress { plain, answer }).is_ok();
        if !handed_on {
            break;
        }
    }
    if !failure.is_set() {
        decoder.finish()?;
    }
    Ok(SendRecord {
        protocol: decoder.version().unwrap_or_default(),
        compressed_data: job.begun.shape.compressed_data,
        bytes: ByteSize::bytes(bytes),
        commands: decoder.commands(),
        blake3: Hash256(*hasher.finalize().as_bytes()),
    })
}

/// A whole frame, or what is left at the end.
fn read_frame(source: &mut dyn Read) -> Result<Vec<u8>, ArchiveError> {
    let mut plain = Vec::with_capacity(FRAME_BYTES as usize);
    source.take(u64::from(FRAME_BYTES)).read_to_end(&mut plain).map_err(ArchiveError::Source)?;
    Ok(plain)
}

fn check(decoder: &mut Decoder, plain: &[u8], observer: &mut (dyn CommandObserver + Send)) -> Result<(), ArchiveError> {
    let mut each = |command: Command<'_>| -> Result<(), std::convert::Infallible> {
        observer.command(&command);
        Ok(())
    };
    match decoder.push(plain, &mut each) {
        Ok(()) => Ok(()),
        Err(PushError::Stream(error)) => Err(error.into()),
        Err(PushError::Each(never)) => match never {},
    }
}
