//! `[host]`: this machine.

use std::path::PathBuf;

use serde::Deserialize;
use subvault_model::names::HostName;
use toml::Spanned;

/// This machine.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// What it is called in stores; its host name if not said.
    pub name: Option<Spanned<HostName>>,
    /// Where journals, the audit log and the lock are.
    pub state: Option<PathBuf>,
    /// The time zone by which calendars and retention go; the machine's if not said.
    pub time_zone: Option<Spanned<String>>,
}

/// Where journals, the audit log and the lock are, unless said otherwise.
pub const STATE: &str = "/var/lib/subvault";
