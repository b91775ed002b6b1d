//! Recovery runbooks of a host: what somebody does who lost something, with this host's own names in real commands.
//!
//! A page for each situation, and all of them as one page of HTML to be printed: whoever needs it may have lost the machine
//! that it was made on. Only what exists is named. Nothing here may depend on how a name looks: each is one word of a
//! command, whatever bytes it has. A test runs every command that Linux can run on a copy of two hosts.

mod android;
mod archive;
mod bucket;
mod copies;
mod database;
mod directory;
mod file;
mod host;
mod html;
mod index;
mod markdown;
mod metal;
mod page;
mod quote;
mod rollback;
mod shell;
mod stock;
mod subvolume;
mod table;
mod windows;
mod words;

use std::collections::BTreeMap;
use std::path::PathBuf;

use subvault_model::facts::Facts;
use subvault_model::ids::PoolUuid;
use subvault_model::names::{SubvolumeName, TargetName};
use subvault_plan::strategy::Strategy;

pub use self::markdown::NOT_RUN;
pub use self::page::{Command, Kind, Page, Part, Place, Step};
pub use self::words::Words;
use crate::file::RenderedFile;

/// How the files begin that may be written anew: whoever changes one takes this line out, and it is left alone.
pub const MARK: &str =
    "<!-- Written by `subvault render runbooks`. Take this line out to keep changes of your own. -->\n";

/// What runbooks are made of.
#[derive(Debug, Clone)]
pub struct Runbook {
    /// What was decided for the host.
    pub strategy: Strategy,
    /// What is known of it.
    pub facts: Facts,
    /// Where the snapshots of each subvolume of the configuration are.
    pub snapshots: BTreeMap<SubvolumeName, PathBuf>,
    /// Where each target is.
    pub targets: Vec<Target>,
    /// The configuration.
    pub config: PathBuf,
    /// The private key. It, the configuration and access keys are in one directory, of which a copy is kept elsewhere.
    pub identity: PathBuf,
    /// What `/etc/fstab` says; empty where it is not known.
    pub fstab: Vec<u8>,
    /// The repository that Windows and telephones send to, where there is one.
    pub restic: Option<Restic>,
}

/// Where a target is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its name.
    pub name: TargetName,
    /// Where it is.
    pub site: Site,
}

/// Where a target is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Site {
    /// Streams in a directory.
    Directory(PathBuf),
    /// Streams in a bucket.
    Bucket(Bucket),
    /// Copies in a directory that is always mounted.
    Mounted(PathBuf),
    /// Copies on a disk that is plugged in.
    Disk {
        /// Its Btrfs.
        uuid: PoolUuid,
        /// Where the copies are, from its top level.
        directory: PathBuf,
        /// What is opened before: its uuid, and the file with its key.
        luks: Option<(String, PathBuf)>,
    },
    /// Copies on another machine.
    Host {
        /// `user@host`.
        host: String,
        /// Another port than usual.
        port: Option<u16>,
        /// Where the copies are there.
        directory: PathBuf,
    },
}

/// A bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Whose, in the configuration's word.
    pub provider: String,
    /// Its name.
    pub bucket: String,
    /// What all keys begin with.
    pub prefix: Option<String>,
    /// Where it is, in the provider's spelling.
    pub region: String,
    /// Its address, where that does not follow from provider and region.
    pub endpoint: Option<String>,
    /// The file with its access key, where it is one.
    pub credentials: Option<PathBuf>,
    /// The storage class of what is large, as the provider calls it.
    pub class: Option<String>,
}

/// A repository of restic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restic {
    /// As `restic -r` takes it.
    pub repository: String,
    /// The file with its password.
    pub password_file: PathBuf,
}

/// The files: a Markdown page for each situation, one that leads to them, and one page of HTML with all of them.
#[must_use]
pub fn runbooks(runbook: &Runbook) -> Vec<RenderedFile> {
    let pages = pages(runbook);
    let first = index::Index::of(&host::Host::of(runbook), &pages);
    let file = |name: &str, text: String| RenderedFile { path: name.into(), text: format!("{MARK}{text}") };
    let mut files = vec![file("README.md", first.markdown())];
    files.extend(pages.iter().map(|page| file(&format!("{}.md", page.name), markdown::page(page))));
    files.push(file("runbooks.html", first.html(&pages)));
    files
}

/// The pages as data.
#[must_use]
pub fn pages(runbook: &Runbook) -> Vec<Page> {
    let host = host::Host::of(runbook);
    let mut pages: Vec<Page> = [file::page(&host), directory::page(&host)].into_iter().flatten().collect();
    pages.extend(subvolume::page(&host));
    pages.extend(rollback::page(&host));
    pages.extend(database::pages(&host));
    pages.extend(host.runbook.targets.iter().filter_map(|target| match &target.site {
        Site::Disk { .. } | Site::Mounted(_) | Site::Host { .. } => copies::page(&host, target),
        Site::Directory(_) | Site::Bucket(_) => archive::page(&host, target),
    }));
    pages.extend(metal::page(&host));
    pages.extend(windows::page(&host));
    pages.extend(android::page(&host));
    pages
}
