//! Layouts as distributions have them: what is refused, and with which words.

use std::path::{Path, PathBuf};

use subvault_model::ids::{ParentUuid, ReceivedUuid, SubvolumeId};
use subvault_plan::rollback::boot::BootFiles;
use subvault_plan::rollback::choice::{NoChoice, Wanted, choose, kept_aside, snapshots};
use subvault_plan::rollback::transaction::BootEntry;
use subvault_plan::rollback::{Facts, Known, Outcome, Role, Source, Spot, Verdict, Wishes, Word, judge};

use crate::rollback_world::{boot, known, machine, path, pool, snapshot, uuid, with_nested};

fn judged(facts: &Facts) -> Verdict {
    judge(facts, &Wishes::default(), "2026-11-21T10:15:00Z".parse().unwrap())
}

#[track_caller]
fn is_good(facts: &Facts) -> Verdict {
    let verdict = judged(facts);
    let refusals: Vec<_> = verdict.refusals().collect();
    assert!(refusals.is_empty(), "{refusals:#?}");
    verdict
}

#[track_caller]
fn is_refused(facts: &Facts, what: Word, words: &str) {
    let verdict = judged(facts);
    let found = verdict.refusals().any(|check| check.what == what && check.found.contains(words));
    assert!(found, "{:#?}", verdict.checks);
    // Whoever says the word goes on.
    let accept = verdict.refusals().map(|check| check.what).collect();
    let verdict = judge(facts, &Wishes { accept, edit_fstab: false }, "2026-11-21T10:15:00Z".parse().unwrap());
    assert_eq!(verdict.refusals().count(), 0);
    assert!(verdict.checks.iter().any(|check| check.outcome == Outcome::Accepted));
}

const KERNEL: &[&str] = &["6.11.5-arch1-1"];

const ARCH_ENTRY: &str = "title Arch Linux\nlinux /vmlinuz-linux\ninitrd /initramfs-linux.img\n\
    options root=POOL rw rootflags=subvol=@ quiet\n";

fn arch_boot(version: &str) -> BootFiles {
    let files =
        [("boot/loader/loader.conf", "timeout 3\ndefault arch.conf\n"), ("boot/loader/entries/arch.conf", ARCH_ENTRY)];
    boot(Some("boot"), &files, &[("boot/vmlinuz-linux", version)])
}

fn arch(fstab: &str, modules: &[&str]) -> Facts {
    machine("@", fstab, modules, arch_boot("6.11.5-arch1-1 (linux@arch)"))
}

const ARCH_FSTAB: &str =
    "POOL / btrfs rw,noatime,subvol=/@ 0 0\nPOOL /home btrfs subvol=@home 0 0\nUUID=AB-CD /boot vfat rw 0 2\n";

#[test]
fn arch_with_the_boot_partition_at_boot() {
    let verdict = is_good(&arch(ARCH_FSTAB, &["6.11.5-arch1-1"]));
    let entry = verdict.transaction.entry.unwrap();
    assert_eq!(entry.file.to_str(), Some("/boot/loader/entries/subvault-.replaced.20261121T101500Z.conf"));
    let text = entry.after.unwrap();
    assert!(text.contains("rootflags=subvol=@.replaced.20261121T101500Z quiet\n"), "{text}");
    assert!(text.contains("title Arch Linux (before the rollback of 2026-11-21 10:15 UTC)\n"), "{text}");
    is_refused(
        &arch(ARCH_FSTAB, &["6.10.1-arch1-1"]),
        Word::Kernel,
        "kernel 6.11.5-arch1-1 would start without modules",
    );
    is_refused(&arch(ARCH_FSTAB, &[]), Word::Kernel, "those of none");
    let unknown = machine("@", ARCH_FSTAB, &["6.11.5"], arch_boot(""));
    is_refused(&unknown, Word::Kernel, "cannot be told from its image");
}

/// As `genfstab` writes it, and as it stops a boot after other tools have rolled back.
#[test]
fn a_number_in_the_fstab_is_refused_or_edited() {
    let facts = arch("POOL / btrfs rw,subvolid=257,subvol=/@ 0 0\n", &["6.11.5-arch1-1"]);
    is_refused(&facts, Word::Fstab, "line 1 of the snapshot's /etc/fstab has subvolid=");
    let wishes = Wishes { edit_fstab: true, ..Wishes::default() };
    let verdict = judge(&facts, &wishes, "2026-11-21T10:15:00Z".parse().unwrap());
    assert_eq!(verdict.refusals().count(), 0, "{:?}", verdict.checks);
    assert_eq!(verdict.transaction.fstab_lines, [1]);
    is_refused(&arch("POOL / btrfs subvolid=257 0 0\n", &["6.11.5-arch1-1"]), Word::Fstab, "line 1");
    // The fstab of long ago, with a number that no longer is.
    is_refused(&arch("POOL / btrfs subvolid=300,subvol=@ 0 0\n", &["6.11.5-arch1-1"]), Word::Fstab, "line 1");
}

