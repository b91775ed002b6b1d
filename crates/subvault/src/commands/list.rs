//! `subvault list`: snapshots and archived streams as one timeline.

use subvault_archive::inventory;
use subvault_jobs::error::JobError;
use subvault_jobs::observe::{Claim, Sight, look};
use subvault_jobs::timeline::{self, Archived, Moment};
use subvault_model::names::SubvolumeName;

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

/// Lists.
///
/// # Errors
/// When nothing could be looked at.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let sight = see(args, context)?;
    let mut moments = timeline::of(&sight);
    if !args.subvolumes.is_empty() {
        moments.retain(|m| args.subvolumes.contains(&m.subvolume));
    }
    context.answer(&moments, || describe(&moments, &sight))?;
    Ok(if sight.failures.is_empty() { Exit::Good } else { Exit::SomeFailed })
}

fn see(args: &Args, context: &Context) -> Result<Sight, Failure> {
    if let Some(name) = &args.place.store {
        let place = args.place.explicit(name)?;
        return Ok(of_store(&place)?);
    }
    let mut setup = context.setup()?;
    if args.place.host.is_some() {
        let mut sight = Sight::default();
        let layout = args.place.layout(&setup);
        for target in args.place.configured(&setup)? {
            let place =
                Place { name: target.name.clone(), store: target.open()?, layout: layout.clone(), lanes: target.lanes };
            sight.series.extend(of_store(&place)?.series);
        }
        return Ok(sight);
    }
    for name in &args.subvolumes {
        if setup.subvolume(name).is_none() {
            return Err(no_subvolume(&setup, name));
        }
    }
    if !args.subvolumes.is_empty() {
        setup.policy.subvolumes.retain(|s| args.subvolumes.contains(&s.name));
    }
    let targets: Vec<_> = args.place.configured(&setup)?.iter().map(|t| t.name.clone()).collect();
    Ok(look(&setup, &targets, Claim::No, &context.monitor))
}

fn of_store(place: &Place) -> Result<Sight, JobError> {
    let inventory = inventory::take(&place.store, &place.layout)?;
    let mut sight = Sight::default();
    for (subvolume, series) in inventory.series {
        sight.series.insert((place.name.clone(), subvolume), series);
    }
    Ok(sight)
}

fn describe(moments: &[Moment], sight: &Sight) -> String {
    let mut table = table::new(&["subvolume", "taken", "snapshot", "archived", ">stored"]);
    for moment in moments {
        let mut streams = moment.streams.iter();
        table.add_row(line(moment, streams.next()));
        for more in streams {
            let [_, _, _, archived, stored] = line(moment, Some(more));
            table.add_row([String::new(), String::new(), String::new(), archived, stored]);
        }
    }
    let mut text = table::text(&table);
    if moments.is_empty() {
        text = "There is nothing yet. `subvault archive` takes the first snapshot.\n".to_owned();
    }
    for subvolume in &sight.observed.subvolumes {
        for target in subvolume.targets.iter().filter(|t| t.unfinished.is_some()) {
            let what = format!("{} → {}", subvolume.name, target.name);
            text.push_str(&format!("{what}: an upload is unfinished; the next `subvault archive` goes on with it\n"));
        }
    }
    text
}

fn line(moment: &Moment, stream: Option<&Archived>) -> [String; 5] {
    let local = if moment.local { moment.name.to_string() } else { "-".to_owned() };
    let (archived, stored) = match stream {
        None => ("-".to_owned(), String::new()),
        Some(s) => {
            let broken = s.missing.as_ref().map(|what| format!("  NOT RESTORABLE: {what}")).unwrap_or_default();
            (format!("{} {} {}.{}{broken}", s.target, s.kind, s.generation, s.sequence), size::size(s.stored_bytes))
        }
    };
    [moment.subvolume.to_string(), size::moment(moment.taken), local, archived, stored]
}
