//! Reading: whole objects, ranges, what is known of an object, and thawing.
//!
//! The SDK repeats a request until its answer begins; an answer that breaks off after that is asked for again here.
//! What is handed out was counted: never less than was promised by the answer's own header and asked for by the caller.

use std::time::Duration;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{ChecksumMode, GlacierJobParameters, RestoreRequest, Tier};
use bytes::{Bytes, BytesMut};
use jiff::Timestamp;

use crate::backend::Outcome;
use crate::class::{Availability, StorageClass, ThawSpeed};
use crate::error::{Failure, StoreErrorKind};
use crate::key::Key;
use crate::mark;
use crate::object::{Etag, ObjectInfo};

use super::error::{code, failure};
use super::{Inner, MARK};

/// How much of an object.
#[derive(Clone, Copy)]
pub(super) enum Wanted {
    Whole { bytes_max: usize },
    Range { offset: u64, len: usize },
}

/// Why a read failed.
enum Broken {
    /// On the way: another try may succeed.
    InTransit(Failure),
    /// The SDK has tried often enough, or trying again cannot help.
    Finally(Failure),
}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        Self::Finally(failure)
    }
}

/// An object, and the mark of the write that made it.
pub(super) struct Found {
    pub(super) info: ObjectInfo,
    pub(super) mark: Option<String>,
}

impl Inner {
    pub(super) async fn get(&self, key: &Key, wanted: Wanted) -> Outcome<Bytes> {
        let mut attempt = 1;
        loop {
            match self.get_once(key, wanted).await {
                Err(Broken::InTransit(_)) if attempt < self.settings.attempts_max => {
                    self.pause(attempt).await;
                    attempt += 1;
                }
                Err(Broken::InTransit(failure) | Broken::Finally(failure)) => return Err(failure),
                Ok(body) => return Ok(body),
            }
        }
    }

    async fn get_once(&self, key: &Key, wanted: Wanted) -> Result<Bytes, Broken> {
        let mut request = self.client.get_object().bucket(self.bucket()).key(self.full(key.as_str()));
        match wanted {
            Wanted::Range { offset, len } => request = request.range(range(offset, len)?),
            // Where the provider keeps a checksum of the whole, the SDK compares it with what came.
            Wanted::Whole { .. } => request = request.set_checksum_mode(self.checksum().map(|_| ChecksumMode::Enabled)),
        }
        let mut answer = request.customize().config_override(self.patience(0)).send().await.map_err(failure)?;
        let size = promised(&answer, wanted)?;
        let mut body = BytesMut::with_capacity(size);
        while let Some(piece) = answer.body.next().await {
            // When all bytes are there, it is the checksum that is wrong.
            let kind = if body.len() < size { StoreErrorKind::Short } else { StoreErrorKind::Unfaithful };
            body.extend_from_slice(&piece.map_err(|error| Broken::InTransit(Failure::new(kind).because(error)))?);
        }
        if body.len() != size {
            let detail = format!("{} bytes instead of {size}", body.len());
            return Err(Broken::InTransit(Failure::new(StoreErrorKind::Short).detail(detail)));
        }
        Ok(body.freeze())
    }

