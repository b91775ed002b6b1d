//! Marks: random names by which a write is recognised as this very one.
//!
//! An answer can get lost after the store did what was asked. The repeated request then meets its own first attempt
//! as "exists already". The mark, stored with the object, tells the two cases apart.

use rustix::rand::{GetRandomFlags, getrandom};

/// 128 random bits as text.
pub(crate) fn fresh() -> Result<String, rustix::io::Errno> {
    let mut bits = [0_u8; 16];
    let mut filled = 0;
    while filled < bits.len() {
        filled += getrandom(&mut bits[filled..], GetRandomFlags::empty())?;
    }
    Ok(format!("{:032x}", u128::from_ne_bytes(bits)))
}
