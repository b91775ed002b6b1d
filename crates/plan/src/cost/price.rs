//! What a provider takes: the types of a price table.
//!
//! They are read from the dated files in `prices/` by `table`, which also converts them into dollars. Nothing here knows
//! which providers there are.

use std::num::NonZeroU32;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use subvault_model::bytesize::ByteSize;

use super::money::Money;

/// The prices of a provider. Prices for bytes are for one `unit` of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderPrices {
    /// Who it is, in the word that the configuration uses for the provider of a bucket, or `directory`.
    pub provider: String,
    /// What is priced, for people.
    pub title: String,
    /// The day for which these prices were found.
    pub as_of: Date,
    /// Whether what was read agreed; see `doubt`.
    pub verified: bool,
    /// Why the prices may be wrong, when they are not verified.
    pub doubt: Option<String>,
    /// Where they were read.
    #[serde(default)]
    pub sources: Vec<Source>,
    /// The currency of the bill. (All amounts in this value are in dollars once the table is loaded.)
    pub currency: String,
    /// What one unit of the currency is in dollars, where it is another one.
    pub usd: Option<Money>,
    /// The day of that rate.
    pub usd_as_of: Option<Date>,
    /// How many bytes a price for bytes is for.
    pub unit: Unit,
    /// How many days a price per month is for; `None`: as many as the month has.
    pub month_days: Option<NonZeroU32>,
    /// What is paid each month in any case, and pays for what is included.
    #[serde(default)]
    pub base_per_month: Money,
    /// The least that storage costs in a month.
    #[serde(default)]
    pub minimum_per_month: Money,
    /// How much can be stored without being charged.
    #[serde(default)]
    pub included_storage: ByteSize,
    /// What taking bytes out costs.
    #[serde(default)]
    pub egress: Egress,
    /// The storage classes; the first is the one of objects for which none is asked for.
    pub classes: Vec<ClassPrices>,
    /// Which prices the configuration has changed.
    #[serde(skip_deserializing)]
    pub changed: Vec<String>,
}

/// Where prices were read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The page, and what of it.
    pub title: String,
    /// Its address.
    pub address: String,
}

/// How many bytes a price is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "what they are called is what they are")]
pub enum Unit {
    #[serde(rename = "GB")]
    Gb,
    #[serde(rename = "GiB")]
    Gib,
    #[serde(rename = "TB")]
    Tb,
    #[serde(rename = "TiB")]
    Tib,
}

/// What taking bytes out of a provider's network costs, by month.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Egress {
    /// How much is free.
    #[serde(default)]
    pub included: ByteSize,
    /// How many times what is stored on average is free.
    #[serde(default)]
    pub times_stored: u32,
    /// The prices of what is not free; none: it costs nothing.
    #[serde(default)]
    pub tiers: Vec<EgressTier>,
}

/// The price of a part of what is taken out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EgressTier {
    /// For what is not free, up to so much; `None`: for all the rest.
    pub up_to: Option<ByteSize>,
    /// For one unit.
    pub price: Money,
}

/// The prices of a storage class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassPrices {
    /// Its S3 name.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// One unit for a month.
    #[serde(default)]
    pub storage: Money,
    /// For how many days an object is paid for in any case.
    #[serde(default)]
    pub minimum_days: u32,
    /// The size that a smaller object is charged for.
    #[serde(default)]
    pub minimum_object: ByteSize,
    /// What is charged beside each object, at the price of this class.
    #[serde(default)]
    pub overhead: ByteSize,
    /// The same at the price of the provider's first class.
    #[serde(default)]
    pub index: ByteSize,
    /// A thousand objects stored: whole, or completed after their parts.
    #[serde(default)]
    pub put: Money,
    /// A thousand parts, and beginnings of uploads in parts.
    #[serde(default)]
    pub part: Money,
    /// A thousand listings.
    #[serde(default)]
    pub list: Money,
    /// A thousand reads, or looks at what there is.
    #[serde(default)]
    pub get: Money,
    /// How objects are brought back, the cheapest way first. None: they can be read at once, for nothing.
    #[serde(default)]
    pub retrieval: Vec<Retrieval>,
}

