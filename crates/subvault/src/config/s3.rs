//! `[target.s3]`: a bucket.

use std::path::PathBuf;

use serde::Deserialize;
use subvault_store::{Encryption, Provider, StorageClass};
use toml::Spanned;

/// A bucket.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3 {
    /// Whose it is.
    pub provider: Provider,
    /// Its name.
    pub bucket: String,
    /// Where it is, in the provider's spelling.
    pub region: String,
    /// Where all keys begin.
    pub prefix: Option<Spanned<String>>,
    /// The address, where it does not follow from provider and region.
    pub endpoint: Option<String>,
    /// Whether the bucket is named in the path instead of the host name.
    pub path_style: Option<bool>,
    /// The storage class of chunks.
    pub storage_class: Option<StorageClass>,
    /// The storage class of manifests and pointers.
    pub metadata_storage_class: Option<StorageClass>,
    /// Encryption by the provider.
    #[serde(default)]
    pub server_side_encryption: Encryption,
    /// A file with the access key.
    pub credentials_file: Option<PathBuf>,
    /// A command that prints the access key.
    pub credentials_command: Option<Vec<String>>,
    /// How often a request is tried.
    pub attempts: Option<u32>,
    /// How long making a connection may take.
    pub connect_timeout_seconds: Option<u64>,
    /// How long one try may take without its data.
    pub read_timeout_seconds: Option<u64>,
}
