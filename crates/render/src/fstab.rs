//! `fstab`: a line for each mounted subvolume, and why it is as it is.
//!
//! Options such as `compress` hold for a whole filesystem, whichever subvolume is mounted first (btrfs(5)); so they are the
//! same on all lines of a pool, and only flags of the mount differ. What a subvolume is to have beyond that is told in a
//! comment, with what makes it true. `/etc/fstab` itself is never written: other lines are in it.

use subvault_model::facts::Facts;
use subvault_model::facts::PoolFacts;
use subvault_plan::strategy::storage::{Means, mount_flags};
use subvault_plan::strategy::{FilesystemStrategy, Strategy};

use crate::file::{RenderedFile, mark};
use crate::seen::{self, Seen};

/// Where the lines are put, for people to take over.
pub const PATH: &str = "etc/subvault/fstab";

/// The lines; `None` where nothing is mounted.
#[must_use]
pub fn render(facts: &Facts, strategy: &Strategy) -> Option<RenderedFile> {
    let seen = seen::all(facts, strategy);
    let mut text = format!("{}{HEAD}", mark("fstab"));
    let mut is_empty = true;
    for pool in &facts.pools {
        let here: Vec<&Seen<'_>> =
            seen.iter().filter(|seen| seen.pool.uuid == pool.uuid && seen.facts.is_mounted).collect();
        let Some(filesystem) = seen::filesystem(pool, strategy).filter(|_| !here.is_empty()) else { continue };
        is_empty = false;
        text.push_str(&about(pool, filesystem, &here));
        here.iter().for_each(|seen| text.push_str(&lines(seen, filesystem)));
    }
    (!is_empty).then(|| RenderedFile { path: PATH.into(), text })
}

const HEAD: &str = "\
# Lines for /etc/fstab. Nothing reads this file: put them in the place of the lines for the same mount points there, and look
# at `findmnt --verify` before the next boot.
";

fn joined(filesystem: &FilesystemStrategy) -> String {
    filesystem.options.iter().map(|option| option.value.as_str()).collect::<Vec<_>>().join(",")
}

/// What is said of a pool as a whole.
fn about(pool: &PoolFacts, filesystem: &FilesystemStrategy, here: &[&Seen<'_>]) -> String {
    let mut text = format!("\n# Pool {}: its first mount decides these for all its subvolumes.\n", pool.uuid);
    for option in &filesystem.options {
        text.push_str(&format!("#   {}: {}\n", option.value, option.because));
    }
    if !filesystem.differs.is_empty() {
        text.push_str(&format!(
            "# Now it has {}: unmount it, or boot, for the new ones.\n",
            filesystem.differs.join(", ")
        ));
    }
    let root = here.iter().find(|seen| seen.decided.path.as_bytes().is_empty());
    if let Some(place) = root.and_then(|seen| option_value(seen.facts.path.as_bytes())) {
        let options = joined(filesystem);
        text.push_str(&format!(
            "# / is mounted before fstab is read. The kernel takes rootflags=subvol=/{place},{options}\n"
        ));
    }
    text
}

/// What is said of a subvolume, and its line.
fn lines(seen: &Seen<'_>, filesystem: &FilesystemStrategy) -> String {
    let decided = seen.decided;
    let mut text = format!("\n# {}: {}, {}.\n", decided.name, decided.workload.value, decided.storage.because);
    for means in &decided.means {
        text.push_str(match means {
            Means::FilesystemOption(_) => "",
            Means::NoCowAttribute => {
                "# `chattr +C` has it overwritten in place (`subvault render tmpfiles`); no option of one mount can.\n"
            }
            Means::CompressionProperty(_) => {
                "# A property has it compressed in a way of its own (`subvault render tmpfiles`).\n"
            }
        });
    }
    for caveat in &decided.caveats {
        text.push_str(&format!("#   {caveat}\n"));
    }
    let (point, place) = (field(&seen.path()), option_value(seen.facts.path.as_bytes()));
    match (point, place) {
        (Some(point), Some(place)) => {
            let flags = mount_flags(decided.workload.value).join(",");
            let options = [&joined(filesystem), flags.as_str(), &format!("subvol=/{place}")]
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join(",");
            text.push_str(&format!("UUID={} {point} btrfs {options} 0 0\n", seen.pool.uuid));
        }
        _ => {
            let (at, inside) = (&decided.path, &seen.facts.path);
            text.push_str(&format!("# There is no line: fstab cannot hold /{at} or {inside}.\n"));
        }
    }
    text
}

/// A field as fstab(5) has it; `None` for what no field can hold. What is neither text nor a blank of some kind is not
/// read back by everybody.
fn field(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut field = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            ' ' => field.push_str("\\040"),
            '\t' => field.push_str("\\011"),
            '\n' => field.push_str("\\012"),
            '\\' => field.push_str("\\134"),
            letter if letter.is_control() => return None,
            letter => field.push(letter),
        }
    }
    Some(field)
}

/// A path as the value of an option: a comma would end it, and quotes are read by some.
fn option_value(bytes: &[u8]) -> Option<String> {
    field(bytes).filter(|value| !value.contains([',', '"']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_escaped() {
        for (bytes, wanted) in [
            (&b"/home"[..], Some("/home")),
            (b"/a b\tc\nd\\e", Some("/a\\040b\\011c\\012d\\134e")),
            ("/é#x".as_bytes(), Some("/é#x")),
            (b"/\xff", None),
            (b"/\x1b", None),
        ] {
            assert_eq!(field(bytes).as_deref(), wanted);
        }
        assert_eq!(option_value(b"@home").as_deref(), Some("@home"));
        assert!(option_value(b"a,b").is_none() && option_value(b"a\"b").is_none());
    }
}
