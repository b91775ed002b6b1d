//! Unpacks LZO1X, the way Btrfs frames it.
//!
//! Own, because the crates that exist are bindings to a C library or panic on damaged input, and a stream is
//! not trusted. Invariant: reads and writes within the slices given, whatever they hold. No I/O, no allocation.

/// The input is not what it says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Damaged;

type Result<T> = std::result::Result<T, Damaged>;

/// Unpacks a whole extent: the length of all, then segments of a length and LZO1X data each; the length of a
/// segment never lies across a sector boundary. Gives how much was unpacked.
pub(super) fn unpack_extent(input: &[u8], sector: usize, output: &mut [u8]) -> Result<usize> {
    let total = length_at(input, 0)?;
    let input = input.get(..total).ok_or(Damaged)?;
    let (mut from, mut to) = (4, 0);
    while from < total && to < output.len() {
        let left_in_sector = sector - from % sector;
        if left_in_sector < 4 {
            if total - from <= left_in_sector {
                break;
            }
            from += left_in_sector;
        }
        let length = length_at(input, from)?;
        let segment = input.get(from + 4..).and_then(|rest| rest.get(..length)).ok_or(Damaged)?;
        let room = (output.len() - to).min(sector);
        to += unpack(segment, &mut output[to..to + room])?;
        from += 4 + length;
    }
    Ok(to)
}

fn length_at(input: &[u8], at: usize) -> Result<usize> {
    let bytes = input.get(at..).and_then(<[u8]>::first_chunk::<4>).ok_or(Damaged)?;
    usize::try_from(u32::from_le_bytes(*bytes)).map_err(|_| Damaged)
}

/// What has been read and written so far.
struct Cursor<'a> {
    input: &'a [u8],
    output: &'a mut [u8],
    written: usize,
}

impl Cursor<'_> {
    fn byte(&mut self) -> Result<usize> {
        let (first, rest) = self.input.split_first().ok_or(Damaged)?;
        self.input = rest;
        Ok(usize::from(*first))
    }

    fn pair(&mut self) -> Result<usize> {
        Ok(self.byte()? | self.byte()? << 8)
    }

    /// A length that did not fit in the instruction: every zero byte counts 255, the first other one itself.
    fn long(&mut self) -> Result<usize> {
        let mut length = 0_usize;
        loop {
            match self.byte()? {
                0 => length = length.checked_add(255).ok_or(Damaged)?,
                last => return length.checked_add(last).ok_or(Damaged),
            }
        }
    }

    fn literals(&mut self, count: usize) -> Result<()> {
        let (bytes, rest) = self.input.split_at_checked(count).ok_or(Damaged)?;
        let room = self.output.get_mut(self.written..).and_then(|room| room.get_mut(..count)).ok_or(Damaged)?;
        room.copy_from_slice(bytes);
        (self.input, self.written) = (rest, self.written + count);
        Ok(())
    }

    /// Repeats what was written `distance` bytes ago; the two may overlap.
    fn again(&mut self, distance: usize, count: usize) -> Result<()> {
        let from = self.written.checked_sub(distance).ok_or(Damaged)?;
        let end = self.written.checked_add(count).filter(|end| *end <= self.output.len()).ok_or(Damaged)?;
        if distance >= count {
            self.output.copy_within(from..from + count, self.written);
        } else {
            for at in self.written..end {
                self.output[at] = self.output[at - distance];
            }
        }
        self.written = end;
        Ok(())
    }
}

/// How many literals the last instruction copied, which decides what the small codes mean: none, one to three, more.
const MANY: usize = 4;

/// Unpacks one LZO1X stream. Gives how much was unpacked.
fn unpack(input: &[u8], output: &mut [u8]) -> Result<usize> {
    let mut cursor = Cursor { input, output, written: 0 };
    let mut literals = 0;
    if let Some(first @ 18..) = input.first().copied() {
        cursor.byte()?;
        literals = usize::from(first) - 17;
        cursor.literals(literals)?;
        literals = literals.min(MANY);
    }
    loop {
        let code = cursor.byte()?;
        let (distance, length, trailing) = match code {
            0..16 if literals == 0 => {
                let count = if code == 0 { 18 + cursor.long()? } else { code + 3 };
                cursor.literals(count)?;
                literals = MANY;
                continue;
            }
            0..16 if literals == MANY => ((cursor.byte()? << 2) + (code >> 2) + 2049, 3, code & 3),
            0..16 => ((cursor.byte()? << 2) + (code >> 2) + 1, 2, code & 3),
            16..32 => {
                let length = if code & 7 == 0 { 9 + cursor.long()? } else { (code & 7) + 2 };
                let pair = cursor.pair()?;
                let distance = ((code & 8) << 11) + (pair >> 2);
                if distance == 0 {
                    return if length == 3 { Ok(cursor.written) } else { Err(Damaged) };
                }
                (distance + 16384, length, pair & 3)
            }
            32..64 => {
                let length = if code & 31 == 0 { 33 + cursor.long()? } else { (code & 31) + 2 };
                let pair = cursor.pair()?;
                ((pair >> 2) + 1, length, pair & 3)
            }
            _ => ((cursor.byte()? << 3) + ((code >> 2) & 7) + 1, (code >> 5) + 1, code & 3),
        };
        cursor.again(distance, length)?;
        cursor.literals(trailing)?;
        literals = trailing;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unpacks_a_run() {
        // Four literals `abcd`, a match of 12 bytes 4 back, the end.
        let input = [21, b'a', b'b', b'c', b'd', 0x20 | 10, 3 << 2, 0, 0x11, 0, 0];
        let mut output = [0; 32];
        assert_eq!(unpack(&input, &mut output), Ok(16));
        assert_eq!(&output[..16], b"abcdabcdabcdabcd");
    }

    #[test]
    fn nothing_damaged_panics_or_overruns() {
        let input = [21, b'a', b'b', b'c', b'd', 0x20 | 10, 3 << 2, 0, 0x11, 0, 0];
        let mut output = [0; 32];
        for at in 0..input.len() {
            for value in 0..=255 {
                let mut bad = input;
                bad[at] = value;
                let _ = unpack(&bad, &mut output);
                let _ = unpack(&bad[..at], &mut output);
                let _ = unpack(&bad, &mut output[..at]);
                let _ = unpack_extent(&bad, 4096, &mut output);
            }
        }
    }
}
