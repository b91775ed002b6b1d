//! The S3 operations on whole objects; those on uploads are next door and only named here.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use hyper::StatusCode;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, ChecksumType, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CreateMultipartUploadInput, CreateMultipartUploadOutput, DeleteObjectInput,
    DeleteObjectOutput, ETag, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput,
    ListMultipartUploadsInput, ListMultipartUploadsOutput, ListObjectsV2Input, ListObjectsV2Output, ListPartsInput,
    ListPartsOutput, Object as Listed, ObjectStorageClass, PutObjectInput, PutObjectOutput, RestoreObjectInput,
    RestoreObjectOutput, ServerSideEncryption, StorageClass, StreamingBlob, UploadPartInput, UploadPartOutput,
};
use s3s::{Body, S3, S3Request, S3Response, S3Result, s3_error};

use super::Shared;
use super::memory::{Object, Thaw, check, crc64nvme, etag};

/// The one bucket.
pub(super) struct Bucket(pub(super) Arc<Shared>);

const BODY_BYTES_MAX: usize = 1 << 30;

impl Bucket {
    pub(super) fn is(&self, bucket: &str) -> S3Result<()> {
        if bucket == self.0.options.bucket { Ok(()) } else { Err(s3_error!(NoSuchBucket)) }
    }

    /// The class that is kept of the one that was asked for.
    pub(super) fn kept(&self, class: Option<StorageClass>) -> Option<String> {
        class
            .map(|class| class.as_str().to_owned())
            .filter(|class| self.0.options.profile.storage_class && class != "STANDARD")
    }
}

pub(super) async fn read_all(body: Option<StreamingBlob>) -> S3Result<Bytes> {
    let Some(body) = body else {
        return Ok(Bytes::new());
    };
    Body::from(body).store_all_limited(BODY_BYTES_MAX).await.map_err(|_| s3_error!(IncompleteBody))
}

