//! What can be wrong with a stream, or with a command that shall become part of one.
//!
//! Invariant: every error names the command and where in the stream it begins, and its cause is the `source`, not
//! repeated in the text. It must never carry content of the stream.

use thiserror::Error;

/// What is wrong inside one command.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the message of each variant is its description")]
pub enum Fault {
    #[error("attribute {attribute} is missing")]
    Missing { attribute: &'static str },
    #[error("attribute {attribute} is there twice")]
    Twice { attribute: &'static str },
    #[error("attribute {attribute} has {found} bytes where {expected} belong")]
    Size { attribute: &'static str, expected: usize, found: usize },
    #[error("attribute {attribute} has {len} bytes, more than the 65535 that its length field can tell")]
    Long { attribute: &'static str, len: usize },
    #[error("the command ends inside an attribute")]
    Cut,
    #[error("attribute number {number} does not exist in this version of the format")]
    UnknownAttribute { number: u16 },
    #[error("attribute {attribute} is no relative path of non-empty components other than \".\" and \"..\"")]
    Path { attribute: &'static str },
    #[error("attribute {attribute} holds a NUL byte")]
    Nul { attribute: &'static str },
    #[error("attribute {attribute} is empty")]
    Empty { attribute: &'static str },
    #[error("attribute {attribute} has {nanoseconds} nanoseconds, a second or more")]
    Nanoseconds { attribute: &'static str, nanoseconds: u32 },
    #[error("{len} bytes from {offset} reach beyond the largest file")]
    Range { offset: u64, len: u64 },
    #[error("the {file_len} bytes from {offset} are not inside an extent of {len} bytes")]
    Extent { offset: u64, file_len: u64, len: u64 },
    #[error("the compression is not known")]
    Compression,
    #[error("the data are encrypted by the file system (method {method})")]
    Encrypted { method: u32 },
}

/// Why a stream was not accepted. `offset` is where the command in question begins, in bytes from the start.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the message of each variant is its description")]
pub enum StreamError {
    #[error("this is not a Btrfs send stream: it does not begin with \"btrfs-stream\"")]
    Magic,
    #[error("send streams of version {version} are not supported (1 to 3 are)")]
    Version { version: u32 },
    #[error("the command at byte {offset} of the send stream claims {len} bytes, more than the {limit} allowed")]
    TooLong { offset: u64, len: u32, limit: usize },
    #[error("wrong checksum of the command at byte {offset} of the send stream: the stream is damaged")]
    Checksum { offset: u64 },
    #[error("unknown command {number} at byte {offset} of the send stream")]
    UnknownCommand { number: u16, offset: u64 },
    #[error("command {command} at byte {offset} of the send stream does not belong in version {version}")]
    NotInVersion { command: &'static str, version: u32, offset: u64 },
    #[error("malformed command {command} at byte {offset} of the send stream")]
    Malformed {
        command: &'static str,
        offset: u64,
        #[source]
        fault: Fault,
    },
    #[error("the send stream begins with command {command}, not with a subvolume or snapshot")]
    NotBegun { command: &'static str },
    #[error("a second subvolume ({command}) begins at byte {offset} of the send stream; one is supported")]
    BegunTwice { command: &'static str, offset: u64 },
    #[error(
        "the send stream is cut off: {pending} bytes follow its last whole command, which ends at byte {offset}, and no end command was seen"
    )]
    Truncated { offset: u64, pending: usize },
    #[error("bytes after the end of the send stream, which is at byte {offset}")]
    AfterEnd { offset: u64 },
    #[error("the send stream had already failed at byte {offset}")]
    Failed { offset: u64 },
}

/// Why [`crate::decode::Decoder::push`] stopped: the stream is at fault, or the one who consumes the commands failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PushError<E> {
    /// The stream is at fault.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The callback returned this.
    #[error(transparent)]
    Each(E),
}

/// Why a command cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the message of each variant is its description")]
pub enum EncodeError {
    #[error("send streams of version {version} cannot be written (1 to 3 can)")]
    Version { version: u32 },
    #[error("command {command} cannot be written to a send stream of version {version}")]
    NotInVersion { command: &'static str, version: u32 },
    #[error("command {command} of {len} bytes is longer than the {limit} bytes that a send stream allows")]
    TooLong { command: &'static str, len: usize, limit: usize },
    #[error("command {command} cannot be written to a send stream")]
    Malformed {
        command: &'static str,
        #[source]
        fault: Fault,
    },
}
