//! `[keep]`, `keep = { … }`: which snapshots stay.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use jiff::{SignedDuration, Span, SpanRelativeTo};
use serde::{Deserialize, Deserializer};
use subvault_model::note::KEEP;
use subvault_plan::keep::Keep as Rules;

/// Rules; what is not said is as in those that stand above them.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keep {
    /// The newest.
    pub newest: Option<NonZeroU32>,
    /// All that are younger.
    pub within: Option<Age>,
    /// The first of the last so many hours.
    pub hourly: Option<u32>,
    /// Of days.
    pub daily: Option<u32>,
    /// Of weeks.
    pub weekly: Option<u32>,
    /// Of months.
    pub monthly: Option<u32>,
    /// Of quarters.
    pub quarterly: Option<u32>,
    /// Of years.
    pub yearly: Option<u32>,
    /// Those with one of these tags.
    pub tags: Option<BTreeSet<String>>,
}

/// A length of time such as `"36 hours"` or `"2 days"`; a day has 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Age(pub SignedDuration);

impl<'de> Deserialize<'de> for Age {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong =
            || serde::de::Error::custom(format!("`{text}` is no length of time: say \"36 hours\" or \"2 days\""));
        let span: Span = text.parse().map_err(|_| wrong())?;
        let length = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| wrong())?;
        if length.is_negative() { Err(wrong()) } else { Ok(Self(length)) }
    }
}

impl Keep {
    /// These rules, with those of `above` where they say nothing.
    pub fn over(&self, above: &Rules) -> Rules {
        let own = [self.hourly, self.daily, self.weekly, self.monthly, self.quarterly, self.yearly];
        let mut periods = above.periods;
        for (period, own) in periods.iter_mut().zip(own) {
            *period = own.unwrap_or(*period);
        }
        Rules {
            newest: self.newest.unwrap_or(above.newest),
            within: self.within.map(|age| age.0).or(above.within),
            periods,
            tags: self.tags.clone().unwrap_or_else(|| above.tags.clone()),
        }
    }
}

/// What stays unless said otherwise: what suits a laptop.
pub fn usual() -> Rules {
    rules(3, [24, 7, 4, 12, 0, 0])
}

/// What stays however short space is, unless said otherwise.
pub fn usual_floor() -> Rules {
    rules(1, [0, 3, 1, 1, 0, 0])
}

fn rules(newest: u32, periods: [u32; 6]) -> Rules {
    let newest = NonZeroU32::new(newest).unwrap_or(NonZeroU32::MIN);
    Rules { newest, within: None, periods, tags: BTreeSet::from([KEEP.to_owned()]) }
}
