//! Whether the network is paid for by the byte, as far as somebody knows: `NetworkManager` does, and is asked through `busctl`.
//!
//! Where it is not there, nothing is known. It is not started for this, and nothing of a connection's name or address is read.

use std::ffi::OsString;
use std::time::Duration;

use serde::Deserialize;

use crate::process;

/// A bus answers at once, or is of no use.
const PATIENCE: Duration = Duration::from_secs(5);

const SERVICE: &str = "org.freedesktop.NetworkManager";

/// A property as `busctl --json=short` shows it.
#[derive(Deserialize)]
struct Property {
    data: u32,
}

/// Whether the network is paid for by the byte; `None` where nobody says.
#[must_use]
pub fn is_metered() -> Option<bool> {
    let argv = [
        "busctl",
        "--system",
        "--auto-start=no",
        "--json=short",
        "get-property",
        SERVICE,
        "/org/freedesktop/NetworkManager",
        SERVICE,
        "Metered",
    ];
    let output = process::run(&argv.map(OsString::from), PATIENCE).ok()?;
    output.status.success().then_some(())?;
    told(&output.stdout)
}

/// `NMMetered`: yes, no, and guesses of both; everything else is not known.
fn told(json: &[u8]) -> Option<bool> {
    match serde_json::from_slice::<Property>(json).ok()?.data {
        1 | 3 => Some(true),
        2 | 4 => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_count_and_nothing_else_does() {
        for (data, wanted) in
            [(0, None), (1, Some(true)), (2, Some(false)), (3, Some(true)), (4, Some(false)), (5, None)]
        {
            assert_eq!(told(format!("{{\"type\":\"u\",\"data\":{data}}}\n").as_bytes()), wanted);
        }
        assert_eq!(told(b"u 4\n"), None);
    }
}
