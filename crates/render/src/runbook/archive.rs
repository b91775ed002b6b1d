//! Streams in a directory or a bucket: with subvault here, with subvault and nothing else on another machine, and with the
//! tools that every distribution has.

use super::copies::{say_destination, say_subvolume, with_subvault};
use super::host::{Host, Subvolume};
use super::page::{Page, Part, Place, Step};
use super::words::{Words, words};
use super::{Site, Target, bucket, quote, shell, stock};

/// Where the private key is put on another machine.
const KEY: &str = "/root/identity.txt";
/// Where the access key of a bucket is put there.
pub(super) const CREDENTIALS: &str = "/root/credentials";
/// Where a bucket is copied to.
const COPY: &str = "/mnt/copy";

/// The page.
pub(super) fn page(host: &Host<'_>, target: &Target) -> Option<Page> {
    let sent = host.sent_to(target);
    let example = sent.iter().find(|s| !s.is_root()).or(sent.first())?;
    let archive = Archive { host, target, example, sent: &sent };
    let (mut at_hand, _) = shell::reach(host, target, Place::Here);
    let identity = quote::shown(host.identity());
    at_hand.push(words!(
        "The private key, {}. Without it nothing can be read, by nobody: it must not be only on this host.",
        identity
    ));
    let mut parts = Vec::new();
    if let Site::Bucket(bucket) = &target.site {
        parts.extend(bucket::thaw(host, target, bucket, example, &sent));
    }
    parts.push(with_subvault(host, target, example, &sent));
    parts.push(archive.elsewhere());
    parts.push(archive.with_stock_tools());
    Some(Page {
        name: target.page(),
        title: Words::new(&format!("Out of {} {{}}", target.kind()), &[&target.name]),
        when: "No snapshot of this machine and no copy on a disk has it, or the machine is not there any more.".into(),
        at_hand,
        parts,
    })
}

struct Archive<'h, 'a> {
    host: &'h Host<'a>,
    target: &'h Target,
    /// The subvolume that stands in the commands.
    example: &'h Subvolume<'a>,
    sent: &'h [&'h Subvolume<'a>],
}

impl Archive<'_, '_> {
    /// The options that name the store where there is no configuration.
    fn store(&self) -> String {
        let host = quote::text(self.host.name());
        match &self.target.site {
            Site::Bucket(bucket) => format!("{} --host {host}", bucket::store(bucket)),
            Site::Directory(directory) => format!("--store {} --host {host}", quote::path(directory)),
            _ => String::new(),
        }
    }

    /// What has to be brought to another machine.
    fn bring(&self) -> (Vec<Step>, String) {
        let (_, mut steps) = shell::reach(self.host, self.target, Place::OtherMachine);
        let mut files = format!("ls -l {KEY}");
        let mut what = words!("Bring the private key there, as {}", KEY);
        if matches!(&self.target.site, Site::Bucket(bucket) if bucket.credentials.is_some()) {
            files.push_str(&format!(" {CREDENTIALS}"));
            what = what.and(words!("and the access key, as {}, readable by root only", CREDENTIALS));
        }
        steps.push(Step::new(what.stop()).run(Place::OtherMachine, files.clone()));
        (steps, files)
    }

    fn elsewhere(&self) -> Part {
        let store = self.store();
        let (bring, _) = self.bring();
        let program = Step::new("Bring the program `subvault` there: it is one file that runs on any Linux.")
            .run(Place::OtherMachine, "command -v subvault");
        let list = Step::new("Look what there is.")
            .run(Place::OtherMachine, format!("subvault list {store}"))
            .see("a line for each moment of each subvolume.");
        let command = format!("subvault restore \"$SUBVOLUME\" {store} -i {KEY} --to \"$TO\"");
        let act = Step::new("Bring it. An older state is chosen with `--at '2026-11-20 14:30'`. Interrupted, give the same command again: it goes on where it was.")
            .run(Place::OtherMachine, command)
            .see("`writable`, and the path to which it came. It was compared with what the snapshot held.");
        let say = [say_subvolume(self.example, self.sent, Place::OtherMachine), say_destination(Place::OtherMachine)];
        Part::new("On another machine, with subvault and nothing else of this host")
            .steps(bring.into_iter().chain([program, list]).chain(say).chain([act]))
            .check([Step::new("It is there: a writable subvolume, and its read-only snapshot beside it.")
                .run(Place::OtherMachine, "ls -la \"$TO\" \"$TO/$SUBVOLUME\"")])
            .back([Step::new("Remove what came.")
                .run(Place::OtherMachine, "btrfs subvolume delete \"$TO/$SUBVOLUME\" \"$TO/$SUBVOLUME\".*Z*/")])
    }

    fn with_stock_tools(&self) -> Part {
        let run = |what: &str, command: &str| Step::new(what).run(Place::OtherMachine, command);
        let (mut steps, _) = self.bring();
        steps.push(say_subvolume(self.example, self.sent, Place::OtherMachine));
        steps.push(say_destination(Place::OtherMachine));
        let store = match &self.target.site {
            Site::Bucket(bucket) => {
                steps.extend(bucket::copy(bucket, self.host.name(), COPY));
                COPY.to_owned()
            }
            Site::Directory(directory) | Site::Mounted(directory) => quote::path(directory),
            Site::Disk { .. } | Site::Host { .. } => String::new(),
        };
        let lines = format!("STORE={store}\nHOST={}\nKEY={KEY}\nSTREAM=", quote::text(self.host.name()));
        steps.push(run("Say where the streams are, and which is meant: none is the newest.", &lines));
        steps.extend(stock::blocks().map(|(what, command)| run(what, command)));
        Part::new("With stock tools, without subvault: age, zstd, jq and btrfs-progs")
            .steps(steps)
            .check([run("It is there.", "ls -la \"$TO/$SUBVOLUME\"")])
            .back([run("Remove what came.", "btrfs subvolume delete \"$TO/$SUBVOLUME\" \"$TO/$SUBVOLUME\".*Z*/")])
    }
}
