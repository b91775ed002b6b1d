//! One file.

use std::path::{Path, PathBuf};

use subvault_plan::strategy::workload::Workload;

use super::host::{Host, Subvolume};
use super::page::{Page, Part, Place, Step};
use super::shell;
use super::words::{Words, words};
use super::{Target, quote};

/// The page.
pub(super) fn page(host: &Host<'_>) -> Option<Page> {
    let subvolume = example_subvolume(host)?;
    let file = Example { subvolume, path: example(subvolume, "ada/report.odt", "etc/hosts", "example/file") };
    let mut parts = vec![file.missing(), file.wrong()];
    parts.extend(host.targets_of(subvolume).into_iter().map(|target| file.out_of(host, target)));
    parts.extend(file.without_subvault());
    Some(Page {
        name: "file".to_owned(),
        title: "One file".into(),
        when: "A file was deleted, or it is there and what is in it is wrong.".into(),
        at_hand: vec![words_of_places(host), "Roughly when it was still right.".into()],
        parts,
    })
}

/// Where snapshots look.
pub(super) fn words_of_places(host: &Host<'_>) -> Words {
    let places = host.kept().map(|subvolume| quote::shown(&subvolume.at));
    Words::list("Its path. It must lie in a subvolume of which snapshots are taken:", places).stop()
}

/// The subvolume that examples are in: people's files if there are any.
pub(super) fn example_subvolume<'h, 'a>(host: &'h Host<'a>) -> Option<&'h Subvolume<'a>> {
    let is_quiet = |subvolume: &&Subvolume<'_>| !subvolume.is(Workload::Database);
    let users = host.kept().find(|subvolume| subvolume.is(Workload::User));
    users.or_else(|| host.kept().find(|s| is_quiet(s) && !s.is_root())).or_else(|| host.kept().find(is_quiet))
}

/// A path in it, for people's files, for the system, and for anything else.
pub(super) fn example(subvolume: &Subvolume<'_>, of_people: &str, of_system: &str, other: &str) -> PathBuf {
    subvolume.at.join(match subvolume.chosen.workload.value {
        Workload::User => of_people,
        Workload::System => of_system,
        _ => other,
    })
}

struct Example<'h, 'a> {
    subvolume: &'h Subvolume<'a>,
    path: PathBuf,
}

impl Example<'_, '_> {
    fn say(&self) -> Step {
        Step::new("Say which file is meant: put its path in the place of the one that stands here.")
            .run(Place::Here, format!("FILE={}", quote::path(&self.path)))
    }

    fn missing(&self) -> Part {
        let look = Step::new("Look which versions there are.")
            .run(Place::Here, "subvault restore \"$FILE\" --list")
            .see("a line for each version, with its size and the snapshots that have it; in the last line `now`, `not there`.");
        let dry = Step::new("See what would be done. An older version is chosen with `--at '2026-11-20 14:30'`, here and in the next step.")
            .run(Place::Here, "subvault restore \"$FILE\" --dry-run")
            .see("`create` and the file.");
        let act = Step::new("Bring it back.")
            .run(Place::Here, "subvault restore \"$FILE\" --yes")
            .see("`1 files … brought back`.");
        Part::new("It is gone: out of a snapshot of this machine")
            .steps([self.say(), look, dry, act])
            .check(self.check())
            .back([Step::new("It was not there before: remove it again.").run(Place::Here, "rm -- \"$FILE\"")])
    }

    fn check(&self) -> [Step; 2] {
        [
            Step::new("It is there, with the size and the time that it had.").run(Place::Here, "ls -l -- \"$FILE\""),
            Step::new("Compare it with the newest snapshot.")
                .run(Place::Here, "subvault diff \"$FILE\"")
                .see("that it is the same; or, where it was wrong in that snapshot, the lines that are right again."),
        ]
    }