#[test]
fn a_number_on_the_command_line_is_refused() {
    let mut facts = arch(ARCH_FSTAB, &["6.11.5-arch1-1"]);
    let text = ARCH_ENTRY.replace("subvol=@", "subvolid=257").replace("POOL", &format!("UUID={}", facts.pool.uuid));
    facts.boot.files.insert("boot/loader/entries/arch.conf".into(), text.into_bytes());
    is_refused(&facts, Word::Boot, "write rootflags=subvol=@ there");
}

#[test]
fn an_entry_is_not_written_where_it_could_become_the_default() {
    let mut facts = arch(ARCH_FSTAB, &["6.11.5-arch1-1"]);
    facts.boot.files.insert("boot/loader/loader.conf".into(), b"timeout 3\n".to_vec());
    let verdict = is_good(&facts);
    assert_eq!(verdict.transaction.entry, None);
    assert!(verdict.checks.iter().any(|check| check.found.contains("could become the one that starts by default")));
    facts.boot.files.insert("boot/loader/loader.conf".into(), b"default *\n".to_vec());
    assert_eq!(is_good(&facts).transaction.entry, None);
    facts.boot.files.remove(Path::new("boot/loader/loader.conf"));
    let entry = facts.boot.files.get_mut(Path::new("boot/loader/entries/arch.conf")).unwrap();
    entry.extend(b"sort-key arch\n");
    let text = is_good(&facts).transaction.entry.unwrap().after.unwrap();
    assert!(!text.contains("sort-key"), "{text}");
}

#[test]
fn debian_with_boot_inside() {
    let grub = "menuentry 'Debian' {\n\tsearch --fs-uuid x\n\tlinux\t/@rootfs/boot/vmlinuz-6.1.0-25-amd64 root=POOL ro \
        rootflags=subvol=@rootfs quiet\n}\nmenuentry 'old' {\n\tlinux /@rootfs/boot/vmlinuz-6.1.0-9-amd64 root=POOL ro \
        rootflags=subvol=@rootfs\n}\n";
    let fstab = "# <file system>\nPOOL / btrfs defaults,subvol=@rootfs 0 0\nUUID=AB-CD /boot/efi vfat umask=0077 0 1\n";
    let images = [("boot/vmlinuz-6.1.0-25-amd64", ""), ("boot/vmlinuz-6.1.0-9-amd64", "")];
    let mut files = boot(None, &[("boot/grub/grub.cfg", grub)], &images);
    let facts = machine("@rootfs", fstab, &["6.1.0-25-amd64"], files.clone());
    let verdict = is_good(&facts);
    assert!(verdict.transaction.entry.is_none(), "the menu does not read custom.cfg");
    let replaced = format!("{grub}source custom.cfg\n").replace("6.1.0-25", "6.1.0-26");
    files.replaced_menu = Some(replaced.into_bytes());
    let verdict_of = |files: &BootFiles| is_good(&machine("@rootfs", fstab, &["6.1.0-25-amd64"], files.clone()));
    assert!(verdict_of(&files).transaction.entry.is_none(), "the menu that is shown does not read custom.cfg");
    files.files.get_mut(Path::new("boot/grub/grub.cfg")).unwrap().extend(b"source custom.cfg\n");
    let entry = verdict_of(&files).transaction.entry.unwrap();
    assert!(entry.within && entry.file.ends_with("boot/grub/custom.cfg"));
    assert!(entry.after.unwrap().contains("/boot/vmlinuz-6.1.0-26-amd64"));
    // The older kernel is told, the newest counts.
    assert!(verdict.checks.iter().any(|c| c.outcome == Outcome::Warning && c.found.contains("6.1.0-9-amd64")));
    is_refused(
        &machine("@rootfs", fstab, &["6.1.0-9-amd64"], files),
        Word::Kernel,
        "6.1.0-25-amd64 would start without",
    );
}

