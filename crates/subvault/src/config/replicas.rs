//! Turns `[target.btrfs]` into replicas.

use std::num::NonZeroU32;
use std::path::{Component, Path};
use std::time::Duration;

use subvault_host::attach::Encrypted;
use subvault_jobs::replica::attach::ReplicaPlace;
use subvault_jobs::replica::remote::SshSettings;
use subvault_jobs::setup::ReplicaSetup;
use subvault_plan::policy::ReplicaPolicy;
use toml::Spanned;

use super::btrfs::{Btrfs, Luks, Ssh, usual as usual_copies};
use super::error::ConfigError;
use super::resolve::Resolver;
use super::target::Target;

impl Resolver<'_> {
    /// The replicas in the order of the configuration.
    pub(super) fn replicas(&self) -> Result<Vec<(ReplicaSetup, ReplicaPolicy)>, ConfigError> {
        let mut found: Vec<(ReplicaSetup, ReplicaPolicy)> = Vec::new();
        for spanned in &self.document.config.targets {
            let Some(btrfs) = &spanned.get_ref().btrfs else { continue };
            let replica = self.replica(spanned, btrfs)?;
            if let Some((other, _)) = found.iter().find(|(other, _)| other.place == replica.0.place) {
                let what = format!("`{}` and `{}` are the same place", other.name, replica.0.name);
                let hint = "give each a directory of its own: what one keeps, the other would remove";
                return Err(self.at(spanned, what).with_hint(hint));
            }
            found.push(replica);
        }
        Ok(found)
    }

    fn replica(&self, spanned: &Spanned<Target>, btrfs: &Btrfs) -> Result<(ReplicaSetup, ReplicaPolicy), ConfigError> {
        let target = spanned.get_ref();
        if let Some(key) = target.archive_key() {
            let what = format!("`{}` has copies of snapshots, and `{key}` is about archived streams", target.name);
            return Err(self.at(spanned, what).with_hint("leave it out, or give archives a target of their own"));
        }
        let setup = ReplicaSetup { name: target.name.clone(), place: self.place(btrfs)?, bandwidth: btrfs.bandwidth };
        let usual = self.document.config.schedule.sends();
        let schedule = target.schedule.clone().map_or(usual, |when| when.0);
        Ok((setup, ReplicaPolicy { schedule, keep: btrfs.keep.over(&usual_copies()), pin_days: btrfs.pin_days }))
    }

    fn place(&self, btrfs: &Btrfs) -> Result<ReplicaPlace, ConfigError> {
        let directory = btrfs.directory.get_ref().clone();
        let absolute = |what: &str| match directory.is_absolute() {
            true => Ok(directory.clone()),
            false => Err(self.at(&btrfs.directory, format!("the directory {what} must begin with /"))),
        };
        match (&btrfs.uuid, &btrfs.luks, &btrfs.ssh) {
            (None, None, None) => Ok(ReplicaPlace::Directory(absolute("of copies")?)),
            (None, None, Some(ssh)) => {
                let ssh = Box::new(self.ssh(ssh)?);
                Ok(ReplicaPlace::Host { ssh, directory: absolute("on another machine")? })
            }
            (Some(uuid), luks, None) => {
                let is_inside = |path: &Path| path.components().all(|c| matches!(c, Component::Normal(_)));
                if !is_inside(&directory) {
                    let what = "the directory on a disk is told from its top level: neither / in front nor `..`";
                    return Err(self.at(&btrfs.directory, what));
                }
                let luks = luks.as_ref().map(|luks| self.luks(luks)).transpose()?;
                Ok(ReplicaPlace::Disk { uuid: *uuid, directory, luks })
            }
            (None, Some(luks), _) => {
                let hint = "`uuid` is that of the Btrfs on the opened disk; `blkid` shows both";
                Err(self.at(&luks.uuid, "an encrypted disk needs `uuid` as well").with_hint(hint))
            }
            (Some(_), _, Some(ssh)) => {
                Err(self.at(&ssh.host, "`uuid` is for a disk of this machine, and `ssh` for another machine"))
            }
        }
    }

    fn luks(&self, luks: &Luks) -> Result<Encrypted, ConfigError> {
        // It becomes part of a name.
        let text = luks.uuid.get_ref();
        let plain = text.len() == 36 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        if !plain {
            return Err(self.at(&luks.uuid, format!("`{text}` is not the uuid of a LUKS header")));
        }
        if !luks.key_file.is_absolute() {
            return Err(self.at(&luks.uuid, "the path of the key_file must begin with /"));
        }
        Ok(Encrypted { uuid: text.to_ascii_lowercase(), key_file: luks.key_file.clone() })
    }

    fn ssh(&self, ssh: &Ssh) -> Result<SshSettings, ConfigError> {
        let host = ssh.host.get_ref();
        if host.is_empty() || host.starts_with('-') || host.contains(char::is_whitespace) {
            return Err(self.at(&ssh.host, format!("`{host}` is no host: write `user@host`")));
        }
        Ok(SshSettings {
            host: host.clone(),
            port: ssh.port,
            identity_file: ssh.identity_file.clone(),
            known_hosts: ssh.known_hosts.clone(),
            options: ssh.options.clone(),
            program: ssh.program.clone().unwrap_or_else(|| vec!["subvault".to_owned()]),
            stall: Duration::from_secs(u64::from(NonZeroU32::get(ssh.stall_seconds))),
        })
    }
}
