//! A directory.

use std::path::PathBuf;

use super::file::{example, example_subvolume, kept_state, words_of_places};
use super::host::{Host, Subvolume};
use super::page::{Page, Part, Place, Step};
use super::shell;
use super::words::{Words, words};
use super::{Target, quote};

/// Where it comes to when it is only looked at.
const BESIDE: &str = "/root/restored";

/// The page.
pub(super) fn page(host: &Host<'_>) -> Option<Page> {
    let subvolume = example_subvolume(host)?;
    let directory = Example { subvolume, path: example(subvolume, "ada/project", "etc/ssh", "example") };
    let mut parts = vec![directory.missing(), directory.as_it_was(), directory.beside()];
    parts.extend(host.targets_of(subvolume).into_iter().map(|target| directory.out_of(host, target)));
    Some(Page {
        name: "directory".to_owned(),
        title: "A directory".into(),
        when: "A directory was deleted, things in it are missing, or much in it is wrong.".into(),
        at_hand: vec![words_of_places(host), "Roughly when it was still right.".into()],
        parts,
    })
}

struct Example<'h, 'a> {
    subvolume: &'h Subvolume<'a>,
    path: PathBuf,
}

impl Example<'_, '_> {
    fn say(&self) -> Step {
        Step::new("Say which directory is meant: put its path in the place of the one that stands here.")
            .run(Place::Here, format!("DIRECTORY={}", quote::path(&self.path)))
    }

    fn missing(&self) -> Part {
        let dry = Step::new("See what would be done. What is there stays as it is. An older state is chosen with `--at '2026-11-20 14:30'`, here and in the next step.")
            .run(Place::Here, "subvault restore \"$DIRECTORY\" --dry-run")
            .see("`create` and what is missing.");
        let act = Step::new("Bring it back.")
            .run(Place::Here, "subvault restore \"$DIRECTORY\" --yes")
            .see("how many files were brought back. What differs and was left alone is named.");
        let undo = Step::new("It was not there before: remove it again. Where only parts were missing, remove those that the list named.")
            .run(Place::Here, "rm -r -- \"$DIRECTORY\"");
        Part::new("It is gone, or things in it are missing")
            .steps([self.say(), dry, act])
            .check(self.check())
            .back([undo])
    }

    fn check(&self) -> [Step; 2] {
        let name = quote::text(self.subvolume.name());
        [
            Step::new("It is there.").run(Place::Here, "ls -la -- \"$DIRECTORY\""),
            Step::new("Compare it with the newest snapshot.")
                .run(Place::Here, format!("subvault diff {name} -- \"$DIRECTORY\""))
                .see("what differs from that snapshot. Nothing of what was missing is in the list with a `-`."),
        ]
    }

    fn as_it_was(&self) -> Part {
        let name = quote::text(self.subvolume.name());
        let from = words!(
            "Since when: {} is its newest snapshot. An older state is written {}.",
            self.subvolume.name(),
            format!("{}@'2026-11-20 14:30'", self.subvolume.name())
        );
        let since = Step::new(from).run(Place::Here, format!("SINCE={name}"));
        let dry = Step::new("See what would be done: what was made since then goes, what is gone comes back, what was written has its former content.")
            .run(Place::Here, "subvault undo \"$SINCE\" --dry-run -- \"$DIRECTORY\"")
            .see("a `snapshot` that keeps the present state, and a line for each change that is taken back.");
        let act = Step::new("Do it.")
            .run(Place::Here, "subvault undo \"$SINCE\" --yes -- \"$DIRECTORY\"")
            .see("`the state before is kept in …`, the name of a snapshot. Write it down.");
        let mut part = Part::new("All of it as it was, and nothing newer")
            .steps([self.say(), since, dry, act])
            .check(self.check());
        if let Some(snapshots) = self.subvolume.snapshots {
            part = part.back(kept_state(self.subvolume, snapshots, "subvault undo \"$KEPT\" --yes -- \"$DIRECTORY\""));
        }
        part
    }

    fn beside(&self) -> Part {
        let act = Step::new("Bring it to another place, and look there.")
            .run(Place::Here, format!("mkdir -p {BESIDE}\nsubvault restore \"$DIRECTORY\" --to {BESIDE}"))
            .see("how many files were brought back.");
        Part::new("Beside what is there, to look at it first")
            .steps([self.say(), act])
            .check([Step::new("See how it differs from what is there now.")
                .run(Place::Here, format!("diff -rq -- {BESIDE}/\"$(basename \"$DIRECTORY\")\" \"$DIRECTORY\" || true"))
                .see("a line for each file that differs, and nothing where all is the same.")])
            .back([Step::new("Remove what was brought there.")
                .run(Place::Here, format!("rm -r -- {BESIDE}/\"$(basename \"$DIRECTORY\")\""))])
    }

    fn out_of(&self, host: &Host<'_>, target: &Target) -> Part {
        let name = quote::text(target.name.as_str());
        let key = host.identity_option();
        let (_, reach) = shell::reach(host, target, Place::Here);
        let dry = Step::new("See what would be done. Of an archive the whole subvolume is fetched for it: that takes room and time, which are told.")
            .run(Place::Here, format!("subvault restore \"$DIRECTORY\" --from {name} --dry-run"))
            .see("the snapshot that it would come from.");
        let act = Step::new("Bring it back.")
            .run(Place::Here, format!("subvault restore \"$DIRECTORY\" --from {name} --yes{key}"))
            .see("how many files were brought back.");
        let title = words!("No snapshot of this machine has it: out of {}", target.name);
        Part::new(title.and(Words::page(&target.page(), "(more)")))
            .steps(reach.into_iter().chain([self.say(), dry, act]))
            .check([Step::new("It is there.").run(Place::Here, "ls -la -- \"$DIRECTORY\"")])
            .back([Step::new("It was not there before: remove it again.").run(Place::Here, "rm -r -- \"$DIRECTORY\"")])
    }
}
