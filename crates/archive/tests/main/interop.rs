//! What is stored is read by programs that are not ours: `age` and `zstd` of the distribution, and the age crate.

use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};

use subvault_archive::age_file::header::Identity;

use crate::support::{CHUNK, Place, secret, send_stream};

fn output(program: &str, args: &[&str], input: &[u8]) -> Vec<u8> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), input).unwrap();
    let stdin = Stdio::from(fs::File::open(file.path()).unwrap());
    let output = Command::new(program).args(args).stdin(stdin).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn by_the_crate(identity: &Identity, sealed: &[u8]) -> Vec<u8> {
    let identity: age::x25519::Identity = identity.secret().parse().unwrap();
    let decryptor = age::Decryptor::new(sealed).unwrap();
    let mut reader = decryptor.decrypt(std::iter::once(&identity as &dyn age::Identity)).unwrap();
    let mut plain = Vec::new();
    reader.read_to_end(&mut plain).unwrap();
    plain
}

#[test]
fn age_and_zstd_open_every_chunk_for_every_recipient() {
    let place = Place::directory();
    let stream = send_stream(CHUNK as usize * 3, 2);
    let identities = [Identity::generate(), Identity::generate()];
    let recipients = identities.each_ref().map(Identity::recipient);
    let (secret, header) = secret(&recipients);
    for (attempt, compressed) in [(1, true), (2, false)] {
        let begun = place.begin(compressed, Some((&secret, &header, &recipients)), attempt);
        let written = place.write(&begun, &mut stream.as_slice(), false).unwrap();
        let manifest = place.publish(&begun, written);
        assert!(manifest.chunks.len() >= 2, "{}", manifest.chunks.len());
        for identity in &identities {
            let key = tempfile::NamedTempFile::new().unwrap();
            fs::write(key.path(), identity.secret().as_str()).unwrap();
            let mut all = Vec::new();
            for chunk in place.chunks(&manifest) {
                let opened = output("age", &["-d", "-i", key.path().to_str().unwrap()], &chunk);
                assert!(opened == by_the_crate(identity, &chunk));
                // Each chunk alone is a whole zstd file, with a seek table that zstd passes over.
                let plain = if compressed { output("zstd", &["-d", "-q", "-c"], &opened) } else { opened.clone() };
                all.extend_from_slice(&plain);
            }
            assert!(all == stream);
        }
    }
}
