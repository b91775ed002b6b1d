//! Archives and prices for the tests of cost.

use jiff::civil::Date;
use subvault_model::bytesize::ByteSize;
use subvault_plan::cost::bill::{Bill, Item};
use subvault_plan::cost::holdings::{Archive, Cadence, Subject};
use subvault_plan::cost::overrides::Overrides;
use subvault_plan::cost::table::Tables;
use subvault_plan::cost::tariff::Tariff;

use crate::fixtures::some;

pub(crate) fn tables() -> Tables {
    Tables::load(&Overrides::default()).unwrap()
}

/// The tariff of a class, with manifests in the provider's first class.
pub(crate) fn tariff<'a>(tables: &'a Tables, provider: &str, class: &str) -> Tariff<'a> {
    Tariff::new(tables.provider(provider).unwrap(), Some(class), None).unwrap()
}

pub(crate) fn new_year() -> Date {
    jiff::civil::date(2026, 1, 1)
}

pub(crate) fn cadence(send_hours: u32, full_days: u32, keep: u32, waits: u32) -> Cadence {
    Cadence {
        send_every_hours: some(send_hours),
        full_every_days: std::num::NonZeroU32::new(full_days),
        keep_generations: some(keep),
        gc_waits_days: waits,
    }
}

pub(crate) fn subject(name: &str, full: ByteSize, change: ByteSize, growth: ByteSize) -> Subject {
    Subject { name: name.parse().unwrap(), full, change_per_day: change, growth_per_day: growth, held: Vec::new() }
}

/// One subvolume, which does not grow.
pub(crate) fn archive(full: ByteSize, change: ByteSize, cadence: Cadence) -> Archive {
    let subvolumes = vec![subject("data", full, change, ByteSize::ZERO)];
    Archive { subvolumes, cadence, chunk: ByteSize::gib(200) }
}

/// The Proxmox host: 5 TiB to which 219 GiB are added in 180 days, and two small subvolumes. Weekly streams, a full every
/// half year, one generation.
pub(crate) fn proxmox() -> Archive {
    let size = |text: &str| text.parse::<ByteSize>().unwrap();
    let grows = |name, full, per_day| subject(name, size(full), size(per_day), size(per_day));
    let subvolumes = vec![
        grows("data", "4950.94 GiB", "1244 MiB"),
        grows("root", "39.37 GiB", "211 MiB"),
        grows("home", "10.99 GiB", "36 MiB"),
    ];
    Archive { subvolumes, cadence: cadence(168, 180, 1, 0), chunk: ByteSize::gib(200) }
}

/// What a line of a bill is worth, as a number for the arithmetic of tests.
pub(crate) fn dollars(bill: &Bill, item: Item) -> f64 {
    value(bill.amount(item))
}

#[expect(clippy::cast_precision_loss, reason = "amounts in tests are small")]
pub(crate) fn value(money: subvault_plan::cost::money::Money) -> f64 {
    money.get() as f64 / 1e9
}

/// Two ways of computing came to the same, but for less than a ten-thousandth of a cent.
#[track_caller]
pub(crate) fn same(found: f64, by_hand: f64) {
    assert!((found - by_hand).abs() < 1e-6, "{found} in place of {by_hand}");
}
