//! `subvault restore SUBVOLUME`: brings a whole subvolume back from the best place: a snapshot on the pool, a copy on a disk or
//! another machine, or an archive.

use std::path::Path;

use serde_json::json;
use subvault_host::clock;
use subvault_jobs::driver::chain;
use subvault_jobs::error::JobError;
use subvault_jobs::replicate::Reached;
use subvault_jobs::restore::Form;
use subvault_jobs::restore_copy::{CopyRestore, Origin, RestoredCopy, parent_for, restore_copy};
use subvault_jobs::setup::{Setup, SubvolumeSetup};
use subvault_jobs::snapshot;
use subvault_jobs::versions::{self, Found, Reach};
use subvault_model::ids::SnapshotUuid;
use subvault_model::monitor::{Event, Monitor};
use subvault_model::names::{SnapshotName, SubvolumeName};
use subvault_plan::versions::{Holds, PlaceKind, Version, choose_whole};

use super::archive::{self, Choice};
use super::{Args, Place, place_of};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, size, table};

/// What is asked for.
pub struct Whole<'a> {
    /// Which subvolume.
    pub subvolume: SubvolumeName,
    /// Into which directory of a Btrfs filesystem.
    pub to: &'a Path,
    /// What else was said.
    pub args: &'a Args,
}

/// Restores.
///
/// # Errors
/// When it cannot be restored; nothing is put in place then.
pub fn run(whole: &Whole<'_>, context: &Context) -> Result<Exit, Failure> {
    if let Some(store) = &whole.args.place.store {
        return archive::run_explicit(whole, store, context);
    }
    let setup = context.setup()?;
    let mut search = Search { whole, context, setup: &setup, candidates: Vec::new(), reached: Reached::default() };
    search.look()?;
    let versions: Vec<Version> = search.candidates.iter().map(|candidate| candidate.version.clone()).collect();
    let Some(chosen) = choose_whole(&versions, whole.args.at) else {
        let when = whole.args.at.map_or_else(String::new, |at| format!(" of {} or before", size::moment(at)));
        return Err(JobError::Refused {
            what: format!("no place that could be looked at has {}{when}", whole.subvolume),
            hint: "`subvault list` shows what there is".to_owned(),
        }
        .into());
    };
    if !context.json {
        output::say(&places(&versions, chosen, whole))?;
    }
    let Search { mut candidates, reached, .. } = search;
    let Candidate { version, source } = candidates.swap_remove(chosen);
    drop(candidates);
    match source {
        Source::Archive(choice) => archive::run(whole, &choice, &setup.state, context),
        Source::Found(found) => {
            let job = FromCopy { whole, context, setup: &setup, versions: &versions, version: &version };
            job.run(*found, &reached)
        }
    }
}

/// Where a subvolume may come back from.
struct Candidate {
    version: Version,
    source: Source,
}

enum Source {
    Found(Box<Found>),
    Archive(Box<Choice>),
}

struct Search<'a> {
    whole: &'a Whole<'a>,
    context: &'a Context,
    setup: &'a Setup,
    candidates: Vec<Candidate>,
    /// The replicas that candidates are at.
    reached: Reached,
}

