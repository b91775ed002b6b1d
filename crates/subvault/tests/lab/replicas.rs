//! Copies on disks that `replicate` opens, mounts and lets go by itself.

use std::fs;
use std::thread;
use std::time::Duration;

use crate::hotplug::{self, OFFSET, STICK, UUID, codes};
use crate::machine::{Init, Machine};
use crate::oracle::{assert_same, describe};
use crate::pool::{DISKS, configure, is_sound, machine, on_disk, on_disk_from, snapshots};
use crate::store::newest;
use crate::world::{names, noise, proved, text, tool};

/// The Btrfs of copies, and the LUKS container that it can be in.
const POOL: &str = "5b7d2e57-0000-4000-8000-000000000001";
const LUKS: &str = "5b7d2e57-0000-4000-8000-000000000002";
const OTHER: &str = "5b7d2e57-0000-4000-8000-000000000003";

/// A target on the disk with this pool.
fn on_pool(name: &str, pool: &str, more: &str) -> String {
    format!("[[target]]\nname = \"{name}\"\n[target.btrfs]\nuuid = \"{pool}\"\ndirectory = \"copies\"\n{more}\n")
}

fn encrypted(name: &str, key: &str) -> String {
    on_pool(name, POOL, &format!("luks = {{ uuid = \"{LUKS}\", key_file = \"/host/{key}\" }}"))
}

const SNAPSHOT: &str = "date +%N >> /pool/home/moments; /host/subvault snapshot >&2\n";
/// Nothing is mounted or opened that was not before.
const LET_GO: &str = "if grep /run/subvault /proc/mounts; then exit 1; fi
if ls /dev/mapper | grep -v control; then exit 1; fi\n";
/// The newest snapshot is on the disk that is mounted at `/copies`, and only whole copies are.
const COMPARE: &str = "for copy in /copies/copies/laptop/home/*; do
    diff -r --no-dereference /pool/snapshots/$(basename $copy) $copy
    test \"$(btrfs property get $copy ro)\" = ro=true
