//! `subvault list`: snapshots and archived streams as one timeline, with the snapshots that other programs took.

use serde::Serialize;
use subvault_archive::error::ArchiveError;
use subvault_archive::inventory::{self, Series};
use subvault_jobs::driver::chain;
use subvault_jobs::error::JobError;
use subvault_jobs::foreign::{self, ForeignSnapshot, Owner};
use subvault_jobs::observe::{Claim, Sight, look};
use subvault_jobs::replica::directory::Access;
use subvault_jobs::replicate::reach;
use subvault_jobs::setup::Setup;
use subvault_jobs::timeline::{self, Archived, Moment};
use subvault_model::monitor::{Event, Monitor};
use subvault_model::names::{SnapshotName, SubvolumeName, TargetName};

use super::archive::no_subvolume;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{size, table};
use crate::place::{Place, PlaceArgs};

/// What it takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  subvault list
  subvault list home
  subvault list --store /mnt/disk/vault     on a machine without configuration")]
pub struct Args {
    /// Only these subvolumes
    subvolumes: Vec<SubvolumeName>,
    #[command(flatten)]
    place: PlaceArgs,
}

/// A line of the timeline.
#[derive(Serialize)]
#[serde(untagged)]
enum Line<'a> {
    Ours {
        owner: &'static str,
        #[serde(flatten)]
        moment: &'a Moment,
    },
    Theirs {
        subvolume: &'a SubvolumeName,
        #[serde(flatten)]
        snapshot: &'a ForeignSnapshot,
        #[serde(flatten)]
        shipped: Option<Shipped<'a>>,
    },
}

/// Where a snapshot of another program was sent, and under which name.
#[derive(Serialize)]
struct Shipped<'a> {
    name: &'a SnapshotName,
    streams: &'a [Archived],
    copies: &'a [TargetName],
}

/// The snapshots that others took, by subvolume.
type Foreign = Vec<(SubvolumeName, ForeignSnapshot)>;

/// Lists.
///
/// # Errors
/// When nothing could be looked at.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let (mut sight, foreign) = see(args, context)?;
    if !args.subvolumes.is_empty() {
        sight.series.retain(|(_, subvolume), _| args.subvolumes.contains(subvolume));
    }
    let moments = timeline::of(&sight);
    let unreadable = unreadable(&sight);
    for what in &unreadable {
        context.monitor.event(Event::Warning(what.clone()));
    }
    let lines = lines(&moments, &foreign);
    context.answer(&lines, || describe(&lines, &sight))?;
    Ok(if sight.failures.is_empty() && unreadable.is_empty() { Exit::Good } else { Exit::SomeFailed })
}

fn lines<'a>(moments: &'a [Moment], foreign: &'a Foreign) -> Vec<Line<'a>> {
    let is_theirs = |moment: &&Moment| foreign.iter().any(|(_, snapshot)| snapshot.uuid == moment.uuid);
    let ours = moments.iter().filter(|moment| !is_theirs(moment));
    let ours = ours.map(|moment| Line::Ours { owner: "subvault", moment });
    let theirs = foreign.iter().map(|(subvolume, snapshot)| {
        let sent = moments.iter().find(|moment| moment.uuid == snapshot.uuid);
        let shipped = sent.map(|Moment { name, streams, copies, .. }| Shipped { name, streams, copies });
        Line::Theirs { subvolume, snapshot, shipped }
    });
    let mut lines: Vec<Line<'a>> = ours.chain(theirs).collect();
    lines.sort_by_key(|line| match line {
        Line::Ours { moment, .. } => (moment.subvolume.clone(), moment.taken),
        Line::Theirs { subvolume, snapshot, .. } => ((*subvolume).clone(), snapshot.taken),
    });
    lines
}

/// What is there and cannot be shown.
fn unreadable(sight: &Sight) -> Vec<String> {
    let all = sight.series.iter().flat_map(|(of, series)| series.unreadable.iter().map(move |found| (of, found)));
    all.map(|((target, subvolume), (stream, why))| format!("{subvolume} at {target}: {stream}: {}", chain(why)))
        .collect()
}

