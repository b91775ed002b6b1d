//! A replica of another machine, over SSH.
//!
//! The system's own client makes the connection, so that keys, agents and jumps work as everywhere. It is never asked to
//! connect to a host whose key it does not know. What the other side says that it has is taken for what it says, and
//! compared: a copy counts once it was announced with the identity that was sent.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use subvault_host::process::Conversation;
use subvault_host::subvolume::Subvolume;
use subvault_model::bytesize::ByteSize;
use subvault_model::file_path::FilePath;
use subvault_model::ids::{PoolUuid, SnapshotUuid};
use subvault_model::monitor::Event;
use subvault_model::names::{HostName, SnapshotName, SubvolumeName};
use subvault_model::replica::ReplicaCopy;

use super::line::Line;
use super::message::{Answer, Question, Welcome};
use super::pump::{PIECE, next_piece};
use super::wire::{Frame, PROTOCOL};
use super::{CopySource, Delivery, Extract, Holding, Inventory, Order, Replica, Sink};
use crate::error::JobError;

/// How long the client may take to end after the conversation.
const FAREWELL: Duration = Duration::from_secs(10);

/// How another machine is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshSettings {
    /// `user@host`, or a name from the client's own configuration.
    pub host: String,
    /// Another port than usual.
    pub port: Option<u16>,
    /// The key to log in with.
    pub identity_file: Option<PathBuf>,
    /// Where the keys of known hosts are.
    pub known_hosts: Option<PathBuf>,
    /// More options for the client, as after `-o`.
    pub options: Vec<String>,
    /// What is run there, unless a forced command says what.
    pub program: Vec<String>,
    /// After how long without a sign of life the other side is taken for dead.
    pub stall: Duration,
}

impl SshSettings {
    /// The command line of the client. The options that matter come first, as the client takes the first of each.
    #[must_use]
    pub fn command(&self, directory: &std::path::Path) -> Vec<OsString> {
        let mut argv: Vec<OsString> = ["ssh", "-T"].map(OsString::from).to_vec();
        for option in [
            "BatchMode=yes",
            "StrictHostKeyChecking=yes",
            "ClearAllForwardings=yes",
            "ForwardAgent=no",
            "PermitLocalCommand=no",
            "EscapeChar=none",
            "RequestTTY=no",
            "ConnectTimeout=30",
            "ServerAliveInterval=15",
            "ServerAliveCountMax=4",
        ] {
            argv.extend(["-o".into(), option.into()]);
        }
        let mut file = |option: &str, path: &Option<PathBuf>| {
            if let Some(path) = path {
                let mut text = OsString::from(format!("{option}="));
                text.push(path);
                argv.extend(["-o".into(), text]);
            }
        };
        file("UserKnownHostsFile", &self.known_hosts);
        file("IdentityFile", &self.identity_file);
        if self.identity_file.is_some() {
            argv.extend(["-o".into(), "IdentitiesOnly=yes".into()]);
        }
        if let Some(port) = self.port {
            argv.extend(["-p".into(), port.to_string().into()]);
        }
        for option in &self.options {
            argv.extend(["-o".into(), option.into()]);
        }
        argv.extend(["--".into(), OsString::from(&self.host)]);
        // The other side's shell reads this, where no forced command takes its place.
        let mut words: Vec<OsString> = self.program.iter().map(OsString::from).collect();
        words.extend(["ssh-serve".into(), "--directory".into(), directory.as_os_str().to_owned()]);
        argv.push(words.iter().map(quoted).collect::<Vec<_>>().join(&OsString::from(" ")));
        argv
    }
}

/// A word as a shell understands it.
fn quoted(word: &OsString) -> OsString {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let mut out = vec![b'\''];
    for byte in word.as_bytes() {
        if *byte == b'\'' { out.extend(b"'\\''") } else { out.push(*byte) }
    }
    out.push(b'\'');
    OsString::from_vec(out)
}

/// Copies on another machine.
pub struct RemoteReplica {
    line: Line,
    program: Arc<Conversation>,
    peer: String,
}

