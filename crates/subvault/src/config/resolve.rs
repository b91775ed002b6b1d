//! Turns what is written into what a run works with: defaults filled in, names looked up, keys read.
//!
//! Fails closed: a target without usable recipients is an error unless `encryption = "off"` is written in so many words.

mod by_profile;
mod together;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use subvault_archive::age_file::header::Recipient;
use subvault_archive::frame::FRAME_BYTES;
use subvault_archive::hash::Hash256;
use subvault_archive::manifest::{Compression, HostIdentity};
use subvault_host::identity;
use subvault_jobs::setup::{
    ForeignChoice, Location, NestedChoice, ProtocolChoice, ReadAheadChoice, Setup, SubvolumeSetup, TargetSetup,
    Unusable,
};
use subvault_model::names::{HostName, TargetName};
use subvault_plan::calendar::Calendar;
use subvault_plan::keep::Keep;
use subvault_plan::policy::{ArchivePolicy, Fulls, Policy, SubvolumePolicy};
use subvault_plan::sizes::{CHUNK_BYTES_MAX, CHUNK_BYTES_MIN, lanes, part_bytes};
use subvault_plan::space::Limits;
use subvault_plan::strategy::assemble::CHUNK;
use subvault_plan::strategy::sending::conditions;
use subvault_store::{Key, S3Settings};
use toml::Spanned;

use self::by_profile::Usual;
use super::error::ConfigError;
use super::s3::S3;
use super::schedule::When;
use super::subvolume::{Foreign, Nested, SNAPSHOTS, Subvolume};
use super::target::{CompressionWord, EncryptionWord, ProtocolWord, Target};
use super::{Document, credentials, host, keep, objectives};

/// Checks a configuration and fills it in.
///
/// # Errors
/// When something does not fit together; at the place where it is written.
pub fn resolve(document: &Document) -> Result<Setup, ConfigError> {
    let resolver = Resolver { document };
    objectives::tables(document)?;
    let state = document.config.host.state.clone().unwrap_or_else(|| PathBuf::from(host::STATE));
    let targets = resolver.targets(&state)?;
    let (subvolumes, wanted) = resolver.subvolumes()?;
    let (replicas, copies) = resolver
        .replicas()?
        .into_iter()
        .map(|(setup, policy)| {
            let name = setup.name.clone();
            (setup, (name, policy))
        })
        .unzip();
    let policy = Policy {
        subvolumes: wanted,
        groups: resolver.groups()?,
        targets: resolver.archive_policies(),
        replicas: copies,
        fulls: Fulls::WhenDue,
        floor: document.config.space.keep.clone().unwrap_or_default().over(&keep::usual_floor()),
        limits: limits(document)?,
        zone: resolver.zone()?,
    };
    let conditions = document.config.host.profile.map(|word| conditions(word.0).value).unwrap_or_default();
    Ok(Setup {
        host: resolver.host()?,
        state,
        subvolumes,
        targets,
        replicas,
        hooks: resolver.hooks()?,
        conditions,
        policy,
    })
}

/// When a pool is short of space.
fn limits(document: &Document) -> Result<Limits, ConfigError> {
    let space = &document.config.space;
    let (Some(what), Some(place)) = (space.wrong(), space.red.as_ref().or(space.yellow.as_ref())) else {
        return Ok(space.limits());
    };
    let hint = "say both `yellow` and `red`, the red one lower";
    Err(ConfigError::at(&document.path, &document.text, place.span(), what).with_hint(hint))
}

pub(super) struct Resolver<'a> {
    pub(super) document: &'a Document,
}

