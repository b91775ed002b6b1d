//! Pools, fakes and damage: for tests only.

pub mod pool;
