//! Pools, fakes and damage: for tests only.

pub mod pool;
pub mod s3_fake;
