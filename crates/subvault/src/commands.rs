//! The verbs, a module each: what it takes, which job it calls, how its answer looks.

pub mod archive;
pub mod around;
pub mod bench;
pub mod completions;
pub mod diff;
pub mod doctor;
pub mod forget_path;
pub mod gc;
pub mod import;
pub mod init;
pub mod list;
pub mod man;
pub mod prune;
pub mod render;
pub mod replicate;
pub mod report;
pub mod restore;
pub mod rollback;
pub mod run;
pub mod snapshot;
pub mod ssh_serve;
pub mod status;
pub mod undo;
pub mod verify;
