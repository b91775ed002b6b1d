//! The plan written down as files for other programs: units, runbooks, pictures. This room is laid out and still empty.
//!
//! It must never touch the machine: what it makes is text, and somebody else puts it in place.

#![forbid(unsafe_code)]
