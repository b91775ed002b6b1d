//! `[host]`: this machine.

use std::path::PathBuf;

use serde::Deserialize;
use subvault_model::names::HostName;
use subvault_plan::strategy::profile::Profile;
use subvault_plan::strategy::storage::Mode;
use toml::Spanned;

use super::word::Word;

/// This machine.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// What it is called in stores; its host name if not said.
    pub name: Option<Spanned<HostName>>,
    /// What kind of host it is.
    pub profile: Option<Word<Profile>>,
    /// What it is tuned for.
    pub mode: Option<Word<Mode>>,
    /// Where journals, the audit log and the lock are.
    pub state: Option<PathBuf>,
    /// The time zone by which calendars and retention go; the machine's if not said.
    pub time_zone: Option<Spanned<String>>,
}

/// Where journals, the audit log and the lock are, unless said otherwise.
pub const STATE: &str = "/var/lib/subvault";
