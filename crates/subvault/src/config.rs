//! The configuration file: a module per element, checked with the place of each mistake.
//!
//! It says what the user wants and nothing that can be found out. Unknown keys are errors. It must never hold a secret:
//! private keys and credentials are in files of their own or come from a command.

mod credentials;
mod error;
mod host;
mod resolve;
mod s3;
pub mod starter;
mod subvolume;
mod target;

use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

pub use self::credentials::read as read_credentials;
pub use self::error::ConfigError;
pub use self::resolve::{own_name, resolve};
pub use self::subvolume::SNAPSHOTS;

/// Where the configuration is, unless said otherwise.
pub const PATH: &str = "/etc/subvault/subvault.toml";

/// A configuration file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// This machine.
    #[serde(default)]
    pub host: host::Host,
    /// What is looked after, a table each.
    #[serde(default, rename = "subvolume")]
    pub subvolumes: Vec<Spanned<subvolume::Subvolume>>,
    /// Where it is archived to, a table each.
    #[serde(default, rename = "target")]
    pub targets: Vec<Spanned<target::Target>>,
}

/// A configuration with the text it was read from, which errors point into.
#[derive(Debug)]
pub struct Document {
    /// Its path, for people.
    pub path: String,
    /// Its text.
    pub text: String,
    /// What it says.
    pub config: Config,
}

/// Reads a configuration file.
///
/// # Errors
/// When it cannot be read or says something that is not understood.
pub fn load(path: &Path) -> Result<Document, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::unreadable(path, source))?;
    parse(path.display().to_string(), text)
}

/// Understands the text of a configuration.
///
/// # Errors
/// When it says something that is not understood.
pub fn parse(path: String, text: String) -> Result<Document, ConfigError> {
    match toml::from_str(&text) {
        Ok(config) => Ok(Document { path, text, config }),
        Err(error) => Err(ConfigError::not_understood(path, &text, &error)),
    }
}
