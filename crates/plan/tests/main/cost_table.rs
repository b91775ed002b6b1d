//! Bills against arithmetic that is written out here, with the prices as their providers' pages have them.

use subvault_model::bytesize::ByteSize;
use subvault_plan::cost::bill::{Bill, Item, bill};
use subvault_plan::cost::forecast::{MonthBill, forecast};
use subvault_plan::cost::price::Speed;
use subvault_plan::cost::usage::{Held, Restored, Usage};

use crate::cost_host::{archive, cadence, dollars, new_year, same, tables, tariff, value};

const GIB: u128 = 1 << 30;

/// So much kept over a month of 30 days, in so many objects.
fn kept(bytes: u128, objects: u128) -> Usage {
    let bulk = Held { byte_days: bytes * 30, object_days: objects * 30, ..Held::default() };
    Usage { days: 30, bulk, ..Usage::default() }
}

fn bill_of(provider: &str, class: &str, usage: &Usage) -> Bill {
    bill(&tariff(&tables(), provider, class), usage)
}

/// 5 TiB in Deep Archive with weekly incrementals of 8.4 GiB, from an empty store.
fn five_tebibytes(waits: u32) -> Vec<MonthBill> {
    let change = ByteSize::bytes(1_288_490_189); // 1.2 GiB a day
    let archive = archive(ByteSize::gib(5120), change, cadence(168, 180, 1, waits));
    forecast(&archive, &tariff(&tables(), "aws", "DEEP_ARCHIVE"), new_year(), 13, None).months
}

#[test]
fn the_first_month_of_five_tebibytes_in_deep_archive() {
    let months = five_tebibytes(0);
    let january = &months[0].bill;
    // The full for 31 days; incrementals of the days 7, 14, 21 and 28.
    same(dollars(january, Item::Storage), (5120.0 * 31.0 + 8.4 * (24.0 + 17.0 + 10.0 + 3.0)) * 0.00099 / 31.0);
    // 26 chunks of the full, one of each incremental: 32 KiB in Deep Archive and 8 KiB in Standard each.
    let object_days = 26.0 * 31.0 + 54.0;
    let kib = 1.0 / 1024.0 / 1024.0;
    same(dollars(january, Item::Overhead), object_days / 31.0 * kib * (32.0 * 0.00099 + 8.0 * 0.023));
    // 25 chunks have 8534 parts of 24 MiB and the last one 5120; an incremental has 359. Each upload is begun and completed.
    let parts = 25.0 * 8534.0 + 5120.0 + 26.0 + 4.0 * 360.0;
    let manifests = 5.0 * 2.0 * 0.005 + 5.0 * 0.005 + f64::from(1 + 2 + 3 + 4 + 5) * 0.0004;
    same(dollars(january, Item::Requests), (30.0 * 0.05 + parts * 0.005 + 30.0 * 0.0004 + manifests) / 1000.0);
    // The manifests: of the full one hash for each part.
    let full = 2048.0 + 26.0 * 300.0 + 78.0 * (25.0 * 8534.0 + 5120.0);
    let incremental = 2048.0 + 300.0 + 78.0 * 359.0;
    let bytes = (full + 400.0) * 31.0 + incremental * 54.0;
    same(dollars(january, Item::Metadata), bytes / 1024.0 / 1024.0 / 1024.0 / 31.0 * 0.023);
    assert_eq!(january.amount(Item::EarlyDeletion).get() + january.amount(Item::Egress).get(), 0);
    assert_eq!(months[0].stored, ByteSize::bytes((5120 << 30) + 4 * 9_019_431_323));
}

