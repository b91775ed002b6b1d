//! How the machine is powered, from the kernel's class of power supplies.

use subvault_model::facts::Power;

use super::root::Root;

const CLASS: &str = "sys/class/power_supply";

/// A battery that the machine runs on.
struct Battery {
    percent: Option<u64>,
    /// How much it holds when it is full, in the unit that it counts in.
    full: Option<u64>,
    status: Option<String>,
}

/// Looks at what powers the machine; `None` where the kernel does not know of power.
pub(super) fn look(root: &Root) -> Option<Power> {
    let (mut batteries, mut mains) = (Vec::new(), None);
    for name in root.names(CLASS)? {
        let read = |file: &str| root.text(format!("{CLASS}/{name}/{file}"));
        match read("type").as_deref() {
            // Mice and telephones have batteries too.
            Some("Battery")
                if read("scope").as_deref() != Some("Device") && read("present").as_deref() != Some("0") =>
            {
                let number = |file: &str| root.number(format!("{CLASS}/{name}/{file}"));
                batteries.push(Battery {
                    percent: number("capacity"),
                    full: number("energy_full").or_else(|| number("charge_full")),
                    status: read("status"),
                });
            }
            Some("Mains" | "USB" | "Wireless") if read("scope").as_deref() != Some("Device") => {
                // Off is 0; of those that are on, some say which kind of on.
                let is_on = root.number(format!("{CLASS}/{name}/online")).map(|online| online > 0);
                mains = mains.max(is_on);
            }
            _ => {}
        }
    }
    Some(Power {
        has_battery: !batteries.is_empty(),
        is_on_mains: mains.or_else(|| by_batteries(&batteries)),
        battery_percent: percent(&batteries),
    })
}

/// Where no supply says whether it is on, the batteries show it.
fn by_batteries(batteries: &[Battery]) -> Option<bool> {
    let is =
        |words: &[&str]| batteries.iter().any(|battery| battery.status.as_deref().is_some_and(|s| words.contains(&s)));
    if is(&["Discharging"]) { Some(false) } else { is(&["Charging", "Full", "Not charging"]).then_some(true) }
}

/// How full all of them are together.
fn percent(batteries: &[Battery]) -> Option<u8> {
    let weigh = |battery: &Battery| battery.full.filter(|full| *full > 0);
    let are_weighed = batteries.iter().all(|battery| weigh(battery).is_some());
    let (mut sum, mut weights) = (0_u64, 0_u64);
    for battery in batteries {
        let weight = if are_weighed { weigh(battery).unwrap_or(1) } else { 1 };
        sum = sum.saturating_add(battery.percent?.min(100).saturating_mul(weight));
        weights = weights.saturating_add(weight);
    }
    sum.checked_div(weights).and_then(|percent| u8::try_from(percent).ok())
}
