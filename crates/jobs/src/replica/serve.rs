//! The end of an SSH connection that has the copies: `subvault ssh-serve`, started by a forced command.
//!
//! It does what it is asked for in one directory and nothing else, whatever it is sent. A receive that does not come to
//! its end, because the line broke or the stream is not what was announced, leaves nothing behind.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use subvault_model::crash;
use subvault_model::names::HostName;

use super::directory::{Access, DirectoryReplica};
use super::line::Line;
use super::message::{Answer, Question, Welcome};
use super::pump::PIECE;
use super::wire::{Frame, PROTOCOL};
use super::{Extract, Order, Replica};
use crate::error::JobError;

/// What may be done.
#[derive(Debug, Clone)]
pub struct ServeSettings {
    /// The directory that copies are in.
    pub directory: PathBuf,
    /// The only host whose copies this is about; `None`: whatever the other side says.
    pub host: Option<HostName>,
    /// Nothing is ever deleted but what was not received to its end.
    pub append_only: bool,
    /// Nothing is ever sent back.
    pub no_restore: bool,
    /// After how long without a sign of life the other side is taken for dead.
    pub stall: Duration,
}

/// Answers questions until the other side hangs up.
///
/// # Errors
/// When the line breaks, or the other side speaks another language.
pub fn serve(
    settings: &ServeSettings,
    from: impl Read + Send + 'static,
    to: impl Write + Send + 'static,
) -> Result<(), JobError> {
    let line = Line::open(from, to, settings.stall, "the other side".to_owned(), || {})?;
    let Some(first) = line.next()? else { return Ok(()) };
    let (mut replica, may_change) = match line.understand(Some(first)).and_then(|q| welcome(settings, &q)) {
        Ok((replica, welcome, may_change)) => {
            line.say(&done(&welcome)?)?;
            (replica, may_change)
        }
        Err(error) => {
            line.say(&Answer::failed(&error))?;
            return Err(error);
        }
    };
    while let Some(frame) = line.next()? {
        let outcome = match line.understand(Some(frame))? {
            Question::Receive(_) | Question::Delete { .. } | Question::RemoveUnfinished { .. } if !may_change => {
                let what = "it was said that nothing would be changed, so the copies are not locked";
                Outcome::Failed(refused(what, "install the same version of subvault on both sides"))
            }
            Question::Receive(order) => receive(&replica, &line, &order)?,
            Question::LookInside { .. } | Question::Send(_) if settings.no_restore => Outcome::Failed(refused(
                "with this key copies can only be made, and nothing comes back",
                "restore there, or with a key that may: `--no-restore` is in its line of authorized_keys",
            )),
            Question::Send(wanted) => give_back(&mut replica, &line, &wanted)?,
            other => answer(settings, &mut replica, other).into(),
        };
        match outcome {
            Outcome::Answered => {}
            Outcome::Done(answer) => line.say(&answer)?,
            Outcome::Failed(error) => line.say(&Answer::failed(&error))?,
        }
    }
    Ok(())
}

/// What became of a question. Exactly one answer follows each, beside the word that a stream may begin.
enum Outcome {
    Done(Answer),
    Failed(JobError),
    /// It was said already.
    Answered,
}

impl From<Result<Answer, JobError>> for Outcome {
    fn from(result: Result<Answer, JobError>) -> Self {
        match result {
            Ok(answer) => Self::Done(answer),
            Err(error) => Self::Failed(error),
        }
    }
}

fn done<T: Serialize>(value: &T) -> Result<Answer, JobError> {
    serde_json::to_value(value).map(Answer::Done).map_err(|e| JobError::Bug(e.to_string()))
}

fn welcome(settings: &ServeSettings, question: &Question) -> Result<(DirectoryReplica, Welcome, bool), JobError> {
    let Question::Hello { protocol, host, change } = question else {
        return Err(refused(
            "the first question is not who asks",
            "install the same version of subvault on both sides",
        ));
    };
    if *protocol != PROTOCOL {
        let what = format!("it speaks version {protocol} of the conversation and this side {PROTOCOL}");
        return Err(refused(what, "install the same version of subvault on both sides"));
    }
    if let Some(only) = &settings.host
        && only != host
    {
        let what = format!("this key is for copies of the host {only} and not of {host}");
        return Err(refused(what, "give the machine its own line in authorized_keys, with its own --host"));
    }
    let access = if *change { Access::Change } else { Access::Look };
    let replica = DirectoryReplica::open(&settings.directory, host, access, "subvault ssh-serve")?;
    let welcome =
        Welcome { protocol: PROTOCOL, tool: format!("subvault {}", env!("CARGO_PKG_VERSION")), pool: replica.pool() };
    Ok((replica, welcome, *change))
}

