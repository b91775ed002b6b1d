//! Verification of a target: what its store has is compared with what its manifests say.
//!
//! Only reads. Needs no private key: the hashes are of what is stored.

use subvault_archive::inventory;
use subvault_archive::layout::Layout;
use subvault_archive::verify::{Depth, Report, VerifyJob, verify};
use subvault_model::monitor::{Event, Monitor};
use subvault_model::names::SubvolumeName;
use subvault_store::ObjectStore;

use std::num::NonZeroU32;

use crate::error::JobError;

/// Verifies what a store has of a host.
///
/// # Errors
/// When the store cannot be read. Damage is part of the report.
pub fn verify_store(
    store: &ObjectStore,
    layout: &Layout,
    only: Option<&SubvolumeName>,
    depth: Depth,
    lanes: NonZeroU32,
    monitor: &dyn Monitor,
) -> Result<Report, JobError> {
    let inventory = inventory::take(store, layout)?;
    let chunks = inventory.series.iter().filter(|(name, _)| only.is_none_or(|o| o == *name));
    let bytes = chunks.flat_map(|(_, s)| s.streams.values()).map(|p| p.manifest.summary().stored_bytes).sum();
    let expected = (depth == Depth::Everything).then_some(bytes);
    monitor.event(Event::Started { what: format!("verify {}", store.describe()), expected });
    let report = verify(&VerifyJob { store, layout, inventory: &inventory, only, depth, lanes, monitor });
    monitor.event(Event::Finished);
    Ok(report?)
}
