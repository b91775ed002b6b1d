//! What goes from a store because something in it is to be forgotten, whatever retention and prices say.

use std::collections::BTreeMap;

use subvault_model::names::StreamName;

use super::{GcPlan, SeenObject, SeenStore, delete_chain, delete_orphans};
use crate::chain::{Chain, chains};
use crate::forget::archives::{Clean, is_clean, is_whole};

/// What takes the place of what goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replacement {
    /// A generation that is there, whole and clean.
    There,
    /// One that will be there by then: for telling beforehand what will go.
    Coming,
}

/// Decides what goes: each generation that may hold it and is older than one that is whole and surely does not; and what
/// no manifest names.
#[must_use]
pub fn plan(seen: &SeenStore, clean: &Clean, replacement: Replacement) -> GcPlan {
    let mut plan = GcPlan::default();
    let chains = chains(&seen.streams);
    let mut objects: BTreeMap<&StreamName, Vec<&SeenObject>> = BTreeMap::new();
    for object in &seen.objects {
        objects.entry(&object.stream).or_default().push(object);
    }
    let good = |chain: &&Chain<'_>| is_whole(chain, &seen.incomplete) && is_clean(chain, clean);
    let newest = chains.iter().rev().find(good).map(|chain| chain.generation);
    for chain in &chains {
        // While the newest of several goes, what is left of it may look whole for a while: so only what is older counts.
        let is_replaced = replacement == Replacement::Coming || newest.is_some_and(|newest| chain.generation < newest);
        let Chain { generation, .. } = chain;
        if is_clean(chain, clean) {
            plan.kept.push(format!("{} generation {generation}: it holds nothing of it", seen.subvolume));
        } else if is_replaced {
            delete_chain(&mut plan, seen, chain, &mut objects, "it may hold what is to be forgotten");
        } else {
            plan.kept
                .push(format!("{} generation {generation}: nothing newer is whole and without it", seen.subvolume));
        }
    }
    // Nobody knows what they hold, nor what they build on; what is below them is left for somebody who does.
    for stream in &seen.unreadable {
        plan.kept
            .push(format!("{} {stream}: its manifest cannot be read, so it stays; it may hold it", seen.subvolume));
    }
    delete_orphans(&mut plan, seen, &objects);
    plan
}
