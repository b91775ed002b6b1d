//! Something that is wrong with a host, as it is told in metrics; without the words of any one system.

use jiff::SignedDuration;
use subvault_model::metrics::Metric;

/// Something that somebody is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Alert {
    /// What it is called.
    pub(super) name: &'static str,
    /// How bad it is.
    pub(super) severity: Severity,
    /// What is wrong.
    pub(super) condition: Condition,
    /// Of which host, and of what on it.
    pub(super) of: Selector,
    /// For how long it has to be so.
    pub(super) lasting: SignedDuration,
    /// In words; `<subvolume>` stands for what the label of that name says.
    pub(super) summary: String,
    /// What to look at.
    pub(super) action: &'static str,
}

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Severity {
    /// Data may be lost: now.
    Critical,
    /// In the next days.
    Warning,
    /// Good to know.
    Info,
}

impl Severity {
    /// As it is written.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// Which series are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selector {
    /// Of this host.
    pub(super) host: String,
    /// Labels with the values that they may have, or may not.
    pub(super) labels: Vec<LabelIs>,
}

/// What a label has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LabelIs {
    /// Its name.
    pub(super) label: &'static str,
    /// Values.
    pub(super) values: Vec<String>,
    /// Whether it has to be one of them; else it must be none.
    pub(super) is_one: bool,
}

impl Selector {
    /// Everything on a host.
    pub(super) fn of(host: &str) -> Self {
        Self { host: host.to_owned(), labels: Vec::new() }
    }

    /// Only that of which the label is one of these.
    pub(super) fn only(mut self, label: &'static str, values: Vec<String>) -> Self {
        self.labels.push(LabelIs { label, values, is_one: true });
        self
    }

    /// Only that of which the label is none of these; without values, all.
    pub(super) fn except(mut self, label: &'static str, values: Vec<String>) -> Self {
        if !values.is_empty() {
            self.labels.push(LabelIs { label, values, is_one: false });
        }
        self
    }
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    /// What was tried last failed.
    Failing {
        /// How often it did.
        failed: Metric,
        /// When it did last.
        last_failure: Metric,
        /// When it went well last.
        last_success: Metric,
    },
    /// It was counted within the last hour.
    Counted(Metric),
    /// The last one is too long ago.
    Old {
        /// When it was.
        last: Metric,
        /// How long ago that is.
        age: Metric,
        /// How long ago it may be.
        than: SignedDuration,
    },
    /// A share is larger than so many hundredths.
    Fuller(Metric, u8),
    /// It took longer than so many seconds.
    Longer(Metric, u16),
    /// There are any.
    Any(Metric),
    /// There are fewer than there were within the last two days.
    Fewer(Metric),
    /// It took more than twice as long as is usual, and more than ten minutes.
    Slower(Metric),
    /// More than so many hundredths of the budget are spent.
    Spent {
        /// What is spent.
        cost: Metric,
        /// What may be.
        budget: Metric,
        /// How many hundredths.
        percent: u8,
    },
    /// Nothing is heard of the host.
    Silent(Metric),
}

impl Condition {
    /// The metric whose labels the words can name.
    #[cfg(test)]
    pub(super) const fn metric(&self) -> &Metric {
        match self {
            Self::Failing { failed: metric, .. }
            | Self::Old { last: metric, .. }
            | Self::Counted(metric)
            | Self::Fuller(metric, _)
            | Self::Longer(metric, _)
            | Self::Any(metric)
            | Self::Fewer(metric)
            | Self::Slower(metric)
            | Self::Spent { budget: metric, .. }
            | Self::Silent(metric) => metric,
        }
    }
}

/// The words with the labels in them written as some system writes them.
pub(super) fn with_labels(summary: &str, write: impl Fn(&str) -> String) -> String {
    let mut text = String::new();
    for (index, part) in summary.split('<').enumerate() {
        match part.split_once('>').filter(|_| index > 0) {
            Some((label, rest)) => text.push_str(&(write(label) + rest)),
            None => text.push_str(part),
        }
    }
    text
}