/// A way of bringing objects of a class back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retrieval {
    /// Which one.
    pub speed: Speed,
    /// After how many minutes objects can be read, at the latest.
    pub minutes: u32,
    /// One unit of what is brought back.
    #[serde(default)]
    pub price: Money,
    /// A thousand objects.
    #[serde(default)]
    pub per_thousand: Money,
    /// Whether a copy in the provider's first class is paid for as long as it is wanted.
    #[serde(default)]
    pub copies: bool,
    /// The largest object for which the time holds.
    pub largest: Option<ByteSize>,
}

/// How fast objects come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Speed {
    /// They need not be thawed.
    AtOnce,
    /// Minutes.
    Expedited,
    /// Hours.
    Standard,
    /// The cheapest.
    Bulk,
}

/// How objects that can be read at once, for nothing, come back.
const AT_ONCE: Retrieval = Retrieval {
    speed: Speed::AtOnce,
    minutes: 0,
    price: Money::ZERO,
    per_thousand: Money::ZERO,
    copies: false,
    largest: None,
};

impl Unit {
    /// How many bytes it has.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        match self {
            Self::Gb => 1_000_000_000,
            Self::Gib => 1 << 30,
            Self::Tb => 1_000_000_000_000,
            Self::Tib => 1 << 40,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gb => "GB",
            Self::Gib => "GiB",
            Self::Tb => "TB",
            Self::Tib => "TiB",
        }
    }
}

impl Speed {
    /// Its name, as in price tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AtOnce => "at-once",
            Self::Expedited => "expedited",
            Self::Standard => "standard",
            Self::Bulk => "bulk",
        }
    }
}

impl ProviderPrices {
    /// The class of this name.
    #[must_use]
    pub fn class(&self, name: &str) -> Option<&ClassPrices> {
        self.classes.iter().find(|class| class.name == name)
    }

    /// Whether anything costs anything there.
    #[must_use]
    pub fn charges(&self) -> bool {
        let of_class = |class: &ClassPrices| {
            let paid = [class.storage, class.put, class.part, class.list, class.get];
            paid.iter().chain(class.retrieval.iter().map(|way| &way.price)).any(|price| !price.is_zero())
        };
        let whole = [self.base_per_month, self.minimum_per_month];
        let egress = self.egress.tiers.iter().any(|tier| !tier.price.is_zero());
        egress || whole.iter().any(|price| !price.is_zero()) || self.classes.iter().any(of_class)
    }

    /// How many days a price per month is for, in a month of so many days.
    #[must_use]
    pub fn price_days(&self, days: u32) -> u128 {
        u128::from(self.month_days.map_or(days, NonZeroU32::get).max(1))
    }
}

impl ClassPrices {
    /// The ways to bring objects back whose largest is so large, the cheapest first. Never none.
    #[must_use]
    pub fn ways(&self, largest: ByteSize) -> Vec<&Retrieval> {
        let ways = self.retrieval.iter().filter(|way| way.largest.is_none_or(|most| largest <= most));
        let ways: Vec<&Retrieval> = ways.collect();
        if ways.is_empty() { vec![self.retrieval.first().unwrap_or(&AT_ONCE)] } else { ways }
    }

    /// The way of this speed; the cheapest where there is none.
    #[must_use]
    pub fn way(&self, speed: Speed) -> &Retrieval {
        let same = self.retrieval.iter().find(|way| way.speed == speed);
        same.or_else(|| self.retrieval.first()).unwrap_or(&AT_ONCE)
    }

    /// Whether objects must be thawed before they can be read.
    #[must_use]
    pub fn must_thaw(&self) -> bool {
        !self.retrieval.is_empty() && self.retrieval.iter().all(|way| way.minutes > 0)
    }

    /// After how many minutes objects can be read at the soonest.
    #[must_use]
    pub fn soonest_minutes(&self) -> u32 {
        self.retrieval.iter().map(|way| way.minutes).min().unwrap_or(0)
    }
}
