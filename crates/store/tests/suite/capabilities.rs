//! Probing: what is found is what the server does, and what is not honoured is made up for or reported.

use subvault_store::{Capabilities, Create, Key, ObjectKind, ObjectStore, Provider, S3Settings, StoreErrorKind};
use subvault_testkit::s3_fake::{Fake, FakeOptions, FakeProfile, Op};

use super::backends::{bytes, class, key, kind, settings};

fn probe(profile: FakeProfile, provider: Provider) -> Capabilities {
    let fake = Fake::start(FakeOptions { profile, ..FakeOptions::default() });
    let settings = S3Settings { bulk_class: class("DEEP_ARCHIVE"), ..settings(&fake, provider) };
    let found = ObjectStore::s3(&settings).unwrap().probe(&key("scratch")).unwrap();
    assert_eq!((fake.keys(), fake.pending_uploads()), (Vec::new(), 0));
    found
}

#[test]
fn each_capability_is_found_out_by_itself() {
    let full = FakeProfile::FULL;
    assert_eq!(probe(full, Provider::Aws), Capabilities::ALL);
    assert_eq!(
        probe(FakeProfile { conditional_put: false, ..full }, Provider::Generic),
        Capabilities { conditional_put: false, if_match: false, ..Capabilities::ALL }
    );
    assert_eq!(
        probe(FakeProfile { conditional_complete: false, ..full }, Provider::Generic),
        Capabilities { conditional_complete: false, ..Capabilities::ALL }
    );
    assert_eq!(
        probe(FakeProfile { storage_class: false, ..full }, Provider::Generic),
        Capabilities { storage_class: false, ..Capabilities::ALL }
    );
}

#[test]
fn a_class_that_is_not_kept_is_reported() {
    let profile = FakeProfile { storage_class: false, ..FakeProfile::FULL };
    let fake = Fake::start(FakeOptions { profile, ..FakeOptions::default() });
    let settings = S3Settings { bulk_class: class("GLACIER"), ..settings(&fake, Provider::Generic) };
    let store = ObjectStore::s3(&settings).unwrap();
    let upload = store.begin_upload(&key("o"), ObjectKind::Bulk, 5 << 20).unwrap();
    let tag = store.put_part(&upload, 0, 0, bytes(10, 1)).unwrap();
    let error = store.complete_upload(&upload, &[(0, tag)], 10, &Create::IfAbsent).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unfaithful);
    assert!(error.to_string().contains("no storage class instead of GLACIER"), "{error}");
}

/// The header that AWS wants is what others refuse: the profile decides.
#[test]
fn checksum_headers_go_only_to_those_who_take_them() {
    let profile = FakeProfile { checksum_headers: false, ..FakeProfile::FULL };
    let fake = Fake::start(FakeOptions { profile, ..FakeOptions::default() });
    let put = |provider| {
        let store = ObjectStore::s3(&settings(&fake, provider)).unwrap();
        let name = key(&format!("{provider:?}"));
        store.put(&name, bytes(10, 1), &Create::Overwrite, ObjectKind::Metadata)?;
        let upload = store.begin_upload(&name, ObjectKind::Bulk, 5 << 20)?;
        let tag = store.put_part(&upload, 0, 0, bytes(10, 1))?;
        store.complete_upload(&upload, &[(0, tag)], 10, &Create::Overwrite)
    };
    assert_eq!(kind(put(Provider::Aws)), StoreErrorKind::Refused);
    for provider in Provider::ALL.into_iter().filter(|provider| *provider != Provider::Aws) {
        put(provider).unwrap();
    }
    assert_eq!(fake.unsigned_bodies(), 0, "without a checksum the signature is what protects the body");
}

#[test]
fn where_checksums_are_taken_they_are_sent_and_kept() {
    let fake = Fake::start(FakeOptions::default());
    let store = ObjectStore::s3(&settings(&fake, Provider::Aws)).unwrap();
    store.put(&key("small"), bytes(10, 1), &Create::Overwrite, ObjectKind::Metadata).unwrap();
    let upload = store.begin_upload(&key("big"), ObjectKind::Bulk, 5 << 20).unwrap();
    let tag = store.put_part(&upload, 0, 0, bytes(10, 1)).unwrap();
    store.complete_upload(&upload, &[(0, tag)], 10, &Create::Overwrite).unwrap();
    let small = fake.checksum("in/here/small");
    assert!(small.is_some());
    assert_eq!(fake.checksum("in/here/big"), small, "of the whole object, however it was sent");
    assert_eq!(fake.unsigned_bodies(), 0);
}

/// Before anything was probed, a condition is sent and looked up as well.
#[test]
fn an_unknown_server_is_not_trusted() {
    let profile = FakeProfile { conditional_put: false, conditional_complete: false, ..FakeProfile::FULL };
    let fake = Fake::start(FakeOptions { profile, ..FakeOptions::default() });
    let store = ObjectStore::s3(&settings(&fake, Provider::Generic)).unwrap();
    store.put(&key("o"), bytes(1, 1), &Create::IfAbsent, ObjectKind::Metadata).unwrap();
    assert_eq!(fake.requests(Op::Head), 1);
    let again = store.put(&key("o"), bytes(1, 2), &Create::IfAbsent, ObjectKind::Metadata);
    assert_eq!(kind(again), StoreErrorKind::AlreadyExists);
}

#[test]
fn nothing_outside_of_the_prefix_is_touched() {
    let fake = Fake::start(FakeOptions::default());
    fake.replace("in/other", "theirs");
    fake.replace("in/here-too", "theirs");
    let store = ObjectStore::s3(&settings(&fake, Provider::Aws)).unwrap();
    store.put(&key("o"), bytes(1, 1), &Create::IfAbsent, ObjectKind::Metadata).unwrap();
    assert_eq!(store.list("").map(|info| info.unwrap().key).collect::<Vec<Key>>(), [key("o")]);
    assert_eq!(fake.keys(), ["in/here-too", "in/here/o", "in/other"]);
    assert!(store.describe().starts_with("s3://vault/in/here at http://127.0.0.1:"), "{}", store.describe());
}

#[test]
fn every_provider_has_a_row_in_the_documentation() {
    let document = include_str!("../../../../docs/providers.md");
    for provider in Provider::ALL {
        let name = serde_json::to_value(provider).unwrap();
        let row = format!("| `{}` |", name.as_str().unwrap());
        let line = document.lines().find(|line| line.starts_with(&row));
        let line = line.unwrap_or_else(|| panic!("docs/providers.md has no row {row}"));
        let endpoint = provider.profile().endpoint.map(|pattern| pattern.replace("{region}", "REGION"));
        assert!(endpoint.is_none_or(|endpoint| line.contains(&endpoint)), "{line}");
        let style = if provider.profile().path_style { "| path |" } else { "| host |" };
        assert!(line.contains(style), "{line}");
    }
}
