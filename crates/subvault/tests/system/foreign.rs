//! Beside snapper and btrbk: the real programs take snapshots, and ours shows whose they are and leaves them alone.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::world::{Ran, World, finish, next_second, proved, text, tool};

/// A configuration of snapper for `home`, registered where Debian's snapper looks, and taken back when dropped.
struct Snapper {
    name: String,
}

const REGISTER: &str = "/etc/default/snapper";

impl Snapper {
    fn new(world: &World) -> Self {
        let name = format!("subvault-{}", std::process::id());
        let snapper = Self { name };
        snapper.run(&["create-config", text(&world.home())]).expect(0);
        snapper
    }

    fn run(&self, args: &[&str]) -> Ran {
        finish(Command::new("snapper").args(["--no-dbus", "-c", &self.name]).args(args))
    }

    fn file(&self) -> String {
        format!("/etc/snapper/configs/{}", self.name)
    }
}

impl Drop for Snapper {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.file());
        if let Ok(register) = fs::read_to_string(REGISTER) {
            let without = register.replace(&format!(" {}", self.name), "").replace(&self.name, "");
            let _ = fs::write(REGISTER, without);
        }
    }
}

fn btrbk(world: &World, preserve: &str) -> std::path::PathBuf {
    let path = world.dir.path().join("btrbk.conf");
    let pool = world.pool.path();
    fs::create_dir_all(pool.join("btrbk_snapshots")).unwrap();
    let config = format!("snapshot_dir btrbk_snapshots\n{preserve}\nvolume {}\n  subvolume home\n", pool.display());
    fs::write(&path, config).unwrap();
    path
}

fn owned<'a>(lines: &'a Value, owner: &str) -> Vec<&'a Value> {
    lines.as_array().unwrap().iter().filter(|line| line["owner"] == owner).collect()
}

#[test]
fn snapshots_of_snapper_and_btrbk_are_shown_and_stay() {
    let world = World::with_directory(512);
    world.write("file", 100_000);
    let snapper = Snapper::new(&world);
    snapper.run(&["create", "-d", "before <tea> & ä", "-u", "important=yes"]).expect(0);
    let pre = snapper.run(&["create", "-t", "pre", "-p", "-d", "upgrade"]).expect(0);
    snapper.run(&["create", "-t", "post", "--pre-number", pre.out.trim(), "-d", "upgrade"]).expect(0);
    let config = btrbk(&world, "timestamp_format long-iso");
    tool(&["btrbk", "-q", "-c", text(&config), "run"]);
    tool(&[
        "btrfs",
        "-q",
        "subvolume",
        "snapshot",
        "-r",
        text(&world.home()),
        text(&world.pool.path().join("by-hand")),
    ]);
    world.archive();
    next_second();
    world.archive();
    let listed = world.run(&["list", "--json"]).expect(0).json();
    let theirs = owned(&listed, "snapper");
    assert_eq!(theirs.len(), 3, "{listed:#}");
    assert_eq!(theirs[0]["info"]["description"], "before <tea> & ä");
    assert_eq!(theirs[2]["info"]["pre"], theirs[1]["info"]["number"]);
    let numbered = snapper.run(&["--jsonout", "list", "--columns", "number,date"]).expect(0).json();
    let dates: Vec<&Value> = numbered[&snapper.name].as_array().unwrap().iter().skip(1).map(|l| &l["date"]).collect();
    for (date, shown) in dates.iter().zip(&theirs) {
        let shown = shown["taken"].as_str().unwrap().replace('T', " ");
        assert!(shown.starts_with(date.as_str().unwrap()), "{date} {shown}");
    }
    assert_eq!(owned(&listed, "btrbk").len(), 1, "{listed:#}");
    assert_eq!(owned(&listed, "unknown").len(), 1, "{listed:#}");
    assert_eq!(owned(&listed, "subvault").len(), 2, "{listed:#}");
    let shown = world.run(&["list"]).expect(0);
    let shown = shown.says(&[
        "snapper   1: before",
        "2 pre: upgrade",
        "btrbk     btrbk_snapshots/home.2",
        "before <tea> & ä",
        "by-hand",
    ]);
    assert_eq!(shown.out.lines().count(), 1 + 7, "{}", shown.out);
    assert!(snapper.run(&["delete", "1-3"]).code == Some(0));
    proved("snapshots of real snapper and btrbk are listed with owner, time and description, and stay");
}

/// Why an import does not take over the directory of btrbk's snapshots.
#[test]
fn btrbk_would_delete_ours_among_its_own() {
    let world = World::with_directory(512);
    let config = btrbk(&world, "snapshot_preserve_min latest");
    // As one of ours would be called there, and older than what btrbk takes.
    let inside = world.pool.path().join("btrbk_snapshots/home.20260101T000000Z");
    tool(&["btrfs", "-q", "subvolume", "snapshot", "-r", text(&world.home()), text(&inside)]);
    tool(&["btrbk", "-q", "-c", text(&config), "run"]);
    assert!(!inside.exists(), "btrbk left it: then the import may take its directory over");
    proved("btrbk takes our names for its own in its snapshot_dir, and an import keeps out of there");
}
