//! What users get wrong, and what they read then: whole texts, since a message is part of the product.

use std::fs;
use std::path::Path;

use crate::world::{World, finish, subvault, text};

/// The configuration of these tests; `{}` are the pool, the store and the rest.
fn config(world: &World, host: &str, subvolume: &str, target: &str) -> String {
    let (home, store, state) = (world.home(), world.store(), world.state());
    format!(
        "[host]\nname = \"laptop\"\nstate = {state:?}\n{host}\n\n[[subvolume]]\nname = \"home\"\npath = {home:?}\n\
        {subvolume}\n\n[[target]]\nname = \"disk\"\ndirectory = {store:?}\n{target}\n"
    )
}

/// What the program says to this configuration, with the world's paths taken out.
fn said(world: &World, config: &str, args: &[&str], code: i32) -> String {
    fs::write(world.config(), config).unwrap();
    let ran = world.run(args).expect(code);
    assert_eq!(ran.out, "", "an error is not an answer");
    plain(world, &ran.err)
}

fn plain(world: &World, said: &str) -> String {
    said.replace(text(world.dir.path()), "DIR").replace(text(&world.pool.path()), "POOL")
}

#[test]
fn mistakes_in_the_configuration_are_shown_where_they_are() {
    let world = World::new(128);
    let off = "encryption = \"off\"";
    let cases: [(String, &str); 9] = [
        (
            config(&world, "", "target = []", off),
            "error: DIR/subvault.toml:9:1: unknown key `target`\n   |\n 9 | target = []\n   | ^^^^^^\n  \
            → did you mean `targets`?\n",
        ),
        (
            config(&world, "colour = 1", "", off),
            "error: DIR/subvault.toml:4:1: unknown key `colour`\n   |\n 4 | colour = 1\n   | ^^^^^^\n  \
            → the keys here are name, profile, mode, state, time_zone\n",
        ),
        (
            config(&world, "", "targets = [\"disc\"]", off),
            "error: DIR/subvault.toml:9:12: there is no target `disc`\n   |\n 9 | targets = [\"disc\"]\n   |            ^^^^^^\n  \
            → there are disk\n",
        ),
        (
            config(&world, "", "", ""),
            "error: DIR/subvault.toml:11:1: target `disk` has no recipients, so nothing could be encrypted\n    |\n \
            11 | [[target]]\n    | ^^^^^^^^^^\n  → add `recipients = [\"age1…\"]`, or say `encryption = \"off\"`\n",
        ),
        (
            config(&world, "", "", "encryption = \"off\"\nrecipients = [\"age1x\"]"),
            "error: DIR/subvault.toml:15:15: encryption is \"off\" and there are recipients: which is meant?\n    |\n \
            15 | recipients = [\"age1x\"]\n    |               ^^^^^^^\n  → leave one of the two lines out\n",
        ),
        (
            config(&world, "", "", "encryption = \"off\"\nchunk_size = \"1 MiB\""),
            "error: DIR/subvault.toml:15:14: a chunk has from 5 MiB to 5 TiB\n    |\n \
            15 | chunk_size = \"1 MiB\"\n    |              ^^^^^^^\n",
        ),
        (
            config(&world, "", "", "encryption = \"off\"\nchunk_size = \"lots\""),
            "error: DIR/subvault.toml:15:14: `lots` is not a size; write for example `64 MiB`, `200 GiB` or `1.5 TB`\n    |\n \
            15 | chunk_size = \"lots\"\n    |              ^^^^^^\n",
        ),
        (
            config(&world, "", "", off).replace(&format!("{:?}", world.home()), "\"home\""),
            "error: DIR/subvault.toml:6:1: the path of `home` must begin with /\n   |\n 6 | [[subvolume]]\n   \
            | ^^^^^^^^^^^^^\n  → write it from the root on, such as `/home`\n",
        ),
        (
            config(&world, "", "", "recipients = [\"age1x\"]"),
            "error: DIR/subvault.toml:14:15: `age1x` is not an age recipient (invalid Bech32 encoding); it looks like `age1…`\n    |\n 14 | recipients = [\"age1x\"]\n    \
            |               ^^^^^^^\n",
        ),
    ];
    for (config, wanted) in &cases {
        assert_eq!(said(&world, config, &["archive"], 1), *wanted, "\n{config}");
    }
}

