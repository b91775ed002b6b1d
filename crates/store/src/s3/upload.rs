//! Multi-part uploads.
//!
//! The mark is given when the upload is begun and lands in the finished object's metadata: a completion whose answer
//! was lost, or that is repeated after a kill, finds it there and is done.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumType, CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;

use crate::backend::Outcome;
use crate::class::ObjectKind;
use crate::error::{Failure, StoreErrorKind};
use crate::key::Key;
use crate::mark;
use crate::object::Create;
use crate::upload::{PartTag, PendingUpload, StoredPart, UploadId};

use super::error::{code, failure};
use super::read::{etag, moment};
use super::write::{Enforce, conflict};
use super::{Inner, MARK};

/// The protocol's limits.
const PART_BYTES_MIN: u64 = 5 << 20;
const PART_BYTES_MAX: u64 = 5 << 30;
const PARTS_MAX: u32 = 10_000;

impl Inner {
    pub(super) async fn begin_upload(&self, key: &Key, kind: ObjectKind, part_size: u64) -> Outcome<UploadId> {
        if !(PART_BYTES_MIN..=PART_BYTES_MAX).contains(&part_size) {
            return Err(Failure::new(StoreErrorKind::Unsupported).detail("parts must be 5 MiB to 5 GiB long"));
        }
        let mark = mark::fresh()?;
        let (encryption, kms_key) = self.encryption();
        let checksum = self.checksum();
        let request = self
            .client
            .create_multipart_upload()
            .bucket(self.bucket())
            .key(self.full(key.as_str()))
            .metadata(MARK, &mark)
            .set_checksum_type(checksum.as_ref().map(|_| ChecksumType::FullObject))
            .set_checksum_algorithm(checksum)
            .set_storage_class(self.sdk_class(kind))
            .set_server_side_encryption(encryption)
            .set_ssekms_key_id(kms_key);
        let answer = request.customize().config_override(self.patience(0)).send().await.map_err(failure)?;
        let Some(id) = answer.upload_id else {
            return Err(Failure::new(StoreErrorKind::Unfaithful).detail("the answer does not name the upload"));
        };
        Ok(UploadId { key: key.clone(), kind, part_size, id, mark })
    }

    pub(super) async fn put_part(&self, upload: &UploadId, number: u32, body: Bytes) -> Outcome<PartTag> {
        if number >= PARTS_MAX {
            return Err(Failure::new(StoreErrorKind::Unsupported).detail("an object has at most 10000 parts"));
        }
        let bytes = body.len();
        let request = self
            .client
            .upload_part()
            .bucket(self.bucket())
            .key(self.full(upload.key.as_str()))
            .upload_id(&upload.id)
            .part_number(wire(number))
            .set_checksum_algorithm(self.checksum())
            .body(ByteStream::from(body));
        let answer =
            request.customize().config_override(self.patience(bytes)).send().await.map_err(|e| gone(failure(e)))?;
        Ok(tag(answer.e_tag(), answer.checksum_crc64_nvme()))
    }

    pub(super) async fn stored_parts(&self, upload: &UploadId) -> Outcome<Vec<StoredPart>> {
        let mut parts = Vec::new();
        let mut marker = None;
        loop {
            let request = self
                .client
                .list_parts()
                .bucket(self.bucket())
                .key(self.full(upload.key.as_str()))
                .upload_id(&upload.id)
                .set_part_number_marker(marker.take());
            let page =
                request.customize().config_override(self.patience(0)).send().await.map_err(|e| gone(failure(e)))?;
            for part in page.parts() {
                let number = part.part_number().and_then(|number| u32::try_from(number - 1).ok());
                let size = part.size().and_then(|size| u64::try_from(size).ok());
                if let (Some(number), Some(size)) = (number, size) {
                    parts.push(StoredPart { number, size, tag: tag(part.e_tag(), part.checksum_crc64_nvme()) });
                }
            }
            match page.next_part_number_marker {
                Some(next) if page.is_truncated == Some(true) => marker = Some(next),
                _ => return Ok(parts),
            }
        }
    }

    pub(super) async fn complete_upload(
        &self,
        upload: &UploadId,
        parts: &[(u32, PartTag)],
        how: &Create,
    ) -> Outcome<()> {
        let known = self.capabilities();
        let enforce = match how {
            Create::Overwrite => Enforce::ByStore,
            Create::IfAbsent => Enforce::new(known.map(|known| known.conditional_complete)),
            // No store was seen that compares versions here and cannot be told by its puts.
            Create::IfMatch(_) => Enforce::new(known.map(|known| known.conditional_complete && known.if_match)),
        };
        if enforce != Enforce::ByStore {
            match self.look_first(&upload.key, how).await {
                // What is in the way may be what this upload made, before it was asked again.
                Err(failed) if failed.kind == conflict(how) => return self.settle_upload(upload, failed).await,
                other => other?,
            }
        }
        let header = enforce != Enforce::ByLooking;
        match self.send_complete(upload, parts, if header { how } else { &Create::Overwrite }).await {
            Ok(()) => Ok(()),
            Err(failed) if failed.kind == StoreErrorKind::Changed => {
                self.settle_upload(upload, Failure { kind: conflict(how), ..failed }).await
            }
            Err(failed) if failed.kind == StoreErrorKind::NoSuchUpload => self.settle_upload(upload, failed).await,
            // Ceph's gateway reports a fault of its own when the upload is gone, which it is after a lost answer.
            Err(failed) if failed.kind == StoreErrorKind::Unavailable => match self.stored_parts(upload).await {
                Err(gone) if gone.kind == StoreErrorKind::NoSuchUpload => self.settle_upload(upload, gone).await,
                _ => Err(failed),
            },
            Err(failed) => Err(failed),
        }
    }

