//! What `docs/recovery.md` says is run as it stands there, and brings everything back without subvault.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::oracle::{assert_same, describe};
use crate::tree::Tree;
use crate::world::{Ran, World, finish, names, next_second, proved};

/// The shell blocks of the page, one after the other. Blocks of other kinds are for people.
fn script() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/recovery.md");
    let page = fs::read_to_string(page).unwrap();
    let blocks: Vec<&str> = page.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(blocks.len() >= 4, "{blocks:?}");
    blocks.concat()
}

fn recover(world: &World, stream: &str, to: &Path) -> Ran {
    finish(
        Command::new("bash")
            .args(["-euc", &script()])
            .env("STORE", world.store())
            .env("HOST", "laptop")
            .env("SUBVOLUME", "home")
            .env("KEY", world.key())
            .env("TO", to)
            .env("STREAM", stream),
    )
}

/// Two incrementals on a full, received by the commands of the page; then the same of the middle one.
fn brings_back(encryption: bool, lines: &str) {
    let world = World::new(768);
    let lines = format!("chunk_size = \"5 MiB\"\n{lines}");
    let lines = if encryption { world.encrypted(&lines) } else { format!("encryption = \"off\"\n{lines}") };
    world.configure_keeping(10, "", &world.directory_target("disk", &lines));
    let tree = Tree::new(world.home(), 60);
    for round in 0..3 {
        tree.round(round);
        world.write(&format!("noise-{round}"), 6 << 20);
        world.archive();
        next_second();
    }
    let streams: Vec<String> =
        names(&world.store().join("laptop/home")).into_iter().filter(|name| name.contains('-')).collect();
    for (number, stream) in [(2, ""), (1, streams[1].as_str())] {
        let name = &world.snapshot_names()[number];
        let snapshot = world.snapshots().join(name);
        let to = world.back().join(number.to_string());
        fs::create_dir(&to).unwrap();
        recover(&world, stream, &to).expect(0).says(&["Everything is as it was written", "is in "]);
        assert_eq!(names(&to), ["home", name.as_str()]);
        let wanted = describe(&snapshot);
        assert_same((&snapshot, &wanted), &to.join(name), "received by hand");
        assert_same((&snapshot, &wanted), &to.join("home"), "the writable copy");
    }
}

#[test]
fn stock_tools_bring_back_what_was_encrypted_and_compressed() {
    brings_back(true, "");
    proved("the commands of docs/recovery.md bring back 3 snapshots in several chunks, encrypted and compressed");
}

#[test]
fn stock_tools_bring_back_what_was_not() {
    brings_back(true, "compression = \"off\"\n");
    brings_back(false, "");
    brings_back(false, "compression = \"off\"\nprotocol = \"v1\"\n");
    proved("and so without compression, without encryption, and without both in protocol 1");
}

#[test]
fn damage_ends_it() {
    let world = World::with_directory(512);
    world.write("noise", 12 << 20);
    world.archive();
    let folder = world.store().join("laptop/home");
    let stream = names(&folder).into_iter().find(|name| name.contains("-full-")).unwrap();
    let chunk = folder.join(stream).join("chunk-00001.zst.age");
    let mut bytes = fs::read(&chunk).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&chunk, bytes).unwrap();
    let ran = recover(&world, "", &world.back());
    assert_ne!(ran.code, Some(0));
    assert_eq!(names(&world.back()), [""; 0], "nothing is received");
    ran.says(&["chunk-00001.zst.age"]);
}
