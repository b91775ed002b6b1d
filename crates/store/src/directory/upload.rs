//! Uploads into a directory: a file below the private directory that parts are written into, each at its place.
//!
//! Beside the data a small file says what the upload is. Neither is synced before the end: after a power cut a part
//! may be missing although its write had returned, which is why [`check_parts`] reads and hashes. The number of the
//! data file's inode is the upload's mark: it stays the same when the file is moved to its key, so that a repeated
//! completion recognises its own work.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::num::NonZeroU64;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::{Advice, OFlags, fadvise};

use crate::backend::Outcome;
use crate::buffer::ALIGNMENT;
use crate::class::ObjectKind;
use crate::error::{Failure, StoreErrorKind};
use crate::key::Key;
use crate::mark;
use crate::object::Create;
use crate::upload::{PartClaim, PartTag, PendingUpload, StoredPart, UploadId};

use super::Directory;
use super::place::sync_directory;

/// How the temporary files of small puts begin.
pub(super) const PUT: &str = "put-";
/// How the files of uploads begin.
const UPLOAD: &str = "upload-";
const DATA: &str = ".data";
const ABOUT: &str = ".about";
/// How much is read at a time when a part is checked.
const READ_BYTES: usize = 1 << 20;

pub(super) fn begin(store: &Directory, key: &Key, kind: ObjectKind, part_size: u64) -> Outcome<UploadId> {
    let id = format!("{UPLOAD}{}", mark::fresh()?);
    let (_, data) = store.temporary(&format!("{id}{DATA}"))?;
    let mark = data.metadata()?.ino().to_string();
    let upload = UploadId { key: key.clone(), kind, part_size, id, mark };
    let (_, mut about) = store.temporary(&format!("{}{ABOUT}", upload.id))?;
    let text = serde_json::to_vec(&upload).map_err(|error| Failure::new(StoreErrorKind::Misuse).because(error))?;
    about.write_all(&text)?;
    Ok(upload)
}

pub(super) fn put_part(store: &Directory, upload: &UploadId, offset: u64, body: &[u8]) -> Outcome<PartTag> {
    let direct = write_direct(store, upload, offset, body)?;
    let (offset, body) = (offset + direct as u64, &body[direct..]);
    if body.is_empty() {
        return Ok(PartTag::default());
    }
    let file = open(store, upload, OpenOptions::new().write(true))?;
    file.write_all_at(body, offset)?;
    // Starts writing to the disk without waiting for it (and drops what is there already), so that the sync at the
    // end has little left to do. Advice only: a file system that ignores it costs time, nothing else.
    let _ = fadvise(&file, offset, NonZeroU64::new(body.len() as u64), Advice::DontNeed);
    Ok(PartTag::default())
}

