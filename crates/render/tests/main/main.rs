//! What is written for systemd and udev, judged by systemd and udev; and what is read of snapper and btrbk, judged by them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall fail")]

mod btrbk;
mod golden;
mod nix;
mod snapper;
mod systemd;
