//! A rented machine with databases: two buckets, one of them cold, and another host that has copies. It has no UEFI, and its
//! kernels lie in its root.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command};

use subvault_model::facts::{Transport, Use};
use subvault_plan::strategy::profile::Profile;
use subvault_render::runbook::{Bucket, Site, Target};
use subvault_store::{Credentials, ObjectStore, Provider, S3Settings, Secret, ThawSpeed};
use subvault_testkit::s3_fake::{Fake, FakeOptions};

use super::hosts::{Known, Sub, uuid};
use super::machine::{AWS_CLI, Machine};
use super::trial::Compared::{Elsewhere, Says, Trees};
use super::trial::{Trial, Trials};
use crate::machine_tree::{KERNEL, grub_menu};
use crate::world::{new_key, text, tool, wait_for};

const SUBVOLUMES: &[Sub] = &[
    (Some("root"), "@", "", &[Use::Root]),
    (Some("home"), "@home", "home", &[Use::Home]),
    (Some("postgresql"), "@postgresql", "var/lib/postgresql", &[Use::PostgreSql]),
    (Some("mysql"), "@mysql", "var/lib/mysql", &[Use::MariaDb]),
    (Some("redis"), "@redis", "var/lib/redis", &[Use::Redis]),
    (None, "@swap", "swap", &[]),
];
/// Pages that are tried by a test of their own, at the same time as the others.
const DATABASES: &[&str] = &["postgresql", "mariadb", "redis"];
pub(super) const TREES: &[(&str, &str)] = &[("root", "/etc"), ("home", "/home")];

/// What is not run: it would reboot, or install a boot loader.
const NOT_RUN: &[&str] = &[
    "reboot",
    "systemctl --failed",
    "chroot /mnt/system grub-install --target=i386-pc \"$DISK1\"",
    "chroot /mnt/system update-grub",
];

/// What is there for a machine beside its disks: a store, and somebody who carries connections to it.
pub(super) struct Around {
    fake: Fake,
    carrier: Child,
}

impl Drop for Around {
    fn drop(&mut self) {
        let _ = self.carrier.kill();
        let _ = self.carrier.wait();
    }
}

impl Around {
    fn new(machine: &Machine) -> Self {
        let fake = Fake::start(FakeOptions::default());
        let port = fake.endpoint().rsplit(':').next().unwrap().trim_end_matches('/').to_owned();
        fs::write(machine.path("port"), &port).unwrap();
        let socket = machine.path("s3");
        let mut command = Command::new("/usr/bin/python3");
        let carrier = command.arg(machine.path("forward.py")).arg("outside").arg(&socket).arg(&port).spawn().unwrap();
        wait_for("the carrier", || socket.exists());
        Self { fake, carrier }
    }

    /// Has everything thawed that is cold.
    pub(super) fn thaw(&self) {
        let mut settings = S3Settings::new(Provider::CephRgw, self.fake.bucket(), "us-east-1");
        settings.endpoint = Some(self.fake.endpoint());
        settings.credentials = Credentials::Static {
            access_key: self.fake.access_key().to_owned(),
            secret_key: Secret::new(self.fake.secret_key().to_owned()),
            session_token: None,
        };
        let store = ObjectStore::s3(&settings).unwrap();
        for key in self.fake.keys().iter().filter(|key| self.fake.class(key).as_deref() == Some("DEEP_ARCHIVE")) {
            store.thaw(&key.parse().unwrap(), 3, ThawSpeed::Bulk).unwrap();
        }
    }

    fn bucket(&self, prefix: &str, class: Option<&str>) -> Site {
        Site::Bucket(Bucket {
            provider: "ceph-rgw".to_owned(),
            bucket: self.fake.bucket().to_owned(),
            prefix: Some(prefix.to_owned()),
            region: "us-east-1".to_owned(),
            endpoint: Some(self.fake.endpoint()),
            credentials: Some("/etc/subvault/credentials".into()),
            class: class.map(str::to_owned),
        })
    }
}

