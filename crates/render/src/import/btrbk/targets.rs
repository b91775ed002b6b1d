//! Targets: one of ours for each place, however many subvolumes it is named by.

use std::collections::BTreeSet;
use std::num::NonZeroU64;

use subvault_model::bandwidth::Bandwidth;
use subvault_model::bytesize::ByteSize;
use subvault_plan::sizes::{CHUNK_BYTES_MAX, CHUNK_BYTES_MIN};

use super::configured::ConfiguredTarget;
use super::preserve;
use super::url::{Host, Url};
use crate::import::draft::{self, Keep, Target};
use crate::toml_text::quoted;

/// The directory in a target of btrbk's that is ours: beside its own copies, it would take ours for its own.
const OURS: &str = "subvault";

/// Those that were met.
#[derive(Default)]
pub(super) struct Targets {
    found: Vec<Found>,
    names: BTreeSet<String>,
}

struct Found {
    name: String,
    target: ConfiguredTarget,
    keep: Keep,
    /// Whether several subvolumes name it with different rules.
    merged: bool,
}

impl Targets {
    /// The name of the target here; or why there is none.
    pub(super) fn add(&mut self, target: &ConfiguredTarget) -> Result<String, &'static str> {
        if target.raw && target.url.host.is_some() {
            return Err(
                "archives are stored in directories and buckets, not over SSH; mount it, or make it a btrfs target",
            );
        }
        let keep = preserve::keep(&target.target_preserve()).ok_or("its retention cannot be read")?;
        let same = |found: &&mut Found| found.target.url == target.url && found.target.raw == target.raw;
        if let Some(found) = self.found.iter_mut().find(same) {
            found.merged |= found.keep != keep;
            found.keep = found.keep.or(&keep);
            return Ok(found.name.clone());
        }
        let name = draft::name(&called(&target.url), &mut self.names);
        self.found.push(Found { name: name.clone(), target: target.clone(), keep, merged: false });
        Ok(name)
    }

    /// As tables.
    pub(super) fn finish(self) -> Vec<Target> {
        self.found.into_iter().map(|found| if found.target.raw { archive(&found) } else { btrfs(&found) }).collect()
    }
}

fn called(url: &Url) -> String {
    let path = url.path.trim_matches('/').replace('/', "-");
    match &url.host {
        None => path,
        Some(host) => format!("{}-{path}", host.name.trim_matches(['[', ']'])),
    }
}

fn notes(found: &Found) -> Vec<String> {
    let mut notes = Vec::new();
    if found.merged {
        notes.push("Subvolumes had different rules for it: what any of them keeps is kept for all.".to_owned());
    }
    notes
}

fn btrfs(found: &Found) -> Target {
    let url = &found.target.url;
    let mut notes = notes(found);
    notes.push(
        "Beside btrbk's copies and not among them, or btrbk would take these for its own and delete them.".to_owned(),
    );
    let directory = format!("{}/{OURS}", url.path.trim_end_matches('/'));
    let mut lines = vec!["[target.btrfs]".to_owned(), format!("directory = {}", quoted(&directory))];
    lines.extend(bandwidth(&found.target));
    if found.keep.within_hours.is_some() {
        notes.push("For the time in which btrbk keeps every copy, the first of each hour is kept.".to_owned());
    }
    lines.push(format!("keep = {}", found.keep.of_copies()));
    if let Some(host) = &url.host {
        lines.extend(ssh(&found.target, host));
    }
    Target { name: found.name.clone(), lines, notes, unfinished: false }
}

fn ssh(target: &ConfiguredTarget, host: &Host) -> Vec<String> {
    let root = (!target.says_no("ssh_user")).then_some("root");
    let user = target.is_set("ssh_user").or(root).map(|user| format!("{user}@")).unwrap_or_default();
    let address = host.name.trim_matches(['[', ']']);
    let mut lines = vec!["[target.btrfs.ssh]".to_owned(), format!("host = {}", quoted(&format!("{user}{address}")))];
    lines.extend(host.port.map(|port| format!("port = {port}")));
    lines.extend(target.is_set("ssh_identity").map(|file| format!("identity_file = {}", quoted(file))));
    lines
}

fn archive(found: &Found) -> Target {
    let set = |key: &str| found.target.is_set(key);
    let mut notes = notes(found);
    notes.push(
        "Make the directory first: subvault must not take a disk that is not mounted for an empty one.".to_owned(),
    );
    notes.push(
        "How long archives stay is told by keep_generations and full_every_days; btrbk's rules were for single files."
            .to_owned(),
    );
    let directory = format!("{}/{OURS}", found.target.url.path.trim_end_matches('/'));
    let mut lines = vec![format!("directory = {}", quoted(&directory))];
    let encrypted = set("raw_target_encrypt").is_some();
    if encrypted {
        notes.push("Only you have the keys: put in keys of age that can read it (age-keygen -y KEYFILE).".to_owned());
        lines.push("recipients = [\"age1…\"]".to_owned());
    } else {
        lines.push("encryption = \"off\"".to_owned());
    }
    match (set("raw_target_compress"), set("raw_target_compress_level")) {
        (None, _) => lines.push("compression = \"off\"".to_owned()),
        (Some("zstd"), Some(level)) if level.parse().is_ok_and(|level: u32| (1..=19).contains(&level)) => {
            lines.push(format!("compression = {}", quoted(&format!("zstd-{level}"))));
        }
        _ => {}
    }
    if let Some(size) = set("raw_target_split").and_then(size) {
        let size = size.clamp(CHUNK_BYTES_MIN, CHUNK_BYTES_MAX);
        lines.push(format!("chunk_size = {}", quoted(&format!("{} MiB", size.get() >> 20))));
    }
    lines.extend(bandwidth(&found.target));
    Target { name: found.name.clone(), lines, notes, unfinished: encrypted }
}

fn bandwidth(target: &ConfiguredTarget) -> Option<String> {
    let bytes = NonZeroU64::new(size(target.is_set("rate_limit")?)?.get())?;
    Some(format!("bandwidth = {}", quoted(&Bandwidth::bytes_per_second(bytes).to_string())))
}

/// `10m`, `5G`, `512`: letters are powers of 1024, but with a B behind they are powers of 1000.
fn size(text: &str) -> Option<ByteSize> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (count, unit) = text.split_at(digits);
    let unit = unit.to_ascii_lowercase();
    let base: u64 = if unit.ends_with('b') { 1000 } else { 1024 };
    let power = match unit.trim_end_matches('b') {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return None,
    };
    count.parse::<u64>().ok()?.checked_mul(base.pow(power)).map(ByteSize::bytes)
}
