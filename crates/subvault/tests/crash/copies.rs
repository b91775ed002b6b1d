//! Kills while copying to a disk, and at both ends of a connection.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use subvault_testkit::pool::LoopPool;

use crate::oracle::{assert_same, describe};
use crate::scene::{Death, Moments, change, kill_with};
use crate::tally::{End, through};
use crate::world::{PROGRAM, Ran, World, finish, names, next_second, text, tool};
use crate::{COPYING, at_each, named, share};

/// How large what is copied is.
const LARGE: usize = 12 << 20;

/// A world whose `home` is copied to a disk, or through a connection to what is the disk of another machine.
pub(crate) struct Copies {
    pub(crate) world: World,
    pub(crate) disk: LoopPool,
    changes: std::cell::Cell<u64>,
}

impl Copies {
    pub(crate) fn new(connected: bool) -> Self {
        let (world, disk) = (World::new(2048), LoopPool::new(2 << 30, &[], &[]).unwrap());
        let copies = Self { world, disk, changes: 0.into() };
        let ssh = if connected { "ssh = { host = \"peer\", stall_seconds = 5 }\n" } else { "" };
        let lines = format!(
            "directory = {:?}\nkeep = {{ newest = 2, daily = 0, monthly = 0, yearly = 0 }}\n{ssh}",
            copies.disk.path()
        );
        copies.world.configure(&format!("[[target]]\nname = \"disk\"\n[target.btrfs]\n{lines}"));
        // A connection without a network: what would be run there is run here.
        let bin = copies.world.dir.path().join("bin");
        fs::create_dir(&bin).unwrap();
        let script = format!("#!/bin/sh\nfor last; do :; done\nPATH={} eval \"exec $last\"\n", parent_of_program());
        fs::write(bin.join("ssh"), script).unwrap();
        fs::set_permissions(bin.join("ssh"), fs::Permissions::from_mode(0o755)).unwrap();
        copies
    }

    fn wrapper(&self) -> String {
        format!("{}:{}", self.world.dir.path().join("bin").display(), std::env::var("PATH").unwrap())
    }

    /// Changes the subvolume and takes a snapshot of it.
    pub(crate) fn next(&self, bytes: usize) {
        let number = self.changes.replace(self.changes.get() + 1);
        change(&self.world.home(), number, bytes);
        next_second();
        let now = tool(&["date", "-u", "+%Y%m%dT%H%M%SZ"]);
        let path = self.world.snapshots().join(format!("home.{}", now.trim()));
        tool(&["btrfs", "-q", "subvolume", "snapshot", "-r", text(&self.world.home()), text(&path)]);
    }

    pub(crate) fn command(&self, args: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(PROGRAM);
        command.args(args).env("SUBVAULT_CONFIG", self.world.config()).env("PATH", self.wrapper());
        command.env_remove("SUBVAULT_CRASH_AT").stdin(std::process::Stdio::null());
        command
    }

    pub(crate) fn run(&self) -> Ran {
        finish(&mut self.command(&["replicate"]))
    }

    fn kill(&self, death: &Death) -> bool {
        let config = self.world.config();
        kill_with(&config, &["replicate"], death, || {})
    }

    /// A kill at the other end is none of the program here.
    fn kill_any(&self, death: &Death) -> bool {
        let Death::At(point) = death else { return self.kill(death) };
        let mut command = self.command(&["replicate"]);
        command.env("SUBVAULT_CRASH_AT", point);
        !command.output().unwrap().status.success()
    }

    /// A rerun succeeds; then the newest copy is what the snapshot is, all others are too, and nothing is left.
    fn comes_right(&self) {
        self.run().expect(0);
        let top = self.disk.path().join("laptop/home");
        let there = names(&top);
        let newest = self.world.snapshot_names().pop().unwrap();
        assert_eq!(there.last(), Some(&newest), "{there:?}");
        assert!(there.len() <= 2, "{there:?}");
        for name in &there {
            let source = self.world.snapshots().join(name);
            assert_same((&source, &describe(&source)), &top.join(name), "after a kill");
        }
        self.run().expect(0).says(&["Nothing is to be done"]);
    }
}

fn parent_of_program() -> String {
    let directory = std::path::Path::new(PROGRAM).parent().unwrap();
    format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", directory.display())
}

#[test]
fn copies_survive_random_kills() {
    let copies = Copies::new(false);
    copies.next(LARGE);
    let begin = std::time::Instant::now();
    copies.run().expect(0);
    let mut moments = Moments::new("copies", share(10), begin.elapsed());
    while let Some(death) = moments.next() {
        copies.next(LARGE);
        moments.was(copies.kill(&death));
        while moments.numbers.one_in(3) {
            let again = moments.any();
            moments.was(copies.kill(&again));
        }
        copies.comes_right();
    }
    let count = moments.hit;
    through(
        &[("copying", End::Random, count)],
        &format!("{count} kills at random moments while copying: each rerun completes, and leaves nothing"),
    );
}

#[test]
fn copies_survive_a_kill_at_every_named_point() {
    let points = named(COPYING);
    let mut kills = 0;
    for connected in [false, true] {
        let copies = Copies::new(connected);
        copies.next(LARGE);
        copies.run().expect(0);
        let of_a_connection = |point: &str| point.starts_with("serve-") || point.starts_with("copy-sent");
        let own: Vec<_> = points
            .iter()
            .filter(|times| {
                // At the disk itself streams are not passed on; through a connection they are fed at the other end.
                if connected { !times[0].starts_with("copy-fed") } else { !of_a_connection(&times[0]) }
            })
            .cloned()
            .collect();
        kills += at_each(&own, |death| {
            copies.next(LARGE);
            // Something is left for the points that remove it; the first piece is only the head of the stream.
            assert!(copies.kill_any(&Death::At(if connected { "serve-fed:3" } else { "copy-fed:3" }.to_owned())));
            let killed = copies.kill_any(death);
            copies.comes_right();
            killed
        });
    }
    through(
        &[("copying", End::Named, kills)],
        &format!("{kills} kills at all {} named points of copying, at both ends of a connection too", points.len()),
    );
}
