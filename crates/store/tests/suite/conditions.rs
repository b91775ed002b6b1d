//! Conditional writes: what is in the way stays as it is.

use std::sync::Barrier;

use subvault_store::{Create, Etag, ObjectKind, StoreErrorKind};

use super::backends::{bytes, key, kind, on_all, same};

const META: ObjectKind = ObjectKind::Metadata;

#[test]
fn if_absent_never_replaces() {
    on_all(|b| {
        let (old, new) = (bytes(10, 1), bytes(10, 2));
        b.store.put(&key("p/o"), old.clone(), &Create::IfAbsent, META).unwrap();
        assert_eq!(
            kind(b.store.put(&key("p/o"), new, &Create::IfAbsent, META)),
            StoreErrorKind::AlreadyExists,
            "{}",
            b.name
        );
        // Not even by the same bytes: they may be another writer's.
        assert_eq!(
            kind(b.store.put(&key("p/o"), old.clone(), &Create::IfAbsent, META)),
            StoreErrorKind::AlreadyExists,
            "{}",
            b.name
        );
        same(&b.store.get(&key("p/o"), 10).unwrap(), &old, b.name);
        assert_eq!(b.store.list("").count(), 1, "{}: nothing is left behind", b.name);
    });
}

#[test]
fn overwrite_replaces() {
    on_all(|b| {
        let first = b.store.put(&key("o"), bytes(10, 1), &Create::Overwrite, META).unwrap();
        let second = b.store.put(&key("o"), bytes(20, 2), &Create::Overwrite, META).unwrap();
        assert_ne!(first, second, "{}", b.name);
        same(&b.store.get(&key("o"), 20).unwrap(), &bytes(20, 2), b.name);
    });
}

#[test]
fn if_match_replaces_only_that_version() {
    on_all(|b| {
        let nothing = Create::IfMatch(Etag("0123456789abcdef0123456789abcdef".to_owned()));
        assert!(b.store.put(&key("o"), bytes(1, 1), &nothing, META).is_err(), "{}", b.name);
        assert_eq!(b.store.head(&key("o")).unwrap(), None, "{}", b.name);
        let first = b.store.put(&key("o"), bytes(10, 1), &Create::IfAbsent, META).unwrap();
        let second = b.store.put(&key("o"), bytes(10, 2), &Create::IfMatch(first.clone()), META).unwrap();
        let stale = b.store.put(&key("o"), bytes(10, 3), &Create::IfMatch(first), META);
        assert_eq!(kind(stale), StoreErrorKind::Changed, "{}", b.name);
        same(&b.store.get(&key("o"), 10).unwrap(), &bytes(10, 2), b.name);
        b.store.put(&key("o"), bytes(10, 4), &Create::IfMatch(second), META).unwrap();
        same(&b.store.get(&key("o"), 10).unwrap(), &bytes(10, 4), b.name);
    });
}

/// Eight writers at once. Where the store promises it, exactly one creates the object, and one of those who replace
/// the same version wins; and it is always a whole object of one of them.
#[test]
fn of_eight_writers_one_wins() {
    on_all(|b| {
        for round in 0..3_u64 {
            let name = key(&format!("race/{round}"));
            let created = race(|writer| b.store.put(&name, bytes(5000, writer), &Create::IfAbsent, META).is_ok());
            let stored = b.store.get(&name, 5000).unwrap();
            assert!(created.iter().any(|writer| bytes(5000, *writer) == stored), "{}", b.name);
            if b.capabilities.conditional_put {
                assert_eq!(created.len(), 1, "{}", b.name);
            }
            let version = b.store.head(&name).unwrap().unwrap().etag;
            let how = Create::IfMatch(version);
            let replaced = race(|writer| b.store.put(&name, bytes(5000, writer + 50), &how, META).is_ok());
            if b.capabilities.if_match {
                assert_eq!(replaced.len(), 1, "{}", b.name);
            }
        }
    });
}

fn race(write: impl Fn(u64) -> bool + Sync) -> Vec<u64> {
    let barrier = Barrier::new(8);
    let attempt = |writer: u64| {
        barrier.wait();
        write(writer).then_some(writer)
    };
    let attempt = &attempt;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|writer| scope.spawn(move || attempt(writer))).collect();
        threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
    })
}
