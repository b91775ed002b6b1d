//! A short measured probe of how fast files in a directory are written and read.
//!
//! It takes about three seconds and a tenth of the free space at most. The file that it writes has no name, so that nothing
//! is left when it is killed anywhere. Its bytes do not compress: what a filesystem saves by compressing is not the disk's.
//! Reads are measured after the kernel forgot the file; what a disk or a hypervisor keeps in its own memory still counts.
//! It must never be run unasked: it writes.

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{Advice, AtFlags, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT};
use rustix::io::Errno;
use serde::Serialize;
use subvault_model::bytesize::ByteSize;
use subvault_model::file_path::FilePath;

use crate::clock;
use crate::error::{HostError, HostErrorKind, Result};
use crate::identity;
use crate::noise::Noise;
use crate::subvolume::open_dir;

const LARGEST: ByteSize = ByteSize::mib(256);
const SMALLEST: ByteSize = ByteSize::mib(1);
/// The file takes no more than this part of what is free.
const PART_OF_FREE: u64 = 10;

/// How long each is measured, about.
const WRITING: Duration = Duration::from_millis(1200);
const READING: Duration = Duration::from_millis(600);
const JUMPING: Duration = Duration::from_millis(500);
const SYNCING: Duration = Duration::from_millis(500);

/// What is read and written at once, in order and at random.
const LARGE: usize = 1 << 20;
const SMALL: usize = 4096;
const SYNCS: u64 = 25;

const WHAT: &str = "measure how fast files are written and read in";

/// What was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Probe {
    /// Where.
    pub directory: FilePath,
    /// With a file of this size.
    pub size: ByteSize,
    /// How much was written in a second, in order, until it was on the disk.
    pub write_per_second: ByteSize,
    /// How much was read in a second, in order.
    pub read_per_second: ByteSize,
    /// How many pieces of 4 KiB were read in a second, one after the other, from anywhere in the file.
    pub random_reads_per_second: u64,
    /// How long it took until 4 KiB and a change of the directory were on the disk: the median, in microseconds. `None`
    /// where the directory is somebody else's.
    pub sync_microseconds: Option<u64>,
}

/// Measures in this directory.
///
/// # Errors
/// `NoSpace` where too little is free, and what writing and reading can give.
pub fn probe(directory: &Path) -> Result<Probe> {
    let trouble = |error: std::io::Error| HostError::new(WHAT, directory, error);
    let dir = open_dir(directory)?;
    let limit = limit(&dir, directory)?;
    let bench = Bench { file: unnamed(&dir, directory)?, dir };
    let (size, write_per_second) = bench.write(limit).map_err(trouble)?;
    let read_per_second = bench.read(size).map_err(trouble)?;
    let random_reads_per_second = bench.jump(size).map_err(trouble)?;
    let sync_microseconds = bench.sync(size).map_err(trouble)?;
    Ok(Probe {
        directory: FilePath::new(directory.as_os_str().as_bytes()),
        size: ByteSize::bytes(size),
        write_per_second,
        read_per_second,
        random_reads_per_second,
        sync_microseconds,
    })
}

/// How large the file may become.
fn limit(dir: &OwnedFd, path: &Path) -> Result<u64> {
    let stat = rustix::fs::fstatvfs(dir).map_err(|error| HostError::new(WHAT, path, error))?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let limit = LARGEST.get().min(free / PART_OF_FREE);
    if limit >= SMALLEST.get() {
        return Ok(limit);
    }
    let hint = format!("only {} are free there", ByteSize::bytes(free));
    Err(HostError::because(WHAT, path, HostErrorKind::NoSpace, hint))
}

/// A file that has no name.
fn unnamed(dir: &OwnedFd, path: &Path) -> Result<File> {
    let mode = Mode::RUSR | Mode::WUSR;
    match rustix::fs::openat(dir, ".", OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC, mode) {
        Ok(file) => Ok(file.into()),
        // Not every filesystem can.
        Err(Errno::OPNOTSUPP | Errno::ISDIR) => without_its_name(dir, path),
        Err(error) => Err(HostError::new(WHAT, path, error)),
    }
}

/// A file whose name is taken away at once.
fn without_its_name(dir: &OwnedFd, path: &Path) -> Result<File> {
    let trouble = |error: Errno| HostError::new(WHAT, path, error);
    let name = OsString::from(format!(".subvault-probe.{}", identity::process_mark()?));
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = rustix::fs::openat(dir, &name, flags, Mode::RUSR | Mode::WUSR).map_err(trouble)?;
    rustix::fs::unlinkat(dir, &name, AtFlags::empty()).map_err(trouble)?;
    Ok(file.into())
}

/// The file, and the directory that it is in without a name.
struct Bench {
    file: File,
    dir: OwnedFd,
}

type Answer<T> = std::io::Result<T>;

impl Bench {
    /// Writes pieces, each twice as long as the one before and synced, for as long as there is time. How much, and how fast.
    fn write(&self, limit: u64) -> Answer<(u64, ByteSize)> {
        let (mut noise, mut block) = (Noise::new(), vec![0; LARGE]);
        let (mut written, mut piece, mut spent) = (0_u64, 1_u64, Duration::ZERO);
        loop {
            let mut took = Duration::ZERO;
            for _ in 0..piece {
                noise.fill(&mut block);
                let begin = clock::monotonic();
                self.file.write_all_at(&block, written)?;
                took += begin.elapsed();
                written += LARGE as u64;
            }
            took += timed(|| self.settle())?;
            spent += took;
            piece *= 2;
            let fits = written.saturating_add(piece * LARGE as u64) <= limit;
            if !fits || spent + took * 2 > WRITING {
                return Ok((written, per_second(written, spent)));
            }
        }
    }

