//! Receives a send stream from standard input, for trying out and for measuring: `receive DIRECTORY NAME [THREADS]`.
#![expect(clippy::print_stdout, reason = "a program")]

use std::error::Error;
use std::io::Read;
use std::path::Path;
use std::time::Instant;

use subvault_host::receive::{ReceiveSettings, Receiver, WholePool};
use subvault_sendstream::decode::Decoder;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [destination, name, more @ ..] = arguments.as_slice() else {
        return Err("usage: receive DIRECTORY NAME [THREADS] <STREAM".into());
    };
    let threads = more.first().map_or(Ok(2), |text| text.to_string_lossy().parse())?;
    let destination = Path::new(destination);
    let settings = ReceiveSettings {
        name: name.clone(),
        sources: Box::new(WholePool::of(destination)?),
        force_decompress: std::env::var_os("FORCE_DECOMPRESS").is_some(),
        threads,
    };
    let started = Instant::now();
    let mut receiver = Receiver::new(destination, settings)?;
    let mut decoder = Decoder::new();
    let mut input = std::io::stdin().lock();
    let mut block = vec![0; 1 << 20];
    loop {
        let length = input.read(&mut block)?;
        if length == 0 {
            break;
        }
        decoder.push(&block[..length], &mut |command| receiver.command(&command))?;
    }
    decoder.finish()?;
    let received = receiver.finish()?;
    println!("{} is {} in {:.2} s", received.path.display(), received.uuid, started.elapsed().as_secs_f64());
    Ok(())
}
