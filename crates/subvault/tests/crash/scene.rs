//! A world in which the program is killed again and again, and what must be so after each time.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use subvault_testkit::s3_fake::{Fake, FakeOptions, Op};

use crate::oracle::{assert_same, describe};
use crate::world::{PROGRAM, Ran, World, contents, names, noise, text, tool};

/// Parts in flight: the default of the configuration.
const LANES: usize = 4;
/// Snapshots that stay after a run, as configured here.
const KEEP: u32 = 2;
/// Large enough for several chunks of several parts.
pub(crate) const LARGE: usize = 26 << 20;

/// Numbers that a seed decides (SplitMix64), so that a failure can be had again.
pub(crate) struct Numbers(Cell<u64>);

impl Numbers {
    /// From `SUBVAULT_CRASH_SEED`, or from the clock; the seed is told.
    pub(crate) fn new(what: &str) -> Self {
        let given = std::env::var("SUBVAULT_CRASH_SEED").ok().and_then(|text| text.parse().ok());
        let clock = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
        let seed = given.unwrap_or_else(clock);
        // Past the harness, which shows what a test prints only when it fails.
        let _ = writeln!(std::io::stderr(), "{what}: SUBVAULT_CRASH_SEED={seed}");
        Self(Cell::new(seed))
    }

    pub(crate) fn below(&self, limit: u64) -> u64 {
        self.0.set(self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        let mut z = self.0.get();
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit.max(1)
    }
}

/// When the program dies.
#[derive(Debug, Clone)]
pub(crate) enum Death {
    /// Where it passes a named point: `name` or `name:3`.
    At(String),
    /// After so long.
    After(Duration),
}

/// A world, and where it archives to.
pub(crate) struct Scene {
    pub(crate) world: World,
    fake: Option<Fake>,
    changes: Cell<u64>,
    /// Sizes of all chunks by key, as manifests that were once seen have them.
    seen: RefCell<BTreeMap<String, String>>,
}

impl Scene {
    /// Archives to a directory, or to a bucket.
    pub(crate) fn new(bucket: bool) -> Self {
        let world = World::new(2048);
        let fake = bucket.then(|| Fake::start(FakeOptions::default()));
        let lines = world.encrypted("chunk_size = \"20 MiB\"\nkeep_generations = 1\n");
        let target = match &fake {
            None => world.directory_target("disk", &lines),
            Some(fake) => world.s3_target("cloud", fake, &lines, ""),
        };
        world.configure_keeping(KEEP, "", &target);
        Self { world, fake, changes: Cell::new(0), seen: RefCell::default() }
    }

    /// Changes the subvolume, by about so much.
    pub(crate) fn change(&self, bytes: usize) {
        let number = self.changes.replace(self.changes.get() + 1);
        let home = self.world.home();
        fs::write(home.join("data"), noise(bytes, number)).unwrap();
        fs::create_dir(home.join(format!("d{number}"))).unwrap();
        fs::write(home.join(format!("d{number}/small")), number.to_string()).unwrap();
        if number > 3 {
            fs::rename(home.join(format!("d{}", number - 2)), home.join(format!("old{number}"))).unwrap();
            let _ = fs::remove_dir_all(home.join(format!("old{}", number - 2)));
        }
    }

    /// Runs the program until it dies; whether it did, instead of coming to its end.
    pub(crate) fn kill(&self, args: &[&str], death: &Death) -> bool {
        let mut command = Command::new(PROGRAM);
        command.args(args).env("SUBVAULT_CONFIG", self.world.config()).env_remove("SUBVAULT_CRASH_AT");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Death::At(point) = death {
            command.env("SUBVAULT_CRASH_AT", point);
        }
        let mut child = command.spawn().unwrap();
        if let Death::After(delay) = death {
            thread::sleep(*delay);
            child.kill().unwrap();
        }
        child.wait().unwrap().signal().is_some()
    }

    /// How long a run takes that is left alone, having ended well.
    #[track_caller]
    pub(crate) fn measure(&self, args: &[&str]) -> Duration {
        let begin = Instant::now();
        self.world.run(args).expect(0);
        begin.elapsed()
    }

    /// All objects of the store by key.
    fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        match &self.fake {
            None => {
                let all = contents(&self.world.store()).into_iter();
                all.filter(|(key, _)| !key.starts_with(".subvault-tmp/")).collect()
            }
            Some(fake) => {
                fake.keys().into_iter().map(|key| (key.clone(), fake.object(&key).unwrap().to_vec())).collect()
            }
        }
    }

    /// No stream is visible that is not all there: for each manifest, each chunk is there at its size, and, where
    /// `deep`, with its hash as `sha256sum` finds it. A manifest that was seen never changes.
    pub(crate) fn what_is_visible_is_whole(&self, deep: bool) {
        whole(&self.objects(), &mut self.seen.borrow_mut(), deep);
    }

    /// Requests that stored parts so far.
    pub(crate) fn parts_sent(&self) -> usize {
        self.fake.as_ref().map_or(0, |fake| fake.requests(Op::PutPart))
    }