pub(super) fn machine() -> (Machine, Around, Known) {
    let mut machine = Machine::new(&[("vda", 8192), ("nas", 2048), ("spare", 1024)], "vda2");
    tool(&["sgdisk", "-n", "1:0:+1M", "-t", "1:ef02", "-n", "2:0:0", &machine.device("vda")]);
    machine.attach();
    for disk in ["vda2", "nas", "spare"] {
        tool(&["mkfs.btrfs", "-q", &machine.device(disk)]);
    }
    let around = Around::new(&machine);
    let pool = uuid(&machine.device("vda2"));
    let mount = |(_, path, at, _): &Sub| format!("UUID={pool} /{at} btrfs subvol={path} 0 0\n");
    let mounts: String = SUBVOLUMES.iter().map(mount).collect();
    let target = |name: &str, site| Target { name: name.parse().unwrap(), site };
    let ssh = Site::Host { host: "root@127.0.0.1".to_owned(), port: Some(2222), directory: "/srv/copies".into() };
    let known = Known {
        host: "hetzner",
        profile: Profile::ProductionVps,
        distribution: "debian",
        has_uefi: false,
        disk: ("vda", Transport::Virtual),
        pool,
        subvolumes: SUBVOLUMES,
        targets: vec![
            target("s3", around.bucket("warm", None)),
            target("glacier", around.bucket("deep", Some("DEEP_ARCHIVE"))),
            target("ovh", ssh),
        ],
        fstab: format!("{mounts}/swap/swapfile none swap defaults 0 0\n"),
        restic: None,
    };
    settings(&machine, &around);
    fill(&machine, &known);
    (machine, around, known)
}

/// Configuration and keys.
fn settings(machine: &Machine, around: &Around) {
    let directory = machine.path("settings");
    let recipient = new_key(&directory.join("identity.txt"));
    let fake = &around.fake;
    let secret = format!("aws_access_key_id = {}\naws_secret_access_key = {}\n", fake.access_key(), fake.secret_key());
    fs::write(directory.join("credentials"), secret).unwrap();
    fs::set_permissions(directory.join("credentials"), fs::Permissions::from_mode(0o600)).unwrap();
    for key in ["settings/ovh.key", "admin.key", "host_key"] {
        tool(&["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", text(&machine.path(key))]);
    }
    let public = |key: &str| fs::read_to_string(machine.path(&format!("{key}.pub"))).unwrap();
    let known_hosts = format!("[127.0.0.1]:2222 {}", public("host_key"));
    fs::write(directory.join("known_hosts"), known_hosts).unwrap();
    let forced = "restrict,command=\"/usr/local/bin/subvault ssh-serve --directory /srv/copies --host hetzner\"";
    let keys = format!("{forced} {}{}", public("settings/ovh.key"), public("admin.key"));
    fs::write(machine.path("authorized_keys"), keys).unwrap();
    let sshd = "Port 2222\nListenAddress 127.0.0.1\nHostKey /run/test/host_key\nAuthorizedKeysFile /run/test/authorized_keys\n\
        PidFile /run/sshd.pid\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n";
    fs::write(machine.path("sshd_config"), sshd).unwrap();
    fs::write(machine.path("start"), START).unwrap();
    let hooked = |at: &str| ["postgresql", "mysql", "redis"].into_iter().find(|name| at.ends_with(name));
    let table = |(name, _, at, _): &Sub| {
        let hooks = hooked(at).map_or_else(String::new, |hook| format!("hooks = [{hook:?}]\n"));
        Some(format!("[[subvolume]]\nname = {:?}\npath = \"/{at}\"\n{hooks}", (*name)?))
    };
    let tables: String = SUBVOLUMES.iter().filter_map(table).collect();
    let hooks: String = [("postgresql", "postgresql"), ("mysql", "mariadb"), ("redis", "redis")]
        .map(|(name, preset)| format!("[[hook]]\nname = {name:?}\npreset = {preset:?}\n"))
        .concat();
    let bucket = |name: &str, prefix: &str, more: &str| {
        format!(
            "[[target]]\nname = {name:?}\nrecipients = [{recipient:?}]\n[target.s3]\nprovider = \"ceph-rgw\"\nbucket = {:?}\nregion = \"us-east-1\"\n\
            prefix = {prefix:?}\nendpoint = {:?}\ncredentials_file = \"/etc/subvault/credentials\"\n{more}",
            fake.bucket(),
            fake.endpoint()
        )
    };
    let config = format!(
        "[host]\nname = \"hetzner\"\n{tables}{hooks}{}{}[[target]]\nname = \"ovh\"\n[target.btrfs]\ndirectory = \"/srv/copies\"\n\
        ssh = {{ host = \"root@127.0.0.1\", port = 2222, identity_file = \"/etc/subvault/ovh.key\", known_hosts = \"/etc/subvault/known_hosts\" }}\n",
        bucket("s3", "warm", ""),
        bucket("glacier", "deep", "storage_class = \"DEEP_ARCHIVE\"\nmetadata_storage_class = \"STANDARD\"\n"),
    );
    fs::write(directory.join("subvault.toml"), config).unwrap();
}

