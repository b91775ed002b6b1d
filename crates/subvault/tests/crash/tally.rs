//! What all tests of this program did together, told when the last of them is through.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::world::proved;

/// How many tests count something here.
const TESTS: usize = 24;

/// How the program, or the machine under it, came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    /// Killed at a random moment.
    Random,
    /// Killed at a named point.
    Named,
    /// The power was cut.
    Power,
}

#[derive(Default)]
struct Tally {
    counts: BTreeMap<(&'static str, End), usize>,
    through: usize,
}

static TALLY: Mutex<Option<Tally>> = Mutex::new(None);

/// Notes what a test that is through did, how often, and while the program did what; tells it.
pub(crate) fn through(counts: &[(&'static str, End, usize)], what: &str) {
    proved(what);
    let mut tally = TALLY.lock().unwrap_or_else(PoisonError::into_inner);
    let tally = tally.get_or_insert_default();
    for (doing, end, count) in counts {
        *tally.counts.entry((*doing, *end)).or_default() += count;
    }
    tally.through += 1;
    // Where only some of the tests are run, nothing is said of them all.
    if tally.through == TESTS {
        proved(&tally.sum());
    }
}

impl Tally {
    fn count(&self, doing: Option<&str>, end: End) -> usize {
        let wanted = self.counts.iter().filter(|((d, e), _)| *e == end && doing.is_none_or(|doing| doing == *d));
        wanted.map(|(_, count)| count).sum()
    }

    fn sum(&self) -> String {
        let (random, named) = (self.count(None, End::Random), self.count(None, End::Named));
        let of = |doing| {
            let [random, named, power] = [End::Random, End::Named, End::Power].map(|end| self.count(Some(doing), end));
            format!("{doing} {random}+{named}, {power} power cuts")
        };
        format!(
            "{} kills ({random} random, {named} named) and {} power cuts: {}; {}; {}; {}; {}; {}; {}; \
            each rerun succeeds, nothing incomplete is ever visible, nothing is left",
            random + named,
            self.count(None, End::Power),
            of("archiving"),
            of("restoring"),
            of("collecting"),
            of("bringing back"),
            of("copying"),
            of("pruning"),
            of("forgetting"),
        )
    }
}
