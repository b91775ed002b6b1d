//! What the configuration says, as the strategy takes it: only what is written, nothing filled in.

use std::os::unix::ffi::OsStrExt;

use subvault_model::file_path::FilePath;
use subvault_model::names::TargetName;
use subvault_plan::strategy::assemble::CHUNK;
use subvault_plan::strategy::{Kept, Said, SaidSubvolume, SaidTarget, TargetKind};
use toml::Spanned;

use super::Document;
use super::error::ConfigError;
use super::keep;
use super::objectives;
use super::resolve::Resolver;
use super::schedule::When;
use super::subvolume::Subvolume;
use super::target::Target;

/// What a configuration says about the strategy.
///
/// # Errors
/// When it changes prices that there are not.
pub fn said(document: &Document) -> Result<Said, ConfigError> {
    let config = &document.config;
    let resolver = Resolver { document };
    let names: Vec<TargetName> = config.targets.iter().map(|target| target.get_ref().name.clone()).collect();
    Ok(Said {
        objectives: objectives::stated(document),
        tables: objectives::tables(document)?,
        wall: resolver.wall(),
        host: resolver.host_name(),
        profile: config.host.profile.map(|word| word.0),
        mode: config.host.mode.map(|word| word.0),
        overhead_percent_max: config.space.overhead.map(|share| share.0),
        subvolumes: config.subvolumes.iter().map(|s| subvolume(document, s.get_ref(), &names)).collect(),
        targets: config.targets.iter().map(|t| target(document, t.get_ref())).collect(),
    })
}

fn subvolume(document: &Document, written: &Subvolume, targets: &[TargetName]) -> SaidSubvolume {
    let (config, resolver) = (&document.config, Resolver { document });
    let bytes = written.path.as_os_str().as_bytes();
    let says_keep = written.keep != keep::Keep::default() || config.keep != keep::Keep::default();
    let chosen = |chosen: &Vec<Spanned<TargetName>>| chosen.iter().map(|target| target.get_ref().clone()).collect();
    SaidSubvolume {
        name: written.name.clone(),
        path: FilePath::new(bytes.strip_prefix(b"/").unwrap_or(bytes)),
        tier: written.tier.map(|word| word.0),
        workload: written.workload.map(|word| word.0),
        snapshots: resolver.said_snapshot(written).as_ref().map(text),
        keep: says_keep.then(|| resolver.keep_of(written, resolver.usual_of(written).as_ref())),
        sends: written.send.as_ref().or(config.schedule.send.as_ref()).map(text),
        targets: written.targets.as_ref().map_or_else(|| targets.to_vec(), chosen),
    }
}

fn text(when: &When) -> Option<String> {
    when.0.as_ref().map(ToString::to_string)
}

fn target(document: &Document, written: &Target) -> SaidTarget {
    let kind = match (&written.s3, &written.btrfs) {
        (Some(bucket), _) => TargetKind::Bucket {
            provider: bucket.provider.word().to_owned(),
            class: bucket.storage_class.as_ref().map(|class| class.as_str().to_owned()),
        },
        (None, Some(btrfs)) if btrfs.ssh.is_some() => TargetKind::Host,
        (None, Some(_)) => TargetKind::Disk,
        (None, None) => TargetKind::Directory,
    };
    let schedule = written.schedule.as_ref().or(document.config.schedule.send.as_ref());
    SaidTarget {
        name: written.name.clone(),
        is_elsewhere: matches!(kind, TargetKind::Bucket { .. } | TargetKind::Host),
        kind,
        schedule: schedule.map(text),
        kept: Kept {
            full_every_days: written.full_every_days.unwrap_or_default().0,
            keep_generations: written.generations(),
            minimum_storage_days: written.minimum_storage_days.unwrap_or(0),
            chunk: written.chunk_size.as_ref().map_or(CHUNK, |size| *size.get_ref()),
        },
    }
}
