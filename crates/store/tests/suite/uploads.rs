//! Uploads in parts: invisible until complete, resumable from what a journal keeps, repeatable.

use bytes::Bytes;
use subvault_store::{Create, ObjectKind, PartClaim, PartTag, StoreErrorKind, UploadId};

use super::backends::{Backend, bytes, key, kind, on_all, same};

const PART: usize = 5 << 20;
const BULK: ObjectKind = ObjectKind::Bulk;

fn parts() -> [Bytes; 3] {
    [bytes(PART, 1), bytes(PART, 2), bytes(12_345, 3)]
}

const SIZE: u64 = 2 * PART as u64 + 12_345;

fn put_all(b: &Backend, upload: &UploadId) -> Vec<(u32, PartTag)> {
    let put = |(number, body): (usize, Bytes)| {
        let number = u32::try_from(number).unwrap();
        (number, b.store.put_part(upload, number, u64::from(number) * PART as u64, body).unwrap())
    };
    // Last part first, all at once: order must not matter.
    let mut tags: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            parts().into_iter().enumerate().rev().map(|part| scope.spawn(move || put(part))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    tags.sort_by_key(|(number, _)| *number);
    tags
}

fn check_content(b: &Backend, name: &str) {
    if b.thaws {
        b.store.thaw(&key(name), 1, subvault_store::ThawSpeed::Bulk).unwrap();
    }
    let stored = b.store.get(&key(name), usize::try_from(SIZE).unwrap()).unwrap();
    assert_eq!(blake3::hash(&stored), blake3::hash(&parts().concat()), "{}", b.name);
}

#[test]
fn an_object_appears_when_its_upload_is_complete() {
    on_all(|b| {
        let upload = b.store.begin_upload(&key("deep/down/big"), BULK, PART as u64).unwrap();
        let tags = put_all(b, &upload);
        assert_eq!(b.store.head(upload.key()).unwrap(), None, "{}", b.name);
        assert_eq!(b.store.list("").count(), 0, "{}", b.name);
        let info = b.store.complete_upload(&upload, &tags, SIZE, &Create::IfAbsent).unwrap();
        assert_eq!((info.size, info.key.as_str()), (SIZE, "deep/down/big"), "{}", b.name);
        if b.capabilities.storage_class && b.name != "directory" && b.name != "fake S3 (plain)" {
            assert_eq!(info.class.unwrap().as_str(), "DEEP_ARCHIVE", "{}", b.name);
        }
        check_content(b, "deep/down/big");
        assert_eq!(b.store.uploads("").unwrap(), [], "{}", b.name);
        // As after a lost answer, or a kill before the journal was written.
        b.store.complete_upload(&upload, &tags, SIZE, &Create::IfAbsent).unwrap();
        check_content(b, "deep/down/big");
    });
}

#[test]
fn an_upload_goes_on_from_the_journal() {
    on_all(|b| {
        let upload = b.store.begin_upload(&key("big"), BULK, PART as u64).unwrap();
        let [first, second, third] = parts();
        let tag = b.store.put_part(&upload, 0, 0, first.clone()).unwrap();
        let journal = serde_json::to_string(&(&upload, &tag)).unwrap();
        let (upload, first_tag): (UploadId, PartTag) = serde_json::from_str(&journal).unwrap();
        assert_eq!((upload.key().as_str(), upload.kind(), upload.part_size()), ("big", BULK, PART as u64));

        let hashes = [&first, &second].map(|part| *blake3::hash(part).as_bytes());
        let claim = |number: u32, hash: usize, size: u64| PartClaim {
            number,
            offset: u64::from(number) * PART as u64,
            size,
            tag: &first_tag,
            blake3: &hashes[hash],
        };
        let claims = [claim(0, 0, PART as u64), claim(1, 1, PART as u64)];
        assert_eq!(b.store.check_parts(&upload, &claims).unwrap(), [true, false], "{}", b.name);
        assert_eq!(b.store.check_parts(&upload, &[claim(0, 1, PART as u64 - 1)]).unwrap(), [false], "{}", b.name);
        let stored = b.store.stored_parts(&upload).unwrap();
        assert_eq!(
            stored.iter().map(|part| (part.number, part.size)).collect::<Vec<_>>(),
            [(0, PART as u64)],
            "{}",
            b.name
        );
        assert_eq!(stored[0].tag, first_tag, "{}", b.name);

        // A part may be stored again.
        let second_tag = b
            .store
            .put_part(&upload, 1, PART as u64, bytes(PART, 99))
            .and_then(|_| b.store.put_part(&upload, 1, PART as u64, second.clone()));
        let third_tag = b.store.put_part(&upload, 2, 2 * PART as u64, third).unwrap();
        let tags = [(0, first_tag.clone()), (1, second_tag.unwrap()), (2, third_tag)];
        b.store.complete_upload(&upload, &tags, SIZE, &Create::Overwrite).unwrap();
        check_content(b, "big");
    });
}

#[test]
fn more_parts_than_a_page_are_all_found() {
    on_all(|b| {
        let Some(_) = &b.fake else { return };
        let upload = b.store.begin_upload(&key("many"), BULK, PART as u64).unwrap();
        for number in 0..17_u32 {
            b.store.put_part(&upload, number, u64::from(number) * PART as u64, bytes(10, u64::from(number))).unwrap();
        }
        assert_eq!(b.store.stored_parts(&upload).unwrap().len(), 17);
        for number in 0..17 {
            b.store.begin_upload(&key(&format!("u/{number}")), BULK, PART as u64).unwrap();
        }
        assert_eq!(b.store.uploads("u/").unwrap().len(), 17);
    });
}

#[test]
fn completing_respects_what_is_there() {
    on_all(|b| {
        let old = bytes(77, 5);
        b.store.put(&key("o"), old.clone(), &Create::IfAbsent, ObjectKind::Metadata).unwrap();
        let upload = b.store.begin_upload(&key("o"), BULK, PART as u64).unwrap();
        let tags = put_all(b, &upload);
        let refused = b.store.complete_upload(&upload, &tags, SIZE, &Create::IfAbsent);
        assert_eq!(kind(refused), StoreErrorKind::AlreadyExists, "{}", b.name);
        same(&b.store.get(&key("o"), 77).unwrap(), &old, b.name);
        // The upload is still good: the user may decide otherwise.
        b.store.complete_upload(&upload, &tags, SIZE, &Create::Overwrite).unwrap();
        check_content(b, "o");
    });
}

#[test]
fn what_is_aborted_is_gone() {
    on_all(|b| {
        let upload = b.store.begin_upload(&key("p/q"), BULK, PART as u64).unwrap();
        let tag = b.store.put_part(&upload, 0, 0, bytes(100, 1)).unwrap();
        let pending = b.store.uploads("p/").unwrap();
        assert_eq!(pending.iter().map(|p| p.upload.key().as_str()).collect::<Vec<_>>(), ["p/q"], "{}", b.name);
        assert!(jiff::Timestamp::now().duration_since(pending[0].started).abs().as_secs() < 120, "{}", b.name);
        assert_eq!(b.store.uploads("other").unwrap(), [], "{}", b.name);
        b.store.abort_upload(&pending[0].upload).unwrap();
        b.store.abort_upload(&upload).unwrap();
        assert_eq!(b.store.uploads("").unwrap(), [], "{}", b.name);
        assert_eq!(kind(b.store.stored_parts(&upload)), StoreErrorKind::NoSuchUpload, "{}", b.name);
        assert_eq!(kind(b.store.check_parts(&upload, &[])), StoreErrorKind::NoSuchUpload, "{}", b.name);
        assert_eq!(kind(b.store.put_part(&upload, 0, 0, bytes(1, 1))), StoreErrorKind::NoSuchUpload, "{}", b.name);
        let complete = b.store.complete_upload(&upload, &[(0, tag)], 100, &Create::IfAbsent);
        assert_eq!(kind(complete), StoreErrorKind::NoSuchUpload, "{}", b.name);
        assert_eq!(b.store.head(&key("p/q")).unwrap(), None, "{}", b.name);
    });
}

#[test]
fn parts_that_do_not_make_up_the_object_are_refused() {
    on_all(|b| {
        let upload = b.store.begin_upload(&key("o"), BULK, PART as u64).unwrap();
        let misplaced = b.store.put_part(&upload, 1, 5, bytes(1, 1));
        assert_eq!(kind(misplaced), StoreErrorKind::Misuse, "{}", b.name);
        let too_long = b.store.put_part(&upload, 0, 0, bytes(PART + 1, 1));
        assert_eq!(kind(too_long), StoreErrorKind::Misuse, "{}", b.name);
        let tag = b.store.put_part(&upload, 0, 0, bytes(100, 1)).unwrap();
        for (parts, size) in [(vec![], 0), (vec![(1, tag.clone())], 100), (vec![(0, tag.clone())], PART as u64 + 1)] {
            let refused = b.store.complete_upload(&upload, &parts, size, &Create::IfAbsent);
            assert_eq!(kind(refused), StoreErrorKind::Misuse, "{}", b.name);
        }
        let shorter = b.store.complete_upload(&upload, &[(0, tag)], 101, &Create::IfAbsent);
        assert_eq!(kind(shorter), StoreErrorKind::Unfaithful, "{}", b.name);
    });
}
