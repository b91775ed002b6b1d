//! Amounts of money: whole billionths of a US dollar, so that the same question has the same answer everywhere.
//!
//! Never a floating-point number. What is computed is computed exactly and rounded once, half up, to a billionth.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Billionths in one dollar.
const ONE: u64 = 1_000_000_000;
/// How many digits a billionth has behind the point.
const DIGITS: usize = 9;
const CENT: u64 = ONE / 100;

/// An amount of money that is not negative: US dollars in results, and the provider's currency in a price table that
/// was not converted yet.
///
/// Reads `0.00099` and `5`; serialises as such a text. Sums do not overflow but stay at the largest amount there is
/// (18 billion dollars).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Money(u64);

/// A text that is not an amount of money.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an amount of money; write for example `5` or `0.00099`, with at most 9 digits behind the point")]
pub struct BadMoney(String);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// So many billionths of a dollar.
    #[must_use]
    pub const fn billionths(billionths: u64) -> Self {
        Self(billionths)
    }

    /// So many dollars.
    #[must_use]
    pub const fn dollars(dollars: u64) -> Self {
        Self(dollars.saturating_mul(ONE))
    }

    /// The number of billionths of a dollar.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Whether it is nothing.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The difference, never below zero.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// What `quantity` costs where `per` of it cost this much: rounded half up, to a billionth.
    #[must_use]
    pub fn times(self, quantity: u128, per: u128) -> Self {
        let per = per.max(1);
        let exact = quantity.saturating_mul(u128::from(self.0));
        Self(u64::try_from(exact.saturating_add(per / 2) / per).unwrap_or(u64::MAX))
    }

    /// Whole dollars and cents, rounded up, without the sign: as a budget is written.
    #[must_use]
    pub fn ceiling(self) -> String {
        let cents = self.0.div_ceil(CENT);
        format!("{}.{:02}", cents / 100, cents % 100)
    }

    /// The whole amount, with no digit left out and at least two behind the point: `$0.00099`, `$6.95`. For prices.
    #[must_use]
    pub fn exact(self) -> String {
        let (whole, rest) = (self.0 / ONE, self.0 % ONE);
        let mut digits = format!("{rest:0DIGITS$}");
        while digits.len() > 2 && digits.ends_with('0') {
            digits.pop();
        }
        format!("${whole}.{digits}")
    }
}

impl Add for Money {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

/// In cents, `$4.95`; what is less than a cent with four digits, `$0.0004`, or as `<$0.0001`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 > 0 && self.0 < ONE / 10_000 {
            return f.pad("<$0.0001");
        }
        let small = self.0 > 0 && self.0 < CENT;
        let (step, digits) = if small { (ONE / 10_000, 4) } else { (CENT, 2) };
        let rounded = self.0.saturating_add(step / 2) / step;
        let per_dollar = ONE / step;
        f.pad(&format!("${}.{:0digits$}", rounded / per_dollar, rounded % per_dollar))
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Money({})", self.exact())
    }
}

impl FromStr for Money {
    type Err = BadMoney;

    fn from_str(text: &str) -> Result<Self, BadMoney> {
        let bad = || BadMoney(text.to_owned());
        let (whole, rest) = text.trim().split_once('.').unwrap_or((text.trim(), "0"));
        let plain = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        if !plain(whole) || !plain(rest) || rest.len() > DIGITS {
            return Err(bad());
        }
        let whole: u64 = whole.parse().map_err(|_| bad())?;
        let rest: u64 = format!("{rest:0<DIGITS$}").parse().map_err(|_| bad())?;
        whole.checked_mul(ONE).and_then(|whole| whole.checked_add(rest)).map(Self).ok_or_else(bad)
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.exact().trim_start_matches('$'))
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Whole(u64),
            /// The shortest text that gives this number is what was written.
            Number(f64),
            Text(String),
        }
        let text = match Form::deserialize(deserializer)? {
            Form::Whole(whole) => whole.to_string(),
            Form::Number(number) => number.to_string(),
            Form::Text(text) => text,
        };
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_prints_amounts() {
        for (text, billionths, exact, shown) in [
            ("5", 5_000_000_000, "$5.00", "$5.00"),
            ("0.00099", 990_000, "$0.00099", "$0.0010"),
            ("6.95", 6_950_000_000, "$6.95", "$6.95"),
            ("0.000000001", 1, "$0.000000001", "<$0.0001"),
            ("1.005", 1_005_000_000, "$1.005", "$1.01"),
            ("0.00996", 9_960_000, "$0.00996", "$0.0100"),
            ("0", 0, "$0.00", "$0.00"),
        ] {
            let money: Money = text.parse().unwrap();
            assert_eq!((money.get(), money.exact().as_str(), money.to_string().as_str()), (billionths, exact, shown));
        }
        for text in ["", ".", "-1", "1.", ".5", "1,5", "$5", "0.0000000001", "1e3", "20000000000"] {
            assert!(text.parse::<Money>().is_err(), "{text}");
        }
    }

    #[test]
    fn rounds_half_up_and_never_overflows() {
        let price = Money::billionths(10);
        assert_eq!(price.times(1, 4), Money::billionths(3));
        assert_eq!(price.times(1, 5), Money::billionths(2));
        assert_eq!(price.times(1, 0), price);
        assert_eq!(Money::dollars(u64::MAX).times(u128::MAX, 1), Money::billionths(u64::MAX));
    }

    #[test]
    fn numbers_in_a_configuration_mean_what_is_written() {
        #[derive(Deserialize)]
        struct Prices {
            prices: Vec<Money>,
        }
        let read: Prices = toml::from_str("prices = [0.00099, 7, \"0.1\", 0.0000001]").unwrap();
        let texts: Vec<String> = read.prices.into_iter().map(Money::exact).collect();
        assert_eq!(texts, ["$0.00099", "$7.00", "$0.10", "$0.0000001"]);
        assert!(toml::from_str::<Prices>("prices = [-1.0]").is_err());
    }
}
