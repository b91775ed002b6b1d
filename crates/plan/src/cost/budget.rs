//! What may be spent in a month, and the lines of it at which somebody is told.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

use super::money::{BadMoney, Money};

/// The share of the budget, in hundredths, from which on it is a warning.
const WARNING: u128 = 80;
/// And from which on it is critical.
const CRITICAL: u128 = 90;

/// What may be spent in a month. Reads `8 USD/month`, `8 USD` and `8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Budget(Money);

/// A text that is not a budget.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a budget; write for example `8 USD/month` (other currencies are not converted)")]
pub struct BadBudget {
    text: String,
    #[source]
    cause: BadMoney,
}

/// A line of a budget that is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// 80 % of it or more.
    Warning,
    /// 90 % of it or more.
    Critical,
    /// More than all of it.
    Over,
}

impl Budget {
    /// So much a month.
    #[must_use]
    pub const fn per_month(amount: Money) -> Self {
        Self(amount)
    }

    /// How much a month.
    #[must_use]
    pub const fn amount(self) -> Money {
        self.0
    }

    /// The highest line that a month of this cost reaches; `None`: it costs less than 80 % of the budget, or nothing.
    #[must_use]
    pub fn level(self, cost: Money) -> Option<Level> {
        let reaches = |percent: u128| u128::from(cost.get()) * 100 >= u128::from(self.0.get()) * percent;
        if cost > self.0 {
            Some(Level::Over)
        } else if cost.is_zero() {
            None
        } else if reaches(CRITICAL) {
            Some(Level::Critical)
        } else {
            reaches(WARNING).then_some(Level::Warning)
        }
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} a month", self.0)
    }
}

impl FromStr for Budget {
    type Err = BadBudget;

    fn from_str(text: &str) -> Result<Self, BadBudget> {
        let amount = text.trim();
        let amount = amount.strip_suffix("/month").unwrap_or(amount).trim_end();
        let amount = amount.strip_suffix("USD").unwrap_or(amount).trim_end();
        amount.parse().map(Self).map_err(|cause| BadBudget { text: text.to_owned(), cause })
    }
}

impl<'de> Deserialize<'de> for Budget {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Text(String),
            Amount(Money),
        }
        match Form::deserialize(deserializer)? {
            Form::Amount(amount) => Ok(Self(amount)),
            Form::Text(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for text in ["8", "8 USD", "8USD/month", "8.00 USD/month", " 8 USD / month "] {
            let budget: Budget = text.replace(" / ", "/").parse().unwrap();
            assert_eq!(budget.amount(), Money::dollars(8), "{text}");
        }
        for text in ["", "8 EUR/month", "8/year", "much"] {
            let told = text.parse::<Budget>().unwrap_err().to_string();
            assert!(told.contains("8 USD/month"), "{told}");
        }
    }

    #[test]
    fn lines_are_reached_at_80_and_90_percent_and_passed_above_all_of_it() {
        let budget = Budget::per_month(Money::dollars(10));
        let level = |cents: u64| budget.level(Money::billionths(cents * 10_000_000));
        assert_eq!([0, 799, 800, 899].map(level), [None, None, Some(Level::Warning), Some(Level::Warning)]);
        assert_eq!([900, 1000, 1001].map(level), [Level::Critical, Level::Critical, Level::Over].map(Some));
        let nothing = Budget::per_month(Money::ZERO);
        assert_eq!(nothing.level(Money::ZERO), None);
        assert_eq!(nothing.level(Money::billionths(1)), Some(Level::Over));
    }
}
