//! Listings: complete, in the order of the keys' bytes, by text prefix, page by page.

use subvault_store::{Create, ObjectKind, Verb};

use super::backends::{bytes, key, on_all};

/// In the order of their bytes: `-` and `.` come before `/`, `0` and `=` behind it.
const NAMES: [&str; 9] = ["a-b", "a.b", "a/x", "a/y-1/z", "a/y.z", "a/y/z", "a0", "a=b", "b"];

#[test]
fn names_come_in_the_order_of_their_bytes() {
    on_all(|b| {
        for name in NAMES.iter().rev() {
            b.store.put(&key(name), bytes(5, 1), &Create::IfAbsent, ObjectKind::Metadata).unwrap();
        }
        assert_eq!(names(b, ""), NAMES, "{}", b.name);
        assert_eq!(names(b, "a/"), ["a/x", "a/y-1/z", "a/y.z", "a/y/z"], "{}", b.name);
        assert_eq!(names(b, "a/y"), ["a/y-1/z", "a/y.z", "a/y/z"], "{}", b.name);
        assert_eq!(names(b, "a/y/"), ["a/y/z"], "{}", b.name);
        assert_eq!(names(b, "a/y/z"), ["a/y/z"], "{}", b.name);
        assert_eq!(names(b, "a/x/"), [""; 0], "{}", b.name);
        assert_eq!(names(b, "c"), [""; 0], "{}", b.name);
        assert_eq!(names(b, "no/such/place"), [""; 0], "{}", b.name);
        assert!(b.store.list("").all(|info| info.unwrap().size == 5), "{}", b.name);
    });
}

#[test]
fn long_listings_are_complete() {
    on_all(|b| {
        let count = if b.fake.is_some() { 50 } else { 20 };
        let wanted: Vec<String> = (0..count).map(|n| format!("p/{:02}/{n:04}", n / 10)).collect();
        for name in &wanted {
            b.store.put(&key(name), bytes(1, 1), &Create::Overwrite, ObjectKind::Metadata).unwrap();
        }
        let (store, log) = b.store.recorded();
        let found: Vec<String> = store.list("p").map(|info| info.unwrap().key.to_string()).collect();
        assert_eq!(found, wanted, "{}", b.name);
        let pages = if b.fake.is_some() { 8 } else { 1 };
        assert_eq!(log.count(Verb::List), pages, "{}", b.name);
    });
}

fn names(b: &super::backends::Backend, prefix: &str) -> Vec<String> {
    b.store.list(prefix).map(|info| info.unwrap().key.to_string()).collect()
}
