//! Whole objects: what is put is what comes back, and never less.

use subvault_store::{Availability, Create, ObjectKind, StoreErrorKind, ThawSpeed, Verb};
use subvault_testkit::s3_fake::Op;

use super::backends::{bytes, key, kind, on_all, same};

const META: ObjectKind = ObjectKind::Metadata;

#[test]
fn what_is_put_comes_back() {
    on_all(|b| {
        for (name, len) in [("empty", 0), ("one", 1), ("a/b/small", 4096), ("a/b/c+d=e@f_g.h-i", 3 << 20)] {
            let body = bytes(len, 7);
            assert_eq!(b.store.head(&key(name)).unwrap(), None, "{}", b.name);
            let etag = b.store.put(&key(name), body.clone(), &Create::IfAbsent, META).unwrap();
            same(&b.store.get(&key(name), len).unwrap(), &body, b.name);
            let info = b.store.head(&key(name)).unwrap().unwrap();
            assert_eq!((info.size, info.availability), (len as u64, Availability::Ready), "{}", b.name);
            assert_eq!(info.etag, etag, "{}", b.name);
            let age = jiff::Timestamp::now().duration_since(info.modified);
            assert!(age.abs().as_secs() < 120, "{}: {age:?}", b.name);
        }
    });
}

#[test]
fn what_is_not_there_is_not_found_and_can_be_deleted() {
    on_all(|b| {
        assert_eq!(kind(b.store.get(&key("no/such"), 10)), StoreErrorKind::NotFound, "{}", b.name);
        assert_eq!(kind(b.store.get_range(&key("no/such"), 0, 10)), StoreErrorKind::NotFound, "{}", b.name);
        assert_eq!(kind(b.store.thaw(&key("no/such"), 1, ThawSpeed::Bulk)), StoreErrorKind::NotFound, "{}", b.name);
        b.store.delete(&key("no/such")).unwrap();
        b.store.put(&key("a/b"), bytes(9, 1), &Create::IfAbsent, META).unwrap();
        assert_eq!(b.store.head(&key("a")).unwrap(), None, "{}: a prefix is no object", b.name);
        b.store.delete(&key("a/b")).unwrap();
        b.store.delete(&key("a/b")).unwrap();
        assert_eq!(b.store.head(&key("a/b")).unwrap(), None, "{}", b.name);
        // The name is free for anything again.
        b.store.put(&key("a"), bytes(9, 1), &Create::IfAbsent, META).unwrap();
    });
}

#[test]
fn a_range_is_exact_or_an_error() {
    on_all(|b| {
        let body = bytes(100_000, 3);
        b.store.put(&key("o"), body.clone(), &Create::IfAbsent, META).unwrap();
        for (offset, len) in [(0, 1), (0, 100_000), (99_999, 1), (12_345, 54_321), (5, 0), (200_000, 0)] {
            let part = b.store.get_range(&key("o"), offset as u64, len).unwrap();
            let wanted = if len == 0 { body.slice(..0) } else { body.slice(offset..offset + len) };
            same(&part, &wanted, &format!("{}: {len} from {offset}", b.name));
        }
        for (offset, len) in [(99_999, 2), (0, 100_001), (100_000, 1), (1 << 40, 5), (u64::MAX - 1, 5)] {
            assert_eq!(
                kind(b.store.get_range(&key("o"), offset, len)),
                StoreErrorKind::Short,
                "{}: {len} from {offset}",
                b.name
            );
        }
    });
}

#[test]
fn an_object_larger_than_expected_is_not_loaded() {
    on_all(|b| {
        b.store.put(&key("o"), bytes(1001, 3), &Create::IfAbsent, META).unwrap();
        let error = b.store.get(&key("o"), 1000).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::TooLarge, "{}", b.name);
        assert!(error.to_string().contains("`o`") && error.to_string().contains(&b.store.describe()), "{error}");
    });
}

