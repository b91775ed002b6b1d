//! Faults between us and a bucket: each is survived with the right bytes, or ends in an error; never in other bytes.

use std::time::Duration;

use subvault_store::{Create, Key, ObjectKind, ObjectStore, Provider, StoreError, StoreErrorKind};
use subvault_testkit::s3_fake::{Fake, FakeOptions, Fault, FaultKind, Op, When};

use super::backends::{bytes, key, kind, same, settings};

const PART: usize = 5 << 20;
const META: ObjectKind = ObjectKind::Metadata;

/// One of everything; any wrong answer is a panic, any error is returned.
fn everything(store: &ObjectStore, run: u64) -> Result<(), StoreError> {
    let (small, big) = (key(&format!("run-{run}/small")), key(&format!("run-{run}/big")));
    let etag = store.put(&small, bytes(3000, run), &Create::IfAbsent, META)?;
    let etag = store.put(&small, bytes(4000, run), &Create::IfMatch(etag), META)?;
    same(&store.get(&small, 4000)?, &bytes(4000, run), "what is read");
    assert_eq!(store.head(&small)?.unwrap().etag, etag);

    let upload = store.begin_upload(&big, ObjectKind::Bulk, PART as u64)?;
    let first = store.put_part(&upload, 0, 0, bytes(PART, run))?;
    let second = store.put_part(&upload, 1, PART as u64, bytes(1000, run))?;
    assert_eq!(store.stored_parts(&upload)?.len(), 2);
    let size = PART as u64 + 1000;
    store.complete_upload(&upload, &[(0, first), (1, second)], size, &Create::IfAbsent)?;
    same(&store.get_range(&big, PART as u64 - 5, 5)?, &bytes(PART, run).slice(PART - 5..), "what is read");
    same(&store.get_range(&big, PART as u64, 1000)?, &bytes(1000, run), "what is read");

    let listed =
        store.list(&format!("run-{run}/")).map(|info| info.map(|info| info.key)).collect::<Result<Vec<Key>, _>>()?;
    assert_eq!(listed, [big.clone(), small.clone()]);
    store.delete(&small)?;
    store.delete(&big)?;
    assert_eq!(store.head(&small)?, None);
    Ok(())
}

#[test]
fn what_passes_is_repeated_until_it_succeeds() {
    let fake = Fake::start(FakeOptions::default());
    let store = ObjectStore::s3(&settings(&fake, Provider::Aws)).unwrap();
    let kinds = [
        FaultKind::SLOW_DOWN,
        FaultKind::INTERNAL_ERROR,
        FaultKind::Drop,
        FaultKind::LoseReply,
        FaultKind::CutBody,
        FaultKind::SlowBody(Duration::from_millis(1)),
        FaultKind::Latency(Duration::from_millis(3)),
    ];
    for (run, kind) in kinds.into_iter().enumerate() {
        for (nth, every) in [2, 3].into_iter().enumerate() {
            fake.set_faults(vec![Fault::on_all(kind, When::Every(every))]);
            everything(&store, (run * 10 + nth) as u64).unwrap_or_else(|error| panic!("{kind:?}: {error}: {error:?}"));
            assert!(fake.struck() > 3, "{kind:?} every {every}");
        }
    }
}

/// All kinds mixed, by chance. What does not succeed is an error that says so; wrong bytes panic inside.
#[test]
fn mixed_faults_never_give_wrong_data() {
    let mut succeeded = 0;
    for seed in 1..=12 {
        let fake = Fake::start(FakeOptions { seed, ..FakeOptions::default() });
        let store = ObjectStore::s3(&settings(&fake, Provider::Aws)).unwrap();
        let share = When::PerMille(80);
        fake.set_faults(vec![
            Fault::on_all(FaultKind::SLOW_DOWN, share),
            Fault::on_all(FaultKind::Drop, share),
            Fault::on_all(FaultKind::LoseReply, share),
            Fault::on_all(FaultKind::CutBody, share),
            Fault::on(Op::Get, FaultKind::ShortBody, When::PerMille(30)),
        ]);
        match everything(&store, seed) {
            Ok(()) => succeeded += 1,
            Err(error) => assert!(
                error.is_transient() || error.kind() == StoreErrorKind::Unfaithful,
                "seed {seed}: {error}: {error:?}"
            ),
        }
    }
    assert!(succeeded >= 8, "only {succeeded} of 12 runs came through");
}

#[test]
fn a_body_that_always_breaks_off_is_an_error() {
    let fake = Fake::start(FakeOptions::default());
    let store = ObjectStore::s3(&settings(&fake, Provider::Aws)).unwrap();
    store.put(&key("o"), bytes(100_000, 1), &Create::IfAbsent, META).unwrap();
    fake.set_faults(vec![Fault::on(Op::Get, FaultKind::CutBody, When::Always)]);
    assert_eq!(kind(store.get(&key("o"), 100_000)), StoreErrorKind::Short);
    assert_eq!(kind(store.get_range(&key("o"), 10, 90_000)), StoreErrorKind::Short);
    assert_eq!(fake.requests(Op::Get), 16, "all attempts are used");
}

