//! `render nix`: golden files, and the way round: configuration → flake → module → configuration.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};
use subvault_render::nix::{LAYOUTS, NotRendered, Wanted, render, settings};

use super::evaluate::{evaluate, nix, parse, stub};
use crate::golden::compare;

const PAGE: &str = include_str!("../../../../../docs/configuration.md");

/// Every kind of table and value.
const RICH: &str = r#"
[host]
name = "laptop"
time_zone = "Europe/Berlin"
[keep]
daily = 14
tags = ["keep", "a \"quoted\" ${word}"]
[space]
yellow = "20 %"
[space.keep]
newest = 2
[[subvolume]]
name = "home"
path = "/home"
keep = { within = "2 days", monthly = 0 }
targets = ["cloud", "usb"]
[[subvolume]]
name = "a+b@c.d"
path = "/srv/my data"
nested = "include"
[[group]]
name = "all"
subvolumes = ["home"]
hooks = ["db"]
[[hook]]
name = "db"
preset = "mariadb"
before = ["/bin/sh", "-c", "echo \"$HOME\" '${x}'\n"]
environment = { PGPORT = "5433", "a.b" = "\\" }
timeout = "2 minutes"
[[target]]
name = "cloud"
recipients = ["age1x"]
full_every_days = "never"
lanes = 2
content_digest = false
[target.s3]
provider = "wasabi"
bucket = "b"
region = "r"
server_side_encryption = { kms = { key_id = "k" } }
credentials_file = "wasabi.credentials"
[[target]]
name = "usb"
[target.btrfs]
directory = "copies"
uuid = "5f0c5d63-7a7e-4f4b-9d0e-0c1a58a2f001"
pin_days = 10
luks = { uuid = "c1a58a2f-7a7e-4f4b-9d0e-5f0c5d630002", key_file = "/etc/key" }
"#;

fn document(text: &str) -> Value {
    toml::from_str(text).unwrap()
}

fn wanted(config: Value) -> Wanted {
    Wanted {
        host: "laptop".parse().unwrap(),
        profile: "single-nvme-laptop".to_owned(),
        disks: BTreeMap::from([("main".to_owned(), "/dev/disk/by-id/nvme-one".to_owned())]),
        config,
        source: "git+https://example.org/subvault?dir=nix".to_owned(),
        version: "1.2.3".to_owned(),
    }
}

/// The configuration that the module writes for a host that was rendered.
fn written(wanted: &Wanted) -> Value {
    let directory = tempfile::tempdir().unwrap();
    for file in render(wanted).unwrap() {
        fs::write(directory.path().join(&file.path), &file.text).unwrap();
    }
    let files = ["flake.nix", "host.nix"].map(|file| directory.path().join(file));
    parse(&files).unwrap();
    let (nix, lib, flake) = (nix(), stub(), files[0].display());
    // Stand-ins for what the flake takes from elsewhere; subvault is what is here.
    let expression = format!(
        "let
            lib = {lib};
            nixos = import {nix}/tests/nixos.nix {{ inherit lib; }};
            outputs = (import {flake}).outputs {{
                nixpkgs.lib = lib // {{
                    nixosSystem = {{ modules, specialArgs }}: lib.evalModules {{
                        modules = [ nixos.surroundings ] ++ modules;
                        specialArgs = specialArgs // {{ inherit (nixos) pkgs; }};
                    }};
                }};
                disko.nixosModules.disko = {{ }};
                subvault = {{
                    nixosModules.default = {nix}/module.nix;
                    lib.disko = import {nix}/disko {{ inherit lib; }};
                }};
            }};
            config = outputs.nixosConfigurations.laptop.config;
        in {{
            failed = builtins.filter (check: !check.assertion) config.assertions;
            disk = config.disko.devices.disk.main.device;
            name = config.networking.hostName;
            text = config.environment.etc.\"subvault/subvault.toml\".text;
        }}",
        nix = nix.display()
    );
    let found = evaluate(&expression).unwrap();
    assert_eq!((&found["failed"], &found["name"]), (&json!([]), &json!("laptop")));
    assert_eq!(found["disk"], json!("/dev/disk/by-id/nvme-one"));
    document(found["text"].as_str().unwrap())
}

#[test]
fn the_files_are_as_they_were_read() {
    let files = render(&wanted(document(RICH))).unwrap();
    let text: String = files.iter().map(|f| format!("=== {}\n{}", f.path.display(), f.text)).collect();
    compare("nix/flake.txt", &text);
}

#[test]
fn a_configuration_comes_back_as_it_was() {
    let example = PAGE.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    for text in [RICH, example] {
        let config = document(text);
        let written = written(&wanted(config.clone()));
        // The order of tables means nothing; their names do.
        assert_eq!(settings(&written).unwrap(), settings(&config).unwrap());
    }
}

#[test]
fn the_layouts_are_those_that_there_are() {
    let names = evaluate(&format!("builtins.attrNames (import {}/disko {{ lib = {}; }})", nix().display(), stub()));
    assert_eq!(names.unwrap(), json!(LAYOUTS.map(|layout| layout.profile)));
    for layout in LAYOUTS {
        let disks: BTreeMap<_, _> =
            layout.disks.iter().chain(layout.more).map(|disk| ((*disk).to_owned(), format!("/dev/{disk}"))).collect();
        let found = evaluate(&format!(
            "builtins.mapAttrs (_: disk: disk.device) ((import {}/disko {{ lib = {}; }}).{} {{ disks = {}; }}).devices.disk",
            nix().display(),
            stub(),
            layout.profile,
            super::evaluate::given(&json!(disks))
        ));
        assert_eq!(found.unwrap(), json!(disks), "{}", layout.profile);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let config = document(RICH);
    let with = |change: &dyn Fn(&mut Wanted)| {
        let mut wanted = wanted(config.clone());
        change(&mut wanted);
        render(&wanted).unwrap_err()
    };
    assert!(matches!(with(&|w| "laptop".clone_into(&mut w.profile)), NotRendered::UnknownProfile(_)));
    assert!(matches!(with(&|w| w.disks.clear()), NotRendered::MissingDisk(..)));
    let second = |w: &mut Wanted| drop(w.disks.insert("second".to_owned(), "/dev/x".to_owned()));
    assert!(matches!(with(&second), NotRendered::UnknownDisk(..)));
    let plain = |w: &mut Wanted| drop(w.disks.insert("main".to_owned(), "nvme0n1".to_owned()));
    assert!(matches!(with(&plain), NotRendered::NoDevice(_)));
    assert!(matches!(
        with(&|w| w.config["hook"][0]["name"].take().clone_into(&mut Value::Null)),
        NotRendered::Unnamed(_)
    ));
    assert!(matches!(with(&|w| w.config["subvolume"][1]["name"] = "home".into()), NotRendered::Unnamed(_)));
    assert!(matches!(with(&|w| w.source = "\0".to_owned()), NotRendered::Nul(_)));
}

/// What is put in is not taken for a blank.
#[test]
fn blanks_are_filled_once() {
    let files = render(&Wanted { source: "@HOST@".to_owned(), ..wanted(json!({})) }).unwrap();
    assert!(files[0].text.contains("url = \"@HOST@\""), "{}", files[0].text);
}
