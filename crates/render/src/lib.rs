//! The plan written down as files for other programs, and other programs' configurations read as ours.
//!
//! This room must never touch the machine: what it makes is text, and what it reads is text that somebody else fetched.

#![forbid(unsafe_code)]

pub mod btrbk;
mod cadence;
pub mod file;
pub mod fstab;
pub mod import;
pub mod monitoring;
pub mod nix;
pub mod report;
pub mod runbook;
mod seen;
pub mod snapper;
pub mod sysctl;
pub mod systemd;
pub mod tmpfiles;
mod toml_text;
