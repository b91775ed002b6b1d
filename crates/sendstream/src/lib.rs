//! The Btrfs send-stream codec, versions 1 to 3, with names as bytes.
//!
//! Decodes and encodes the stream that `BTRFS_IOC_SEND` writes (`fs/btrfs/send.h`, and btrfs-progs'
//! `Documentation/dev/dev-send-stream.rst`). Knows nothing of files: it must never do I/O.

#![forbid(unsafe_code)]

mod attributes;
pub mod changes;
mod check;
pub mod command;
pub mod decode;
pub mod encode;
pub mod error;
mod parse;
pub mod ranges;
pub mod touched;
mod wire;
