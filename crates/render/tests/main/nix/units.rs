//! The module's units are those of `render systemd`: golden files, and whatever else can be wanted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use subvault_render::systemd::{Disk, DiskIdentity, Manners, Wanted, render};

use super::evaluate::{evaluate, given, nix, stub};
use crate::systemd::{calendars, cases};

/// Settings of a unit by section and key, in the order in which they stand.
type Settings = BTreeMap<(String, String), Vec<String>>;

/// All units by name, and the rules.
#[derive(Debug, Default, PartialEq, Eq)]
struct Rendered {
    units: BTreeMap<String, Settings>,
    rules: String,
}

/// What names units that a unit is ordered by: NixOS writes them on one line.
const LISTS: [&str; 2] = ["After", "Wants"];

fn understood(text: &str) -> Settings {
    let mut settings = Settings::new();
    let mut section = String::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            Some(name) => name.clone_into(&mut section),
            None => {
                let (key, value) = line.split_once('=').unwrap();
                settings.entry((section.clone(), key.to_owned())).or_default().push(value.to_owned());
            }
        }
    }
    settings
}

/// Files as `render systemd` writes them.
fn from_files<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Rendered {
    let mut rendered = Rendered::default();
    for (path, text) in files {
        match path.rsplit('/').next() {
            Some(name) if !name.ends_with(".rules") => drop(rendered.units.insert(name.to_owned(), understood(text))),
            _ => {
                rendered.rules = text.lines().filter(|line| !line.starts_with('#')).map(|l| format!("{l}\n")).collect();
            }
        }
    }
    rendered
}

/// A unit as NixOS takes it, as the settings that NixOS writes.
fn from_nixos(unit: &Value) -> Settings {
    let mut settings = Settings::new();
    let mut add = |section: &str, key: &str, value: &Value| {
        let values: Vec<String> = match value {
            Value::Array(values) => values.iter().map(text).collect(),
            value => vec![text(value)],
        };
        if !values.is_empty() {
            settings.insert((section.to_owned(), key.to_owned()), values);
        }
    };
    for (key, value) in unit.as_object().unwrap() {
        let sections = [("serviceConfig", "Service"), ("timerConfig", "Timer"), ("sliceConfig", "Slice")];
        let section = sections.iter().find(|(option, _)| option == key);
        match (key.as_str(), section) {
            (_, Some((_, section))) => value.as_object().unwrap().iter().for_each(|(key, v)| add(section, key, v)),
            ("description", _) => add("Unit", "Description", value),
            ("documentation", _) => add("Unit", "Documentation", value),
            ("after", _) => add("Unit", "After", value),
            ("wants", _) => add("Unit", "Wants", value),
            ("wantedBy", _) => add("Install", "WantedBy", value),
            // How NixOS treats it when the system is rebuilt.
            ("restartIfChanged" | "stopIfChanged", _) => {}
            (other, _) => panic!("{other} is not known here"),
        }
    }
    settings
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What the functions of the module make of the same.
fn by_nix(wanted: &[Wanted]) -> Vec<Rendered> {
    let values: Vec<Value> = wanted.iter().map(as_value).collect();
    let (lib, nix) = (stub(), nix());
    let expression = format!(
        "map (wanted: let rendered = import {nix}/lib/units.nix {{ lib = {lib}; }} wanted; in {{
            inherit (rendered) rules;
            nixos = import {nix}/lib/nixos-units.nix {{ lib = {lib}; }} rendered.units;
        }}) {}",
        given(&values.into()),
        nix = nix.display()
    );
    evaluate(&expression).unwrap().as_array().unwrap().iter().map(as_rendered).collect()
}

fn as_rendered(value: &Value) -> Rendered {
    let mut rendered = Rendered { rules: text(&value["rules"]), ..Rendered::default() };
    for (kind, suffix) in [("services", ".service"), ("timers", ".timer"), ("slices", ".slice")] {
        for (name, unit) in value["nixos"][kind].as_object().unwrap() {
            rendered.units.insert(format!("{name}{suffix}"), from_nixos(unit));
        }
    }
    rendered
}

