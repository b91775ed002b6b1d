//! Receiving, with `btrfs send`, `btrfs receive`, `tar` and `find` as the oracles.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;

use subvault_host::snapshot;
use subvault_host::subvolume::Subvolume;
use subvault_testkit::pool::LoopPool;

use crate::churn::{Dice, churn};
use crate::oracle::{assert_same, assert_same_but_top, blocks, real_receive, receive, send, settings};
use crate::support::{noise, odd, pool, show, value};

fn roomy(options: &[&str]) -> LoopPool {
    LoopPool::new(3 << 30, &[], options).unwrap()
}

/// Another seed can be tried with `SUBVAULT_SEED=… cargo test chain`: it is added to each of these.
fn seed_from(usual: u64) -> u64 {
    let more = std::env::var("SUBVAULT_SEED").map_or(0, |text| text.parse::<u64>().unwrap());
    usual.wrapping_add(more)
}

/// A full and ten incrementals of random changes, received by both, compared with the source and each other.
fn chain(seed: u64, send_options: &[&str], mount: &[&str], force_decompress: bool) {
    let seed = seed_from(seed);
    let (source_pool, our_pool, real_pool) = (roomy(mount), roomy(&[]), roomy(&[]));
    let source = Subvolume::create(&source_pool.path(), "source".as_ref()).unwrap();
    let mut dice = Dice::new(seed);
    churn(source.path(), &mut dice, 300);
    let mut parent: Option<Subvolume> = None;
    for step in 0..=10 {
        let name = format!("step{step}");
        let name = OsStr::new(&name);
        let (taken, info) = snapshot::take(&source, &source_pool.path(), name).unwrap();
        let mut options: Vec<&OsStr> = send_options.iter().map(OsStr::new).collect();
        if let Some(parent) = &parent {
            options.extend([OsStr::new("-p"), parent.path().as_os_str()]);
        }
        let stream = send(&options, taken.path());
        let mut how = settings(&our_pool.path(), name);
        how.force_decompress = force_decompress;
        let received = receive(&stream, &our_pool.path(), how).unwrap_or_else(|error| {
            panic!("seed {seed} step {step}: {error}: {:?}", std::error::Error::source(&error).map(ToString::to_string))
        });
        real_receive(&stream, &real_pool.path());
        assert_same(taken.path(), &received.path);
        assert_same_but_top(&real_pool.path().join(name), &received.path);
        assert_eq!(received.received_uuid.as_bytes(), info.uuid.unwrap().as_bytes());
        same_identity(&real_pool.path().join(name), &received.path);
        churn(source.path(), &mut dice, 120);
        parent = Some(taken);
    }
}

/// What `btrfs subvolume show` says about a copy, as far as it is not about when and where.
fn same_identity(real: &Path, ours: &Path) {
    let (real, ours) = (show(real), show(ours));
    for name in ["Received UUID", "Flags", "Send transid"] {
        assert_eq!(value(&real, name), value(&ours, name), "{name}");
    }
}

#[test]
fn a_chain_of_version_1_comes_out_as_it_was() {
    chain(1, &[], &[], false);
    chain(2, &[], &[], false);
}

#[test]
fn a_chain_of_version_2_comes_out_as_it_was() {
    chain(3, &["--proto", "2"], &["compress=zstd"], false);
    chain(4, &["--proto", "2"], &[], false);
}

#[test]
fn a_chain_of_compressed_data_comes_out_as_it_was() {
    let options = ["--proto", "2", "--compressed-data"];
    chain(5, &options, &["compress=zstd"], false);
    chain(6, &options, &["compress-force=lzo"], false);
}

#[test]
fn a_chain_of_compressed_data_is_unpacked_if_asked_for() {
    let options = ["--proto", "2", "--compressed-data"];
    for (seed, mount) in [(7, "compress=zstd"), (8, "compress-force=lzo"), (9, "compress-force=zlib")] {
        chain(seed, &options, &[mount], true);
    }
}

#[test]
fn compressed_data_stays_compressed() {
    let (source_pool, our_pool) = (LoopPool::new(512 << 20, &[], &["compress=zstd"]).unwrap(), pool());
    let source = Subvolume::create(&source_pool.path(), "source".as_ref()).unwrap();
    fs::write(source.path().join("text"), b"the same again\n".repeat(1_000_000)).unwrap();
    let (taken, _) = snapshot::take(&source, &source_pool.path(), "one".as_ref()).unwrap();
    let stream = send(&["--proto".as_ref(), "2".as_ref(), "--compressed-data".as_ref()], taken.path());
    assert!(stream.len() < 2_000_000, "{}", stream.len());
    let before = our_pool_used(&our_pool);
    receive(&stream, &our_pool.path(), settings(&our_pool.path(), "kept".as_ref())).unwrap();
    let kept = our_pool_used(&our_pool) - before;
    let mut how = settings(&our_pool.path(), "unpacked".as_ref());
    how.force_decompress = true;
    receive(&stream, &our_pool.path(), how).unwrap();
    let unpacked = our_pool_used(&our_pool) - before - kept;
    assert!(kept < 2_000_000 && unpacked > 14_000_000, "{kept} {unpacked}");
}

fn our_pool_used(pool: &LoopPool) -> u64 {
    let pool = subvault_host::pool::Pool::containing(pool.path()).unwrap();
    pool.sync().unwrap();
    pool.space().unwrap().data_used.get()
}

