//! What the bucket holds.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use s3s::S3Result;
use s3s::checksum::ChecksumHasher;
use s3s::dto::{ETag, ETagCondition, Timestamp, TimestampFormat};
use s3s::s3_error;

/// An object.
pub(super) struct Object {
    pub(super) body: Bytes,
    pub(super) etag: String,
    pub(super) crc64nvme: Option<String>,
    pub(super) class: Option<String>,
    pub(super) encryption: Option<String>,
    pub(super) metadata: HashMap<String, String>,
    pub(super) modified: SystemTime,
    pub(super) thaw: Option<Thaw>,
}

/// A copy of a cold object that can be read, soon or now.
pub(super) struct Thaw {
    pub(super) ready: Instant,
    pub(super) until: SystemTime,
}

impl Object {
    pub(super) fn is_cold(&self) -> bool {
        matches!(self.class.as_deref(), Some("GLACIER" | "DEEP_ARCHIVE"))
    }

    pub(super) fn is_readable(&self) -> bool {
        !self.is_cold() || self.thaw.as_ref().is_some_and(|thaw| thaw.ready <= Instant::now())
    }

    /// The header that tells of a thaw.
    pub(super) fn restore_header(&self) -> Option<String> {
        let thaw = self.thaw.as_ref()?;
        if !self.is_readable() {
            return Some(r#"ongoing-request="true""#.to_owned());
        }
        let mut date = Vec::new();
        Timestamp::from(thaw.until).format(TimestampFormat::HttpDate, &mut date).ok()?;
        Some(format!(r#"ongoing-request="false", expiry-date="{}""#, String::from_utf8(date).ok()?))
    }
}

/// A part of an upload.
pub(super) struct Part {
    pub(super) body: Bytes,
    pub(super) etag: String,
    pub(super) crc64nvme: Option<String>,
}

/// An unfinished upload.
pub(super) struct Upload {
    pub(super) key: String,
    pub(super) class: Option<String>,
    pub(super) encryption: Option<String>,
    pub(super) metadata: HashMap<String, String>,
    pub(super) with_checksum: bool,
    pub(super) begun: SystemTime,
    pub(super) parts: BTreeMap<i32, Part>,
}

/// The bucket.
pub(super) struct Memory {
    pub(super) objects: BTreeMap<String, Object>,
    pub(super) uploads: BTreeMap<String, Upload>,
    pub(super) uploads_begun: u64,
    pub(super) thaw_delay: Duration,
}

impl Memory {
    pub(super) fn new(thaw_delay: Duration) -> Self {
        Self { objects: BTreeMap::new(), uploads: BTreeMap::new(), uploads_begun: 0, thaw_delay }
    }

    /// Changes the bytes and nothing that is told about them but the length, as a failing disk would.
    pub(super) fn replace(&mut self, key: &str, body: Bytes) {
        if let Some(object) = self.objects.get_mut(key) {
            object.body = body;
            return;
        }
        let object = Object {
            etag: etag(&body),
            body,
            crc64nvme: None,
            class: None,
            encryption: None,
            metadata: HashMap::new(),
            modified: SystemTime::now(),
            thaw: None,
        };
        self.objects.insert(key.to_owned(), object);
    }

    /// Whether the conditions of a write hold.
    pub(super) fn allows(
        &self,
        key: &str,
        if_match: Option<&ETagCondition>,
        if_none_match: Option<&ETagCondition>,
    ) -> S3Result<()> {
        let stored = self.objects.get(key);
        let is = |wanted: &ETag, object: &Object| wanted.value() == object.etag;
        let holds = match (if_match, if_none_match) {
            (Some(ETagCondition::Any), _) => stored.is_some(),
            (Some(ETagCondition::ETag(wanted)), _) => stored.is_some_and(|object| is(wanted, object)),
            (None, Some(ETagCondition::Any)) => stored.is_none(),
            (None, Some(ETagCondition::ETag(other))) => stored.is_none_or(|object| !is(other, object)),
            (None, None) => true,
        };
        if holds { Ok(()) } else { Err(s3_error!(PreconditionFailed)) }
    }
}

/// A version of some bytes: the same bytes have the same one.
pub(super) fn etag(body: &[u8]) -> String {
    let mut hasher = ChecksumHasher { sha256: Some(Default::default()), ..ChecksumHasher::default() };
    hasher.update(body);
    let text = hasher.finalize().checksum_sha256.unwrap_or_default();
    text.bytes().take(16).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The CRC64NVME of some bytes as headers have it.
pub(super) fn crc64nvme(body: &[u8]) -> Option<String> {
    let mut hasher = ChecksumHasher { crc64nvme: Some(Default::default()), ..ChecksumHasher::default() };
    hasher.update(body);
    hasher.finalize().checksum_crc64nvme
}

/// Compares the checksum a client sent.
pub(super) fn check(body: &[u8], sent: Option<&String>) -> S3Result<()> {
    if sent.is_some() && sent != crc64nvme(body).as_ref() {
        return Err(s3_error!(BadDigest));
    }
    Ok(())
}
