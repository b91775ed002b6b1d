//! `subvault init`: a configuration for this machine.
//!
//! Looks for mounted subvolumes, makes a key, tries out the store, and writes what it found. Never overwrites a file.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde_json::json;
use subvault_archive::age_file::header::{Identity, Recipient};
use subvault_archive::layout::Layout;
use subvault_host::clock;
use subvault_host::facts;
use subvault_host::mounts::Mounts;
use subvault_host::pool::Pool;
use subvault_host::subvolume::Subvolume;
use subvault_jobs::driver::chain;
use subvault_jobs::error::JobError;
use subvault_jobs::restore::STAGED;
use subvault_model::ids::SubvolumeId;
use subvault_model::monitor::{Event, Monitor};
use subvault_model::names::SubvolumeName;
use subvault_plan::strategy::Strategy;
use subvault_plan::strategy::assemble::strategy;
use subvault_plan::strategy::tier::Tier;
use subvault_store::{Capabilities, ObjectStore};

use crate::capabilities;
use crate::config::starter::{Found, LeftOut, Starter, name_of};
use crate::config::{self, ConfigError, SNAPSHOTS};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::place::BucketArgs;

/// What it takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  subvault init --store /mnt/disk/vault
  subvault init --store s3://vault/laptop --provider backblaze-b2 --region eu-central-003 \\
      --credentials-file /etc/subvault/vault.credentials
  subvault init --dry-run                    print it only")]
pub struct Args {
    /// The store to archive to: a directory (made if its parent is there), or s3://BUCKET/PREFIX
    #[arg(long, value_name = "STORE")]
    store: Option<String>,
    /// Encrypt to this age recipient instead of making a key
    #[arg(long, value_name = "AGE1…", conflicts_with = "unencrypted")]
    recipient: Option<String>,
    /// Do not encrypt
    #[arg(long)]
    unencrypted: bool,
    /// Print the configuration, and write and try out nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
    #[command(flatten)]
    bucket: BucketArgs,
}

/// Where the public key comes from.
enum Key {
    None,
    Given(Recipient),
    Made(Identity),
    /// An earlier `init` made it.
    Found(Identity),
}

/// Writes a configuration.
///
/// # Errors
/// When there is one already, or the store cannot be used.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    if !args.dry_run && context.config.exists() {
        let what = format!("{} exists already", context.config.display());
        return Err(Failure::usage(what, "edit it, move it away, or name another with --config"));
    }
    let strategy = proposed()?;
    let (subvolumes, left_out) = sorted(find(context)?, &strategy);
    let key = match (&args.recipient, args.unencrypted) {
        (Some(given), _) => Key::Given(given.parse().map_err(JobError::from)?),
        (None, true) => Key::None,
        (None, false) => key_beside(&context.config)?,
    };
    let recipient = match &key {
        Key::None => None,
        Key::Given(recipient) => Some(recipient.to_string()),
        Key::Made(identity) | Key::Found(identity) => Some(identity.recipient().to_string()),
    };
    let host = config::own_name()?;
    let target = args.store.as_deref().map(|name| args.bucket.lines(name)).transpose()?;
    let profile = (strategy.profile.value, strategy.profile.because.clone());
    let starter = Starter { host: host.clone(), profile, subvolumes, left_out, target, recipient };
    let text = starter.text();
    if args.dry_run {
        context.answer(&json!({ "config": text }), || text.clone())?;
        return Ok(Exit::Good);
    }
    let tried = args.store.as_deref().map(|name| try_out(args, name, &Layout::new(host))).transpose()?;
    let identity = identity_path(&context.config);
    if let Key::Made(made) = &key {
        write_new(&identity, &key_text(made), 0o600)?;
    }
    write_new(&context.config, &text, 0o600)?;
    let answer = json!({
        "config": context.config.display().to_string(),
        "identity": matches!(key, Key::Made(_)).then(|| identity.display().to_string()),
        "capabilities": tried.as_ref().map(|(_, capabilities)| capabilities),
    });
    context.answer(&answer, || words(args, context, &starter, &key, &identity, tried.as_ref()))?;
    Ok(Exit::Good)
}

fn identity_path(config: &Path) -> PathBuf {
    config.parent().unwrap_or(Path::new("/")).join("identity.txt")
}

/// A new key, unless one lies where it would be written.
fn key_beside(config: &Path) -> Result<Key, Failure> {
    let path = identity_path(config);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Key::Made(Identity::generate())),
        Err(source) => return Err(Failure::Write { what: path.display().to_string(), source }),
    };
    let found = Identity::parse_file(&text).map_err(|error| {
        let what = format!("{}: {error}", path.display());
        Failure::usage(what, "move it away, or say --recipient")
    })?;
    Ok(found.into_iter().next().map_or_else(|| Key::Made(Identity::generate()), Key::Found))
}

fn key_text(identity: &Identity) -> String {
    let secret = identity.secret();
    format!("# created: {:.0}\n# public key: {}\n{}\n", clock::now(), identity.recipient(), secret.as_str())
}

pub(super) fn write_new(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    let write = || {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|source| Failure::Write { what: path.display().to_string(), source })
}

