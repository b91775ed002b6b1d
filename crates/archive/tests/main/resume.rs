//! Uploads that were broken off: the rerun makes the very same objects, and sends little twice.

use std::fs;
use std::io::{self, Read, Write as _};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use subvault_archive::age_file::header::Identity;
use subvault_archive::error::ArchiveError;
use subvault_archive::journal::Journal;
use subvault_store::{ObjectStore, Verb};

use crate::support::{CHUNK, LANES, Place, secret, send_stream};

/// Gives so many bytes, and then an error; first it waits until the journal has so many lines.
struct Breaking<'a> {
    bytes: &'a [u8],
    journal: PathBuf,
    lines: usize,
}

impl Read for Breaking<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.bytes.is_empty() {
            let begin = Instant::now();
            while fs::read(&self.journal).map_or(0, |text| text.split(|b| *b == b'\n').count() - 1) < self.lines {
                assert!(begin.elapsed() < Duration::from_secs(20), "the journal has too few lines");
                thread::sleep(Duration::from_millis(5));
            }
            return Err(io::Error::other("the disk is gone"));
        }
        self.bytes.read(buffer)
    }
}

fn breaking<'a>(place: &Place, bytes: &'a [u8], lines: usize) -> Breaking<'a> {
    Breaking { bytes, journal: place.journal(), lines }
}

/// The same stream in two places with one secret: once in one go, and once broken off at these bytes.
fn broken_off(at: &[usize], lines: usize, between: impl Fn(&Place)) {
    let stream = send_stream(CHUNK as usize * 3, 3);
    let recipients = [Identity::generate().recipient()];
    let (secret, header) = secret(&recipients);
    let straight = Place::directory();
    let begun = straight.begin(true, Some((&secret, &header, &recipients)), 1);
    let written = straight.write(&begun, &mut stream.as_slice(), false).unwrap();
    let wanted = straight.publish(&begun, written);

    let plain = Place::directory();
    let (store, calls) = plain.store.recorded();
    let place = Place { store, ..plain };
    let mut resume = false;
    for at in at {
        let error = place.write(&begun, &mut breaking(&place, &stream[..*at], lines), resume).unwrap_err();
        assert!(matches!(error, ArchiveError::Source(_)), "{error}");
        between(&place);
        resume = Journal::look(&place.journal()).unwrap().is_some();
    }
    let written = place.write(&begun, &mut stream.as_slice(), resume).unwrap();
    let manifest = place.publish(&begun, written);
    assert_eq!(manifest, wanted);
    assert!(place.chunks(&manifest) == straight.chunks(&wanted));
    let parts: usize = wanted.chunks.iter().map(|c| c.units.len()).sum();
    let sent = calls.count(Verb::PutPart) + calls.count(Verb::Put);
    let most = parts + at.len() * LANES as usize + 2;
    assert!(sent <= most, "{sent} parts and documents were sent for {parts} parts");
}

#[test]
fn the_rerun_makes_the_same_objects() {
    let whole = CHUNK as usize * 3;
    for at in [vec![0], vec![1000], vec![whole / 2], vec![whole - 1], vec![whole / 3, whole / 2, whole - 5]] {
        broken_off(&at, 0, |_| ());
    }
}

#[test]
fn a_torn_last_line_of_the_journal_costs_a_part_at_most() {
    broken_off(&[CHUNK as usize * 2], 4, |place| {
        let mut journal = fs::OpenOptions::new().append(true).open(place.journal()).unwrap();
        journal.write_all(b"{\"record\":\"part_sto").unwrap();
    });
    broken_off(&[CHUNK as usize * 2], 4, |place| {
        let text = fs::read(place.journal()).unwrap();
        fs::write(place.journal(), &text[..text.len() - 7]).unwrap();
    });
}

#[test]
fn another_stream_never_goes_on_with_the_secret() {
    let place = Place::directory();
    let recipients = [Identity::generate().recipient()];
    let (secret, header) = secret(&recipients);
    let begun = place.begin(true, Some((&secret, &header, &recipients)), 1);
    let stream = send_stream(CHUNK as usize * 3, 4);
    place.write(&begun, &mut breaking(&place, &stream[..CHUNK as usize * 2], 4), false).unwrap_err();
    let other = send_stream(CHUNK as usize * 3, 5);
    let error = place.write(&begun, &mut other.as_slice(), true).unwrap_err();
    assert!(matches!(&error, ArchiveError::Diverged(name) if *name == begun.stream), "{error}");
}

#[test]
fn the_journal_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::directory();
    let begun = place.begin(false, None, 1);
    let stream = send_stream(CHUNK as usize, 6);
    place.write(&begun, &mut breaking(&place, &stream[..CHUNK as usize - 1], 1), false).unwrap_err();
    let mode = fs::metadata(place.journal()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_directory_that_is_gone_is_told() {
    let place = Place::directory();
    fs::remove_dir_all(place.dir.path().join("store")).unwrap();
    let begun = place.begin(false, None, 1);
    let error = place.write(&begun, &mut send_stream(1000, 1).as_slice(), false).unwrap_err();
    assert!(matches!(error, ArchiveError::Store(_)), "{error}");
    assert!(ObjectStore::directory(&place.dir.path().join("store")).is_err());
}
