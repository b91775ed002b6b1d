//! A machine's pool for tests of rollbacks: a root subvolume with fstab, kernel modules and nested subvolumes, snapshots of
//! it, and a boot partition, laid out as a distribution does.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use subvault_testkit::pool::LoopPool;
use tempfile::TempDir;

use crate::world::{Ran, subvault, text, tool};

/// The version of the machine's kernel.
pub(crate) const KERNEL: &str = "6.11.5-arch1-1";

/// A machine.
pub(crate) struct Machine {
    pub(crate) pool: LoopPool,
    pub(crate) dir: TempDir,
    /// The root's path from the top level.
    pub(crate) root: String,
}

/// How the root is found at boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// By its name, with systemd-boot on a partition of its own.
    Named,
    /// As `Named`, and the fstab has its number as well.
    Numbered,
    /// As the default subvolume, with `/boot` inside, in snapper's tree.
    Default,
    /// By its name, with `/boot` inside and GRUB, as Debian does it.
    Grub,
}

/// A kernel that says its version in its header, and has nothing else in it.
pub(crate) fn kernel_image(version: &str) -> Vec<u8> {
    let mut image = vec![0; 0x400];
    image[0x202..0x206].copy_from_slice(b"HdrS");
    image[0x20e..0x210].copy_from_slice(&0x100_u16.to_le_bytes());
    image[0x300..0x300 + version.len()].copy_from_slice(version.as_bytes());
    image
}

/// The menu that `grub-mkconfig` makes for a kernel of this version on this pool, with the root in `@rootfs`.
pub(crate) fn grub_menu(uuid: &str, version: &str) -> String {
    format!(
        "set default=\"0\"\nmenuentry 'Debian GNU/Linux' --class debian --class os $menuentry_id_option \
        'gnulinux-simple-{uuid}' {{\n\tinsmod gzio\n\tif [ x$grub_platform = xxen ]; then insmod xzio; fi\n\
        \tinsmod btrfs\n\tsearch --no-floppy --fs-uuid --set=root {uuid}\n\techo\t'Loading Linux {version} ...'\n\
        \tlinux\t/@rootfs/boot/vmlinuz-{version} root=UUID={uuid} ro rootflags=subvol=@rootfs  quiet\n\
        \techo\t'Loading initial ramdisk ...'\n\tinitrd\t/@rootfs/boot/initrd.img-{version}\n}}\n\
        if [ -f  ${{config_directory}}/custom.cfg ]; then\n  source ${{config_directory}}/custom.cfg\nfi\n"
    )
}

impl Machine {
    /// A machine with a first snapshot, `snapshots/root.1`, since when `/etc/issue` has changed from `old` to `new`.
    pub(crate) fn new(layout: Layout) -> Self {
        let pool = LoopPool::new(512 << 20, &[], &[]).unwrap();
        let dir = TempDir::with_prefix("subvault-rollback-").unwrap();
        let root = match layout {
            Layout::Default => "@/.snapshots/1/snapshot",
            Layout::Grub => "@rootfs",
            _ => "@",
        };
        let machine = Self { pool, dir, root: root.to_owned() };
        if layout == Layout::Default {
            machine.subvolume("@");
            machine.subvolume("@/.snapshots");
            fs::create_dir(machine.at("@/.snapshots/1")).unwrap();
        }
        for path in [root, "@home"] {
            machine.subvolume(path);
        }
        let id = machine.id(root);
        let uuid = tool(&["blkid", "-o", "value", "-s", "UUID", text(machine.pool.device())]);
        let options = match layout {
            Layout::Named => "rw,subvol=/@".to_owned(),
            Layout::Numbered => format!("rw,subvolid={id},subvol=/@"),
            Layout::Default => "rw".to_owned(),
            Layout::Grub => "defaults,subvol=@rootfs".to_owned(),
        };
        let mut fstab = format!("UUID={} / btrfs {options} 0 0\n", uuid.trim());
        fstab.push_str(&format!("UUID={} /home btrfs subvol=@home 0 0\n", uuid.trim()));
        if layout == Layout::Default {
            machine.write(
                "boot/grub2/grub.cfg",
                format!("linux /boot/vmlinuz-{KERNEL} root=UUID={} quiet\n", uuid.trim()).as_bytes(),
            );
            machine.write(&format!("boot/vmlinuz-{KERNEL}"), b"");
            tool(&["btrfs", "subvolume", "set-default", &id, text(&machine.pool.path())]);
        } else if layout == Layout::Grub {
            machine.menu(KERNEL);
        } else {
            fstab.push_str("LABEL=ESP /boot vfat rw 0 2\n");
            machine.boot_partition(uuid.trim());
        }
        machine.write("etc/fstab", fstab.as_bytes());
        machine.write(&format!("usr/lib/modules/{KERNEL}/modules.dep"), b"");
        std::os::unix::fs::symlink("usr/lib", machine.in_root("lib")).unwrap();
        machine.write("etc/issue", b"old");
        machine.write("var/lib/file", b"");
        machine.subvolume(&format!("{root}/var/lib/machines"));
        machine.write("var/lib/machines/file", b"a container");
        fs::create_dir(machine.in_root(".subvault")).unwrap();
        machine.snapshot(&format!("{root}/.subvault/root.0"));
        fs::create_dir(machine.at("snapshots")).unwrap();
        machine.snapshot("snapshots/root.1");
        machine.write("etc/issue", b"new");
        machine
    }

