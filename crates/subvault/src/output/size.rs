//! Sizes, times and rates in few characters.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use subvault_model::bytesize::ByteSize;

/// `1.50 GiB`, always with three digits.
#[must_use]
pub fn size(size: ByteSize) -> String {
    size.to_string()
}

/// `536 GB (499.2 GiB)`: as makers and providers count, and as the system does.
#[must_use]
pub fn both(size: ByteSize) -> String {
    let units = [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1000)];
    let Some((unit, factor)) = units.into_iter().find(|(_, factor)| size.get() >= *factor) else {
        return size.to_string();
    };
    if size.get().is_multiple_of(factor) {
        return format!("{} {unit} ({size})", size.get() / factor);
    }
    #[expect(clippy::cast_precision_loss, reason = "shown with few digits")]
    let value = size.get() as f64 / factor as f64;
    let decimal = if value < 10.0 { format!("{value:.2}") } else { format!("{value:.1}") };
    format!("{decimal} {unit} ({size})")
}

/// `12.3 s`, `4 min 05 s`, `2 h 07 min`.
#[must_use]
pub fn seconds(seconds: f64) -> String {
    let Ok(duration) = Duration::try_from_secs_f64(seconds) else { return "?".to_owned() };
    match duration.as_secs() {
        0..10 => format!("{seconds:.2} s"),
        10..60 => format!("{seconds:.1} s"),
        s @ 60..3600 => format!("{} min {:02} s", s / 60, s % 60),
        s => format!("{} h {:02} min", s / 3600, s % 3600 / 60),
    }
}

/// `123 MiB/s`.
#[must_use]
pub fn rate(bytes: ByteSize, seconds: f64) -> String {
    if seconds <= 0.0 {
        return "-".to_owned();
    }
    #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
    let mib = bytes.get() as f64 / seconds / f64::from(1 << 20);
    if mib < 10.0 { format!("{mib:.2} MiB/s") } else { format!("{mib:.0} MiB/s") }
}

/// How many times smaller `stored` is.
#[must_use]
pub fn ratio(stream: ByteSize, stored: ByteSize) -> String {
    if stored == ByteSize::ZERO {
        return "-".to_owned();
    }
    #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
    let ratio = stream.get() as f64 / stored.get() as f64;
    format!("{ratio:.2}×")
}

/// A moment in the local time zone: `2026-11-20 22:15:00`.
#[must_use]
pub fn moment(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_both_countings() {
        for (bytes, text) in [
            (536_000_000_000, "536 GB (499.2 GiB)"),
            (458 << 30, "491.8 GB (458 GiB)"),
            (2_000_398_934_016, "2.00 TB (1.82 TiB)"),
            (1_500, "1.50 kB (1.46 KiB)"),
            (512, "512 B"),
        ] {
            assert_eq!(both(ByteSize::bytes(bytes)), text);
        }
    }
}