/// A full is sent when a week has passed its 180th day: on day 182, in July. The old generation goes: its full is old
/// enough; of its 25 incrementals, those of the days 7, 14, … 175, days are left: 5, 12, … 173, together 2225. The next one goes in December.
#[test]
fn what_is_deleted_before_its_time_is_paid_to_its_end() {
    let months = five_tebibytes(0);
    let july = &months[6].bill;
    same(
        dollars(july, Item::EarlyDeletion),
        2225.0 * (8.4 * 0.00099 + (32.0 * 0.00099 + 8.0 * 0.023) / 1048576.0) / 31.0,
    );
    let others = months.iter().enumerate().filter(|(month, _)| *month != 6 && *month != 11);
    assert!(others.map(|(_, month)| month.bill.amount(Item::EarlyDeletion).get()).all(|amount| amount == 0));
    let line = july.lines.iter().find(|line| line.item == Item::EarlyDeletion).unwrap();
    let told = "210.0 GiB deleted before 180 days were over, for the 89 days that were left on average";
    assert_eq!(line.because, told);
}

/// When `gc` waits for the youngest incremental to be 180 days old, both fulls are kept for half a year.
#[test]
fn waiting_for_the_minimum_time_keeps_the_old_full_as_well() {
    let (at_once, waiting) = (five_tebibytes(0), five_tebibytes(180));
    let year = |months: &[MonthBill]| months.iter().map(|month| value(month.bill.total)).sum::<f64>();
    let august = |months: &[MonthBill]| dollars(&months[7].bill, Item::Storage);
    same(august(&waiting) - august(&at_once), (5120.0 + 25.0 * 8.4) * 0.00099);
    assert!(waiting.iter().all(|month| month.bill.amount(Item::EarlyDeletion).get() == 0));
    assert!(year(&waiting) > year(&at_once) + 25.0, "{} {}", year(&waiting), year(&at_once));
}

#[test]
fn two_hundred_gigabytes_in_b2() {
    let mut usage = kept(200_000_000_000, 1);
    let month = bill_of("backblaze-b2", "STANDARD", &usage);
    same(value(month.total), 190.0 * 0.00695);
    assert_eq!(month.lines.len(), 1);
    assert_eq!(month.lines[0].because, "186.3 GiB on average, 9.31 GiB of it included, at $6.95 a TB and month");
    // Three times as much may be taken out.
    let taken = |gigabytes: u64| {
        let bytes = ByteSize::bytes(gigabytes * 1_000_000_000);
        Some(Restored { bytes, objects: 1, gets: 5000, speed: Speed::AtOnce })
    };
    usage.restored = taken(600);
    assert_eq!(bill_of("backblaze-b2", "STANDARD", &usage), month);
    usage.restored = taken(1000);
    same(value(bill_of("backblaze-b2", "STANDARD", &usage).total), 190.0 * 0.00695 + 400.0 * 0.01);
}

#[test]
fn wasabi_bills_a_terabyte_and_ninety_days() {
    let small = bill_of("wasabi", "STANDARD", &kept(200 * GIB, 1));
    same(value(small.total), 7.99);
    same(dollars(&small, Item::Storage), 7.99 * 200.0 / 1024.0);
    same(dollars(&small, Item::MinimumCharge), 7.99 * 824.0 / 1024.0);
    let large = bill_of("wasabi", "STANDARD", &kept(2048 * GIB, 1));
    same(value(large.total), 2.0 * 7.99);
    // What is gone is paid beside the least, not out of it.
    let mut deleted = kept(200 * GIB, 1);
    deleted.bulk.early_bytes = 10 * GIB;
    deleted.bulk.early_byte_days = 10 * GIB * 75;
    same(value(bill_of("wasabi", "STANDARD", &deleted).total), 7.99 + 10.0 * 0.000_260_091_1 * 75.0);
}

#[test]
fn hetzner_has_a_base_price_with_a_terabyte() {
    let euro = 1.1133;
    same(value(bill_of("hetzner", "STANDARD", &kept(1_000_000_000_000, 1)).total), 6.49 * euro);
    let mut usage = kept(1_500_000_000_000, 1);
    usage.restored =
        Some(Restored { bytes: ByteSize::bytes(3_000_000_000_000), objects: 1, gets: 1, speed: Speed::Bulk });
    let bill = bill_of("hetzner", "STANDARD", &usage);
    same(dollars(&bill, Item::Base), 6.49 * euro);
    same(dollars(&bill, Item::Storage), 0.5 * 0.0087 * 720.0 * euro);
    same(dollars(&bill, Item::Egress), 2.0 * euro);
}

