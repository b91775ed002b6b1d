//! `render nix` and the module in `nix/`: the program understands every configuration that Nix writes, and both make the
//! same units of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::world::{finish, proved, subvault, text};

/// As `nix/tests/nixos.nix` calls it.
const PROGRAM: &str = "/nix/store/00000000000000000000000000000000-subvault/bin/subvault";

/// What the units are made of, all of it.
const RICH: &str = r#"
[host]
name = "laptop"
state = "/var/lib/vault/state"
time_zone = "America/New_York"
[schedule]
snapshot = "*:0/30"
[[subvolume]]
name = "z"
path = "/usr/local"
snapshot = "Sun 03:00"
hooks = ["db"]
[[subvolume]]
name = "b"
path = "/b"
snapshots = "/etc/snapshots of/b"
[[subvolume]]
name = "c"
path = "/c"
snapshot = "never"
[[subvolume]]
name = "a"
path = "/a"
[[subvolume]]
name = "d"
path = "/d"
[[group]]
name = "g"
subvolumes = ["a", "b"]
snapshot = "*-*-01 04:00 Europe/Berlin"
[[target]]
name = "vault"
directory = "/boot/vault"
encryption = "off"
schedule = "weekly"
[[target]]
name = "cloud"
recipients = ["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"]
[target.s3]
provider = "wasabi"
bucket = "b"
region = "r"
credentials_file = "wasabi.credentials"
[[target]]
name = "usb"
[target.btrfs]
directory = "copies"
uuid = "5f0c5d63-7a7e-4f4b-9d0e-0c1a58a2f001"
[[target]]
name = "safe-2.b"
[target.btrfs]
directory = "copies"
uuid = "5f0c5d63-7a7e-4f4b-9d0e-0c1a58a2f003"
luks = { uuid = "C1A58A2F-7a7e-4f4b-9d0e-5f0c5d630002", key_file = "/etc/key" }
[[target]]
name = "beside"
[target.btrfs]
directory = "/efi/copies"
[[target]]
name = "far"
schedule = "never"
[target.btrfs]
directory = "/copies"
ssh = { host = "ada@far.example" }
"#;

/// The line by which a hook is used.
const USED: &str = "hooks = [\"db\"]\n";
const HOOK: &str = "[[hook]]\nname = \"db\"\npreset = \"redis\"\n";

/// Lines of units and rules by the name of their file, without what means nothing to their reader.
type Lines = BTreeMap<String, BTreeSet<String>>;

fn files() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../nix").canonicalize().unwrap()
}

fn nix(expression: &str) -> Value {
    let mut command = Command::new("nix-instantiate");
    command.env("NIX_CONF_DIR", "/nonexistent").env("HOME", "/nonexistent");
    command.args(["--store", "dummy://", "--eval", "--strict", "--json", "--expr", expression]);
    finish(&mut command).expect(0).json()
}

/// The system of some modules, an expression each.
fn system(modules: &str) -> String {
    format!("import {0}/tests/system.nix {{ lib = import {0}/tests/stub; }} [ {modules} ]", files().display())
}

/// What the program makes of a configuration.
fn by_program(config: &Path) -> Lines {
    let told = subvault(config, &["--json", "render", "systemd", "--program", PROGRAM]).expect(0).json();
    let mut lines = Lines::new();
    for file in told["files"].as_array().unwrap() {
        let name = file["path"].as_str().unwrap().rsplit('/').next().unwrap();
        let means = |line: &&str| !line.is_empty() && !line.starts_with(['#', '[']);
        // NixOS has the configuration in its usual place.
        let text = file["text"].as_str().unwrap().replace(&format!(" --config {}", config.display()), "");
        let text = text.replace(text_of_parent(config), "/etc/subvault");
        lines.insert(name.to_owned(), text.lines().filter(means).map(str::to_owned).collect());
    }
    lines
}

fn text_of_parent(path: &Path) -> &str {
    text(path.parent().unwrap())
}

/// What NixOS is given for the same.
fn by_module(system: &Value) -> Lines {
    let mut lines = Lines::new();
    for (kind, suffix) in [("services", ".service"), ("timers", ".timer"), ("slices", ".slice")] {
        let units = system[kind].as_object().unwrap().iter().filter(|(name, _)| *name != "subvault-attributes");
        for (name, unit) in units {
            lines.insert(format!("{name}{suffix}"), of_unit(unit));
        }
    }
    for rules in system["rules"].as_array().unwrap() {
        let name = rules["path"].as_str().unwrap().rsplit('/').next().unwrap();
        lines.insert(name.to_owned(), rules["text"].as_str().unwrap().lines().map(str::to_owned).collect());
    }
    lines
}