/// The subvolumes that are mounted writable, each once.
fn find(context: &Context) -> Result<Vec<Found>, Failure> {
    let mounts = Mounts::read()?;
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for mount in mounts.btrfs().filter(|m| !m.is_read_only()) {
        // A directory that is mounted on its own is part of a subvolume that is found elsewhere.
        let Ok(subvolume) = Subvolume::open(&mount.point) else { continue };
        let (Ok(pool), Ok(info)) = (Pool::containing(&mount.point), subvolume.info()) else { continue };
        if !seen.insert((pool.uuid(), info.id)) || info.read_only {
            continue;
        }
        match (name_of(&mount.point), mount.point.to_str()) {
            (Some(name), Some(path)) => {
                let nested = nested(&pool, info.id, &mounts, context);
                let name = unused(name, &found);
                found.push(Found { name, path: path.to_owned(), nested, tier: None });
            }
            _ => context.monitor.event(Event::Warning(format!(
                "{} is left out: its name cannot be written in a configuration",
                mount.point.display()
            ))),
        }
    }
    if found.is_empty() {
        return Err(ConfigError::general("no Btrfs subvolume is mounted here")
            .with_hint("mount one; `findmnt -t btrfs` shows what is mounted")
            .into());
    }
    Ok(found)
}

/// What is best for this host when nothing is said.
fn proposed() -> Result<Strategy, Failure> {
    let said = config::said(&config::parse(String::new(), String::new())?)?;
    Ok(strategy(&facts::look(clock::now()).facts, &said))
}

/// Those that are worth keeping, with the reason, and those of which nothing has to come back. Where that is all, all are kept.
fn sorted(found: Vec<Found>, strategy: &Strategy) -> (Vec<Found>, Vec<LeftOut>) {
    let tier_of = |found: &Found| {
        let path = found.path.strip_prefix('/').unwrap_or(&found.path).as_bytes();
        strategy.subvolumes.iter().find(|subvolume| subvolume.path.as_bytes() == path).map(|found| found.tier.clone())
    };
    let mut all: Vec<Found> = found.into_iter().map(|found| Found { tier: tier_of(&found), ..found }).collect();
    let is_kept = |found: &Found| found.tier.as_ref().is_none_or(|tier| tier.value != Tier::Temporary);
    if !all.iter().any(is_kept) {
        return (all, Vec::new());
    }
    let gone: Vec<Found> = all.extract_if(.., |found| !is_kept(found)).collect();
    let because = |found: &Found| found.tier.as_ref().map(|tier| tier.because.clone()).unwrap_or_default();
    let left_out = gone.iter().map(|found| LeftOut { path: found.path.clone(), because: because(found) });
    (all, left_out.collect())
}

/// The name, or with a number behind it where another subvolume has it: `/` and `/root` are both `root`.
fn unused(name: SubvolumeName, found: &[Found]) -> SubvolumeName {
    let is_free = |name: &SubvolumeName| found.iter().all(|other| other.name != *name);
    let numbered = (2..100).filter_map(|number| format!("{name}-{number}").parse().ok());
    std::iter::once(name.clone()).chain(numbered).find(is_free).unwrap_or(name)
}

/// The subvolumes inside, without snapshots and restores of ours, as paths where they can be reached.
fn nested(pool: &Pool, id: SubvolumeId, mounts: &Mounts, context: &Context) -> Vec<PathBuf> {
    let inside = match pool.nested_in(id) {
        Ok(inside) => inside,
        Err(error) => {
            context.monitor.event(Event::Warning(chain(&error)));
            Vec::new()
        }
    };
    let ours = |name: &OsStr| name == SNAPSHOTS || name.as_encoded_bytes().starts_with(STAGED.as_bytes());
    let theirs = inside.iter().filter(|s| !s.path.components().any(|c| ours(c.as_os_str())));
    theirs.filter_map(|s| pool.path_under_mount(s.info.id, mounts).ok().flatten()).collect()
}

fn try_out(args: &Args, name: &str, layout: &Layout) -> Result<(String, Capabilities), Failure> {
    let store = args.bucket.open_or_create(name)?;
    let found = capabilities::probe(&store, layout)?;
    Ok((ObjectStore::describe(&store), found))
}

fn words(
    args: &Args,
    context: &Context,
    starter: &Starter,
    key: &Key,
    identity: &Path,
    tried: Option<&(String, Capabilities)>,
) -> String {
    let (profile, because) = &starter.profile;
    let mut text = format!("wrote {}\n  this is a {profile}: {because}\n", context.config.display());
    for found in &starter.subvolumes {
        text.push_str(&format!("  {} ({})", found.name, found.path));
        match found.nested.len() {
            0 => text.push('\n'),
            1 => text.push_str(", without the subvolume inside of it: see the file\n"),
            n => text.push_str(&format!(", without the {n} subvolumes inside of it: see the file\n")),
        }
    }
    for left_out in &starter.left_out {
        text.push_str(&format!("  not {}: {}\n", left_out.path, left_out.because));
    }
    if let Some((store, capabilities)) = tried {
        text.push_str(&format!("tried {store}: it can be written"));
        let conditional = if capabilities.conditional_put { "" } else { "; it has no conditional writes" };
        text.push_str(&format!("{conditional}\n"));
    }
    if matches!(key, Key::Made(_)) {
        text.push_str(&format!(
            "wrote {}: the key that restores need. Copy it to a safe place off this machine NOW;\n  \
             without it nothing can be read. Archiving does not need it, so it may be removed here.\n",
            identity.display()
        ));
    }
    if matches!(key, Key::Found(_)) {
        text.push_str(&format!("using the key in {}, which was there already\n", identity.display()));
    }
    text.push_str(match args.store {
        Some(_) => "next: `subvault plan` shows what is best here; `subvault archive` archives now\n",
        None => {
            "next: `subvault plan` shows what is best here; fill in [[target]], then `subvault archive --dry-run`\n"
        }
    });
    text
}
