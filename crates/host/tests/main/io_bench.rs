//! The pieces of work of `bench io` on a real pool: each gives a rate, the next one finds what it needs, and all of it goes.

use std::ffi::OsStr;
use std::fs;

use subvault_host::interruption::Interruption;
use subvault_host::io_bench::Scratch;
use subvault_host::subvolume::Subvolume;
use subvault_model::bytesize::ByteSize;
use subvault_model::io_test::IoTest;
use subvault_testkit::pool::LoopPool;

fn names(subvolume: &Subvolume) -> Vec<String> {
    let entries = fs::read_dir(subvolume.path()).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn each_piece_of_work_gives_a_rate_and_all_of_it_goes() {
    let pool = LoopPool::new(512 << 20, &[], &["compress=zstd:1"]).unwrap();
    let top = pool.path();
    let subvolume = Subvolume::create(&top, OsStr::new("scratch")).unwrap();
    let interruption = Interruption::begin().unwrap();
    let scratch = Scratch {
        subvolume: &subvolume,
        directory: &top,
        snapshot: OsStr::new("snapshot"),
        // No whole number of the pieces that it is written in.
        size: ByteSize::kib(5 * 1024 + 12),
        interruption: &interruption,
    };
    for _ in 0..2 {
        for test in IoTest::ALL {
            let rate = scratch.measure(test).unwrap().get();
            assert!(rate > 0.0 && rate.is_finite(), "{test}: {rate}");
            assert!(!top.join("snapshot").exists(), "{test}");
        }
        assert_eq!(fs::metadata(subvolume.path().join("data")).unwrap().len(), scratch.size.get());
        scratch.clear().unwrap();
        assert!(names(&subvolume).is_empty());
    }
    // What is to be read was never written.
    assert!(scratch.measure(IoTest::SequentialRead).is_err());
}
