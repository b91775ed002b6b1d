//! What differs between two read-only subvolumes, read from their trees.
//!
//! Trees are never edited in place. Of two lines that parted in one transaction, each holds what it has written since in
//! leaves of that transaction or later; all other leaves are the same in both. The kernel finds such leaves without
//! looking at the others, and so what differs is found in time proportional to it:
//! - What is made or changed has its inode in such a leaf, on the side that did it.
//! - What is gone has left a directory that was changed by it, whose names are compared; what was in a
//!   directory that is gone is gone, or in one of these leaves under another name.
//!
//! Memory: the inodes that were written since, with their names. Nothing is written; killed here, nothing has happened. It
//! must never be asked about subvolumes that can change meanwhile, or with a transaction later than the one in which
//! the lines parted.

mod compare;
mod extents;
mod item;
mod measure;
mod pairs;
mod paths;
mod reader;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::thread;

use rustix::io::{Errno, Result as Answer};
use subvault_model::ids::TransactionId;
use subvault_sendstream::changes::Change;

pub use self::measure::{holds_only_directories, written_since};

use self::compare::Pair;
use self::item::{Child, TOP};
use self::pairs::{Found, Sides, Task};
use crate::error::{HostError, Result};
use crate::look::Look;
use crate::subvolume::Subvolume;

/// Into how many ranges the numbers of the inodes are divided: several for each processor, so that all end together.
const RANGES: u64 = 32;

/// How many names that are gone are looked at in one go.
const CHILDREN: usize = 256;

/// More threads would wait for each other in the kernel.
const THREADS: usize = 8;

/// A change, and what a look at it on both sides shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// What has changed.
    pub change: Change,
    /// What was there; `None` for what is new.
    pub before: Option<Look>,
    /// What is there; `None` for what is gone.
    pub after: Option<Look>,
}

/// What differs between two read-only subvolumes whose lines parted in this transaction (`parted`), in no order.
///
/// `None` where the kernel does not let us read the trees.
///
/// # Errors
/// What else the kernel says.
pub fn compare(from: &Subvolume, to: &Subvolume, parted: TransactionId) -> Result<Option<Vec<Compared>>> {
    match compared(from, to, parted.0) {
        Ok(list) => Ok(Some(list)),
        Err(Errno::PERM | Errno::ACCESS | Errno::NOTTY | Errno::OPNOTSUPP) => Ok(None),
        Err(error) => Err(HostError::new("compare", to.path(), error)),
    }
}

fn compared(from: &Subvolume, to: &Subvolume, since: u64) -> Answer<Vec<Compared>> {
    let mut sides = Sides::new(from, to, since);
    let end = sides.end()?;
    let width = (end - TOP).div_ceil(RANGES).max(1);
    let at = |range: u64| width.saturating_mul(range).saturating_add(TOP).min(end);
    let ranges = (0..RANGES).map(|range| at(range)..at(range + 1));
    let mut tasks: Vec<Task> = ranges.filter(|range| !range.is_empty()).map(Task::Written).collect();
    let mut pairs: BTreeMap<u64, Pair> = BTreeMap::new();
    while !tasks.is_empty() {
        let found = share_out(tasks, || Sides::new(from, to, since))?;
        pairs.extend(found.pairs.into_iter().map(|pair| (pair.number, pair)));
        // Of a file with several names each may be gone.
        let lost: BTreeSet<Child> = found.lost.into_iter().collect();
        let unknown = lost.into_iter().filter(|child| child.number.is_some_and(|number| !pairs.contains_key(&number)));
        let unknown: Vec<Child> = unknown.collect();
        tasks = unknown.chunks(CHILDREN).map(|children| Task::Children(children.to_vec())).collect();
    }
    compare::changes(&pairs, |directory| sides.name(directory))
}

/// Has the tasks done by all processors.
fn share_out<'a>(tasks: Vec<Task>, sides: impl Fn() -> Sides<'a> + Sync) -> Answer<Found> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(THREADS).min(tasks.len());
    let tasks = Mutex::new(tasks.into_iter());
    let work = || -> Answer<Found> {
        let (mut sides, mut found) = (sides(), Found::default());
        loop {
            // A thread that panics ends the comparison, so what it left is not used.
            let next = tasks.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next();
            let Some(task) = next else { return Ok(found) };
            let more = sides.look(task)?;
            found.pairs.extend(more.pairs);
            found.lost.extend(more.lost);
        }
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut all = work()?;
        for other in others {
            let found = other.join().unwrap_or(Err(Errno::IO))?;
            all.pairs.extend(found.pairs);
            all.lost.extend(found.lost);
        }
        Ok(all)
    })
}
