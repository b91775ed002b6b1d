//! The walk through the README, as it is written there: its commands, at the paths that it names.

use std::fs;
use std::process::{Command, Stdio};

use crate::world::{PROGRAM, World, finish, proved, text};

const README: &str = include_str!("../../../../README.md");

/// The commands of the walk, in order.
fn commands() -> Vec<String> {
    let walk = README.split("\n## ").find(|section| section.starts_with("Five minutes")).unwrap();
    let lines = walk.lines().filter_map(|line| line.strip_prefix("    "));
    let commands = lines.filter(|line| line.starts_with("subvault ") || line.starts_with("rm "));
    commands.map(|line| line.split(" # ").next().unwrap().trim().to_owned()).collect()
}

#[test]
fn the_walk_through_the_readme_works_as_it_is_written() {
    let world = World::new(1024);
    fs::create_dir(world.home().join("ada")).unwrap();
    fs::write(world.home().join("ada/report.odt"), "as it should be").unwrap();
    let (bin, top) = (world.dir.path().join("bin"), world.pool.path());
    fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(PROGRAM, bin.join("subvault")).unwrap();
    // What it names is made in a name space of its own; directories that were not there are removed again.
    let mut script = format!(
        "set -eu; PATH={bin}:$PATH; export TZ=UTC
        made=; for dir in /etc/subvault /var/lib/subvault /etc/systemd/system; do
            [ -d $dir ] || {{ mkdir -p $dir; made=\"$made $dir\"; }}; mount -t tmpfs tmpfs $dir; done
        trap 'for dir in $made; do umount $dir; rmdir $dir; done' EXIT
        # Nothing but this test's own pool is to be seen here, whatever else the machine has.
        awk '{{ split($0, half, \" - \"); split(half[2], of, \" \"); if (of[1] == \"btrfs\") print $5 }}' /proc/self/mountinfo | sort -r | while read -r other; do
            umount -l \"$other\"; done
        mount -o subvol=home {device} /home
        mount -t tmpfs tmpfs /mnt; mkdir -p /mnt/disk/vault /mnt/pool; mount -t tmpfs tmpfs /mnt/pool
        mkdir /mnt/pool/top; umount /mnt/pool; mount -o subvol=back {device} /mnt/pool\n",
        bin = text(&bin),
        device = text(world.pool.device()),
    );
    crate::world::tool(&["btrfs", "-q", "subvolume", "create", text(&top.join("back"))]);
    let commands = commands();
    assert!(commands.len() > 15, "{commands:?}");
    for command in &commands {
        script.push_str(&format!("echo '$ {}'; sleep 1.1; {command}\n", command.replace('\'', "")));
    }
    script.push_str("grep -q 'as it should be' /home/ada/report.odt; test ! -e /home/ada/new\n");
    script.push_str(
        "grep -q 'as it should be' /mnt/pool/home/ada/report.odt; test -e /etc/systemd/system/subvault.timer\n",
    );
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--propagation", "private", "sh", "-c", &script]).stdin(Stdio::null());
    for name in ["SUBVAULT_CONFIG", "SUBVAULT_CRASH_AT"] {
        unshare.env_remove(name);
    }
    finish(&mut unshare).expect(0);
    proved(&format!("the walk through the README works as it is written: {} commands", commands.len()));
}
