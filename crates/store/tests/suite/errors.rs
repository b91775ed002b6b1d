//! What a user is told: the right kind, one sentence, and what to do next.

use std::error::Error;
use std::time::Duration;

use subvault_store::{
    Availability, Create, Encryption, ObjectKind, ObjectStore, Provider, S3Settings, StoreError, StoreErrorKind,
    ThawSpeed,
};
use subvault_testkit::s3_fake::{Fake, FakeOptions, Fault, FaultKind, When};

use super::backends::{bytes, class, key, keys, kind, same, settings};

fn try_put(settings: &S3Settings) -> StoreError {
    let store = ObjectStore::s3(settings).unwrap();
    store.put(&key("o"), bytes(100, 1), &Create::Overwrite, ObjectKind::Metadata).unwrap_err()
}

#[test]
fn an_error_is_a_sentence_with_a_cause_and_a_hint() {
    let fake = Fake::start(FakeOptions::default());
    let wrong = S3Settings { bucket: "nowhere".to_owned(), ..settings(&fake, Provider::Aws) };
    let error = try_put(&wrong);
    let text = error.to_string();
    assert_eq!(
        text,
        format!(
            "cannot store `o` in s3://nowhere/in/here at {}: the store does not exist (NoSuchBucket)",
            fake.endpoint()
        )
    );
    assert!(error.source().is_some() && error.hint().contains("bucket"));
    assert!(!error.is_transient());
}

#[test]
fn wrong_credentials_and_buckets_are_told_apart() {
    let fake = Fake::start(FakeOptions::default());
    let good = settings(&fake, Provider::Aws);
    let secret = S3Settings { credentials: keys(fake.access_key(), "wrong"), ..good.clone() };
    assert_eq!(try_put(&secret).kind(), StoreErrorKind::BadCredentials);
    let access = S3Settings { credentials: keys("AKIAUNKNOWN", fake.secret_key()), ..good.clone() };
    assert_eq!(try_put(&access).kind(), StoreErrorKind::BadCredentials);
    let bucket = S3Settings { bucket: "nowhere".to_owned(), ..good };
    assert_eq!(try_put(&bucket).kind(), StoreErrorKind::NoStore);
}

#[test]
fn an_answer_means_its_code() {
    use StoreErrorKind as Kind;
    let fake = Fake::start(FakeOptions::default());
    let settings = S3Settings { attempts_max: 2, ..settings(&fake, Provider::Aws) };
    for (fault, wanted) in [
        (FaultKind::EXPIRED_TOKEN, Kind::BadCredentials),
        (FaultKind::CLOCK_SKEW, Kind::ClockSkew),
        (FaultKind::ACCESS_DENIED, Kind::Permission),
        (FaultKind::SLOW_DOWN, Kind::Throttled),
        (FaultKind::INTERNAL_ERROR, Kind::Unavailable),
        (FaultKind::Answer(403, "QuotaExceeded"), Kind::NoSpace),
        (FaultKind::Answer(400, "AuthorizationHeaderMalformed"), Kind::BadSettings),
        (FaultKind::Answer(301, "PermanentRedirect"), Kind::BadSettings),
        (FaultKind::Answer(501, "NotImplemented"), Kind::Unsupported),
        (FaultKind::Answer(400, "NeverHeardOf"), Kind::Refused),
        (FaultKind::Drop, Kind::Unreachable),
        (FaultKind::LoseReply, Kind::Unreachable),
    ] {
        fake.set_faults(vec![Fault::on_all(fault, When::Always)]);
        let error = try_put(&settings);
        assert_eq!(error.kind(), wanted, "{fault:?}: {error}: {:?}", error.source());
        assert!(error.to_string().starts_with("cannot store `o` in s3://") && !error.hint().is_empty());
    }
}

/// An answer to HEAD has no body and so no code: its status has to do.
#[test]
fn an_answer_without_a_body_is_judged_by_its_status() {
    let fake = Fake::start(FakeOptions::default());
    let store = ObjectStore::s3(&S3Settings { attempts_max: 2, ..settings(&fake, Provider::Aws) }).unwrap();
    for (fault, wanted) in [
        (FaultKind::ACCESS_DENIED, StoreErrorKind::Permission),
        (FaultKind::SLOW_DOWN, StoreErrorKind::Unavailable),
        (FaultKind::INTERNAL_ERROR, StoreErrorKind::Unavailable),
    ] {
        fake.set_faults(vec![Fault::on_all(fault, When::Always)]);
        assert_eq!(kind(store.head(&key("o"))), wanted, "{fault:?}");
    }
}

