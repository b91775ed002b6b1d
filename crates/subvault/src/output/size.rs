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
