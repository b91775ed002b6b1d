//! Copies of snapshots, on a disk or another machine: they are plain Btrfs subvolumes, which any Linux can read.

use std::path::{Path, PathBuf};

use super::host::{Host, Subvolume};
use super::page::{Page, Part, Place, Step};
use super::words::Words;
use super::{Site, Target, quote, shell};

/// Where a disk with copies is mounted by hand.
const DISK: &str = "/mnt/copies";
/// Where what is copied out of it comes to.
const OUT: &str = "/root/recovered";
const NO_CRYPT: &str = "the kernels of the tests cannot open encrypted disks";

/// The page.
pub(super) fn page(host: &Host<'_>, target: &Target) -> Option<Page> {
    let sent = host.sent_to(target);
    let copies = Copies { host, target, example: sent.iter().find(|s| !s.is_root()).or(sent.first())?, sent: &sent };
    let (at_hand, _) = shell::reach(host, target, Place::Here);
    let mut parts = vec![copies.with_subvault()];
    match &target.site {
        Site::Host { host, port, directory } => parts.push(copies.over_ssh(host, *port, directory)),
        _ => parts.extend([copies.files(), copies.whole()]),
    }
    Some(Page {
        name: target.page(),
        title: Words::new(&format!("Out of {} {{}}", target.kind()), &[&target.name]),
        when: "No snapshot of this machine has it, or the machine is not there any more.".into(),
        at_hand,
        parts,
    })
}

struct Copies<'h, 'a> {
    host: &'h Host<'a>,
    target: &'h Target,
    /// The subvolume that stands in the commands.
    example: &'h Subvolume<'a>,
    sent: &'h [&'h Subvolume<'a>],
}

/// Says which subvolume is meant.
pub(super) fn say_subvolume(example: &Subvolume<'_>, sent: &[&Subvolume<'_>], place: Place) -> Step {
    let names =
        Words::list("Say which subvolume is meant. There are", sent.iter().map(|subvolume| subvolume.name())).stop();
    Step::new(names).run(place, format!("SUBVOLUME={}", quote::text(example.name())))
}

/// Says to which Btrfs it goes.
pub(super) fn say_destination(place: Place) -> Step {
    Step::new("Say where to: a directory of a mounted Btrfs with room for it.")
        .run(place, format!("TO={OUT}\nmkdir -p \"$TO\"\nstat -f -c %T \"$TO\""))
        .see("`btrfs`. Anything else is no place for a subvolume: choose another one.")
}

