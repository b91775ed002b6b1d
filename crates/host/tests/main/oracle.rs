//! What programs that are not ours say about a tree, and `btrfs send` and `btrfs receive` to compare with.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use subvault_host::receive::{ReceiveError, ReceiveSettings, Received, Receiver, WholePool};
use subvault_sendstream::decode::Decoder;

/// How much of a tree is compared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    All,
    BelowTop,
}

/// Everything about a tree: names, kinds, modes, owners, sizes, times, links by `find`; contents, access lists and
/// other attributes by `tar`.
fn describe(top: &Path, part: Part) -> (String, Vec<u8>) {
    let (depth, names) = match part {
        Part::All => ("0", "printf '.\\0'"),
        Part::BelowTop => ("1", "find . -mindepth 1 -maxdepth 1 -print0 | sort -z"),
    };
    let mut find = Command::new("find");
    find.args([".", "-mindepth", depth, "-printf", r"%P %y %m %U %G %s %T@ %n %l\0"]);
    let mut listing: Vec<Vec<u8>> = output(&mut find, top).split(|byte| *byte == 0).map(<[u8]>::to_vec).collect();
    listing.sort();
    let mut tar = Command::new("sh");
    // Sockets are left out with a complaint; those `find` has seen.
    tar.arg("-c").arg(format!(
        "{names} | tar --null -T - --sort=name --numeric-owner --xattrs '--xattrs-include=*' --acls --format=pax \
        --pax-option=delete=atime,delete=ctime -cf - 2>/dev/null | sha256sum"
    ));
    let text: Vec<_> = listing.iter().map(|line| line.escape_ascii().to_string()).collect();
    (text.join("\n"), output(&mut tar, top))
}

fn output(command: &mut Command, dir: &Path) -> Vec<u8> {
    let output = command.current_dir(dir).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Attributes and sums of contents, to tell where the difference is.
fn details(top: &Path) -> String {
    let mut shell = Command::new("sh");
    shell.args([
        "-c",
        "getfattr -Rhd -m- -e hex . | sed '/^# file/{s/^/\\n/;h}; /=/{G;s/\\n/ /g}'; \
        find . -type f -exec sha256sum {} +",
    ]);
    output(&mut shell, top).escape_ascii().to_string().replace("\\n", "\n")
}

/// Fails with the differing lines, should two trees not be the same.
pub(crate) fn assert_same(first: &Path, second: &Path) {
    compare(first, second, Part::All);
}

/// The same, without the top directory itself. The kernel does not send that if it changed only by the passing
/// names that its own stream makes there, and then `btrfs receive` leaves the time of receiving.
pub(crate) fn assert_same_but_top(first: &Path, second: &Path) {
    compare(first, second, Part::BelowTop);
}

fn compare(first: &Path, second: &Path, part: Part) {
    let (a, b) = (describe(first, part), describe(second, part));
    let only = |x: &str, y: &str| {
        let known: std::collections::HashSet<_> = y.lines().collect();
        x.lines().filter(|line| !known.contains(line)).collect::<Vec<_>>().join("\n")
    };
    let (one, other) = (first.display(), second.display());
    assert!(a.0 == b.0, "only in {one}:\n{}\nonly in {other}:\n{}", only(&a.0, &b.0), only(&b.0, &a.0));
    if a.1 != b.1 {
        let (a, b) = (details(first), details(second));
        panic!("only in {one}:\n{}\nonly in {other}:\n{}", only(&a, &b), only(&b, &a));
    }
}

/// The stream of `btrfs send` with these options.
pub(crate) fn send(options: &[&OsStr], snapshot: &Path) -> Vec<u8> {
    let mut command = Command::new("btrfs");
    command.args(["send", "-q"]).args(options).arg(snapshot);
    output(&mut command, Path::new("/"))
}

/// Has `btrfs receive` receive a stream.
pub(crate) fn real_receive(stream: &[u8], into: &Path) {
    let mut child = Command::new("btrfs")
        .args(["receive", "-q"])
        .arg(into)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(stream).unwrap();
    assert!(child.wait().unwrap().success());
}

/// How ours is to receive.
pub(crate) fn settings(pool: &Path, name: &OsStr) -> ReceiveSettings {
    let sources = Box::new(WholePool::of(pool).unwrap());
    ReceiveSettings { name: name.to_owned(), sources, force_decompress: false, threads: 2 }
}

/// Has ours receive a stream, in blocks of an odd size.
pub(crate) fn receive(stream: &[u8], into: &Path, settings: ReceiveSettings) -> Result<Received, ReceiveError> {
    let mut receiver = Receiver::new(into, settings)?;
    let mut decoder = Decoder::new();
    for block in stream.chunks(100_003) {
        decoder.push(block, &mut |command| receiver.command(&command)).map_err(|error| match error {
            subvault_sendstream::error::PushError::Each(error) => error,
            other => panic!("{other}"),
        })?;
    }
    decoder.finish().unwrap();
    receiver.finish()
}

/// A file's `filefrag`-independent measure of what it takes on disk.
pub(crate) fn blocks(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let file = File::open(path).unwrap();
    file.sync_all().unwrap();
    file.metadata().unwrap().blocks()
}
