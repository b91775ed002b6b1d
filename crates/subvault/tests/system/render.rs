//! `render`: each word by itself and all together, and nothing outside of the directory that was said.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::world::{World, finish, proved, text, tool};

/// A subvolume that is mounted for a while.
struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        tool(&["umount", text(&self.0)]);
    }
}

/// A server with a database that is mounted, a host for copies, and a store.
fn database(world: &World) -> Mounted {
    let at = world.dir.path().join("var/lib/postgresql");
    fs::create_dir_all(&at).unwrap();
    tool(&["mount", "-o", "subvol=home", text(world.pool.device()), text(&at)]);
    let config = format!(
        "[host]\nname = \"laptop\"\nstate = {:?}\nprofile = \"server\"\n\n[[subvolume]]\nname = \"db\"\npath = {at:?}\n\
        workload = \"database\"\n\n{}\n[[target]]\nname = \"far\"\n[target.btrfs]\ndirectory = \"/copies\"\n\
        ssh = {{ host = \"ada@far.example\" }}\n",
        world.state(),
        world.directory_target("disk", "encryption = \"off\"")
    );
    fs::write(world.config(), config).unwrap();
    Mounted(at)
}

fn all_below(directory: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { all_below(&path) } else { BTreeSet::from([path]) }).collect()
}

const WORDS: [&str; 9] =
    ["systemd", "fstab", "sysctl", "tmpfiles", "snapper", "btrbk", "prometheus", "grafana", "datadog"];

/// A file of each.
const FILES: [&str; 9] = [
    "etc/systemd/system/subvault.slice",
    "etc/subvault/fstab",
    "etc/sysctl.d/60-subvault.conf",
    "etc/tmpfiles.d/subvault.conf",
    "etc/snapper/configs/db",
    "etc/btrbk/btrbk.conf",
    "etc/prometheus/rules/subvault-laptop.yml",
    "etc/subvault/monitoring/grafana-dashboard.json",
    "etc/subvault/monitoring/datadog-monitors.json",
];

/// What is made without a look at pools: other tests mount and unmount theirs meanwhile.
const STEADY: [&str; 3] = ["systemd", "sysctl", "grafana"];

#[test]
fn render_writes_each_word_and_all_of_them() {
    let world = World::new(128);
    let mounted = database(&world);
    let [each, all] = ["each", "all"].map(|name| world.dir.path().join(name));
    for word in WORDS {
        let to = ["render", word, "--output", text(&each)];
        world.run(&[&to[..], &["--dry-run"]].concat()).expect(0).says(&["would write"]);
        world.run(&to).expect(0).says(&["wrote", "next: "]);
        let again = world.run(&["render", word, "--to", text(&each)]).expect(0);
        if STEADY.contains(&word) {
            again.says(&["unchanged"]);
        }
    }
    world.run(&["render", "all", "--output", text(&all)]).expect(0).says(&["wrote", "docs/render.md"]);
    let all =
        all_below(&all).into_iter().map(|path| path.strip_prefix(&all).unwrap().to_owned()).collect::<BTreeSet<_>>();
    for (word, name) in WORDS.iter().zip(FILES) {
        assert!(each.join(name).is_file() && all.contains(Path::new(name)), "{word}: {name}");
    }
    let at = text(&mounted.0);
    let fstab = each.join("etc/subvault/fstab");
    let line = fs::read_to_string(&fstab).unwrap().lines().find(|line| line.contains(at)).unwrap().to_owned();
    assert!(line.contains(" btrfs ") && line.ends_with("subvol=/home 0 0"), "{line}");
    // It is this machine's: libmount finds the device, the directory and the type.
    let alone = world.dir.path().join("fstab");
    fs::write(&alone, format!("{line}\n")).unwrap();
    let mut verify = Command::new("findmnt");
    let verified = finish(verify.args(["--verify", "--tab-file", text(&alone)])).expect(0);
    assert!(verified.out.contains("0 errors") || verified.out.contains("Success"), "{}{}", verified.out, verified.err);
    let tmpfiles = fs::read_to_string(each.join("etc/tmpfiles.d/subvault.conf")).unwrap();
    assert!(tmpfiles.contains(&format!("h {at} - - - - +C")), "{tmpfiles}");
    let btrbk = fs::read_to_string(each.join("etc/btrbk/btrbk.conf")).unwrap();
    assert!(btrbk.contains("ssh://far.example/copies/btrbk") && btrbk.contains("ssh_user ada"), "{btrbk}");
    proved(
        "what `render` writes for a real pool: every word by itself as among all, below the directory that was said",
    );
}

#[test]
fn render_leaves_alone_what_somebody_changed() {
    let world = World::new(128);
    let _mounted = database(&world);
    for word in WORDS {
        let root = world.dir.path().join(word);
        let to = ["render", word, "--output", text(&root)];
        world.run(&to).expect(0);
        for path in all_below(&root).into_iter().filter(|path| FILES.iter().any(|file| path.ends_with(file))) {
            let ours = fs::read_to_string(&path).unwrap();
            // Still ours after a change, as long as it says so.
            fs::write(&path, format!("{ours}\n")).unwrap();
            world.run(&to).expect(0).says(&["wrote"]);
            if STEADY.contains(&word) {
                assert_eq!(fs::read_to_string(&path).unwrap(), ours);
            }
            fs::write(&path, ours.replace("Written by", "Made by")).unwrap();
            world.run(&to).expect(1).says(&["was not written by subvault, or was changed", "without --output"]);
            fs::remove_file(&path).unwrap();
        }
    }
    proved("a file that somebody took the mark out of is left alone, whatever it is");
}

/// What only a report describes has no pools; that is told, and nothing is made up.
#[test]
fn render_tells_what_is_not_known() {
    let world = World::new(128);
    world.configure(&world.directory_target("disk", "encryption = \"off\""));
    let reports = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/tests/main/facter");
    let report = reports.join(&crate::world::names(&reports)[0]);
    let ran = world.run(&["render", "fstab", "--facter", text(&report)]).expect(0);
    ran.says(&["There is nothing to write", "not known: power, pools and the distribution"]);
}