#[test]
fn holes_stay_holes() {
    let (source_pool, our_pool) = (pool(), pool());
    let source = Subvolume::create(&source_pool.path(), "source".as_ref()).unwrap();
    let file = fs::File::create(source.path().join("sparse")).unwrap();
    file.write_all_at(&noise(8192), 1 << 30).unwrap();
    file.set_len(3 << 30).unwrap();
    let (taken, _) = snapshot::take(&source, &source_pool.path(), "one".as_ref()).unwrap();
    let stream = send(&[], taken.path());
    let received = receive(&stream, &our_pool.path(), settings(&our_pool.path(), "one".as_ref())).unwrap();
    assert_eq!(blocks(&received.path.join("sparse")), blocks(&taken.path().join("sparse")));
    assert_same(taken.path(), &received.path);
}

#[test]
fn what_the_destination_passes_on_is_not_inherited() {
    let (source_pool, our_pool) = (pool(), pool());
    let source = Subvolume::create(&source_pool.path(), "source".as_ref()).unwrap();
    let mut dice = Dice::new(11);
    churn(source.path(), &mut dice, 100);
    let (taken, _) = snapshot::take(&source, &source_pool.path(), "one".as_ref()).unwrap();
    let destination = our_pool.path().join("there");
    fs::create_dir(&destination).unwrap();
    std::process::Command::new("setfacl").args(["-d", "-m", "u:7:rwx"]).arg(&destination).status().unwrap();
    let compress =
        ["property".as_ref(), "set".as_ref(), destination.as_os_str(), "compression".as_ref(), "zstd".as_ref()];
    crate::support::btrfs(&compress);
    std::process::Command::new("chmod").arg("g+s").arg(&destination).status().unwrap();
    std::process::Command::new("chgrp").arg("5").arg(&destination).status().unwrap();
    let received = receive(&send(&[], taken.path()), &destination, settings(&destination, "one".as_ref())).unwrap();
    assert_same(taken.path(), &received.path);
}

/// Here `btrfs receive` is not exact: it makes every file in the top directory first.
#[test]
fn what_the_top_directory_passes_on_is_not_inherited_by_what_had_not_inherited_it() {
    let (source_pool, our_pool) = (pool(), pool());
    let source = Subvolume::create(&source_pool.path(), "source".as_ref()).unwrap();
    fs::create_dir(source.path().join("before")).unwrap();
    fs::write(source.path().join("before/file"), noise(9)).unwrap();
    std::process::Command::new("setfacl").args(["-d", "-m", "u:7:rwx"]).arg(source.path()).status().unwrap();
    let compress =
        ["property".as_ref(), "set".as_ref(), source.path().as_os_str(), "compression".as_ref(), "zstd".as_ref()];
    crate::support::btrfs(&compress);
    fs::create_dir(source.path().join("after")).unwrap();
    fs::write(source.path().join("after/file"), noise(9)).unwrap();
    let (taken, _) = snapshot::take(&source, &source_pool.path(), "one".as_ref()).unwrap();
    let how = settings(&our_pool.path(), "one".as_ref());
    let received = receive(&send(&[], taken.path()), &our_pool.path(), how).unwrap();
    assert_same(taken.path(), &received.path);
}

#[test]
fn our_copy_is_a_parent_for_the_tools_and_a_source_for_the_next_copy() {
    let (source_pool, our_pool, third_pool) = (pool(), pool(), pool());
    let source = Subvolume::create(&source_pool.path(), odd(b"s\xff")).unwrap();
    let mut dice = Dice::new(21);
    churn(source.path(), &mut dice, 80);
    let (one, _) = snapshot::take(&source, &source_pool.path(), "one".as_ref()).unwrap();
    churn(source.path(), &mut dice, 60);
    let (two, _) = snapshot::take(&source, &source_pool.path(), "two".as_ref()).unwrap();

    let full = send(&[], one.path());
    let difference = send(&["-p".as_ref(), one.path().as_os_str()], two.path());
    let ours = receive(&full, &our_pool.path(), settings(&our_pool.path(), "one".as_ref())).unwrap();
    real_receive(&difference, &our_pool.path());
    assert_same(two.path(), &our_pool.path().join("two"));

    // On from the copies: their stream names what they were received from.
    receive(&send(&[], &ours.path), &third_pool.path(), settings(&third_pool.path(), "1".as_ref())).unwrap();
    let onward = send(&["-p".as_ref(), ours.path.as_os_str()], &our_pool.path().join("two"));
    let last = receive(&onward, &third_pool.path(), settings(&third_pool.path(), "2".as_ref())).unwrap();
    assert_same(two.path(), &last.path);
}

#[test]
fn an_unfinished_copy_is_writable_and_has_no_received_uuid() {
    let (source_pool, our_pool) = (pool(), pool());
    let source = Subvolume::create(&source_pool.path(), "source".as_ref()).unwrap();
    fs::write(source.path().join("file"), noise(1 << 20)).unwrap();
    let (taken, _) = snapshot::take(&source, &source_pool.path(), "one".as_ref()).unwrap();
    let stream = send(&[], taken.path());
    let mut receiver =
        subvault_host::receive::Receiver::new(&our_pool.path(), settings(&our_pool.path(), "cut".as_ref())).unwrap();
    let mut decoder = subvault_sendstream::decode::Decoder::new();
    decoder.push(&stream[..stream.len() / 2], &mut |command| receiver.command(&command)).unwrap();
    assert!(receiver.finish().is_err());
    let info = Subvolume::open(our_pool.path().join("cut")).unwrap().info().unwrap();
    assert!(!info.read_only && info.received_uuid.is_none());
}