    fn wrong(&self) -> Part {
        let look = Step::new("Look which versions there are.")
            .run(Place::Here, "subvault restore \"$FILE\" --list")
            .see("a line for each version. The newest snapshot may already have the wrong one: then choose the moment with `--at`.");
        let dry = Step::new("See what would be done. An older version is chosen with `--at '2026-11-20 14:30'`, here and in the next step.")
            .run(Place::Here, "subvault restore \"$FILE\" --overwrite --dry-run")
            .see("a `snapshot` that keeps the present state, and `replace` with the file.");
        let act = Step::new("Put the right one in its place.")
            .run(Place::Here, "subvault restore \"$FILE\" --overwrite --yes")
            .see("`the state before is kept in …`, the name of a snapshot. Write it down.");
        let mut part = Part::new("It is there and wrong: out of a snapshot of this machine")
            .steps([self.say(), look, dry, act])
            .check(self.check());
        if let Some(snapshots) = self.subvolume.snapshots {
            part = part.back(kept_state(
                self.subvolume,
                snapshots,
                "subvault restore \"$FILE\" --from \"$KEPT\" --overwrite --yes",
            ));
        }
        part
    }

    fn out_of(&self, host: &Host<'_>, target: &Target) -> Part {
        let name = quote::text(target.name.as_str());
        let key = host.identity_option();
        let (_, reach) = shell::reach(host, target, Place::Here);
        let dry = Step::new("See what would be done. Of an archive the whole subvolume is fetched for it: that takes room and time, which are told.")
            .run(Place::Here, format!("subvault restore \"$FILE\" --from {name} --dry-run"))
            .see("the snapshot that it would come from.");
        let act = Step::new("Bring it back.")
            .run(Place::Here, format!("subvault restore \"$FILE\" --from {name} --yes{key}"))
            .see("`1 files … brought back`.");
        let title = words!("No snapshot of this machine has it: out of {}", target.name);
        Part::new(title.and(Words::page(&target.page(), "(more)")))
            .steps(reach.into_iter().chain([self.say(), dry, act]))
            .check([Step::new("It is there, with the size and the time that it had.")
                .run(Place::Here, "ls -l -- \"$FILE\"")])
            .back([Step::new("It was not there before: remove it again.").run(Place::Here, "rm -- \"$FILE\"")])
    }

    /// Snapshots are directories: any tool reads them.
    fn without_subvault(&self) -> Option<Part> {
        let inside = self.path.strip_prefix(&self.subvolume.at).ok()?;
        let list = snapshots_of(self.subvolume, self.subvolume.snapshots?);
        let choose =
            Step::new("Take the newest snapshot; `ls` of the directory shows them all, and any of them can be meant.")
                .run(Place::Here, format!("{list}\nSNAPSHOT=${{SNAPSHOTS[-1]}}\necho \"$SNAPSHOT\""))
                .see("the path of a snapshot, with the moment (in UTC) at which it was taken.");
        let copy = Step::new("Say where the file is in it, and copy it beside the place where it was.")
            .run(
                Place::Here,
                format!(
                    "INSIDE={}\nFILE={}\ncp -a --reflink=auto -- \"$SNAPSHOT$INSIDE\" \"$FILE.restored\"",
                    quote::path(inside),
                    quote::path(&self.path)
                ),
            )
            .see("nothing: it is done.");
        let put = Step::new("When it is the right one, give it its name.")
            .run(Place::Here, "mv -- \"$FILE.restored\" \"$FILE\"");
        Some(
            Part::new("Without subvault")
                .steps([choose, copy, put])
                .check([Step::new("It is what the snapshot has.")
                    .run(Place::Here, "cmp -- \"$SNAPSHOT$INSIDE\" \"$FILE\"")
                    .see("nothing: both are the same.")])
                .back([Step::new("It was not there before: remove it again.").run(Place::Here, "rm -- \"$FILE\"")]),
        )
    }
}

/// Sets `SNAPSHOTS` to the paths of the snapshots of a subvolume, oldest first. Notes beside them are no directories.
pub(super) fn snapshots_of(subvolume: &Subvolume<'_>, snapshots: &Path) -> String {
    format!("SNAPSHOTS=({}/{}.*Z*/)", quote::path(snapshots), quote::text(subvolume.name()))
}

/// Brings back the state before, which is in the newest snapshot.
pub(super) fn kept_state(subvolume: &Subvolume<'_>, snapshots: &Path, command: &str) -> [Step; 2] {
    let list = snapshots_of(subvolume, snapshots);
    [
        Step::new("Say which snapshot keeps the state before. It is the name that was told; these lines take the newest, which it is until the next one is taken.")
            .run(Place::Here, format!("{list}\nKEPT=$(basename \"${{SNAPSHOTS[-1]}}\")\necho \"$KEPT\""))
            .see("the name that was told."),
        Step::new("Have that state again.").run(Place::Here, command),
    ]
}