    fn read(&self, size: u64) -> Answer<ByteSize> {
        self.forget(Advice::Sequential)?;
        let mut block = vec![0; LARGE];
        let (mut read, begin) = (0, clock::monotonic());
        while read < size && begin.elapsed() < READING {
            self.file.read_exact_at(&mut block, read)?;
            read += LARGE as u64;
        }
        Ok(per_second(read, begin.elapsed()))
    }

    /// Reads single blocks from all over the file, none of them twice.
    fn jump(&self, size: u64) -> Answer<u64> {
        self.forget(Advice::Random)?;
        let mut block = vec![0; SMALL];
        let blocks = size / SMALL as u64;
        let stride = stride(blocks);
        let (mut reads, begin) = (0, clock::monotonic());
        while reads < blocks && begin.elapsed() < JUMPING {
            let at = reads * stride % blocks;
            self.file.read_exact_at(&mut block, at * SMALL as u64)?;
            reads += 1;
        }
        Ok(per_second(reads, begin.elapsed()).get())
    }

    fn sync(&self, size: u64) -> Answer<Option<u64>> {
        if !self.touch()? {
            return Ok(None);
        }
        let (mut noise, mut block) = (Noise::new(), vec![0; SMALL]);
        let (mut times, begin) = (Vec::new(), clock::monotonic());
        for round in 0..SYNCS {
            if begin.elapsed() > SYNCING {
                break;
            }
            noise.fill(&mut block);
            times.push(timed(|| {
                self.file.write_all_at(&block, round * SMALL as u64 % size)?;
                self.settle()
            })?);
        }
        times.sort();
        Ok(times.get(times.len() / 2).map(|time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX)))
    }

    /// Waits until all is on the disk. Of a file without a name Btrfs need not keep anything, and does not flush the disk for
    /// it: so the directory is changed too, and synced.
    fn settle(&self) -> Answer<()> {
        rustix::fs::fsync(&self.file)?;
        if self.touch()? {
            rustix::fs::fsync(&self.dir)?;
        }
        Ok(())
    }

    /// Changes the directory without changing what is in it; whether that is allowed.
    fn touch(&self) -> Answer<bool> {
        let stat = rustix::fs::fstat(&self.dir)?;
        let as_it_was = Timespec { tv_sec: stat.st_atime, tv_nsec: stat.st_atime_nsec.cast_signed() };
        let omit = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
        match rustix::fs::futimens(&self.dir, &Timestamps { last_access: as_it_was, last_modification: omit }) {
            Ok(()) => Ok(true),
            Err(Errno::PERM | Errno::ACCESS) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Has the kernel forget what it knows of the file.
    fn forget(&self, then: Advice) -> Answer<()> {
        rustix::fs::fadvise(self.file.as_fd(), 0, None, Advice::DontNeed)?;
        Ok(rustix::fs::fadvise(self.file.as_fd(), 0, None, then)?)
    }
}

fn timed(act: impl FnOnce() -> Answer<()>) -> Answer<Duration> {
    let begin: Instant = clock::monotonic();
    act()?;
    Ok(begin.elapsed())
}

fn per_second(count: u64, time: Duration) -> ByteSize {
    let per_second = u128::from(count) * 1_000_000_000 / time.as_nanos().max(1);
    ByteSize::bytes(u64::try_from(per_second).unwrap_or(u64::MAX))
}

/// A step that leads from block to block all over the file and meets each once: near the golden section, and without a
/// common divisor.
pub(crate) fn stride(blocks: u64) -> u64 {
    let common = |mut one: u64, mut other: u64| {
        while other > 0 {
            (one, other) = (other, one % other);
        }
        one
    };
    let from = blocks * 618 / 1000;
    (from.max(1)..=blocks).find(|step| common(*step, blocks) == 1).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_block_is_met_once() {
        for blocks in [1, 2, 3, 256, 1000, 65_280] {
            let stride = stride(blocks);
            let met: BTreeSet<u64> = (0..blocks).map(|index| index * stride % blocks).collect();
            assert_eq!(met.len() as u64, blocks, "{blocks}");
        }
    }

    #[test]
    fn something_is_measured_and_nothing_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let begin = clock::monotonic();
        let found = probe(dir.path()).unwrap();
        assert!(begin.elapsed() < Duration::from_secs(6), "{:?}", begin.elapsed());
        assert!(found.size >= SMALLEST && found.size <= LARGEST, "{found:?}");
        assert!(found.write_per_second > ByteSize::ZERO && found.read_per_second > ByteSize::ZERO, "{found:?}");
        assert!(found.random_reads_per_second > 0 && found.sync_microseconds.is_some(), "{found:?}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_name_that_is_needed_is_taken_away_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let opened = open_dir(dir.path()).unwrap();
        let file = without_its_name(&opened, dir.path()).unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        file.write_all_at(b"x", 0).unwrap();
    }

    #[test]
    fn what_cannot_be_measured_says_why() {
        let error = probe(Path::new("/proc/self")).unwrap_err();
        assert!(error.to_string().contains("cannot measure how fast"), "{error}");
        assert_eq!(probe(Path::new("/nonexistent")).unwrap_err().kind(), HostErrorKind::NotFound);
    }
}
