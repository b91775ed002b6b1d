//! What is particular about buckets: options that name them, thawing what is in cold storage, copying them as a whole.

use std::path::Path;

use super::archive::CREDENTIALS;
use super::copies::{say_destination, say_subvolume};
use super::host::{Host, Subvolume};
use super::page::{Part, Place, Step};
use super::words::words;
use super::{Bucket, Target, quote};

/// Classes whose objects cannot be read before they are thawed.
const COLD: [&str; 2] = ["GLACIER", "DEEP_ARCHIVE"];

/// The options of `subvault` that name the bucket.
pub(super) fn store(bucket: &Bucket) -> String {
    let place = match &bucket.prefix {
        Some(prefix) => format!("s3://{}/{prefix}", bucket.bucket),
        None => format!("s3://{}", bucket.bucket),
    };
    let mut options = format!(
        "--store {} --provider {} --region {}",
        quote::text(&place),
        quote::text(&bucket.provider),
        quote::text(&bucket.region)
    );
    if let Some(endpoint) = &bucket.endpoint {
        options.push_str(&format!(" --endpoint {}", quote::text(endpoint)));
    }
    if bucket.credentials.is_some() {
        options.push_str(&format!(" --credentials-file {CREDENTIALS}"));
    }
    options
}

/// The options of `aws` that name where the bucket is.
fn aws(bucket: &Bucket) -> String {
    let endpoint = bucket.endpoint.clone().or_else(|| {
        let region = &bucket.region;
        match bucket.provider.as_str() {
            "backblaze-b2" => Some(format!("https://s3.{region}.backblazeb2.com")),
            "wasabi" => Some(format!("https://s3.{region}.wasabisys.com")),
            "hetzner" => Some(format!("https://{region}.your-objectstorage.com")),
            _ => None,
        }
    });
    let address = endpoint.map_or_else(String::new, |url| format!(" --endpoint-url {}", quote::text(&url)));
    format!("--region {}{address}", quote::text(&bucket.region))
}

/// A key in the bucket: what is below the prefix.
fn key(bucket: &Bucket, below: &str) -> String {
    match &bucket.prefix {
        Some(prefix) => format!("{}/{below}", prefix.trim_matches('/')),
        None => below.to_owned(),
    }
}

/// Whether what is large cannot be read before it is thawed.
pub(super) fn is_cold(bucket: &Bucket) -> bool {
    bucket.class.as_deref().is_some_and(|class| COLD.contains(&class))
}

/// Thaws what is needed, where the class is a cold one.
pub(super) fn thaw(
    host: &Host<'_>,
    target: &Target,
    bucket: &Bucket,
    example: &Subvolume<'_>,
    sent: &[&Subvolume<'_>],
) -> Option<Part> {
    let class = bucket.class.as_deref().filter(|_| is_cold(bucket))?;
    let (aws, name) = (aws(bucket), quote::text(&bucket.bucket));
    let from = quote::text(target.name.as_str());
    let series = quote::text(&key(bucket, &format!("{}/", host.name())));
    let plan = format!(
        "subvault --json restore \"$SUBVOLUME\" --from {from} --to \"$TO\" --dry-run | jq -r '.plan.streams[].name'"
    );
    let which = Step::new("Ask which streams are needed: thawing all of them would cost more.")
        .run(Place::Here, format!("STREAMS=$({plan})\necho \"$STREAMS\""))
        .see("the names of a full and of the incrementals after it.");
    let list = format!(
        "aws s3api list-objects-v2 {aws} --bucket {name} --prefix {series}\"$SUBVOLUME/$STREAM/\" --query \"Contents[?StorageClass=='{class}'].Key\" --output text | tr '\\t' '\\n'"
    );
    let each = |what: &str| {
        format!("for STREAM in $STREAMS; do\n    {list} | while IFS= read -r KEY; do\n        {what}\n    done\ndone")
    };
    let ask = format!(
        "aws s3api restore-object {aws} --bucket {name} --key \"$KEY\" --restore-request '{{\"Days\":14,\"GlacierJobParameters\":{{\"Tier\":\"Bulk\"}}}}'"
    );
    let look = format!("aws s3api head-object {aws} --bucket {name} --key \"$KEY\" --query Restore --output text");
    let wait = match class {
        "DEEP_ARCHIVE" => {
            "Wait: it takes up to two days with `Bulk`, and half a day with `Standard`. Ask now and then."
        }
        _ => "Wait: it takes up to half a day with `Bulk`, and five hours with `Standard`. Ask now and then.",
    };
    let cold = words!(
        "What is large lies in {}: it cannot be read until the provider was asked to bring it back for some days. `subvault restore` says so, and has no command for it yet; the provider's own tool does it.",
        class
    );
    let mut steps =
        vec![Step::new(cold), say_subvolume(example, sent, Place::Here), say_destination(Place::Here), which];
    steps.extend(bucket.credentials.as_ref().map(|file| say_access_key(file, Place::Here)));
    steps.extend([
        Step::new("Have their objects thawed, for 14 days. `Bulk` is cheapest; `Standard` is faster and dearer.")
            .run(Place::Here, each(&ask)),
        Step::new(wait).run(Place::Here, each(&look)).see(
            "`ongoing-request=\"false\"` in every line: then go on with one of the next ways, before the days are over.",
        ),
    ]);
    Some(Part::new("First of all: thaw it").steps(steps))
}

/// Gives the provider's tool the access key. The file need not have the section that it looks for.
fn say_access_key(file: &Path, place: Place) -> Step {
    let file = quote::path(file);
    let value = |name: &str| format!("$(sed -n 's/^ *{name} *= *//p' {file})");
    let [key, secret] = ["aws_access_key_id", "aws_secret_access_key"].map(value);
    Step::new("Give the provider's tool the access key.")
        .run(place, format!("export AWS_ACCESS_KEY_ID={key} AWS_SECRET_ACCESS_KEY={secret}"))
}

/// Copies what is there of the subvolume that was said.
pub(super) fn copy(bucket: &Bucket, host: &str, to: &str) -> Vec<Step> {
    let below = quote::text(&format!("s3://{}/{}/", bucket.bucket, key(bucket, host)));
    let host = quote::text(host);
    // Its listing does not tell what is thawed, so it passes over all that is cold.
    let cold = if is_cold(bucket) { " --force-glacier-transfer" } else { "" };
    let command = format!("aws s3 sync {}{cold} {below}\"$SUBVOLUME\" {to}/{host}/\"$SUBVOLUME\"", aws(bucket));
    let copy = Step::new("Copy what is there of it, with the provider's tool or any other that speaks S3.")
        .run(Place::OtherMachine, command);
    let key = bucket.credentials.as_ref().map(|_| say_access_key(Path::new(CREDENTIALS), Place::OtherMachine));
    key.into_iter().chain([copy]).collect()
}