fn as_value(wanted: &Wanted) -> Value {
    let disk = |disk: &Disk| {
        let (kind, uuid) = match &disk.identity {
            DiskIdentity::Pool(uuid) => ("btrfs", uuid.to_string()),
            DiskIdentity::Luks(uuid) => ("crypto_LUKS", uuid.clone()),
        };
        json!({ "target": disk.target.as_str(), "kind": kind, "uuid": uuid })
    };
    let credential = |(name, file): &(String, PathBuf)| json!({ "name": name, "file": file });
    json!({
        "program": wanted.program,
        "config": wanted.config,
        "state": wanted.state,
        "writes": wanted.writes,
        "wake": wanted.wake,
        "zone": wanted.zone,
        "disks": wanted.disks.iter().map(disk).collect::<Vec<_>>(),
        "credentials": wanted.credentials.iter().map(credential).collect::<Vec<_>>(),
        "network": wanted.network,
        "hooks": wanted.hooks,
        "idle_io": wanted.manners.idle_io,
        "tries_hourly": wanted.manners.tries_hourly,
    })
}

/// On as many lines or on one is the same.
fn compare(what: &str, mut ours: Rendered, wanted: &Rendered) {
    for settings in ours.units.values_mut() {
        for ((_, key), values) in settings.iter_mut() {
            if LISTS.contains(&key.as_str()) {
                *values = values.iter().flat_map(|value| value.split(' ')).map(str::to_owned).collect();
            }
        }
    }
    assert_eq!(&ours, wanted, "{what}");
}

#[test]
fn units_are_as_the_golden_files() {
    let (names, wanted): (Vec<_>, Vec<_>) = cases().into_iter().unzip();
    for (name, by_nix) in names.into_iter().zip(by_nix(&wanted)) {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/main/golden/systemd/{name}.txt"));
        let golden = std::fs::read_to_string(golden).unwrap();
        let files = golden.split("=== ").skip(1).map(|file| file.split_once('\n').unwrap());
        compare(name, by_nix, &from_files(files));
    }
}

fn path() -> impl Strategy<Value = PathBuf> {
    let directory = prop_oneof![Just("/usr"), Just("/etc"), Just("/boot"), Just("/usr2"), Just("/srv"), Just("")];
    (directory, "/[a-zA-Z0-9 ä%$\"'\\\\:@~{}=,+_-]{1,8}")
        .prop_map(|(directory, name)| (directory.to_owned() + &name).into())
}

fn disk() -> impl Strategy<Value = Disk> {
    let identity = prop_oneof![
        any::<u128>().prop_map(|bits| DiskIdentity::Pool(uuid(bits).parse().unwrap())),
        any::<u128>().prop_map(|bits| DiskIdentity::Luks(uuid(bits))),
    ];
    ("[a-zA-Z0-9_@][a-zA-Z0-9_@.-]{0,9}", identity)
        .prop_map(|(target, identity)| Disk { target: target.parse().unwrap(), identity })
}

fn uuid(bits: u128) -> String {
    let text = format!("{bits:032x}");
    [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-")
}

fn wanted() -> impl Strategy<Value = Wanted> {
    let events =
        ["hourly", "Sun 03:00", "Mon..Fri 22:30", "sat,sun", "*:0/15", "daily UTC", "*-*-01 04:00 Europe/Berlin"];
    let wake = proptest::sample::subsequence(events.to_vec(), 1..=events.len());
    let zone = proptest::option::of(Just("America/New_York".to_owned()));
    let places = (path(), proptest::option::of(path()), proptest::collection::vec(path(), 0..4));
    let secrets = proptest::collection::vec(("[a-z.]{1,8}", path()), 0..3);
    let disks = proptest::collection::vec(disk(), 0..3);
    (places, proptest::option::of("[a-z/]{1,9}"), (wake, zone), (disks, secrets), any::<[bool; 4]>()).prop_map(
        |(
            (program, config, writes),
            state,
            (wake, zone),
            (disks, credentials),
            [network, hooks, idle_io, tries_hourly],
        )| Wanted {
            program,
            config,
            state,
            writes,
            wake: calendars(&wake),
            zone,
            disks,
            credentials,
            network,
            hooks,
            manners: Manners { idle_io, tries_hourly },
        },
    )
}

#[test]
fn units_are_as_those_of_render_systemd_whatever_is_wanted() {
    let mut runner = TestRunner::default();
    let cases: Vec<Wanted> = (0..200).map(|_| wanted().new_tree(&mut runner).unwrap().current()).collect();
    for (wanted, by_nix) in cases.iter().zip(by_nix(&cases)) {
        let files = render(wanted).unwrap();
        let files = files.iter().map(|file| (file.path.to_str().unwrap(), file.text.as_str()));
        compare(&format!("{wanted:?}"), by_nix, &from_files(files));
    }
}
