//! The presets for databases, with the real servers: what was committed before the snapshot is in it, whole.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::world::{World, finish, proved, subvault, text, tool, wait_for};

/// A world with a subvolume for a server of this user, inside of a hook.
struct Site {
    world: World,
    user: &'static str,
}

impl Site {
    fn new(user: &'static str, hook: &str) -> Self {
        let world = World::new(1024);
        // Servers do not run as root, and must get there.
        for dir in [world.pool.path().parent().unwrap(), world.dir.path()] {
            fs::set_permissions(dir, fs::Permissions::from_mode(0o711)).unwrap();
        }
        let run = world.dir.path().join("run");
        fs::create_dir(&run).unwrap();
        let data = world.pool.path().join("data");
        tool(&["btrfs", "-q", "subvolume", "create", text(&data)]);
        for dir in [&data, &run] {
            tool(&["chown", &format!("{user}:"), text(dir)]);
            fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).unwrap();
        }
        let (state, snapshots) = (world.state(), world.snapshots());
        let config = format!(
            "[host]\nname = \"laptop\"\nstate = {state:?}\n[[subvolume]]\nname = \"data\"\npath = {data:?}\n\
            snapshots = {snapshots:?}\nhooks = [\"server\"]\n[[hook]]\nname = \"server\"\n{hook}"
        );
        fs::write(world.config(), config.replace("RUN", text(&run))).unwrap();
        Self { world, user }
    }

    fn data(&self) -> PathBuf {
        self.world.pool.path().join("data")
    }

    fn run_dir(&self) -> PathBuf {
        self.world.dir.path().join("run")
    }

    fn as_user(&self, args: &[&str]) -> String {
        // The directory for temporary files of a test run is root's.
        tool(&[&["env", "-u", "TMPDIR", "runuser", "-u", self.user, "--"], args].concat())
    }

    /// Starts a server of this user in the background.
    fn start(&self, data: &Path, args: &[&str]) -> Server {
        let mut command = Command::new("runuser");
        command.env_remove("TMPDIR");
        command.args(["-u", self.user, "--"]).args(args);
        let log = fs::File::create(self.world.dir.path().join("server.log")).unwrap();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        Server { child, data: data.to_owned() }
    }

    /// Takes a snapshot and makes a writable copy of it.
    fn snapshot(&self) -> PathBuf {
        subvault(&self.world.config(), &["snapshot"]).expect(0);
        let name = self.world.snapshot_names().into_iter().rfind(|name| !name.ends_with(".json")).unwrap();
        let copy = self.world.pool.path().join("copy");
        tool(&["btrfs", "-q", "subvolume", "snapshot", text(&self.world.snapshots().join(name)), text(&copy)]);
        copy
    }
}

/// A server, ended when dropped, as a power cut ends it: with all processes that work in its directory.
struct Server {
    child: Child,
    data: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let works_there = fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(&self.data));
            if works_there {
                let _ = Command::new("kill").arg("-9").arg(entry.file_name()).status();
            }
        }
        thread::sleep(Duration::from_millis(200));
    }
}

fn works(args: &[&str]) -> bool {
    finish(Command::new(args[0]).args(&args[1..]).stdin(Stdio::null())).code == Some(0)
}

#[test]
fn postgresql_comes_back_with_all_that_was_committed() {
    let site =
        Site::new("postgres", "preset = \"postgresql\"\nenvironment = { PGHOST = \"RUN\", PGPORT = \"5599\" }\n");
    let versions = fs::read_dir("/usr/lib/postgresql").unwrap();
    let bin = versions.map(|entry| entry.unwrap().path().join("bin")).find(|bin| bin.join("initdb").exists()).unwrap();
    let (data, run) = (site.data(), site.run_dir());
    let program = |name: &str| text(&bin.join(name)).to_owned();
    site.as_user(&[&program("initdb"), "--pgdata", text(&data), "--auth=trust", "--no-sync"]);
    let serve = |data: &Path| {
        let (postgres, port) = (program("postgres"), "5599");
        let server =
            site.start(data, &[&postgres, "-D", text(data), "-p", port, "-k", text(&run), "-c", "listen_addresses="]);
        let psql = ["psql", "-h", text(&run), "-p", port, "-U", "postgres", "-c", "SELECT 1"];
        wait_for("PostgreSQL", || works(&psql));
        server
    };
    let ask = |sql: &str| {
        let psql = ["psql", "-h", text(&run), "-p", "5599", "-U", "postgres", "-d", "postgres", "-X", "-At", "-c", sql];
        tool(&psql).trim().to_owned()
    };
    let server = serve(&data);
    ask("CREATE TABLE t (n bigserial PRIMARY KEY, filler text)");
    let mut writer = Command::new("psql")
        .args(["-h", text(&run), "-p", "5599", "-U", "postgres", "-d", "postgres", "-X", "-q", "-c"])
        .arg("DO $$ BEGIN LOOP INSERT INTO t (filler) VALUES (repeat('x', 500)); COMMIT; END LOOP; END $$")
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    thread::sleep(Duration::from_secs(1));
    let asked = |ask: &dyn Fn(&str) -> String| ask("SELECT checkpoints_req FROM pg_stat_bgwriter");
    let (checkpoints, committed) = (asked(&ask), ask("SELECT count(*) FROM t").parse::<u64>().unwrap());
    let copy = site.snapshot();
    wait_for("the checkpoint to be counted", || asked(&ask) != checkpoints);
    drop(server);
    let _ = writer.kill();
    let _ = writer.wait();
    // What a server that was killed left behind, as after a power cut.
    fs::remove_file(copy.join("postmaster.pid")).unwrap();
    for left in [".s.PGSQL.5599", ".s.PGSQL.5599.lock"] {
        fs::remove_file(run.join(left)).unwrap();
    }
    let server = serve(&copy);
    let found = ask("SELECT count(*) FROM t").parse::<u64>().unwrap();
    assert!(committed > 0 && found >= committed, "{found} rows came back of {committed}");
    assert_eq!(ask("SELECT max(n) - min(n) + 1 - count(*) FROM t"), "0", "no row is missing in between");
    drop(server);
    proved(&format!("PostgreSQL: {found} rows came back of {committed} that were committed before the snapshot"));
}

