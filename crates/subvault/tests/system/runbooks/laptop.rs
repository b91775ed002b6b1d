//! A laptop with one disk: a USB disk has copies, a directory on another disk has archives.

use std::fs;

use subvault_model::facts::{Transport, Use};
use subvault_plan::strategy::profile::Profile;
use subvault_render::runbook::{Restic, Site, Target};

use super::hosts::{Known, Sub, uuid};
use super::machine::Machine;
use super::trial::Compared::{Elsewhere, Says, Trees};
use super::trial::{Trial, Trials};
use crate::machine_tree::KERNEL;
use crate::world::{new_key, text, tool};

const SUBVOLUMES: &[Sub] = &[
    (Some("root"), "@", "", &[Use::Root]),
    (Some("home"), "@home", "home", &[Use::Home]),
    (Some("nix"), "@nix", "nix", &[]),
    (Some("containers"), "@containers", "var/lib/containers", &[Use::Containers]),
    (None, "@cache", "var/cache", &[]),
];
const TREES: &[(&str, &str)] =
    &[("root", "/etc"), ("home", "/home"), ("nix", "/nix"), ("containers", "/var/lib/containers")];

/// What is not run: it would reboot, write to the machine's own firmware, or needs NTFS or a telephone on a cable.
const NOT_RUN: &[&str] = &[
    "reboot",
    "systemctl --failed",
    "efibootmgr",
    "mkdir -p /mnt/images",
    "umount /mnt/images",
    "adb push /root/telephone/sdcard/. /sdcard/",
    "adb reboot recovery",
    "chroot /mnt/system bootctl --esp-path=/boot install",
    "chroot /mnt/system bootctl --esp-path=/boot list",
    "chroot /mnt/system pacman -S --noconfirm linux",
    "chroot /mnt/system grub-install --target=x86_64-efi --efi-directory=/boot",
    "chroot /mnt/system grub-mkconfig -o /boot/grub/grub.cfg",
];

/// What is in the subvolumes: owners, modes, attributes, links, holes, odd names.
const FILL: &str = r#"
cd "$1"
mkdir -p @/usr/lib/modules/$2 @/var/lib/containers @/var/cache @/nix @/boot @/mnt/vault @/etc
touch @/usr/lib/modules/$2/modules.dep
cd @home; mkdir -p ada/project/deep "ada/Büro mit 'Namen'"
echo 'as it should be' > ada/report.odt; touch -d '2026-01-02 03:04:05.678' ada/report.odt
echo a > ada/project/a; echo b > ada/project/b; ln ada/project/a ada/project/deep/linked; ln -s ../a ada/project/deep/shown
printf '\377' > "$(printf 'ada/Büro mit '\''Namen'\''/a\nb\377')"
truncate -s 3M ada/hole; echo end >> ada/hole; setfattr -n user.note -v x ada/report.odt; setfacl -m u:7:r ada/project/b
chmod 4750 ada/project/b; chown -R 1000:1000 ada
cd ..; echo package > @nix/package; mkdir @containers/image; head -c 300000 /dev/urandom > @containers/image/layer
"#;

fn machine() -> (Machine, Known) {
    let disks = [("nvme0n1", 2048), ("sda", 1024), ("sdb", 512), ("spare", 1024)];
    let mut machine = Machine::new(&disks, "nvme0n1p2");
    tool(&["sgdisk", "-n", "1:0:+64M", "-t", "1:ef00", "-n", "2:0:0", &machine.device("nvme0n1")]);
    machine.attach();
    let (pool, usb) = (machine.device("nvme0n1p2"), machine.device("sda"));
    for (device, make) in [
        (&pool, vec!["mkfs.btrfs", "-q"]),
        (&usb, vec!["mkfs.btrfs", "-q"]),
        (&machine.device("spare"), vec!["mkfs.btrfs", "-q"]),
        (&machine.device("sdb"), vec!["mkfs.ext4", "-q", "-L", "VAULT"]),
        (&machine.device("nvme0n1p1"), vec!["mkfs.ext4", "-q", "-L", "ESP"]),
    ] {
        tool(&[make, vec![device]].concat());
    }
    let known = Known {
        host: "yoga",
        profile: Profile::SingleNvmeLaptop,
        distribution: "arch",
        has_uefi: true,
        disk: ("nvme0n1", Transport::Nvme),
        pool: uuid(&pool),
        subvolumes: SUBVOLUMES,
        targets: vec![
            Target { name: "vault".parse().unwrap(), site: Site::Directory("/mnt/vault/subvault".into()) },
            Target {
                name: "usb".parse().unwrap(),
                site: Site::Disk { uuid: uuid(&usb).parse().unwrap(), directory: "copies".into(), luks: None },
            },
        ],
        fstab: fstab(&uuid(&pool)),
        restic: Some(Restic { repository: "/root/restic".to_owned(), password_file: "/root/restic.password".into() }),
    };
    fill(&machine, &known);
    let (top, spare) = (machine.path("top"), machine.device("spare"));
    tool(&["unshare", "--mount", "--propagation", "private", "bash", "-c", RESTIC, "restic", text(&top), &spare]);
    (machine, known)
}