    /// The menu that `grub-mkconfig` makes for a kernel of this version, and the kernel.
    pub(crate) fn menu(&self, version: &str) {
        let uuid = tool(&["blkid", "-o", "value", "-s", "UUID", text(self.pool.device())]);
        let uuid = uuid.trim();
        let menu = grub_menu(uuid, version);
        self.write("boot/grub/grub.cfg", menu.as_bytes());
        self.write(&format!("boot/vmlinuz-{version}"), b"");
        self.write(&format!("usr/lib/modules/{version}/modules.dep"), b"");
    }

    /// systemd-boot, with a kernel that says its version in its header.
    fn boot_partition(&self, uuid: &str) {
        let esp = self.esp();
        fs::create_dir_all(esp.join("loader/entries")).unwrap();
        fs::write(esp.join("loader/loader.conf"), "timeout 3\ndefault arch.conf\n").unwrap();
        let entry = format!("title Arch\nlinux /vmlinuz-linux\noptions root=UUID={uuid} rw rootflags=subvol=@\n");
        fs::write(esp.join("loader/entries/arch.conf"), entry).unwrap();
        self.kernel(KERNEL);
    }

    /// Puts a kernel of this version on the boot partition.
    pub(crate) fn kernel(&self, version: &str) {
        fs::write(self.esp().join("vmlinuz-linux"), kernel_image(version)).unwrap();
    }

    /// The boot partition.
    pub(crate) fn esp(&self) -> PathBuf {
        self.dir.path().join("esp")
    }

    /// A path from the top level.
    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.pool.path().join(path)
    }

    pub(crate) fn in_root(&self, path: &str) -> PathBuf {
        self.at(&self.root).join(path)
    }

    pub(crate) fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.in_root(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn subvolume(&self, path: &str) {
        tool(&["btrfs", "-q", "subvolume", "create", text(&self.at(path))]);
    }

    /// A read-only snapshot of the root.
    pub(crate) fn snapshot(&self, to: &str) {
        tool(&["btrfs", "-q", "subvolume", "snapshot", "-r", text(&self.at(&self.root)), text(&self.at(to))]);
    }

    /// What `/etc/issue` says.
    pub(crate) fn issue(&self) -> String {
        fs::read_to_string(self.in_root("etc/issue")).unwrap()
    }

    /// The number of a subvolume, as `btrfs` tells it.
    pub(crate) fn id(&self, path: &str) -> String {
        tool(&["btrfs", "inspect-internal", "rootid", text(&self.at(path))]).trim().to_owned()
    }

    /// All subvolumes as `btrfs` tells them: number, and path with ` ro` where it is read-only.
    pub(crate) fn listed(&self) -> BTreeMap<String, String> {
        let read_only = tool(&["btrfs", "subvolume", "list", "-r", text(&self.pool.path())]);
        let all = tool(&["btrfs", "subvolume", "list", text(&self.pool.path())]);
        let entry = |line: &str| {
            let id = line.split_whitespace().nth(1).unwrap().to_owned();
            let path = line.split_once(" path ").unwrap().1.to_owned();
            (id, path)
        };
        let read_only: BTreeMap<_, _> = read_only.lines().map(entry).collect();
        let mark = |(id, path): (String, String)| {
            let ro = if read_only.contains_key(&id) { " ro" } else { "" };
            (id, format!("{path}{ro}"))
        };
        all.lines().map(entry).map(mark).collect()
    }

    /// The default subvolume's number, as `btrfs` tells it.
    pub(crate) fn default(&self) -> String {
        let said = tool(&["btrfs", "subvolume", "get-default", text(&self.pool.path())]);
        said.split_whitespace().nth(1).unwrap().to_owned()
    }

    /// Where what was replaced is kept.
    pub(crate) fn aside(&self) -> String {
        let listed = self.listed();
        let begin = format!("{}.replaced.", self.root);
        let mut found = listed.values().filter(|path| path.starts_with(&begin) && !path[begin.len()..].contains('/'));
        found.next_back().unwrap_or_else(|| panic!("{listed:?}")).clone()
    }

    /// Whether a rollback is under way.
    pub(crate) fn has_note(&self) -> bool {
        self.at(".subvault-rollback.json").exists()
    }

    /// A configuration that only says where the state is.
    pub(crate) fn config(&self) -> PathBuf {
        let path = self.dir.path().join("subvault.toml");
        fs::write(&path, format!("[host]\nname = \"rescue\"\nstate = {:?}\n", self.dir.path().join("state"))).unwrap();
        path
    }

    /// What a rescue system says: the pool by its device, the boot partition where it is mounted.
    pub(crate) fn args(&self, more: &[&str]) -> Vec<String> {
        let (device, esp) = (text(self.pool.device()).to_owned(), self.esp());
        let mut args = vec!["rollback".to_owned(), "--pool".to_owned(), device, self.root.clone()];
        if esp.exists() {
            args.extend(["--boot".to_owned(), text(&esp).to_owned()]);
        }
        args.extend(more.iter().map(|arg| (*arg).to_owned()));
        args
    }

    /// Rolls back as from a rescue system.
    pub(crate) fn rollback(&self, more: &[&str]) -> Ran {
        let args = self.args(more);
        subvault(&self.config(), &args.iter().map(String::as_str).collect::<Vec<_>>())
    }
}