done
test -d /copies/copies/laptop/home/$(ls -d /pool/snapshots/*/ | sed 's:/$::' | sort | tail -n 1 | xargs basename)\n";

#[test]
fn an_encrypted_disk_is_opened_and_closed_by_replicate() {
    let mut machine = machine(9, "");
    machine.new_disk("luks.img", 512);
    let plain = machine.new_disk("plain.img", 512);
    tool(&["mkfs.btrfs", "-q", "-U", OTHER, text(&plain)]);
    fs::write(machine.shared("disk.key"), noise(64, 1)).unwrap();
    fs::write(machine.shared("wrong.key"), noise(64, 2)).unwrap();
    configure(&machine, 9, &encrypted("usb", "disk.key"));
    machine.boot(Init::Script, &[DISKS[0], "luks.img", "plain.img"]);
    let open = "cryptsetup open --key-file /host/disk.key /dev/ubdc by-hand\n";
    let look = format!("mount /dev/mapper/by-hand /copies\n{COMPARE}umount /copies\n");
    machine.must(&format!(
        "modprobe dm-crypt; modprobe xts; mkdir -p /pool /copies; mount /dev/ubdb /pool
        cryptsetup -q luksFormat --uuid {LUKS} --pbkdf pbkdf2 --pbkdf-force-iterations 1000 /dev/ubdc /host/disk.key
        {open} mkfs.btrfs -q -U {POOL} /dev/mapper/by-hand; cryptsetup close by-hand"
    ));
    machine.must(&format!("{SNAPSHOT}/host/subvault replicate\n{LET_GO}{open}{look}"));
    // Somebody has it open: it is used as it is, and stays open.
    machine.must(&format!(
        "{SNAPSHOT}/host/subvault replicate\ntest -b /dev/mapper/by-hand\n{look}cryptsetup close by-hand"
    ));
    configure(&machine, 9, &format!("{}{}", encrypted("usb", "wrong.key"), on_pool("plain", OTHER, "")));
    let ran = machine.run(&format!("{SNAPSHOT}/host/subvault replicate")).says(&["wrong.key"]);
    assert_eq!(ran.code, Some(2), "{}{}", ran.out, ran.err);
    machine.must(&format!("{LET_GO}mount /dev/ubdd /copies\n{COMPARE}umount /copies /pool"));
    machine.off();
    proved("a LUKS disk: opened, mounted, copied to, closed; left open where it was; a wrong key stops no other disk");
}

#[test]
fn a_slow_disk_gets_its_copies() {
    let mut machine = machine(9, "");
    let disk = machine.new_disk("plain.img", 512);
    tool(&["mkfs.btrfs", "-q", "-U", OTHER, text(&disk)]);
    fs::write(machine.shared("noise"), noise(8 << 20, 1)).unwrap();
    configure(&machine, 9, &on_pool("plain", OTHER, ""));
    machine.boot(Init::Script, &[DISKS[0], "plain.img"]);
    machine.must(&format!(
        "modprobe dm-delay; mkdir -p /pool /copies; mount /dev/ubdb /pool; cp /host/noise /pool/home/
        dmsetup create slow --table \"0 $(blockdev --getsz /dev/ubdc) delay /dev/ubdc 0 200\"
        {SNAPSHOT}/host/subvault replicate
        if grep /run/subvault /proc/mounts; then exit 1; fi
        mount /dev/mapper/slow /copies\n{COMPARE}umount /copies /pool"
    ));
    machine.off();
    proved("a disk that answers each request after 200 ms gets its copy");
}

#[test]
fn a_machine_whose_power_is_cut_while_copying_goes_on() {
    let mut machine = machine(9, "");
    let disk = machine.new_disk("plain.img", 1024);
    tool(&["mkfs.btrfs", "-q", "-U", OTHER, text(&disk)]);
    configure(&machine, 9, &on_pool("plain", OTHER, ""));
    let mut running = 0;
    for cut in 0..5 {
        fs::write(machine.shared("noise"), noise(24 << 20, cut)).unwrap();
        let mount = "mkdir -p /pool /copies; mount /dev/ubdb /pool\n";
        machine.boot(Init::Script, &[DISKS[0], "plain.img"]);
        machine.must(&format!("{mount}cp /host/noise /pool/home/\n{SNAPSHOT}sync"));
        let run = machine.start("/host/subvault replicate");
        thread::sleep(Duration::from_millis(80 + 130 * cut));
        running += usize::from(!machine.has_ended(run));
        machine.cut();
        is_sound(&disk);
        machine.boot(Init::Script, &[DISKS[0], "plain.img"]);
        machine.must(&format!(
            "{mount}mount /dev/ubdc /copies\nif [ -d /copies/copies/laptop/home ]; then
            for copy in /copies/copies/laptop/home/*; do
                diff -r --no-dereference /pool/snapshots/$(basename $copy) $copy
            done
            fi\numount /copies\n/host/subvault replicate\nmount /dev/ubdc /copies\n{COMPARE}umount /copies /pool"
        ));
        machine.off();
    }
    assert!(running > 1, "only {running} cuts came while it was copying");
    is_sound(&disk);
    let copies = on_disk(&disk, |disk| names(&disk.join("copies/laptop/home")));
    let last = on_disk(&machine.shared(DISKS[0]), |disk| newest(snapshots(disk)));
    assert!(copies.contains(&last), "{copies:?}");
    proved("5 power cuts while a disk gets a copy: only whole copies have names, each rerun completes");
}

/// Installs what `render` writes, and has the service note how it ended.
const RENDERED: &str = "mkdir -p /pool; mount /dev/ubdb /pool
/host/subvault render systemd --to / >&2
mkdir /etc/systemd/system/subvault-replicate@.service.d
cat > /etc/systemd/system/subvault-replicate@.service.d/told.conf <<'END'
[Service]
ExecStopPost=/bin/sh -c 'echo $EXIT_STATUS >> /host/codes'
END
systemctl daemon-reload
udevadm control --reload
";
/// What is plugged in was let go: neither mounted nor opened. A service that an event of late started is waited for.
const GONE: &str = "udevadm settle
while systemctl --no-legend list-units --state=activating,deactivating 'subvault-replicate@*' | grep -q .; do sleep 0.1; done
if grep -r /run/subvault /proc/[0-9]*/mounts; then exit 1; fi\n";

/// From now on nothing is started by what is plugged in or opened by hand.
const BY_HAND: &str = "rm -f /etc/udev/rules.d/*; udevadm control --reload\n";

/// A machine with systemd and what is rendered from its configuration.
fn with_units(targets: &str) -> Machine {
    let mut machine = machine(9, "");
    configure(&machine, 9, targets);
    machine.boot(Init::Systemd, &DISKS[..1]);
    machine.must(&format!("{RENDERED}seq 1000 > /pool/home/numbers\n{SNAPSHOT}"));
    machine
}

#[test]
fn an_encrypted_disk_that_is_plugged_in_gets_its_copy() {
    let mut machine = with_units(&encrypted("usb", "disk.key"));
    machine.new_disk("luks.img", 512);
    fs::write(machine.shared("disk.key"), noise(64, 1)).unwrap();
    machine.plug('c', "luks.img");
    machine.must(&format!(
        "modprobe dm-crypt; modprobe xts; until [ -b /dev/ubdc ]; do sleep 0.1; done
        cryptsetup -q luksFormat --uuid {LUKS} --pbkdf pbkdf2 --pbkdf-force-iterations 1000 /dev/ubdc /host/disk.key
        cryptsetup open --key-file /host/disk.key /dev/ubdc by-hand; mkfs.btrfs -q -U {POOL} /dev/mapper/by-hand
        cryptsetup close by-hand; systemctl stop subvault-replicate@usb; udevadm settle"
    ));
    machine.unplug('c').unwrap();
    machine.must("udevadm settle; rm -f /host/codes");
    for time in 1..=2 {
        machine.must(SNAPSHOT);
        machine.plug('c', "luks.img");
        assert_eq!(codes(&machine, time), vec!["0"; time]);
        machine.must(&format!("{GONE}test ! -e /dev/mapper/subvault-{LUKS}"));
        machine.unplug('c').unwrap();
    }
    machine.plug('d', "luks.img");
    codes(&machine, 3);
    machine.must(&format!(
        "{BY_HAND}{GONE}cryptsetup open --key-file /host/disk.key /dev/ubdd by-hand; mkdir /copies; mount /dev/mapper/by-hand /copies
        {COMPARE}test \"$(ls /copies/copies/laptop/home | wc -l)\" = 2; umount /copies /pool; cryptsetup close by-hand"
    ));
    machine.off();
    proved("an encrypted disk that is plugged in: what `render` wrote opens it, copies, and closes it, each time");
}

#[test]
fn a_disk_that_is_pulled_out_while_it_gets_a_copy_is_finished_when_it_is_back() {
    let mut machine = with_units(&on_pool("usb", UUID, "bandwidth = \"4 MiB/s\""));
    hotplug::new_stick(&machine, OFFSET);
    machine.plug('c', STICK);
    let (plug, pull) = hotplug::through_mapper();
    machine.must(&format!("modprobe dm-mod; until [ -b /dev/ubdc ]; do sleep 0.1; done; {plug}"));
    assert_eq!(codes(&machine, 1), ["0"]);
    machine.must(&format!("{GONE}dmsetup remove --retry stick"));
    fs::write(machine.shared("noise"), noise(40 << 20, 1)).unwrap();
    machine.must(&format!(
        "cp /host/noise /pool/home/\n{SNAPSHOT}{plug}
        until grep -qs /run/subvault /proc/[0-9]*/mounts; do sleep 0.1; done; sleep 3\n{pull}"
    ));
    assert_ne!(codes(&machine, 2)[1], "0", "it came through before the disk was pulled out");
    machine.must(&format!("{GONE}dmsetup remove --retry stick"));
    machine.must(&plug);
    assert_eq!(codes(&machine, 3)[2], "0");
    machine.must(&format!("{BY_HAND}{GONE}dmsetup remove --retry stick; umount /pool"));
    machine.off();
    let sources = on_disk(&machine.shared(DISKS[0]), |disk| {
        let described = |name: String| (describe(&disk.join("snapshots").join(&name)), name);
        snapshots(disk).into_iter().map(described).collect::<Vec<_>>()
    });
    on_disk_from(&machine.shared(STICK), OFFSET, |disk| {
        let copies = disk.join("copies/laptop/home");
        let wanted: Vec<String> = sources.iter().map(|(_, name)| name.clone()).collect();
        assert_eq!(names(&copies), wanted, "whole copies, and nothing else");
        for (described, name) in &sources {
            assert_same((&copies, described), &copies.join(name), "copied");
        }
    });
    proved("a disk that is pulled out while it gets a copy: told, let go, and completed by the next plug");
}
