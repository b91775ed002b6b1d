//! Kills while something comes back from a disk, and at both ends of a connection.

use std::fs;
use std::path::Path;

use crate::copies::Copies;
use crate::oracle::{Described, assert_same, describe};
use crate::scene::Death;
use crate::tally::{End, through};
use crate::world::{finish, names, text, tool};
use crate::{RETURNING, at_each, named};

/// How large what comes back is.
const LARGE: usize = 12 << 20;

/// Copies that are all that is left.
struct Returns {
    copies: Copies,
    name: String,
    described: Described,
}

impl Returns {
    fn new(connected: bool) -> Self {
        let copies = Copies::new(connected);
        copies.next(LARGE);
        copies.run().expect(0);
        let name = copies.world.snapshot_names().pop().unwrap();
        let snapshot = copies.world.snapshots().join(&name);
        let described = describe(&snapshot);
        tool(&["btrfs", "-q", "subvolume", "delete", text(&snapshot)]);
        fs::remove_file(copies.world.home().join("data")).unwrap();
        Self { copies, name, described }
    }

    fn copy(&self) -> std::path::PathBuf {
        self.copies.disk.path().join("laptop/home").join(&self.name)
    }

    /// Whether it died, at this end or the other.
    fn kill(&self, args: &[&str], death: &Death) -> bool {
        let Death::At(point) = death else { return false };
        !self.copies.command(args).env("SUBVAULT_CRASH_AT", point).output().unwrap().status.success()
    }

    /// The subvolume is there after a rerun, and nothing else; it is removed again.
    fn is_back(&self, to: &Path, args: &[&str]) {
        let ran = finish(&mut self.copies.command(args));
        if ran.code != Some(0) {
            ran.expect(3).says(&["exists already"]);
        }
        assert_eq!(names(to), ["home", &self.name]);
        for name in ["home", &self.name] {
            assert_same((&self.copy(), &self.described), &to.join(name), "after a kill");
            tool(&["btrfs", "-q", "subvolume", "delete", text(&to.join(name))]);
        }
    }

    /// The file is there after a rerun, and nothing else is left; it is removed again.
    fn file_is_back(&self, args: &[&str]) {
        finish(&mut self.copies.command(args)).expect(0);
        let file = self.copies.world.home().join("data");
        assert!(fs::read(&file).unwrap() == fs::read(self.copy().join("data")).unwrap());
        let beside = names(&self.copies.world.snapshots());
        assert!(!beside.iter().any(|name| name.starts_with('.')), "{beside:?}");
        fs::remove_file(file).unwrap();
    }
}

#[test]
fn what_comes_back_from_copies_survives_a_kill_at_every_named_point() {
    let points = named(RETURNING);
    let of = |which: fn(&str) -> bool| points.iter().filter(|times| which(&times[0])).cloned().collect::<Vec<_>>();
    let mut kills = 0;
    for connected in [false, true] {
        let returns = Returns::new(connected);
        let to = returns.copies.world.pool.path().join("to");
        fs::create_dir(&to).unwrap();
        let args = ["restore", "home", "--to", text(&to), "--from", "disk"];
        let mut own = of(|point| !point.starts_with("return-path-") && !point.starts_with("return-sent"));
        own.extend(["restore-copied", "restore-placed"].map(|point| vec![format!("{point}:1")]));
        own.extend(of(|point| point.starts_with("return-sent")).into_iter().filter(|_| connected));
        kills += at_each(&own, |death| {
            let killed = returns.kill(&args, death);
            returns.is_back(&to, &args);
            killed
        });
        if connected {
            let args = ["restore", "home:data"];
            kills += at_each(
                &of(|point| !point.starts_with("return-fed") && !point.starts_with("return-staged")),
                |death| {
                    let killed = returns.kill(&args, death);
                    returns.file_is_back(&args);
                    killed
                },
            );
        }
    }
    through(
        &[("bringing back", End::Named, kills)],
        &format!("{kills} kills while copies come back, at both ends of a connection too: each rerun completes"),
    );
}
