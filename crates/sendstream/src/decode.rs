//! The push decoder: blocks of any size in, whole commands out.
//!
//! Invariant: a command is handed out only after its length, its checksum and all its values were checked, and it
//! borrows from the block itself, unless it straddles the border of two blocks: then from a side buffer, which holds
//! no more than has really arrived and never more than one command. Holds nothing that outlives the process. It
//! must never trust a length before it is checked, nor go on after an error.

use std::mem;

pub use crate::error::{Fault, PushError, StreamError};
use crate::{
    command::Command,
    parse::parse,
    wire::{CHECKSUM_AT, COMMAND_HEADER, MAGIC, NEWEST_VERSION, STREAM_HEADER, checksum, command_name},
    wire::{first_version, longest_body},
};

/// How far the stream has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Header,
    FirstCommand,
    Commands,
    Ended,
    Failed,
}

/// Decodes one stream of one subvolume.
#[derive(Debug)]
pub struct Decoder {
    state: State,
    /// The beginning of a header or command whose rest has not arrived.
    side: Vec<u8>,
    version: u32,
    commands: u64,
    offset: u64,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder that waits for the header of a stream.
    pub fn new() -> Self {
        Self { state: State::Header, side: Vec::new(), version: 0, commands: 0, offset: 0 }
    }

    /// Feeds the next bytes; calls `each` for every complete command. Stops at the first error, and every later call
    /// then fails too.
    pub fn push<E>(
        &mut self,
        block: &[u8],
        each: &mut impl FnMut(Command<'_>) -> Result<(), E>,
    ) -> Result<(), PushError<E>> {
        let result = self.feed(block, each);
        if result.is_err() {
            self.state = State::Failed;
            self.side = Vec::new();
        }
        result
    }

    /// The stream's version, as soon as its header has arrived.
    pub fn version(&self) -> Option<u32> {
        (self.version != 0).then_some(self.version)
    }

    /// How many commands were decoded and taken by `each` without an error.
    pub fn commands(&self) -> u64 {
        self.commands
    }

    /// How many bytes the header and these commands have.
    pub fn stream_offset(&self) -> u64 {
        self.offset
    }

    /// Checks that the stream is complete: its last command was the end command. To be called when no bytes are left.
    pub fn finish(&self) -> Result<(), StreamError> {
        match self.state {
            State::Ended => Ok(()),
            State::Failed => Err(StreamError::Failed { offset: self.offset }),
            State::Header | State::FirstCommand | State::Commands => {
                Err(StreamError::Truncated { offset: self.offset, pending: self.side.len() })
            }
        }
    }

    fn feed<E>(
        &mut self,
        mut block: &[u8],
        each: &mut impl FnMut(Command<'_>) -> Result<(), E>,
    ) -> Result<(), PushError<E>> {
        if !self.side.is_empty() {
            let mut side = mem::take(&mut self.side);
            if self.complete(&mut side, &mut block)? {
                self.unit(&side, each)?;
                side.clear();
            }
            self.side = side;
        }
        while !block.is_empty() {
            let len = self.unit_len(block)?;
            let Some((unit, rest)) = block.split_at_checked(len) else {
                self.side.extend_from_slice(block);
                break;
            };
            self.unit(unit, each)?;
            block = rest;
        }
        Ok(())
    }

    /// Moves bytes from the block to the side buffer until it holds a whole unit; says whether it does.
    fn complete(&self, side: &mut Vec<u8>, block: &mut &[u8]) -> Result<bool, StreamError> {
        loop {
            // Grows once: from the command's header to the whole command.
            let missing = self.unit_len(side)? - side.len();
            if missing == 0 {
                return Ok(true);
            }
            if block.is_empty() {
                return Ok(false);
            }
            let (taken, rest) = block.split_at(missing.min(block.len()));
            side.extend_from_slice(taken);
            *block = rest;
        }
    }

    /// Length of the unit that begins with these bytes, or of its header while not even that is there.
    fn unit_len(&self, bytes: &[u8]) -> Result<usize, StreamError> {
        match self.state {
            State::Header => Ok(STREAM_HEADER),
            State::Ended => Err(StreamError::AfterEnd { offset: self.offset }),
            State::Failed => Err(StreamError::Failed { offset: self.offset }),
            State::FirstCommand | State::Commands if bytes.len() < COMMAND_HEADER => Ok(COMMAND_HEADER),
            State::FirstCommand | State::Commands => {
                let len = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
                let limit = longest_body(self.version);
                match usize::try_from(len) {
                    Ok(body) if body <= limit => Ok(COMMAND_HEADER + body),
                    _ => Err(StreamError::TooLong { offset: self.offset, len, limit }),
                }
            }
        }
    }

    /// Takes one whole header or command.
    fn unit<E>(
        &mut self,
        unit: &[u8],
        each: &mut impl FnMut(Command<'_>) -> Result<(), E>,
    ) -> Result<(), PushError<E>> {
        if self.state == State::Header {
            self.version = read_header(unit)?;
            self.state = State::FirstCommand;
        } else {
            let command = self.command(unit)?;
            each(command).map_err(PushError::Each)?;
            self.commands += 1;
            self.state = if command == Command::End { State::Ended } else { State::Commands };
        }
        self.offset += unit.len() as u64;
        Ok(())
    }

    fn command<'a>(&self, unit: &'a [u8]) -> Result<Command<'a>, StreamError> {
        let (offset, version) = (self.offset, self.version);
        let stored = &unit[CHECKSUM_AT..COMMAND_HEADER];
        if checksum(unit).to_le_bytes() != stored {
            return Err(StreamError::Checksum { offset });
        }
        let number = u16::from_le_bytes([unit[4], unit[5]]);
        let unknown = StreamError::UnknownCommand { number, offset };
        let Some(command) = command_name(number) else {
            return Err(unknown);
        };
        if version < first_version(number) {
            return Err(StreamError::NotInVersion { command, version, offset });
        }
        let parsed = parse(number, &unit[COMMAND_HEADER..], version)
            .map_err(|fault| StreamError::Malformed { command, offset, fault })?
            .ok_or(unknown)?;
        let begins = matches!(parsed, Command::Subvol { .. } | Command::Snapshot { .. });
        match (self.state, begins) {
            (State::FirstCommand, false) => Err(StreamError::NotBegun { command }),
            (State::Commands, true) => Err(StreamError::BegunTwice { command, offset }),
            _ => Ok(parsed),
        }
    }
}

fn read_header(unit: &[u8]) -> Result<u32, StreamError> {
    let version = unit.strip_prefix(MAGIC).and_then(|rest| rest.try_into().ok()).ok_or(StreamError::Magic)?;
    match u32::from_le_bytes(version) {
        version @ 1..=NEWEST_VERSION => Ok(version),
        version => Err(StreamError::Version { version }),
    }
}
