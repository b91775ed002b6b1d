//! Computes the digest of a subvolume, or reads it ahead, for trying out and for measuring:
//! `digest SUBVOLUME [THREADS]`, `digest --ahead SUBVOLUME [THREADS]`.
#![expect(clippy::print_stdout, reason = "a program")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use subvault_host::pace::Pace;
use subvault_host::read_ahead::ReadAhead;
use subvault_host::subvolume::Subvolume;
use subvault_host::tree_digest::{Control, Labels, whole_tree};
use subvault_model::bytesize::ByteSize;
use subvault_model::monitor::Silent;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let ahead = arguments.first().is_some_and(|first| first == "--ahead");
    if ahead {
        arguments.remove(0);
    }
    let [path, more @ ..] = arguments.as_slice() else {
        return Err("usage: digest [--ahead] SUBVOLUME [THREADS]".into());
    };
    let threads = more.first().map_or(Ok(2), |text| text.to_string_lossy().parse())?;
    let started = Instant::now();
    if ahead {
        let reading = ReadAhead::start(Path::new(path), threads, Arc::new(Pace::new(ByteSize::gib(1 << 20))))?;
        println!("{:?} in {:.2} s", reading.wait(), started.elapsed().as_secs_f64());
        return Ok(());
    }
    let control = Control { monitor: &Silent, cancel: &AtomicBool::new(false), pace: None, labels: Labels::Counted };
    let summary = whole_tree(&Subvolume::open(Path::new(path))?, threads, control)?;
    println!("{summary:?} in {:.2} s", started.elapsed().as_secs_f64());
    Ok(())
}
