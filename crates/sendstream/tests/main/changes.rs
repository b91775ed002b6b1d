//! The list of changes in single cases; what the kernel really sends is held against a walk in the room `host`.

use subvault_sendstream::{
    changes::{Changes, Misfit, What},
    command::{Command, Timespec},
};

type Line = (What, Option<String>, Option<String>);

fn collect(commands: &[Command<'_>]) -> Result<Changes, Misfit> {
    let mut changes = Changes::new();
    for command in commands {
        changes.command(command)?;
    }
    Ok(changes)
}

fn text(path: &[u8]) -> String {
    path.escape_ascii().to_string()
}

fn listed(commands: &[Command<'_>]) -> Vec<Line> {
    let lines = collect(commands).unwrap().finish().into_iter();
    lines.map(|change| (change.what, change.old.as_deref().map(text), change.new.as_deref().map(text))).collect()
}

fn line(what: What, old: &str, new: &str) -> Line {
    let path = |path: &str| (!path.is_empty()).then(|| path.to_owned());
    (what, path(old), path(new))
}

fn rename<'a>(path: &'a [u8], to: &'a [u8]) -> Command<'a> {
    Command::Rename { path, to }
}

fn extent(path: &[u8], len: u64) -> Command<'_> {
    Command::UpdateExtent { path, offset: 0, len }
}

fn times(path: &[u8]) -> Command<'_> {
    let time = Timespec::default();
    Command::Utimes { path, atime: time, mtime: time, ctime: time, otime: None }
}

#[test]
fn passing_names_are_not_listed() {
    let commands = [
        Command::Mkfile { path: b"o258-7-0" },
        extent(b"o258-7-0", 5),
        rename(b"o258-7-0", b"made"),
        extent(b"made", 4),
        Command::Mkfile { path: b"o259-7-0" },
        Command::Unlink { path: b"o259-7-0" },
    ];
    assert_eq!(listed(&commands), [line(What::Created, "", "made")]);
    assert_eq!(collect(&commands).unwrap().finish()[0].content.written, 9);
}

#[test]
fn two_that_change_places_are_renamed() {
    let commands = [rename(b"a", b"o257-7-0"), rename(b"b", b"a"), rename(b"o257-7-0", b"b")];
    assert_eq!(listed(&commands), [line(What::Renamed, "b", "a"), line(What::Renamed, "a", "b")]);
    let there_and_back = [rename(b"a", b"o257-7-0"), rename(b"o257-7-0", b"a")];
    assert_eq!(listed(&there_and_back), []);
}

#[test]
fn what_lies_in_a_renamed_directory_has_its_final_path() {
    let commands = [
        extent(b"d/deep/file", 3),
        rename(b"d", b"o257-7-0"),
        Command::Unlink { path: b"o257-7-0/gone" },
        rename(b"o257-7-0", b"e"),
        rename(b"e/moved", b"other"),
    ];
    let expected = [
        line(What::Deleted, "d/gone", ""),
        line(What::Renamed, "d", "e"),
        line(What::Changed, "d/deep/file", "e/deep/file"),
        line(What::Renamed, "d/moved", "other"),
    ];
    assert_eq!(listed(&commands), expected);
}

#[test]
fn a_removed_tree_is_listed_by_its_own_names() {
    let commands = [
        rename(b"d", b"o257-7-0"),
        Command::Unlink { path: b"o257-7-0/file" },
        Command::Rmdir { path: b"o257-7-0" },
        times(b""),
    ];
    let mut found = listed(&commands);
    assert_eq!(found.remove(0), (What::Changed, Some(String::new()), Some(String::new())));
    assert_eq!(found, [line(What::Deleted, "d", ""), line(What::Deleted, "d/file", "")]);
}

#[test]
fn links_come_and_go() {
    let commands = [
        Command::Link { path: b"second", existing: b"first" },
        Command::Link { path: b"new", existing: b"old" },
        Command::Unlink { path: b"old" },
    ];
    let expected = [line(What::Renamed, "old", "new"), line(What::Linked(b"first".to_vec()), "", "second")];
    assert_eq!(listed(&commands), expected);
}

#[test]
fn another_under_the_same_name_is_told() {
    let commands = [
        Command::Unlink { path: b"d/f" },
        Command::Mkfile { path: b"o300-7-0" },
        rename(b"o300-7-0", b"d/f"),
        rename(b"d", b"e"),
    ];
    let changes = collect(&commands).unwrap().finish();
    let deleted = changes.iter().find(|change| change.what == What::Deleted).unwrap();
    assert_eq!(deleted.old.as_deref(), Some(&b"d/f"[..]));
    assert_eq!(deleted.successor.as_deref(), Some(&b"e/f"[..]));
    // One that was there before is no successor: it has a line of its own.
    let over = collect(&[Command::Unlink { path: b"f" }, rename(b"g", b"f")]).unwrap().finish();
    assert!(over.iter().all(|change| change.successor.is_none()));
}

#[test]
fn a_full_stream_makes_everything() {
    let commands = [
        Command::Subvol { path: b"s", uuid: [0; 16], ctransid: 0 },
        Command::Mkdir { path: b"d" },
        Command::Mkfile { path: b"d/f" },
    ];
    assert_eq!(listed(&commands), [line(What::Created, "", "d"), line(What::Created, "", "d/f")]);
}

#[test]
fn what_no_receiver_could_apply_is_refused() {
    let refused = |commands: &[Command<'_>]| collect(commands).unwrap_err().why;
    assert_eq!(refused(&[Command::Unlink { path: b"f" }, extent(b"f", 1)]), "is not there");
    assert_eq!(refused(&[Command::Mkdir { path: b"d" }, extent(b"d/f", 1)]), "is not there");
    assert_eq!(refused(&[extent(b"f", 1), Command::Mkfile { path: b"f" }]), "is there already");
    assert_eq!(refused(&[rename(b"d", b"d/e/f")]), "would come to lie in itself");
}
