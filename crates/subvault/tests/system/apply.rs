//! `apply`: a system below a directory is made as its strategy says, once; what is somebody's stays as it is.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use subvault_testkit::pool::LoopPool;

use crate::world::{PROGRAM, Ran, finish, proved, text, tool};

const CONFIG: &str = r#"
[host]
name = "image"
profile = "production-vps"
time_zone = "UTC"
[[subvolume]]
name = "root"
path = "/"
[[subvolume]]
name = "home"
path = "/home"
[[subvolume]]
name = "db"
path = "/var/lib/postgresql"
[[subvolume]]
name = "www"
path = "/srv/www"
"#;

/// A pool whose top level is the root of a system that does not run.
struct Image {
    pool: LoopPool,
}

impl Image {
    fn new() -> Self {
        let image = Self { pool: LoopPool::new(1 << 30, &[], &[]).unwrap() };
        for directory in ["etc/subvault", "var/lib", "srv", "usr/lib/systemd/system"] {
            fs::create_dir_all(image.at(directory)).unwrap();
        }
        fs::write(image.at("etc/subvault/subvault.toml"), CONFIG).unwrap();
        image
    }

    fn at(&self, path: &str) -> PathBuf {
        self.pool.path().join(path)
    }

    fn apply(&self, more: &[&str]) -> Ran {
        let root = self.pool.path();
        let args = ["apply", "--root", text(&root), "--program", "/usr/bin/subvault"];
        finish(Command::new(PROGRAM).args(args).args(more).env("TZ", "UTC").stdin(Stdio::null()))
    }

    /// All there is, with what is in it and when it was changed.
    fn all(&self) -> BTreeMap<PathBuf, String> {
        let listed = tool(&["find", text(&self.pool.path()), "-printf", "%p\t%y %m %u %s %T@ %C@ %i\n"]);
        listed.lines().filter_map(|line| line.split_once('\t')).map(|(p, about)| (p.into(), about.to_owned())).collect()
    }
}

fn is_subvolume(path: &Path) -> bool {
    Command::new("btrfs").args(["subvolume", "show", text(path)]).output().unwrap().status.success()
}

fn attributes(path: &Path) -> String {
    tool(&["lsattr", "-d", text(path)]).split_whitespace().next().unwrap().to_owned()
}

#[test]
fn a_system_is_made_as_its_strategy_says_and_the_second_time_nothing_is_done() {
    let image = Image::new();
    let before = image.all();
    image.apply(&["--dry-run"]).expect(0).says(&[
        "make the subvolume /home",
        "have /var/lib/postgresql overwritten in place (chattr +C)",
        "write /etc/systemd/system/subvault.timer",
        "switch subvault.timer on",
    ]);
    assert_eq!(image.all(), before, "a dry run changed something");
    image.apply(&[]).expect(1).says(&["nobody is there to be asked", "--yes"]);
    assert_eq!(image.all(), before);

    image.apply(&["--yes"]).expect(0);
    for path in ["home", "var/lib/postgresql", "srv/www"] {
        assert!(is_subvolume(&image.at(path)), "{path}");
    }
    assert!(attributes(&image.at("var/lib/postgresql")).contains('C'));
    assert!(!attributes(&image.at("home")).contains('C'));
    let property = |path: &str| tool(&["btrfs", "property", "get", text(&image.at(path)), "compression"]);
    assert_eq!(property("home").trim(), "compression=zstd");
    for file in ["etc/systemd/system/subvault.service", "etc/sysctl.d/60-subvault.conf", "etc/tmpfiles.d/subvault.conf"]
    {
        assert!(image.at(file).is_file(), "{file}: {:?}", image.all().keys());
    }
    let root = format!("--root={}", image.pool.path().display());
    assert_eq!(tool(&["systemctl", &root, "is-enabled", "subvault.timer"]).trim(), "enabled");
    tool(&["systemd-tmpfiles", &root, "--create", "subvault.conf"]);

    let after = image.all();
    let again = image.apply(&["--yes", "--json"]).expect(0).json();
    assert_eq!((&again["steps"], &again["done"]), (&serde_json::json!([]), &false.into()));
    assert_eq!(image.all(), after, "the second time something changed");
    proved("apply: subvolumes, attributes, units, parameters of an image, and the second time nothing");
}

#[test]
fn what_is_somebodys_is_left_and_a_run_that_failed_goes_on() {
    let image = Image::new();
    // Files where a subvolume is wanted, a database with files, a unit of somebody's, and a link that leads out.
    fs::create_dir(image.at("srv/www")).unwrap();
    tool(&["btrfs", "subvolume", "create", text(&image.at("var/lib/postgresql"))]);
    fs::write(image.at("var/lib/postgresql/data"), "rows").unwrap();
    fs::create_dir_all(image.at("etc/systemd/system")).unwrap();
    fs::write(image.at("etc/systemd/system/subvault.service"), "[Service]\nExecStart=/bin/true\n").unwrap();
    let outside = tempfile::tempdir().unwrap();
    let inside = image.at(outside.path().strip_prefix("/").unwrap().to_str().unwrap());
    fs::create_dir_all(&inside).unwrap();
    symlink(outside.path(), image.at("etc/sysctl.d")).unwrap();
    // A file where a directory is needed: the run fails in the middle.
    fs::write(image.at("etc/tmpfiles.d"), "").unwrap();
    let failed = image.apply(&["--yes"]);
    assert_ne!(failed.code, Some(0), "{}", failed.out);
    assert!(is_subvolume(&image.at("home")), "what was done before stays done: {}", failed.err);
    fs::remove_file(image.at("etc/tmpfiles.d")).unwrap();

    let done = image.apply(&["--yes", "--json"]).expect(0).json();
    let left = done["left"].to_string();
    for told in ["/srv/www is no subvolume", "/var/lib/postgresql has files", "subvault.service was not written by"] {
        assert!(left.contains(told), "{told}: {left}");
    }
    assert_eq!(fs::read_to_string(image.at("var/lib/postgresql/data")).unwrap(), "rows");
    assert!(fs::read_to_string(image.at("etc/systemd/system/subvault.service")).unwrap().contains("/bin/true"));
    assert!(!is_subvolume(&image.at("srv/www")));
    assert!(image.at("etc/tmpfiles.d/subvault.conf").is_file());
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0, "something was written outside of the image");
    assert!(inside.join("60-subvault.conf").is_file());
    let again = image.apply(&["--yes", "--json"]).expect(0).json();
    assert_eq!((&again["steps"], &again["left"]), (&serde_json::json!([]), &done["left"]));

    // Mistakes.
    let apply = |args: &[&str]| finish(Command::new(PROGRAM).arg("apply").args(args).stdin(Stdio::null()));
    apply(&["--root", "/nowhere"]).says(&["/nowhere", "No such file"]);
    apply(&["--root", text(outside.path())]).expect(1).says(&["etc/subvault/subvault.toml"]);
    proved("apply: nothing of anybody's is touched, nothing outside of an image is, and a run that failed goes on");
}
