//! A flake for one NixOS host: the layout of its disks by profile, and its configuration as options of the module.
//!
//! What a profile's layout is and what the module makes of the options is in `nix/`, in the language of Nix; here only values
//! are written down. Secrets do not come here: a configuration has none.

mod value;

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use subvault_model::names::HostName;

use crate::file::{RenderedFile, mark};

pub use self::value::expression;
use self::value::{attribute, quoted};

/// A layout in `nix/disko`, and the disks that it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// The profile that it is for.
    pub profile: &'static str,
    /// The disks it needs.
    pub disks: &'static [&'static str],
    /// The disks it can have beside them.
    pub more: &'static [&'static str],
}

/// The layouts that there are.
pub const LAYOUTS: [Layout; 6] = [
    Layout { profile: "dual-boot-desktop", disks: &["main"], more: &["usb"] },
    Layout { profile: "dual-nvme-laptop", disks: &["primary", "secondary"], more: &[] },
    Layout { profile: "impermanent-server", disks: &["main"], more: &[] },
    Layout { profile: "proxmox-host", disks: &["main"], more: &[] },
    Layout { profile: "server", disks: &["main"], more: &[] },
    Layout { profile: "single-nvme-laptop", disks: &["main"], more: &[] },
];

/// What a flake is made of.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The host.
    pub host: HostName,
    /// The profile whose layout its disks have.
    pub profile: String,
    /// Its disks, by their names in the layout.
    pub disks: BTreeMap<String, String>,
    /// Its configuration: the document as it is written.
    pub config: Value,
    /// Where subvault's own flake is, as the inputs of flakes are written: `git+https://…?dir=nix`.
    pub source: String,
    /// The version of the program that writes it.
    pub version: String,
}

/// Why there can be no flake.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRendered {
    /// There is no such layout.
    #[error("there is no layout for the profile `{0}`: there are {known}", known = profiles())]
    UnknownProfile(String),
    /// A layout lacks a disk.
    #[error("the profile `{0}` needs the disk `{1}`")]
    MissingDisk(String, String),
    /// A layout has no such disk.
    #[error("the profile `{0}` has no disk `{1}`")]
    UnknownDisk(String, String),
    /// Something that is no device.
    #[error("`{0}` is not the path of a disk: it begins with /dev/")]
    NoDevice(String),
    /// A text that Nix cannot hold.
    #[error("{0:?} cannot be written in Nix: it holds a NUL character")]
    Nul(String),
    /// A number that the configuration has no place for.
    #[error("the number {0} cannot be written in Nix")]
    Number(String),
    /// A configuration whose tables have no names, or twice the same.
    #[error("the tables [[{0}]] of the configuration must have names, each another one")]
    Unnamed(String),
}

fn profiles() -> String {
    LAYOUTS.map(|layout| layout.profile).join(", ")
}

/// The files, with their names beside each other.
///
/// # Errors
/// When the disks are not those of the profile, or something cannot be written down.
pub fn render(wanted: &Wanted) -> Result<Vec<RenderedFile>, NotRendered> {
    let files = [("flake.nix", flake(wanted)?), ("host.nix", host(wanted)?)];
    Ok(files.map(|(name, text)| RenderedFile { path: name.into(), text: format!("{}{text}", mark("nix")) }).into())
}

/// The disks as the layout takes them.
fn disks(wanted: &Wanted) -> Result<Value, NotRendered> {
    let Some(layout) = LAYOUTS.iter().find(|layout| layout.profile == wanted.profile) else {
        return Err(NotRendered::UnknownProfile(wanted.profile.clone()));
    };
    if let Some(disk) = layout.disks.iter().find(|disk| !wanted.disks.contains_key(**disk)) {
        return Err(NotRendered::MissingDisk(wanted.profile.clone(), (*disk).to_owned()));
    }
    let mut disks = Map::new();
    for (name, device) in &wanted.disks {
        if !layout.disks.iter().chain(layout.more).any(|disk| disk == name) {
            return Err(NotRendered::UnknownDisk(wanted.profile.clone(), name.clone()));
        }
        if !device.starts_with("/dev/") {
            return Err(NotRendered::NoDevice(device.clone()));
        }
        disks.insert(name.clone(), device.clone().into());
    }
    Ok(disks.into())
}

