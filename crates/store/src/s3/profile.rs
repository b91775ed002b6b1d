//! Providers as data: a row for each, nothing else in this crate asks who the provider is.
//!
//! Where a row comes from is written in `docs/providers.md`. A new provider is a new row here and there.

use serde::{Deserialize, Serialize};

/// Whose bucket it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Provider {
    /// Amazon S3.
    Aws,
    /// Backblaze B2.
    BackblazeB2,
    /// Wasabi.
    Wasabi,
    /// IDrive e2.
    IdriveE2,
    /// Hetzner Object Storage.
    Hetzner,
    /// A Ceph cluster's gateway.
    CephRgw,
    /// Anything else that speaks S3: the most careful choices.
    Generic,
}

impl Provider {
    /// As the configuration writes it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::BackblazeB2 => "backblaze-b2",
            Self::Wasabi => "wasabi",
            Self::IdriveE2 => "idrive-e2",
            Self::Hetzner => "hetzner",
            Self::CephRgw => "ceph-rgw",
            Self::Generic => "generic",
        }
    }
}

/// The checksum that is sent beside the body.
///
/// The signature covers the SHA-256 of the body in any case, because bodies are sent from memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// CRC64NVME over the whole object, kept and checked by the provider.
    Crc64Nvme,
    /// None: the provider refuses or ignores the header.
    None,
}

/// Whether conditions on puts are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConditionalPut {
    /// The provider documents them.
    Always,
    /// Only trying tells.
    Probe,
    /// They are refused.
    Never,
}

/// What is known of a provider before anything is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// The checksum header.
    pub checksum: Checksum,
    /// Whether the header that asks for encryption may be sent.
    pub sse_header: bool,
    /// Whether storage classes may be asked for.
    pub storage_classes: bool,
    /// Conditions on puts.
    pub conditional_put: ConditionalPut,
    /// Whether the bucket is named in the path.
    pub path_style: bool,
    /// The address, with `{region}` in it; `None` if it has to be given (or, for AWS, follows from the region).
    pub endpoint: Option<&'static str>,
}

impl Provider {
    /// All of them, in the order of `docs/providers.md`.
    pub const ALL: [Self; 7] =
        [Self::Aws, Self::BackblazeB2, Self::Wasabi, Self::IdriveE2, Self::Hetzner, Self::CephRgw, Self::Generic];

    /// What is known of it.
    #[must_use]
    pub fn profile(self) -> &'static Profile {
        match self {
            Self::Aws => &AWS,
            Self::BackblazeB2 => &BACKBLAZE_B2,
            Self::Wasabi => &WASABI,
            Self::IdriveE2 => &IDRIVE_E2,
            Self::Hetzner => &HETZNER,
            Self::CephRgw => &CEPH_RGW,
            Self::Generic => &GENERIC,
        }
    }
}

const GENERIC: Profile = Profile {
    checksum: Checksum::None,
    sse_header: false,
    storage_classes: true,
    conditional_put: ConditionalPut::Probe,
    path_style: true,
    endpoint: None,
};

const AWS: Profile = Profile {
    checksum: Checksum::Crc64Nvme,
    sse_header: true,
    storage_classes: true,
    conditional_put: ConditionalPut::Always,
    path_style: false,
    endpoint: None,
};

const BACKBLAZE_B2: Profile = Profile {
    sse_header: true,
    storage_classes: false,
    path_style: false,
    endpoint: Some("https://s3.{region}.backblazeb2.com"),
    ..GENERIC
};

const WASABI: Profile = Profile {
    storage_classes: false,
    path_style: false,
    endpoint: Some("https://s3.{region}.wasabisys.com"),
    ..GENERIC
};

const IDRIVE_E2: Profile = Profile { storage_classes: false, ..GENERIC };

const HETZNER: Profile = Profile {
    storage_classes: false,
    path_style: false,
    endpoint: Some("https://{region}.your-objectstorage.com"),
    ..GENERIC
};

const CEPH_RGW: Profile = GENERIC;