impl RemoteReplica {
    /// Connects; and tells which pool the copies are on.
    ///
    /// # Errors
    /// When the other machine cannot be reached, or does not answer as it should.
    pub fn connect(
        settings: &SshSettings,
        directory: &std::path::Path,
        host: &HostName,
        change: bool,
    ) -> Result<(Self, PoolUuid), JobError> {
        let peer = settings.host.clone();
        let (program, from, to) = Conversation::start(&settings.command(directory))?;
        let program = Arc::new(program);
        let watched = Arc::clone(&program);
        let line = Line::open(from, to, settings.stall, peer.clone(), move || watched.kill())?;
        let hello = Question::Hello { protocol: PROTOCOL, host: host.clone(), change };
        let mut replica = Self { line, program, peer };
        let welcome: Result<Welcome, JobError> = replica.ask(&hello);
        let welcome = welcome.map_err(|error| replica.explained(error))?;
        if welcome.protocol != PROTOCOL {
            return Err(JobError::Refused {
                what: format!("{} speaks another version of the conversation", replica.peer),
                hint: "install the same version of subvault on both sides".to_owned(),
            });
        }
        Ok((replica, welcome.pool))
    }

    /// What the client said when it ended says more than that the line is closed.
    fn explained(&self, error: JobError) -> JobError {
        match error {
            JobError::Connection { peer, what } => {
                let said = self.program.end(FAREWELL);
                JobError::Connection { peer, what: said.unwrap_or(what) }
            }
            other => other,
        }
    }

    fn ask<T: DeserializeOwned>(&mut self, question: &Question) -> Result<T, JobError> {
        self.line.say(question)?;
        self.answer()
    }

    fn answer<T: DeserializeOwned>(&mut self) -> Result<T, JobError> {
        let frame = self.line.next()?;
        self.understand(frame)
    }

    fn understand<T: DeserializeOwned>(&self, frame: Option<Frame>) -> Result<T, JobError> {
        match self.line.understand(frame)? {
            Answer::Done(value) => serde_json::from_value(value).map_err(|e| JobError::Connection {
                peer: self.peer.clone(),
                what: format!("its answer was not understood: {e}"),
            }),
            Answer::Failed { what, kind, hint } => {
                Err(JobError::Remote { peer: self.peer.clone(), what, kind: kind.into(), hint })
            }
        }
    }

    /// What it says that it has received is looked at once more.
    fn is_there(&mut self, order: &Order, uuid: SnapshotUuid) -> Result<(), JobError> {
        let there = self.look(&order.subvolume)?.copies;
        let right = |copy: &ReplicaCopy| copy.intact && copy.name == order.name && copy.received == Some(order.origin);
        if there.iter().any(|copy| copy.uuid == uuid && right(copy)) {
            return Ok(());
        }
        let what = format!("{} says that it has received {}, and does not have it", self.peer, order.name);
        Err(JobError::Unfaithful { what })
    }

    /// Passes a stream on. Ends early when the other side says that it is of no use.
    fn pass(&mut self, delivery: &mut Delivery<'_>) -> Result<u64, JobError> {
        let mut block = vec![0; PIECE];
        let mut hasher = blake3::Hasher::new();
        let mut bytes = 0_u64;
        loop {
            let piece = next_piece(&mut delivery.stream, &mut block).map_err(JobError::file("send to", &self.peer))?;
            if piece.is_empty() {
                break;
            }
            if let Some(frame) = self.line.peek()? {
                let early: Result<serde_json::Value, JobError> = self.understand(Some(frame));
                return Err(early.err().unwrap_or_else(|| JobError::Bug("an answer came too early".to_owned())));
            }
            delivery.throttle.wait(piece.len());
            hasher.update(piece);
            self.line.write_data(piece)?;
            bytes += piece.len() as u64;
            delivery.pace.consumed(ByteSize::bytes(bytes));
            delivery.monitor.event(Event::Progress(ByteSize::bytes(piece.len() as u64)));
            subvault_model::crash::point("copy-sent");
        }
        // Nothing but the kernel's own word makes a stream whole.
        self.line.write(&Frame::End(bytes, *hasher.finalize().as_bytes())).map(|()| bytes)
    }
}

