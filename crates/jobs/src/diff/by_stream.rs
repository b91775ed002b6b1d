//! What differs, as the kernel tells it: a stream without data, completed by a look at both sides.
//!
//! The kernel compares the trees and sends what differs; [`Changes`] makes a list of it; here it is completed with what no
//! stream tells: sizes before, what a deleted name stood for, whether a file capability is another one. It must never be
//! asked for two that do not descend from one subvolume.

use std::io::Read;

use subvault_host::look::Look;
use subvault_host::send::{SendSettings, send, supported_protocol};
use subvault_host::subvolume::Subvolume;
use subvault_host::tree_diff::Compared;
use subvault_model::file_path::FilePath;
use subvault_sendstream::changes::{Change, Changes, What};
use subvault_sendstream::decode::{Decoder, PushError};

use super::entry::CAPABILITY;
use crate::error::JobError;

/// How much of the stream is read at a time.
const BLOCK: usize = 256 << 10;

/// What differs, in no order.
pub(super) fn compare(from: &Subvolume, to: &Subvolume) -> Result<Vec<Compared>, JobError> {
    changes(from, to)?.into_iter().map(|change| complete(change, from, to)).collect()
}

/// The list that follows from the kernel's stream.
fn changes(from: &Subvolume, to: &Subvolume) -> Result<Vec<Change>, JobError> {
    let settings = SendSettings { protocol: supported_protocol(), compressed: false, no_data: true };
    let mut stream = send(to, Some(from), &[], settings)?;
    let (mut decoder, mut changes) = (Decoder::new(), Changes::new());
    let mut block = vec![0; BLOCK];
    loop {
        let len = stream.read(&mut block).map_err(|source| broken(to, source))?;
        if len == 0 {
            break;
        }
        let pushed = decoder.push(&block[..len], &mut |command| changes.command(&command));
        pushed.map_err(|error| match error {
            PushError::Stream(error) => broken(to, error),
            PushError::Each(error) => broken(to, error),
        })?;
    }
    decoder.finish().map_err(|error| broken(to, error))?;
    stream.finish()?;
    Ok(changes.finish())
}

fn complete(mut change: Change, from: &Subvolume, to: &Subvolume) -> Result<Compared, JobError> {
    let path = |bytes: Option<&Vec<u8>>| bytes.map(|bytes| FilePath::new(bytes.as_slice()));
    let (old, new) = (path(change.old.as_ref()), path(change.new.as_ref()));
    let before = look(from, old.as_ref())?;
    let after = look(to, new.as_ref())?;
    let is_on_both = matches!(change.what, What::Changed | What::Renamed);
    if let (true, Some(old), Some(new)) = (change.metadata.capability && is_on_both, old, new) {
        change.metadata.capability = from.attribute(&old, CAPABILITY)? != to.attribute(&new, CAPABILITY)?;
    }
    Ok(Compared { change, before, after })
}

/// A path that is too long for the system is left without what a look would tell.
fn look(side: &Subvolume, path: Option<&FilePath>) -> Result<Option<Look>, JobError> {
    /// `PATH_MAX`
    const LONGEST: usize = 4095;
    match path.filter(|path| path.as_bytes().len() <= LONGEST) {
        Some(path) => Ok(side.look(path)?),
        None => Ok(None),
    }
}

fn broken(of: &Subvolume, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> JobError {
    JobError::Compare { what: of.path().display().to_string(), source: source.into() }
}
