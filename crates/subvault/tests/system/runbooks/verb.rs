//! `subvault render runbooks`: what it writes, and what it leaves alone.

use std::fs;

use subvault_render::runbook::MARK;

use crate::world::{World, names, proved, text};

#[test]
fn pages_are_written_with_this_hosts_names_and_over_nothing_else() {
    let world = World::with_directory(512);
    let output = world.dir.path().join("pages");
    let render = ["render", "runbooks", "--output", text(&output)];
    let read = |name: &str| fs::read_to_string(output.join(name)).unwrap();
    world.run(&render).expect(0).says(&["wrote", "next: print"]);
    for name in ["README.md", "file.md", "directory.md", "archive-disk.md", "runbooks.html"] {
        assert!(read(name).starts_with(MARK), "{name}");
    }
    assert!(read("file.md").contains(&format!("FILE={}/", world.home().display())), "{}", read("file.md"));
    assert!(
        read("archive-disk.md").contains(&format!("--store {} ", world.store().display())),
        "{}",
        read("archive-disk.md")
    );

    fs::write(output.join("notes.md"), "mine").unwrap();
    fs::write(output.join("disk-gone.md"), MARK).unwrap();
    let first = read("file.md");
    world.run(&render).expect(0).says(&["removed", "disk-gone.md"]);
    assert_eq!((read("file.md"), read("notes.md").as_str()), (first, "mine"));
    assert!(!names(&output).contains(&"disk-gone.md".to_owned()));

    fs::write(output.join("file.md"), "# my own way").unwrap();
    world.run(&render).expect(1).says(&["file.md was not written by subvault"]);
    assert_eq!(read("file.md"), "# my own way");

    let with_restic = ["--restic", "sftp:nas:/restic", "--restic-password-file", "/root/restic.password"];
    let other = world.dir.path().join("other");
    let all = world
        .run(&[&["--json", "render", "runbooks", "--output", text(&other)], &with_restic[..]].concat())
        .expect(0)
        .json();
    let written = all["written"].as_array().unwrap();
    assert!(
        ["windows.md", "android.md"]
            .iter()
            .all(|name| written.iter().any(|path| path.as_str().unwrap().ends_with(name)))
    );
    proved("runbooks are written for the host that they are asked on, and over nothing that somebody changed");
}
