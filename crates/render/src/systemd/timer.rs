//! `subvault.timer`: wakes the run at each calendar event that the configuration names.

use std::collections::BTreeSet;

use super::Wanted;
use crate::file::MARK;

/// The text. An event that is named twice wakes once; a start that was missed is made up for.
pub(super) fn text(wanted: &Wanted) -> String {
    let mut seen = BTreeSet::new();
    let mut text = format!(
        "{MARK}[Unit]\nDescription=Times at which something may be due for subvault\n\
        Documentation=man:subvault-run(1)\n\n[Timer]\n"
    );
    for calendar in &wanted.wake {
        let calendar = match &wanted.zone {
            Some(zone) if !calendar.names_a_zone() => format!("{calendar} {zone}"),
            _ => calendar.to_string(),
        };
        if seen.insert(calendar.clone()) {
            text.push_str(&format!("OnCalendar={calendar}\n"));
        }
    }
    text.push_str(
        "# What was missed while the machine was off or asleep is done once, soon after it is back.\n\
        Persistent=true\n\
        AccuracySec=1s\n\
        # Hosts that share a store do not all come in the same second.\n\
        RandomizedDelaySec=15s\n\
        FixedRandomDelay=true\n\n\
        [Install]\nWantedBy=timers.target\n",
    );
    text
}
