//! From the SDK's errors to kinds, by code and type; the wording of a message decides nothing.

use std::error::Error;
use std::io;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::error::{Failure, StoreErrorKind};

/// The error code of an answer, if there was an answer with one.
pub(super) fn code<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}

/// The failure an SDK error means.
pub(super) fn failure<E>(error: SdkError<E, HttpResponse>) -> Failure
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let kind = kind(&error);
    let detail = code(&error).map(str::to_owned);
    let cause: Box<dyn Error + Send + Sync> = match error {
        // The SDK's outer text is only "service error"; its inner one has the provider's words.
        SdkError::ServiceError(inner) => Box::new(inner.into_err()),
        other => match other.into_source() {
            Ok(source) => source,
            Err(error) => Box::new(error),
        },
    };
    Failure { kind, detail, source: Some(cause) }
}

fn kind<E>(error: &SdkError<E, HttpResponse>) -> StoreErrorKind
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    if find(error, &|cause| cause.is::<CredentialsError>()) {
        return StoreErrorKind::BadCredentials;
    }
    match error {
        SdkError::ConstructionFailure(_) => StoreErrorKind::BadSettings,
        SdkError::TimeoutError(_) => StoreErrorKind::Unreachable,
        SdkError::DispatchFailure(failure) if failure.is_user() => StoreErrorKind::BadSettings,
        SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
            Some(cause) if find(cause, &is_tls) => StoreErrorKind::Tls,
            _ => StoreErrorKind::Unreachable,
        },
        SdkError::ServiceError(answer) => of_answer(answer.err().code(), answer.raw().status().as_u16()),
        // An answer that is no S3 answer: a proxy, a captive portal, or a connection that broke off in it.
        _ => StoreErrorKind::Unavailable,
    }
}

/// What an answer means: its code, or, where the answer has no body, its status.
pub(super) fn of_answer(code: Option<&str>, status: u16) -> StoreErrorKind {
    use StoreErrorKind as Kind;
    match code.unwrap_or_default() {
        "NoSuchKey" | "NotFound" => Kind::NotFound,
        "NoSuchBucket" => Kind::NoStore,
        "NoSuchUpload" => Kind::NoSuchUpload,
        "InvalidObjectState" => Kind::Cold,
        "InvalidRange" => Kind::Short,
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" | "MethodNotAllowed" => Kind::Permission,
        "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "ExpiredToken"
        | "InvalidToken"
        | "InvalidSecurity"
        | "TokenRefreshRequired"
        | "NotSignedUp" => Kind::BadCredentials,
        "RequestTimeTooSkewed" | "RequestExpired" => Kind::ClockSkew,
        "SlowDown"
        | "Throttling"
        | "ThrottlingException"
        | "RequestThrottled"
        | "RequestLimitExceeded"
        | "TooManyRequests"
        | "BandwidthLimitExceeded" => Kind::Throttled,
        "InternalError" | "ServiceUnavailable" | "RequestTimeout" => Kind::Unavailable,
        "NotImplemented" | "InvalidStorageClass" | "EntityTooLarge" => Kind::Unsupported,
        "QuotaExceeded" => Kind::NoSpace,
        "PermanentRedirect"
        | "TemporaryRedirect"
        | "AuthorizationHeaderMalformed"
        | "IllegalLocationConstraintException"
        | "InvalidBucketName" => Kind::BadSettings,
        "BadDigest" | "InvalidDigest" | "XAmzContentSHA256Mismatch" | "IncompleteBody" => Kind::Unfaithful,
        "PreconditionFailed" | "ConditionalRequestConflict" => Kind::Changed,
        _ => of_status(status),
    }
}

fn of_status(status: u16) -> StoreErrorKind {
    match status {
        301 | 307 | 308 => StoreErrorKind::BadSettings,
        401 => StoreErrorKind::BadCredentials,
        403 => StoreErrorKind::Permission,
        404 => StoreErrorKind::NotFound,
        409 | 412 => StoreErrorKind::Changed,
        416 => StoreErrorKind::Short,
        429 => StoreErrorKind::Throttled,
        501 => StoreErrorKind::Unsupported,
        500..=599 => StoreErrorKind::Unavailable,
        _ => StoreErrorKind::Refused,
    }
}

/// The TLS layer reports what it cannot accept as invalid data; a broken connection has other kinds.
fn is_tls(cause: &(dyn Error + 'static)) -> bool {
    cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::InvalidData)
}

/// Looks for a cause in the chain, and inside of I/O errors, which hide their own from it.
fn find(error: &(dyn Error + 'static), wanted: &dyn Fn(&(dyn Error + 'static)) -> bool) -> bool {
    let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    wanted(error)
        || inner.is_some_and(|inner| find(inner, wanted))
        || error.source().is_some_and(|source| find(source, wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_decide_before_the_status() {
        assert_eq!(of_answer(Some("NoSuchUpload"), 404), StoreErrorKind::NoSuchUpload);
        assert_eq!(of_answer(Some("InvalidObjectState"), 403), StoreErrorKind::Cold);
        assert_eq!(of_answer(Some("NeverHeardOf"), 503), StoreErrorKind::Unavailable);
        assert_eq!(of_answer(None, 403), StoreErrorKind::Permission);
        assert_eq!(of_answer(None, 404), StoreErrorKind::NotFound);
        assert_eq!(of_answer(None, 418), StoreErrorKind::Refused);
    }
}
