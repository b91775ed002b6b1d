//! The text of a new configuration: small, commented, and true for the machine it was written on.

use std::path::{Path, PathBuf};

use subvault_model::names::{HostName, SubvolumeName};
use subvault_plan::strategy::decision::Decision;
use subvault_plan::strategy::profile::Profile;
use subvault_plan::strategy::tier::Tier;

/// What the text says.
pub struct Starter {
    /// This machine.
    pub host: HostName,
    /// What kind of host it is, and why it is taken for that.
    pub profile: (Profile, String),
    /// The subvolumes that were found.
    pub subvolumes: Vec<Found>,
    /// The subvolumes that were found and are not looked after.
    pub left_out: Vec<LeftOut>,
    /// The target, as its lines, if one was named.
    pub target: Option<Vec<String>>,
    /// The public key, if things are to be encrypted.
    pub recipient: Option<String>,
}

/// A mounted subvolume.
pub struct Found {
    /// What it will be called.
    pub name: SubvolumeName,
    /// Where it is mounted.
    pub path: String,
    /// Where the subvolumes inside of it are, which its snapshots do not hold.
    pub nested: Vec<PathBuf>,
    /// How much it matters, and why.
    pub tier: Option<Decision<Tier>>,
}

/// A mounted subvolume of which nothing has to come back.
pub struct LeftOut {
    /// Where it is mounted.
    pub path: String,
    /// Why.
    pub because: String,
}

/// A text as a TOML string on one line. What JSON writes is that, but for one character.
#[must_use]
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

/// A text that goes into a comment.
fn on_one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

impl Starter {
    /// The text.
    #[must_use]
    pub fn text(&self) -> String {
        let (profile, because) = &self.profile;
        let mut text = format!(
            "{HEAD}\n[host]\nname = {}          # what this machine is called in stores\nprofile = \"{profile}\"   # {}\n",
            quoted(self.host.as_str()),
            on_one_line(because)
        );
        for found in &self.subvolumes {
            text.push_str(&found.text());
        }
        if !self.left_out.is_empty() {
            text.push_str("\n# Not looked after:\n");
        }
        for left_out in &self.left_out {
            text.push_str(&format!("#   {}: {}\n", on_one_line(&left_out.path), on_one_line(&left_out.because)));
        }
        text.push_str(&self.target_text());
        text
    }

    fn target_text(&self) -> String {
        let store = self.target.clone().unwrap_or_else(|| vec!["directory = \"/mnt/disk/vault\"".to_owned()]);
        let encryption = match &self.recipient {
            Some(key) => format!("recipients = [{}]   # who can read it; several are possible", quoted(key)),
            None => "encryption = \"off\"   # anybody who can read the store can read the files".to_owned(),
        };
        let fixed = ["[[target]]".to_owned(), "name = \"vault\"".to_owned(), encryption];
        let options = OPTIONS.lines().map(|line| format!("# {line}"));
        let comment = if self.target.is_some() { "" } else { "# " };
        // The store comes last: it may be a table, and what follows a table's head belongs to it.
        let lines = fixed.into_iter().map(|l| format!("{comment}{l}"));
        let lines = lines.chain(options).chain(store.into_iter().map(|l| format!("{comment}{l}")));
        lines.fold(String::from(TARGET_HEAD), |text, line| text + &line + "\n")
    }
}

impl Found {
    fn text(&self) -> String {
        let name = quoted(self.name.as_str());
        let mut text = format!("\n[[subvolume]]\nname = {name}\npath = {}\n", quoted(&self.path));
        if let Some(tier) = &self.tier {
            text.push_str(&format!("# tier = \"{}\"   # {}\n", tier.value, on_one_line(&tier.because)));
        }
        if !self.nested.is_empty() {
            text.push_str("# These are subvolumes of their own inside of it, and not part of its snapshots:\n");
        }
        for nested in &self.nested {
            match (name_of(nested), nested.to_str()) {
                (Some(name), Some(path)) => {
                    let name = quoted(name.as_str());
                    text.push_str(&format!("# [[subvolume]]\n# name = {name}\n# path = {}\n", quoted(path)));
                }
                _ => text.push_str(&format!("# {nested:?}, whose name cannot be written here\n")),
            }
        }
        text
    }
}

/// The name of a subvolume that is mounted at `point`: `/` is `root`, `/var/log` is `var-log`.
#[must_use]
pub fn name_of(point: &Path) -> Option<SubvolumeName> {
    let text = point.to_str()?.trim_matches('/').to_lowercase().replace('/', "-");
    let plain: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '-' }).collect();
    let plain = plain.trim_matches('-');
    if plain.is_empty() { "root".parse().ok() } else { plain.parse().ok() }
}

const HEAD: &str = "\
# The configuration of subvault. Everything that is not said has a default; docs/configuration.md
# lists all keys. `subvault plan` shows what it leads to, and why; `--why NAME` in detail.
";

const TARGET_HEAD: &str = "
# Where streams are archived to. A directory on another disk, or a bucket:
#   [target.s3]
#   provider = \"backblaze-b2\"   # aws, backblaze-b2, wasabi, idrive-e2, hetzner, ceph-rgw, generic
#   bucket = \"…\"
#   region = \"…\"
#   prefix = \"…\"
#   credentials_file = \"/etc/subvault/vault.credentials\"
";

const OPTIONS: &str = "\
full_every_days = 30      # after so many days a new chain begins
keep_generations = 2      # so many chains stay in the store
compression = \"zstd-3\"    # or \"off\"
bandwidth = \"20 Mbit/s\"   # no limit if not said";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_mount_points() {
        for (point, name) in
            [("/", "root"), ("/home", "home"), ("/var/log", "var-log"), ("/srv/My Data", "srv-my-data")]
        {
            assert_eq!(name_of(Path::new(point)).map(|n| n.to_string()), Some(name.to_owned()));
        }
    }

    #[test]
    fn every_text_is_quoted_on_one_line() {
        for text in ["plain", "a\"b\\c", "two\nlines\r\t", "\u{0}\u{1f}\u{7f}\u{85}ä€😀"] {
            let line = format!("x = {}", quoted(text));
            assert_eq!(line.lines().count(), 1, "{line:?}");
            assert_eq!(toml::from_str::<toml::Table>(&line).unwrap()["x"].as_str(), Some(text));
        }
    }

    #[test]
    fn what_is_written_is_understood() {
        let found = Found {
            name: "home".parse().unwrap(),
            path: "/home \"x\"".to_owned(),
            nested: vec!["/a\nb".into(), "/c".into()],
            tier: Some(Decision::new(Tier::Critical, "why\nnot")),
        };
        for target in [None, Some(vec!["directory = \"/srv/vault\"".to_owned()])] {
            for recipient in [None, Some("age1x".to_owned())] {
                let targets = usize::from(target.is_some());
                let found = Found {
                    nested: found.nested.clone(),
                    path: found.path.clone(),
                    name: found.name.clone(),
                    tier: found.tier.clone(),
                };
                let starter = Starter {
                    host: "laptop".parse().unwrap(),
                    profile: (Profile::Laptop, "a\nreason".to_owned()),
                    left_out: vec![LeftOut { path: "/tmp\nx".to_owned(), because: "because".to_owned() }],
                    subvolumes: vec![found],
                    target: target.clone(),
                    recipient,
                };
                let document = crate::config::parse("test".to_owned(), starter.text()).unwrap();
                assert_eq!(document.config.targets.len(), targets);
                assert_eq!(document.config.subvolumes.len(), 1);
            }
        }
    }
}