fn fstab(pool: &str) -> String {
    let mount = |(_, path, at, _): &Sub| format!("UUID={pool} /{at} btrfs subvol={path} 0 0\n");
    let mounts: String = SUBVOLUMES.iter().map(mount).collect();
    format!("{mounts}LABEL=ESP /boot vfat umask=0077 0 2\nLABEL=VAULT /mnt/vault ext4 defaults 0 2\n")
}

/// Puts a system on it, and lets it take snapshots, archive and copy.
fn fill(machine: &Machine, known: &Known) {
    let top = machine.path("top");
    let settings = machine.path("settings");
    let recipient = new_key(&settings.join("identity.txt"));
    let (usb, pool) = (uuid(&machine.device("sda")), &known.pool);
    let tables: String = SUBVOLUMES
        .iter()
        .filter_map(|(name, _, at, _)| Some(format!("[[subvolume]]\nname = {:?}\npath = \"/{at}\"\n", (*name)?)))
        .collect();
    let config = format!(
        "[host]\nname = \"yoga\"\n{tables}[[target]]\nname = \"vault\"\ndirectory = \"/mnt/vault/subvault\"\nrecipients = [{recipient:?}]\n\
        [[target]]\nname = \"usb\"\n[target.btrfs]\nuuid = {usb:?}\ndirectory = \"copies\"\n"
    );
    fs::write(settings.join("subvault.toml"), config).unwrap();
    let create: String =
        SUBVOLUMES.iter().map(|(_, path, ..)| format!("btrfs -q subvolume create \"$1\"/{path}\n")).collect();
    fs::write(machine.path("fstab"), &known.fstab).unwrap();
    let entry = format!("title Arch\nlinux /vmlinuz-linux\noptions root=UUID={pool} rw rootflags=subvol=@\n");
    fs::write(machine.path("entry"), entry).unwrap();
    let script = format!(
        "set -eu; mkdir -p \"$1\"; mount {device} \"$1\"; {create} ( {FILL} )
        cp -a /etc/. \"$1\"/@/etc/; rm -rf \"$1\"/@/etc/subvault; cp -a {settings} \"$1\"/@/etc/subvault; cp {dir}/fstab \"$1\"/@/etc/fstab
        umount \"$1\"; mount {usb} \"$1\"; mkdir \"$1\"/copies; umount \"$1\"; mount {vault} \"$1\"; mkdir \"$1\"/subvault; umount \"$1\"
        mount {esp} \"$1\"; mkdir -p \"$1\"/loader/entries; printf 'default arch.conf\\n' > \"$1\"/loader/loader.conf
        cp {dir}/entry \"$1\"/loader/entries/arch.conf; cp {dir}/kernel \"$1\"/vmlinuz-linux; umount \"$1\"",
        device = machine.device("nvme0n1p2"),
        settings = text(&settings),
        dir = text(&machine.path("")),
        usb = machine.device("sda"),
        vault = machine.device("sdb"),
        esp = machine.device("nvme0n1p1"),
    );
    fs::write(machine.path("kernel"), crate::machine_tree::kernel_image(KERNEL)).unwrap();
    tool(&["unshare", "--mount", "--propagation", "private", "bash", "-c", &script, "fill", text(&top), KERNEL]);
    fs::write(machine.path("cmdline"), format!("root=UUID={pool} rw rootflags=subvol=@\n")).unwrap();
    machine
        .run("here", "subvault -q archive && subvault -q replicate && sleep 1.1 && echo more > /home/ada/more && subvault -q archive && subvault -q replicate")
        .expect(0);
}

/// What Windows and a telephone sent to the repository, which is on the other machine.
const RESTIC: &str = r#"
set -eu; mkdir -p "$1"; mount "$2" "$1"
export RESTIC_REPOSITORY="$1/restic" RESTIC_PASSWORD_FILE="$1/restic.password"
echo secret > "$RESTIC_PASSWORD_FILE"; restic -q --no-cache init
mkdir -p "$1"/sent/sdcard; cd "$1"/sent; echo image > WIN.vbk; echo photo > sdcard/photo
restic -q --no-cache backup --host WIN-DESKTOP WIN.vbk; restic -q --no-cache backup --host PHONE-PIXEL8 sdcard
cd /; rm -r "$1"/sent; umount "$1"
"#;

const NO_SNAPSHOTS: &str = "btrfs -q subvolume delete /home/.subvault/*/ && rm -f /home/.subvault/*";
const FILE_GONE: &str = "rm /home/ada/report.odt";
const FILE_GONE_EVERYWHERE: &str = "rm /home/ada/report.odt; btrfs -q subvolume delete /home/.subvault/*/";
const DIRECTORY_GONE: &str = "rm -r /home/ada/project";
const DIRECTORY_GONE_EVERYWHERE: &str = "rm -r /home/ada/project; btrfs -q subvolume delete /home/.subvault/*/";
const HOME: &[&str] = &["home"];

