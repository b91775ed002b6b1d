//! Streams into stores and back: every setting, other programs as oracles, interrupted uploads, damage.

#![expect(clippy::unwrap_used, reason = "a test cannot go on without what it asks for")]

mod documents;
mod interop;
mod resume;
mod round_trip;
mod support;
mod swapped;
