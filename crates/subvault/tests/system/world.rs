//! A world for one test: a pool with a subvolume, a directory as store, keys, a configuration, and the program itself.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use subvault_testkit::pool::LoopPool;
use subvault_testkit::s3_fake::Fake;
use tempfile::TempDir;

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_subvault");
/// Longer than any command here takes; one that hangs fails its test instead of hanging it.
const PATIENCE: &str = "240";

/// How a command ended.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// The same, having ended with this exit code.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// The same, having said these words on standard error or standard output.
    #[track_caller]
    pub(crate) fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(
                self.out.contains(word) || self.err.contains(word),
                "`{word}` is missing in\nstdout:\n{}\nstderr:\n{}",
                self.out,
                self.err
            );
        }
        self
    }

    /// What was printed, as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {}\n{}", self.out, self.err))
    }
}

/// Runs the program with these arguments.
pub(crate) fn subvault(config: &Path, args: &[&str]) -> Ran {
    let mut command = Command::new("timeout");
    command.args(["-k", "5", PATIENCE, PROGRAM]);
    finish(prepare(&mut command, config).args(args))
}

/// The same, with more in its environment, and without somebody in between who changes how it ends.
pub(crate) fn subvault_with(config: &Path, args: &[&str], environment: &[(&str, &str)]) -> Ran {
    let mut command = Command::new(PROGRAM);
    finish(prepare(&mut command, config).args(args).envs(environment.iter().copied()))
}

fn prepare<'a>(command: &'a mut Command, config: &Path) -> &'a mut Command {
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_PROFILE", "SUBVAULT_CRASH_AT"] {
        command.env_remove(name);
    }
    command.env("SUBVAULT_CONFIG", config).env("TZ", "UTC").stdin(Stdio::null())
}

