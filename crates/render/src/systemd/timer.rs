//! `subvault.timer`: wakes the run at each calendar event that the configuration names.

use std::collections::BTreeSet;

use super::Wanted;
use crate::file::mark;

/// The text. An event that is named twice wakes once; a start that was missed is made up for.
pub(super) fn text(wanted: &Wanted) -> String {
    let mut seen = BTreeSet::new();
    let mut text = format!("{}{UNIT}", mark(super::WORD));
    for calendar in &wanted.wake {
        let event = if calendar.names_a_zone() { calendar.to_string() } else { here(wanted, &calendar.to_string()) };
        if seen.insert(event.clone()) {
            text.push_str(&format!("OnCalendar={event}\n"));
        }
    }
    let hourly = here(wanted, "hourly");
    if wanted.manners.tries_hourly && !seen.contains(&hourly) {
        text.push_str(&format!(
            "# What could not be sent for want of mains or a network is tried again.\nOnCalendar={hourly}\n"
        ));
    }
    text.push_str(HOW);
    text
}

/// An event that names no time zone, in the one that the configuration says.
fn here(wanted: &Wanted, event: &str) -> String {
    match &wanted.zone {
        Some(zone) => format!("{event} {zone}"),
        None => event.to_owned(),
    }
}

const UNIT: &str = "\
[Unit]
Description=Times at which something may be due for subvault
Documentation=man:subvault-run(1)

[Timer]
";

const HOW: &str = "\
# What was missed while the machine was off or asleep is done once, soon after it is back.
Persistent=true
AccuracySec=1s
# Hosts that share a store do not all come in the same second.
RandomizedDelaySec=15s
FixedRandomDelay=true

[Install]
WantedBy=timers.target
";