    /// Between `before` and now, one stream was stored by two runs: no more than a part per lane was sent twice.
    pub(crate) fn little_was_sent_twice(&self, before: usize, death: &Death) {
        if self.fake.is_none() {
            return;
        }
        let newest = self.objects().into_iter().filter(|(key, _)| key.ends_with("/manifest.json")).max();
        let manifest = document(&newest.unwrap().1);
        let parts: usize =
            manifest["chunks"].as_array().unwrap().iter().map(|c| c["units"].as_array().unwrap().len()).sum();
        let sent = self.parts_sent() - before;
        assert!(sent <= parts + LANES, "{death:?}: {sent} parts were sent for a stream of {parts}");
    }

    /// Collects garbage and finds none afterwards: no upload, no temporary file, no journal, no object that no
    /// manifest names, no half-restored subvolume, no more snapshots than are kept or needed.
    pub(crate) fn nothing_is_left_after_gc(&self) {
        self.world.run(&["gc"]).expect(0);
        let objects = self.objects();
        for key in objects.keys().filter(|key| key.contains("/chunk-")) {
            let manifest = format!("{}/manifest.json", key.rsplit_once('/').unwrap().0);
            assert!(objects.contains_key(&manifest), "no manifest names {key}");
        }
        match &self.fake {
            Some(fake) => assert_eq!(fake.pending_uploads(), 0),
            None => {
                let private = self.world.store().join(".subvault-tmp");
                let left = if private.exists() { names(&private) } else { Vec::new() };
                assert!(left.iter().all(|name| name == "lock"), "{left:?}");
            }
        }
        let journals = self.world.state().join("journal");
        let left = if journals.exists() { contents(&journals) } else { Vec::new() };
        assert!(left.is_empty(), "journals are left: {:?}", left.iter().map(|(name, _)| name).collect::<Vec<_>>());
        let snapshots = self.world.snapshot_names();
        assert!(snapshots.len() <= KEEP as usize + 1, "{snapshots:?}");
    }

    /// The newest snapshot comes back as it is.
    pub(crate) fn comes_back(&self) {
        let to = self.world.pool.path().join("check");
        fs::create_dir(&to).unwrap();
        self.world.restore_to(&to, &[]).expect(0);
        self.is_restored(&to);
        fs::remove_dir(&to).unwrap();
    }

    /// What was restored to a directory is the newest snapshot; it is removed again.
    pub(crate) fn is_restored(&self, to: &Path) {
        let name = self.newest();
        let snapshot = self.world.snapshots().join(&name);
        let described = describe(&snapshot);
        assert_eq!(names(to), ["home", name.as_str()], "nothing else is left there");
        for copy in [to.join(&name), to.join("home")] {
            assert_same((&snapshot, &described), &copy, "restored");
            tool(&["btrfs", "-q", "subvolume", "delete", text(&copy)]);
        }
    }

    /// The newest snapshot: a `.10` is newer than a `.9`.
    fn newest(&self) -> String {
        let again = |name: &String| name.rsplit_once("Z.").map_or(1, |(_, n)| n.parse::<u32>().unwrap());
        let second = |name: &String| name.split_once('Z').unwrap().0.to_owned();
        self.world.snapshot_names().into_iter().max_by_key(|name| (second(name), again(name))).unwrap()
    }

    /// Restores into a directory after a kill: it is done, or was done before the kill.
    pub(crate) fn restore_again(&self, to: &Path) {
        let ran: Ran = self.world.restore_to(to, &[]);
        if ran.code != Some(0) {
            ran.expect(3).says(&["exists already"]);
        }
        self.is_restored(to);
    }
}

/// The JSON of a document: all but its last line.
fn document(bytes: &[u8]) -> Value {
    let end = bytes[..bytes.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap();
    serde_json::from_slice(&bytes[..end]).unwrap()
}

/// Checks the manifests among some objects, and remembers them.
pub(crate) fn whole(objects: &BTreeMap<String, Vec<u8>>, seen: &mut BTreeMap<String, String>, deep: bool) {
    for (key, body) in objects.iter().filter(|(key, _)| key.ends_with("/manifest.json")) {
        let manifest = document(body);
        let same = seen.entry(key.clone()).or_insert_with(|| manifest.to_string());
        assert_eq!(*same, manifest.to_string(), "{key} has changed");
        for chunk in manifest["chunks"].as_array().unwrap() {
            let name = key.replace("manifest.json", chunk["file"].as_str().unwrap());
            let bytes = objects.get(&name).unwrap_or_else(|| panic!("{name} is missing"));
            assert_eq!(bytes.len() as u64, chunk["bytes"].as_u64().unwrap(), "{name}");
            if deep {
                assert_eq!(sha256(bytes), chunk["sha256"].as_str().unwrap(), "{name}");
            }
        }
    }
}

fn sha256(bytes: &[u8]) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), bytes).unwrap();
    tool(&["sha256sum", text(file.path())])[..64].to_owned()
}

/// All files below a directory, as objects.
pub(crate) fn objects_in(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    contents(directory).into_iter().filter(|(key, _)| !key.starts_with(".subvault-tmp/")).collect()
}

/// A directory of the scene's pool for restores.
pub(crate) fn place(scene: &Scene) -> PathBuf {
    scene.world.back()
}