impl Replica for RemoteReplica {
    fn look(&mut self, subvolume: &SubvolumeName) -> Result<Inventory, JobError> {
        self.ask(&Question::Look { subvolume: subvolume.clone() })
    }

    fn look_inside(&mut self, subvolume: &SubvolumeName, path: &FilePath) -> Result<Vec<Holding>, JobError> {
        self.ask(&Question::LookInside { subvolume: subvolume.clone(), path: path.clone() })
    }

    fn open(&self, _: &CopySource) -> Result<Option<Subvolume>, JobError> {
        Ok(None)
    }

    fn send(&mut self, wanted: &Extract, sink: &mut Sink<'_>) -> Result<(), JobError> {
        self.line.say(&Question::Send(wanted.clone()))?;
        let mut hasher = blake3::Hasher::new();
        let mut bytes = 0_u64;
        loop {
            match self.line.next()? {
                Some(Frame::Data(piece)) => {
                    hasher.update(&piece);
                    bytes += piece.len() as u64;
                    // What is still on its way is not waited for: that may be much.
                    sink(&piece).inspect_err(|_| self.program.kill())?;
                }
                Some(Frame::End(length, hash)) if length == bytes && hash == *hasher.finalize().as_bytes() => {
                    return Ok(());
                }
                Some(Frame::End(..)) => {
                    let what = format!("what arrived of {} is not what {} has sent", wanted.copy.name, self.peer);
                    return Err(JobError::Unfaithful { what });
                }
                other => {
                    let failed: Result<serde_json::Value, JobError> = self.understand(other);
                    return Err(failed.err().unwrap_or_else(|| JobError::Bug("an answer and no stream".to_owned())));
                }
            }
        }
    }

    fn receive(&mut self, order: &Order, mut delivery: Delivery<'_>) -> Result<(SnapshotUuid, u64), JobError> {
        let () = self.ask(&Question::Receive(order.clone()))?;
        let passed = self.pass(&mut delivery);
        let sent = delivery.stream.finish();
        match (passed, sent) {
            (Ok(bytes), Ok(())) => {
                let uuid = self.answer()?;
                self.is_there(order, uuid)?;
                Ok((uuid, bytes))
            }
            // The other side has given its answer, and waits for the end of what was on its way.
            (Err(error @ JobError::Remote { .. }), _) => {
                self.line.write(&Frame::Abort)?;
                Err(error)
            }
            (passed, sent) => {
                let error = match (passed, sent) {
                    (Err(error @ JobError::Connection { .. }), _) => return Err(self.explained(error)),
                    (Ok(_) | Err(JobError::File { .. }), Err(kernel)) => kernel.into(),
                    (Err(error), _) => error,
                    (Ok(_), Ok(())) => JobError::Bug("a stream that is whole and is not".to_owned()),
                };
                self.line.write(&Frame::Abort)?;
                let _: Result<serde_json::Value, JobError> = self.answer();
                Err(error)
            }
        }
    }

    fn remove_unfinished(
        &mut self,
        subvolume: &SubvolumeName,
        name: &SnapshotName,
        uuid: SnapshotUuid,
    ) -> Result<(), JobError> {
        self.ask(&Question::RemoveUnfinished { subvolume: subvolume.clone(), name: name.clone(), uuid })
    }

    fn delete(&mut self, subvolume: &SubvolumeName, name: &SnapshotName, uuid: SnapshotUuid) -> Result<(), JobError> {
        self.ask(&Question::Delete { subvolume: subvolume.clone(), name: name.clone(), uuid })
    }
}

impl Drop for RemoteReplica {
    /// Waits for the other side to end, so that whoever comes next finds nothing locked.
    fn drop(&mut self) {
        self.line.hang_up();
        let _ = self.program.end(FAREWELL);
    }
}