#[async_trait]
impl S3 for Bucket {
    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let input = request.input;
        self.is(&input.bucket)?;
        let body = read_all(input.body).await?;
        check(&body, input.checksum_crc64nvme.as_ref())?;
        let mut memory = self.0.memory();
        if self.0.options.profile.conditional_put {
            memory.allows(&input.key, input.if_match.as_ref(), input.if_none_match.as_ref())?;
        }
        let object = Object {
            etag: etag(&body),
            crc64nvme: input.checksum_crc64nvme,
            class: self.kept(input.storage_class),
            encryption: input.server_side_encryption.map(|how| how.as_str().to_owned()),
            metadata: input.metadata.unwrap_or_default(),
            modified: SystemTime::now(),
            thaw: None,
            body,
        };
        let output = PutObjectOutput {
            e_tag: Some(ETag::Strong(object.etag.clone())),
            checksum_crc64nvme: object.crc64nvme.clone(),
            server_side_encryption: object.encryption.clone().map(ServerSideEncryption::from),
            ..PutObjectOutput::default()
        };
        memory.objects.insert(input.key, object);
        Ok(S3Response::new(output))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        self.is(&input.bucket)?;
        let memory = self.0.memory();
        let object = memory.objects.get(&input.key).ok_or_else(|| s3_error!(NoSuchKey))?;
        if !object.is_readable() {
            return Err(s3_error!(InvalidObjectState));
        }
        let full = object.body.len();
        let wants_checksum = input.checksum_mode.is_some() && input.range.is_none();
        let (body, content_range) = match input.range {
            None => (object.body.clone(), None),
            Some(range) => {
                let part = range.check(full as u64)?;
                let at = |position: u64| usize::try_from(position).unwrap_or(full);
                let text = format!("bytes {}-{}/{full}", part.start, part.end - 1);
                (object.body.slice(at(part.start)..at(part.end)), Some(text))
            }
        };
        Ok(S3Response::new(GetObjectOutput {
            checksum_crc64nvme: object.crc64nvme.clone().filter(|_| wants_checksum),
            checksum_type: object.crc64nvme.as_ref().map(|_| ChecksumType::from_static(ChecksumType::FULL_OBJECT)),
            content_length: i64::try_from(body.len()).ok(),
            content_range,
            e_tag: Some(ETag::Strong(object.etag.clone())),
            last_modified: Some(object.modified.into()),
            metadata: Some(object.metadata.clone()),
            restore: object.restore_header(),
            storage_class: object.class.clone().map(StorageClass::from),
            body: Some(StreamingBlob::from(Body::from(body))),
            ..GetObjectOutput::default()
        }))
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = request.input;
        self.is(&input.bucket)?;
        let memory = self.0.memory();
        let object = memory.objects.get(&input.key).ok_or_else(|| s3_error!(NoSuchKey))?;
        Ok(S3Response::new(HeadObjectOutput {
            content_length: i64::try_from(object.body.len()).ok(),
            e_tag: Some(ETag::Strong(object.etag.clone())),
            last_modified: Some(object.modified.into()),
            metadata: Some(object.metadata.clone()),
            restore: object.restore_header(),
            storage_class: object.class.clone().map(StorageClass::from),
            server_side_encryption: object.encryption.clone().map(ServerSideEncryption::from),
            ..HeadObjectOutput::default()
        }))
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.is(&request.input.bucket)?;
        self.0.memory().objects.remove(&request.input.key);
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        self.is(&input.bucket)?;
        let prefix = input.prefix.clone().unwrap_or_default();
        let after = input.continuation_token.clone().unwrap_or_default();
        let memory = self.0.memory();
        let mut found = memory.objects.iter().filter(|(key, _)| key.starts_with(&prefix) && **key > after);
        let page: Vec<_> = found.by_ref().take(self.0.options.page).collect();
        let more = found.next().is_some();
        let listed = |(key, object): &(&String, &Object)| Listed {
            key: Some((*key).clone()),
            size: i64::try_from(object.body.len()).ok(),
            e_tag: Some(ETag::Strong(object.etag.clone())),
            last_modified: Some(object.modified.into()),
            storage_class: Some(ObjectStorageClass::from(
                object.class.clone().unwrap_or_else(|| "STANDARD".to_owned()),
            )),
            ..Listed::default()
        };
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: Some(prefix),
            key_count: i32::try_from(page.len()).ok(),
            is_truncated: Some(more),
            next_continuation_token: page.last().filter(|_| more).map(|(key, _)| (*key).clone()),
            contents: Some(page.iter().map(listed).collect()),
            ..ListObjectsV2Output::default()
        }))
    }

    async fn restore_object(
        &self,
        request: S3Request<RestoreObjectInput>,
    ) -> S3Result<S3Response<RestoreObjectOutput>> {
        let input = request.input;
        self.is(&input.bucket)?;
        let mut memory = self.0.memory();
        let delay = memory.thaw_delay;
        let object = memory.objects.get_mut(&input.key).ok_or_else(|| s3_error!(NoSuchKey))?;
        if !object.is_cold() {
            return Err(s3_error!(InvalidObjectState));
        }
        let days = input.restore_request.and_then(|wish| wish.days).and_then(|days| u64::try_from(days).ok());
        let days = days.ok_or_else(|| s3_error!(InvalidArgument))?;
        let until = SystemTime::now() + Duration::from_secs(days * 86_400);
        let readable = object.is_readable();
        let status = match &mut object.thaw {
            Some(_) if !readable => return Err(s3_error!(RestoreAlreadyInProgress)),
            Some(thaw) => {
                thaw.until = until;
                StatusCode::OK
            }
            none => {
                *none = Some(Thaw { ready: Instant::now() + delay, until });
                StatusCode::ACCEPTED
            }
        };
        Ok(S3Response::with_status(RestoreObjectOutput::default(), status))
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        self.begin(request.input)
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        self.store_part(request.input).await
    }

    async fn list_parts(&self, request: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        self.parts(&request.input)
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        self.complete(request.input)
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.abort(&request.input)
    }

    async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        self.unfinished(request.input)
    }
}

/// The checksum of a finished object, where its upload was begun with one.
pub(super) fn whole_checksum(wanted: bool, body: &[u8]) -> Option<String> {
    if wanted { crc64nvme(body) } else { None }
}
