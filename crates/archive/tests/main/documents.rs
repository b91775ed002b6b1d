//! Documents that somebody else may have written: nothing in them is taken on trust, and nothing panics.

use std::fs;

use proptest::prelude::*;
use serde_json::Value;
use subvault_archive::document;
use subvault_archive::error::ArchiveError;
use subvault_archive::journal::Journal;
use subvault_archive::manifest::Manifest;
use subvault_archive::pointer::Pointer;
use subvault_store::{Create, ObjectKind};

use crate::support::{CHUNK, Place, send_stream};

fn published() -> (Place, Manifest) {
    let place = Place::directory();
    let begun = place.begin(true, None, 1);
    let written = place.write(&begun, &mut send_stream(CHUNK as usize * 2, 1).as_slice(), false).unwrap();
    let manifest = place.publish(&begun, written);
    (place, manifest)
}

/// Stores a manifest that was changed and has the right hash.
fn forge(place: &Place, manifest: &Manifest, change: impl FnOnce(&mut Value)) -> Result<Manifest, ArchiveError> {
    let mut value = serde_json::to_value(manifest).unwrap();
    change(&mut value);
    let body = document::encode(&value).unwrap().body;
    let key = place.layout.manifest(&place.subvolume, &manifest.stream);
    place.store.put(&key, body, &Create::Overwrite, ObjectKind::Metadata).unwrap();
    Manifest::read(&place.store, &place.layout, &place.subvolume, &manifest.stream).map(|(manifest, _)| manifest)
}

#[test]
fn a_newer_format_is_told_from_damage() {
    let (place, manifest) = published();
    let newer = forge(&place, &manifest, |value| *value = serde_json::json!({ "format": 2, "all": "else" }));
    assert!(matches!(newer, Err(ArchiveError::NewerFormat { found: 2, .. })), "{newer:?}");
    let pointer = document::encode(&serde_json::json!({ "format": 3 })).unwrap().body;
    let key = place.layout.pointer(&place.subvolume);
    let read = document::decode::<Pointer>(&key, &pointer);
    assert!(matches!(read, Err(ArchiveError::NewerFormat { found: 3, .. })), "{read:?}");
}

/// A change to a manifest.
type Change = fn(&mut Value);

#[test]
fn manifests_that_contradict_themselves_are_damaged() {
    let (place, manifest) = published();
    assert_eq!(forge(&place, &manifest, |_| ()).unwrap(), manifest);
    let changes: [(&str, Change); 10] = [
        ("a file elsewhere", |m| m["chunks"][0]["file"] = "../../secret".into()),
        ("the file above", |m| m["chunks"][0]["file"] = "..".into()),
        ("no file", |m| m["chunks"][0]["file"] = "".into()),
        ("one file twice", |m| m["chunks"][1]["file"] = m["chunks"][0]["file"].clone()),
        ("a huge chunk", |m| m["chunks"][0]["stream_bytes"] = u64::MAX.into()),
        ("a huge unit", |m| m["chunks"][0]["unit_bytes"] = u64::MAX.into()),
        ("no unit", |m| m["chunks"][0]["unit_bytes"] = 0.into()),
        ("a unit too few", |m| drop(m["chunks"][0]["units"].as_array_mut().unwrap().pop())),
        ("a hole", |m| m["chunks"][1]["stream_offset"] = 5.into()),
        ("a sequence without parent", |m| m["sequence"] = 3.into()),
    ];
    for (what, change) in changes {
        let read = forge(&place, &manifest, change);
        assert!(matches!(read, Err(ArchiveError::Damaged { .. })), "{what}: {read:?}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let key = "laptop/home/current.json".parse().unwrap();
        prop_assert!(document::decode::<Manifest>(&key, &bytes).is_err());
        prop_assert!(document::decode::<Pointer>(&key, &bytes).is_err());
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.jsonl");
        fs::write(&path, &bytes).unwrap();
        // Damaged or empty: said, never followed.
        prop_assert!(!matches!(Journal::look(&path), Ok(Some(_))));
    }
}

#[test]
fn journals_with_a_changed_byte_never_panic() {
    let place = Place::directory();
    let begun = place.begin(false, None, 1);
    drop(Journal::begin(&place.journal(), begun).unwrap());
    let text = fs::read(place.journal()).unwrap();
    for at in 0..text.len() {
        for to in [0, b'"', b'9', b'z', b'\n', 255] {
            let mut changed = text.clone();
            changed[at] = to;
            fs::write(place.journal(), &changed).unwrap();
            let _ = Journal::look(&place.journal());
        }
    }
}

/// A run may be writing to it.
#[test]
fn looking_at_a_journal_leaves_it_as_it_is() {
    let place = Place::directory();
    let begun = place.begin(false, None, 1);
    drop(Journal::begin(&place.journal(), begun).unwrap());
    let mut text = fs::read(place.journal()).unwrap();
    let whole = text.len();
    text.extend_from_slice(b"{\"half a li");
    fs::write(place.journal(), &text).unwrap();
    assert!(Journal::look(&place.journal()).unwrap().is_some());
    assert_eq!(fs::read(place.journal()).unwrap(), text);
    // Who goes on with it drops what a crash cut off.
    assert!(Journal::resume(&place.journal()).unwrap().is_some());
    assert_eq!(fs::read(place.journal()).unwrap(), text[..whole]);
}