/// The tables of which there are several, by their names instead of one after the other.
///
/// # Errors
/// When a table has no name, or that of another one.
pub fn settings(config: &Value) -> Result<Value, NotRendered> {
    let Value::Object(config) = config else { return Ok(config.clone()) };
    let by_name = |(key, value): (&String, &Value)| {
        let tables = match value {
            Value::Array(tables) => Value::Object(named(key, tables)?),
            _ => value.clone(),
        };
        Ok((key.clone(), tables))
    };
    config.iter().map(by_name).collect::<Result<Map<_, _>, _>>().map(Value::Object)
}

fn named(key: &str, tables: &[Value]) -> Result<Map<String, Value>, NotRendered> {
    let unnamed = || NotRendered::Unnamed(key.to_owned());
    let mut found = Map::new();
    for table in tables {
        let mut table = table.as_object().cloned().ok_or_else(unnamed)?;
        let Some(Value::String(name)) = table.remove("name") else { return Err(unnamed()) };
        if found.insert(name, Value::Object(table)).is_some() {
            return Err(unnamed());
        }
    }
    Ok(found)
}

fn flake(wanted: &Wanted) -> Result<String, NotRendered> {
    let blanks = [
        ("VERSION", wanted.version.clone()),
        ("DESCRIPTION", quoted(&format!("The system of {}", wanted.host))?),
        ("SOURCE", quoted(&wanted.source)?),
        ("HOST", attribute(wanted.host.as_str())?),
    ];
    Ok(filled(FLAKE, &blanks))
}

fn host(wanted: &Wanted) -> Result<String, NotRendered> {
    let blanks = [
        ("DISKS", expression(&disks(wanted)?, 2)?),
        ("PROFILE", wanted.profile.clone()),
        ("HOST", quoted(wanted.host.as_str())?),
        ("SETTINGS", expression(&settings(&wanted.config)?, 2)?),
    ];
    Ok(filled(HOST, &blanks))
}

/// A text whose blanks, `@NAME@`, are filled. What they are filled with is not looked at again.
fn filled(text: &str, blanks: &[(&str, String)]) -> String {
    let filling =
        |name: &str| blanks.iter().find(|blank| blank.0 == name).map_or(String::new(), |blank| blank.1.clone());
    let parts = text.split('@').enumerate();
    parts.map(|(index, part)| if index % 2 == 0 { part.to_owned() } else { filling(part) }).collect()
}

const FLAKE: &str = r#"# Made by subvault @VERSION@. `nix flake lock` writes down which versions of its inputs it is made of.
{
  description = @DESCRIPTION@;

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
    disko = {
      url = "github:nix-community/disko";
      inputs.nixpkgs.follows = "nixpkgs";
    };
    subvault = {
      url = @SOURCE@;
      inputs.nixpkgs.follows = "nixpkgs";
      inputs.disko.follows = "disko";
    };
  };

  outputs =
    {
      nixpkgs,
      disko,
      subvault,
      ...
    }:
    {
      nixosConfigurations.@HOST@ = nixpkgs.lib.nixosSystem {
        specialArgs = { inherit subvault; };
        modules = [
          disko.nixosModules.disko
          subvault.nixosModules.default
          ./host.nix
        ]
        # What else the system is, as `nixos-generate-config --no-filesystems` begins it: boot loader, hardware, users.
        ++ nixpkgs.lib.optional (builtins.pathExists ./configuration.nix) ./configuration.nix;
      };
    };
}
"#;

const HOST: &str = r"# The layout of the disks, and what subvault looks after.
{ subvault, ... }:
let
  layout = subvault.lib.disko.@PROFILE@ {
    disks = @DISKS@;
  };
in
{
  imports = [ layout.module ];

  networking.hostName = @HOST@;

  services.subvault = {
    enable = true;
    settings = @SETTINGS@;
  };
}
";
