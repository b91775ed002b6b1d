//! What the configuration changes in the price tables.
//!
//! Prices are in the currency of the provider's bill and for its unit, like those they go over. What is not said stays.

use std::collections::BTreeMap;

use serde::Deserialize;
use subvault_model::bytesize::ByteSize;

use super::money::Money;
use super::price::{ClassPrices, EgressTier, ProviderPrices, Speed};
use super::table::BadPrices;

/// The changes, by provider: `[cost.prices.aws]` of a configuration is one of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Overrides(BTreeMap<String, ProviderOverride>);

/// What is changed of a provider.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProviderOverride {
    /// What one unit of the bill's currency is in dollars.
    pub usd: Option<Money>,
    /// What is paid each month in any case.
    pub base_per_month: Option<Money>,
    /// The least that storage costs in a month.
    pub minimum_per_month: Option<Money>,
    /// How much can be stored without being charged.
    pub included_storage: Option<ByteSize>,
    /// How much can be taken out in a month for nothing.
    pub included_egress: Option<ByteSize>,
    /// One unit taken out, however much it is.
    pub egress: Option<Money>,
    /// What is changed of its storage classes, by their names.
    pub classes: BTreeMap<String, ClassOverride>,
}

/// What is changed of a storage class.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClassOverride {
    /// One unit for a month.
    pub storage: Option<Money>,
    /// For how many days an object is paid for in any case.
    pub minimum_days: Option<u32>,
    /// The size that a smaller object is charged for.
    pub minimum_object: Option<ByteSize>,
    /// A thousand objects stored.
    pub put: Option<Money>,
    /// A thousand parts.
    pub part: Option<Money>,
    /// A thousand listings.
    pub list: Option<Money>,
    /// A thousand reads.
    pub get: Option<Money>,
    /// What is changed of the ways to bring objects back, by their speed.
    pub retrieval: BTreeMap<Speed, RetrievalOverride>,
}

/// What is changed of a way to bring objects back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetrievalOverride {
    /// One unit.
    pub price: Option<Money>,
    /// A thousand objects.
    pub per_thousand: Option<Money>,
    /// After how many minutes objects can be read.
    pub minutes: Option<u32>,
}

/// Notes which of the values it sets were said.
struct Setter<'a> {
    changed: &'a mut Vec<String>,
    of: String,
}

impl Setter<'_> {
    fn set<T>(&mut self, name: &str, place: &mut T, value: Option<T>) {
        if let Some(value) = value {
            *place = value;
            self.changed.push(format!("{}{name}", self.of));
        }
    }
}

impl Overrides {
    /// The same for changes that were made elsewhere.
    #[must_use]
    pub fn new(changes: BTreeMap<String, ProviderOverride>) -> Self {
        Self(changes)
    }

    /// Makes the changes.
    pub(super) fn apply(&self, tables: &mut [ProviderPrices]) -> Result<(), BadPrices> {
        for (name, change) in &self.0 {
            let known = list(tables.iter().map(|table| table.provider.as_str()));
            let Some(table) = tables.iter_mut().find(|table| table.provider == *name) else {
                return Err(BadPrices::NoSuchProvider { found: name.clone(), known });
            };
            change.apply(table)?;
        }
        Ok(())
    }
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<String>>().join(", ")
}

impl ProviderOverride {
    fn apply(&self, table: &mut ProviderPrices) -> Result<(), BadPrices> {
        let mut changed = std::mem::take(&mut table.changed);
        let mut own = Setter { changed: &mut changed, of: String::new() };
        own.set("usd", &mut table.usd, self.usd.map(Some));
        own.set("base_per_month", &mut table.base_per_month, self.base_per_month);
        own.set("minimum_per_month", &mut table.minimum_per_month, self.minimum_per_month);
        own.set("included_storage", &mut table.included_storage, self.included_storage);
        own.set("included_egress", &mut table.egress.included, self.included_egress);
        let egress = self.egress.map(|price| vec![EgressTier { up_to: None, price }]);
        own.set("egress", &mut table.egress.tiers, egress);
        for (name, change) in &self.classes {
            let known = list(table.classes.iter().map(|class| class.name.as_str()));
            let Some(class) = table.classes.iter_mut().find(|class| class.name == *name) else {
                let (provider, found) = (table.provider.clone(), name.clone());
                return Err(BadPrices::NoSuchPart { provider, kind: "storage class", found, known });
            };
            change.apply(&table.provider, class, &mut changed)?;
        }
        table.changed = changed;
        Ok(())
    }
}

