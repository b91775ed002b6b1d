//! What a host boots from: where its boot partition is, and how a boot loader is put there again.

use std::path::Path;

use super::{Bare, PART, SYSTEM};
use crate::runbook::host::Host;
use crate::runbook::page::{Part, Place, Step};
use crate::runbook::quote;
use crate::runbook::words::{Words, words};

const INSTALLS: &str = "it installs a boot loader or a kernel";

/// Commands that mount what the host boots from at `point`, where that is a partition of its own.
pub(in crate::runbook) fn mount_boot(host: &Host<'_>, point: &Path) -> Option<String> {
    let line = host.fstab.iter().find(|line| line.point == Path::new("/boot")).or_else(|| {
        host.fstab
            .iter()
            .find(|line| line.kind == b"vfat" && (line.point.starts_with("/boot") || line.point == Path::new("/efi")))
    })?;
    let (kind, source) = (quote::path(quote::as_os(&line.kind)), quote::path(quote::as_os(&line.source)));
    let point = quote::path(point);
    Some(format!("mkdir -p {point}\nmount -t {kind} {source} {point}"))
}

/// How a kernel comes to the boot partition again, by the distribution; the last one is everybody else's.
const KERNELS: [(&str, &str); 5] = [
    (
        "debian",
        "chroot /mnt/system sh -c 'apt-get install --reinstall \"linux-image-$(ls /usr/lib/modules | sort -V | tail -n 1)\"'",
    ),
    (
        "ubuntu",
        "chroot /mnt/system sh -c 'apt-get install --reinstall \"linux-image-$(ls /usr/lib/modules | sort -V | tail -n 1)\"'",
    ),
    ("arch", "chroot /mnt/system pacman -S --noconfirm linux"),
    ("fedora", "chroot /mnt/system dnf reinstall -y kernel-core"),
    ("", "chroot /mnt/system kernel-install add-all"),
];

/// How GRUB's menu is written, by the distribution; the last one is everybody else's.
const MENUS: [(&str, &str); 5] = [
    ("fedora", "chroot /mnt/system grub2-mkconfig -o /boot/grub2/grub.cfg"),
    ("opensuse-tumbleweed", "chroot /mnt/system grub2-mkconfig -o /boot/grub2/grub.cfg"),
    ("opensuse-leap", "chroot /mnt/system grub2-mkconfig -o /boot/grub2/grub.cfg"),
    ("debian", "chroot /mnt/system update-grub"),
    ("", "chroot /mnt/system grub-mkconfig -o /boot/grub/grub.cfg"),
];

fn of_distribution(host: &Host<'_>, table: &[(&str, &'static str)]) -> &'static str {
    let distribution = host.runbook.facts.machine.distribution.as_deref().unwrap_or_default();
    let found = table.iter().find(|(of, _)| of.is_empty() || *of == distribution);
    found.map_or("", |(_, command)| command)
}

/// The ways to make it boot: one where it is known, else each.
pub(super) fn loaders(bare: &Bare<'_, '_>) -> Vec<Part> {
    let host = bare.host;
    let machine = &host.runbook.facts.machine;
    if machine.distribution.as_deref() == Some("nixos") {
        return vec![nixos()];
    }
    let inside = Step::new("What is run inside of the system finds devices and processes there.").run(
        Place::Rescue,
        format!("for DIRECTORY in dev proc sys run; do mkdir -p {SYSTEM}/$DIRECTORY; mount --rbind --make-rslave /$DIRECTORY {SYSTEM}/$DIRECTORY; done"),
    );
    if machine.has_uefi == Some(false) {
        let first = vec![bare.say_disks(), inside];
        return vec![grub(host, first, "--target=i386-pc \"$DISK1\"", "Last: what it boots from, with GRUB")];
    }
    let esp = host.fstab.iter().find(|line| line.kind == b"vfat").map_or(Path::new("/boot"), |line| &line.point);
    let directory = quote::path(esp);
    let uefi = format!("--target=x86_64-efi --efi-directory={directory}");
    vec![
        systemd_boot(host, inside.clone(), &directory),
        grub(host, vec![inside], &uefi, "Or, where the system has `/etc/default/grub`: with GRUB"),
    ]
}

fn systemd_boot(host: &Host<'_>, inside: Step, directory: &str) -> Part {
    let install = Step::new("Install it, and the kernel with its boot entry: both were on the boot partition.")
        .skip(Place::Rescue, format!("chroot {SYSTEM} bootctl --esp-path={directory} install"), INSTALLS)
        .skip(Place::Rescue, of_distribution(host, &KERNELS), INSTALLS);
    let entries = Step::new("Look whether its entry names the root.")
        .skip(Place::Rescue, format!("chroot {SYSTEM} bootctl --esp-path={directory} list"), INSTALLS)
        .see(root_words(host));
    Part::new("Last: what it boots from, where the system has no `/etc/default/grub`: with systemd-boot").steps([
        inside,
        install,
        entries,
        leave(),
    ])
}

fn grub(host: &Host<'_>, first: Vec<Step>, options: &str, title: &str) -> Part {
    let install = Step::new("Install it, and write its menu.")
        .skip(Place::Rescue, format!("chroot {SYSTEM} grub-install {options}"), INSTALLS)
        .skip(Place::Rescue, of_distribution(host, &MENUS), INSTALLS)
        .see(root_words(host));
    Part::new(title).steps(first.into_iter().chain([install, leave()]))
}

fn nixos() -> Part {
    let install = Step::new(
        "Have NixOS build what the configuration in `/etc/nixos` says, its packages and its boot loader included.",
    )
    .skip(Place::Rescue, format!("nixos-install --root {SYSTEM} --no-root-passwd"), INSTALLS)
    .see("`installation finished!`");
    Part::new("Last: what it boots from, with NixOS").steps([install, leave()])
}

fn root_words(host: &Host<'_>) -> Words {
    let root = host.subvolumes.iter().find(|subvolume| subvolume.is_root()).and_then(|root| root.place());
    match root {
        Some(place) => {
            let path = quote::shown(&place.path);
            words!(
                "{} and {} in the options of its entry.",
                format!("root=UUID={}", place.pool),
                format!("rootflags=subvol={path}")
            )
        }
        None => "the root in the options of its entry.".into(),
    }
}

/// The last step of all ways.
fn leave() -> Step {
    Step::new("Let go of everything, take the stick out and reboot.")
        .run(Place::Rescue, format!("umount -R {SYSTEM}\numount {}", crate::runbook::shell::TOP))
        .skip(Place::Rescue, "reboot", crate::runbook::rollback::REBOOTS)
}

/// Mounts the boot partitions where they belong in the system.
pub(super) fn mount(point: &Path, disk: usize, number: usize) -> String {
    let there = quote::path(&Path::new(SYSTEM).join(point.strip_prefix("/").unwrap_or(point)));
    format!("mkdir -p {there}\nmount \"${{{PART}{disk}}}{number}\" {there}")
}
