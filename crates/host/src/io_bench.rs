//! Small pieces of work on a scratch subvolume, timed.
//!
//! Invariant: everything is done below the subvolume that is given, through what is held open, so that nothing else is written
//! to whatever becomes of its path; beside it there is one snapshot for a while. Killed here: both stay, and whoever named
//! them removes them. What is written compresses to about a half, as much of what people keep does.

mod content;

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{Advice, AtFlags, Mode, OFlags};
use subvault_model::bytesize::ByteSize;
use subvault_model::io_test::{IoTest, Rate};

use self::content::{Content, LARGE};
use crate::clock;
use crate::error::{HostError, Result};
use crate::interruption::Interruption;
use crate::probe::stride;
use crate::snapshot;
use crate::subvolume::Subvolume;

/// How long at most what is counted by number is done.
const TIME: Duration = Duration::from_secs(1);
/// What is read at random, and how large small files are.
const SMALL: usize = 4 << 10;
/// A page of a database.
const PAGE: usize = 16 << 10;
/// After so many pages they are written to the disk, as after a transaction.
const PAGES_AT_ONCE: u64 = 16;
/// The file of pages, at most; and as a part of the large one.
const PAGES_MAX: u64 = 64 << 20;
const PART_OF_LARGE: u64 = 4;
const FILES_MAX: u64 = 2000;

const DATA: &str = "data";
const PAGES: &str = "pages";
const WHAT: &str = "measure in";

/// Where it is measured.
#[derive(Debug)]
pub struct Scratch<'a> {
    /// An empty subvolume of our own.
    pub subvolume: &'a Subvolume,
    /// The directory that it is in.
    pub directory: &'a Path,
    /// What a snapshot of it is called meanwhile.
    pub snapshot: &'a OsStr,
    /// How large the large file is.
    pub size: ByteSize,
    /// Who may ask to stop.
    pub interruption: &'a Interruption,
}

type Answer<T> = std::io::Result<T>;

