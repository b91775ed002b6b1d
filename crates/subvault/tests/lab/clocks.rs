//! The clock jumps between runs, forwards and backwards over years: what was archived last is what comes back, whatever
//! its date says, and nothing that is needed goes.

use crate::machine::Machine;
use crate::pool::{boot, configure_by, machine};
use crate::world::proved;

/// What the clock says at each run.
const CLOCK: [&str; 6] = [
    "2026-11-20 12:00:00",
    "2028-11-20 12:00:00",
    "2026-11-20 13:00:00",
    "1999-01-01 00:00:00",
    "2026-11-20 14:00:00",
    "2026-11-20 15:00:00",
];
/// Snapshots that stay: so few that a wrong one would be missed by the next run.
const KEEP: u32 = 2;

#[test]
fn a_clock_that_jumps_costs_nothing() {
    let mut machine = machine(KEEP, "");
    boot(&mut machine);
    for (number, moment) in CLOCK.iter().enumerate() {
        let kept = machine.must(&format!(
            "date -u -s '{moment}' >&2; echo {number} > /pool/home/number; /host/subvault archive >&2; ls /pool/snapshots"
        ));
        let name = format!("home.{}Z", moment.replace(['-', ':'], "").replace(' ', "T"));
        assert!(kept.lines().any(|line| line == name), "{name} was taken just now: {kept}");
    }
    machine.must("/host/subvault verify --all");
    // The newest is the one that was taken last, and not the one whose date is the highest.
    for (args, wanted) in [("", CLOCK.len() - 1), ("--at '2026-11-20 12:30'", 0), ("--at '1999-01-01 12:00'", 3)] {
        let number = machine.must(&format!(
            "mkdir /pool/to; /host/subvault restore home --from disk --to /pool/to {args} -i /host/key.txt >&2; cat /pool/to/home/number
            btrfs -q subvolume delete /pool/to/*; rmdir /pool/to"
        ));
        assert_eq!(number.trim(), wanted.to_string(), "{args}");
    }
    machine.must("umount /pool /store");
    machine.off();
    proved(&format!(
        "{} runs while the clock of a machine jumps over 29 years in both directions: each snapshot is archived and comes back",
        CLOCK.len()
    ));
}

/// Sets the clock of a machine to noon of a day and does what is due; the days of the snapshots that are there then.
fn run_on(machine: &mut Machine, day: &str) -> Vec<String> {
    let names = machine.must(&format!(
        "date -u -s '{day} 12:00:00' >&2; /host/subvault run >&2; /host/subvault prune >&2; ls -d /pool/snapshots/*/"
    ));
    let days = names.lines().map(|name| name.trim_start_matches("/pool/snapshots/home.").split('T').next().unwrap());
    days.map(str::to_owned).collect()
}

#[test]
fn a_clock_that_jumps_prunes_nothing_of_the_days_that_are_kept() {
    let mut machine = machine(KEEP, "");
    let target = "[schedule]\nsnapshot = \"daily\"\nsend = \"never\"\n[[target]]\nname = \"disk\"\n\
        directory = \"/store/vault\"\nencryption = \"off\"\n";
    configure_by(&machine, "newest = 1, hourly = 0, daily = 4, weekly = 0, monthly = 0", target);
    boot(&mut machine);
    let mut kept = Vec::new();
    for day in ["2026-11-16", "2026-11-17", "2026-11-18", "2026-11-19", "2026-11-20"] {
        kept = run_on(&mut machine, day);
    }
    assert_eq!(kept, ["20261117", "20261118", "20261119", "20261120"]);
    // In the year before nothing is known of those days: all are from the future, and stay.
    let before = run_on(&mut machine, "1999-01-01");
    assert!(kept.iter().all(|day| before.contains(day)), "{before:?}");
    // A day that comes too early takes one of the four places while the clock says so, and none afterwards.
    let early = run_on(&mut machine, "2028-02-29");
    assert!(kept[1..].iter().all(|day| early.contains(day)), "{early:?}");
    for (day, wanted) in [
        ("2026-11-21", ["20261118", "20261119", "20261120", "20261121"]),
        ("2026-11-22", ["20261119", "20261120", "20261121", "20261122"]),
    ] {
        let after = run_on(&mut machine, day);
        assert!(wanted.iter().all(|day| after.iter().any(|other| other == day)), "{day}: {after:?}");
    }
    machine.must("umount /pool /store");
    machine.off();
    proved("a clock that jumps to 1999 and 2028 and back: `run` and `prune` never take one of the days that are kept");
}