fn see(args: &Args, context: &Context) -> Result<(Sight, Foreign), Failure> {
    if let Some(name) = &args.place.store {
        let place = args.place.explicit(name)?;
        return Ok((of_store(&place)?, Vec::new()));
    }
    let mut setup = context.setup()?;
    if args.place.host.is_some() {
        let mut sight = Sight::default();
        let layout = args.place.layout(&setup);
        for target in args.place.configured(&setup)? {
            let (name, layout, lanes) = (target.name.clone(), layout.clone(), target.lanes);
            let seen = target.open().and_then(|store| of_store(&Place { name, store, layout, lanes }));
            match seen {
                Ok(seen) => sight.series.extend(seen.series),
                Err(error) => sight.fail(&context.monitor, target.name.to_string(), error),
            }
        }
        return Ok((sight, Vec::new()));
    }
    if !args.subvolumes.is_empty() {
        setup.policy.subvolumes.retain(|s| args.subvolumes.contains(&s.name));
    }
    let only_copies = args.place.target.as_ref().is_some_and(|name| setup.replica(name).is_some());
    if only_copies {
        setup.policy.subvolumes.iter_mut().for_each(|subvolume| subvolume.targets.clear());
    }
    // Without any target there are snapshots to be shown.
    let targets: Vec<_> = match only_copies || (setup.targets.is_empty() && args.place.target.is_none()) {
        true => Vec::new(),
        false => args.place.configured(&setup)?.iter().map(|t| t.name.clone()).collect(),
    };
    let mut sight = look(&setup, &targets, Claim::No, &context.monitor);
    let replicas: Vec<TargetName> = args.place.target.iter().cloned().collect();
    reach(&setup, &replicas, Access::Look, &mut sight, &context.monitor);
    look_further(args, &setup, &targets, &mut sight, context);
    let known =
        |name: &&SubvolumeName| setup.subvolume(name).is_some() || sight.series.keys().any(|(_, of)| of == *name);
    match args.subvolumes.iter().find(|name| !known(name)) {
        Some(unknown) if sight.failures.is_empty() => Err(no_subvolume(&setup, unknown)),
        _ => {
            let foreign = foreign(&setup, &mut sight, context);
            Ok((sight, foreign))
        }
    }
}

/// What others took of the subvolumes that were looked at.
fn foreign(setup: &Setup, sight: &mut Sight, context: &Context) -> Foreign {
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for seen in &sight.observed.subvolumes {
        let Some(subvolume) = setup.subvolume(&seen.name) else { continue };
        let ours: Vec<_> = seen.snapshots.iter().filter(|s| !s.foreign).cloned().collect();
        match foreign::find(&subvolume.path, &ours) {
            Ok(theirs) => found.extend(theirs.into_iter().map(|snapshot| (seen.name.clone(), snapshot))),
            Err(error) => failures.push((format!("snapshots that others took of {}", seen.name), error)),
        }
    }
    for (what, error) in failures {
        sight.fail(&context.monitor, what, error);
    }
    found
}

/// What this host has archived that is not in the configuration any more.
fn look_further(args: &Args, setup: &Setup, targets: &[TargetName], sight: &mut Sight, context: &Context) {
    let is_meant = |name: &SubvolumeName| args.subvolumes.is_empty() || args.subvolumes.contains(name);
    let is_further = |name: &SubvolumeName| is_meant(name) && setup.subvolume(name).is_none();
    let layout = setup.layout();
    for target in targets.iter().filter_map(|name| setup.target(name)) {
        let store = match target.open() {
            Ok(store) => store,
            Err(error) => {
                // Where the configuration has something to look at, this has been told already.
                if setup.policy.subvolumes.is_empty() {
                    sight.fail(&context.monitor, target.name.to_string(), error);
                }
                continue;
            }
        };
        let further = || -> Result<Vec<(SubvolumeName, Series)>, ArchiveError> {
            let names = inventory::subvolumes(&store, &layout)?.into_iter().filter(&is_further);
            names.map(|name| inventory::take_series(&store, &layout, &name).map(|series| (name, series))).collect()
        };
        match further() {
            Ok(found) => {
                sight.series.extend(found.into_iter().map(|(name, series)| ((target.name.clone(), name), series)));
            }
            Err(error) => sight.fail(&context.monitor, target.name.to_string(), error.into()),
        }
    }
}

