//! The content of one regular file: brought over without copying where the file system can, with its holes where it
//! cannot; and compared.
//!
//! It must never write to what it copies from, nor hold more than a buffer of it.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::SeekFrom;
use rustix::io::{Errno, Result};
use subvault_model::bytesize::ByteSize;
use subvault_model::monitor::{Event, Monitor};

use crate::ioctl::clone_range;

/// How much is asked of the kernel at once; then progress is told.
const STRIDE: u64 = 16 << 20;
const BUFFER: usize = 128 << 10;

/// How the content of a file came over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// It is shared with what it came from.
    Shared,
    /// It was copied.
    Copied,
}

/// Gives the empty file `into` the content of `from`, `length` bytes.
pub(super) fn bring(from: BorrowedFd<'_>, into: BorrowedFd<'_>, length: u64, monitor: &dyn Monitor) -> Result<Way> {
    if length == 0 {
        return Ok(Way::Shared);
    }
    match clone_range(from, 0, 0, into, 0) {
        Ok(()) => {
            monitor.event(Event::Progress(ByteSize::bytes(length)));
            return Ok(Way::Shared);
        }
        // Another file system, one that shares nothing, or files of which only one has checksums (`chattr +C`).
        Err(Errno::XDEV | Errno::OPNOTSUPP | Errno::NOTTY | Errno::INVAL | Errno::NOSYS | Errno::TXTBSY) => {}
        Err(error) => return Err(error),
    }
    let mut at = 0;
    while let Some(data) = data_from(from, at, length)? {
        copy_range(from, into, data.clone(), monitor)?;
        at = data.end;
    }
    rustix::fs::ftruncate(into, length)?;
    Ok(Way::Copied)
}

/// The next stretch of data at or after `at`; `None` when only a hole is left.
pub(super) fn data_from(file: BorrowedFd<'_>, at: u64, length: u64) -> Result<Option<std::ops::Range<u64>>> {
    if at >= length {
        return Ok(None);
    }
    let begin = match rustix::fs::seek(file, SeekFrom::Data(at)) {
        Ok(begin) => begin,
        Err(Errno::NXIO) => return Ok(None),
        // A file system that knows of no holes.
        Err(Errno::INVAL) => return Ok(Some(at..length)),
        Err(error) => return Err(error),
    };
    let end = rustix::fs::seek(file, SeekFrom::Hole(begin))?.min(length);
    Ok((begin < end).then_some(begin..end))
}

fn copy_range(
    from: BorrowedFd<'_>,
    into: BorrowedFd<'_>,
    range: std::ops::Range<u64>,
    monitor: &dyn Monitor,
) -> Result<()> {
    let (mut read, mut written) = (range.start, range.start);
    while read < range.end {
        let want = usize::try_from((range.end - read).min(STRIDE)).unwrap_or(BUFFER);
        let done = match rustix::fs::copy_file_range(from, Some(&mut read), into, Some(&mut written), want) {
            Ok(0) => return Err(Errno::IO),
            Ok(done) => done as u64,
            Err(Errno::XDEV | Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS | Errno::TXTBSY) => {
                let done = by_hand(from, into, read, want)?;
                (read, written) = (read + done, written + done);
                done
            }
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error),
        };
        monitor.event(Event::Progress(ByteSize::bytes(done)));
    }
    Ok(())
}

/// Copies up to `want` bytes at `at`; how many it were.
fn by_hand(from: BorrowedFd<'_>, into: BorrowedFd<'_>, at: u64, want: usize) -> Result<u64> {
    let mut buffer = vec![0_u8; want.min(BUFFER)];
    let mut done = 0_u64;
    while done < want as u64 {
        let rest = usize::try_from(want as u64 - done).unwrap_or(BUFFER).min(BUFFER);
        let got = fill(from, &mut buffer[..rest], at + done)?;
        if got == 0 {
            // It is a snapshot: what it said it holds, it holds.
            return Err(Errno::IO);
        }
        let mut put = 0;
        while put < got {
            match rustix::io::pwrite(into, &buffer[put..got], at + done + put as u64) {
                Ok(bytes) => put += bytes,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
        done += got as u64;
    }
    Ok(done)
}

/// Reads until the buffer is full or the file ends.
pub(super) fn fill(file: BorrowedFd<'_>, buffer: &mut [u8], at: u64) -> Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match rustix::io::pread(file, &mut buffer[got..], at + got as u64) {
            Ok(0) => break,
            Ok(bytes) => got += bytes,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}

/// Whether two files hold the same bytes. Holes are bytes too.
pub(super) fn is_same(one: impl AsFd, other: impl AsFd) -> Result<bool> {
    let (mut left, mut right) = (vec![0_u8; BUFFER], vec![0_u8; BUFFER]);
    let mut at = 0;
    loop {
        let got = fill(one.as_fd(), &mut left, at)?;
        if got != fill(other.as_fd(), &mut right, at)? || left[..got] != right[..got] {
            return Ok(false);
        }
        if got < BUFFER {
            return Ok(true);
        }
        at += got as u64;
    }
}
