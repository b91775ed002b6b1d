//! `subvault render nix`: this host as a flake.

use std::collections::BTreeMap;

use subvault_render::file::RenderedFile;
use subvault_render::nix::{self, Wanted};

use super::files::Where;
use crate::config;
use crate::context::Context;
use crate::failure::Failure;

/// What it takes.
#[derive(Debug, clap::Args)]
pub(super) struct Nix {
    /// The profile whose layout the disks have: `dual-nvme-laptop`, `server` …
    #[arg(long)]
    profile: String,
    /// A disk of the layout: `main=/dev/disk/by-id/…`, and `primary`, `secondary`, `usb` where the layout has them
    #[arg(long = "disk", value_name = "NAME=DEVICE", value_parser = named, required = true)]
    disks: Vec<(String, String)>,
    /// Where the flake of subvault itself is: `git+https://…?dir=nix`
    #[arg(long, value_name = "FLAKE")]
    source: String,
    #[command(flatten)]
    pub(super) place: Where,
}

fn named(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').ok_or("write a disk as `main=/dev/…`")?;
    Ok((pair.0.to_owned(), pair.1.to_owned()))
}

/// The files.
pub(super) fn files(args: &Nix, context: &Context) -> Result<Vec<RenderedFile>, Failure> {
    let document = config::load(&context.config)?;
    let setup = config::resolve(&document)?;
    let hint = "docs/nixos.md tells what is needed";
    let mut disks = BTreeMap::new();
    for (name, device) in &args.disks {
        if disks.insert(name.clone(), device.clone()).is_some() {
            return Err(Failure::usage(format!("the disk `{name}` is given twice"), hint));
        }
    }
    let config = toml::from_str(&document.text).map_err(|error| Failure::usage(error.to_string(), hint))?;
    let wanted = Wanted {
        host: setup.host.name.clone(),
        profile: args.profile.clone(),
        disks,
        config,
        source: args.source.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    nix::render(&wanted).map_err(|error| Failure::usage(error.to_string(), hint))
}

/// What to do once they are written.
pub(super) const NEXT: &str =
    "nixos-generate-config --no-filesystems beside them, then nixos-rebuild or disko-install; see docs/nixos.md";
