//! Threads that carry out jobs while the stream is read on.
//!
//! Invariant: the jobs of one lane are carried out in the order in which they were given; the jobs of different
//! lanes in any order, so whoever gives them sees to it that they concern different inodes. At most `QUEUE` bytes
//! wait in a lane. After a failure nothing more is carried out, and the failure comes out of the next call.
//! Killed here: the subvolume is unfinished, and says so itself.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::error::{ReceiveError, Result};
use super::inode::Inode;
use super::job::{Job, Op, Rules};

/// Jobs are handed over by so many, or by so many bytes, since waking a thread costs as much as a small file.
const BATCH_JOBS: usize = 32;
const BATCH_BYTES: usize = 2 << 20;
/// What may wait in a lane.
const QUEUE: usize = 4 << 20;
/// What a job counts beside its data, so that few wait: each can hold a directory open, and each clone a file.
const JOB_BYTES: usize = 64 << 10;
const CLONE_BYTES: usize = 64 << 10;

/// A job's place in the order of its lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket {
    lane: usize,
    number: u64,
}

/// How far each lane was at one moment.
pub(super) struct Progress(Vec<u64>);

impl Progress {
    pub(super) fn includes(&self, ticket: Ticket) -> bool {
        self.0.get(ticket.lane).is_some_and(|done| *done >= ticket.number)
    }
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Vec<Job>>,
    waiting_bytes: usize,
    /// How many jobs have been carried out.
    done: u64,
    failure: Option<ReceiveError>,
    failed: bool,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }
}

struct Lane {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// Not yet handed over.
    batch: Vec<Job>,
    batch_bytes: usize,
    /// How many jobs were ever given.
    given: u64,
}

/// The threads.
pub(super) struct Workers {
    lanes: Vec<Lane>,
    /// Where new files go until the batch is full.
    current: usize,
}

impl Workers {
    pub(super) fn start(count: usize, rules: Rules) -> Result<Self> {
        let lane = || {
            let shared = Arc::new(Shared::default());
            let theirs = Arc::clone(&shared);
            let thread = std::thread::Builder::new()
                .name("receive".to_owned())
                .spawn(move || work(&theirs, &rules))
                .map_err(ReceiveError::Thread)?;
            Ok(Lane { shared, thread: Some(thread), batch: Vec::new(), batch_bytes: 0, given: 0 })
        };
        Ok(Self { lanes: (0..count.max(1)).map(|_| lane()).collect::<Result<_>>()?, current: 0 })
    }

    /// The lane that new inodes go to now.
    pub(super) fn lane_for_new(&self) -> usize {
        self.current
    }

    /// Gives a lane a job. Waits while the lane is full.
    pub(super) fn give(&mut self, lane: usize, job: Job) -> Result<Ticket> {
        let into = &mut self.lanes[lane];
        into.batch_bytes += weight(&job);
        into.batch.push(job);
        into.given += 1;
        let ticket = Ticket { lane, number: into.given };
        if into.batch.len() >= BATCH_JOBS || into.batch_bytes >= BATCH_BYTES {
            into.hand_over()?;
            self.current = self.emptiest();
        }
        Ok(ticket)
    }

    fn emptiest(&self) -> usize {
        let load = |lane: &Lane| lane.shared.lock().waiting_bytes + lane.batch_bytes;
        (0..self.lanes.len()).min_by_key(|lane| load(&self.lanes[*lane])).unwrap_or_default()
    }

    /// What has been carried out by now.
    pub(super) fn progress(&self) -> Progress {
        Progress(self.lanes.iter().map(|lane| lane.shared.lock().done).collect())
    }

    /// Waits until a job has been carried out.
    pub(super) fn wait(&mut self, ticket: Ticket) -> Result<()> {
        self.lanes[ticket.lane].wait(ticket.number)
    }

    /// Waits until all jobs have been carried out.
    pub(super) fn drain(&mut self) -> Result<()> {
        for lane in &mut self.lanes {
            lane.hand_over()?;
        }
        for lane in &mut self.lanes {
            let all = lane.given;
            lane.wait(all)?;
        }
        Ok(())
    }
}

impl Lane {
    fn hand_over(&mut self) -> Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let mut state = self.shared.lock();
        while state.waiting_bytes >= QUEUE && !state.failed {
            state = self.shared.wait(state);
        }
        if state.failed {
            return Err(failure(&mut state));
        }
        state.waiting.push_back(std::mem::take(&mut self.batch));
        state.waiting_bytes += std::mem::take(&mut self.batch_bytes);
        self.shared.changed.notify_all();
        Ok(())
    }

    fn wait(&mut self, number: u64) -> Result<()> {
        self.hand_over()?;
        let mut state = self.shared.lock();
        while state.done < number && !state.failed {
            state = self.shared.wait(state);
        }
        if state.failed { Err(failure(&mut state)) } else { Ok(()) }
    }
}

fn weight(job: &Job) -> usize {
    let clones = job.ops.iter().filter(|op| matches!(op, Op::Clone { .. })).count();
    job.data.len() + JOB_BYTES + clones * CLONE_BYTES
}

fn failure(state: &mut State) -> ReceiveError {
    state.failure.take().unwrap_or(ReceiveError::Order("it goes on after an error"))
}

impl Drop for Workers {
    fn drop(&mut self) {
        for lane in &mut self.lanes {
            lane.shared.lock().closed = true;
            lane.shared.changed.notify_all();
        }
        for thread in self.lanes.iter_mut().filter_map(|lane| lane.thread.take()) {
            // A panic there has been reported as a failure already, or nobody asked any more.
            let _ = thread.join();
        }
    }
}

/// Tells the giver that nothing more will be done, should the thread end otherwise than by being closed.
struct Ending<'a>(&'a Shared);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.failed = true;
        if std::thread::panicking() {
            state.failure.get_or_insert(ReceiveError::Thread(std::io::Error::other("it ended before its work")));
        }
        drop(state);
        self.0.changed.notify_all();
    }
}

fn work(shared: &Shared, rules: &Rules) {
    let _ending = Ending(shared);
    let mut open: Option<Inode> = None;
    while let Some(batch) = next(shared) {
        let bytes: usize = batch.iter().map(weight).sum();
        let result = batch.iter().try_for_each(|job| job.run(rules, &mut open));
        let mut state = shared.lock();
        state.waiting_bytes = state.waiting_bytes.saturating_sub(bytes);
        state.done += batch.len() as u64;
        if let Err(error) = result {
            state.failure = Some(error);
            state.failed = true;
        }
        let failed = state.failed;
        drop(state);
        shared.changed.notify_all();
        if failed {
            return;
        }
    }
}

fn next(shared: &Shared) -> Option<Vec<Job>> {
    let mut state = shared.lock();
    loop {
        if state.closed {
            return None;
        }
        if let Some(batch) = state.waiting.pop_front() {
            return Some(batch);
        }
        state = shared.wait(state);
    }
}
