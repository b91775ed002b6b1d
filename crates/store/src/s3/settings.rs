//! What a user says about a bucket: plain data, read from and written to the configuration.
//!
//! The invariant: no secret is ever printed or serialised. Files and commands that hold secrets are read by whoever
//! makes the settings; here a secret is a value.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::class::StorageClass;
use crate::key::Key;
use crate::probe::Capabilities;

use super::profile::Provider;

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// Who we are to the provider.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Credentials {
    /// Whatever the AWS tools would find: environment, profile files, the machine's role.
    #[default]
    Chain,
    /// These.
    Static {
        /// The name of the key; not secret.
        access_key: String,
        /// The key.
        secret_key: Secret,
        /// The token of temporary credentials.
        session_token: Option<Secret>,
    },
}

/// How the provider encrypts what it stores (which is encrypted already when it gets there).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Encryption {
    /// As the bucket is set up; no header is sent.
    #[default]
    BucketDefault,
    /// With the provider's own key.
    Aes256,
    /// With a key of the provider's key service.
    Kms {
        /// The key's id; the bucket's own if there is none.
        key_id: Option<String>,
    },
}

/// Everything that is needed to use a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct S3Settings {
    /// Whose bucket it is.
    pub provider: Provider,
    /// The bucket's name.
    pub bucket: String,
    /// Where all keys begin; nothing outside of it is read or written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<Key>,
    /// The region, in the provider's spelling.
    pub region: String,
    /// The address, for providers whose address does not follow from the region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Whether the bucket is named in the path instead of the host name; the provider's habit if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_style: Option<bool>,
    /// The storage class of bulk objects; the bucket's own if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bulk_class: Option<StorageClass>,
    /// The storage class of metadata objects; should be one that is readable at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata_class: Option<StorageClass>,
    /// Encryption by the provider.
    #[serde(default)]
    pub encryption: Encryption,
    /// How often a request is tried, the first time included.
    #[serde(default = "default_attempts")]
    pub attempts_max: u32,
    /// The first wait between two tries, at most; it doubles, with jitter.
    #[serde(default = "default_backoff")]
    pub backoff_millis: u64,
    /// How long making a connection may take.
    #[serde(default = "default_connect")]
    pub connect_timeout_secs: u64,
    /// How long one try may take without its data; each 50 kB sent add a second.
    #[serde(default = "default_read")]
    pub read_timeout_secs: u64,
    /// Who we are; never part of the written form.
    #[serde(skip)]
    pub credentials: Credentials,
    /// What `probe` found, if it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Capabilities>,
}

impl S3Settings {
    /// The defaults for a bucket.
    #[must_use]
    pub fn new(provider: Provider, bucket: impl Into<String>, region: impl Into<String>) -> Self {
        Self {
            provider,
            bucket: bucket.into(),
            prefix: None,
            region: region.into(),
            endpoint: None,
            path_style: None,
            bulk_class: None,
            metadata_class: None,
            encryption: Encryption::BucketDefault,
            attempts_max: default_attempts(),
            backoff_millis: default_backoff(),
            connect_timeout_secs: default_connect(),
            read_timeout_secs: default_read(),
            credentials: Credentials::Chain,
            capabilities: None,
        }
    }
}

fn default_attempts() -> u32 {
    6
}

fn default_backoff() -> u64 {
    500
}

fn default_connect() -> u64 {
    10
}

fn default_read() -> u64 {
    60
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_neither_printed_nor_written() {
        let mut settings = S3Settings::new(Provider::Aws, "vault", "eu-central-1");
        settings.credentials = Credentials::Static {
            access_key: "AKIA".to_owned(),
            secret_key: Secret::new("hush"),
            session_token: Some(Secret::new("quiet")),
        };
        let printed = format!("{settings:?} {settings:#?}");
        let written = serde_json::to_string(&settings).unwrap();
        for secret in ["hush", "quiet"] {
            assert!(!printed.contains(secret) && !written.contains(secret), "{printed} {written}");
        }
        assert!(printed.contains("AKIA"));
    }

    #[test]
    fn a_short_description_gets_the_defaults() {
        let text = r#"{"provider":"backblaze-b2","bucket":"vault","region":"eu-central-003"}"#;
        let read: S3Settings = serde_json::from_str(text).unwrap();
        assert_eq!(read, S3Settings::new(Provider::BackblazeB2, "vault", "eu-central-003"));
        let written = serde_json::to_string(&read).unwrap();
        assert_eq!(serde_json::from_str::<S3Settings>(&written).unwrap(), read);
        assert!(serde_json::from_str::<S3Settings>(&text.replace("region", "regoin")).is_err());
    }
}
