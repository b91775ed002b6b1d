//! The scope in single cases.

use subvault_sendstream::{
    command::Command,
    touched::{Scope, Touched},
};

/// Paths with their ranges; `None` is everything.
type Found = Option<Vec<(Vec<u8>, Vec<(u64, u64)>)>>;

fn scope_of(commands: &[Command<'_>]) -> Found {
    let mut touched = Touched::new(10_000);
    for command in commands {
        touched.command(command);
    }
    match touched.scope() {
        Scope::Everything => None,
        Scope::Paths(paths) => Some(
            paths
                .iter()
                .map(|(path, part)| (path.to_vec(), part.ranges.iter().map(|range| (range.start, range.end)).collect()))
                .collect(),
        ),
    }
}

fn paths(expected: &[(&str, &[(u64, u64)])]) -> Found {
    Some(expected.iter().map(|(path, ranges)| (path.as_bytes().to_vec(), ranges.to_vec())).collect())
}

fn write(path: &[u8], offset: u64, len: usize) -> Command<'_> {
    Command::Write { path, offset, data: &[1; 100][..len] }
}

#[test]
fn a_full_stream_touches_everything() {
    assert_eq!(scope_of(&[Command::Subvol { path: b"s", uuid: [0; 16], ctransid: 0 }]), None);
}

#[test]
fn ranges_that_meet_are_one() {
    let commands =
        [write(b"f", 50, 10), write(b"f", 0, 10), write(b"f", 10, 5), write(b"f", 14, 36), write(b"f", 70, 1)];
    assert_eq!(scope_of(&commands), paths(&[("f", &[(0, 60), (70, 71)])]));
}

#[test]
fn what_was_made_under_an_orphan_name_is_found_under_its_final_one() {
    let commands = [
        Command::Mkdir { path: b"o257-7-0" },
        Command::Mkfile { path: b"o257-7-0/f" },
        write(b"o257-7-0/f", 0, 9),
        Command::Rename { path: b"o257-7-0", to: b"d" },
    ];
    assert_eq!(scope_of(&commands), paths(&[("d", &[]), ("d/f", &[(0, 9)])]));
}

#[test]
fn neighbours_of_a_renamed_directory_stay() {
    let commands = [
        write(b"d!/f", 0, 1),
        write(b"d/f", 0, 2),
        write(b"d0/f", 0, 3),
        write(b"d", 0, 4),
        Command::Rename { path: b"d", to: b"e" },
    ];
    let expected: [(&str, &[(u64, u64)]); 4] =
        [("d!/f", &[(0, 1)]), ("d0/f", &[(0, 3)]), ("e", &[(0, 4)]), ("e/f", &[(0, 2)])];
    assert_eq!(scope_of(&commands), paths(&expected));
}

#[test]
fn a_link_shares_what_was_written_before_and_after() {
    let commands = [
        write(b"old", 0, 9),
        Command::Link { path: b"new", existing: b"old" },
        write(b"new", 20, 1),
        Command::Unlink { path: b"old" },
    ];
    assert_eq!(scope_of(&commands), paths(&[("new", &[(0, 9), (20, 21)])]));
}

#[test]
fn a_changed_file_that_may_have_an_unknown_name_makes_it_everything() {
    assert_eq!(scope_of(&[write(b"old", 0, 9), Command::Unlink { path: b"old" }]), None);
    let over = [write(b"old", 0, 9), Command::Mkfile { path: b"n" }, Command::Rename { path: b"n", to: b"old" }];
    assert_eq!(scope_of(&over), None);
    // All names of a file that the stream made are known.
    let made = [Command::Mkfile { path: b"f" }, write(b"f", 0, 9), Command::Unlink { path: b"f" }];
    assert_eq!(scope_of(&made), paths(&[]));
    // One that was only moved away to be removed has not changed.
    let moved = [Command::Rename { path: b"f", to: b"o257-7-0" }, Command::Unlink { path: b"o257-7-0" }];
    assert_eq!(scope_of(&moved), paths(&[]));
    // A directory has no second name.
    let directory = [Command::Chmod { path: b"d", mode: 0o700 }, Command::Rmdir { path: b"d" }];
    assert_eq!(scope_of(&directory), paths(&[]));
}

#[test]
fn truncating_puts_zeros_where_the_file_grows_again() {
    let commands = [write(b"f", 0, 40), Command::Truncate { path: b"f", size: 60 }, write(b"f", 90, 5)];
    assert_eq!(scope_of(&commands), paths(&[("f", &[(0, 40), (60, u64::MAX)])]));
    // The holes of a new file are nobody's content.
    let new = [Command::Mkfile { path: b"f" }, Command::Truncate { path: b"f", size: 4 }, write(b"f", 60, 5)];
    assert_eq!(scope_of(&new), paths(&[("f", &[(60, 65)])]));
}

#[test]
fn preallocation_counts_and_shifting_reaches_to_the_end() {
    let fallocate = |mode| Command::Fallocate { path: b"f", mode, offset: 10, len: 20 };
    assert_eq!(scope_of(&[fallocate(0)]), paths(&[("f", &[(10, 30)])]));
    assert_eq!(scope_of(&[fallocate(3)]), paths(&[("f", &[(10, 30)])]));
    assert_eq!(scope_of(&[fallocate(8)]), paths(&[("f", &[(10, u64::MAX)])]));
}

#[test]
fn beyond_the_limit_it_is_everything_and_stays_so() {
    let name = [b'x'; 200];
    let mut touched = Touched::new(10_000);
    for len in 1..=20 {
        touched.command(&write(&name[..len], 0, 1));
    }
    assert!(matches!(touched.scope(), Scope::Paths(paths) if paths.len() == 20));
    for offset in 0..300 {
        touched.command(&write(&name[..5], offset * 2, 1));
    }
    assert!(matches!(touched.scope(), Scope::Everything));
    touched.command(&Command::Mkfile { path: b"f" });
    assert!(matches!(touched.scope(), Scope::Everything));
}