impl Resolver<'_> {
    pub(super) fn at<T>(&self, place: &Spanned<T>, what: impl Into<String>) -> ConfigError {
        ConfigError::at(&self.document.path, &self.document.text, place.span(), what)
    }

    fn host(&self) -> Result<HostIdentity, ConfigError> {
        let name = match &self.document.config.host.name {
            Some(name) => name.get_ref().clone(),
            None => own_name()?,
        };
        Ok(HostIdentity { name, machine: machine()? })
    }

    fn zone(&self) -> Result<TimeZone, ConfigError> {
        let Some(name) = &self.document.config.host.time_zone else { return Ok(TimeZone::system()) };
        let hint = "say one such as `Europe/Berlin`, or `UTC`";
        let unknown = |_| self.at(name, format!("there is no time zone `{}`", name.get_ref())).with_hint(hint);
        TimeZone::get(name.get_ref()).map_err(unknown)
    }

    fn archive_policies(&self) -> BTreeMap<TargetName, ArchivePolicy> {
        let usual = self.document.config.schedule.sends();
        let of = |target: &Spanned<Target>| {
            let target = target.get_ref();
            (target.name.clone(), archive_policy(target, usual.clone()))
        };
        self.document.config.targets.iter().filter(|target| target.get_ref().btrfs.is_none()).map(of).collect()
    }

    fn subvolumes(&self) -> Result<(Vec<SubvolumeSetup>, Vec<SubvolumePolicy>), ConfigError> {
        let known: Vec<TargetName> = self.document.config.targets.iter().map(|t| t.get_ref().name.clone()).collect();
        let (mut setups, mut policies) = (Vec::new(), Vec::new());
        let (mut names, mut paths) = (BTreeSet::new(), BTreeSet::new());
        for spanned in &self.document.config.subvolumes {
            let written = spanned.get_ref();
            if !names.insert(written.name.clone()) {
                let what = format!("a second subvolume is called `{}`", written.name);
                return Err(self
                    .at(spanned, what)
                    .with_hint("give it another name: it is in the names of its snapshots"));
            }
            if !written.path.is_absolute() {
                let what = format!("the path of `{}` must begin with /", written.name);
                return Err(self.at(spanned, what).with_hint("write it from the root on, such as `/home`"));
            }
            if !paths.insert(written.path.clone()) {
                let what = format!("{} is listed twice", written.path.display());
                return Err(self.at(spanned, what).with_hint("leave one of the two tables out"));
            }
            let targets = match &written.targets {
                None => known.clone(),
                Some(chosen) => self.chosen(chosen, &known)?,
            };
            setups.push(SubvolumeSetup {
                name: written.name.clone(),
                path: written.path.clone(),
                snapshots: written.snapshots.clone().unwrap_or_else(|| written.path.join(SNAPSHOTS)),
                nested: match written.nested {
                    Nested::Report => NestedChoice::Report,
                    Nested::Include => NestedChoice::Include,
                    Nested::Ignore => NestedChoice::Ignore,
                },
                foreign: match written.foreign {
                    Foreign::Show => ForeignChoice::Show,
                    Foreign::Ship => ForeignChoice::Ship,
                },
            });
            let is_replica = |name: &TargetName| {
                let mut written = self.document.config.targets.iter().map(Spanned::get_ref);
                written.any(|target| target.name == *name && target.btrfs.is_some())
            };
            let (replicas, targets): (Vec<_>, Vec<_>) = targets.into_iter().partition(is_replica);
            let usual = self.usual_of(written);
            policies.push(SubvolumePolicy {
                name: written.name.clone(),
                schedule: self.snapshot_schedule(written, usual.as_ref()),
                sends: self.send_schedules(written, targets.iter().chain(&replicas), usual.as_ref()),
                targets,
                replicas,
                ships_foreign: written.foreign == Foreign::Ship,
                keep: self.keep_of(written, usual.as_ref()),
            });
        }
        Ok((setups, policies))
    }

    /// When its snapshots are taken: as it says itself, or its group, or the configuration as a whole, or as is usual for it.
    fn snapshot_schedule(&self, written: &Subvolume, usual: Option<&Usual>) -> Option<Calendar> {
        match (self.said_snapshot(written), usual) {
            (Some(when), _) => when.0,
            (None, Some(usual)) => usual.snapshots.clone(),
            (None, None) => self.document.config.schedule.snapshots(),
        }
    }

    /// When its snapshots are taken as far as that is written: for itself, its group, or for all.
    pub(super) fn said_snapshot(&self, written: &Subvolume) -> Option<When> {
        let groups = self.document.config.groups.iter().map(Spanned::get_ref);
        let mut of_group = groups.filter(|g| g.subvolumes.iter().any(|s| *s.get_ref() == written.name));
        let said = written.snapshot.clone().or_else(|| of_group.find_map(|group| group.snapshot.clone()));
        said.or_else(|| self.document.config.schedule.snapshot.clone())
    }

    /// Which of its snapshots stay.
    pub(super) fn keep_of(&self, written: &Subvolume, usual: Option<&Usual>) -> Keep {
        let of_profile = usual.and_then(|usual| usual.keep.clone());
        let below = self.document.config.keep.over(&of_profile.unwrap_or_else(keep::usual));
        written.keep.over(&below)
    }

    fn chosen(&self, chosen: &[Spanned<TargetName>], known: &[TargetName]) -> Result<Vec<TargetName>, ConfigError> {
        let mut targets = Vec::new();
        for target in chosen {
            if !known.contains(target.get_ref()) {
                let names = known.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                let hint =
                    if names.is_empty() { "there is no [[target]]".to_owned() } else { format!("there are {names}") };
                return Err(self.at(target, format!("there is no target `{}`", target.get_ref())).with_hint(hint));
            }
            if targets.contains(target.get_ref()) {
                return Err(self.at(target, format!("`{}` is listed twice", target.get_ref())));
            }
            targets.push(target.get_ref().clone());
        }
        Ok(targets)
    }

    fn targets(&self, state: &Path) -> Result<Vec<TargetSetup>, ConfigError> {
        let mut setups: Vec<TargetSetup> = Vec::new();
        let mut names = BTreeSet::new();
        for spanned in &self.document.config.targets {
            if !names.insert(spanned.get_ref().name.clone()) {
                return Err(self.at(spanned, format!("a second target is called `{}`", spanned.get_ref().name)));
            }
            if spanned.get_ref().btrfs.is_some() {
                continue;
            }
            let setup = self.target(spanned, state)?;
            if let Some(other) = setups.iter().find(|t| is_same_place(&t.location, &setup.location)) {
                let what = format!("`{}` and `{}` are the same store", other.name, setup.name);
                let hint = "give each a directory or a prefix of its own: what one keeps, the other would remove";
                return Err(self.at(spanned, what).with_hint(hint));
            }
            setups.push(setup);
        }
        Ok(setups)
    }

    fn target(&self, spanned: &Spanned<Target>, state: &Path) -> Result<TargetSetup, ConfigError> {
        let written = spanned.get_ref();
        let mut unusable = None;
        let location = match (&written.directory, &written.s3) {
            (Some(directory), None) if directory.is_absolute() => Location::Directory(directory.clone()),
            (Some(_), None) => return Err(self.at(spanned, "the directory of a target must begin with /")),
            (None, Some(bucket)) if bucket.credentials_file.is_some() && bucket.credentials_command.is_some() => {
                let what = format!("`{}` has a credentials_file and a credentials_command", written.name);
                return Err(self.at(spanned, what).with_hint("leave one of the two lines out"));
            }
            (None, Some(bucket)) => {
                let (settings, found) = self.bucket(&written.name, bucket, state)?;
                unusable = found;
                Location::S3(Box::new(settings))
            }
            _ => {
                let what = format!("target `{}` needs one of `directory`, `s3` and `btrfs`", written.name);
                let hint =
                    "say where it is, once: `directory = \"…\"`, or a table [target.s3] or [target.btrfs] below it";
                return Err(self.at(spanned, what).with_hint(hint));
            }
        };
        let chunk_bytes = match &written.chunk_size {
            None => CHUNK,
            Some(size) if (CHUNK_BYTES_MIN..=CHUNK_BYTES_MAX).contains(size.get_ref()) => *size.get_ref(),
            Some(size) => {
                let what = format!("a chunk has from {CHUNK_BYTES_MIN} to {CHUNK_BYTES_MAX}");
                return Err(self.at(size, what));
            }
        };
        let part = part_bytes(chunk_bytes);
        Ok(TargetSetup {
            name: written.name.clone(),
            location,
            unusable,
            recipients: self.recipients(spanned)?,
            compression: match written.compression.unwrap_or_default() {
                CompressionWord::Off => Compression::Off,
                CompressionWord::Zstd(level) => Compression::Zstd { level, frame_bytes: FRAME_BYTES },
            },
            chunk_bytes,
            part_bytes: part,
            lanes: lanes(written.lanes(), part),
            workers: written.workers,
            bandwidth: written.bandwidth,
            protocol: match written.protocol.unwrap_or_default() {
                ProtocolWord::Newest => ProtocolChoice::Newest,
                ProtocolWord::V1 => ProtocolChoice::V1,
                ProtocolWord::V2 => ProtocolChoice::V2 { compressed: true },
                ProtocolWord::V2Uncompressed => ProtocolChoice::V2 { compressed: false },
            },
            content_digest: written.content_digest.unwrap_or(true),
            read_ahead: if written.read_ahead.unwrap_or(true) { ReadAheadChoice::Auto } else { ReadAheadChoice::Off },
            idle_io: written.idle_io.unwrap_or(false),
        })
    }

    fn recipients(&self, spanned: &Spanned<Target>) -> Result<Vec<Recipient>, ConfigError> {
        let written = spanned.get_ref();
        match (written.encryption, written.recipients.as_slice()) {
            (Some(EncryptionWord::Off), []) => Ok(Vec::new()),
            (Some(EncryptionWord::Off), [first, ..]) => {
                let what = "encryption is \"off\" and there are recipients: which is meant?";
                Err(self.at(first, what).with_hint("leave one of the two lines out"))
            }
            (None, []) => Err(self
                .at(spanned, format!("target `{}` has no recipients, so nothing could be encrypted", written.name))
                .with_hint("add `recipients = [\"age1…\"]`, or say `encryption = \"off\"`")),
            (None, keys) => keys
                .iter()
                .map(|key| key.get_ref().parse::<Recipient>().map_err(|e| self.at(key, e.to_string())))
                .collect(),
        }
    }

    fn bucket(
        &self,
        target: &TargetName,
        written: &S3,
        state: &Path,
    ) -> Result<(S3Settings, Option<Unusable>), ConfigError> {
        let mut settings = S3Settings::new(written.provider, &written.bucket, &written.region);
        settings.prefix = match &written.prefix {
            None => None,
            Some(prefix) => {
                let text = prefix.get_ref().trim_matches('/');
                Some(text.parse::<Key>().map_err(|e| self.at(prefix, e.to_string()))?)
            }
        };
        settings.endpoint.clone_from(&written.endpoint);
        settings.path_style = written.path_style;
        settings.bulk_class.clone_from(&written.storage_class);
        settings.metadata_class.clone_from(&written.metadata_storage_class);
        settings.encryption = written.server_side_encryption.clone();
        settings.attempts_max = written.attempts.unwrap_or(settings.attempts_max);
        settings.connect_timeout_secs = written.connect_timeout_seconds.unwrap_or(settings.connect_timeout_secs);
        settings.read_timeout_secs = written.read_timeout_seconds.unwrap_or(settings.read_timeout_secs);
        settings.capabilities = crate::capabilities::recorded(state, target, &settings);
        let read = credentials::read(written.credentials_file.as_deref(), written.credentials_command.as_deref());
        // Another target must not suffer from this.
        let unusable = match read {
            Ok(credentials) => {
                settings.credentials = credentials;
                None
            }
            Err(error) => Some(Unusable { what: error.to_string(), hint: error.hint().map(str::to_owned) }),
        };
        Ok((settings, unusable))
    }
}

