//! What stands before everything else, and why the host is treated as it is.

use subvault_model::bytesize::ByteSize;
use subvault_plan::strategy::tier::Tier;

use super::{reason, says};
use crate::report::document::{Block, Fact, Line, Section, Span, Warned};
use crate::report::{Report, words};

/// What this is.
pub(super) fn about(report: &Report<'_>) -> Line {
    let family = words::family(report.strategy.profile.value.family());
    let day = words::day(words::day_of(report.made, &report.zone));
    vec![
        Span::text(format!("How this {family} is kept safe (profile ")),
        Span::code(&report.strategy.profile.value),
        Span::text(format!("), planned on {day}. It is a proposal: nothing was changed.")),
    ]
}

/// What is wrong.
pub(super) fn warnings(report: &Report<'_>) -> Vec<Warned> {
    let warned = report.strategy.warnings.iter().map(|warning| Warned {
        about: warning.about.clone(),
        what: says(&warning.what),
        remedy: says(&warning.remedy),
    });
    warned.collect()
}

/// What matters most.
pub(super) fn summary(report: &Report<'_>) -> Vec<Fact> {
    let strategy = report.strategy;
    let fact = |name, value: String| Fact { name, value: says(value) };
    let of_tier = |tier: Tier| strategy.subvolumes.iter().filter(move |subvolume| subvolume.tier.value == tier);
    let mut summary = vec![match strategy.subvolumes.len() {
        0 => fact("Subvolumes", "none yet".to_owned()),
        all => fact("Subvolumes", format!("{all} ({} critical)", of_tier(Tier::Critical).count())),
    }];
    summary.push(match strategy.targets.len() {
        0 => fact("Targets", "none".to_owned()),
        targets => fact("Targets", targets.to_string()),
    });
    if let Some(promise) = of_tier(Tier::Critical).find_map(|subvolume| subvolume.promise) {
        summary.push(fact("Critical: lose at most", words::length(promise.lose_at_most)));
        summary.push(fact("Critical: back within", words::length(promise.back_within)));
    }
    if !strategy.pools.is_empty() {
        let snapshots: ByteSize = strategy.pools.iter().map(|pool| pool.snapshots).sum();
        summary.push(fact("Snapshots will take", snapshots.to_string()));
    }
    if let Some(dearest) = super::cost::dearest_month(report.costs) {
        summary.push(fact("Dearest month", dearest.to_string()));
    }
    summary
}

/// Why the host is treated as it is.
pub(super) fn why(report: &Report<'_>) -> Section {
    let strategy = report.strategy;
    let why = vec![
        reason("Kind of host", &strategy.profile, |profile| vec![Span::code(profile)]),
        reason("Tuned to be", &strategy.mode, |mode| vec![Span::code(mode)]),
    ];
    let about =
        says("What everything above follows from. A profile or a mode that is in the configuration counts instead.");
    Section { id: "host", title: "The host", blocks: vec![Block::Paragraph(about), Block::Why(why)] }
}