    /// Waits before another try: the longer the more there were, and a random part of that.
    pub(super) async fn pause(&self, attempt: u32) {
        let most = self.settings.backoff_millis.saturating_mul(1 << attempt.min(6)).clamp(1, 20_000);
        let random = mark::fresh().ok().and_then(|mark| u64::from_str_radix(&mark[..8], 16).ok()).unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(random % most)).await;
    }

    pub(super) async fn head(&self, key: &Key) -> Outcome<Option<Found>> {
        let request = self.client.head_object().bucket(self.bucket()).key(self.full(key.as_str()));
        match request.customize().config_override(self.patience(0)).send().await.map_err(failure) {
            Ok(answer) => found(key, &answer).map(Some),
            Err(failure) if failure.kind == StoreErrorKind::NotFound => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    pub(super) async fn thaw(&self, key: &Key, days: u32, speed: ThawSpeed) -> Outcome<Availability> {
        let Some(before) = self.head(key).await? else {
            return Err(StoreErrorKind::NotFound.into());
        };
        match before.info.availability {
            Availability::Cold => {}
            // Asking again is allowed too, and extends the life of the copy; what is ready needs nothing.
            Availability::Thawed { .. } => {}
            settled @ (Availability::Ready | Availability::Thawing) => return Ok(settled),
        }
        let tier = match speed {
            ThawSpeed::Bulk => Tier::Bulk,
            ThawSpeed::Standard => Tier::Standard,
            ThawSpeed::Expedited => Tier::Expedited,
        };
        let job = GlacierJobParameters::builder()
            .tier(tier)
            .build()
            .map_err(|e| Failure::new(StoreErrorKind::Misuse).because(e))?;
        let days = i32::try_from(days).unwrap_or(i32::MAX);
        let wish = RestoreRequest::builder().days(days).glacier_job_parameters(job).build();
        let request =
            self.client.restore_object().bucket(self.bucket()).key(self.full(key.as_str())).restore_request(wish);
        match request.customize().config_override(self.patience(0)).send().await {
            Err(error) if code(&error) == Some("RestoreAlreadyInProgress") => Ok(Availability::Thawing),
            Err(error) => Err(failure(error)),
            Ok(_) => Ok(self.head(key).await?.map_or(Availability::Thawing, |after| after.info.availability)),
        }
    }
}

/// The header for some bytes; no object is longer than the protocol can say.
fn range(offset: u64, len: usize) -> Outcome<String> {
    match offset.checked_add(len as u64).filter(|end| i64::try_from(*end).is_ok()) {
        Some(end) => Ok(format!("bytes={offset}-{}", end - 1)),
        None => Err(StoreErrorKind::Short.into()),
    }
}

/// How long the body is going to be, and that this is what was asked for.
fn promised(answer: &GetObjectOutput, wanted: Wanted) -> Outcome<usize> {
    let said = answer.content_length().and_then(|length| usize::try_from(length).ok());
    let Some(size) = said else {
        return Err(Failure::new(StoreErrorKind::Unfaithful).detail("the answer does not say how long it is"));
    };
    match wanted {
        Wanted::Whole { bytes_max } if size > bytes_max => {
            Err(Failure::new(StoreErrorKind::TooLarge).detail(format!("{size} bytes, at most {bytes_max} expected")))
        }
        Wanted::Whole { .. } => Ok(size),
        Wanted::Range { offset, len } => {
            // A server that ignores the range sends the object from its beginning.
            let begins = answer.content_range().is_some_and(|range| range.starts_with(&format!("bytes {offset}-")));
            if begins && size == len {
                return Ok(size);
            }
            let kind = if begins { StoreErrorKind::Short } else { StoreErrorKind::Unfaithful };
            Err(Failure::new(kind).detail(format!("{size} bytes instead of {len} from {offset}")))
        }
    }
}

fn found(key: &Key, answer: &HeadObjectOutput) -> Outcome<Found> {
    let class = answer.storage_class().and_then(|class| StorageClass::new(class.as_str()).ok());
    let size = answer.content_length().and_then(|length| u64::try_from(length).ok());
    let Some(size) = size else {
        return Err(Failure::new(StoreErrorKind::Unfaithful).detail("the answer does not say how long the object is"));
    };
    let frozen = class.as_ref().is_some_and(StorageClass::is_cold) || answer.archive_status().is_some();
    let info = ObjectInfo {
        key: key.clone(),
        size,
        etag: etag(answer.e_tag()),
        availability: if frozen { thaw_state(answer.restore()) } else { Availability::Ready },
        class,
        modified: moment(answer.last_modified()),
    };
    let mark = answer.metadata().and_then(|entries| entries.get(MARK)).cloned();
    Ok(Found { info, mark })
}

/// Reads `ongoing-request="false", expiry-date="Fri, 21 Dec 2012 00:00:00 GMT"`.
fn thaw_state(header: Option<&str>) -> Availability {
    let Some(header) = header else {
        return Availability::Cold;
    };
    if !header.contains(r#"ongoing-request="false""#) {
        return Availability::Thawing;
    }
    let date = header.split_once(r#"expiry-date=""#).and_then(|(_, rest)| rest.split_once('"'));
    let until = date.and_then(|(date, _)| jiff::fmt::rfc2822::parse(date).ok()).map(|zoned| zoned.timestamp());
    Availability::Thawed { until }
}

/// Some servers quote it in some answers only.
pub(super) fn etag(raw: Option<&str>) -> Etag {
    Etag(raw.unwrap_or_default().trim_matches('"').to_owned())
}

pub(super) fn moment(raw: Option<&DateTime>) -> Timestamp {
    let read = raw.and_then(|moment| Timestamp::new(moment.secs(), i32::try_from(moment.subsec_nanos()).ok()?).ok());
    read.unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_restore_header_is_read() {
        assert_eq!(thaw_state(None), Availability::Cold);
        assert_eq!(thaw_state(Some(r#"ongoing-request="true""#)), Availability::Thawing);
        let until = "2012-12-21T00:00:00Z".parse().ok();
        let header = r#"ongoing-request="false", expiry-date="Fri, 21 Dec 2012 00:00:00 GMT""#;
        assert_eq!(thaw_state(Some(header)), Availability::Thawed { until });
        assert_eq!(thaw_state(Some(r#"ongoing-request="false""#)), Availability::Thawed { until: None });
    }
}