/// What this machine is called when the configuration does not say.
///
/// # Errors
/// When its host name cannot be one of ours.
pub fn own_name() -> Result<HostName, ConfigError> {
    let plain = identity::plain_hostname(&identity::hostname());
    plain.parse().map_err(|_| {
        ConfigError::general(format!("`{plain}` cannot be the name of a host")).with_hint("say `name = …` under [host]")
    })
}

/// What tells this machine from another of the same name. A hash, as systemd asks: the id itself stays here.
fn machine() -> Result<String, ConfigError> {
    let id = identity::machine_id().map_err(|e| ConfigError::general(e.to_string()))?;
    let hash = Hash256::sha256(format!("subvault {id}").as_bytes()).to_string();
    Ok(hash.chars().take(32).collect())
}

fn is_same_place(one: &Location, other: &Location) -> bool {
    match (one, other) {
        (Location::Directory(one), Location::Directory(other)) => {
            let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
            real(one) == real(other)
        }
        (Location::S3(one), Location::S3(other)) => {
            let place =
                |s: &S3Settings| (s.provider, s.endpoint.clone(), s.region.clone(), s.bucket.clone(), s.prefix.clone());
            place(one) == place(other)
        }
        _ => false,
    }
}

/// A public key as manifests have it. One that is none is found and told elsewhere.
fn as_recorded(key: &str) -> String {
    key.parse::<Recipient>().map_or_else(|_| key.to_owned(), |recipient| recipient.to_string())
}

fn archive_policy(target: &Target, usual: Option<Calendar>) -> ArchivePolicy {
    ArchivePolicy {
        schedule: target.schedule.clone().map_or(usual, |when| when.0),
        full_every_days: target.full_every_days.unwrap_or_default().0,
        keep_generations: target.generations(),
        minimum_storage_days: target.minimum_storage_days.unwrap_or(0),
        recipients: target.recipients.iter().map(|key| as_recorded(key.get_ref())).collect(),
    }
}
