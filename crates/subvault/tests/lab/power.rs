//! The power is cut under a whole machine while it archives. Its page cache is gone, and what its disks were given stays.
//!
//! Pool and store are on disks of their own, so that neither knows how far the other came.

use std::io::Write as _;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::machine::Machine;
use crate::oracle::{assert_same, describe};
use crate::pool::{DISKS, boot, is_sound, machine, on_disk, snapshots};
use crate::store::{Seen, all_named, newest, no_journals, nothing_temporary, objects_in};
use crate::world::{noise, proved};

/// How many cuts there are that come while the program runs.
const CUTS: usize = 6;
/// Of what each run archives: several chunks of several parts.
const BYTES: usize = 24 << 20;

/// Random moments; the seed is told, so that they can be had again.
struct Moments(u64);

impl Moments {
    fn new() -> Self {
        let given = std::env::var("SUBVAULT_CRASH_SEED").ok().and_then(|text| text.parse().ok());
        let clock = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        let seed: u64 = given.unwrap_or_else(clock);
        let _ = writeln!(std::io::stderr(), "power cuts in the laboratory: SUBVAULT_CRASH_SEED={seed}");
        Self(seed)
    }

    fn within(&mut self, whole: Duration) -> Duration {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        whole.mul_f64((self.0 >> 33) as f64 / f64::from(1_u32 << 31))
    }
}

/// Writes new content while the machine is off.
fn change(machine: &Machine, number: usize) {
    on_disk(&machine.shared(DISKS[0]), |disk| {
        std::fs::write(disk.join("home/data"), noise(BYTES, number as u64)).unwrap();
        std::fs::write(disk.join(format!("home/small-{number}")), number.to_string()).unwrap();
    });
}

/// Cuts the power at a moment of a run of `archive`; whether it was still running.
fn cut_while_archiving(machine: &mut Machine, delay: Duration) -> bool {
    boot(machine);
    let run = machine.start("/host/subvault archive --full");
    thread::sleep(delay);
    let was_running = !machine.has_ended(run);
    machine.cut();
    was_running
}

/// What is visible in the store is whole, as other programs read it.
fn visible(machine: &Machine, seen: &mut Seen) -> Vec<String> {
    on_disk(&machine.shared(DISKS[1]), |disk| {
        let objects = objects_in(&disk.join("vault"));
        seen.whole(&objects, true);
        objects.into_keys().filter(|key| key.ends_with("/manifest.json")).collect()
    })
}

#[test]
fn a_machine_whose_power_is_cut_while_archiving_goes_on() {
    let mut machine = machine(2, "chunk_size = \"8 MiB\"\nkeep_generations = 1\n");
    let (mut moments, mut seen) = (Moments::new(), Seen::default());
    change(&machine, 0);
    boot(&mut machine);
    let begin = Instant::now();
    machine.must("/host/subvault archive\nsync");
    let whole = begin.elapsed();
    machine.cut();
    let (mut cuts, mut tries) = (0, 0);
    while cuts < CUTS {
        tries += 1;
        assert!(tries <= 3 * CUTS, "only {cuts} of {tries} cuts came in time");
        change(&machine, tries);
        let before = visible(&machine, &mut seen);
        cuts += usize::from(cut_while_archiving(&mut machine, moments.within(whole)));
        let after = visible(&machine, &mut seen);
        assert!(before.iter().all(|key| after.contains(key)), "published streams are gone: {before:?} {after:?}");
        is_sound(&machine.shared(DISKS[0]));
        boot(&mut machine);
        machine.must("/host/subvault archive\n/host/subvault verify --all\numount /pool /store");
        machine.off();
    }
    everything_is_in_order(&mut machine, &mut seen);
    proved(&format!(
        "{cuts} power cuts of a machine in the laboratory while archiving: what was published stays, nothing incomplete is \
        visible, each rerun succeeds, `btrfs check` finds nothing"
    ));
}

/// Collects garbage and restores; nothing is left, and the newest snapshot comes back as it is.
fn everything_is_in_order(machine: &mut Machine, seen: &mut Seen) {
    boot(machine);
    machine
        .must("/host/subvault gc\n/host/subvault restore home --from disk --to /pool/back -i /host/key.txt\numount /pool /store");
    machine.off();
    visible(machine, seen);
    on_disk(&machine.shared(DISKS[1]), |disk| {
        all_named(&objects_in(&disk.join("vault")));
        nothing_temporary(&disk.join("vault"));
    });
    is_sound(&machine.shared(DISKS[0]));
    on_disk(&machine.shared(DISKS[0]), |disk| {
        no_journals(&disk.join("state"));
        let name = newest(snapshots(disk));
        let source = disk.join("snapshots").join(&name);
        assert_same((&source, &describe(&source)), &disk.join("back").join(name), "restored after power cuts");
    });
}
