//! A strategy on a terminal: what is wrong first, then a line for each subvolume, then what they share.

use subvault_plan::strategy::objectives::Solved;
use subvault_plan::strategy::snapshots::{length, short};
use subvault_plan::strategy::storage::Means;
use subvault_plan::strategy::tier::Tier;
use subvault_plan::strategy::{Strategy, SubvolumeStrategy, layout};

use crate::output::table;

/// The strategy in words.
pub fn describe(strategy: &Strategy) -> String {
    let mut text = format!(
        "{} is a {}: {}.\nIt is tuned {}: {}.\n",
        strategy.host, strategy.profile.value, strategy.profile.because, strategy.mode.value, strategy.mode.because
    );
    for warning in &strategy.warnings {
        text.push_str(&format!("\n! {}: {}.\n  → {}\n", warning.about, warning.what, warning.remedy));
    }
    if strategy.subvolumes.is_empty() {
        text.push_str(&proposed_layout(strategy));
    } else {
        text.push_str(&format!("\n{}", subvolumes(strategy)));
        text.push_str(&format!("\n{}", storage(strategy)));
    }
    text.push_str(&sending(strategy));
    text.push_str(&strategy.objectives.as_ref().map(objectives).unwrap_or_default());
    text.push_str(&room(strategy));
    text.push_str("\nWhy: `subvault plan --why NAME`, for a subvolume, a target, `sending`, `filesystems` …\n");
    text
}

fn subvolumes(strategy: &Strategy) -> String {
    let mut table = table::new(&["subvolume", "used for", "tier", "lose", "back in", "snapshots", "kept", "sent"]);
    let mut all: Vec<&SubvolumeStrategy> = strategy.subvolumes.iter().collect();
    all.sort_by_key(|subvolume| (subvolume.tier.value, subvolume.name.clone()));
    let never = || "-".to_owned();
    for subvolume in all {
        let promised = |of: fn(&subvault_plan::strategy::tier::Promise) -> jiff::SignedDuration| {
            subvolume.promise.as_ref().map_or_else(never, |promise| length(of(promise)))
        };
        table.add_row([
            subvolume.name.to_string(),
            subvolume.workload.value.to_string(),
            subvolume.tier.value.to_string(),
            promised(|promise| promise.lose_at_most),
            promised(|promise| promise.back_within),
            subvolume.snapshots.value.clone().unwrap_or_else(never),
            subvolume.keep.as_ref().map_or_else(never, |keep| short(&keep.value)),
            subvolume.sends.value.clone().unwrap_or_else(never),
        ]);
    }
    table::text(&table)
}

fn storage(strategy: &Strategy) -> String {
    let mut text = String::new();
    for filesystem in &strategy.filesystems {
        let options: Vec<&str> = filesystem.options.iter().map(|option| option.value.as_str()).collect();
        text.push_str(&format!("Mounted with {} ({})\n", options.join(","), filesystem.uuid));
    }
    for subvolume in strategy.subvolumes.iter().filter(|subvolume| subvolume.tier.value != Tier::Temporary) {
        for means in &subvolume.means {
            match means {
                Means::FilesystemOption(_) => {}
                Means::NoCowAttribute => {
                    text.push_str(&format!("{}: overwritten in place (chattr +C)\n", subvolume.name));
                }
                Means::CompressionProperty(word) => {
                    text.push_str(&format!("{}: compression {word} (btrfs property)\n", subvolume.name));
                }
            }
        }
        subvolume.caveats.iter().for_each(|caveat| text.push_str(&format!("  {caveat}\n")));
    }
    text
}

/// Where there is no pool yet: how its disks are best divided.
fn proposed_layout(strategy: &Strategy) -> String {
    let mut text = "\nThere is no Btrfs yet. The disks of such a host are best divided so:\n".to_owned();
    for disk in layout::of(strategy.profile.value).disks {
        text.push_str(&format!("\n{}\n", disk.role));
        for partition in disk.partitions {
            let size = partition.size.unwrap_or("the rest");
            text.push_str(&format!("  {:10} {size}\n", partition.label));
            for subvolume in partition.subvolumes {
                let optional = if subvolume.is_optional { ", where it is wanted" } else { "" };
                let mount = subvolume.mount.unwrap_or("not mounted");
                text.push_str(&format!("    {:16} {mount} ({}{optional})\n", subvolume.name, subvolume.workload));
            }
        }
    }
    text
}

fn sending(strategy: &Strategy) -> String {
    let sending = &strategy.sending;
    let time = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    let mut text = format!(
        "\nSent from {} on, until {} ({} on weekends)",
        time(sending.start.value),
        time(sending.window.to),
        time(sending.window.to_on_weekends)
    );
    text.push_str(&sending.bandwidth.value.map(|rate| format!(", at {rate}")).unwrap_or_default());
    let conditions = sending.conditions.value;
    let battery = conditions.battery_percent_min.map(|percent| format!("on mains or with {percent} % of its battery"));
    let network = conditions.unmetered.then(|| "on an unmetered network".to_owned());
    let needs: Vec<String> = battery.into_iter().chain(network).collect();
    if !needs.is_empty() {
        text.push_str(&format!(", {}", needs.join(" and ")));
    }
    let (days, chains) = sending.chains.value;
    text.push_str(&format!("; a full every {days} days, {chains} of them kept.\n"));
    for target in &strategy.targets {
        let names: Vec<String> = target.subvolumes.iter().map(ToString::to_string).collect();
        text.push_str(&format!(
            "  to {}: {}\n",
            target.name,
            if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
        ));
    }
    text.push_str("\nProved:\n");
    for proof in &strategy.proofs {
        text.push_str(&format!("  {}: {}\n", proof.calendar, proof.what.words()));
    }
    text
}

/// What does what the owner states; what stands in the way is among the warnings.
fn objectives(solved: &Solved) -> String {
    let found: String = solved.found().iter().map(|line| format!("  {line}\n")).collect();
    format!("\nObjectives ({}): {}\n{found}", solved.stated.words(), solved.answer.words())
}

fn room(strategy: &Strategy) -> String {
    let mut text = String::new();
    for pool in &strategy.pools {
        text.push_str(&format!(
            "\nPool {}: {} of {} used, {} free; snapshots will take about {} ({} % of the data).\n",
            pool.uuid, pool.used, pool.size, pool.free, pool.snapshots, pool.overhead_percent
        ));
    }
    text
}