impl Search<'_> {
    /// Looks at the place that was named, or at all.
    fn look(&mut self) -> Result<(), Failure> {
        let from = self.whole.args.named_place().map(|from| place_of(self.setup, &from)).transpose()?;
        // Another host's streams are in archives alone.
        if self.whole.args.place.host.is_some() {
            return match from {
                None => self.archives(None),
                Some(Place::Archive(target)) => self.archives(Some(&target)),
                Some(_) => {
                    let what = "of another host there are only archives here";
                    Err(Failure::usage(what.to_owned(), "name a target that has archives with --from, or none"))
                }
            };
        }
        match from {
            None => {
                let here = self.local();
                self.copies(None, &here)?;
                if self.setup.targets.is_empty() && !self.candidates.is_empty() {
                    return Ok(());
                }
                match self.archives(None) {
                    // Where there is another place, a store that cannot be read is no reason to give up.
                    Err(failure) if !self.candidates.is_empty() => {
                        self.context.monitor.event(Event::Warning(failure.to_string()));
                        Ok(())
                    }
                    other => other,
                }
            }
            Some(Place::Snapshot(name)) => {
                self.local();
                self.candidates.retain(|candidate| candidate.version.name == name.to_string());
                self.candidates.iter_mut().for_each(|candidate| candidate.version.by_name_only = false);
                Ok(())
            }
            Some(Place::Path(path)) => {
                let found = versions::at_path(&path, Path::new(""))?;
                self.add(found);
                Ok(())
            }
            Some(Place::Replica(target)) => self.copies(Some(&target), &[]),
            Some(Place::Archive(target)) => self.archives(Some(&target)),
        }
    }

    fn add(&mut self, found: Found) {
        let version = found.version.clone();
        self.candidates.push(Candidate { version, source: Source::Found(Box::new(found)) });
    }

    /// The snapshots on the pool; their identities.
    fn local(&mut self) -> Vec<SnapshotUuid> {
        let Some(subvolume) = self.setup.subvolume(&self.whole.subvolume) else { return Vec::new() };
        let found = versions::local(subvolume, Path::new("")).map(|(found, _)| found);
        // The subvolume may be what is gone.
        let found = found.or_else(|error| match orphaned(subvolume) {
            Ok(found) if !found.is_empty() => Ok(found),
            _ => Err(error),
        });
        match found {
            Ok(found) => {
                let here = found.iter().filter_map(|found| found.reach.local()).collect();
                found.into_iter().for_each(|found| self.add(found));
                here
            }
            Err(error) => {
                let note = format!("no snapshots of {} are looked at here: {}", subvolume.name, chain(&error));
                self.context.monitor.event(Event::Note(note));
                Vec::new()
            }
        }
    }

    fn copies(
        &mut self,
        only: Option<&subvault_model::names::TargetName>,
        here: &[SnapshotUuid],
    ) -> Result<(), Failure> {
        let monitor = &self.context.monitor;
        let subvolume = &self.whole.subvolume;
        let (reached, found) = versions::copies(self.setup, subvolume, Path::new(""), only, here, monitor)?;
        self.reached = reached;
        found.into_iter().for_each(|found| self.add(found));
        Ok(())
    }

    fn archives(&mut self, only: Option<&subvault_model::names::TargetName>) -> Result<(), Failure> {
        let choice = archive::look_everywhere(self.whole, self.setup, only, self.context)?;
        let version = choice.version().ok_or_else(|| JobError::Bug("a restore of no stream".to_owned()))?;
        self.candidates.push(Candidate { version, source: Source::Archive(Box::new(choice)) });
        Ok(())
    }
}

/// The snapshots of a subvolume that is not there any more.
fn orphaned(subvolume: &SubvolumeSetup) -> Result<Vec<Found>, JobError> {
    let mut found = Vec::new();
    for snapshot in snapshot::in_directory(subvolume)?.into_iter().filter(|snapshot| snapshot.read_only) {
        let mut at = versions::at_path(&subvolume.snapshots.join(snapshot.name.to_string()), Path::new(""))?;
        (at.version.name, at.version.taken) = (snapshot.name.to_string(), snapshot.name.taken());
        found.push(at);
    }
    Ok(found)
}

/// The best of each kind of place, and which is taken.
fn places(versions: &[Version], chosen: usize, whole: &Whole<'_>) -> String {
    let mut shown: Vec<usize> = Vec::new();
    for kind in [PlaceKind::Local, PlaceKind::Disk, PlaceKind::Host, PlaceKind::Archive] {
        let of_kind: Vec<Version> = versions.iter().filter(|version| version.place == kind).cloned().collect();
        let best = choose_whole(&of_kind, whole.args.at).map(|best| &of_kind[best]);
        shown.extend(best.and_then(|best| versions.iter().position(|version| version == best)));
    }
    let mut table = table::new(&["", "where", "snapshot", "taken"]);
    for index in shown {
        let (mark, version) = (if index == chosen { "→" } else { "" }, &versions[index]);
        table.add_row([mark.to_owned(), where_it_is(version), version.name.clone(), size::moment(version.taken)]);
    }
    table::text(&table)
}

