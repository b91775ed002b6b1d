//! Streams in object storage: written, published, listed, verified, read back, collected.
//!
//! The format is specified in `docs/format.md`. Its laws: chunks first, then the manifest, then the pointer; a
//! manifest that can be seen describes a stream that is all there; nothing that was written is ever edited.
//! This room knows objects and byte streams. It must never know what Btrfs, a mount or a process is, nor decide
//! what is to be archived or removed.

#![forbid(unsafe_code)]

pub mod age_file;
pub mod document;
pub mod error;
pub mod frame;
pub mod hash;
pub mod inventory;
pub mod journal;
pub mod layout;
pub mod manifest;
pub mod pointer;
pub mod publish;
pub mod read;
pub mod verify;
pub mod write;
