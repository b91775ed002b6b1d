//! An S3 server in memory, on a loopback port, with real signatures and faults that can be turned on and off.
//!
//! It is for what real servers do not do on demand: a cold object that thaws after a set time, an answer that breaks
//! off in the middle, a reply that is lost after the work was done. The objects can be looked at, damaged and removed
//! behind the client's back. What it does right is pinned by the store's contract tests, which also run on real servers.

mod faults;
mod http;
mod memory;
mod service;
mod uploads;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

pub use faults::{Fault, FaultKind, Op, When};

use faults::Faults;
use memory::Memory;

/// What this server honours.
#[derive(Debug, Clone, Copy)]
pub struct FakeProfile {
    /// `If-None-Match` and `If-Match` on puts; if not, they are ignored.
    pub conditional_put: bool,
    /// The same when an upload is completed.
    pub conditional_complete: bool,
    /// Storage classes; if not, they are accepted and forgotten.
    pub storage_class: bool,
    /// Checksum headers; if not, a request with one is refused.
    pub checksum_headers: bool,
}

impl FakeProfile {
    /// Honours everything.
    pub const FULL: Self =
        Self { conditional_put: true, conditional_complete: true, storage_class: true, checksum_headers: true };
}

/// How a server is set up.
#[derive(Debug, Clone)]
pub struct FakeOptions {
    /// The one bucket.
    pub bucket: String,
    /// What it honours.
    pub profile: FakeProfile,
    /// How long a thaw takes.
    pub thaw_delay: Duration,
    /// The seed of faults that come by chance.
    pub seed: u64,
    /// How many objects, parts or uploads are in a page of a listing.
    pub page: usize,
}

impl Default for FakeOptions {
    fn default() -> Self {
        Self { bucket: "vault".to_owned(), profile: FakeProfile::FULL, thaw_delay: Duration::ZERO, seed: 1, page: 1000 }
    }
}

/// What the server's threads and the test share.
struct Shared {
    memory: Mutex<Memory>,
    faults: Mutex<Faults>,
    options: FakeOptions,
}

impl Shared {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running server; it stops when dropped.
pub struct Fake {
    shared: Arc<Shared>,
    address: SocketAddr,
    runtime: Option<Runtime>,
}

const ACCESS_KEY: &str = "AKIDFAKEFAKEFAKE";
const SECRET_KEY: &str = "not-a-secret-only-a-fake";

impl Fake {
    /// Starts a server on a free port of the loopback interface.
    ///
    /// # Panics
    /// If no port can be had.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test cannot go on without its server")]
    pub fn start(options: FakeOptions) -> Self {
        let memory = Mutex::new(Memory::new(options.thaw_delay));
        let faults = Mutex::new(Faults::new(options.seed));
        let shared = Arc::new(Shared { memory, faults, options });
        let runtime =
            Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime for the fake");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port for the fake");
        let address = listener.local_addr().expect("the address of the fake");
        runtime.spawn(http::serve(listener, Arc::clone(&shared)));
        Self { shared, address, runtime: Some(runtime) }
    }

    /// Where it listens.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The only access key it knows.
    #[must_use]
    pub fn access_key(&self) -> &'static str {
        ACCESS_KEY
    }

    /// The secret that belongs to it.
    #[must_use]
    pub fn secret_key(&self) -> &'static str {
        SECRET_KEY
    }

    /// The bucket.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.shared.options.bucket
    }

    /// Replaces the faults and starts counting anew.
    pub fn set_faults(&self, faults: Vec<Fault>) {
        self.shared.faults().set(faults);
    }

    /// How often the faults have struck since they were set.
    #[must_use]
    pub fn struck(&self) -> usize {
        self.shared.faults().struck
    }

    /// How many requests of this kind came in since the faults were set.
    #[must_use]
    pub fn requests(&self, op: Op) -> usize {
        self.shared.faults().requests(op)
    }

    /// How many requests with a body came in whose signature did not cover the body.
    #[must_use]
    pub fn unsigned_bodies(&self) -> usize {
        self.shared.faults().unsigned_bodies
    }

    /// Sets how long thaws asked for from now on take.
    pub fn set_thaw_delay(&self, delay: Duration) {
        self.shared.memory().thaw_delay = delay;
    }

    /// The bytes of an object.
    #[must_use]
    pub fn object(&self, key: &str) -> Option<Bytes> {
        self.shared.memory().objects.get(key).map(|object| object.body.clone())
    }

    /// The storage class an object is kept in, if one was asked for.
    #[must_use]
    pub fn class(&self, key: &str) -> Option<String> {
        self.shared.memory().objects.get(key).and_then(|object| object.class.clone())
    }

    /// The checksum that is kept with an object, if one was sent with it.
    #[must_use]
    pub fn checksum(&self, key: &str) -> Option<String> {
        self.shared.memory().objects.get(key).and_then(|object| object.crc64nvme.clone())
    }

    /// All keys, in order.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.shared.memory().objects.keys().cloned().collect()
    }

    /// How many uploads are unfinished.
    #[must_use]
    pub fn pending_uploads(&self) -> usize {
        self.shared.memory().uploads.len()
    }

    /// Replaces the bytes of an object, or makes one, behind the client's back.
    pub fn replace(&self, key: &str, body: impl Into<Bytes>) {
        self.shared.memory().replace(key, body.into());
    }

    /// Flips a bit of an object; says whether there was such a byte.
    #[must_use]
    pub fn flip(&self, key: &str, offset: usize) -> bool {
        let mut memory = self.shared.memory();
        let Some(mut body) = memory.objects.get(key).map(|object| object.body.to_vec()) else {
            return false;
        };
        let Some(byte) = body.get_mut(offset) else {
            return false;
        };
        *byte ^= 1;
        memory.replace(key, body.into());
        true
    }

    /// Cuts an object off after so many bytes; says whether it was longer.
    #[must_use]
    pub fn truncate(&self, key: &str, len: usize) -> bool {
        let mut memory = self.shared.memory();
        let Some(body) = memory.objects.get(key).map(|object| object.body.clone()).filter(|body| body.len() > len)
        else {
            return false;
        };
        memory.replace(key, body.slice(..len));
        true
    }

    /// Removes an object; says whether it was there.
    #[must_use]
    pub fn remove(&self, key: &str) -> bool {
        self.shared.memory().objects.remove(key).is_some()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