#[test]
fn idrive_bills_a_terabyte_at_least() {
    same(value(bill_of("idrive-e2", "STANDARD", &kept(1, 1)).total), 5.0);
    same(value(bill_of("idrive-e2", "STANDARD", &kept(3_000_000_000_000, 1)).total), 15.0);
}

/// 100 GiB in a thousand objects, everything read once, in each class of S3: storage, retrieval, requests and the way out.
#[test]
fn a_restore_out_of_each_class_of_s3() {
    let by_hand = |class: &str, speed: Speed| match (class, speed) {
        ("STANDARD", _) => 2.3 + 0.0004,
        ("STANDARD_IA", _) => 1.25 + 1.0 + 0.001,
        ("GLACIER_IR", _) => 0.4 + 3.0 + 0.01,
        // Copies in Standard for seven days, and 40 KiB beside each object.
        ("GLACIER", Speed::Bulk) => 0.36 + 2.3 * 7.0 / 30.0 + 0.0004,
        ("GLACIER", Speed::Standard) => 0.36 + 1.0 + 0.05 + 2.3 * 7.0 / 30.0 + 0.0004,
        ("GLACIER", _) => 0.36 + 3.0 + 10.0 + 2.3 * 7.0 / 30.0 + 0.0004,
        ("DEEP_ARCHIVE", Speed::Bulk) => 0.099 + 0.25 + 0.025 + 2.3 * 7.0 / 30.0 + 0.0004,
        _ => 0.099 + 2.0 + 0.1 + 2.3 * 7.0 / 30.0 + 0.0004,
    };
    let tables = tables();
    let aws = tables.provider("aws").unwrap();
    for class in &aws.classes {
        for speed in [Speed::Bulk, Speed::Standard, Speed::Expedited] {
            if class.must_thaw() && class.way(speed).speed != speed {
                continue;
            }
            let mut usage = kept(100 * GIB, 1000);
            usage.restored = Some(Restored { bytes: ByteSize::gib(100), objects: 1000, gets: 1000, speed });
            let overhead = if class.must_thaw() {
                1000.0 * (32.0 * value(class.storage) + 8.0 * 0.023) / 1024.0 / 1024.0
            } else {
                0.0
            };
            let found = value(bill_of("aws", &class.name, &usage).total);
            same(found, by_hand(&class.name, speed) + overhead);
        }
    }
    // 5 TiB leave AWS.
    let mut usage = kept(5120 * GIB, 26);
    usage.restored = Some(Restored { bytes: ByteSize::gib(5120), objects: 26, gets: 0, speed: Speed::Bulk });
    same(dollars(&bill_of("aws", "DEEP_ARCHIVE", &usage), Item::Egress), 5020.0 * 0.09);
}

#[test]
fn small_objects_are_charged_for_more_than_they_are() {
    let hours = cadence(24, 30, 2, 0);
    let archive = archive(ByteSize::kib(28), ByteSize::kib(8), hours);
    let tables = tables();
    let months = |class: &str| forecast(&archive, &tariff(&tables, "aws", class), new_year(), 1, None).months;
    // The full for 31 days and incrementals of 8 KiB for 30, 29, … days, until the next full on the 31st: 100 and 120 KiB
    // less than 128.
    let charged = months("STANDARD_IA")[0].bill.clone();
    let days: f64 = (2..=30).map(f64::from).sum();
    let padding = 100.0 * 31.0 + 120.0 * days + 100.0;
    same(dollars(&charged, Item::Overhead), padding / 1024.0 / 1024.0 / 31.0 * 0.0125);
    assert_eq!(months("STANDARD")[0].bill.amount(Item::Overhead).get(), 0);
}