#[test]
fn fedora_with_entries_in_a_boot_partition() {
    let entry = "title Fedora\nversion 6.11.4-300.fc41.x86_64\nlinux /vmlinuz-6.11.4-300.fc41.x86_64\n\
        options root=POOL ro rootflags=subvol=root rhgb quiet\n";
    let id = "boot/loader/entries/0123-6.11.4-300.fc41.x86_64.conf";
    let fstab = "POOL / btrfs subvol=root,compress=zstd:1 0 0\nUUID=ab /boot ext4 defaults 1 2\nPOOL /home btrfs subvol=@home 0 0\n";
    let images = [("boot/vmlinuz-6.11.4-300.fc41.x86_64", "6.11.4-300.fc41.x86_64 (x)")];
    let files = boot(
        Some("boot"),
        &[(id, entry), ("boot/grub2/grubenv", "# GRUB\nsaved_entry=0123-6.11.4-300.fc41.x86_64\n")],
        &images,
    );
    let facts = machine("root", fstab, &["6.11.4-300.fc41.x86_64"], files);
    assert!(is_good(&facts).transaction.entry.is_some());
    // From a rescue system without the boot partition nothing can be told.
    let mut unseen = machine("root", fstab, &["6.11.4-300.fc41.x86_64"], BootFiles::default());
    unseen.boot.unseen.push("boot".into());
    is_refused(&unseen, Word::Boot, "--boot DIRECTORY");
    is_refused(&unseen, Word::Kernel, "/boot is another file system");
}

#[test]
fn opensuse_with_the_default_subvolume() {
    let grub = "menuentry x {\n linux /boot/vmlinuz-6.4.0-150600.23-default root=POOL splash=silent\n}\n";
    let fstab = "POOL / btrfs defaults 0 0\nPOOL /home btrfs subvol=/@home 0 0\n";
    let images = [("boot/vmlinuz-6.4.0-150600.23-default", "6.4.0-150600.23-default (geeko)")];
    let files = boot(None, &[("boot/grub2/grub.cfg", grub)], &images);
    let mut facts = machine("@/.snapshots/1/snapshot", fstab, &["6.4.0-150600.23-default"], files);
    facts.pool.default = facts.subject.id;
    assert!(is_good(&facts).transaction.moves_default);
    facts.pool.default = SubvolumeId::TOP;
    is_refused(&facts, Word::Boot, "nothing that was looked at says");
    is_refused(&facts, Word::Fstab, "mounts the default subvolume, which @/.snapshots/1/snapshot is not");
}

#[test]
fn other_lines_of_the_fstab_must_find_their_subvolumes() {
    let facts = arch("POOL / btrfs subvol=@ 0 0\nPOOL /srv btrfs subvol=@srv 0 0\n", &["6.11.5-arch1-1"]);
    is_refused(
        &facts,
        Word::Fstab,
        "line 2 of the snapshot's /etc/fstab mounts the subvolume @srv, which is not there",
    );
    is_good(&arch("POOL / btrfs subvol=@ 0 0\nPOOL /srv btrfs subvol=@srv,nofail 0 0\n", &["6.11.5-arch1-1"]));
    // A disk of its own, of which nothing is known here.
    for source in ["PARTUUID=0e5c-01", "PARTLABEL=data", "/dev/sdb1", "ID=wwn-0x5"] {
        let verdict =
            is_good(&arch(&format!("POOL / btrfs subvol=@ 0 0\n{source} /srv btrfs subvol=@srv 0 0\n"), KERNEL));
        let told =
            verdict.checks.iter().any(|c| c.outcome == Outcome::Warning && c.found.contains("@srv, which is not"));
        assert!(told, "{source}: {:?}", verdict.checks);
    }
    is_refused(&arch("LABEL=disk /srv btrfs subvol=@srv 0 0\n", KERNEL), Word::Fstab, "line 1");
    is_refused(&arch("POOL / btrfs subvol=@other 0 0\n", &["6.11.5-arch1-1"]), Word::Fstab, "mounts @other as /");
}

#[test]
fn a_data_subvolume_needs_no_boot() {
    let mut facts = machine("@home", "", &[], BootFiles::default());
    facts.pool.subvolumes.remove(2);
    facts.role = Role::Data;
    let verdict = is_good(&facts);
    assert!(verdict.checks.iter().any(|c| c.what == Word::Fstab && c.outcome == Outcome::Warning), "not looked at");
    facts.fstab_here = Some(format!("UUID={} /home btrfs subvol=@home 0 0\n", facts.pool.uuid).into_bytes());
    is_good(&facts);
    facts.fstab_here = Some(format!("UUID={} /home btrfs subvolid=257 0 0\n", facts.pool.uuid).into_bytes());
    is_refused(&facts, Word::Fstab, "line 1 of /etc/fstab mounts it by subvolid=: write subvol=@home");
}

