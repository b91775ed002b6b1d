//! `import`: from the real configurations of snapper and btrbk to ours, read by the real reader.

use std::fs;
use std::process::Command;

use crate::world::{World, finish, proved, subvault, text};

const BTRBK: &str = "\
snapshot_preserve_min   2d
snapshot_preserve       48h 14d
target_preserve_min     no
target_preserve         20d 10w *m
wrong_setting           yes
volume POOL
  snapshot_dir snaps
  rate_limit 10m
  subvolume home
    target raw STORE
    target POOL/copies
      target_preserve_min 1d
    target ssh://far.example:2222/copies
      ssh_identity /root/.ssh/copies
      ssh_user no
  subvolume other
    snapshot_create no
    target raw STORE
      raw_target_encrypt gpg
";

#[test]
fn what_is_imported_is_a_configuration() {
    let world = World::new(256);
    let dir = world.dir.path();
    let from = dir.join("btrbk.conf");
    let written = BTRBK.replace("POOL", text(&world.pool.path())).replace("STORE", text(&world.store()));
    fs::write(&from, written).unwrap();
    let to = dir.join("new/subvault.toml");
    let told = subvault(&to, &["import", "btrbk", "--from", text(&from), "--to", text(&to)]).expect(0);
    told.says(&["btrbk.conf:5: wrong_setting yes: unknown", "raw_target_encrypt gpg: not carried over", "wrote"]);
    let again = subvault(&to, &["import", "btrbk", "--from", text(&from), "--to", text(&to)]).expect(1);
    again.says(&["exists already"]);
    fs::create_dir(world.store().join("subvault")).unwrap();
    let state = dir.join("state");
    let imported = fs::read_to_string(&to).unwrap();
    fs::write(&to, format!("[host]\nname = \"laptop\"\nstate = {state:?}\n{imported}")).unwrap();
    subvault(&to, &["archive", "home", "--dry-run"]).expect(0).says(&["home"]);
    subvault(&to, &["archive", "home"]).expect(0);
    proved("a btrbk.conf is imported, with what is lost told by line, and archives at once");
}

#[test]
fn what_snapper_wrote_itself_is_imported() {
    let world = World::new(256);
    let name = format!("import-{}", std::process::id());
    let root = world.dir.path().join("root");
    fs::create_dir_all(root.join("etc/snapper/configs")).unwrap();
    let file = root.join("etc/snapper/configs").join(&name);
    let template = fs::read_to_string("/usr/share/snapper/config-templates/default").unwrap();
    fs::write(&file, template.replace("SUBVOLUME=\"/\"", &format!("SUBVOLUME={:?}", world.home()))).unwrap();
    let to = world.dir.path().join("subvault.toml");
    subvault(&to, &["import", "snapper", "--root", text(&root), "--to", text(&to)]).expect(0).says(&["SPACE_LIMIT"]);
    subvault(&to, &["list"]).expect(0).says(&["There is nothing yet"]);
    subvault(&to, &["run", "--dry-run"]).expect(0).says(&[&name]);
    let missing = subvault(&to, &["import", "snapper", "--root", "/nonexistent"]).expect(1);
    missing.says(&["has no configuration of snapper", "--root"]);
    proved("snapper's own template is imported and read");
}

/// What systemd and udev are given is made from the configuration, kept when it was changed by hand, and verified.
#[test]
fn units_are_written_once_and_kept_when_they_are_changed() {
    let world = World::new(256);
    let (pool, luks) = ("5f0c5d63-7a7e-4f4b-9d0e-0c1a58a2f001", "c1a58a2f-7a7e-4f4b-9d0e-5f0c5d630002");
    let disk = |name: &str, more: &str| {
        format!("[[target]]\nname = \"{name}\"\n[target.btrfs]\ndirectory = \"copies\"\nuuid = \"{pool}\"\n{more}\n")
    };
    let safe =
        disk("safe", &format!("luks = {{ uuid = \"{luks}\", key_file = \"/etc/key\" }}")).replace("copies", "sealed");
    world.configure(&(disk("usb", "") + &safe));
    let root = world.dir.path().join("root");
    let to = ["render", "systemd", "--program", "/bin/true", "--to", text(&root)];
    world.run(&[&to[..], &["--dry-run"]].concat()).expect(0).says(&["would write"]);
    assert!(!root.exists());
    world.run(&to).expect(0).says(&["wrote", "subvault.timer", "daemon-reload"]);
    world.run(&to).expect(0).says(&["unchanged"]);
    let rules = fs::read_to_string(root.join("etc/udev/rules.d/90-subvault.rules")).unwrap();
    assert!(rules.contains(pool) && rules.contains("subvault-replicate@usb.service"), "{rules}");
    assert!(rules.contains(luks) && rules.contains("subvault-replicate@safe.service"), "{rules}");
    let units = root.join("etc/systemd/system");
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no", "--recursive-errors=no"]);
    let verified = finish(
        verify.args(["subvault.service", "subvault.timer", "subvault-replicate@.service"].map(|u| units.join(u))),
    )
    .expect(0);
    assert!(verified.err.is_empty(), "{}", verified.err);
    let timer = units.join("subvault.timer");
    let changed = fs::read_to_string(&timer).unwrap().split_once('\n').unwrap().1.to_owned();
    fs::write(&timer, &changed).unwrap();
    world.run(&to).expect(1).says(&["was not written by subvault, or was changed"]);
    assert_eq!(fs::read_to_string(&timer).unwrap(), changed);
    proved("units are rendered, verified by systemd, and a changed one is left alone");
}
