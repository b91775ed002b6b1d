//! Disks that device-mapper makes: an encrypted one, and one that answers late.

use std::fs;
use std::time::{Duration, Instant};

use crate::machine::Init;
use crate::oracle::{assert_same, describe};
use crate::pool::{DISKS, MOUNT, boot, machine, on_disk, snapshots};
use crate::world::{noise, proved};

/// Restores the newest, and tidies up.
const RESTORE: &str = "/host/subvault verify --all >&2
/host/subvault restore home --from disk --to /pool/back --read-only -i /host/key.txt >&2
umount /pool /store";

/// What came back is the newest snapshot.
fn is_restored(machine: &crate::machine::Machine) {
    on_disk(&machine.shared(DISKS[0]), |disk| {
        let name = snapshots(disk).pop().unwrap();
        let source = disk.join("snapshots").join(&name);
        assert_same((&source, &describe(&source)), &disk.join("back").join(name), "restored");
    });
}

#[test]
fn a_store_on_a_luks_disk_is_closed_and_opened_again() {
    let mut machine = machine(3, "compression = \"zstd-1\"\n");
    machine.new_disk("luks.img", 512);
    fs::write(machine.shared("disk.key"), noise(64, 1)).unwrap();
    machine.boot(Init::Script, &[DISKS[0], "luks.img"]);
    let open = "cryptsetup open --key-file /host/disk.key /dev/ubdc stick
        mount /dev/mapper/stick /store\n";
    machine.must(&format!(
        "modprobe dm-crypt; modprobe xts; mkdir -p /pool /store; mount /dev/ubdb /pool
        cryptsetup -q luksFormat --pbkdf pbkdf2 --pbkdf-force-iterations 1000 /dev/ubdc /host/disk.key
        cryptsetup open --key-file /host/disk.key /dev/ubdc stick
        mkfs.btrfs -q /dev/mapper/stick; cryptsetup close stick
        {open} mkdir /store/vault; seq 100000 > /pool/home/numbers
        /host/subvault archive; umount /store; cryptsetup close stick"
    ));
    // Closed, it is a disk that is not there: nothing is put in its place.
    let ran = machine.run("/host/subvault archive");
    assert_ne!(ran.code, Some(0), "{}", ran.out);
    machine.must(&format!("{open} seq 200000 > /pool/home/numbers; /host/subvault archive\n{RESTORE}"));
    machine.off();
    is_restored(&machine);
    let raw = fs::read(machine.shared("luks.img")).unwrap();
    let plain = b"manifest.json";
    assert!(!raw.windows(plain.len()).any(|bytes| bytes == plain), "the disk is not encrypted");
    proved(
        "a store on a LUKS disk: archived to, closed, told while it is closed, opened, archived to and restored from",
    );
}

#[test]
fn a_disk_that_answers_late_is_no_disk_that_fails() {
    let mut machine = machine(3, "chunk_size = \"8 MiB\"\n");
    on_disk(&machine.shared(DISKS[0]), |disk| fs::write(disk.join("home/noise"), noise(12 << 20, 3)).unwrap());
    machine.boot(Init::Script, &DISKS);
    machine.must(&format!(
        "modprobe dm-delay; size=$(blockdev --getsz /dev/ubdc)
        dmsetup create slow --table \"0 $size delay /dev/ubdc 0 200\"
        {}",
        MOUNT.replace("/dev/ubdc", "/dev/mapper/slow")
    ));
    let begin = Instant::now();
    machine.must(&format!("/host/subvault archive >&2; echo 3 > /proc/sys/vm/drop_caches\n{RESTORE}"));
    let took = begin.elapsed();
    // Otherwise the disk was not in the way at all.
    assert!(took > Duration::from_secs(1), "{took:?}");
    machine.off();
    is_restored(&machine);
    boot(&mut machine);
    machine.must("/host/subvault verify --all");
    proved(&format!(
        "a disk that answers each request after 200 ms: archived to, verified and restored from, in {:.0} s",
        took.as_secs_f64()
    ));
}