impl Scratch<'_> {
    /// Does one piece of work.
    ///
    /// # Errors
    /// What writing and reading can give; `Interrupted` when somebody asked to stop.
    pub fn measure(&self, test: IoTest) -> Result<Rate> {
        match test {
            IoTest::SequentialWrite => self.write(),
            IoTest::SequentialRead => self.read(),
            IoTest::RandomRead => self.read_at_random(),
            IoTest::SmallFiles => self.make_small_files(),
            IoTest::RewriteAfterSnapshot => self.rewrite(),
        }
    }

    /// Removes all files, and waits until that is on the disk, so that it does not disturb what is measured next.
    ///
    /// # Errors
    /// When one cannot be removed.
    pub fn clear(&self) -> Result<()> {
        clear(self.subvolume)?;
        self.subvolume.sync_filesystem()
    }

    fn check(&self) -> Result<()> {
        self.interruption.check(WHAT, self.directory)
    }

    fn trouble(&self) -> impl Fn(std::io::Error) -> HostError + use<'_> {
        |error| HostError::new(WHAT, self.subvolume.path(), error)
    }

    fn write(&self) -> Result<Rate> {
        let file = make(self.subvolume, DATA).map_err(self.trouble())?;
        let took = self.fill(&file, self.size.get())?;
        Ok(Rate::of(at_least_one(self.size.get()), took))
    }

    /// Writes so much, until it is on the disk.
    fn fill(&self, file: &File, size: u64) -> Result<Duration> {
        let content = Content::new();
        let begin = clock::monotonic();
        for at in (0..size).step_by(LARGE) {
            self.check()?;
            let block = content.block(at);
            let end = usize::try_from(size - at).unwrap_or(LARGE).min(LARGE);
            file.write_all_at(&block[..end], at).map_err(self.trouble())?;
        }
        file.sync_all().map_err(self.trouble())?;
        Ok(begin.elapsed())
    }

    fn read(&self) -> Result<Rate> {
        let file = self.forgotten(Advice::Sequential).map_err(self.trouble())?;
        let (mut block, mut at, begin) = (vec![0; LARGE], 0, clock::monotonic());
        loop {
            self.check()?;
            match file.read_at(&mut block, at).map_err(self.trouble())? {
                0 => break,
                read => at += read as u64,
            }
        }
        Ok(Rate::of(at_least_one(at), begin.elapsed()))
    }

    fn read_at_random(&self) -> Result<Rate> {
        let file = self.forgotten(Advice::Random).map_err(self.trouble())?;
        let blocks = self.size.get() / SMALL as u64;
        let (stride, mut block) = (stride(blocks), vec![0; SMALL]);
        self.repeat(blocks, |number| file.read_exact_at(&mut block, number * stride % blocks * SMALL as u64))
    }

    fn make_small_files(&self) -> Result<Rate> {
        let content = Content::new();
        self.repeat(FILES_MAX, |number| {
            let file = make(self.subvolume, &format!("small-{number}"))?;
            file.write_all_at(&content.block(number * SMALL as u64)[..SMALL], 0)?;
            file.sync_all()
        })
    }

    fn rewrite(&self) -> Result<Rate> {
        let file = make(self.subvolume, PAGES).map_err(self.trouble())?;
        let size = (self.size.get() / PART_OF_LARGE).min(PAGES_MAX);
        self.fill(&file, size)?;
        let (pages, content) = (size / PAGE as u64, Content::new());
        let stride = stride(pages);
        let begin = clock::monotonic();
        // Writable, so that what it holds can be given back at once, and not when the kernel comes to it.
        let (snapshot, info) = snapshot::take_writable(self.subvolume, self.directory, self.snapshot)?;
        let rate = self.repeat_since(begin, pages, |number| {
            let page = &content.block(number * PAGE as u64)[..PAGE];
            file.write_all_at(page, number * stride % pages * PAGE as u64)?;
            if (number + 1) % PAGES_AT_ONCE == 0 { file.sync_data() } else { Ok(()) }
        })?;
        clear(&snapshot)?;
        Subvolume::delete(self.directory, self.snapshot, info.identity()?)?;
        Ok(rate)
    }

    fn repeat(&self, most: u64, act: impl FnMut(u64) -> Answer<()>) -> Result<Rate> {
        self.repeat_since(clock::monotonic(), most, act)
    }

    /// Does it again and again while there is time, and once in any case.
    fn repeat_since(&self, begin: Instant, most: u64, mut act: impl FnMut(u64) -> Answer<()>) -> Result<Rate> {
        let mut done = 0;
        while done < most && (done == 0 || begin.elapsed() < TIME) {
            self.check()?;
            act(done).map_err(self.trouble())?;
            done += 1;
        }
        Ok(Rate::of(at_least_one(done), begin.elapsed()))
    }

    /// The large file, of which the kernel keeps nothing in memory.
    fn forgotten(&self, then: Advice) -> Answer<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(self.subvolume, DATA, flags, Mode::empty())?);
        rustix::fs::fadvise(&file, 0, None, Advice::DontNeed)?;
        rustix::fs::fadvise(&file, 0, None, then)?;
        Ok(file)
    }
}

fn at_least_one(count: u64) -> NonZeroU64 {
    NonZeroU64::new(count).unwrap_or(NonZeroU64::MIN)
}

fn make(subvolume: &Subvolume, name: &str) -> Answer<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(subvolume, name, flags, Mode::RUSR | Mode::WUSR)?.into())
}

/// Removes the files in a subvolume of ours, which has no directories.
fn clear(subvolume: &Subvolume) -> Result<()> {
    let trouble = |error: rustix::io::Errno| HostError::new("remove the files in", subvolume.path(), error);
    let mut names: Vec<CString> = Vec::new();
    for entry in rustix::fs::Dir::read_from(subvolume).map_err(trouble)? {
        let name = entry.map_err(trouble)?.file_name().to_owned();
        if !matches!(name.to_bytes(), b"." | b"..") {
            names.push(name);
        }
    }
    names.iter().try_for_each(|name| rustix::fs::unlinkat(subvolume, name, AtFlags::empty()).map_err(trouble))
}