impl ClassOverride {
    fn apply(&self, provider: &str, class: &mut ClassPrices, changed: &mut Vec<String>) -> Result<(), BadPrices> {
        let mut own = Setter { changed, of: format!("{}.", class.name) };
        own.set("storage", &mut class.storage, self.storage);
        own.set("minimum_days", &mut class.minimum_days, self.minimum_days);
        own.set("minimum_object", &mut class.minimum_object, self.minimum_object);
        own.set("put", &mut class.put, self.put);
        own.set("part", &mut class.part, self.part);
        own.set("list", &mut class.list, self.list);
        own.set("get", &mut class.get, self.get);
        for (speed, change) in &self.retrieval {
            let known = list(class.retrieval.iter().map(|way| way.speed.name()));
            let Some(way) = class.retrieval.iter_mut().find(|way| way.speed == *speed) else {
                let (provider, found) = (provider.to_owned(), speed.name().to_owned());
                return Err(BadPrices::NoSuchPart { provider, kind: "way to bring objects back", found, known });
            };
            own.of = format!("{}.retrieval.{}.", class.name, speed.name());
            own.set("price", &mut way.price, change.price);
            own.set("per_thousand", &mut way.per_thousand, change.per_thousand);
            own.set("minutes", &mut way.minutes, change.minutes);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::table::Tables;

    fn load(text: &str) -> Result<Tables, BadPrices> {
        Tables::load(&toml::from_str(text).unwrap())
    }

    #[test]
    fn what_is_said_goes_over_the_table_and_is_noted() {
        let tables = load(
            "[aws]\negress = 0.02\n[aws.classes.DEEP_ARCHIVE]\nstorage = \"0.0018\"\nminimum_days = 0\n\
             [aws.classes.DEEP_ARCHIVE.retrieval.bulk]\nprice = 0.0033\n[hetzner]\nusd = 1\nbase_per_month = \"4.99\"",
        )
        .unwrap();
        let aws = tables.provider("aws").unwrap();
        let deep = aws.class("DEEP_ARCHIVE").unwrap();
        assert_eq!((deep.storage.exact().as_str(), deep.minimum_days), ("$0.0018", 0));
        assert_eq!(deep.way(Speed::Bulk).price.exact(), "$0.0033");
        assert_eq!(deep.way(Speed::Standard).price.exact(), "$0.02");
        assert_eq!(aws.egress.tiers.len(), 1);
        let noted =
            ["egress", "DEEP_ARCHIVE.storage", "DEEP_ARCHIVE.minimum_days", "DEEP_ARCHIVE.retrieval.bulk.price"];
        assert_eq!(aws.changed, noted);
        assert_eq!(tables.provider("hetzner").unwrap().base_per_month.exact(), "$4.99");
        assert!(tables.provider("wasabi").unwrap().changed.is_empty());
    }

    #[test]
    fn what_does_not_exist_is_told_with_what_does() {
        let told = |text: &str| load(text).unwrap_err().to_string();
        assert!(told("[azure]").starts_with("there is no provider `azure`"));
        assert!(
            told("[wasabi.classes.GLACIER]").ends_with("`GLACIER` whose prices could be changed; it has `STANDARD`")
        );
        assert!(told("[aws.classes.GLACIER_IR.retrieval.bulk]").contains("it has `at-once`"));
        assert!(toml::from_str::<Overrides>("[aws]\nnonsense = 1").is_err());
    }

    /// A provider that charges nothing in its table can be given prices.
    #[test]
    fn an_own_cluster_can_be_priced() {
        let tables = load("[ceph-rgw.classes.STANDARD]\nstorage = 0.01").unwrap();
        assert!(tables.charging().any(|provider| provider.provider == "ceph-rgw"));
        let err = load("[aws]\nusd = 1").unwrap_err();
        assert!(matches!(err, BadPrices::Contradiction { .. }), "{err}");
    }
}
