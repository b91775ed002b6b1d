//! Trying out what a bucket honours: two puts of the same scratch object under each condition, and a look at the class.
//!
//! The requests are made bare, without the help the store gives otherwise; scratch objects are deleted, also when a
//! step fails. In a cold class a provider may charge the class's shortest time for one tiny object.

use bytes::Bytes;

use crate::backend::Outcome;
use crate::class::ObjectKind;
use crate::error::{Failure, StoreErrorKind};
use crate::key::Key;
use crate::mark;
use crate::object::{Create, Etag};
use crate::probe::Capabilities;

use super::Inner;
use super::error::failure;
use super::read::etag;
use super::write::conditional;

const BODY: Bytes = Bytes::from_static(b"subvault looks what this bucket honours; this object can be deleted");

impl Inner {
    pub(super) async fn probe(&self, scratch: &Key) -> Outcome<Capabilities> {
        let nonce = mark::fresh()?;
        let key = |name: &str| {
            let key = scratch.join(&format!("{nonce}-{name}"));
            key.map_err(|bad| Failure::new(StoreErrorKind::Misuse).because(bad))
        };
        let (plain, classed) = (key("condition")?, key("class")?);
        let tried = self.try_all(&plain, &classed).await;
        self.delete(&plain).await?;
        self.delete(&classed).await?;
        tried
    }

    async fn try_all(&self, plain: &Key, classed: &Key) -> Outcome<Capabilities> {
        let first = self.put_bare(plain, &Create::Overwrite, ObjectKind::Metadata).await?;
        let conditional_put = self.refused(self.put_bare(plain, &Create::IfAbsent, ObjectKind::Metadata).await)?;
        // Before the upload is tried: where that is let through, it replaces the version that is known.
        let if_match = self.try_match(plain, conditional_put.then_some(first)).await?;
        Ok(Capabilities {
            conditional_put,
            conditional_complete: self.try_complete(plain).await?,
            if_match,
            storage_class: self.try_class(classed).await?,
        })
    }

    async fn put_bare(&self, key: &Key, how: &Create, kind: ObjectKind) -> Outcome<Etag> {
        let request = conditional(self.put_request(key, BODY, kind), how);
        let answer = request.customize().config_override(self.patience(BODY.len())).send().await;
        answer.map(|answer| etag(answer.e_tag())).map_err(failure)
    }

    /// Whether a write was refused because of its condition. Not knowing the header at all counts as not honouring it.
    fn refused<T>(&self, outcome: Outcome<T>) -> Outcome<bool> {
        match outcome {
            Ok(_) => Ok(false),
            Err(failed) => match failed.kind {
                StoreErrorKind::Changed => Ok(true),
                StoreErrorKind::Unsupported | StoreErrorKind::Refused => Ok(false),
                _ => Err(failed),
            },
        }
    }

    /// The right version must be let through and a wrong one not.
    async fn try_match(&self, key: &Key, current: Option<Etag>) -> Outcome<bool> {
        let current = match current {
            Some(etag) => etag,
            None => self.put_bare(key, &Create::Overwrite, ObjectKind::Metadata).await?,
        };
        let wrong = Create::IfMatch(Etag("00000000000000000000000000000000".to_owned()));
        let wrong_refused = self.refused(self.put_bare(key, &wrong, ObjectKind::Metadata).await)?;
        let right = self.put_bare(key, &Create::IfMatch(current), ObjectKind::Metadata).await;
        Ok(wrong_refused && right.is_ok())
    }

    /// Completing an upload over the object that is there.
    async fn try_complete(&self, key: &Key) -> Outcome<bool> {
        let upload = self.begin_upload(key, ObjectKind::Metadata, 5 << 20).await?;
        let outcome = async {
            let tag = self.put_part(&upload, 0, BODY).await?;
            self.refused(self.send_complete(&upload, &[(0, tag)], &Create::IfAbsent).await)
        };
        let honoured = outcome.await;
        self.abort_upload(&upload).await?;
        honoured
    }

    /// Whether the classes that are asked for are kept.
    async fn try_class(&self, key: &Key) -> Outcome<bool> {
        for kind in [ObjectKind::Bulk, ObjectKind::Metadata] {
            let Some(wanted) = self.class(kind).filter(|class| class.as_str() != "STANDARD") else {
                continue;
            };
            match self.put_bare(key, &Create::Overwrite, kind).await {
                Err(failed) if failed.kind == StoreErrorKind::Unsupported => return Ok(false),
                other => other?,
            };
            let kept = self.head(key).await?.and_then(|found| found.info.class);
            if kept.as_ref() != Some(wanted) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
