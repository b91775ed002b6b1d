//! A line to another machine: frames both ways, signs of life, and an end when none come.
//!
//! Each side shows that it is there every few seconds, also while it has nothing to say. A side that hears nothing for the
//! stall time takes the other for dead. Queues are bounded: whoever is slow slows the other down.

use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use subvault_host::clock;

use super::wire::{Frame, read_frame, write_data, write_frame};
use crate::error::JobError;

/// Frames that were read and not yet taken.
const QUEUE: usize = 4;
/// How often a side shows that it is there, at least.
const ALIVE_EVERY: Duration = Duration::from_secs(10);

/// One end of a line.
pub(super) struct Line {
    writer: Arc<Mutex<Box<dyn Write + Send>>>,
    frames: Receiver<std::io::Result<Frame>>,
    shared: Arc<Shared>,
    stall: Duration,
    /// Who is at the other end, for people.
    peer: String,
}

struct Shared {
    heard: Mutex<Instant>,
    ended: Mutex<bool>,
    ending: Condvar,
}

impl Shared {
    fn silent_for(&self) -> Duration {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    fn hears(&self) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = clock::monotonic();
    }
}

impl Line {
    /// Opens a line. `on_stall` is called once the other side was silent for too long; it must unblock reads and writes.
    ///
    /// # Errors
    /// When no threads are to be had.
    pub(super) fn open(
        reader: impl Read + Send + 'static,
        writer: impl Write + Send + 'static,
        stall: Duration,
        peer: String,
        on_stall: impl Fn() + Send + 'static,
    ) -> Result<Self, JobError> {
        let writer: Arc<Mutex<Box<dyn Write + Send>>> = Arc::new(Mutex::new(Box::new(writer)));
        let shared = Arc::new(Shared {
            heard: Mutex::new(clock::monotonic()),
            ended: Mutex::new(false),
            ending: Condvar::new(),
        });
        let (sender, frames) = sync_channel(QUEUE);
        let spawn = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let trouble = || JobError::file("start a thread for the line to", peer.clone());
        let listening = Arc::clone(&shared);
        spawn("line").spawn(move || listen(reader, &sender, &listening)).map_err(trouble())?;
        let (living, to) = (Arc::clone(&shared), Arc::clone(&writer));
        spawn("alive").spawn(move || show_life(&to, &living, stall, &on_stall)).map_err(trouble())?;
        Ok(Self { writer, frames, shared, stall, peer })
    }

    /// Says something.
    pub(super) fn say<T: Serialize>(&self, message: &T) -> Result<(), JobError> {
        let bytes = serde_json::to_vec(message).map_err(|e| JobError::Bug(e.to_string()))?;
        self.write(&Frame::Message(bytes))
    }

    /// Writes a frame.
    pub(super) fn write(&self, frame: &Frame) -> Result<(), JobError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        write_frame(writer.as_mut(), frame).map_err(|e| self.broken(e.to_string()))
    }

    /// Writes a piece of a stream.
    pub(super) fn write_data(&self, piece: &[u8]) -> Result<(), JobError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        write_data(writer.as_mut(), piece).map_err(|e| self.broken(e.to_string()))
    }

    /// Waits for the next frame; `None` when the other side has hung up.
    pub(super) fn next(&self) -> Result<Option<Frame>, JobError> {
        loop {
            match self.frames.recv_timeout(Duration::from_secs(1).min(self.stall)) {
                Ok(Ok(frame)) => return Ok(Some(frame)),
                Ok(Err(error)) => return Err(self.broken(error.to_string())),
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) if self.shared.silent_for() > self.stall => {
                    return Err(JobError::Connection {
                        peer: self.peer.clone(),
                        what: format!("nothing was heard of it for {} s", self.stall.as_secs()),
                    });
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// The next frame if one is there.
    pub(super) fn peek(&self) -> Result<Option<Frame>, JobError> {
        match self.frames.try_recv() {
            Ok(Ok(frame)) => Ok(Some(frame)),
            Ok(Err(error)) => Err(self.broken(error.to_string())),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(self.hung_up()),
        }
    }

    /// Understands a message.
    pub(super) fn understand<T: DeserializeOwned>(&self, frame: Option<Frame>) -> Result<T, JobError> {
        match frame {
            Some(Frame::Message(bytes)) => serde_json::from_slice(&bytes).map_err(|e| self.broken(e.to_string())),
            Some(_) => Err(self.broken("it sends data where it should answer".to_owned())),
            None => Err(self.hung_up()),
        }
    }

    /// Says no more.
    pub(super) fn hang_up(&self) {
        *self.writer.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(std::io::sink());
    }

    /// The other side has gone.
    pub(super) fn hung_up(&self) -> JobError {
        self.broken("it has closed the connection".to_owned())
    }

    fn broken(&self, what: String) -> JobError {
        JobError::Connection { peer: self.peer.clone(), what }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        *self.shared.ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.ending.notify_all();
    }
}

fn listen(mut reader: impl Read, to: &SyncSender<std::io::Result<Frame>>, shared: &Shared) {
    loop {
        let frame = read_frame(&mut reader).transpose();
        shared.hears();
        match frame {
            None => return,
            Some(Ok(Frame::Alive)) => {}
            Some(frame) => {
                let failed = frame.is_err();
                if to.send(frame).is_err() || failed {
                    return;
                }
            }
        }
    }
}

fn show_life(writer: &Mutex<Box<dyn Write + Send>>, shared: &Shared, stall: Duration, on_stall: &dyn Fn()) {
    let every = ALIVE_EVERY.min(stall / 4);
    let mut ended = shared.ended.lock().unwrap_or_else(PoisonError::into_inner);
    while !*ended {
        ended = shared.ending.wait_timeout(ended, every).unwrap_or_else(PoisonError::into_inner).0;
        if *ended {
            return;
        }
        if shared.silent_for() > stall {
            return on_stall();
        }
        // Where something is being written, that shows it as well.
        if let Ok(mut writer) = writer.try_lock()
            && write_frame(writer.as_mut(), &Frame::Alive).is_err()
        {
            return;
        }
    }
}
