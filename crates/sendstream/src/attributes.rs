//! The attributes of one command: type, length, value, in any order.
//!
//! Invariant: a value handed out lies inside the command's body, and has exactly the size that its type asks for.
//! It must never allocate; values are borrowed.

use crate::{
    command::Timespec,
    error::Fault,
    wire::{ATTRIBUTES, attr, attribute_name, last_attribute},
};

/// The attributes of a command, by number. One that the command does not ask for is ignored, as the kernel's
/// receiver does: inode numbers are sent with every creation and mean nothing to the receiver.
pub(crate) struct Attributes<'a> {
    values: [Option<&'a [u8]>; ATTRIBUTES],
}

impl<'a> Attributes<'a> {
    pub(crate) fn parse(body: &'a [u8], version: u32) -> Result<Self, Fault> {
        let mut values = [None; ATTRIBUTES];
        let mut rest = body;
        while !rest.is_empty() {
            let number = take_u16(&mut rest)?;
            if number == 0 || number > last_attribute(version) {
                return Err(Fault::UnknownAttribute { number });
            }
            // From version 2 on, data has no length field and reaches to the end of the command.
            let len = if version >= 2 && number == attr::DATA { rest.len() } else { usize::from(take_u16(&mut rest)?) };
            let (value, after) = rest.split_at_checked(len).ok_or(Fault::Cut)?;
            // The kernel never writes one twice, and receivers would differ in which one they obey.
            if values[usize::from(number)].replace(value).is_some() {
                return Err(Fault::Twice { attribute: attribute_name(number) });
            }
            rest = after;
        }
        Ok(Self { values })
    }

    pub(crate) fn optional(&self, number: u16) -> Option<&'a [u8]> {
        self.values[usize::from(number)]
    }

    pub(crate) fn bytes(&self, number: u16) -> Result<&'a [u8], Fault> {
        self.optional(number).ok_or(Fault::Missing { attribute: attribute_name(number) })
    }

    pub(crate) fn array<const N: usize>(&self, number: u16) -> Result<[u8; N], Fault> {
        let value = self.bytes(number)?;
        value.try_into().map_err(|_| Fault::Size { attribute: attribute_name(number), expected: N, found: value.len() })
    }

    pub(crate) fn u8(&self, number: u16) -> Result<u8, Fault> {
        self.array(number).map(u8::from_le_bytes)
    }

    pub(crate) fn u32(&self, number: u16) -> Result<u32, Fault> {
        self.array(number).map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&self, number: u16) -> Result<u64, Fault> {
        self.array(number).map(u64::from_le_bytes)
    }

    pub(crate) fn time(&self, number: u16) -> Result<Timespec, Fault> {
        let [s0, s1, s2, s3, s4, s5, s6, s7, n0, n1, n2, n3] = self.array(number)?;
        Ok(Timespec {
            seconds: i64::from_le_bytes([s0, s1, s2, s3, s4, s5, s6, s7]),
            nanoseconds: u32::from_le_bytes([n0, n1, n2, n3]),
        })
    }
}

fn take_u16(rest: &mut &[u8]) -> Result<u16, Fault> {
    let (value, after) = rest.split_first_chunk().ok_or(Fault::Cut)?;
    *rest = after;
    Ok(u16::from_le_bytes(*value))
}
