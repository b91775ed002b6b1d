//! `[[hook]]`: what is run around snapshots, and presets for well-known servers.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use subvault_host::hook::Hook as Commands;
use subvault_model::names::HookName;

use super::keep::Age;

/// How long a hook may take, unless said otherwise.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A hook.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    /// What it is called.
    pub name: HookName,
    /// A server whose needs are known.
    pub preset: Option<Preset>,
    /// Runs before the snapshots.
    pub before: Option<Vec<String>>,
    /// Runs after the snapshots, whatever came of them.
    pub after: Option<Vec<String>>,
    /// Runs while the snapshots are taken: they begin with its first line of output, and it ends with its input.
    pub hold: Option<Vec<String>>,
    /// What `hold` is told.
    pub input: Option<String>,
    /// Who runs it.
    pub user: Option<String>,
    /// What is added to its environment.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// How long each of its commands may take.
    pub timeout: Option<Age>,
    /// What follows when it cannot be begun.
    #[serde(default)]
    pub on_failure: Failure,
}

/// A server whose needs are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// A checkpoint, so that recovery is short. A snapshot of a whole cluster is consistent without it.
    Postgresql,
    /// All tables locked and flushed while the snapshots are taken.
    Mariadb,
    /// The same, by the client of that name.
    Mysql,
    /// Everything saved to its file.
    Redis,
    /// All containers paused while the snapshots are taken.
    Podman,
}

/// `on_failure = "skip"` or `"continue"`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Failure {
    /// The snapshots are not taken.
    #[default]
    Skip,
    /// They are taken all the same.
    Continue,
}

/// Locks all tables and writes them out; the answer tells that it is so. The lock ends with the session.
const LOCK_TABLES: &str = "FLUSH TABLES WITH READ LOCK;\nSELECT 'held';\n";

impl Preset {
    fn commands(self) -> Commands {
        let words = |text: &[&str]| text.iter().map(Into::into).collect::<Vec<_>>();
        let mut commands = Commands::new(TIMEOUT);
        match self {
            Self::Postgresql => {
                commands.before =
                    words(&["psql", "--no-psqlrc", "--quiet", "--command=CHECKPOINT", "--dbname=postgres"]);
                commands.user = Some("postgres".to_owned());
            }
            Self::Mariadb | Self::Mysql => {
                let client = if self == Self::Mysql { "mysql" } else { "mariadb" };
                commands.hold = words(&[client, "--batch", "--unbuffered", "--skip-column-names"]);
                commands.input = LOCK_TABLES.to_owned();
            }
            Self::Redis => commands.before = words(&["redis-cli", "-e", "SAVE"]),
            Self::Podman => {
                commands.before = words(&["podman", "pause", "--all"]);
                commands.after = words(&["podman", "unpause", "--all"]);
            }
        }
        commands
    }
}

impl Hook {
    /// What is run: that of the preset, and over it what is written.
    pub fn commands(&self) -> Commands {
        let mut commands = self.preset.map_or_else(|| Commands::new(TIMEOUT), Preset::commands);
        let written = |argv: &Option<Vec<String>>| argv.as_ref().map(|argv| argv.iter().map(Into::into).collect());
        commands.before = written(&self.before).unwrap_or(commands.before);
        commands.after = written(&self.after).unwrap_or(commands.after);
        commands.hold = written(&self.hold).unwrap_or(commands.hold);
        commands.input = self.input.clone().unwrap_or(commands.input);
        commands.user = self.user.clone().or(commands.user);
        commands.environment = self.environment.iter().map(|(key, value)| (key.into(), value.into())).collect();
        if let Some(Age(timeout)) = self.timeout {
            commands.timeout = timeout.unsigned_abs();
        }
        commands
    }
}
