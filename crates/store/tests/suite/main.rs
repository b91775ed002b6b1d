//! The store's tests: one contract for all kinds of stores, then what is special about each.
//!
//! The contract runs on a directory, on two set-ups of the fake, and on each real server the environment names:
//! `SUBVAULT_TEST_S3_LOCALSTACK`, `SUBVAULT_TEST_S3_RGW` (started by `ci/s3-servers/*.sh`).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod backends;
mod capabilities;
mod conditions;
mod directory;
mod errors;
mod faults;
mod listing;
mod objects;
mod uploads;
