//! GRUB's menu: the entry that starts what a rollback keeps aside, for `custom.cfg`, which the menu reads at its end.
//!
//! The entry is a copy of the one in `grub.cfg` that starts the place. What is in `custom.cfg` is touched only where it is
//! all ours, entry by entry. As it comes last it never becomes the one that starts by default.

use jiff::Timestamp;

use super::path::PoolPath;

/// The first line of a `custom.cfg` of ours.
const HEAD: &str = "# Written by subvault: entries for what rollbacks have replaced. Do not edit.\n";
/// How the first line of an entry of ours begins; its name follows.
const BEGIN: &str = "# subvault: ";
/// The last line of an entry of ours.
const END: &str = "# subvault end";

/// Whether a menu reads `custom.cfg`.
pub(super) fn reads_custom(menu: &[u8]) -> bool {
    menu.windows(b"custom.cfg".len()).any(|bytes| bytes == b"custom.cfg")
}

/// The first entry of a menu that starts the subvolume at `place`, its lines between the braces.
fn block<'a>(menu: &'a str, place: &str) -> Option<(&'a str, Vec<&'a str>)> {
    let mut lines = menu.lines();
    while let Some(line) = lines.next() {
        let Some(rest) = line.trim_start().strip_prefix("menuentry ") else { continue };
        let body: Vec<&str> = lines.by_ref().take_while(|line| line.trim() != "}").collect();
        if body.iter().any(|line| is_linux(line) && line.split_whitespace().any(|word| names(word, place))) {
            return Some((title(rest)?, body));
        }
    }
    None
}

fn is_linux(line: &str) -> bool {
    matches!(line.split_whitespace().next(), Some("linux" | "linux16" | "linuxefi"))
}

/// The words in the quotes.
fn title(rest: &str) -> Option<&str> {
    let quote = rest.chars().next().filter(|first| matches!(first, '\'' | '"'))?;
    rest[1..].split(quote).next()
}

/// Whether a word is `rootflags=…subvol=PLACE…`.
fn names(word: &str, place: &str) -> bool {
    let Some(flags) = word.strip_prefix("rootflags=") else { return false };
    flags.split(',').filter_map(|flag| flag.strip_prefix("subvol=")).any(|named| named.trim_matches('/') == place)
}

/// The entry that starts what will be at `aside`, made of the one in `menu` that starts `place`. Where `/boot` `is_inside` of
/// the subvolume, the kernel's own path names it too.
///
/// # Errors
/// Why there can be none.
pub(super) fn entry(
    menu: &[u8],
    (place, aside): (&PoolPath, &PoolPath),
    is_inside: bool,
    now: Timestamp,
) -> Result<String, &'static str> {
    let menu = std::str::from_utf8(menu).map_err(|_| "the menu is not text")?;
    let (place, aside) = (place.to_string(), aside.to_string());
    let is_plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "@._/-+:".contains(c));
    if !is_plain(&place) || !is_plain(&aside) {
        return Err("the name of what is kept aside cannot be written in GRUB's menu");
    }
    let (title, body) = block(menu, &place).ok_or("no entry in GRUB's menu names the subvolume")?;
    let title = title.replace(['\'', '\\'], "");
    let mut out = format!("menuentry '{title} (before the rollback of {})' {{\n", now.strftime("%Y-%m-%d %H:%M UTC"));
    let (from, to) = (format!("/{place}/"), format!("/{aside}/"));
    for line in body {
        let is_file =
            is_linux(line) || matches!(line.split_whitespace().next(), Some("initrd" | "initrd16" | "initrdefi"));
        if matches!(line.split_whitespace().next(), Some("savedefault" | "save_env")) {
            // It would be started from then on.
            continue;
        }
        if !is_file {
            out.push_str(line);
        } else if is_inside && !line.split_whitespace().skip(1).any(|word| word.starts_with(&from)) {
            return Err("GRUB's menu finds the kernel by the default subvolume");
        } else {
            let word = |word: &str| match word.strip_prefix(&from) {
                Some(rest) if is_inside => format!("{to}{rest}"),
                _ => super::entry::renamed(word, &place, &aside),
            };
            // Tabs and spaces stay.
            out.push_str(&line.split_inclusive([' ', '\t']).map(|part| keep_space(part, word)).collect::<String>());
        }
        out.push('\n');
    }
    out.push_str("}\n");
    Ok(out)
}

