//! Whether an interrupted upload is taken up again.
//!
//! The rerun sends everything once more and compares it with what is stored, so the snapshot may be trusted; the
//! parent may not: a stream against a parent that changed would look right and restore wrongly. And an upload that
//! got as far as its manifest is not interrupted any more, whatever the journal says: giving it up would delete a
//! published stream.

use subvault_model::stream::StreamSummary;
use subvault_model::subvolume::LocalSnapshot;

use crate::observed::{ObservedTarget, Unfinished};
use crate::parent::{find_here, newest};
use crate::policy::Fulls;

/// What becomes of the journal of an earlier run.
pub(crate) enum Interrupted<'a> {
    /// There is none, or its stream was published and only the journal was left.
    Nothing,
    /// It goes on.
    Resume(Resume<'a>),
    /// It is given up, for this reason.
    GiveUp(&'a Unfinished, &'static str),
}

/// An upload that goes on.
pub(crate) struct Resume<'a> {
    /// The upload.
    pub(crate) unfinished: &'a Unfinished,
    /// Its snapshot.
    pub(crate) snapshot: &'a LocalSnapshot,
    /// The stream and the snapshot it is relative to.
    pub(crate) parent: Option<(&'a StreamSummary, &'a LocalSnapshot)>,
}

/// Decides about the upload that an earlier run left at this target.
pub(crate) fn judge<'a>(target: &'a ObservedTarget, snapshots: &'a [LocalSnapshot], fulls: Fulls) -> Interrupted<'a> {
    let Some(unfinished) = &target.unfinished else { return Interrupted::Nothing };
    if target.is_published(&unfinished.stream) {
        return Interrupted::Nothing;
    }
    if !unfinished.same_settings {
        return Interrupted::GiveUp(unfinished, "the settings that shape its bytes have changed");
    }
    if fulls == Fulls::Now && unfinished.parent.is_some() {
        return Interrupted::GiveUp(unfinished, "it is an incremental, and a full was asked for");
    }
    let Some(snapshot) = snapshots.iter().find(|s| s.uuid == unfinished.snapshot && s.read_only) else {
        return Interrupted::GiveUp(unfinished, "its snapshot is no longer on the pool, or writable");
    };
    let Some(parent) = unfinished.parent else {
        return Interrupted::Resume(Resume { unfinished, snapshot, parent: None });
    };
    // The chain must still end where it ended when the upload began.
    let tip = newest(target).ok().map(|(_, tip)| tip);
    let here = tip.and_then(|tip| find_here(tip, snapshots).ok());
    match tip.zip(here) {
        Some((tip, here)) if here.uuid == parent => {
            Interrupted::Resume(Resume { unfinished, snapshot, parent: Some((tip, here)) })
        }
        _ => Interrupted::GiveUp(unfinished, "what it is relative to is gone or changed"),
    }
}
