//! What a `btrbk.conf` comes to: each subvolume with the settings that hold for it, and its targets.

use std::collections::BTreeMap;

use super::syntax::{File, Scope, SubvolumeSection, TargetSection, VolumeSection};
use super::url::Url;

/// A subvolume as btrbk would look after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configured {
    /// Where it is named.
    pub line: usize,
    /// Where it is.
    pub source: Url,
    /// What its snapshots are called before the dot.
    pub snapshot_name: String,
    /// Where its snapshots are; without that, btrbk passes the subvolume over.
    pub snapshot_dir: Option<String>,
    /// Where they are sent.
    pub targets: Vec<ConfiguredTarget>,
    settings: Settings,
}

/// A target of a subvolume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfiguredTarget {
    /// Where it is named.
    pub line: usize,
    /// Where it is.
    pub url: Url,
    /// Whether streams are stored there as files.
    pub raw: bool,
    settings: Settings,
}

/// The settings that hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Settings(BTreeMap<String, Option<String>>);

impl Settings {
    /// Inner scopes count before outer ones.
    fn of(inner_first: &[&Scope]) -> Self {
        let mut settings = Self::default();
        for scope in inner_first.iter().rev() {
            settings.0.extend(scope.0.iter().map(|(key, value)| (key.clone(), value.clone())));
        }
        settings
    }

    fn get(&self, key: &str) -> Option<Option<&str>> {
        self.0.get(key).map(Option::as_deref)
    }
}

impl Configured {
    /// A setting that is not `no`.
    pub(super) fn is_set(&self, key: &str) -> Option<&str> {
        self.settings.get(key).flatten()
    }

    /// A setting that is `no` in so many words.
    pub(super) fn says_no(&self, key: &str) -> bool {
        self.settings.get(key) == Some(None)
    }

    /// The rules for snapshots, as btrbk writes them: `2d+ 14d *m`, and what is kept in any case first.
    #[must_use]
    pub fn snapshot_preserve(&self) -> String {
        preserve(&self.settings, "snapshot")
    }
}

impl ConfiguredTarget {
    /// A setting that is not `no`.
    pub(super) fn is_set(&self, key: &str) -> Option<&str> {
        self.settings.get(key).flatten()
    }

    /// A setting that is `no` in so many words.
    pub(super) fn says_no(&self, key: &str) -> bool {
        self.settings.get(key) == Some(None)
    }

    /// The rules for copies, in the same words.
    #[must_use]
    pub fn target_preserve(&self) -> String {
        preserve(&self.settings, "target")
    }
}

fn preserve(settings: &Settings, of: &str) -> String {
    // What is not said is `all`; what is said to be `no` is nothing.
    let always = settings.get(&format!("{of}_preserve_min")).unwrap_or(Some("all")).map(|always| format!("{always}+"));
    let periods = settings.get(&format!("{of}_preserve")).flatten().map(|periods| {
        let found = |unit: char| periods.split_whitespace().find(|p| p.to_ascii_lowercase().ends_with(unit));
        let sorted: Vec<String> = "hdwmy".chars().filter_map(found).map(str::to_ascii_lowercase).collect();
        sorted.join(" ")
    });
    always.into_iter().chain(periods).collect::<Vec<_>>().join(" ")
}

/// What the file comes to.
pub(super) fn of(file: &File) -> Result<Vec<Configured>, (usize, String)> {
    let mut found = Vec::new();
    for volume in &file.volumes {
        // The targets of an outer section that the inner one does not name itself come first.
        let from_above = file.targets.iter().filter(|target| !is_among(target, &volume.targets));
        let of_volume: Vec<&TargetSection> = from_above.chain(&volume.targets).collect();
        for subvolume in &volume.subvolumes {
            found.push(one(file, volume, subvolume, &of_volume)?);
        }
    }
    Ok(found)
}

fn is_among(target: &TargetSection, others: &[TargetSection]) -> bool {
    others.iter().any(|other| other.url == target.url && other.raw == target.raw)
}

fn one(
    file: &File,
    volume: &VolumeSection,
    subvolume: &SubvolumeSection,
    of_volume: &[&TargetSection],
) -> Result<Configured, (usize, String)> {
    let scopes = [&subvolume.scope, &volume.scope, &file.scope];
    let settings = Settings::of(&scopes);
    let propagated = of_volume.iter().copied().filter(|target| !is_among(target, &subvolume.targets));
    let targets = propagated.chain(&subvolume.targets).map(|target| ConfiguredTarget {
        line: target.line,
        url: target.url.clone(),
        raw: target.raw,
        settings: Settings::of(&[&[&target.scope][..], &scopes].concat()),
    });
    let directory = settings.get("snapshot_dir").flatten().filter(|directory| *directory != ".");
    let outer = volume.url.as_ref();
    let snapshot_dir = match (directory, outer) {
        (Some(directory), _) if directory.starts_with('/') => Url::read(directory).map(Some),
        (Some(directory), Some(outer)) => outer.join(directory).map(Some),
        (None, Some(outer)) => Ok(Some(outer.clone())),
        (_, None) => Ok(None),
    };
    let named = subvolume.scope.0.get("snapshot_name").cloned().flatten();
    Ok(Configured {
        line: subvolume.line,
        snapshot_name: named.unwrap_or_else(|| subvolume.url.base().to_owned()),
        snapshot_dir: snapshot_dir.map_err(|what| (subvolume.line, what))?.map(|url| url.path),
        source: subvolume.url.clone(),
        targets: targets.collect(),
        settings,
    })
}