/// Runs a command to its end.
pub(crate) fn finish(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    Ran {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs a tool that must succeed.
pub(crate) fn tool(args: &[&str]) -> String {
    finish(Command::new(args[0]).args(&args[1..]).stdin(Stdio::null())).expect(0).out
}

/// A run in the background, killed when dropped.
pub(crate) struct Background(Child);

impl Background {
    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Ends it as by `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A subvolume on a pool, where it is archived to, and what that needs.
pub(crate) struct World {
    pub(crate) pool: LoopPool,
    pub(crate) dir: TempDir,
    /// An age recipient; its identity is in `key()`.
    pub(crate) recipient: String,
}

impl World {
    /// A pool of so many MiB with a subvolume `home`, and a directory `store` beside it.
    pub(crate) fn new(mib: u64) -> Self {
        let pool = LoopPool::new(mib << 20, &[], &["compress=zstd:1"]).unwrap();
        let dir = TempDir::with_prefix("subvault-system-").unwrap();
        fs::create_dir(dir.path().join("store")).unwrap();
        fs::create_dir(pool.path().join("snapshots")).unwrap();
        tool(&["btrfs", "-q", "subvolume", "create", text(&pool.path().join("home"))]);
        let recipient = new_key(&dir.path().join("key.txt"));
        Self { pool, dir, recipient }
    }

    /// The same, set up to archive `home` to the directory, in small chunks, encrypted.
    pub(crate) fn with_directory(mib: u64) -> Self {
        let world = Self::new(mib);
        world.configure(&world.directory_target("disk", &world.encrypted("chunk_size = \"5 MiB\"\n")));
        world
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.pool.path().join("home")
    }

    pub(crate) fn snapshots(&self) -> PathBuf {
        self.pool.path().join("snapshots")
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.dir.path().join("subvault.toml")
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.dir.path().join("key.txt")
    }

    /// Where restores go.
    pub(crate) fn back(&self) -> PathBuf {
        let path = self.pool.path().join("back");
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// Writes the configuration: this host, `home`, and these targets.
    pub(crate) fn configure(&self, targets: &str) {
        self.configure_keeping(3, "", targets);
    }

    /// The same with more to say.
    pub(crate) fn configure_keeping(&self, keep: u32, subvolumes: &str, targets: &str) {
        let state = self.state();
        let (home, snapshots) = (self.home(), self.snapshots());
        let text = format!(
            "[host]\nname = \"laptop\"\nstate = {state:?}\n\n[[subvolume]]\nname = \"home\"\npath = {home:?}\n\
            snapshots = {snapshots:?}\nkeep = {{ newest = {keep}, hourly = 0, daily = 0, weekly = 0, monthly = 0 }}\n{subvolumes}\n{targets}"
        );
        fs::write(self.config(), text).unwrap();
    }

    /// Lines of a target that encrypts.
    pub(crate) fn encrypted(&self, more: &str) -> String {
        format!("recipients = [\"{}\"]\n{more}", self.recipient)
    }

    /// A target in the world's directory.
    pub(crate) fn directory_target(&self, name: &str, lines: &str) -> String {
        format!("[[target]]\nname = \"{name}\"\ndirectory = {:?}\n{lines}\n", self.store())
    }

    /// A target at the fake S3 server, below a prefix of the target's name.
    pub(crate) fn s3_target(&self, name: &str, fake: &Fake, lines: &str, s3_lines: &str) -> String {
        let file = self.credentials(fake.access_key(), fake.secret_key());
        format!(
            "[[target]]\nname = \"{name}\"\n{lines}\n[target.s3]\nprovider = \"aws\"\nbucket = \"{}\"\n\
            region = \"us-east-1\"\nprefix = \"{name}\"\nendpoint = \"{}\"\npath_style = true\n\
            credentials_file = {file:?}\n{s3_lines}\n",
            fake.bucket(),
            fake.endpoint()
        )
    }

    /// Writes a credentials file.
    pub(crate) fn credentials(&self, access: &str, secret: &str) -> PathBuf {
        let path = self.dir.path().join("credentials");
        fs::write(&path, format!("aws_access_key_id = {access}\naws_secret_access_key = {secret}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        subvault(&self.config(), args)
    }

    /// Archives everything.
    #[track_caller]
    pub(crate) fn archive(&self) -> Ran {
        self.run(&["archive"]).expect(0)
    }

    /// The first target of the configuration.
    pub(crate) fn target(&self) -> String {
        let config = fs::read_to_string(self.config()).unwrap();
        let (_, targets) = config.split_once("[[target]]").unwrap();
        targets.split('"').nth(1).unwrap().to_owned()
    }

    /// Restores the newest `home` into the directory, out of the archive, and not out of what is nearer to hand.
    pub(crate) fn restore_to(&self, to: &Path, more: &[&str]) -> Ran {
        let (key, target) = (self.key(), self.target());
        let from = if more.contains(&"--target") { vec![] } else { vec!["--target", &target] };
        self.run(&[&["restore", "home", "--to", text(to), "-i", text(&key)], &from[..], more].concat())
    }

    /// Starts a run and waits until it is at work.
    pub(crate) fn start(&self, args: &[&str]) -> Background {
        let mut command = Command::new(PROGRAM);
        let quiet = prepare(&mut command, &self.config()).stdout(Stdio::null()).stderr(Stdio::null());
        Background(quiet.args(args).spawn().unwrap())
    }

    /// Puts a file of bytes that do not compress into the subvolume.
    pub(crate) fn write(&self, name: &str, len: usize) {
        fs::write(self.home().join(name), noise(len, name.len() as u64)).unwrap();
    }

    /// The snapshots on the pool, oldest first.
    pub(crate) fn snapshot_names(&self) -> Vec<String> {
        names(&self.snapshots())
    }
}

/// Makes an age key; its recipient.
pub(crate) fn new_key(path: &Path) -> String {
    tool(&["age-keygen", "-o", text(path)]);
    tool(&["age-keygen", "-y", text(path)]).trim().to_owned()
}

/// A path of ours as text: they are plain.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The names in a directory, in order.
pub(crate) fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Every file below a directory, with what it holds.
pub(crate) fn contents(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for name in names(dir) {
        let path = dir.join(&name);
        if path.is_dir() {
            found.extend(contents(&path).into_iter().map(|(below, bytes)| (format!("{name}/{below}"), bytes)));
        } else {
            found.push((name, fs::read(path).unwrap()));
        }
    }
    found
}

/// Waits until something is so; fails when that takes too long.
#[track_caller]
pub(crate) fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(60), "waited too long for {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Waits for the next second, since snapshots are told apart by seconds where a moment is asked for.
pub(crate) fn next_second() {
    thread::sleep(Duration::from_millis(1050));
}

/// Bytes that do not compress, others for another seed.
pub(crate) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = Vec::with_capacity(len + 8);
    while out.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend(state.to_le_bytes());
    }
    out.truncate(len);
    out
}

/// Tells what a test proved: past the harness, which hides what passing tests print.
pub(crate) fn proved(what: &str) {
    let _ = writeln!(std::io::stderr(), "PROVED: {what}");
}