#[test]
fn mariadb_comes_back_with_tables_that_were_closed() {
    let hook = "preset = \"mariadb\"\nuser = \"mysql\"\n\
        hold = [\"mariadb\", \"--socket=RUN/s\", \"--batch\", \"--unbuffered\", \"--skip-column-names\"]\n";
    let site = Site::new("mysql", hook);
    let (data, run) = (site.data(), site.run_dir());
    let (socket, pid) = (run.join("s"), run.join("pid"));
    site.as_user(&[
        "mariadb-install-db",
        "--no-defaults",
        &format!("--datadir={}", text(&data)),
        "--auth-root-authentication-method=socket",
    ]);
    let serve = |data: &Path| {
        let options = [
            format!("--datadir={}", text(data)),
            format!("--socket={}", text(&socket)),
            format!("--pid-file={}", text(&pid)),
        ];
        let options = options.each_ref().map(String::as_str);
        let server = site.start(
            data,
            &[&["mariadbd", "--no-defaults", "--skip-networking", "--skip-grant-tables"], &options[..]].concat(),
        );
        wait_for("MariaDB", || works(&["mariadb", "--socket", text(&socket), "-e", "SELECT 1"]));
        server
    };
    let ask = |sql: &str| tool(&["mariadb", "--socket", text(&socket), "-N", "-B", "-e", sql]).trim().to_owned();
    let server = serve(&data);
    ask("CREATE DATABASE d; CREATE TABLE d.old (n INT AUTO_INCREMENT PRIMARY KEY, f CHAR(200)) ENGINE=MyISAM; \
        CREATE TABLE d.new (n INT AUTO_INCREMENT PRIMARY KEY, f CHAR(200)) ENGINE=InnoDB");
    let mut writer = Command::new("sh")
        .args(["-c", &format!(
            "while :; do echo \"INSERT INTO d.old (f) VALUES ('x'); INSERT INTO d.new (f) VALUES ('y');\"; done | mariadb --socket {}",
            text(&socket)
        )])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    thread::sleep(Duration::from_secs(1));
    let count = |table: &str| ask(&format!("SELECT COUNT(*) FROM d.{table}")).parse::<u64>().unwrap();
    let committed = [count("old"), count("new")];
    let copy = site.snapshot();
    let before = count("new");
    wait_for("the writer to go on after the lock", || count("new") > before);
    drop(server);
    let _ = writer.kill();
    let _ = writer.wait();
    let server = serve(&copy);
    let checked = ask("CHECK TABLE d.old, d.new");
    assert!(checked.lines().all(|line| line.ends_with("\tOK")), "{checked}");
    let found = [count("old"), count("new")];
    assert!(committed[0] > 0 && found[0] >= committed[0] && found[1] >= committed[1], "{found:?} of {committed:?}");
    assert!(found[0].abs_diff(found[1]) <= 1, "both tables are of one moment: {found:?}");
    drop(server);
    proved(&format!(
        "MariaDB: both kinds of tables came back closed and of one moment, {found:?} rows of {committed:?}"
    ));
}

#[test]
fn redis_comes_back_with_all_that_was_set() {
    let site = Site::new("redis", "preset = \"redis\"\n");
    let (data, config) = (site.data(), site.world.config());
    // In a network of its own, so that the port that the preset expects is free.
    let script = format!(
        "set -e; ip link set lo up
        runuser -u redis -- redis-server --dir {data} --save '' --appendonly no --port 6379 --bind 127.0.0.1 >/dev/null &
        server=$!; trap 'kill $server; wait $server || true' EXIT
        until redis-cli ping >/dev/null 2>&1; do kill -0 $server; sleep 0.05; done
        for n in 1 2 3 4 5; do redis-cli -e set key$n value$n >/dev/null; done
        SUBVAULT_CONFIG={config} {program} snapshot --json",
        data = text(&data),
        config = text(&config),
        program = crate::world::PROGRAM
    );
    finish(Command::new("unshare").args(["--net", "sh", "-c", &script]).stdin(Stdio::null())).expect(0);
    let name = site.world.snapshot_names().into_iter().find(|name| !name.ends_with(".json")).unwrap();
    let saved = fs::read(site.world.snapshots().join(name).join("dump.rdb")).unwrap();
    for n in 1..=5 {
        let value = format!("value{n}");
        assert!(saved.windows(value.len()).any(|bytes| bytes == value.as_bytes()), "{value} is not in the snapshot");
    }
    proved("Redis: what was set before the snapshot is in the file that the snapshot holds");
}