fn refused(what: impl Into<String>, hint: &str) -> JobError {
    JobError::Refused { what: what.into(), hint: hint.to_owned() }
}

fn answer(settings: &ServeSettings, replica: &mut DirectoryReplica, question: Question) -> Result<Answer, JobError> {
    match question {
        Question::Look { subvolume } => done(&replica.look(&subvolume)?),
        Question::LookInside { subvolume, path } => done(&replica.look_inside(&subvolume, &path)?),
        // What was not received to its end was never a copy.
        Question::RemoveUnfinished { subvolume, name, uuid } => {
            replica.remove_unfinished(&subvolume, &name, uuid)?;
            Ok(Answer::Done(Value::Null))
        }
        Question::Delete { name, .. } if settings.append_only => {
            let what = format!("{name} is not deleted: with this key copies can only be added");
            Err(refused(what, "prune there, with subvault or by hand"))
        }
        Question::Delete { subvolume, name, uuid } => {
            replica.delete(&subvolume, &name, uuid)?;
            Ok(Answer::Done(Value::Null))
        }
        Question::Hello { .. } | Question::Receive(_) | Question::Send(_) => {
            Err(refused("this question has no place here", "install the same version of subvault on both sides"))
        }
    }
}

/// Sends something back. An error is one of the line, after which nothing can be said any more.
fn give_back(replica: &mut DirectoryReplica, line: &Line, wanted: &Extract) -> Result<Outcome, JobError> {
    let mut hasher = blake3::Hasher::new();
    let mut bytes = 0_u64;
    let sent = replica.send(wanted, &mut |piece| {
        for piece in piece.chunks(PIECE) {
            hasher.update(piece);
            bytes += piece.len() as u64;
            line.write_data(piece)?;
        }
        crash::point("return-sent");
        Ok(())
    });
    match sent {
        Ok(()) => {
            line.write(&Frame::End(bytes, *hasher.finalize().as_bytes()))?;
            Ok(Outcome::Answered)
        }
        Err(error @ JobError::Connection { .. }) => Err(error),
        Err(error) => Ok(Outcome::Failed(error)),
    }
}

/// Receives what follows. An error is one of the line, after which nothing can be said any more.
fn receive(replica: &DirectoryReplica, line: &Line, order: &Order) -> Result<Outcome, JobError> {
    let mut incoming = match replica.begin(order) {
        Ok(incoming) => incoming,
        Err(error) => return Ok(Outcome::Failed(error)),
    };
    // The sender waits for this before it begins.
    line.say(&Answer::Done(Value::Null))?;
    let mut hasher = blake3::Hasher::new();
    let mut bytes = 0_u64;
    loop {
        match line.next()? {
            Some(Frame::Data(piece)) => {
                hasher.update(&piece);
                bytes += piece.len() as u64;
                if let Err(error) = incoming.push(&piece) {
                    drop(incoming);
                    return skip(line, &error);
                }
                crash::point("serve-fed");
            }
            Some(Frame::End(length, hash)) if length == bytes && hash == *hasher.finalize().as_bytes() => {
                return Ok(incoming.finish().and_then(|uuid| done(&uuid)).into());
            }
            Some(Frame::End(..)) => {
                let what = format!("what arrived of {} is not what was sent", order.name);
                return Ok(Outcome::Failed(JobError::Unfaithful { what }));
            }
            Some(Frame::Abort) => return Ok(Outcome::Failed(JobError::Stale(format!("the copy of {}", order.name)))),
            Some(_) => return Err(refused("a question comes in the middle of a stream", "run it again")),
            None => return Err(line.hung_up()),
        }
    }
}

/// Tells the sender that it is of no use, and passes over what was on its way.
fn skip(line: &Line, error: &JobError) -> Result<Outcome, JobError> {
    line.say(&Answer::failed(error))?;
    loop {
        match line.next()? {
            Some(Frame::Data(_)) => {}
            Some(Frame::Abort | Frame::End(..)) => return Ok(Outcome::Answered),
            Some(_) => return Err(refused("a question comes in the middle of a stream", "run it again")),
            None => return Err(line.hung_up()),
        }
    }
}