fn files(trials: &mut Trials) {
    for part in ["It is gone", "Without subvault"] {
        trials.attempt(&Trial::new("file", part, FILE_GONE, Trees(HOME)));
    }
    trials.attempt(&Trial::new("file", "It is there and wrong", "echo wrong > /home/ada/report.odt", Trees(HOME)));
    for part in
        ["No snapshot of this machine has it: out of `usb`", "No snapshot of this machine has it: out of `vault`"]
    {
        trials.attempt(&Trial::new("file", part, FILE_GONE_EVERYWHERE, Trees(HOME)));
        trials.attempt(&Trial::new("directory", part, DIRECTORY_GONE_EVERYWHERE, Trees(HOME)));
    }
    trials.attempt(&Trial::new("directory", "It is gone", DIRECTORY_GONE, Trees(HOME)));
    let changed = "cd /home/ada/project; echo new > new; rm b; echo changed > a; mv deep other; chmod 700 .";
    trials.attempt(&Trial::new("directory", "All of it as it was", changed, Trees(HOME)));
    let brought = r#"SNAPSHOTS=(/home/.subvault/home.*Z/); diff -r --no-dereference /root/restored/project "${SNAPSHOTS[-1]}ada/project" && echo the same"#;
    let changed = "echo changed > /home/ada/project/a";
    trials.attempt(&Trial::new("directory", "Beside what is there", changed, Says(brought, ["the same", ""])));
}

fn subvolumes(trials: &mut Trials) {
    let damaged = |name, part, damage, trees| Trial::new(name, part, damage, Trees(trees));
    for (part, damage, tree) in [
        ("`home`: back", "rm -r /home/ada/*; echo junk > /home/junk", &["home"][..]),
        ("`nix`: back", "echo changed > /nix/package", &["nix"]),
        ("`containers`: back", "rm -r /var/lib/containers/image", &["containers"]),
        (
            "`containers`: it is gone",
            "rm -r /var/lib/containers/image; btrfs -q subvolume delete /var/lib/containers/.subvault/*/",
            &["containers"],
        ),
    ] {
        trials.attempt(&damaged("subvolume", part, damage, tree));
    }
    let deleted = "umount /home; mount --mkdir -o subvolid=5 $(findmnt -vno SOURCE /) /mnt/top; btrfs -q subvolume delete /mnt/top/@home/.subvault/*/ /mnt/top/@home";
    trials.attempt(&Trial { undone: false, ..damaged("subvolume", "`home`: it is gone", deleted, HOME) });
    let broken = "echo broken > /etc/issue; rm /etc/hosts; mkdir /etc/junk";
    for part in [
        "It still starts",
        "It does not start: from a rescue system",
        "It does not start, and the rescue system has no",
    ] {
        trials.attempt(&damaged("rollback", part, broken, &["root", "home"]));
    }
}

fn targets(trials: &mut Trials) {
    let lost = NO_SNAPSHOTS;
    for (page, part, kind) in [
        ("archive-vault", "On this machine", "here"),
        ("archive-vault", "On another machine", "other"),
        ("archive-vault", "With stock tools", "other"),
        ("disk-usb", "On this machine", "here"),
        ("disk-usb", "By hand: a whole", "other"),
    ] {
        trials.attempt(&Trial::new(page, part, lost, Elsewhere("home", kind, "/root/recovered/home")));
    }
    let by_hand = Trial::new("disk-usb", "By hand: files", lost, Elsewhere("home", "other", "/root/recovered"));
    trials.attempt(&Trial { undone: false, ..by_hand });
}

/// Out of the repository of restic.
fn other_devices(trials: &mut Trials) {
    for (page, part) in [("windows", "The USB disk is lost"), ("android", "Files, on any Linux")] {
        trials.attempt(&Trial::new(page, part, "", Says("echo brought", ["brought", "brought"])));
    }
}

/// The disk dies, twice; each time everything comes from another place.
fn bare_metal(trials: &mut Trials) {
    let ways: [&[&str]; 2] = [
        &[
            "First: the disk",
            "Then: what was saved",
            "Then: what was not saved",
            "Last: what it boots from",
            "After the first boot",
        ],
        &[
            "First: the disk",
            "Or: what was saved",
            "Then: what was not saved",
            "Or, where the system has",
            "After the first boot",
        ],
    ];
    for parts in ways {
        let trial = Trial::several("bare-metal", parts, &["nvme0n1"], Trees(&["root", "home", "containers"]));
        trials.attempt(&trial);
    }
}

#[test]
fn every_command_for_a_laptop_works_as_it_stands() {
    let (machine, known) = machine();
    let runbook = known.runbook();
    let mut trials = Trials::new(machine, &runbook, TREES);
    files(&mut trials);
    subvolumes(&mut trials);
    targets(&mut trials);
    bare_metal(&mut trials);
    other_devices(&mut trials);
    trials.tell("a laptop with a USB disk and a directory for archives", NOT_RUN);
}