fn where_it_is(version: &Version) -> String {
    match (version.place, version.holds) {
        (PlaceKind::Local, _) => "here".to_owned(),
        (PlaceKind::Disk, _) => "disk".to_owned(),
        (PlaceKind::Host, _) => "host".to_owned(),
        (PlaceKind::Archive, Holds::Unknown(bytes)) => format!("archive, {bytes} to fetch"),
        (PlaceKind::Archive, _) => "archive".to_owned(),
    }
}

/// A restore out of a snapshot or copy.
struct FromCopy<'a> {
    whole: &'a Whole<'a>,
    context: &'a Context,
    setup: &'a Setup,
    versions: &'a [Version],
    version: &'a Version,
}

impl FromCopy<'_> {
    fn run(&self, found: Found, reached: &Reached) -> Result<Exit, Failure> {
        let args = self.whole.args;
        let name = self.name(&found);
        if args.dry_run {
            let (from, candidates) = (self.version, self.versions);
            let answer =
                json!({ "from": from, "candidates": candidates, "place": self.whole.to.join(name.to_string()) });
            self.context
                .answer(&answer, || format!("It would come to {}.", self.whole.to.join(name.to_string()).display()))?;
            return Ok(Exit::Good);
        }
        let run = self.context.lock(&self.setup.state, "restore.lock", "subvault restore")?;
        let job = CopyRestore {
            origin: self.origin(found, reached)?,
            subvolume: &self.whole.subvolume,
            name: &name,
            destination: self.whole.to,
            form: if args.read_only { Form::ReadOnly } else { Form::WithWritableCopy },
            monitor: &self.context.monitor,
        };
        let result = restore_copy(&job);
        let to = self.whole.to.display().to_string();
        let subject = json!({ "subvolume": self.whole.subvolume, "to": to, "from": self.version.name });
        let recorded = match &result {
            Ok(restored) => {
                run.audit.add(clock::now(), "restore", "done", json!({ "subject": subject, "report": restored }))
            }
            Err(error) => {
                run.audit.add(clock::now(), "restore", "failed", json!({ "subject": subject, "error": chain(error) }))
            }
        };
        let restored = result?;
        self.context.answer(&restored, || summary(&restored))?;
        if let Err(error) = recorded {
            self.context.monitor.event(Event::Warning(format!("the restore is done, but not recorded: {error}")));
            return Ok(Exit::SomeFailed);
        }
        Ok(Exit::Good)
    }

    /// What the snapshot will be called: as it is, or, if it is another tool's, as ours are.
    fn name(&self, found: &Found) -> SnapshotName {
        let known = match &found.reach {
            Reach::Copy { copy, .. } => Some(copy.name.clone()),
            _ => self.version.name.parse().ok(),
        };
        known.unwrap_or_else(|| SnapshotName::new(self.whole.subvolume.clone(), self.version.taken, 1))
    }

    fn origin<'r>(&self, found: Found, reached: &'r Reached) -> Result<Origin<'r>, Failure> {
        let (target, copy, received) = match found.reach {
            Reach::Snapshot { subvolume, .. } => return Ok(Origin::Here(subvolume)),
            Reach::Copy { target, copy, received } => (target, copy, received),
            Reach::Archive { .. } => return Err(JobError::Bug("an archive is no copy".to_owned()).into()),
        };
        let replica = reached.attached.get(&target);
        let replica = replica.ok_or_else(|| JobError::Bug(format!("{target} was not reached")))?;
        let opened = reached.open(&target, &copy)?;
        if let Some(subvolume) = opened {
            return Ok(Origin::Here(subvolume));
        }
        let known = self.setup.subvolume(&self.whole.subvolume);
        // Without a parent more has to come, and that is all.
        let parent = known
            .and_then(|known| parent_for(known, (&target, replica), (&copy, received), self.whole.to).ok().flatten());
        Ok(Origin::There { replica, copy, received, parent })
    }
}

fn summary(restored: &RestoredCopy) -> String {
    let mut text = format!("\nread-only  {}\n", restored.path.display());
    if let Some(writable) = &restored.writable {
        text.push_str(&format!("writable   {}\n", writable.display()));
    }
    if restored.shared {
        text.push_str("its data is shared with the snapshot: it takes no room of its own\n");
    } else {
        text.push_str(&format!(
            "{} received in {} ({})\n",
            restored.stream_bytes,
            size::seconds(restored.seconds),
            size::rate(restored.stream_bytes, restored.seconds),
        ));
    }
    text
}