/// Writes the whole blocks of a part past the page cache, where the file system can, and says how much that was: copying
/// bulk data into the cache costs much and throws out of it what is worth keeping.
fn write_direct(store: &Directory, upload: &UploadId, offset: u64, body: &[u8]) -> Outcome<usize> {
    let whole = body.len() - body.len() % ALIGNMENT;
    if whole == 0 || !offset.is_multiple_of(ALIGNMENT as u64) || body.as_ptr().align_offset(ALIGNMENT) != 0 {
        return Ok(0);
    }
    let direct = OFlags::DIRECT.bits().cast_signed();
    // What stands in the way of this is met again, and told, when the rest is written.
    let Ok(file) = OpenOptions::new().write(true).custom_flags(direct).open(path(store, upload, DATA)) else {
        return Ok(0);
    };
    match file.write_all_at(&body[..whole], offset) {
        Ok(()) => Ok(whole),
        // Not this way; what may have been written is written again.
        Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(0),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn stored_parts(store: &Directory, upload: &UploadId) -> Outcome<Vec<StoredPart>> {
    let reached = open(store, upload, OpenOptions::new().read(true))?.metadata()?.len();
    let part = |number: u32| {
        let begin = u64::from(number) * upload.part_size;
        (begin < reached).then(|| StoredPart {
            number,
            size: upload.part_size.min(reached - begin),
            tag: PartTag::default(),
        })
    };
    Ok((0..).map_while(part).collect())
}

pub(super) fn check_parts(store: &Directory, upload: &UploadId, claims: &[PartClaim<'_>]) -> Outcome<Vec<bool>> {
    let file = open(store, upload, OpenOptions::new().read(true))?;
    let mut buffer = vec![0; READ_BYTES];
    claims.iter().map(|claim| holds(&file, claim, &mut buffer)).collect()
}

fn holds(file: &File, claim: &PartClaim<'_>, buffer: &mut [u8]) -> Outcome<bool> {
    let mut hasher = blake3::Hasher::new();
    let mut done = 0;
    while done < claim.size {
        let want = usize::try_from(claim.size - done).unwrap_or(usize::MAX).min(buffer.len());
        match file.read_exact_at(&mut buffer[..want], claim.offset.saturating_add(done)) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(false),
            other => other?,
        }
        hasher.update(&buffer[..want]);
        done += want as u64;
    }
    Ok(hasher.finalize() == *claim.blake3)
}

pub(super) fn complete(store: &Directory, upload: &UploadId, size: u64, how: &Create) -> Outcome<()> {
    let data = path(store, upload, DATA);
    let file = match open(store, upload, OpenOptions::new().write(true)) {
        Err(failure) if failure.kind == StoreErrorKind::NoSuchUpload && is_placed(store, upload)? => {
            let object = store.path(&upload.key);
            sync_directory(object.parent().unwrap_or(&store.root))?;
            return remove_if_there(&path(store, upload, ABOUT));
        }
        other => other?,
    };
    let reached = file.metadata()?.len();
    if reached != size {
        return Err(Failure::new(StoreErrorKind::Unfaithful).detail(format!("{reached} bytes instead of {size}")));
    }
    file.sync_all()?;
    store.place(&data, &upload.key, how)?;
    remove_if_there(&path(store, upload, ABOUT))
}

/// Whether the object under the key is the very file of this upload.
fn is_placed(store: &Directory, upload: &UploadId) -> Outcome<bool> {
    match fs::symlink_metadata(store.path(&upload.key)) {
        Ok(found) => Ok(found.ino().to_string() == upload.mark),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn abort(store: &Directory, upload: &UploadId) -> Outcome<()> {
    // The description goes last: what is left after a kill in between is still listed and can be aborted again.
    remove_if_there(&path(store, upload, DATA))?;
    remove_if_there(&path(store, upload, ABOUT))
}

pub(super) fn pending(store: &Directory, prefix: &str) -> Outcome<Vec<PendingUpload>> {
    let mut found = Vec::new();
    for path in private_files(store)? {
        found.extend(describe(&path).filter(|pending| pending.upload.key.as_str().starts_with(prefix)));
    }
    found.sort_by(|a, b| (&a.upload.key, a.started).cmp(&(&b.upload.key, b.started)));
    Ok(found)
}

/// Removes what belongs to no upload: temporary files of killed puts, and data whose description a power cut took.
pub(super) fn sweep(store: &Directory) -> Outcome<usize> {
    let mut removed = 0;
    for file in private_files(store)? {
        let owner = file.with_extension(&ABOUT[1..]);
        let name = file.file_name().unwrap_or_default().as_encoded_bytes();
        let ours = name.starts_with(PUT.as_bytes()) || name.starts_with(UPLOAD.as_bytes());
        if ours && describe(&owner).is_none() && remove_abandoned(&file) {
            removed += 1;
        }
    }
    Ok(removed)
}

/// Removes a temporary file whose writer is dead: the living hold its lock. Where a file system has no locks, nothing is
/// removed. What vanishes just now was finished by its writer.
fn remove_abandoned(path: &Path) -> bool {
    let Ok(file) = OpenOptions::new().read(true).open(path) else { return false };
    // Removed under the lock, so that a writer who waits for it sees that the file is gone.
    file.try_lock().is_ok() && fs::remove_file(path).is_ok()
}

fn private_files(store: &Directory) -> Outcome<Vec<PathBuf>> {
    let entries = match fs::read_dir(&store.private) {
        Err(error) if error.kind() == ErrorKind::NotFound && store.root.is_dir() => return Ok(Vec::new()),
        Err(error) => return Err(store.missing(error.into())),
        Ok(entries) => entries,
    };
    Ok(entries.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?)
}

/// Reads a description; one that vanished, was cut off by a crash or names another upload is nobody's.
fn describe(path: &Path) -> Option<PendingUpload> {
    let upload: UploadId = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    let started = Timestamp::try_from(fs::metadata(path).ok()?.modified().ok()?).ok()?;
    let own = path.file_name()?.as_encoded_bytes() == format!("{}{ABOUT}", upload.id).as_bytes();
    own.then_some(PendingUpload { upload, started })
}

fn path(store: &Directory, upload: &UploadId, what: &str) -> PathBuf {
    store.private.join(format!("{}{what}", upload.id))
}

fn open(store: &Directory, upload: &UploadId, how: &OpenOptions) -> Outcome<File> {
    how.open(path(store, upload, DATA)).map_err(|error| match store.missing(error.into()) {
        failure if failure.kind == StoreErrorKind::NotFound => {
            Failure { kind: StoreErrorKind::NoSuchUpload, ..failure }
        }
        failure => failure,
    })
}

fn remove_if_there(path: &Path) -> Outcome<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}
