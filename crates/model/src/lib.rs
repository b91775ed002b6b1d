//! The vocabulary of subvault as types, shared by every room.
//!
//! This room parses and prints values; it must never do I/O, read a clock or draw a random number.
//! A type moves here when a second room needs it.

#![forbid(unsafe_code)]

pub mod bandwidth;
pub mod bytesize;
pub mod crash;
pub mod error;
pub mod facts;
pub mod file;
pub mod file_path;
pub mod ids;
pub mod io_test;
pub mod metrics;
pub mod monitor;
pub mod names;
pub mod note;
pub mod replica;
pub mod stream;
pub mod subvolume;
pub mod timestamp;
