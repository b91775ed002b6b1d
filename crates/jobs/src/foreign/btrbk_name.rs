//! Names that btrbk gives: `NAME.20261120`, `NAME.20261120T2046` or `NAME.20261120T204600+0100`, with `_1`, `_2` … for more
//! of one moment. Names are bytes.

/// Whether btrbk gives such a name. It reads one that ends in `Z` as well, which it never gives: such names are ours.
pub(super) fn is_one(name: &[u8]) -> bool {
    let Some(dot) = name.iter().rposition(|byte| *byte == b'.') else { return false };
    let moment = match name[dot + 1..].split(|byte| *byte == b'_').collect::<Vec<_>>()[..] {
        [moment] => moment,
        [moment, again] if is_digits(again) => moment,
        _ => return false,
    };
    if dot == 0 || moment.len() < 8 || !is_digits(&moment[..8]) {
        return false;
    }
    let (date, time) = moment.split_at(8);
    is_between(&date[4..6], 1, 12)
        && is_between(&date[6..], 1, 31)
        && match time {
            [] => true,
            [b'T', clock @ ..] if clock.len() == 4 => is_clock(clock),
            [b'T', clock @ ..] if clock.len() == 11 => {
                is_clock(&clock[..4])
                    && is_between(&clock[4..6], 0, 60)
                    && b"+-".contains(&clock[6])
                    && is_clock(&clock[7..])
            }
            _ => false,
        }
}

fn is_clock(text: &[u8]) -> bool {
    is_between(&text[..2], 0, 24) && is_between(&text[2..], 0, 59)
}

fn is_digits(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

fn is_between(text: &[u8], from: u32, to: u32) -> bool {
    let value = text.iter().fold(0, |value: u32, byte| value.saturating_mul(10).saturating_add(u32::from(byte & 15)));
    is_digits(text) && (from..=to).contains(&value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_recognised() {
        let good: [&[u8]; 7] = [
            b"@home.20261120",
            b"@home.20261120_1",
            b"@home.20261120T2046",
            b"@home.20261120T2046_12",
            b"a.b.20261120T204659+0100",
            b"a.20261120T204659-0330_2",
            b"\xff\xfe.20261120",
        ];
        for name in good {
            assert!(is_one(name), "{}", name.escape_ascii());
        }
        for name in [
            "home",
            "20261120",
            ".20261120",
            "home.2026",
            "home.20261120T204600Z",
            "home.20261120T204600Z.2",
            "home.20261320",
            "home.20261120T9999",
            "home.20261120T2046_",
            "home.20261120T2046_x",
            "home.20261120T2046+0100",
            "home.20261120_1_2",
        ] {
            assert!(!is_one(name.as_bytes()), "{name}");
        }
    }
}
