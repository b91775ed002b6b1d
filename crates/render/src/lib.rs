//! The plan written down as files for other programs, and other programs' configurations read as ours.
//!
//! This room must never touch the machine: what it makes is text, and what it reads is text that somebody else fetched.

#![forbid(unsafe_code)]

pub mod file;
pub mod import;
pub mod nix;
pub mod report;
pub mod systemd;
mod toml_text;
