//! The price tables that come with the program, read and put in force.
//!
//! One dated file per provider lies in `prices/`. What the configuration changes is changed in the provider's own
//! currency; then everything is converted into dollars. Pure: the files are part of the program.

use super::money::Money;
use super::overrides::Overrides;
use super::price::{ClassPrices, ProviderPrices};

/// The files.
const FILES: [&str; 8] = [
    include_str!("prices/aws.toml"),
    include_str!("prices/backblaze-b2.toml"),
    include_str!("prices/wasabi.toml"),
    include_str!("prices/idrive-e2.toml"),
    include_str!("prices/hetzner.toml"),
    include_str!("prices/ceph-rgw.toml"),
    include_str!("prices/generic.toml"),
    include_str!("prices/directory.toml"),
];

/// Billionths of a dollar in one.
const ONE: u128 = 1_000_000_000;

/// What all providers take, in dollars.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tables {
    providers: Vec<ProviderPrices>,
}

/// Why prices cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPrices {
    /// A file is not a table.
    #[error("the price table is not understood: {0}")]
    NotATable(String),
    /// A table contradicts itself.
    #[error("the prices of {provider} cannot be used: {fault}")]
    Contradiction {
        /// Whose.
        provider: String,
        /// Why not.
        fault: &'static str,
    },
    /// The configuration changes prices of a provider that does not exist.
    #[error("there is no provider `{found}` whose prices could be changed; there are {known}")]
    NoSuchProvider {
        /// What it says.
        found: String,
        /// What there is.
        known: String,
    },
    /// The configuration changes prices of a class, or of a way to bring objects back, that does not exist.
    #[error("{provider} has no {kind} `{found}` whose prices could be changed; it has {known}")]
    NoSuchPart {
        /// Whose.
        provider: String,
        /// A class or a speed.
        kind: &'static str,
        /// What it says.
        found: String,
        /// What there is.
        known: String,
    },
}

impl Tables {
    /// The tables, with what the configuration changes in them.
    ///
    /// # Errors
    /// When the configuration changes prices of what does not exist. (A table that cannot be read is a bug.)
    pub fn load(overrides: &Overrides) -> Result<Self, BadPrices> {
        let read = |text: &&str| toml::from_str(text).map_err(|e| BadPrices::NotATable(e.message().to_owned()));
        let mut providers = FILES.iter().map(read).collect::<Result<Vec<ProviderPrices>, BadPrices>>()?;
        overrides.apply(&mut providers)?;
        for provider in &mut providers {
            check(provider)?;
            convert(provider);
        }
        Ok(Self { providers })
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[ProviderPrices] {
        &self.providers
    }

    /// Those where something costs something: what can be compared.
    pub fn charging(&self) -> impl Iterator<Item = &ProviderPrices> {
        self.providers.iter().filter(|provider| provider.charges())
    }

    /// Those of one provider, by the word that the configuration uses for it.
    #[must_use]
    pub fn provider(&self, name: &str) -> Option<&ProviderPrices> {
        self.providers.iter().find(|provider| provider.provider == name)
    }
}

/// Holds what the computing relies on.
fn check(prices: &ProviderPrices) -> Result<(), BadPrices> {
    let tiers = &prices.egress.tiers;
    let rising = tiers.windows(2).all(|pair| pair[0].up_to < pair[1].up_to || pair[1].up_to.is_none());
    let ends = |(index, up_to): (usize, bool)| (index + 1 == tiers.len()) == up_to;
    let open_at_the_end = tiers.iter().map(|tier| tier.up_to.is_none()).enumerate().all(ends);
    let fault = if prices.classes.is_empty() {
        "they have no storage class"
    } else if prices.verified != prices.doubt.is_none() {
        "a table is verified, or says why not"
    } else if (prices.currency == "USD") != prices.usd.is_none() || prices.usd.is_some() != prices.usd_as_of.is_some() {
        "another currency than USD needs a rate and its day"
    } else if prices.included_storage.get() > 0 && prices.classes.len() > 1 {
        "storage can be included only where there is one class"
    } else if !rising || !open_at_the_end {
        "the tiers of egress must rise, and the last one must be open"
    } else {
        return Ok(());
    };
    Err(BadPrices::Contradiction { provider: prices.provider.clone(), fault })
}

/// Turns all amounts into dollars.
fn convert(prices: &mut ProviderPrices) {
    let Some(rate) = prices.usd else { return };
    let to_dollars = |amount: &mut Money| *amount = rate.times(u128::from(amount.get()), ONE);
    to_dollars(&mut prices.base_per_month);
    to_dollars(&mut prices.minimum_per_month);
    prices.egress.tiers.iter_mut().for_each(|tier| to_dollars(&mut tier.price));
    for class in &mut prices.classes {
        let ClassPrices { storage, put, part, list, get, retrieval, .. } = class;
        [storage, put, part, list, get].into_iter().for_each(to_dollars);
        for way in retrieval {
            to_dollars(&mut way.price);
            to_dollars(&mut way.per_thousand);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables() -> Tables {
        Tables::load(&Overrides::default()).unwrap()
    }

    /// The words of the S3 profiles, which this room cannot import.
    #[test]
    fn every_provider_of_a_bucket_has_a_table_that_says_where_it_is_from() {
        let tables = tables();
        let names: Vec<&str> = tables.all().iter().map(|provider| provider.provider.as_str()).collect();
        let known = ["aws", "backblaze-b2", "wasabi", "idrive-e2", "hetzner", "ceph-rgw", "generic", "directory"];
        assert_eq!(names, known);
        for provider in tables.charging() {
            assert!(!provider.sources.is_empty() && provider.as_of.year() >= 2026, "{}", provider.provider);
        }
        assert!(known[5..].iter().all(|name| !tables.provider(name).unwrap().charges()));
    }

    #[test]
    fn euros_are_converted_once() {
        let tables = tables();
        let hetzner = tables.provider("hetzner").unwrap();
        // 6.49 × 1.1133 = 7.225317; 6.264 × 1.1133 = 6.9737112.
        assert_eq!(hetzner.base_per_month.exact(), "$7.225317");
        assert_eq!(hetzner.classes[0].storage.exact(), "$6.9737112");
        assert_eq!(hetzner.egress.tiers[0].price.exact(), "$1.1133");
    }

    #[test]
    fn a_table_that_contradicts_itself_is_refused() {
        let good: ProviderPrices = toml::from_str(FILES[0]).unwrap();
        assert_eq!(check(&good), Ok(()));
        let spoil: [fn(&mut ProviderPrices); 6] = [
            |p| p.classes.clear(),
            |p| p.verified = false,
            |p| p.currency = "EUR".to_owned(),
            |p| p.included_storage = subvault_model::bytesize::ByteSize::bytes(1),
            |p| p.egress.tiers.truncate(1),
            |p| p.egress.tiers.swap(0, 1),
        ];
        for spoil in spoil {
            let mut bad = good.clone();
            spoil(&mut bad);
            assert!(check(&bad).is_err(), "{bad:?}");
        }
        assert!(toml::from_str::<ProviderPrices>(&format!("{}\nnonsense = 1", FILES[0])).is_err());
    }
}