#[test]
fn what_is_inside_goes_along_or_stops_it() {
    let base = arch(ARCH_FSTAB, &["6.11.5-arch1-1"]);
    let received = Known { received: ReceivedUuid::from_bytes([77; 16]), ..snapshot(13, "@/r", 1) };
    let facts = with_nested(
        base.clone(),
        &[
            (known(10, "@/var/lib/machines"), Spot::Free),
            (snapshot(11, "@/.subvault/root.1", 1), Spot::Free),
            (known(12, "@/new/dir"), Spot::NoDirectory),
            (received, Spot::Free),
        ],
    );
    let verdict = is_good(&facts);
    let moved: Vec<_> = verdict.transaction.nested.iter().map(|n| (n.below.to_string(), n.read_only)).collect();
    let wanted = [("var/lib/machines", false), (".subvault/root.1", true), ("new/dir", false)];
    assert_eq!(moved, wanted.map(|(below, read_only)| (below.to_owned(), read_only)));
    let steps = verdict.transaction.steps(&facts.pool).unwrap();
    let steps: Vec<_> = steps.iter().map(ToString::to_string).filter(|step| step.contains("new")).collect();
    assert_eq!(steps[0], "make      new in @");
    assert!(steps[1].ends_with("@/new/dir") && steps[1].starts_with("move "), "{steps:?}");
    for words in ["the snapshot has no directory for @/new/dir", "@/r was received"] {
        assert!(verdict.checks.iter().any(|c| c.outcome == Outcome::Warning && c.found.contains(words)), "{words}");
    }
    let taken = with_nested(base, &[(known(10, "@/var/lib/machines"), Spot::Taken)]);
    is_refused(&taken, Word::Nested, "@/var/lib/machines has no room");
}

#[test]
fn a_snapshot_of_something_else_is_refused() {
    let mut facts = arch(ARCH_FSTAB, &["6.11.5-arch1-1"]);
    facts.source = Source { known: snapshot(20, "snapshots/home.1", 3), itself: false };
    is_refused(&facts, Word::Lineage, "snapshots/home.1 is not a snapshot of @");
    facts.source.known = facts.subject.clone();
    is_refused(&facts, Word::Lineage, "the subvolume itself");
}

/// After two rollbacks: what was taken of each of the three is a snapshot of the place.
#[test]
fn a_family_is_followed_through_rollbacks() {
    let child = |number, at: &str, of| Known { parent: ParentUuid::from_bytes([of; 16]), ..known(number, at) };
    let pool = pool(vec![
        child(5, "@", 4),
        snapshot(4, "s/root.2", 3),
        child(3, "@.replaced.20261121T101500Z", 2),
        snapshot(2, "s/root.1", 1),
        child(1, "@.replaced.20261120T101500Z", 40),
        snapshot(6, "s/root.3", 5),
        snapshot(7, "s/home.1", 30),
        Known { received: ReceivedUuid::from_bytes([2; 16]), parent: None, ..snapshot(8, "back/root.1", 1) },
        snapshot(9, "@/.snapshots/12/snapshot", 5),
        snapshot(10, ".subvault-diff.1", 5),
    ]);
    let subject = &pool.subvolumes[0];
    let chosen = |wanted| choose(&pool, subject, &wanted).map(|known| known.path.to_string());
    assert_eq!(chosen(Wanted::Latest).as_deref(), Ok("@/.snapshots/12/snapshot"));
    assert_eq!(chosen(Wanted::Named(path("root.3"))).as_deref(), Ok("s/root.3"));
    assert_eq!(chosen(Wanted::Named(path("12"))).as_deref(), Ok("@/.snapshots/12/snapshot"));
    assert_eq!(chosen(Wanted::Named(path("s/home.1"))).as_deref(), Ok("s/home.1"), "named wholly, judged later");
    assert!(matches!(chosen(Wanted::Named(path("root.1"))), Err(NoChoice::Several(..))));
    assert!(matches!(chosen(Wanted::Named(path("root.9"))), Err(NoChoice::Unknown(_))));
    let at = |number| Wanted::At(known(number, "x").created);
    assert_eq!(chosen(at(6)).as_deref(), Ok("s/root.3"));
    assert_eq!(chosen(at(5)).as_deref(), Ok("s/root.2"));
    assert!(matches!(chosen(at(1)), Err(NoChoice::NoneThatOld(..))));
    assert_eq!(kept_aside(&pool, &path("@")).unwrap().uuid, pool.subvolumes[2].uuid);
    assert!(kept_aside(&pool, &path("@home")).is_err());
}