fn of_unit(unit: &Value) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    let mut add = |key: &str, value: &Value| {
        let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
        let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        lines.extend(values.iter().map(|value| format!("{key}={}", plain(value))));
    };
    for (option, key) in [
        ("description", "Description"),
        ("documentation", "Documentation"),
        ("after", "After"),
        ("wants", "Wants"),
        ("wantedBy", "WantedBy"),
    ] {
        unit.get(option).into_iter().for_each(|value| add(key, value));
    }
    for section in ["serviceConfig", "timerConfig", "sliceConfig"] {
        let settings = unit.get(section).and_then(Value::as_object).into_iter().flatten();
        settings.for_each(|(key, value)| add(key, value));
    }
    lines
}

#[test]
fn the_examples_are_configurations_with_the_same_units() {
    let directory = TempDir::new().unwrap();
    let hosts = nix(&format!("builtins.mapAttrs (_: host: {}) (import {}/hosts)", system("host"), files().display()));
    for (name, system) in hosts.as_object().unwrap() {
        let config = directory.path().join(format!("{name}.toml"));
        fs::write(&config, system["configuration"].as_str().unwrap()).unwrap();
        assert_eq!(by_module(system), by_program(&config), "{name}");
    }
    proved("each example host for NixOS is a configuration, with the units that `render systemd` makes of it");
}

#[test]
fn a_host_that_is_rendered_for_nix_has_the_same_units() {
    let directory = TempDir::new().unwrap();
    for (name, config) in [("hooks", format!("{RICH}{HOOK}")), ("locked", RICH.replace(USED, ""))] {
        let to = directory.path().join(name);
        let file = directory.path().join(format!("{name}.toml"));
        fs::write(&file, config).unwrap();
        let render = ["render", "nix", "--profile", "server", "--disk", "main=/dev/sda", "--source", "path:/x"];
        let render = [&render[..], &["--to", text(&to)]].concat();
        subvault(&file, &[&render[..], &["--dry-run"]].concat()).expect(0).says(&["would write", "host.nix"]);
        assert!(!to.exists());
        subvault(&file, &render).expect(0).says(&["wrote", "flake.nix", "docs/nixos.md"]);
        subvault(&file, &render).expect(0).says(&["unchanged"]);
        let layouts = format!("import {0}/disko {{ lib = import {0}/tests/stub; }}", files().display());
        let host = format!("(import {}/host.nix {{ subvault.lib.disko = {layouts}; }})", to.display());
        let system = nix(&system(&host));
        assert_eq!(system["failed"], serde_json::json!([]));
        assert_eq!(by_module(&system), by_program(&file), "{name}");
        fs::write(to.join("host.nix"), "{ }").unwrap();
        subvault(&file, &render).expect(1).says(&["was not written by subvault, or was changed"]);
    }
    proved("a configuration that is rendered for NixOS has the units that `render systemd` makes of it");
}

#[test]
fn what_does_not_fit_is_told() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("subvault.toml");
    fs::write(&file, "[host]\nname = \"laptop\"\n").unwrap();
    let render = |profile: &str, disks: &[&str]| {
        let disks = disks.iter().flat_map(|disk| ["--disk", *disk]);
        let rest = ["--source", "path:/x"];
        let arguments: Vec<&str> =
            ["render", "nix", "--profile", profile].into_iter().chain(disks).chain(rest).collect();
        subvault(&file, &arguments)
    };
    render("server", &["main=/dev/sda"]).expect(0).says(&["# flake.nix", "# host.nix", "main = \"/dev/sda\""]);
    render("mainframe", &["main=/dev/sda"]).expect(1).says(&["there is no layout", "single-nvme-laptop"]);
    render("dual-nvme-laptop", &["primary=/dev/a"]).expect(1).says(&["needs the disk `secondary`"]);
    render("server", &["main=/dev/a", "main=/dev/b"]).expect(1).says(&["given twice"]);
    render("server", &["/dev/sda"]).expect(1).says(&["main=/dev/"]);
}