#[test]
fn threads_do_not_disturb_each_other() {
    on_all(|b| {
        std::thread::scope(|scope| {
            for worker in 0..6_u64 {
                scope.spawn(move || {
                    for round in 0..5_u64 {
                        let name = key(&format!("shared/{worker}/{round}"));
                        let body = bytes(20_000, worker * 100 + round);
                        b.store.put(&name, body.clone(), &Create::IfAbsent, META).unwrap();
                        same(&b.store.get(&name, 20_000).unwrap(), &body, b.name);
                        if round % 2 == 0 {
                            b.store.delete(&name).unwrap();
                        }
                    }
                });
            }
        });
        assert_eq!(b.store.list("shared/").count(), 12, "{}", b.name);
    });
}

#[test]
fn cold_objects_are_refused_until_they_are_thawed() {
    on_all(|b| {
        let body = bytes(1000, 1);
        b.store.put(&key("cold"), body.clone(), &Create::IfAbsent, ObjectKind::Bulk).unwrap();
        b.store.put(&key("warm"), body.clone(), &Create::IfAbsent, META).unwrap();
        assert_eq!(b.store.thaw(&key("warm"), 1, ThawSpeed::Bulk).unwrap(), Availability::Ready, "{}", b.name);
        if !b.thaws {
            same(&b.store.get(&key("cold"), 1000).unwrap(), &body, b.name);
            return;
        }
        let info = b.store.head(&key("cold")).unwrap().unwrap();
        assert_eq!(
            (info.availability, info.class.unwrap().as_str()),
            (Availability::Cold, "DEEP_ARCHIVE"),
            "{}",
            b.name
        );
        assert!(b.store.list("cold").all(|info| info.unwrap().availability == Availability::Cold), "{}", b.name);
        assert_eq!(kind(b.store.get(&key("cold"), 1000)), StoreErrorKind::Cold, "{}", b.name);
        assert_eq!(kind(b.store.get_range(&key("cold"), 1, 2)), StoreErrorKind::Cold, "{}", b.name);
        // Both servers that can thaw do it at once.
        let thawed = b.store.thaw(&key("cold"), 3, ThawSpeed::Bulk).unwrap();
        let Availability::Thawed { until: Some(until) } = thawed else { panic!("{}: {thawed:?}", b.name) };
        let hours = until.duration_since(jiff::Timestamp::now()).as_hours();
        assert!((47..=97).contains(&hours), "{}: {hours}", b.name);
        assert!(b.store.thaw(&key("cold"), 3, ThawSpeed::Bulk).unwrap().readable(), "{}: again", b.name);
        same(&b.store.get(&key("cold"), 1000).unwrap(), &body, b.name);
    });
}

#[test]
fn the_log_says_what_was_asked() {
    on_all(|b| {
        let (store, log) = b.store.recorded();
        store.put(&key("x/1"), bytes(3, 1), &Create::IfAbsent, META).unwrap();
        store.get(&key("x/1"), 3).unwrap();
        assert_eq!(store.list("x/").count(), 1);
        b.store.head(&key("x/1")).unwrap();
        let calls: Vec<_> = log.take().into_iter().map(|call| (call.verb, call.key)).collect();
        let wanted = [(Verb::Put, "x/1"), (Verb::Get, "x/1"), (Verb::List, "x/")];
        assert_eq!(calls, wanted.map(|(verb, key)| (verb, key.to_owned())), "{}", b.name);
        assert_eq!(log.count(Verb::Put), 0);
    });
}

#[test]
fn a_plain_call_is_one_request() {
    on_all(|b| {
        let Some(fake) = b.fake.as_ref().filter(|_| b.capabilities.conditional_put) else { return };
        fake.set_faults(Vec::new());
        b.store.put(&key("x"), bytes(3, 1), &Create::IfAbsent, META).unwrap();
        b.store.get(&key("x"), 3).unwrap();
        b.store.get_range(&key("x"), 1, 1).unwrap();
        assert_eq!((fake.requests(Op::Put), fake.requests(Op::Get), fake.requests(Op::Head)), (1, 2, 0));
        assert_eq!(fake.unsigned_bodies(), 0, "the signature covers the body");
    });
}
