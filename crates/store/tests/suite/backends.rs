//! The stores the contract is tried on. Every test gets its own prefix, and its own server where that is cheap.

use std::env;
use std::io::Write;
use std::sync::Once;

use bytes::Bytes;
use subvault_store::{
    Capabilities, Credentials, Key, ObjectStore, Provider, S3Settings, Secret, StorageClass, StoreError, StoreErrorKind,
};
use subvault_testkit::s3_fake::{Fake, FakeOptions, FakeProfile};
use tempfile::TempDir;

/// A store under test, and what keeps it alive.
pub(crate) struct Backend {
    pub(crate) name: &'static str,
    pub(crate) store: ObjectStore,
    pub(crate) capabilities: Capabilities,
    /// Cold objects are refused and can be thawed.
    pub(crate) thaws: bool,
    pub(crate) fake: Option<Fake>,
    _directory: Option<TempDir>,
}

/// Runs a part of the contract on every store there is.
pub(crate) fn on_all(test: impl Fn(&Backend)) {
    let mut names = Vec::new();
    for make in [directory, full_fake, plain_fake] {
        let backend = make();
        names.push(backend.name);
        test(&backend);
    }
    for server in SERVERS {
        if let Some(backend) = server.backend() {
            names.push(backend.name);
            test(&backend);
        }
    }
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        // Straight to the stream: the harness hides what passing tests print.
        let _ = writeln!(std::io::stderr(), "the store contract runs on: {}", names.join(", "));
    });
}

fn directory() -> Backend {
    let root = TempDir::new().unwrap();
    let store = ObjectStore::directory(root.path()).unwrap();
    Backend {
        name: "directory",
        store,
        capabilities: Capabilities::ALL,
        thaws: false,
        fake: None,
        _directory: Some(root),
    }
}

/// Like AWS: everything is honoured, checksums are sent.
fn full_fake() -> Backend {
    let fake = Fake::start(FakeOptions { page: 7, ..FakeOptions::default() });
    let settings = S3Settings { bulk_class: class("DEEP_ARCHIVE"), ..settings(&fake, Provider::Aws) };
    let (store, capabilities) = probed(settings);
    assert_eq!(capabilities, Capabilities::ALL);
    Backend { name: "fake S3 (full)", store, capabilities, thaws: true, fake: Some(fake), _directory: None }
}

/// Like the least S3: conditions and classes are ignored, checksum headers are refused.
fn plain_fake() -> Backend {
    let nothing = FakeProfile {
        conditional_put: false,
        conditional_complete: false,
        storage_class: false,
        checksum_headers: false,
    };
    let fake = Fake::start(FakeOptions { profile: nothing, page: 7, ..FakeOptions::default() });
    let (store, capabilities) = probed(settings(&fake, Provider::Generic));
    assert!(!capabilities.conditional_put && !capabilities.conditional_complete && !capabilities.if_match);
    Backend { name: "fake S3 (plain)", store, capabilities, thaws: false, fake: Some(fake), _directory: None }
}

/// A server the environment may name.
struct Server {
    name: &'static str,
    variable: &'static str,
    provider: Provider,
    thaws: bool,
    /// What the probe is known to find, as `docs/providers.md` has it.
    finds: Capabilities,
}

const SERVERS: [Server; 2] = [
    Server {
        name: "LocalStack",
        variable: "SUBVAULT_TEST_S3_LOCALSTACK",
        provider: Provider::Aws,
        thaws: true,
        finds: Capabilities::ALL,
    },
    Server {
        name: "Ceph RGW",
        variable: "SUBVAULT_TEST_S3_RGW",
        provider: Provider::CephRgw,
        thaws: false,
        finds: Capabilities { conditional_complete: false, if_match: false, ..Capabilities::ALL },
    },
];

impl Server {
    fn backend(&self) -> Option<Backend> {
        let Ok(endpoint) = env::var(self.variable) else {
            assert!(
                env::var("SUBVAULT_TEST_WITHOUT_S3_SERVERS").is_ok_and(|v| v == "1"),
                "{} is not set: start the server with ci/s3-servers, or say SUBVAULT_TEST_WITHOUT_S3_SERVERS=1",
                self.variable
            );
            let _ = writeln!(std::io::stderr(), "NOT RUN: the store contract on {}", self.name);
            return None;
        };
        let other = |what: &str| env::var(format!("{}_{what}", self.variable)).unwrap();
        let mut settings = S3Settings::new(self.provider, other("BUCKET"), "us-east-1");
        settings.endpoint = Some(endpoint);
        settings.path_style = Some(true);
        settings.credentials = keys(&other("ACCESS_KEY"), &other("SECRET_KEY"));
        settings.prefix = Some(Key::new(format!("t-{}", nonce())).unwrap());
        settings.bulk_class = class("DEEP_ARCHIVE");
        let (store, capabilities) = probed(settings);
        assert_eq!(capabilities, self.finds, "{}", self.name);
        Some(Backend { name: self.name, store, capabilities, thaws: self.thaws, fake: None, _directory: None })
    }
}

/// Settings for a fake: patient, but quick to try again.
pub(crate) fn settings(fake: &Fake, provider: Provider) -> S3Settings {
    let mut settings = S3Settings::new(provider, fake.bucket(), "us-east-1");
    settings.endpoint = Some(fake.endpoint());
    settings.path_style = Some(true);
    settings.credentials = keys(fake.access_key(), fake.secret_key());
    settings.prefix = Some(key("in/here"));
    settings.backoff_millis = 2;
    settings.attempts_max = 8;
    settings
}

pub(crate) fn keys(access_key: &str, secret_key: &str) -> Credentials {
    Credentials::Static { access_key: access_key.to_owned(), secret_key: Secret::new(secret_key), session_token: None }
}

/// Opens a store as a user does: probe, record, open again.
pub(crate) fn probed(settings: S3Settings) -> (ObjectStore, Capabilities) {
    let capabilities = ObjectStore::s3(&settings).unwrap().probe(&key("probe")).unwrap();
    let store = ObjectStore::s3(&S3Settings { capabilities: Some(capabilities), ..settings }).unwrap();
    assert_eq!(store.list("").count(), 0, "the probe cleans up");
    assert_eq!(store.uploads("").unwrap(), []);
    (store, capabilities)
}

pub(crate) fn class(name: &str) -> Option<StorageClass> {
    Some(StorageClass::new(name).unwrap())
}

pub(crate) fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

/// Different in each test and run: the servers outlive both.
fn nonce() -> String {
    let name = TempDir::new().unwrap().path().file_name().unwrap().to_str().unwrap().trim_start_matches('.').to_owned();
    format!("{name}-{}", std::process::id())
}

/// Bytes that differ at every offset that matters.
pub(crate) fn bytes(len: usize, seed: u64) -> Bytes {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let step = |_| {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x.to_le_bytes()
    };
    let mut all: Vec<u8> = (0..len.div_ceil(8)).flat_map(step).collect();
    all.truncate(len);
    all.into()
}

#[track_caller]
pub(crate) fn kind<T: std::fmt::Debug>(outcome: Result<T, StoreError>) -> StoreErrorKind {
    outcome.unwrap_err().kind()
}

/// Compares bytes without printing them.
#[track_caller]
pub(crate) fn same(left: &Bytes, right: &Bytes, what: &str) {
    let summary = |bytes: &Bytes| format!("{} bytes, {}", bytes.len(), blake3::hash(bytes));
    assert!(left == right, "{what}: {} is not {}", summary(left), summary(right));
}