#[test]
fn mistakes_on_the_command_line_say_what_there_is() {
    let world = World::new(128);
    let good = config(&world, "", "", "encryption = \"off\"");
    let to = world.back();
    let cases: [(&[&str], &str); 4] = [
        (&["archive", "hom"], "error: there is no subvolume `hom`\n  → the configuration has home\n"),
        (&["archive", "--target", "disc"], "error: there is no target `disc`\n  → the configuration has disk\n"),
        (&["verify", "--target", "disc"], "error: there is no target `disc`\n  → the configuration has disk\n"),
        (
            &["restore", "home", "--from", "disk", "--to", text(&to), "--at", "yesterday"],
            "error: invalid value 'yesterday' for '--at <TIME>': write 2026-11-20, '2026-11-20 14:30' or \
            2026-11-20T14:30:00Z\n\nFor more information, try '--help'.\n",
        ),
    ];
    for (args, wanted) in cases {
        assert_eq!(said(&world, &good, args, 1), wanted, "{args:?}");
    }
    // Nothing is archived yet.
    let ran = world.run(&["restore", "home", "--from", "disk", "--to", text(&to)]).expect(3);
    assert_eq!(
        plain(&world, &ran.err),
        "error: nothing of home is archived there\n  → `subvault list` shows what is archived\n"
    );
}

#[test]
fn without_a_configuration_the_way_to_one_is_told() {
    let ran = subvault(Path::new("/nowhere/subvault.toml"), &["archive"]).expect(1);
    assert_eq!(
        ran.err,
        "error: cannot read /nowhere/subvault.toml: No such file or directory (os error 2)\n  \
        → `subvault init` writes one for this machine; --config FILE names another\n"
    );
}

#[test]
fn what_is_no_subvolume_and_what_is_no_btrfs_is_told() {
    let world = World::new(256);
    world.write("file", 1000);
    let elsewhere = tempfile::tempdir().unwrap();
    let good = config(&world, "", "", "encryption = \"off\"");
    // A directory of the pool that is no subvolume; one of another file system; one that is not there.
    let directory = world.home().join("directory");
    fs::create_dir(&directory).unwrap();
    for (path, words, code) in [
        (directory.as_path(), "not a subvolume", 1),
        (elsewhere.path(), "not on a Btrfs file system", 1),
        (Path::new("/nowhere/at/all"), "No such file or directory", 3),
    ] {
        let config = good.replace(&format!("{:?}", world.home()), &format!("{path:?}"));
        fs::write(world.config(), config).unwrap();
        let ran = world.run(&["archive"]);
        assert_eq!(ran.code, Some(code), "{path:?}: {}{}", ran.out, ran.err);
        assert!(format!("{}{}", ran.out, ran.err).contains(words), "{words}: {}{}", ran.out, ran.err);
        assert!(!path.join(".subvault").exists(), "a directory was made in {path:?}");
    }
    assert!(!Path::new("/nowhere").exists());
    fs::write(world.config(), &good).unwrap();
    world.archive();
    let ran = world.run(&["restore", "home", "--from", "disk", "--to", text(elsewhere.path())]).expect(3);
    assert!(ran.err.contains("not on a Btrfs file system"), "{}", ran.err);
    assert!(crate::world::names(elsewhere.path()).is_empty());
}

#[test]
fn without_root_it_says_so() {
    let world = World::with_directory(256);
    // The world is root's, so that it must be opened for others to come as far as the kernel's refusal.
    let program = std::env::temp_dir().join(format!("subvault-for-nobody-{}", std::process::id()));
    let opened = format!(
        "cp {} {2} && chmod 755 {1} {2} && chmod 644 {3}",
        crate::world::PROGRAM,
        text(world.dir.path()),
        text(&program),
        text(&world.config())
    );
    crate::world::tool(&["sh", "-c", &opened]);
    let mut command = std::process::Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", text(&program), "archive"]);
    let ran = finish(command.env("SUBVAULT_CONFIG", world.config()));
    fs::remove_file(&program).unwrap();
    assert!(matches!(ran.code, Some(1 | 3)), "{:?}: {}{}", ran.code, ran.out, ran.err);
    assert!(ran.err.contains("ermission denied"), "{}", ran.err);
    assert!(!world.state().exists());
}
