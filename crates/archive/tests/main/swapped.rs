//! Objects that are intact and not where they belong.

use std::num::NonZeroU32;

use subvault_archive::inventory;
use subvault_archive::manifest::Manifest;
use subvault_archive::verify::{Depth, Report, VerifyJob, verify};
use subvault_model::monitor::Silent;
use subvault_store::{Create, Key, ObjectKind};

use crate::support::{CHUNK, Place, send_stream};

fn check(place: &Place, depth: Depth) -> Report {
    let inventory = inventory::take(&place.store, &place.layout).unwrap();
    let lanes = NonZeroU32::new(2).unwrap();
    let (store, layout) = (&place.store, &place.layout);
    verify(&VerifyJob { store, layout, inventory: &inventory, only: None, depth, lanes, monitor: &Silent }).unwrap()
}

fn swap(place: &Place, one: &Key, other: &Key) {
    let (a, b) = (place.store.get(one, 1 << 30).unwrap(), place.store.get(other, 1 << 30).unwrap());
    place.store.put(one, b, &Create::Overwrite, ObjectKind::Bulk).unwrap();
    place.store.put(other, a, &Create::Overwrite, ObjectKind::Bulk).unwrap();
}

fn two_streams() -> (Place, [Manifest; 2]) {
    let place = Place::directory();
    let manifests = [1, 2].map(|attempt| {
        let begun = place.begin(false, None, attempt);
        // Of the same sizes, so that only contents tell them apart.
        let stream = send_stream(CHUNK as usize * 5 / 2, u64::from(attempt));
        let written = place.write(&begun, &mut stream.as_slice(), false).unwrap();
        place.publish(&begun, written)
    });
    (place, manifests)
}

#[test]
fn swapped_chunks_are_found_and_not_used() {
    let (place, [first, second]) = two_streams();
    let key = |m: &Manifest, index: usize| place.layout.chunk(&place.subvolume, &m.stream, &m.chunks[index].file);
    for (one, other) in [(key(&first, 0), key(&first, 1)), (key(&first, 1), key(&second, 1))] {
        assert!(place.read(&first, &[]).is_ok());
        swap(&place, &one, &other);
        let error = place.read(&first, &[]).unwrap_err();
        assert!(error.to_string().contains("chunk-0000"), "{error}");
        let report = check(&place, Depth::Everything);
        for key in [&one, &other] {
            assert!(report.findings.iter().any(|f| f.object == key.to_string()), "{key}: {:?}", report.findings);
        }
        swap(&place, &one, &other);
    }
}

#[test]
fn swapped_manifests_are_found_and_not_used() {
    let (place, [first, second]) = two_streams();
    let [one, other] = [&first, &second].map(|m| place.layout.manifest(&place.subvolume, &m.stream));
    swap(&place, &one, &other);
    let series = inventory::take_series(&place.store, &place.layout, &place.subvolume).unwrap();
    assert_eq!((series.streams.len(), series.unreadable.len()), (0, 2));
    let report = check(&place, Depth::Sizes);
    for key in [&one, &other] {
        assert!(report.findings.iter().any(|f| f.object == key.to_string()), "{key}: {:?}", report.findings);
    }
}
