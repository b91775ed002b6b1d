//! What is written for systemd and udev, judged by systemd and udev; what is read of snapper and btrbk, judged by them; and reports,
//! judged by a browser.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall fail")]

mod browser;
mod btrbk;
mod btrbk_out;
mod fstab;
mod golden;
mod hosts;
mod markup;
mod monitoring;
mod nix;
mod outside;
mod report;
mod runbooks;
mod samples;
mod snapper;
mod snapper_out;
mod sysctl;
mod systemd;
mod tmpfiles;
