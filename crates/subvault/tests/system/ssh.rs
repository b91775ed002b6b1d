//! Copies over SSH: a real `sshd` in a network name space of its own, with loss and with a cut in the middle; and what a
//! key with a forced command can do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use subvault_testkit::pool::LoopPool;

use crate::oracle::{assert_same, describe};
use crate::replicate::take_snapshot;
use crate::world::{PROGRAM, Ran, World, finish, names, proved, text, tool, wait_for};

/// Two name spaces with a wire between them; `sshd` listens in the second one.
pub(crate) struct Net {
    here: String,
    there: String,
    sshd: Option<Child>,
}

impl Net {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = format!("{}x{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let net = Self { here: format!("sva{number}"), there: format!("svb{number}"), sshd: None };
        for name in [&net.here, &net.there] {
            tool(&["ip", "netns", "add", name]);
        }
        tool(&[
            "ip", "-n", &net.here, "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", &net.there,
        ]);
        for (name, address) in [(&net.here, "10.77.0.1/24"), (&net.there, "10.77.0.2/24")] {
            tool(&["ip", "-n", name, "address", "add", address, "dev", "wire"]);
            tool(&["ip", "-n", name, "link", "set", "wire", "up"]);
            tool(&["ip", "-n", name, "link", "set", "lo", "up"]);
        }
        net
    }

    /// The wire, down or up.
    pub(crate) fn wire(&self, word: &str) {
        tool(&["ip", "-n", &self.here, "link", "set", "wire", word]);
    }

    /// Loses none any more.
    pub(crate) fn lose_none(&self) {
        for name in [&self.here, &self.there] {
            tool(&["ip", "netns", "exec", name, "nft", "delete table inet loss"]);
        }
    }

    /// Loses so many packets of a hundred, in both directions.
    pub(crate) fn lose(&self, percent: u32) {
        let rules = format!(
            "add table inet loss; add chain inet loss input {{ type filter hook input priority 0 ; }}; \
            add rule inet loss input numgen random mod 100 < {percent} drop"
        );
        for name in [&self.here, &self.there] {
            tool(&["ip", "netns", "exec", name, "nft", &rules]);
        }
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        if let Some(mut sshd) = self.sshd.take() {
            let _ = sshd.kill();
            let _ = sshd.wait();
        }
        for name in [&self.here, &self.there] {
            // What is left of connections there ends with their server.
            let pids = Command::new("ip").args(["netns", "pids", name]).output().unwrap();
            for pid in String::from_utf8_lossy(&pids.stdout).split_whitespace() {
                let _ = Command::new("kill").args(["-9", pid]).status();
            }
            let _ = Command::new("ip").args(["netns", "delete", name]).status();
        }
    }
}

/// A world whose `home` is copied to another machine.
pub(crate) struct Remote {
    pub(crate) net: Net,
    pub(crate) world: World,
    pub(crate) nas: LoopPool,
}

impl Remote {
    /// With these arguments of the forced command.
    pub(crate) fn new(arguments: &str) -> Self {
        let world = World::new(1024);
        let nas = LoopPool::new(1 << 30, &[], &[]).unwrap();
        fs::create_dir(nas.path().join("backup")).unwrap();
        let mut remote = Self { net: Net::new(), world, nas };
        remote.keys(arguments);
        remote.start_sshd();
        let ssh = format!(
            "ssh = {{ host = \"root@10.77.0.2\", port = 2222, identity_file = {:?}, known_hosts = {:?}, stall_seconds = 8 }}",
            remote.file("key"),
            remote.file("known_hosts")
        );
        remote.configure(&format!("{ssh}\nkeep = {{ newest = 9, daily = 0, monthly = 0, yearly = 0 }}\n"));
        remote
    }

    fn configure(&self, lines: &str) {
        let directory = self.nas.path().join("backup");
        self.world
            .configure(&format!("[[target]]\nname = \"nas\"\n[target.btrfs]\ndirectory = {directory:?}\n{lines}"));
    }

    fn file(&self, name: &str) -> PathBuf {
        self.world.dir.path().join(name)
    }

    fn keys(&self, arguments: &str) {
        for name in ["key", "host_key"] {
            tool(&["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", text(&self.file(name))]);
        }
        let host = fs::read_to_string(self.file("host_key.pub")).unwrap();
        fs::write(self.file("known_hosts"), format!("[10.77.0.2]:2222 {host}")).unwrap();
        let (directory, key) = (self.nas.path().join("backup"), fs::read_to_string(self.file("key.pub")).unwrap());
        let forced = format!("{PROGRAM} ssh-serve --stall 8 --directory {} {arguments}", directory.display());
        fs::write(self.file("authorized_keys"), format!("restrict,command=\"{forced}\" {key}")).unwrap();
    }

