//! A world in which the program is killed again and again, and what must be so after each time.

use std::cell::{Cell, RefCell};
use std::fs;
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use subvault_testkit::s3_fake::{Fake, FakeOptions, Op};

use crate::oracle::{assert_same, describe};
use crate::store::{Objects, Seen, all_named, newest, no_journals, nothing_temporary, objects_in};
use crate::world::{PROGRAM, Ran, World, names, noise, text, tool};

/// Parts in flight to a bucket: fewer than a large stream has parts, or nothing could be told from what is sent twice.
const LANES: usize = 2;
/// Snapshots that stay after a run, as configured here.
pub(crate) const KEEP: u32 = 2;
/// What the targets are set up with: small chunks, and what is superseded may go at once.
pub(crate) const LINES: &str = "chunk_size = \"20 MiB\"\nkeep_generations = 1\n";
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

    /// Once in so many times.
    pub(crate) fn one_in(&self, times: u64) -> bool {
        self.below(times) == 0
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

/// Random moments within a run whose length is learned on the way.
pub(crate) struct Moments {
    pub(crate) numbers: Numbers,
    micros: u64,
    /// Kills that came in time.
    pub(crate) hit: usize,
    pub(crate) tried: usize,
    wanted: usize,
}

impl Moments {
    /// So many moments at which the program was alive.
    pub(crate) fn new(what: &str, wanted: usize, whole: Duration) -> Self {
        let micros = u64::try_from(whole.as_micros()).unwrap();
        Self { numbers: Numbers::new(what), micros, hit: 0, tried: 0, wanted }
    }

    /// The next one, until there were enough.
    pub(crate) fn next(&mut self) -> Option<Death> {
        assert!(self.tried <= 5 * self.wanted, "only {} of {} kills came in time", self.hit, self.tried);
        (self.hit < self.wanted).then(|| self.any())
    }

    pub(crate) fn any(&self) -> Death {
        Death::After(self.delay())
    }

    pub(crate) fn delay(&self) -> Duration {
        Duration::from_micros(self.numbers.below(self.micros))
    }

    /// Takes note of whether the program was alive.
    pub(crate) fn was(&mut self, killed: bool) {
        self.tried += 1;
        self.hit += usize::from(killed);
        self.micros = if killed { self.micros * 51 / 50 } else { self.micros * 19 / 20 }.max(1000);
    }
}

/// Runs the program until it dies; whether it did, instead of coming to its end. `meanwhile` happens before a kill.
pub(crate) fn kill_with(config: &Path, args: &[&str], death: &Death, meanwhile: impl FnOnce()) -> bool {
    let mut command = Command::new(PROGRAM);
    command.args(args).env("SUBVAULT_CONFIG", config).env_remove("SUBVAULT_CRASH_AT");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Death::At(point) = death {
        command.env("SUBVAULT_CRASH_AT", point);
    }
    let mut child = command.spawn().unwrap();
    if let Death::After(delay) = death {
        thread::sleep(*delay);
        meanwhile();
        child.kill().unwrap();
    }
    child.wait().unwrap().signal().is_some()
}

/// Changes a subvolume for the so-manieth time, by about so much.
pub(crate) fn change(home: &Path, number: u64, bytes: usize) {
    fs::write(home.join("data"), noise(bytes, number)).unwrap();
    fs::create_dir(home.join(format!("d{number}"))).unwrap();
    fs::write(home.join(format!("d{number}/small")), number.to_string()).unwrap();
    // After a power cut the change before may be missing.
    let before = home.join(format!("d{}", number.saturating_sub(2)));
    if number > 3 && before.exists() {
        fs::rename(before, home.join(format!("old{number}"))).unwrap();
        let _ = fs::remove_dir_all(home.join(format!("old{}", number - 2)));
    }
}

/// What was restored to a directory is this snapshot, and nothing else is there; it is removed again.
pub(crate) fn is_restored(snapshot: &Path, to: &Path) {
    let name = snapshot.file_name().unwrap().to_str().unwrap();
    let described = describe(snapshot);
    assert_eq!(names(to), ["home", name], "nothing else is left there");
    for copy in [to.join(name), to.join("home")] {
        assert_same((snapshot, &described), &copy, "restored");
        tool(&["btrfs", "-q", "subvolume", "delete", text(&copy)]);
    }
}

/// Nothing wrong is found by the program itself. What the next archive run mends of its own accord is nothing wrong.
pub(crate) fn is_verified(ran: &Ran) {
    let answer = ran.json();
    // Where nothing was published yet, nothing could be checked.
    let is_empty = answer.as_array().unwrap().iter().all(|of| of["report"]["streams"] == 0);
    assert!(matches!(ran.code, Some(0 | 5)) || (is_empty && ran.code == Some(3)), "{}{}", ran.out, ran.err);
    for finding in answer.as_array().unwrap().iter().flat_map(|of| of["report"]["findings"].as_array().unwrap()) {
        let mended = finding["object"].as_str().is_some_and(|key| key.ends_with("/current.json"));
        assert!(mended, "{finding}");
    }
}

/// Removes the snapshots that kept the state before something was changed: all but those of 2026-11-01.
pub(crate) fn forget_kept(scene: &Scene) {
    for name in scene.world.snapshot_names().iter().filter(|name| !name.contains("20261101")) {
        let path = scene.world.snapshots().join(name);
        if path.is_dir() {
            tool(&["btrfs", "-q", "subvolume", "delete", text(&path)]);
        } else {
            fs::remove_file(path).unwrap();
        }
    }
}

/// Parts, counted before a kill.
#[derive(Clone, Copy)]
pub(crate) struct Parts {
    sent: usize,
    published: usize,
}

/// A world, and where it archives to.
pub(crate) struct Scene {
    pub(crate) world: World,
    fake: Option<Fake>,
    changes: Cell<u64>,
    seen: RefCell<Seen>,
}

impl Scene {
    /// Archives to a directory, or to a bucket.
    pub(crate) fn new(bucket: bool) -> Self {
        let world = World::new(2048);
        let mut scene = Self { world, fake: None, changes: Cell::new(0), seen: RefCell::default() };
        if bucket {
            scene.new_bucket();
        } else {
            let target = scene.world.directory_target("disk", &scene.world.encrypted(LINES));
            scene.world.configure_keeping(KEEP, "", &target);
        }
        scene
    }

    /// Archives to another bucket, of which nothing is known yet.
    pub(crate) fn new_bucket(&mut self) -> &Fake {
        let fake = Fake::start(FakeOptions::default());
        let target =
            self.world.s3_target("cloud", &fake, &self.world.encrypted(&format!("{LINES}lanes = {LANES}\n")), "");
        self.world.configure_keeping(KEEP, "", &target);
        let _ = fs::remove_dir_all(self.world.state());
        self.seen = RefCell::default();
        self.fake.insert(fake)
    }

    /// Changes the subvolume, by about so much.
    pub(crate) fn change(&self, bytes: usize) {
        let number = self.changes.replace(self.changes.get() + 1);
        change(&self.world.home(), number, bytes);
    }

    /// Runs the program until it dies; whether it did, instead of coming to its end.
    pub(crate) fn kill(&self, args: &[&str], death: &Death) -> bool {
        kill_with(&self.world.config(), args, death, || {})
    }

    /// How long a run takes that is left alone, having ended well.
    #[track_caller]
    pub(crate) fn measure(&self, args: &[&str]) -> Duration {
        let begin = Instant::now();
        self.world.run(args).expect(0);
        begin.elapsed()
    }

    fn objects(&self) -> Objects {
        match &self.fake {
            None => objects_in(&self.world.store()),
            Some(fake) => {
                fake.keys().into_iter().map(|key| (key.clone(), fake.object(&key).unwrap().to_vec())).collect()
            }
        }
    }

    /// No stream is visible that is not all there, as other programs see it and as the program itself does.
    pub(crate) fn what_is_visible_is_whole(&self, deep: bool) {
        self.what_others_see_is_whole(deep);
        is_verified(&self.world.run(&["verify", "--all", "--json"]));
    }

    /// The same, as other programs see it alone.
    pub(crate) fn what_others_see_is_whole(&self, deep: bool) {
        self.seen.borrow_mut().whole(&self.objects(), deep);
    }

    /// Parts that were sent and published so far.
    pub(crate) fn parts(&self) -> Parts {
        let sent = self.fake.as_ref().map_or(0, |fake| fake.requests(Op::PutPart));
        Parts { sent, published: self.seen.borrow().parts() }
    }

    /// Since `before` no more than a part per lane was sent twice for each kill; how many were, and whether sending all
    /// again would have been more.
    pub(crate) fn little_was_sent_twice(
        &self,
        before: Parts,
        kills: usize,
        what: &dyn std::fmt::Debug,
    ) -> (usize, bool) {
        let now = self.parts();
        let (sent, published) = (now.sent - before.sent, now.published - before.published);
        let most = published + kills * LANES;
        assert!(sent <= most, "{what:?}: {sent} parts were sent for {published}, in {kills} kills");
        (sent.saturating_sub(published), self.fake.is_some() && kills > 0 && published > kills * LANES)
    }

    /// Collects garbage and finds none afterwards: no upload, no temporary file, no journal, no object that no
    /// manifest names, no half-restored subvolume, no more snapshots than are kept or needed.
    pub(crate) fn nothing_is_left_after_gc(&self) {
        self.world.run(&["gc"]).expect(0);
        all_named(&self.objects());
        match &self.fake {
            Some(fake) => assert_eq!(fake.pending_uploads(), 0),
            None => nothing_temporary(&self.world.store()),
        }
        no_journals(&self.world.state());
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
        is_restored(&self.world.snapshots().join(newest(self.world.snapshot_names())), to);
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