#[test]
fn no_connection_and_no_encryption_are_told_apart() {
    let fake = Fake::start(FakeOptions::default());
    let good = S3Settings { attempts_max: 2, ..settings(&fake, Provider::Aws) };
    // Nothing listens on the discard port.
    let nobody = S3Settings { endpoint: Some("http://127.0.0.1:9".to_owned()), ..good.clone() };
    let error = try_put(&nobody);
    assert_eq!(error.kind(), StoreErrorKind::Unreachable, "{error}: {:?}", error.source());
    assert!(error.is_transient());
    let plain = S3Settings { endpoint: Some(fake.endpoint().replace("http:", "https:")), ..good.clone() };
    let error = try_put(&plain);
    assert_eq!(error.kind(), StoreErrorKind::Tls, "{error}: {:?}", error.source());
    let name = S3Settings { endpoint: Some("http://no-such-host.invalid".to_owned()), ..good };
    assert_eq!(try_put(&name).kind(), StoreErrorKind::Unreachable);
}

#[test]
fn a_server_that_does_not_answer_is_given_up() {
    let fake = Fake::start(FakeOptions::default());
    let settings = S3Settings { attempts_max: 2, read_timeout_secs: 1, ..settings(&fake, Provider::Aws) };
    fake.set_faults(vec![Fault::on_all(FaultKind::Latency(Duration::from_secs(30)), When::Always)]);
    assert_eq!(try_put(&settings).kind(), StoreErrorKind::Unreachable);
    assert_eq!(fake.struck(), 2);
}

#[test]
fn settings_that_cannot_be_right_are_refused_at_once() {
    let good = S3Settings::new(Provider::Wasabi, "vault", "eu-central-1");
    assert!(ObjectStore::s3(&good).unwrap().describe().ends_with("at https://s3.eu-central-1.wasabisys.com"));
    for wrong in [
        S3Settings::new(Provider::Generic, "vault", "us-east-1"),
        S3Settings::new(Provider::Aws, "", "us-east-1"),
        S3Settings::new(Provider::Aws, "vault", ""),
        S3Settings { endpoint: Some("s3.example.com".to_owned()), ..good.clone() },
        S3Settings { bulk_class: class("DEEP_ARCHIVE"), ..good.clone() },
        S3Settings { encryption: Encryption::Aes256, ..good.clone() },
        S3Settings { attempts_max: 0, ..good },
    ] {
        assert_eq!(kind(ObjectStore::s3(&wrong)), StoreErrorKind::BadSettings, "{wrong:?}");
    }
}

#[test]
fn a_thaw_takes_its_time() {
    let thaw_delay = Duration::from_millis(300);
    let fake = Fake::start(FakeOptions { thaw_delay, ..FakeOptions::default() });
    let settings = S3Settings { bulk_class: class("DEEP_ARCHIVE"), ..settings(&fake, Provider::Aws) };
    let store = ObjectStore::s3(&settings).unwrap();
    store.put(&key("o"), bytes(10, 1), &Create::IfAbsent, ObjectKind::Bulk).unwrap();
    assert_eq!(fake.class("in/here/o").as_deref(), Some("DEEP_ARCHIVE"));
    assert_eq!(store.thaw(&key("o"), 1, ThawSpeed::Standard).unwrap(), Availability::Thawing);
    assert_eq!(store.thaw(&key("o"), 1, ThawSpeed::Standard).unwrap(), Availability::Thawing);
    assert_eq!(kind(store.get(&key("o"), 10)), StoreErrorKind::Cold);
    std::thread::sleep(thaw_delay + Duration::from_millis(50));
    assert!(store.head(&key("o")).unwrap().unwrap().availability.readable());
    same(&store.get(&key("o"), 10).unwrap(), &bytes(10, 1), "what is read");
}