#[test]
fn a_server_that_sends_half_is_found_out() {
    let fake = Fake::start(FakeOptions::default());
    let store = ObjectStore::s3(&settings(&fake, Provider::Aws)).unwrap();
    store.put(&key("o"), bytes(100_000, 1), &Create::IfAbsent, META).unwrap();
    fake.set_faults(vec![Fault::on(Op::Get, FaultKind::ShortBody, When::Always)]);
    assert_eq!(kind(store.get_range(&key("o"), 0, 100_000)), StoreErrorKind::Short);
    assert_eq!(kind(store.get(&key("o"), 100_000)), StoreErrorKind::Unfaithful, "the checksum tells");
}

/// The request is repeated by the SDK and meets what the first attempt did.
#[test]
fn a_lost_answer_to_a_conditional_write_is_not_a_conflict() {
    let fake = Fake::start(FakeOptions::default());
    let store = ObjectStore::s3(&settings(&fake, Provider::Aws)).unwrap();
    let lose = |op| fake.set_faults(vec![Fault::on(op, FaultKind::LoseReply, When::First(1))]);
    lose(Op::Put);
    let etag = store.put(&key("o"), bytes(10, 1), &Create::IfAbsent, META).unwrap();
    assert_eq!((fake.struck(), fake.requests(Op::Put)), (1, 2));
    lose(Op::Put);
    store.put(&key("o"), bytes(10, 2), &Create::IfMatch(etag), META).unwrap();
    assert_eq!(fake.requests(Op::Put), 2);
    lose(Op::Complete);
    let upload = store.begin_upload(&key("big"), ObjectKind::Bulk, PART as u64).unwrap();
    let tag = store.put_part(&upload, 0, 0, bytes(10, 1)).unwrap();
    store.complete_upload(&upload, &[(0, tag)], 10, &Create::IfAbsent).unwrap();
    assert_eq!(fake.requests(Op::Complete), 2);
    assert_eq!(fake.pending_uploads(), 0);
}

/// S3 answers like this while another completion of the upload is going on.
#[test]
fn a_completion_that_meets_another_is_asked_for_again() {
    let fake = Fake::start(FakeOptions::default());
    let store = ObjectStore::s3(&settings(&fake, Provider::Aws)).unwrap();
    let upload = store.begin_upload(&key("big"), ObjectKind::Bulk, PART as u64).unwrap();
    let tag = store.put_part(&upload, 0, 0, bytes(10, 1)).unwrap();
    let conflict = FaultKind::Answer(409, "ConditionalRequestConflict");
    fake.set_faults(vec![Fault::on(Op::Complete, conflict, When::First(2))]);
    store.complete_upload(&upload, &[(0, tag)], 10, &Create::IfAbsent).unwrap();
    assert_eq!(fake.requests(Op::Complete), 3);
}

/// Ceph's gateway answers like this when an upload is completed that is complete already.
#[test]
fn a_server_that_calls_a_gone_upload_its_own_fault_is_understood() {
    let fake = Fake::start(FakeOptions::default());
    let store = ObjectStore::s3(&settings(&fake, Provider::CephRgw)).unwrap();
    let upload = store.begin_upload(&key("big"), ObjectKind::Bulk, PART as u64).unwrap();
    let tag = store.put_part(&upload, 0, 0, bytes(10, 1)).unwrap();
    let own_fault = Fault::on(Op::Complete, FaultKind::Answer(500, "UnknownError"), When::Always);
    fake.set_faults(vec![own_fault]);
    let never = store.complete_upload(&upload, &[(0, tag.clone())], 10, &Create::Overwrite);
    assert_eq!(kind(never), StoreErrorKind::Unavailable, "the upload is there, so it is no lost answer");
    fake.set_faults(vec![Fault::on(Op::Complete, FaultKind::LoseReply, When::First(1)), own_fault]);
    store.complete_upload(&upload, &[(0, tag)], 10, &Create::Overwrite).unwrap();
}

/// Where the provider keeps no checksum, damage is for the layer above to see; a length is seen here.
#[test]
fn a_truncated_object_gives_no_short_range() {
    let fake = Fake::start(FakeOptions::default());
    let store = ObjectStore::s3(&settings(&fake, Provider::Aws)).unwrap();
    store.put(&key("o"), bytes(1000, 1), &Create::IfAbsent, META).unwrap();
    assert!(fake.flip("in/here/o", 500));
    assert_eq!(kind(store.get(&key("o"), 1000)), StoreErrorKind::Unfaithful, "the provider kept a checksum");
    assert!(fake.truncate("in/here/o", 400));
    assert_eq!(kind(store.get_range(&key("o"), 300, 200)), StoreErrorKind::Short);
    assert!(fake.remove("in/here/o"));
    assert_eq!(kind(store.get(&key("o"), 1000)), StoreErrorKind::NotFound);
}
