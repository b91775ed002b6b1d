//! Measures a disk as it is and with what a performance mode changes, in turn, and puts everything back.
//!
//! Invariant: what is changed is written down first (`record`), and taken back when it ends, however it ends; killed here,
//! the next one does that before it begins. Files are written in scratch subvolumes of our own and nowhere else.

mod record;
mod scratch;

use std::collections::BTreeMap;
use std::path::Path;

use subvault_host::inode_attributes::Inherited;
use subvault_host::interruption::Interruption;
use subvault_host::pool::Pool;
use subvault_host::sysctl;
use subvault_host::{HostError, HostErrorKind, identity};
use subvault_model::bytesize::ByteSize;
use subvault_model::io_test::{IoTest, Rate};
use subvault_model::monitor::{Event, Monitor};
use subvault_plan::io_bench::judge::{Pair, Round};
use subvault_plan::io_bench::room;
use subvault_plan::io_bench::trial::{Here, Storage, Trial, names};
use subvault_plan::strategy::storage::Mode;

use self::record::Record;
use self::scratch::Scratches;
use crate::error::JobError;

/// What is measured.
pub struct IoBenchJob<'a> {
    /// Below which directory.
    pub directory: &'a Path,
    /// The state directory, where what is changed is written down meanwhile.
    pub state: &'a Path,
    /// How large the file is that is written and read.
    pub size: ByteSize,
    /// How often each is measured.
    pub rounds: u32,
    /// What is compared.
    pub trial: &'a Trial,
    /// Who listens.
    pub monitor: &'a dyn Monitor,
}

/// Looks at what a mode would change: attributes of the directory and parameters of the kernel. `options` are those of its
/// filesystem.
///
/// # Errors
/// When the directory is not there, or is not on Btrfs.
pub fn look(directory: &Path, options: Vec<String>, mode: Mode) -> Result<Here, JobError> {
    // Elsewhere an attribute of the same name may mean something else. And who may not read this could make scratch
    // subvolumes and not remove them.
    let default = Pool::containing(directory)?.default_subvolume();
    default.map_err(|error| error.with_hint("only root may measure so"))?;
    let inherited = Inherited::open(directory)?;
    let compression = inherited.compression()?.and_then(|word| String::from_utf8(word).ok());
    let storage = Storage { compression, is_nocow: inherited.is_nocow()? };
    let read = names(mode).into_iter().filter_map(|name| Some((name.to_owned(), sysctl::read(name).ok()?)));
    let sysctls: BTreeMap<String, String> = read.collect();
    Ok(Here { options, storage, sysctls })
}

/// Takes back what one that was killed left, here and where it was at work; what that was, in words.
///
/// # Errors
/// When something cannot be put back.
pub fn recover(directory: &Path, state: &Path) -> Result<Vec<String>, JobError> {
    let mut told = Vec::new();
    if let Some(record) = Record::read(state)? {
        told.extend(record.take_back()?);
        if record.directory() != directory {
            told.extend(scratch::remove_left_behind(record.directory())?);
        }
    }
    told.extend(scratch::remove_left_behind(directory)?);
    Record::remove(state)?;
    Ok(told)
}

/// Measures.
///
/// # Errors
/// `NoSpace` where too little is free; what writing and reading can give; `Interrupted` when a signal asked to end. What was
/// changed is then put back as well.
pub fn measure(job: &IoBenchJob<'_>) -> Result<Vec<Round>, JobError> {
    check_room(job.directory, job.size)?;
    let record = Record::new(job.directory, &job.trial.sysctls)?;
    let interruption = Interruption::begin()?;
    record.write(job.state)?;
    let mark = identity::process_mark()?;
    let measured = rounds(job, &mark, &interruption);
    // Both are tried, whatever became of the other.
    let back = record.take_back();
    let removed = scratch::remove(job.directory, &mark);
    if back.is_ok() && removed.is_ok() {
        Record::remove(job.state)?;
    }
    let measured = measured?;
    back?;
    removed?;
    Ok(measured)
}

fn check_room(directory: &Path, size: ByteSize) -> Result<(), JobError> {
    let free = Pool::containing(directory)?.space()?.data_free;
    let wanted = room(size);
    if free >= wanted {
        return Ok(());
    }
    let hint = format!("{wanted} have to be free for a file of {size}, and about {free} are; say a smaller --size");
    Err(HostError::because("measure in", directory, HostErrorKind::NoSpace, hint).into())
}

/// Which of the two is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Now,
    Tuned,
}

fn rounds(job: &IoBenchJob<'_>, mark: &str, interruption: &Interruption) -> Result<Vec<Round>, JobError> {
    let scratches = Scratches::make(job, mark)?;
    let mut rounds = Vec::new();
    for number in 0..job.rounds {
        // What changes with time then changes for both.
        let order = if number % 2 == 0 { [Side::Now, Side::Tuned] } else { [Side::Tuned, Side::Now] };
        let mut rates: BTreeMap<IoTest, [Option<Rate>; 2]> = BTreeMap::new();
        for side in order {
            let how = if side == Side::Now { "as it is now" } else { "as it would be" };
            let what = format!("round {} of {}, {how}", number + 1, job.rounds);
            job.monitor.event(Event::Started { what, expected: None });
            set(job.trial, side)?;
            for test in IoTest::ALL {
                let rate = scratches.of(side, job, interruption).measure(test)?;
                rates.entry(test).or_default()[usize::from(side == Side::Tuned)] = Some(rate);
            }
            scratches.of(side, job, interruption).clear()?;
        }
        let pairs = rates.into_iter().filter_map(|(test, rates)| match rates {
            [Some(now), Some(tuned)] => Some((test, Pair { now, tuned })),
            _ => None,
        });
        rounds.push(pairs.collect());
    }
    job.monitor.event(Event::Finished);
    Ok(rounds)
}

/// Sets the parameters of the kernel for what is measured next.
fn set(trial: &Trial, side: Side) -> Result<(), JobError> {
    for change in &trial.sysctls {
        let setting = if side == Side::Now { &change.back } else { &change.set };
        sysctl::write(&setting.name, &setting.value)
            .map_err(|error| error.with_hint("only root may, and not in every container; try it without --sysctls"))?;
    }
    Ok(())
}