    pub(super) async fn send_complete(&self, upload: &UploadId, parts: &[(u32, PartTag)], how: &Create) -> Outcome<()> {
        let listed = parts.iter().map(|(number, tag)| {
            CompletedPart::builder()
                .part_number(wire(*number))
                .e_tag(format!("\"{}\"", tag.etag))
                .set_checksum_crc64_nvme(tag.crc64nvme.clone())
                .build()
        });
        let listed = CompletedMultipartUpload::builder().set_parts(Some(listed.collect())).build();
        let request = self
            .client
            .complete_multipart_upload()
            .bucket(self.bucket())
            .key(self.full(upload.key.as_str()))
            .upload_id(&upload.id)
            .set_checksum_type(self.checksum().map(|_| ChecksumType::FullObject))
            .multipart_upload(listed);
        let request = match how {
            Create::IfAbsent => request.if_none_match("*"),
            Create::Overwrite => request,
            Create::IfMatch(expected) => request.if_match(format!("\"{}\"", expected.0)),
        };
        // The store may copy the parts together before it answers: as patient as with the body of a large part.
        let mut attempt = 1;
        loop {
            match request.clone().customize().config_override(self.patience(64 << 20)).send().await {
                Ok(_) => return Ok(()),
                // Something else was going on with the key, perhaps this very completion, asked for before. Asked
                // again, the store makes the object or says that the upload is gone.
                Err(error)
                    if code(&error) == Some("ConditionalRequestConflict") && attempt < self.settings.attempts_max =>
                {
                    self.pause(attempt).await;
                    attempt += 1;
                }
                Err(error) => return Err(gone(failure(error))),
            }
        }
    }

    /// A completion that failed has succeeded all the same if the object bears the upload's mark.
    async fn settle_upload(&self, upload: &UploadId, failed: Failure) -> Outcome<()> {
        match self.head(&upload.key).await? {
            Some(found) if found.mark.as_deref() == Some(&upload.mark) => Ok(()),
            _ => Err(failed),
        }
    }

    pub(super) async fn abort_upload(&self, upload: &UploadId) -> Outcome<()> {
        let request = self
            .client
            .abort_multipart_upload()
            .bucket(self.bucket())
            .key(self.full(upload.key.as_str()))
            .upload_id(&upload.id);
        match request.customize().config_override(self.patience(0)).send().await.map_err(|e| gone(failure(e))) {
            Err(failure) if failure.kind != StoreErrorKind::NoSuchUpload => Err(failure),
            _ => Ok(()),
        }
    }

    pub(super) async fn uploads(&self, prefix: &str) -> Outcome<Vec<PendingUpload>> {
        let mut found = Vec::new();
        let (mut key_marker, mut id_marker) = (None, None);
        loop {
            let request = self
                .client
                .list_multipart_uploads()
                .bucket(self.bucket())
                .prefix(self.full(prefix))
                .set_key_marker(key_marker.take())
                .set_upload_id_marker(id_marker.take());
            let page = request.customize().config_override(self.patience(0)).send().await.map_err(failure)?;
            for pending in page.uploads() {
                let key = pending.key().and_then(|full| self.own(full));
                if let (Some(key), Some(id)) = (key, pending.upload_id()) {
                    let (kind, id, mark) = (ObjectKind::Bulk, id.to_owned(), String::new());
                    let upload = UploadId { key, kind, part_size: PART_BYTES_MIN, id, mark };
                    found.push(PendingUpload { upload, started: moment(pending.initiated()) });
                }
            }
            if page.is_truncated != Some(true) {
                return Ok(found);
            }
            if page.next_key_marker.is_none() {
                // To stop would hide uploads that are paid for.
                return Err(Failure::new(StoreErrorKind::Unfaithful).detail("a listing of uploads cannot be continued"));
            }
            (key_marker, id_marker) = (page.next_key_marker, page.next_upload_id_marker);
        }
    }
}

/// Part numbers begin at 1 on the wire.
fn wire(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX - 1) + 1
}

fn tag(raw: Option<&str>, crc64nvme: Option<&str>) -> PartTag {
    PartTag { etag: etag(raw).0, crc64nvme: crc64nvme.map(str::to_owned) }
}

/// Some servers name an upload that is gone by its key.
fn gone(failure: Failure) -> Failure {
    match failure.kind {
        StoreErrorKind::NotFound => Failure { kind: StoreErrorKind::NoSuchUpload, ..failure },
        _ => failure,
    }
}
