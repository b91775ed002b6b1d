//! The first page: what happened, and which page to turn to; what must be kept elsewhere; what there is on this host.

use super::host::Host;
use super::page::Page;
use super::table::Table;
use super::words::{Words, words};
use super::{Site, html, markdown, quote, rollback};

/// What stands on it.
pub(super) struct Index<'a> {
    host: &'a str,
    intro: Vec<Words>,
    tables: Vec<(Words, Table)>,
}

impl<'a> Index<'a> {
    pub(super) fn of(host: &Host<'a>, pages: &[Page]) -> Self {
        let tables = vec![
            ("What happened".into(), situations(pages)),
            ("What there is".into(), subvolumes(host)),
            ("Where it is sent to".into(), targets(host)),
        ];
        Self { host: host.name(), intro: intro(host), tables }
    }

    pub(super) fn markdown(&self) -> String {
        let mut text = format!("# Recovering {}\n", markdown::code(self.host));
        self.intro.iter().for_each(|sentence| text.push_str(&format!("\n{}\n", markdown::words(sentence))));
        for (heading, table) in &self.tables {
            text.push_str(&format!("\n## {}\n\n{}", markdown::words(heading), table.markdown()));
        }
        text
    }

    pub(super) fn html(&self, pages: &[Page]) -> String {
        html::document(self.host, &self.intro, &self.tables, pages)
    }
}

fn intro(host: &Host<'_>) -> Vec<Words> {
    let settings = quote::shown(host.settings());
    let identity = quote::shown(host.identity());
    let mut intro = vec![
        "Print this, and keep it where the backups are not: whoever needs it may have lost the machine that it was made on.".into(),
        words!("Keep a copy of {} with it, on paper or on a stick: the private key {}, without which no archive can be read by anybody, the configuration, and the access keys.", settings, identity),
        "Commands are for `bash`, as root, in one terminal, in the order in which they stand. What is looked at first changes nothing; nothing is deleted before the end, and each page says how to go back.".into(),
        "Moments are written `2026-11-20 14:30`, by the clock on the wall. In the names of snapshots they are in UTC.".into(),
    ];
    intro.extend(host.unusual_config());
    intro.extend(rollback::not_kept(host));
    if host.runbook.targets.is_empty() {
        intro.push("Nothing of this host is sent anywhere: when its disk dies, everything is lost.".into());
    }
    intro
}

fn situations(pages: &[Page]) -> Table {
    let mut table = Table::new(&["Page", "When"]);
    for page in pages {
        table.add([Words::page(&page.name, &page.title.text()), page.when.clone()]);
    }
    table
}

fn subvolumes(host: &Host<'_>) -> Table {
    let mut table = Table::new(&["Subvolume", "Mounted at", "In its pool", "Pool", "For", "Snapshots", "Sent to"]);
    for subvolume in &host.subvolumes {
        let place = subvolume.place();
        let none = || Words::from("-");
        let at = quote::shown(&subvolume.at);
        let sent = host.targets_of(subvolume);
        table.add([
            words!("{}", subvolume.name()),
            words!("{}", at),
            place.as_ref().map_or_else(none, |place| words!("{}", quote::shown(&place.path))),
            place.as_ref().map_or_else(none, |place| words!("{}", place.pool)),
            words!("{}", subvolume.chosen.workload.value),
            match (subvolume.snapshots.filter(|_| subvolume.is_kept()), &subvolume.chosen.snapshots.value) {
                (Some(snapshots), Some(calendar)) => words!("{}, in {}", calendar, quote::shown(snapshots)),
                _ => none(),
            },
            if sent.is_empty() {
                "nowhere: it is lost with its pool".into()
            } else {
                Words::list("", sent.iter().map(|target| &target.name))
            },
        ]);
    }
    table
}

fn targets(host: &Host<'_>) -> Table {
    let mut table = Table::new(&["Target", "What it is", "Where"]);
    for target in &host.runbook.targets {
        let place = match &target.site {
            Site::Directory(directory) | Site::Mounted(directory) => words!("{}", quote::shown(directory)),
            Site::Disk { uuid, directory, luks: None } => words!("the disk {}, in {}", uuid, quote::shown(directory)),
            Site::Disk { uuid, directory, luks: Some((luks, _)) } => {
                words!("the disk {} inside of the LUKS container {}, in {}", uuid, luks, quote::shown(directory))
            }
            Site::Host { host, directory, .. } => words!("{}, in {}", host, quote::shown(directory)),
            Site::Bucket(bucket) => {
                let prefix = bucket.prefix.as_deref().unwrap_or("");
                words!("{} at {}, in {}", format!("s3://{}/{prefix}", bucket.bucket), bucket.provider, bucket.region)
            }
        };
        table.add([Words::page(&target.page(), target.name.as_str()), target.kind().into(), place]);
    }
    table
}