/// Brings a whole subvolume, on the machine that has the configuration.
pub(super) fn with_subvault(
    host: &Host<'_>,
    target: &Target,
    example: &Subvolume<'_>,
    sent: &[&Subvolume<'_>],
) -> Part {
    let name = quote::text(target.name.as_str());
    let (_, reach) = shell::reach(host, target, Place::Here);
    let key = host.identity_option();
    let command = format!("subvault restore \"$SUBVOLUME\" --from {name} --to \"$TO\"{key}");
    let list = Step::new("Look what there is.")
        .run(Place::Here, "subvault list \"$SUBVOLUME\"")
        .see("a line for each moment; behind it, where it is.");
    let dry = Step::new(
        "See what would come. An older state is chosen with `--at '2026-11-20 14:30'`, here and in the next step.",
    )
    .run(Place::Here, format!("{command} --dry-run"))
    .see("the snapshot, and how much would be fetched.");
    let act = Step::new("Bring it. Interrupted, give the same command again: it goes on where it was.")
        .run(Place::Here, command)
        .see("`writable`, and the path to which it came.");
    Part::new("On this machine, with subvault")
        .steps(reach.into_iter().chain([
            say_subvolume(example, sent, Place::Here),
            say_destination(Place::Here),
            list,
            dry,
            act,
        ]))
        .check([Step::new("It is there: a writable subvolume, and its read-only snapshot beside it.")
            .run(Place::Here, "ls -la \"$TO\" \"$TO/$SUBVOLUME\"")])
        .back([Step::new("Remove what came.")
            .run(Place::Here, "btrfs subvolume delete \"$TO/$SUBVOLUME\" \"$TO/$SUBVOLUME\".*Z*/")])
}

impl Copies<'_, '_> {
    fn with_subvault(&self) -> Part {
        with_subvault(self.host, self.target, self.example, self.sent)
    }

    /// Where the copies are mounted by hand, and what mounts and unmounts them.
    fn by_hand(&self) -> (PathBuf, Vec<Step>, Vec<Step>) {
        match &self.target.site {
            Site::Disk { uuid, directory, luks } => {
                let opened = luks.as_ref().map(|(uuid, _)| {
                    Step::new("Open the disk. It asks for a passphrase; with the file of its key, add `--key-file` and that file.")
                        .skip(Place::OtherMachine, format!("cryptsetup open --type luks UUID={uuid} copies"), NO_CRYPT)
                });
                let closed = luks.is_some().then(|| {
                    Step::new("Close the disk.").skip(Place::OtherMachine, "cryptsetup close copies", NO_CRYPT)
                });
                let mount = Step::new("Mount the disk, so that nothing on it can change.")
                    .run(Place::OtherMachine, format!("mkdir -p {DISK}\nmount -o ro,subvolid=5 UUID={uuid} {DISK}"));
                let leave = Step::new("Let go of the disk.").run(Place::OtherMachine, format!("umount {DISK}"));
                (
                    Path::new(DISK).join(directory),
                    opened.into_iter().chain([mount]).collect(),
                    [leave].into_iter().chain(closed).collect(),
                )
            }
            Site::Mounted(directory) => {
                let (_, reach) = shell::reach(self.host, self.target, Place::OtherMachine);
                (directory.clone(), reach, Vec::new())
            }
            _ => (PathBuf::new(), Vec::new(), Vec::new()),
        }
    }

    /// Steps that set `COPY` to the newest copy of a subvolume.
    fn choose(&self, directory: &Path) -> [Step; 2] {
        let all = quote::path(&directory.join(self.host.name()));
        [
            say_subvolume(self.example, self.sent, Place::OtherMachine),
            Step::new("Take the newest copy; any of them can be meant.")
                .run(
                    Place::OtherMachine,
                    format!(
                        "COPIES=({all}/\"$SUBVOLUME\"/*Z*/)\nprintf '%s\\n' \"${{COPIES[@]}}\"\nCOPY=${{COPIES[-1]%/}}"
                    ),
                )
                .see("the paths of all copies, the newest last, with the moments (in UTC) at which they were taken."),
        ]
    }

    fn files(&self) -> Part {
        let (directory, mount, leave) = self.by_hand();
        let copy = Step::new("Say what is wanted of it, and copy it; `.` is everything.")
            .run(Place::OtherMachine, format!("INSIDE=.\nmkdir -p {OUT}\ncp -a -- \"$COPY/$INSIDE\" {OUT}/"))
            .see("nothing: it is done.");
        Part::new("By hand: files and directories, on any Linux")
            .steps(mount.into_iter().chain(self.choose(&directory)).chain([copy]))
            .check([Step::new("It is what the copy has.")
                .run(
                    Place::OtherMachine,
                    format!("diff -rq --no-dereference -- \"$COPY/$INSIDE\" {OUT}/\"$(basename \"$INSIDE\")\""),
                )
                .see("nothing: both are the same.")])
            .back(leave)
    }

    fn whole(&self) -> Part {
        let (directory, mount, leave) = self.by_hand();
        let send = Step::new("Send the copy there, and take a writable snapshot of what arrived.")
            .run(
                Place::OtherMachine,
                "set -o pipefail\nbtrfs send \"$COPY\" | btrfs receive \"$TO\"\nbtrfs subvolume snapshot \"$TO/$(basename \"$COPY\")\" \"$TO/$SUBVOLUME\"",
            )
            .see("`Create a snapshot of`. A line with `ERROR` means that it did not arrive as a whole.");
        let check = Step::new("It is what the copy has.")
            .run(Place::OtherMachine, "diff -rq --no-dereference -- \"$COPY\" \"$TO/$SUBVOLUME\"")
            .see("nothing: both are the same.");
        let undo = Step::new("Remove what came.")
            .run(Place::OtherMachine, "btrfs subvolume delete \"$TO/$SUBVOLUME\" \"$TO/$(basename \"$COPY\")\"");
        Part::new("By hand: a whole subvolume, on any Linux")
            .steps(mount.into_iter().chain(self.choose(&directory)).chain([say_destination(Place::OtherMachine), send]))
            .check([check])
            .back([undo].into_iter().chain(leave))
    }

    fn over_ssh(&self, login: &str, port: Option<u16>, directory: &Path) -> Part {
        let port = port.map_or_else(String::new, |port| format!("-p {port} "));
        let ssh = format!("ssh {port}{}", quote::operand(Path::new(login)));
        let all = quote::path(&directory.join(self.host.name()));
        let choose = Step::new("Look which copies there are, and take the newest; any of them can be meant. The key of this host cannot do this: log in as an administrator of that machine.")
            .run(
                Place::OtherMachine,
                format!("COPIES={all}/\"$SUBVOLUME\"\nNAME=$({ssh} \"ls $(printf %q \"$COPIES\")\" | tail -n 1)\necho \"$NAME\""),
            )
            .see("the name of a copy, with the moment (in UTC) at which it was taken.");
        let send = Step::new("Have it sent, and take a writable snapshot of what arrived.")
            .run(
                Place::OtherMachine,
                format!(
                    "set -o pipefail\n{ssh} \"btrfs send $(printf %q \"$COPIES/$NAME\")\" | btrfs receive \"$TO\"\nbtrfs subvolume snapshot \"$TO/$NAME\" \"$TO/$SUBVOLUME\""
                ),
            )
            .see("`Create a snapshot of`. A line with `ERROR` means that it did not arrive as a whole.");
        let check = Step::new("It is there: a writable subvolume, and its read-only snapshot beside it.")
            .run(Place::OtherMachine, "ls -la \"$TO\" \"$TO/$SUBVOLUME\"");
        let undo = Step::new("Remove what came.")
            .run(Place::OtherMachine, "btrfs subvolume delete \"$TO/$SUBVOLUME\" \"$TO/$NAME\"");
        let say = [say_subvolume(self.example, self.sent, Place::OtherMachine), say_destination(Place::OtherMachine)];
        Part::new("By hand: a whole subvolume, on any Linux")
            .steps(say.into_iter().chain([choose, send]))
            .check([check])
            .back([undo])
    }
}