/// The snapshot that a rollback came from was replaced, twice, and what was there before is gone from its place.
#[test]
fn a_family_is_followed_through_what_was_replaced() {
    let replaced = Known { replaced: vec![uuid(2), uuid(12)], ..snapshot(22, "s/root.1", 1) };
    let live = Known { parent: ParentUuid::from_bytes([2; 16]), ..known(5, "@") };
    let pool = pool(vec![live, replaced, snapshot(3, "s/root.2", 1), snapshot(7, "s/home.1", 30)]);
    let found = snapshots(&pool, &pool.subvolumes[0]);
    let found: Vec<String> = found.iter().map(|known| known.path.to_string()).collect();
    assert_eq!(found, ["s/root.1", "s/root.2"]);
}

#[test]
fn undo_brings_back_what_was_there_and_removes_its_entry() {
    let mut facts = arch(ARCH_FSTAB, &["6.11.5-arch1-1"]);
    let kept = known(50, "@.replaced.20261120T101500Z");
    facts.pool.subvolumes.push(kept.clone());
    facts.source = Source { known: kept, itself: true };
    facts.tree.fstab = Some(format!("UUID={} / btrfs subvolid=306,subvol=@ 0 0\n", facts.pool.uuid).into_bytes());
    let file = "boot/loader/entries/subvault-.replaced.20261120T101500Z.conf";
    facts.boot.files.insert(file.into(), ARCH_ENTRY.as_bytes().to_vec());
    let verdict = is_good(&facts);
    assert_eq!(verdict.transaction.aside, path("@.replaced.20261120T101500Z"));
    let entry = verdict.transaction.entry.unwrap();
    assert_eq!((entry.file.to_str(), entry.after), (Some(&*format!("/{file}")), None));
}

/// The note of an unfinished rollback lies on a pool that may be another machine's, and root does what it says.
#[test]
fn a_note_names_no_file_that_is_no_boot_entry_of_ours() {
    let ours = "# Written by subvault: entries for what rollbacks have replaced. Do not edit.\n";
    let entry = |file: &str, within, text: &str| BootEntry {
        file: file.into(),
        within,
        after: Some(text.to_owned()),
        before: None,
    };
    let boot = [PathBuf::from("/boot"), PathBuf::from("/mnt/esp")];
    for (file, rest) in [
        ("/boot/loader/entries/subvault-x.conf", "loader/entries/subvault-x.conf"),
        ("/mnt/esp/grub2/custom.cfg", "grub2/custom.cfg"),
    ] {
        let entry = entry(file, false, ours);
        let (_, found) = entry.below(&boot).unwrap();
        assert_eq!(found, Path::new(rest));
        assert!(entry.below(&[]).is_none() && entry.below(&["/".into(), "/mnt".into()]).is_none(), "{file}");
    }
    for (file, text) in [
        ("/etc/cron.d/x", ours),
        ("/etc/cron.d/subvault-x.conf", ours),
        ("/boot/loader/entries/arch.conf", ours),
        ("/boot/loader/entries/../../../etc/loader/entries/subvault-x.conf", ours),
        ("boot/loader/entries/subvault-x.conf", ours),
        ("/boot/grub/grub.cfg", ours),
        ("/boot/grub/custom.cfg", "menuentry x {}\n"),
        ("/boot/custom.cfg", ours),
    ] {
        let entry = entry(file, false, text);
        assert!(!entry.is_ours() && entry.below(&boot).is_none(), "{file}");
    }
    assert!(entry("boot/grub/custom.cfg", true, ours).is_ours());
    for (file, text) in [("boot/grub/custom.cfg", "x"), ("etc/crontab", ours), ("/boot/grub/custom.cfg", ours)] {
        assert!(!entry(file, true, text).is_ours(), "{file}");
    }
    let removed = BootEntry { after: None, before: Some("mine".into()), ..entry("/boot/grub/custom.cfg", false, "") };
    assert!(!removed.is_ours());
}
