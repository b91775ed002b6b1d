//! Writing small objects, under a condition, and deleting.
//!
//! A condition can fail because our own first attempt succeeded and its answer was lost; the mark in the object's
//! metadata tells. Where the store does not honour conditions, looking first takes their place.

use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;

use crate::backend::Outcome;
use crate::class::ObjectKind;
use crate::error::{Failure, StoreErrorKind};
use crate::key::Key;
use crate::mark;
use crate::object::{Create, Etag};

use super::error::{code, failure};
use super::read::etag;
use super::{Inner, MARK};

/// How a condition is put to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Enforce {
    /// The store is known to honour it.
    ByStore,
    /// Not known: looked up first, and sent.
    Both,
    /// The store is known not to: looked up first only.
    ByLooking,
}

impl Enforce {
    pub(super) fn new(honoured: Option<bool>) -> Self {
        match honoured {
            Some(true) => Self::ByStore,
            None => Self::Both,
            Some(false) => Self::ByLooking,
        }
    }
}

/// The kind that says that a condition did not hold.
pub(super) fn conflict(how: &Create) -> StoreErrorKind {
    match how {
        Create::IfAbsent => StoreErrorKind::AlreadyExists,
        Create::Overwrite | Create::IfMatch(_) => StoreErrorKind::Changed,
    }
}

impl Inner {
    pub(super) async fn put(&self, key: &Key, body: Bytes, how: &Create, kind: ObjectKind) -> Outcome<Etag> {
        let known = self.capabilities();
        let enforce = Enforce::new(match how {
            Create::IfAbsent => known.map(|known| known.conditional_put),
            Create::Overwrite => Some(true),
            Create::IfMatch(_) => known.map(|known| known.if_match),
        });
        if enforce != Enforce::ByStore {
            self.look_first(key, how).await?;
        }
        let mark = mark::fresh()?;
        let mut attempt = 1;
        loop {
            let request = self.put_request(key, body.clone(), kind).metadata(MARK, &mark);
            let request = if enforce == Enforce::ByLooking { request } else { conditional(request, how) };
            match request.customize().config_override(self.patience(body.len())).send().await {
                Ok(answer) => return Ok(etag(answer.e_tag())),
                // Another write to the same key was going on; whether it succeeded only trying again shows.
                Err(error)
                    if code(&error) == Some("ConditionalRequestConflict") && attempt < self.settings.attempts_max =>
                {
                    self.pause(attempt).await;
                    attempt += 1;
                }
                Err(error) => return self.settle(key, &mark, how, failure(error)).await,
            }
        }
    }

    pub(super) fn put_request(&self, key: &Key, body: Bytes, kind: ObjectKind) -> PutObjectFluentBuilder {
        let (encryption, kms_key) = self.encryption();
        self.client
            .put_object()
            .bucket(self.bucket())
            .key(self.full(key.as_str()))
            .body(ByteStream::from(body))
            .set_checksum_algorithm(self.checksum())
            .set_storage_class(self.sdk_class(kind))
            .set_server_side_encryption(encryption)
            .set_ssekms_key_id(kms_key)
    }

    /// Checks a condition by looking: right for one writer, no protection between two.
    pub(super) async fn look_first(&self, key: &Key, how: &Create) -> Outcome<()> {
        let found = match how {
            Create::Overwrite => return Ok(()),
            Create::IfAbsent | Create::IfMatch(_) => self.head(key).await?.map(|found| found.info.etag),
        };
        let holds = match how {
            Create::Overwrite => true,
            Create::IfAbsent => found.is_none(),
            Create::IfMatch(expected) => found.as_ref() == Some(expected),
        };
        if holds { Ok(()) } else { Err(conflict(how).into()) }
    }

    /// A put whose condition did not hold has succeeded all the same if what is stored bears its mark.
    async fn settle(&self, key: &Key, mark: &str, how: &Create, failed: Failure) -> Outcome<Etag> {
        if failed.kind != StoreErrorKind::Changed {
            return Err(failed);
        }
        match self.head(key).await? {
            Some(found) if found.mark.as_deref() == Some(mark) => Ok(found.info.etag),
            _ => Err(Failure { kind: conflict(how), ..failed }),
        }
    }

    pub(super) async fn delete(&self, key: &Key) -> Outcome<()> {
        let request = self.client.delete_object().bucket(self.bucket()).key(self.full(key.as_str()));
        match request.customize().config_override(self.patience(0)).send().await.map_err(failure) {
            Err(failure) if failure.kind != StoreErrorKind::NotFound => Err(failure),
            _ => Ok(()),
        }
    }
}

pub(super) fn conditional(request: PutObjectFluentBuilder, how: &Create) -> PutObjectFluentBuilder {
    match how {
        Create::IfAbsent => request.if_none_match("*"),
        Create::Overwrite => request,
        Create::IfMatch(expected) => request.if_match(format!("\"{}\"", expected.0)),
    }
}