fn of_store(place: &Place) -> Result<Sight, JobError> {
    let inventory = inventory::take(&place.store, &place.layout)?;
    let mut sight = Sight::default();
    for (subvolume, series) in inventory.series {
        sight.series.insert((place.name.clone(), subvolume), series);
    }
    Ok(sight)
}

fn describe(lines: &[Line<'_>], sight: &Sight) -> String {
    let mut table = table::new(&["subvolume", "taken", "by", "snapshot", "archived", ">stored"]);
    for line in lines {
        let (streams, copies) = match line {
            Line::Ours { moment, .. } => (&moment.streams[..], &moment.copies[..]),
            Line::Theirs { shipped, .. } => shipped.as_ref().map_or((&[][..], &[][..]), |s| (s.streams, s.copies)),
        };
        let copies = copies.iter().map(|target| (format!("{target} copy"), String::new()));
        let mut places = streams.iter().map(archived).chain(copies);
        table.add_row(match line {
            Line::Ours { moment, .. } => row(moment, places.next()),
            Line::Theirs { subvolume, snapshot, .. } => their_row(subvolume, snapshot, places.next()),
        });
        for (more, stored) in places {
            table.add_row([String::new(), String::new(), String::new(), String::new(), more, stored]);
        }
    }
    let mut text = table::text(&table);
    if lines.is_empty() {
        text = "There is nothing yet. `subvault archive` takes the first snapshot.\n".to_owned();
    }
    for subvolume in &sight.observed.subvolumes {
        for target in subvolume.targets.iter() {
            // What was published has nothing left to do, even if its journal is still there.
            if target.unfinished.as_ref().is_none_or(|unfinished| target.is_published(&unfinished.stream)) {
                continue;
            }
            let what = format!("{} → {}", subvolume.name, target.name);
            text.push_str(&format!("{what}: an upload is unfinished; the next `subvault archive` goes on with it\n"));
        }
    }
    for (target, error) in &sight.reached.away {
        text.push_str(&format!("away: {target}: {error}\n"));
    }
    text
}

fn row(moment: &Moment, place: Option<(String, String)>) -> [String; 6] {
    let local = if moment.local { moment.name.to_string() } else { "-".to_owned() };
    let (place, stored) = place.unwrap_or_else(|| ("-".to_owned(), String::new()));
    [moment.subvolume.to_string(), size::moment(moment.taken), "subvault".to_owned(), local, place, stored]
}

/// Where a stream is, and how much of the store it takes.
fn archived(stream: &Archived) -> (String, String) {
    let broken = stream.missing.as_ref().map(|what| format!("  NOT RESTORABLE: {what}")).unwrap_or_default();
    let Archived { target, kind, generation, sequence, .. } = stream;
    (format!("{target} {kind} {generation}.{sequence}{broken}"), size::size(stream.stored_bytes))
}

fn their_row(subvolume: &SubvolumeName, snapshot: &ForeignSnapshot, place: Option<(String, String)>) -> [String; 6] {
    let (by, what) = match (snapshot.owner, &snapshot.info) {
        (Owner::Snapper, Some(info)) => {
            let number = info.number.map(|number| number.to_string()).unwrap_or_default();
            let kind = info.kind.as_deref().filter(|kind| *kind != "single").map(|kind| format!(" {kind}"));
            let description = info.description.as_ref().map(|text| format!(": {text}"));
            ("snapper", format!("{number}{}{}", kind.unwrap_or_default(), description.unwrap_or_default()))
        }
        (Owner::Snapper, None) => ("snapper", snapshot.path.display().to_string()),
        (Owner::Btrbk, _) => ("btrbk", snapshot.path.display().to_string()),
        (Owner::Unknown, _) => ("?", snapshot.path.display().to_string()),
    };
    // What others wrote must not steer a terminal.
    let what = what.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    let (place, stored) = place.unwrap_or_else(|| ("-".to_owned(), String::new()));
    [subvolume.to_string(), size::moment(snapshot.taken), by.to_owned(), what, place, stored]
}