/// Changes a word and leaves the space after it.
fn keep_space(part: &str, word: impl Fn(&str) -> String) -> String {
    let bare = part.trim_end_matches([' ', '\t']);
    format!("{}{}", word(bare), &part[bare.len()..])
}

/// A `custom.cfg` with an entry more.
///
/// # Errors
/// When there is one that is not ours.
pub(super) fn with(existing: Option<&str>, name: &str, entry: &str) -> Result<String, &'static str> {
    let existing = existing.unwrap_or(HEAD);
    if !is_ours(existing) {
        return Err("there is a custom.cfg of your own");
    }
    let existing = without(existing, name).unwrap_or_else(|| HEAD.to_owned());
    Ok(format!("{existing}{BEGIN}{name}\n{entry}{END}\n"))
}

/// A `custom.cfg` of ours without an entry; `None` when nothing is left in it.
pub(super) fn without(existing: &str, name: &str) -> Option<String> {
    let mut out = String::new();
    let mut is_it = false;
    for line in existing.lines() {
        if let Some(named) = line.strip_prefix(BEGIN) {
            is_it = named == name;
        }
        if !is_it {
            out.push_str(line);
            out.push('\n');
        }
        is_it &= line != END;
    }
    (out != HEAD).then_some(out)
}

/// Whether a `custom.cfg` is ours.
pub(super) fn is_ours(text: &str) -> bool {
    text.starts_with(HEAD)
}

/// Whether a `custom.cfg` is ours and has this entry.
pub(super) fn has(existing: &str, name: &str) -> bool {
    is_ours(existing) && existing.lines().any(|line| line.strip_prefix(BEGIN) == Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MENU: &str = "menuentry 'Debian GNU/Linux' --class debian {\n\tsavedefault\n\tsearch --fs-uuid x\n\tlinux\t/@rootfs/boot/vmlinuz-6.1 \
        root=UUID=x ro rootflags=subvol=@rootfs quiet\n\tinitrd\t/@rootfs/boot/initrd.img-6.1\n}\nsource $prefix/custom.cfg\n";

    #[test]
    fn an_entry_is_the_copy_of_the_one_that_starts_the_place() {
        let (place, aside) = (PoolPath::new("@rootfs"), PoolPath::new("@rootfs.replaced.1"));
        let made = entry(MENU.as_bytes(), (&place, &aside), true, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(
            made,
            "menuentry 'Debian GNU/Linux (before the rollback of 1970-01-01 00:00 UTC)' {\n\tsearch --fs-uuid x\n\
            \tlinux\t/@rootfs.replaced.1/boot/vmlinuz-6.1 root=UUID=x ro rootflags=subvol=@rootfs.replaced.1 quiet\n\
            \tinitrd\t/@rootfs.replaced.1/boot/initrd.img-6.1\n}\n"
        );
        let apart = MENU.replace("/@rootfs/boot/", "/");
        let made = entry(apart.as_bytes(), (&place, &aside), false, Timestamp::UNIX_EPOCH).unwrap();
        assert!(
            made.contains("linux\t/vmlinuz-6.1 root=UUID=x ro rootflags=subvol=@rootfs.replaced.1 quiet\n"),
            "{made}"
        );
        for (menu, place, inside) in [
            (MENU.to_owned(), "@other", true),
            (apart, "@rootfs", true),
            (MENU.replace("'Debian GNU/Linux'", "Debian"), "@rootfs", true),
        ] {
            assert!(entry(menu.as_bytes(), (&PoolPath::new(place), &aside), inside, Timestamp::UNIX_EPOCH).is_err());
        }
    }

    #[test]
    fn entries_come_and_go_and_what_is_not_ours_stays() {
        let one = with(None, "one", "menuentry 'a' {\n}\n").unwrap();
        let two = with(Some(&one), "two", "menuentry 'b' {\n}\n").unwrap();
        assert_eq!(with(Some(&two), "two", "menuentry 'b' {\n}\n").unwrap(), two);
        assert!(has(&two, "one") && has(&two, "two") && !has(&two, "t"));
        assert_eq!(without(&two, "two").as_deref(), Some(one.as_str()));
        assert_eq!(without(&one, "one"), None);
        assert!(with(Some("menuentry 'mine' {\n}\n"), "one", "").is_err());
    }
}
