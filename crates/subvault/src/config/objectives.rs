//! `[objectives]` and `[cost]`: what the owner states, and prices that are not those of the tables.

use serde::Deserialize;
use subvault_model::bandwidth::Bandwidth;
use subvault_plan::cost::budget::Budget;
use subvault_plan::cost::overrides::Overrides;
use subvault_plan::cost::table::Tables;
use subvault_plan::strategy::objectives::Objectives as Stated;
use toml::Spanned;

use super::Document;
use super::error::ConfigError;
use super::keep::Age;

/// What the owner states.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objectives {
    /// How much work may be lost, also when the disk dies.
    pub lose_at_most: Option<Age>,
    /// How soon everything must be back.
    pub back_within: Option<Age>,
    /// What a month may cost.
    pub budget: Option<Budget>,
    /// How fast data comes here.
    pub download: Option<Bandwidth>,
    /// How fast it goes away.
    pub upload: Option<Bandwidth>,
}

/// What things cost.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// Prices that are not those of the tables, by provider.
    pub prices: Option<Spanned<Overrides>>,
}

/// How fast data comes, unless said otherwise: 100 Mbit/s.
const DOWNLOAD: Bandwidth = Bandwidth::megabits_per_second(100);
/// How fast it goes: 20 Mbit/s.
const UPLOAD: Bandwidth = Bandwidth::megabits_per_second(20);

/// What is stated in a configuration.
pub fn stated(document: &Document) -> Stated {
    let written = &document.config.objectives;
    Stated {
        lose_at_most: written.lose_at_most.map(|age| age.0),
        back_within: written.back_within.map(|age| age.0),
        budget: written.budget,
        download: written.download.unwrap_or(DOWNLOAD),
        upload: written.upload.unwrap_or(UPLOAD),
    }
}

/// The price tables, with what a configuration changes.
///
/// # Errors
/// When it changes what there is not.
pub fn tables(document: &Document) -> Result<Tables, ConfigError> {
    let Some(written) = &document.config.cost.prices else {
        return Tables::load(&Overrides::default()).map_err(|error| ConfigError::general(error.to_string()));
    };
    Tables::load(written.get_ref()).map_err(|error| {
        ConfigError::at(&document.path, &document.text, written.span(), error.to_string())
            .with_hint("docs/costs.md has the names of providers, classes and prices")
    })
}
