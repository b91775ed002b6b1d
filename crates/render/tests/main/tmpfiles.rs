//! What `systemd-tmpfiles` makes of our lines on a real pool.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use subvault_model::facts::Facts;
use subvault_plan::strategy::assemble::strategy;
use subvault_plan::strategy::profile::Profile;
use subvault_plan::strategy::storage::Means;
use subvault_render::tmpfiles::render;
use subvault_testkit::pool::LoopPool;

use crate::golden::compare;
use crate::hosts::{self, pool, subvolume};
use crate::outside::{asked, joined, put};

#[test]
fn the_lines_are_as_they_were_read() {
    for (name, _, strategy) in hosts::named() {
        compare(&format!("tmpfiles/{name}.txt"), &joined(&render(&strategy)));
    }
}

#[test]
fn a_host_without_wishes_of_its_own_needs_no_file() {
    let facts = hosts::facts(Profile::Laptop);
    let mut strategy = strategy(&facts, &hosts::said(Profile::Laptop, "x"));
    strategy.subvolumes.retain(|one| one.storage.value.is_cow);
    strategy.subvolumes.iter_mut().for_each(|one| one.means.clear());
    assert_eq!(render(&strategy), None);
}

/// The attributes of a directory, as letters.
fn attributes(path: &Path) -> BTreeSet<char> {
    let output = Command::new("lsattr").arg("-d").arg(path).output().unwrap();
    assert!(output.status.success(), "{}", path.display());
    output.stdout.split(|byte| *byte == b' ').next().unwrap().iter().map(|byte| char::from(*byte)).collect()
}

/// Names of which every byte could mean something to some reader, beside decoys that a pattern would match.
fn names() -> Vec<Vec<u8>> {
    let plain =
        ["plain", "with blank", "quote\"d", "it's", "back\\slash", "per%cent", "%H", "#hash", "grün", "é\u{301}"];
    let patterns = ["st*r", "quest?on", "br[ac]ket", "{a,b}", "~tilde", "$HOME"];
    let bytes: [&[u8]; 2] = [b"\x01\x7f", b" tab\t "];
    plain.iter().chain(&patterns).map(|name| name.as_bytes().to_vec()).chain(bytes.map(<[u8]>::to_vec)).collect()
}

#[test]
fn attributes_are_set_on_what_is_meant_and_on_nothing_else() {
    let loop_pool = LoopPool::new(256 << 20, &[], &[]).unwrap();
    let root = loop_pool.path();
    let at = |name: &[u8]| root.join(std::ffi::OsStr::from_bytes(name));
    for name in names() {
        fs::create_dir(at(&name)).unwrap();
    }
    for decoy in ["stXr", "questXon", "braket", "a", "b", "back", "per"] {
        fs::create_dir(at(decoy.as_bytes())).unwrap();
    }
    let facts = Facts {
        pools: vec![pool(hosts::FIRST, names().iter().map(|name| subvolume(name, name)).collect())],
        ..Facts::default()
    };
    let mut strategy = strategy(&facts, &hosts::said(Profile::Server, "x"));
    let means = [Means::NoCowAttribute, Means::CompressionProperty("none"), Means::CompressionProperty("zstd")];
    for (one, means) in strategy.subvolumes.iter_mut().zip(means.iter().cycle()) {
        one.means = vec![means.clone()];
    }
    let file = put(&root, &render(&strategy).unwrap());
    asked(Command::new("systemd-tmpfiles").arg("--create").arg(format!("--root={}", root.display())).arg(file));
    for one in &strategy.subvolumes {
        let (wanted, found) = (&one.means[0], attributes(&at(one.path.as_bytes())));
        let letters = ['C', 'm', 'c'].map(|letter| found.contains(&letter));
        assert_eq!(letters, [0, 1, 2].map(|index| *wanted == means[index]), "{}: {found:?}", one.path);
    }
    let meant = strategy.subvolumes.len();
    let marked = fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path());
    let marked = marked.filter(|path| path.is_dir() && "Cmc".chars().any(|letter| attributes(path).contains(&letter)));
    assert_eq!(marked.count(), meant);
}

#[test]
fn what_cannot_be_written_is_told() {
    let there = [&b"\xff\xfe"[..], b"new\nline"].map(|name| subvolume(name, name)).to_vec();
    let facts = Facts { pools: vec![pool(hosts::FIRST, there)], ..Facts::default() };
    let mut strategy = strategy(&facts, &hosts::said(Profile::Server, "x"));
    strategy.subvolumes.iter_mut().for_each(|one| one.means = vec![Means::NoCowAttribute]);
    let text = render(&strategy).unwrap().text;
    assert!(text.contains("cannot hold /\\xff\\xfe.") && text.contains("cannot hold /new\\nline."), "{text}");
    assert!(!text.lines().any(|line| line.starts_with(['h', 't'])), "{text}");
}

/// What the attribute is for: files that are made later have it.
#[test]
fn new_files_inherit_it() {
    let loop_pool = LoopPool::new(256 << 20, &[], &["compress=zstd:3"]).unwrap();
    let root = loop_pool.path();
    for name in ["data", "quiet"] {
        fs::create_dir(root.join(name)).unwrap();
    }
    let pools = vec![pool(hosts::FIRST, ["data", "quiet"].map(|n| subvolume(n.as_bytes(), n.as_bytes())).to_vec())];
    let facts = Facts { pools, ..Facts::default() };
    let mut strategy = strategy(&facts, &hosts::said(Profile::Server, "x"));
    strategy.subvolumes[0].means = vec![Means::NoCowAttribute];
    strategy.subvolumes[1].means = vec![Means::CompressionProperty("none")];
    let file = put(&root, &render(&strategy).unwrap());
    asked(Command::new("systemd-tmpfiles").arg("--create").arg(format!("--root={}", root.display())).arg(file));
    for (name, letter) in [("data/file", 'C'), ("quiet/file", 'm')] {
        fs::write(root.join(name), [0; 1 << 16]).unwrap();
        assert!(attributes(&root.join(name)).contains(&letter), "{name}");
    }
}