    fn start_sshd(&mut self) {
        fs::create_dir_all("/run/sshd").unwrap();
        let lines = [
            "Port 2222".to_owned(),
            format!("HostKey {}", self.file("host_key").display()),
            format!("AuthorizedKeysFile {}", self.file("authorized_keys").display()),
            format!("PidFile {}", self.file("sshd.pid").display()),
            "StrictModes no".to_owned(),
            "UsePAM no".to_owned(),
            "PermitRootLogin yes".to_owned(),
        ];
        fs::write(self.file("sshd_config"), lines.join("\n")).unwrap();
        let config = self.file("sshd_config");
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.net.there, "/usr/sbin/sshd", "-D", "-e", "-f", text(&config)]);
        let log = fs::File::create(self.file("sshd.log")).unwrap();
        self.net.sshd = Some(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap());
        let log = self.file("sshd.log");
        wait_for("sshd", || fs::read_to_string(&log).is_ok_and(|said| said.contains("listening")));
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.net.here, "timeout", "-k", "5", "200", PROGRAM]).args(args);
        command.env("SUBVAULT_CONFIG", self.world.config()).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        finish(&mut self.command(args))
    }

    /// Runs another program on this side of the wire.
    pub(crate) fn run_tool(&self, args: &[&str]) -> String {
        tool(&[&["ip", "netns", "exec", &self.net.here], args].concat())
    }

    /// What comes from there comes slowly.
    pub(crate) fn slow(&self) {
        let slow = "qdisc add dev wire root tbf rate 8mbit burst 32k latency 400ms";
        tool(&[&["tc", "-n", &self.net.there][..], &slow.split(' ').collect::<Vec<_>>()].concat());
    }

    /// And quickly again.
    pub(crate) fn quick(&self) {
        tool(&["tc", "-n", &self.net.there, "qdisc", "del", "dev", "wire", "root"]);
    }

    pub(crate) fn replicate(&self) -> Ran {
        self.run(&["replicate"])
    }

    pub(crate) fn copies(&self) -> PathBuf {
        self.nas.path().join("backup/laptop/home")
    }

    fn is_copied(&self, snapshot: &Path) {
        let copy = self.copies().join(snapshot.file_name().unwrap());
        assert_same((snapshot, &describe(snapshot)), &copy, "over SSH");
    }
}

#[test]
fn copies_over_ssh_survive_loss_and_a_cut_in_the_middle() {
    let remote = Remote::new("--host laptop");
    remote.world.write("file", 3 << 20);
    let first = take_snapshot(&remote.world);
    remote.net.lose(5);
    remote.replicate().expect(0).says(&["full"]);
    remote.is_copied(&first);
    remote.net.lose_none();
    // Slow enough that the wire can be cut in the middle.
    let config = fs::read_to_string(remote.world.config()).unwrap();
    fs::write(
        remote.world.config(),
        config.replace("keep = { newest = 9", "bandwidth = \"2 MiB/s\"\nkeep = { newest = 9"),
    )
    .unwrap();
    remote.world.write("large", 40 << 20);
    let second = take_snapshot(&remote.world);
    let incoming = remote.copies().join(format!(".incoming.{}", second.file_name().unwrap().to_str().unwrap()));
    let mut command = remote.command(&["replicate"]);
    let run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for("the copy", || incoming.exists());
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert!(incoming.exists());
    remote.net.wire("down");
    let output = run.wait_with_output().unwrap();
    let said = |bytes| String::from_utf8(bytes).unwrap();
    let cut = Ran { code: output.status.code(), out: said(output.stdout), err: said(output.stderr) };
    cut.expect(3).says(&["no connection to root@10.77.0.2"]);
    // The other side notices by itself, and removes what it has of it.
    wait_for("the other side to notice", || !incoming.exists());
    assert_eq!(names(&remote.copies()).len(), 1);
    remote.net.wire("up");
    fs::write(remote.world.config(), config).unwrap();
    remote.replicate().expect(0).says(&["incremental"]);
    remote.is_copied(&first);
    remote.is_copied(&second);
    proved(
        "copies over SSH with 5 % loss, and with a cut in the middle: both sides notice, nothing is left, a rerun completes",
    );
}

#[test]
fn a_key_can_do_what_its_forced_command_does_and_no_more() {
    let remote = Remote::new("--host laptop --append-only");
    remote.world.write("file", 100_000);
    for _ in 0..2 {
        take_snapshot(&remote.world);
        remote.replicate().expect(0);
    }
    let config = fs::read_to_string(remote.world.config()).unwrap();
    fs::write(remote.world.config(), config.replace("newest = 9", "newest = 1")).unwrap();
    take_snapshot(&remote.world);
    remote.replicate().expect(2).says(&["copies can only be added"]);
    assert_eq!(names(&remote.copies()).len(), 3, "all are still there");
    // What the other side is asked to run is not looked at; a shell is not to be had.
    let ssh = |words: &[&str]| {
        let (key, hosts) = (remote.file("key"), format!("UserKnownHostsFile={}", remote.file("known_hosts").display()));
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &remote.net.here, "ssh", "-o", "BatchMode=yes", "-o", &hosts, "-i", text(&key)]);
        finish(command.args(["-p", "2222", "root@10.77.0.2"]).args(words).stdin(Stdio::null()))
    };
    let file = remote.file("made");
    ssh(&["touch", text(&file)]);
    assert!(!file.exists());
    // As another host.
    fs::write(remote.world.config(), config.replace("\"laptop\"", "\"desktop\"")).unwrap();
    take_snapshot(&remote.world);
    remote.replicate().expect(3).says(&["this key is for copies of the host laptop"]);
    assert!(!remote.nas.path().join("backup/desktop").exists());
    // A host whose key is another one than is known.
    fs::write(remote.world.config(), &config).unwrap();
    let other = fs::read_to_string(remote.file("key.pub")).unwrap();
    fs::write(remote.file("known_hosts"), format!("[10.77.0.2]:2222 {other}")).unwrap();
    remote.replicate().expect(3).says(&["no connection to", "Host key verification failed"]);
    proved(
        "a forced command: nothing but copies of its host, none deleted with --append-only, and no unknown host is talked to",
    );
}
