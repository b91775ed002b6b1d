//! Decides. Facts, policy and a clock come in as values; a plan that leaves no choice goes out.
//!
//! This room imports `model` and nothing else of ours. It must never do I/O, read a clock, draw a random number
//! or start a thread: `clippy.toml` beside this crate holds that. Deciding and doing are apart so that
//! `--dry-run` prints the very list that a run executes, and so that decisions are tested in microseconds.

#![forbid(unsafe_code)]

pub mod apply;
pub mod bring_back;
pub mod calendar;
pub mod chain;
pub mod check;
pub mod cost;
pub mod due;
pub mod file_step;
pub mod forget;
pub mod gc;
pub mod io_bench;
pub mod keep;
pub mod observed;
pub mod parent;
pub mod policy;
pub mod replica;
pub mod restore;
mod resume;
mod retention;
pub mod rollback;
pub mod run;
pub mod simulate;
pub mod sizes;
pub mod space;
pub mod status;
pub mod step;
pub mod strategy;
pub mod undo;
pub mod upcoming;
pub mod versions;
