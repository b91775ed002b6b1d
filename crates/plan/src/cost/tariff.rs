//! Where objects lie, and so at which prices: a provider, and a class for chunks and one for manifests.

use super::price::{ClassPrices, ProviderPrices};

/// The prices that hold for an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tariff<'a> {
    /// The provider.
    pub provider: &'a ProviderPrices,
    /// The class of chunks.
    pub bulk: &'a ClassPrices,
    /// The class of manifests and pointers.
    pub metadata: &'a ClassPrices,
    /// The provider's first class, at whose price indexes and thawed copies are charged.
    pub first: &'a ClassPrices,
}

/// A storage class that has no prices.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no prices are known for the storage class `{class}` of {provider}")]
pub struct UnknownClass {
    /// Whose it is.
    pub provider: String,
    /// Its name.
    pub class: String,
}

impl<'a> Tariff<'a> {
    /// The prices for chunks and manifests in these classes; `None`: in the first one, where objects go for which none is
    /// asked for.
    ///
    /// # Errors
    /// When the table has no such class.
    pub fn new(provider: &'a ProviderPrices, bulk: Option<&str>, metadata: Option<&str>) -> Result<Self, UnknownClass> {
        let unknown = |class: &str| UnknownClass { provider: provider.provider.clone(), class: class.to_owned() };
        let first = provider.classes.first().ok_or_else(|| unknown("STANDARD"))?;
        let class = |name: Option<&str>| match name {
            None => Ok(first),
            Some(name) => provider.class(name).ok_or_else(|| unknown(name)),
        };
        Ok(Self { provider, bulk: class(bulk)?, metadata: class(metadata)?, first })
    }

    /// All tariffs of a provider: chunks in each of its classes, manifests in the first one, since every run reads them.
    pub fn all(provider: &'a ProviderPrices) -> impl Iterator<Item = Self> {
        let of = move |(first, bulk)| Self { provider, bulk, metadata: first, first };
        provider.classes.iter().filter_map(|bulk| provider.classes.first().map(|first| (first, bulk))).map(of)
    }
}
