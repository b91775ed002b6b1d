//! The S3 operations on multi-part uploads.

use std::collections::BTreeMap;
use std::time::SystemTime;

use bytes::BytesMut;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, ChecksumType, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CompletedPart, CreateMultipartUploadInput, CreateMultipartUploadOutput, ETag,
    ListMultipartUploadsInput, ListMultipartUploadsOutput, ListPartsInput, ListPartsOutput, MultipartUpload,
    Part as ListedPart, StorageClass, UploadPartInput, UploadPartOutput,
};
use s3s::{S3Response, S3Result, s3_error};

use super::memory::{Memory, Object, Part, Upload, check, etag};
use super::service::{Bucket, read_all, whole_checksum};

/// The least length of a part that is not the last.
const PART_BYTES_MIN: usize = 5 << 20;

type Answer<T> = S3Result<S3Response<T>>;

impl Bucket {
    pub(super) fn begin(&self, input: CreateMultipartUploadInput) -> Answer<CreateMultipartUploadOutput> {
        self.is(&input.bucket)?;
        let mut memory = self.0.memory();
        memory.uploads_begun += 1;
        let id = format!("upload-{}", memory.uploads_begun);
        let upload = Upload {
            key: input.key.clone(),
            class: self.kept(input.storage_class),
            encryption: input.server_side_encryption.map(|how| how.as_str().to_owned()),
            metadata: input.metadata.unwrap_or_default(),
            with_checksum: input.checksum_algorithm.is_some(),
            begun: SystemTime::now(),
            parts: BTreeMap::new(),
        };
        memory.uploads.insert(id.clone(), upload);
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            checksum_algorithm: input.checksum_algorithm,
            checksum_type: input.checksum_type,
            ..CreateMultipartUploadOutput::default()
        }))
    }

    pub(super) async fn store_part(&self, input: UploadPartInput) -> Answer<UploadPartOutput> {
        self.is(&input.bucket)?;
        let body = read_all(input.body).await?;
        check(&body, input.checksum_crc64nvme.as_ref())?;
        let mut memory = self.0.memory();
        let upload = upload(&mut memory, &input.upload_id, &input.key)?;
        if upload.with_checksum && input.checksum_crc64nvme.is_none() {
            return Err(s3_error!(InvalidRequest, "a part must come with the checksum that was announced"));
        }
        let part = Part { etag: etag(&body), crc64nvme: input.checksum_crc64nvme, body };
        let output = UploadPartOutput {
            e_tag: Some(ETag::Strong(part.etag.clone())),
            checksum_crc64nvme: part.crc64nvme.clone(),
            ..UploadPartOutput::default()
        };
        upload.parts.insert(input.part_number, part);
        Ok(S3Response::new(output))
    }

    pub(super) fn parts(&self, input: &ListPartsInput) -> Answer<ListPartsOutput> {
        self.is(&input.bucket)?;
        let mut memory = self.0.memory();
        let upload = upload(&mut memory, &input.upload_id, &input.key)?;
        let after = input.part_number_marker.unwrap_or(0);
        let mut found = upload.parts.range(after + 1..);
        let page: Vec<_> = found.by_ref().take(self.0.options.page).collect();
        let more = found.next().is_some();
        let listed = |(number, part): &(&i32, &Part)| ListedPart {
            part_number: Some(**number),
            size: i64::try_from(part.body.len()).ok(),
            e_tag: Some(ETag::Strong(part.etag.clone())),
            checksum_crc64nvme: part.crc64nvme.clone(),
            ..ListedPart::default()
        };
        Ok(S3Response::new(ListPartsOutput {
            bucket: Some(input.bucket.clone()),
            key: Some(input.key.clone()),
            upload_id: Some(input.upload_id.clone()),
            is_truncated: Some(more),
            next_part_number_marker: page.last().filter(|_| more).map(|(number, _)| **number),
            parts: Some(page.iter().map(listed).collect()),
            ..ListPartsOutput::default()
        }))
    }

    pub(super) fn complete(&self, input: CompleteMultipartUploadInput) -> Answer<CompleteMultipartUploadOutput> {
        self.is(&input.bucket)?;
        let mut memory = self.0.memory();
        let wanted = input.multipart_upload.and_then(|listed| listed.parts).unwrap_or_default();
        let body = assemble(upload(&mut memory, &input.upload_id, &input.key)?, &wanted)?;
        if self.0.options.profile.conditional_complete {
            memory.allows(&input.key, input.if_match.as_ref(), input.if_none_match.as_ref())?;
        }
        let upload = memory.uploads.remove(&input.upload_id).ok_or_else(|| s3_error!(NoSuchUpload))?;
        let body = body.freeze();
        let object = Object {
            etag: format!("{}-{}", etag(&body), wanted.len()),
            crc64nvme: whole_checksum(upload.with_checksum, &body),
            class: upload.class,
            encryption: upload.encryption,
            metadata: upload.metadata,
            modified: SystemTime::now(),
            thaw: None,
            body,
        };
        let output = CompleteMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key.clone()),
            e_tag: Some(ETag::Strong(object.etag.clone())),
            checksum_type: object.crc64nvme.as_ref().map(|_| ChecksumType::from_static(ChecksumType::FULL_OBJECT)),
            checksum_crc64nvme: object.crc64nvme.clone(),
            ..CompleteMultipartUploadOutput::default()
        };
        memory.objects.insert(input.key, object);
        Ok(S3Response::new(output))
    }

    pub(super) fn abort(&self, input: &AbortMultipartUploadInput) -> Answer<AbortMultipartUploadOutput> {
        self.is(&input.bucket)?;
        let mut memory = self.0.memory();
        upload(&mut memory, &input.upload_id, &input.key)?;
        memory.uploads.remove(&input.upload_id);
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }

    pub(super) fn unfinished(&self, input: ListMultipartUploadsInput) -> Answer<ListMultipartUploadsOutput> {
        self.is(&input.bucket)?;
        let prefix = input.prefix.clone().unwrap_or_default();
        let after = (input.key_marker.unwrap_or_default(), input.upload_id_marker.unwrap_or_default());
        let memory = self.0.memory();
        let mut found: Vec<_> = memory.uploads.iter().filter(|(_, upload)| upload.key.starts_with(&prefix)).collect();
        found.sort_by_key(|(id, upload)| (&upload.key, *id));
        found.retain(|(id, upload)| (&upload.key, *id) > (&after.0, &after.1));
        let more = found.len() > self.0.options.page;
        found.truncate(self.0.options.page);
        let listed = |(id, upload): &(&String, &Upload)| MultipartUpload {
            key: Some(upload.key.clone()),
            upload_id: Some((*id).clone()),
            initiated: Some(upload.begun.into()),
            storage_class: upload.class.clone().map(StorageClass::from),
            ..MultipartUpload::default()
        };
        let last = found.last().filter(|_| more);
        Ok(S3Response::new(ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            prefix: Some(prefix),
            is_truncated: Some(more),
            next_key_marker: last.map(|(_, upload)| upload.key.clone()),
            next_upload_id_marker: last.map(|(id, _)| (*id).clone()),
            uploads: Some(found.iter().map(listed).collect()),
            ..ListMultipartUploadsOutput::default()
        }))
    }
}

fn upload<'a>(memory: &'a mut Memory, id: &str, key: &str) -> S3Result<&'a mut Upload> {
    memory.uploads.get_mut(id).filter(|upload| upload.key == key).ok_or_else(|| s3_error!(NoSuchUpload))
}

/// The object the listed parts make up.
fn assemble(upload: &Upload, wanted: &[CompletedPart]) -> S3Result<BytesMut> {
    let mut body = BytesMut::new();
    let mut last = 0;
    for (position, listed) in wanted.iter().enumerate() {
        let number = listed.part_number.unwrap_or(0);
        let part = upload.parts.get(&number).ok_or_else(|| s3_error!(InvalidPart))?;
        if number <= last {
            return Err(s3_error!(InvalidPartOrder));
        }
        if listed.e_tag.as_ref().map(ETag::value) != Some(&part.etag) {
            return Err(s3_error!(InvalidPart));
        }
        if position + 1 < wanted.len() && part.body.len() < PART_BYTES_MIN {
            return Err(s3_error!(EntityTooSmall));
        }
        body.extend_from_slice(&part.body);
        last = number;
    }
    if wanted.is_empty() { Err(s3_error!(MalformedXML)) } else { Ok(body) }
}
