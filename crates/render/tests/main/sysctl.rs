//! Parameters of the kernel, for each mode; and whether `sysctl` knows them.

use std::process::Command;

use subvault_plan::strategy::assemble::strategy;
use subvault_plan::strategy::profile::Profile;
use subvault_plan::strategy::storage::Mode;
use subvault_plan::strategy::{Said, Strategy};
use subvault_render::sysctl::render;
use tempfile::TempDir;

use crate::golden::compare;
use crate::hosts;
use crate::outside::{asked, joined, put};

const MODES: [Mode; 3] = [Mode::Balanced, Mode::IoOptimized, Mode::SpaceOptimized];

fn tuned(profile: Profile, mode: Mode) -> Strategy {
    let said = Said { mode: Some(mode), ..hosts::said(profile, "host") };
    strategy(&hosts::facts(profile), &said)
}

#[test]
fn the_parameters_are_as_they_were_read() {
    let files: Vec<_> = MODES.iter().filter_map(|mode| render(&tuned(Profile::ProductionVps, *mode))).collect();
    compare("sysctl/server.txt", &joined(&files));
    let of_laptop: Vec<_> = MODES.iter().map(|mode| render(&tuned(Profile::Laptop, *mode)).is_some()).collect();
    // A laptop's are its distribution's, unless it is told to be fast.
    assert_eq!(of_laptop, [false, true, false]);
}

/// `sysctl` says what it would set, and refuses what the kernel does not have.
#[test]
fn sysctl_would_set_them() {
    let root = TempDir::with_prefix("subvault-sysctl-").unwrap();
    for mode in MODES {
        let strategy = tuned(Profile::Server, mode);
        let file = put(root.path(), &render(&strategy).unwrap());
        let told = asked(Command::new("sysctl").args(["--dry-run", "--load"]).arg(file));
        let wanted: Vec<String> = strategy.sysctls.iter().map(|s| format!("{} = {}", s.name, s.value)).collect();
        assert_eq!(told.lines().collect::<Vec<_>>(), wanted);
    }
}
