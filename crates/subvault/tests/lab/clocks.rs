//! The clock jumps between runs, forwards and backwards over years: what was archived last is what comes back, whatever
//! its date says, and nothing that is needed goes.

use crate::pool::{boot, machine};
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
            "mkdir /pool/to; /host/subvault restore home --to /pool/to {args} -i /host/key.txt >&2; cat /pool/to/home/number
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
