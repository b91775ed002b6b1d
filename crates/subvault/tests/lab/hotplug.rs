//! A disk is plugged in: udev starts a service that archives onto it, and nobody does anything. Pulled out in the middle,
//! it goes on when it is plugged in the next time.
//!
//! Disks that are in use cannot be pulled out of User-mode Linux. So what is pulled out is a device of device-mapper on the
//! disk, which from one moment on answers nothing but errors, as the kernel does for a USB disk that is gone.

use std::fs;

use crate::machine::{Init, Machine};
use crate::pool::{DISKS, machine, on_disk, on_disk_from};
use crate::store::{Seen, objects_in};
use crate::world::{noise, proved, text, tool, wait_for};

/// The disk that is plugged in.
pub(crate) const STICK: &str = "stick.img";
pub(crate) const UUID: &str = "5b7d2e57-0000-4000-8000-000000000001";
/// Where the filesystem begins on a disk that is reached through device-mapper, so that the disk itself shows none.
pub(crate) const OFFSET: u64 = 1 << 20;
const MIB: u64 = 1024;

/// What the user has to have set up: a rule, and a service that it starts.
const SET_UP: &str = r#"
mkdir -p /pool /store && mount /dev/ubdb /pool
cat > /etc/systemd/system/to-stick.service <<END
[Unit]
Description=Archives to the disk that was plugged in
[Service]
Type=oneshot
ExecStart=/host/to-stick.sh
END
cat > /etc/udev/rules.d/90-stick.rules <<END
ACTION!="remove", SUBSYSTEM=="block", ENV{ID_FS_TYPE}=="btrfs", ENV{ID_FS_UUID}=="@UUID@", TAG+="systemd", ENV{SYSTEMD_WANTS}+="to-stick.service"
END
systemctl daemon-reload
udevadm control --reload
"#;
const SERVICE: &str = r#"#!/bin/bash
mount /dev/disk/by-uuid/@UUID@ /store && SUBVAULT_CONFIG=/host/subvault.toml /host/subvault archive
code=$?
umount /store
echo $code >> /host/codes
exit $code
"#;

/// Makes the disk, with a Btrfs that begins so far into it.
pub(crate) fn new_stick(machine: &Machine, offset: u64) {
    let stick = machine.new_disk(STICK, MIB);
    let device = tool(&["losetup", "-f", "--show", "-o", &offset.to_string(), text(&stick)]);
    tool(&["mkfs.btrfs", "-q", "-U", UUID, device.trim()]);
    tool(&["losetup", "-d", device.trim()]);
}

/// A machine with systemd that is set up and has not seen the disk yet.
fn ready(lines: &str, offset: u64) -> Machine {
    let mut machine = machine(3, lines);
    new_stick(&machine, offset);
    on_disk_from(&machine.shared(STICK), offset, |disk| fs::create_dir(disk.join("vault")).unwrap());
    fs::write(machine.shared("to-stick.sh"), SERVICE.replace("@UUID@", UUID)).unwrap();
    machine.boot(Init::Systemd, &DISKS[..1]);
    machine.must(&format!("chmod 755 /host/to-stick.sh\n{}", SET_UP.replace("@UUID@", UUID)));
    machine
}

/// How the service ended each time, once it did so often.
pub(crate) fn codes(machine: &Machine, times: usize) -> Vec<String> {
    let read = || fs::read_to_string(machine.shared("codes")).unwrap_or_default();
    wait_for("the service that udev starts", || read().lines().count() >= times);
    read().lines().map(str::to_owned).collect()
}

/// What plugs the disk in through device-mapper, once `/dev/ubdc` is there, and what pulls it out.
pub(crate) fn through_mapper() -> (String, String) {
    let sectors = ((MIB << 20) - OFFSET) / 512;
    (
        format!("dmsetup create stick --table '0 {sectors} linear /dev/ubdc {}'\n", OFFSET / 512),
        format!(
            "dmsetup suspend --noflush --nolockfs stick
            dmsetup load stick --table '0 {sectors} error'
            dmsetup resume stick\n"
        ),
    )
}

fn manifests(machine: &Machine, offset: u64) -> usize {
    on_disk_from(&machine.shared(STICK), offset, |disk| {
        let objects = objects_in(&disk.join("vault"));
        Seen::default().whole(&objects, true);
        objects.keys().filter(|key| key.ends_with("/manifest.json")).count()
    })
}

#[test]
fn a_disk_that_is_plugged_in_gets_its_archive() {
    let mut machine = ready("chunk_size = \"8 MiB\"\n", 0);
    for time in 1..=2 {
        machine.must(&format!("seq {time}00000 > /pool/home/numbers"));
        machine.plug('c', STICK);
        assert_eq!(codes(&machine, time), vec!["0"; time]);
        machine.must("udevadm settle");
        machine.unplug('c').unwrap();
        machine.must("udevadm settle; test ! -e /dev/ubdc");
    }
    machine.must("umount /pool");
    machine.off();
    assert_eq!(manifests(&machine, 0), 2, "a full and an incremental");
    proved(
        "a disk that is plugged in twice: udev starts the archiving by itself, and the incremental follows the full",
    );
}

#[test]
fn a_disk_that_is_pulled_out_while_archiving_is_finished_when_it_is_back() {
    let mut machine = ready("chunk_size = \"8 MiB\"\nbandwidth = \"4 MiB/s\"\n", OFFSET);
    machine.plug('c', STICK);
    let (plug, pull) = through_mapper();
    fs::write(machine.shared("noise"), noise(48 << 20, 1)).unwrap();
    machine.must(&format!(
        "modprobe dm-mod; cp /host/noise /pool/home/; {plug}
        until [ \"$(cat /pool/state/journal/disk/home.jsonl 2>/dev/null | wc -l)\" -ge 2 ]; do sleep 0.1; done
        {pull}"
    ));
    let first = codes(&machine, 1);
    assert_ne!(first, ["0"], "it came through before the disk was pulled out");
    machine.must("udevadm settle; dmsetup remove --retry stick");
    machine.must(&plug);
    assert_eq!(codes(&machine, 2), [first[0].as_str(), "0"]);
    machine.must("udevadm settle; dmsetup remove --retry stick; umount /pool");
    machine.off();
    assert_eq!(manifests(&machine, OFFSET), 1);
    on_disk(&machine.shared(DISKS[0]), |disk| crate::store::no_journals(&disk.join("state")));
    proved(
        "a disk that is pulled out while it is archived to: told by the exit code, and finished when it is plugged in again",
    );
}
