//! The configuration file: a module per element, checked with the place of each mistake.
//!
//! It says what the user wants and nothing that can be found out. Unknown keys are errors. It must never hold a secret:
//! private keys and credentials are in files of their own or come from a command.

mod btrfs;
mod credentials;
mod error;
mod group;
mod hook;
mod host;
mod keep;
#[cfg(test)]
mod mistakes;
mod objectives;
mod replicas;
mod resolve;
mod s3;
mod schedule;
mod space;
pub mod starter;
mod strategy;
mod subvolume;
mod target;
mod word;

use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

pub use self::credentials::read as read_credentials;
pub use self::error::ConfigError;
pub use self::host::STATE;
pub use self::resolve::{own_name, resolve};
pub use self::s3::S3;
pub use self::strategy::said;
pub use self::subvolume::SNAPSHOTS;
pub use self::target::Target;

/// Where the configuration is, unless said otherwise.
pub const PATH: &str = "/etc/subvault/subvault.toml";

/// A configuration file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// This machine.
    #[serde(default)]
    pub host: host::Host,
    /// When what is done.
    #[serde(default)]
    pub schedule: schedule::Schedule,
    /// Which snapshots stay.
    #[serde(default)]
    pub keep: keep::Keep,
    /// When space is short.
    #[serde(default)]
    pub space: space::Space,
    /// What the owner states.
    #[serde(default)]
    pub objectives: objectives::Objectives,
    /// What things cost.
    #[serde(default)]
    pub cost: objectives::Cost,
    /// What is looked after, a table each.
    #[serde(default, rename = "subvolume")]
    pub subvolumes: Vec<Spanned<subvolume::Subvolume>>,
    /// What is snapshotted together, a table each.
    #[serde(default, rename = "group")]
    pub groups: Vec<Spanned<group::Group>>,
    /// What is run around snapshots, a table each.
    #[serde(default, rename = "hook")]
    pub hooks: Vec<Spanned<hook::Hook>>,
    /// Where it is archived to, a table each.
    #[serde(default, rename = "target")]
    pub targets: Vec<Spanned<Target>>,
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const PAGE: &str = include_str!("../../../docs/configuration.md");

    /// The keys that the reader says there are, in a table where it meets one that there is not.
    fn known(text: &str) -> BTreeSet<String> {
        let error = toml::from_str::<Config>(text).unwrap_err();
        assert!(error.message().starts_with("unknown field `nonsense`"), "{error}");
        error.message().split('`').skip(3).step_by(2).map(str::to_owned).collect()
    }

    /// The keys of the first column of the table below a heading of the page.
    fn documented(heading: &str) -> BTreeSet<String> {
        let section = PAGE.split("\n## ").find(|s| s.starts_with(&format!("`{heading}`"))).unwrap();
        section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).map(str::to_owned).collect()
    }

    #[test]
    fn the_page_has_exactly_the_keys_that_there_are() {
        let target = "[[target]]\nname = \"x\"\n";
        for (heading, text) in [
            ("[host]", "[host]\nnonsense = 1".to_owned()),
            ("[schedule]", "[schedule]\nnonsense = 1".to_owned()),
            ("[keep]", "[keep]\nnonsense = 1".to_owned()),
            ("[space]", "[space]\nnonsense = 1".to_owned()),
            ("[objectives]", "[objectives]\nnonsense = 1".to_owned()),
            ("[cost]", "[cost]\nnonsense = 1".to_owned()),
            ("[[subvolume]]", "[[subvolume]]\nnonsense = 1".to_owned()),
            ("[[group]]", "[[group]]\nnonsense = 1".to_owned()),
            ("[[hook]]", "[[hook]]\nnonsense = 1".to_owned()),
            ("[[target]]", format!("{target}nonsense = 1")),
            ("[target.s3]", format!("{target}[target.s3]\nnonsense = 1")),
            ("[target.btrfs]", format!("{target}[target.btrfs]\nnonsense = 1")),
            ("[target.btrfs.ssh]", format!("{target}[target.btrfs.ssh]\nnonsense = 1")),
            ("[target.btrfs.luks]", format!("{target}[target.btrfs.luks]\nnonsense = 1")),
        ] {
            assert_eq!(documented(heading), known(&text), "{heading}");
        }
    }

    #[test]
    fn the_example_of_the_page_is_right() {
        let example = PAGE.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
        let document = parse("example".to_owned(), example.to_owned()).unwrap();
        let setup = resolve(&document).unwrap();
        assert_eq!((setup.subvolumes.len(), setup.targets.len()), (1, 1));
    }

    #[test]
    fn the_examples_are_right_one_for_each_kind_of_host() {
        use subvault_model::facts::Facts;
        use subvault_plan::strategy::assemble::strategy;

        let mut profiles = Vec::new();
        for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|ending| ending != "toml") {
                continue;
            }
            let document = load(&path).unwrap();
            let setup = resolve(&document).unwrap();
            let said = said(&document).unwrap();
            let profile = said.profile.unwrap();
            assert_eq!(path.file_stem().unwrap().to_str(), Some(profile.word()));
            let decided = strategy(&Facts::default(), &said);
            // What a run does is what the plan shows.
            for (policy, decided) in setup.policy.subvolumes.iter().zip(&decided.subvolumes) {
                assert_eq!(policy.name, decided.name);
                assert_eq!(
                    policy.schedule.as_ref().map(ToString::to_string),
                    decided.snapshots.value,
                    "{}",
                    policy.name
                );
                if let Some(keep) = &decided.keep {
                    assert_eq!(policy.keep, keep.value, "{}", policy.name);
                }
                for target in policy.targets.iter().chain(&policy.replicas) {
                    let of_target = said.targets.iter().find(|t| t.name == *target).unwrap();
                    let expected = of_target.schedule.clone().unwrap_or_else(|| decided.sends.value.clone());
                    let scheduled = setup.policy.send_schedule(policy, target).map(ToString::to_string);
                    assert_eq!(scheduled, expected, "{} to {target}", policy.name);
                }
            }
            profiles.push(profile.word());
        }
        profiles.sort_unstable();
        let expected = [
            "dual-boot-desktop",
            "dual-nvme-laptop",
            "impermanent-server",
            "production-vps",
            "proxmox-host",
            "single-nvme-laptop",
            "staging-vps",
            "utility-vps",
        ];
        assert_eq!(profiles, expected);
    }

    #[test]
    fn mistakes_are_shown_where_they_are() {
        let shown = |text: &str| {
            let document = parse("f.toml".to_owned(), text.to_owned());
            let error = document.and_then(|d| resolve(&d).map(drop)).unwrap_err();
            format!("{error} → {}", error.hint().unwrap_or("-"))
        };
        let typing = shown("[host]\nnmae = \"x\"\n");
        assert_eq!(typing, "f.toml:2:1: unknown key `nmae`\n   |\n 2 | nmae = \"x\"\n   | ^^^^ → did you mean `name`?");
        let open = shown("[[target]]\nname = \"a\"\ndirectory = \"/x\"\n");
        assert!(open.contains("has no recipients"), "{open}");
        let both =
            shown("[[target]]\nname = \"a\"\ndirectory = \"/x\"\nencryption = \"off\"\nrecipients = [\"age1x\"]\n");
        assert!(both.contains("f.toml:5:15:") && both.contains("which is meant"), "{both}");
    }
}
