//! The management console of a running machine: disks are plugged in and pulled out by it.
//!
//! The kernel of the machine listens on a datagram socket; a request and its answer have a fixed size (`mconsole.h` in the
//! sources of User-mode Linux).

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const MAGIC: u32 = 0xcafe_babe;
const VERSION: u32 = 2;
/// What a request or an answer may hold of text.
const TEXT_BYTES: usize = 512;

/// Gives a command to the machine whose socket this is; what it answers, and whether it did what it was told.
pub(crate) fn command(socket: &Path, text: &str) -> Result<String, String> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    // The machine answers to a name that has no place in a directory: it sees others than we do.
    let name = format!("subvault-lab-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let here = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name).unwrap()).unwrap();
    here.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert!(text.len() < TEXT_BYTES);
    let mut request = Vec::with_capacity(12 + TEXT_BYTES);
    for word in [MAGIC, VERSION, u32::try_from(text.len()).unwrap()] {
        request.extend(word.to_ne_bytes());
    }
    request.extend(text.as_bytes());
    request.resize(12 + TEXT_BYTES, 0);
    here.send_to(&request, socket).unwrap();
    let mut told = Vec::new();
    loop {
        let mut answer = [0; 12 + TEXT_BYTES];
        here.recv(&mut answer).unwrap();
        let word = |index: usize| u32::from_ne_bytes(answer[4 * index..4 * index + 4].try_into().unwrap());
        let (failed, more, len) = (word(0) != 0, word(1) != 0, word(2) as usize);
        told.extend(&answer[12..12 + len.min(TEXT_BYTES)]);
        if !more {
            let told = String::from_utf8_lossy(&told).trim_end_matches('\0').to_owned();
            return if failed { Err(told) } else { Ok(told) };
        }
    }
}
