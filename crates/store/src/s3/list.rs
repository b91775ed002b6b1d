//! Listing a bucket, a page of up to 1000 objects at a time.

use std::sync::Arc;

use aws_sdk_s3::types::Object;

use crate::backend::{Outcome, Page};
use crate::class::{Availability, StorageClass};
use crate::error::{Failure, StoreErrorKind};
use crate::object::ObjectInfo;

use super::Inner;
use super::error::failure;
use super::read::{etag, moment};

/// The pages of a listing.
pub(super) struct Pages {
    inner: Arc<Inner>,
    prefix: String,
    token: Option<String>,
}

impl Pages {
    pub(super) fn new(inner: Arc<Inner>, prefix: &str) -> Self {
        let prefix = inner.full(prefix);
        Self { inner, prefix, token: None }
    }

    fn page(&mut self) -> Outcome<Page> {
        let inner = Arc::clone(&self.inner);
        inner.wait(async {
            let request = inner
                .client
                .list_objects_v2()
                .bucket(inner.bucket())
                .prefix(&self.prefix)
                .set_continuation_token(self.token.take());
            let page = request.customize().config_override(inner.patience(0)).send().await.map_err(failure)?;
            let truncated = page.is_truncated == Some(true);
            if truncated && page.next_continuation_token.is_none() {
                // Going on would begin at the front again, stopping would hide objects.
                return Err(Failure::new(StoreErrorKind::Unfaithful).detail("a listing cannot be continued"));
            }
            let objects = page.contents().iter().filter_map(|object| info(&inner, object)).collect();
            self.token = page.next_continuation_token;
            Ok(Page { objects, last: !truncated })
        })
    }
}

impl Iterator for Pages {
    type Item = Outcome<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.page())
    }
}

fn info(inner: &Inner, object: &Object) -> Option<ObjectInfo> {
    let key = inner.own(object.key()?)?;
    // A listing says STANDARD where an answer about the object says nothing.
    let class = object.storage_class().filter(|class| class.as_str() != "STANDARD");
    let class = class.and_then(|class| StorageClass::new(class.as_str()).ok());
    let cold = class.as_ref().is_some_and(StorageClass::is_cold);
    Some(ObjectInfo {
        key,
        size: object.size().and_then(|size| u64::try_from(size).ok())?,
        etag: etag(object.e_tag()),
        availability: if cold { Availability::Cold } else { Availability::Ready },
        class,
        modified: moment(object.last_modified()),
    })
}
