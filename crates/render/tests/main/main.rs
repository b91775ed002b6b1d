//! What is written for systemd and udev, judged by systemd and udev; what is read of snapper and btrbk, judged by them; and reports,
//! judged by a browser.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall fail")]

mod browser;
mod btrbk;
mod golden;
mod markup;
mod nix;
mod report;
mod samples;
mod snapper;
mod systemd;
