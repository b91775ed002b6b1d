//! What programs that are not ours say about a tree: `find` its names, kinds, modes, owners, sizes, times and links,
//! `tar` its contents, access lists and other attributes. Nothing of subvault's own digest is in it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// A tree as it was described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Described {
    listing: Vec<String>,
    hard_links: Vec<String>,
    archive: String,
}

impl Described {
    /// How many entries there are.
    pub(crate) fn entries(&self) -> usize {
        self.listing.len()
    }
}

/// Describes a tree.
pub(crate) fn describe(top: &Path) -> Described {
    let mut listing = records(top, r"%y %m %U %G %s %T@ %n %P -> %l\0");
    listing.sort();
    // Sockets are left out of the archive with a complaint; those `find` has seen.
    let archive = shell(
        top,
        "find . -mindepth 1 -maxdepth 1 -print0 | sort -z | tar --null -T - --sort=name --numeric-owner --xattrs \
        '--xattrs-include=*' --acls --format=pax --pax-option=delete=atime,delete=ctime -cf - 2>/dev/null | sha256sum; \
        getfattr -hd -m- -e hex . | sha256sum",
    );
    Described { listing, hard_links: hard_links(top), archive: String::from_utf8(archive).unwrap() }
}

fn records(top: &Path, format: &str) -> Vec<String> {
    let output = Command::new("find").args([".", "-printf", format]).current_dir(top).output().unwrap();
    assert!(output.status.success(), "find: {}", String::from_utf8_lossy(&output.stderr));
    let records = output.stdout.split(|byte| *byte == 0).filter(|record| !record.is_empty());
    records.map(|record| record.escape_ascii().to_string()).collect()
}

/// The names of each inode that has several.
fn hard_links(top: &Path) -> Vec<String> {
    let mut inodes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for record in records(top, r"%y %i %P\0").iter().filter(|record| !record.starts_with("d ")) {
        let mut parts = record.splitn(3, ' ');
        let (inode, name) = (parts.nth(1).unwrap(), parts.next().unwrap());
        inodes.entry(inode.to_owned()).or_default().push(name.to_owned());
    }
    let mut groups: Vec<String> = inodes
        .into_values()
        .filter(|names| names.len() > 1)
        .map(|mut names| {
            names.sort();
            names.join(" = ")
        })
        .collect();
    groups.sort();
    groups
}

fn shell(top: &Path, script: &str) -> Vec<u8> {
    let output = Command::new("sh").args(["-c", script]).current_dir(top).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Fails with the differing lines unless `found` is what `wanted` is, which is described already.
#[track_caller]
pub(crate) fn assert_same(wanted: (&Path, &Described), found: &Path, what: &str) {
    let (source, described) = wanted;
    let there = describe(found);
    if *described == there {
        return;
    }
    let lines = |of: &Described| [of.listing.clone(), of.hard_links.clone()].concat();
    let details = |path: &Path| {
        let script = "getfattr -Rhd -m- -e hex . | sed '/^# file/{s/^/\\n/;h}; /=/{G;s/\\n/ /g}'; \
            find . -type f -exec sha256sum {} +";
        let text = shell(path, script).escape_ascii().to_string();
        text.split("\\n").map(str::to_owned).collect::<Vec<_>>()
    };
    let (mut one, mut other) = (lines(described), lines(&there));
    if one == other {
        (one, other) = (details(source), details(found));
    }
    let only =
        |x: &[String], y: &[String]| x.iter().filter(|line| !y.contains(line)).cloned().collect::<Vec<_>>().join("\n");
    panic!("{what}\nonly in the source:\n{}\nonly restored:\n{}", only(&one, &other), only(&other, &one));
}

/// An oracle that sees nothing would agree with everything.
#[test]
fn every_kind_of_difference_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (dir.path().join("one"), dir.path().join("other"));
    let build = "mkdir one && cd one && mkdir d && printf 0123456789 >f && ln f d/link && ln -s f s && mkfifo p && \
        mknod c c 1 3 && setfattr -n user.a -v 1 f && setfacl -m u:5:r d && printf x >'new\nline' && cd .. && \
        cp -a one other";
    shell(dir.path(), build);
    let before = describe(&one);
    assert_eq!(before, describe(&other));
    let changes = [
        "printf 012345678X >t && touch -r f t && cat t >f && touch -r t f && rm t && touch -r ../one .",
        "touch -d '2001-01-01 00:00:00.000000001' f",
        "chmod 600 f",
        "chown -h 7:8 s",
        "setfattr -n user.a -v 2 f",
        "setfacl -b d",
        "rm d/link && cp -p f d/link && touch -r ../one/d d",
        "ln -sfn g s && touch -hr ../one/s s && touch -r ../one .",
        "rm c && mknod c c 1 5 && touch -r ../one/c c && touch -r ../one .",
        "mv 'new\nline' newline && touch -r ../one .",
        "setfattr -n user.top -v 1 .",
        "chmod 711 .",
    ];
    for change in changes {
        shell(dir.path(), "rm -rf other && cp -a one other");
        assert_eq!(before, describe(&other));
        shell(&other, change);
        assert_ne!(before, describe(&other), "not seen: {change}");
    }
}
