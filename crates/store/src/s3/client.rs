//! From settings to a client: what can be seen to be wrong without a request is refused here.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{
    Builder as ConfigBuilder, Credentials as SdkCredentials, Region, RequestChecksumCalculation,
    ResponseChecksumValidation, StalledStreamProtectionConfig,
};
use tokio::runtime::{Builder as RuntimeBuilder, Runtime};

use crate::backend::Outcome;
use crate::error::{Failure, StoreErrorKind};

use super::Inner;
use super::profile::{Checksum, Provider};
use super::settings::{Credentials, Encryption, S3Settings};

/// Threads that move the bytes; the work behind them is done elsewhere.
const WORKERS: usize = 2;

pub(super) fn open(settings: &S3Settings) -> Outcome<Inner> {
    check(settings)?;
    let endpoint = endpoint(settings)?;
    let runtime =
        RuntimeBuilder::new_multi_thread().worker_threads(WORKERS).thread_name("subvault-s3").enable_all().build()?;
    let client = Client::from_conf(config(settings, endpoint.as_deref(), &runtime).build());
    let prefix = settings.prefix.as_ref().map(|prefix| format!("/{prefix}")).unwrap_or_default();
    let place = endpoint.unwrap_or_else(|| format!("AWS {}", settings.region));
    let describe = format!("s3://{}{prefix} at {place}", settings.bucket);
    Ok(Inner { client, settings: settings.clone(), runtime: Some(runtime), describe })
}

fn check(settings: &S3Settings) -> Outcome<()> {
    let profile = settings.provider.profile();
    let wants_class = settings.bulk_class.is_some() || settings.metadata_class.is_some();
    let fault = if settings.bucket.is_empty() || settings.region.is_empty() {
        "bucket and region must be named"
    } else if wants_class && !profile.storage_classes {
        "this provider has no storage classes"
    } else if settings.encryption != Encryption::BucketDefault && !profile.sse_header {
        "this provider does not take the encryption header"
    } else if settings.attempts_max == 0 {
        "at least one attempt must be allowed"
    } else {
        return Ok(());
    };
    Err(Failure::new(StoreErrorKind::BadSettings).detail(fault))
}

fn endpoint(settings: &S3Settings) -> Outcome<Option<String>> {
    let known = settings.provider.profile().endpoint.map(|pattern| pattern.replace("{region}", &settings.region));
    match settings.endpoint.clone().or(known) {
        Some(url) if url.starts_with("https://") || url.starts_with("http://") => Ok(Some(url)),
        Some(_) => {
            Err(Failure::new(StoreErrorKind::BadSettings).detail("the endpoint must begin with https:// or http://"))
        }
        None if settings.provider == Provider::Aws => Ok(None),
        None => Err(Failure::new(StoreErrorKind::BadSettings).detail("this provider needs an endpoint")),
    }
}

fn config(settings: &S3Settings, endpoint: Option<&str>, runtime: &Runtime) -> ConfigBuilder {
    let region = Region::new(settings.region.clone());
    let base = match &settings.credentials {
        Credentials::Chain => {
            let loader = aws_config::defaults(BehaviorVersion::latest()).region(region);
            ConfigBuilder::from(&runtime.block_on(loader.load()))
        }
        Credentials::Static { access_key, secret_key, session_token } => {
            let token = session_token.as_ref().map(|token| token.reveal().to_owned());
            let ours = SdkCredentials::new(access_key, secret_key.reveal(), token, None, "subvault");
            ConfigBuilder::new().behavior_version(BehaviorVersion::latest()).region(region).credentials_provider(ours)
        }
    };
    let backoff = Duration::from_millis(settings.backoff_millis.max(1));
    let retry = RetryConfig::standard().with_max_attempts(settings.attempts_max).with_initial_backoff(backoff);
    let stalled = StalledStreamProtectionConfig::enabled()
        .upload_enabled(true)
        .grace_period(Duration::from_secs(settings.read_timeout_secs));
    // What other providers stumble over are the SDK's checksums. `WhenRequired` leaves them out even where a request
    // names one, so those who take them need the other setting.
    let checksums = match settings.provider.profile().checksum {
        Checksum::Crc64Nvme => RequestChecksumCalculation::WhenSupported,
        Checksum::None => RequestChecksumCalculation::WhenRequired,
    };
    let mut config = base
        .force_path_style(settings.path_style.unwrap_or(settings.provider.profile().path_style))
        .request_checksum_calculation(checksums)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .retry_config(retry)
        .stalled_stream_protection(stalled.build());
    if let Some(url) = endpoint {
        config = config.endpoint_url(url);
    }
    config
}