/// The other host is reached at a port of this one: its disk, its `sshd`, and who may log in there.
const START: &str = "\
mkdir -p /srv/copies /run/sshd /root/.ssh
mount /dev/nas /srv/copies
chmod 600 /run/test/host_key
/usr/sbin/sshd -f /run/test/sshd_config
if [ \"$1\" = other ]; then
    cp /run/test/settings/known_hosts /root/.ssh/known_hosts
    install -m 600 /run/test/admin.key /root/.ssh/id_ed25519
fi
";

/// What each of the servers needs once. They are kept small, since disks are copied for each trial.
const SERVERS: &str = r"
version=$(ls /usr/lib/postgresql | sort -V | tail -n 1)
mkdir -p /var/log/postgresql /var/log/mysql /var/log/redis /etc/postgresql
chown postgres: /var/lib/postgresql /var/log/postgresql; chown mysql: /var/lib/mysql /var/log/mysql; chown redis: /var/lib/redis /var/log/redis
pg_createcluster $version main -- --wal-segsize=1 > /dev/null
printf '[mysqld]\ninnodb_log_file_size=4M\n' > /etc/mysql/conf.d/small.cnf
mariadb-install-db --user=mysql > /dev/null
";
/// All three run.
const STARTED: &str = "systemctl start postgresql > /dev/null; systemctl start mariadb > /dev/null; systemctl start redis-server > /dev/null
until runuser -u postgres -- pg_isready -q && mariadb-admin --silent ping && [ \"$(redis-cli ping)\" = PONG ]; do sleep 0.2; done
";
const DATA: &str = "
runuser -u postgres -- psql -Xqc 'CREATE TABLE t AS SELECT generate_series(1, 1000) AS n'
mariadb -e 'CREATE DATABASE d; CREATE TABLE d.t (n INT) ENGINE=InnoDB; USE d; INSERT INTO t SELECT seq FROM seq_1_to_1000'
redis-cli set answer 42 > /dev/null
";

/// Puts a system on it, starts its servers, and lets it take snapshots, archive and copy while they run.
fn fill(machine: &Machine, known: &Known) {
    let top = machine.path("top");
    let create: String =
        SUBVOLUMES.iter().map(|(_, path, ..)| format!("btrfs -q subvolume create \"$1\"/{path}\n")).collect();
    fs::write(machine.path("fstab"), &known.fstab).unwrap();
    fs::write(machine.path("menu"), grub_menu(&known.pool, KERNEL).replace("@rootfs", "@")).unwrap();
    let script = format!(
        "set -eu; mkdir -p \"$1\"; mount {device} \"$1\"; {create} cd \"$1\"/@; cp -a /etc/. ./etc 2>/dev/null || {{ mkdir etc; cp -a /etc/. etc/; }}
        rm -rf etc/subvault etc/postgresql/*; cp -a {dir}/settings etc/subvault; cp {dir}/fstab etc/fstab
        mkdir -p home swap srv var/lib/postgresql var/lib/mysql var/lib/redis boot/grub usr/lib/modules/{KERNEL} ../@home/ada/project
        cp {dir}/menu boot/grub/grub.cfg; : > boot/vmlinuz-{KERNEL}; : > usr/lib/modules/{KERNEL}/modules.dep
        cd ../@home/ada; echo 'as it should be' > report.odt; echo a > project/a; echo b > project/b; chown -R 1000:1000 .
        cd /; umount \"$1\"",
        device = machine.device("vda2"),
        dir = text(&machine.path("")),
    );
    tool(&["unshare", "--mount", "--propagation", "private", "bash", "-c", &script, "fill", text(&top)]);
    let cmdline = format!("BOOT_IMAGE=/@/boot/vmlinuz-{KERNEL} root=UUID={} ro rootflags=subvol=@ quiet\n", known.pool);
    fs::write(machine.path("cmdline"), cmdline).unwrap();
    let send = "subvault -q archive && subvault -q replicate";
    let rounds = format!("{SERVERS}{STARTED}{DATA}{send} && sleep 1.1 && echo more > /home/ada/more && {send}");
    machine.run("here", &rounds).expect(0);
}

const FILE_GONE: &str = "rm /home/ada/report.odt; btrfs -q subvolume delete /home/.subvault/*/";
const DIRECTORY_GONE: &str = "rm -r /home/ada/project; btrfs -q subvolume delete /home/.subvault/*/";
const LOST: &str = "btrfs -q subvolume delete /home/.subvault/*/";
const HOME: &[&str] = &["home"];

fn files(trials: &mut Trials) {
    let local = [
        ("file", "It is gone", "rm /home/ada/report.odt"),
        ("file", "It is there and wrong", "echo wrong > /home/ada/report.odt"),
        ("file", "Without subvault", "rm /home/ada/report.odt"),
        ("directory", "It is gone", "rm -r /home/ada/project"),
        ("directory", "All of it as it was", "echo new > /home/ada/project/new; rm /home/ada/project/a"),
        ("subvolume", "`home`: back", "rm -r /home/ada"),
        ("subvolume", "`home`: it is gone", "rm -r /home/ada; btrfs -q subvolume delete /home/.subvault/*/"),
    ];
    for (page, part, damage) in local {
        trials.attempt(&Trial::new(page, part, damage, Trees(HOME)));
    }
    let brought = r#"SNAPSHOTS=(/home/.subvault/home.*Z/); diff -r /root/restored/project "${SNAPSHOTS[-1]}ada/project" && echo the same"#;
    trials.attempt(&Trial::new(
        "directory",
        "Beside what is there",
        "echo x > /home/ada/project/a",
        Says(brought, ["the same", ""]),
    ));
    for part in [
        "No snapshot of this machine has it: out of `ovh`",
        "No snapshot of this machine has it: out of `s3`",
        "No snapshot of this machine has it: out of `glacier`",
    ] {
        trials.attempt(&Trial::new("file", part, FILE_GONE, Trees(HOME)));
        trials.attempt(&Trial::new("directory", part, DIRECTORY_GONE, Trees(HOME)));
    }
    let broken = "echo broken > /etc/issue; rm /etc/hosts; mkdir /etc/junk";
    for part in [
        "It still starts",
        "It does not start: from a rescue system",
        "It does not start, and the rescue system has no",
    ] {
        trials.attempt(&Trial::new("rollback", part, broken, Trees(&["root", "home"])));
    }
}

fn targets(trials: &mut Trials) {
    for (page, part, kind) in [
        ("cloud-s3", "On this machine", "here"),
        ("cloud-s3", "On another machine", "other"),
        ("cloud-glacier", "On this machine", "here"),
        ("cloud-glacier", "On another machine", "other"),
        ("host-ovh", "On this machine", "here"),
        ("host-ovh", "By hand", "other"),
    ] {
        trials.attempt(&Trial::new(page, part, LOST, Elsewhere("home", kind, "/root/recovered/home")));
    }
}

/// What the provider's own tool does. What it was not asked for, or all where it is not here, is thawed by other means.
fn buckets(trials: &mut Trials, around: &Around) {
    let copied = [("cloud-glacier", "With stock tools"), ("cloud-s3", "With stock tools")];
    if trials.machine.has_aws_cli() {
        trials.attempt(&Trial::new("cloud-glacier", "First of all", "", Says("echo asked", ["asked", ""])));
        for (page, part) in copied {
            trials.attempt(&Trial::new(page, part, LOST, Elsewhere("home", "other", "/root/recovered/home")));
        }
    } else {
        trials.leave_out("cloud-glacier", "First of all", AWS_CLI);
        copied.iter().for_each(|(page, part)| trials.leave_out(page, part, AWS_CLI));
    }
    around.thaw();
}

/// The disk dies; each time everything comes from another place.
fn bare_metal(trials: &mut Trials, around: &Around) {
    for source in [
        "Then: what was saved, out of `ovh`",
        "Or: what was saved, out of `s3`",
        "Or: what was saved, out of `glacier`",
    ] {
        // The host that came back archived anew.
        around.thaw();
        let parts =
            ["First: the disk", source, "Then: what was not saved", "Last: what it boots from", "After the first boot"];
        let trial = Trial::several("bare-metal", &parts, &["vda"], Trees(&["root", "home"]));
        trials.attempt(&Trial { before: STARTED, ..trial });
    }
}

#[test]
fn every_command_for_a_server_works_as_it_stands() {
    let (machine, around, known) = machine();
    let runbook = known.runbook();
    let mut trials = Trials::new(machine, &runbook, TREES);
    trials.without(DATABASES);
    buckets(&mut trials, &around);
    files(&mut trials);
    targets(&mut trials);
    bare_metal(&mut trials, &around);
    trials.tell("a server with buckets and another host", NOT_RUN);
}
