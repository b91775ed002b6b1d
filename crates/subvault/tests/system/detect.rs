//! `detect`: a real pool and this machine, reports of other machines as golden text, and the probe.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use subvault_testkit::pool::LoopPool;

use crate::world::{PROGRAM, Ran, finish, names, noise, proved, text, tool};

const MIB: u64 = 1 << 20;

fn detect(args: &[&str]) -> Ran {
    finish(Command::new(PROGRAM).arg("detect").args(args).env("TZ", "UTC").stdin(Stdio::null()))
}

fn pool(options: &[&str]) -> LoopPool {
    LoopPool::new(1 << 30, &[], options).unwrap()
}

/// The value of a line of `btrfs subvolume show`.
fn shown(path: &Path, name: &str) -> String {
    let all = tool(&["btrfs", "subvolume", "show", text(path)]);
    let line = all.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no `{name}` in {all}")).trim().to_owned()
}

fn uuid(of: &str) -> [u8; 16] {
    let hex = of.replace('-', "");
    std::array::from_fn(|index| u8::from_str_radix(&hex[2 * index..2 * index + 2], 16).unwrap())
}

fn crc32c(bytes: &[u8]) -> u32 {
    let table: [u32; 256] = std::array::from_fn(|byte| {
        (0..8).fold(u32::try_from(byte).unwrap(), |sum, _| (sum >> 1) ^ (if sum & 1 == 1 { 0x82f6_3b78 } else { 0 }))
    });
    !bytes.iter().fold(!0, |sum: u32, byte| (sum >> 8) ^ table[usize::from(sum.to_le_bytes()[0] ^ byte)])
}

/// Makes a snapshot older on a device that is not mounted: the kernel gives no way, so all copies of its root item are
/// written anew, with their sums.
fn age(device: &Path, snapshot: [u8; 16], by_seconds: u64) {
    const BLOCK: usize = 16 << 10;
    /// In a root item, behind its uuid.
    const MADE_AT: usize = 339 - 247;
    let device = OpenOptions::new().read(true).write(true).open(device).unwrap();
    let (mut block, mut at, mut changed) = (vec![0; BLOCK], 0, 0);
    while device.read_exact_at(&mut block, at).is_ok() {
        let places = block.windows(16).enumerate().filter(|(place, uuid)| *place > 347 && *uuid == snapshot);
        let places: Vec<_> = places.map(|(place, _)| place).collect();
        let is_tree = block[48..56] != [0; 8] && block[..4] == crc32c(&block[32..]).to_le_bytes();
        for place in places.into_iter().filter(|_| is_tree) {
            let time = place + MADE_AT..place + MADE_AT + 8;
            let Some(made) = block.get(time.clone()).map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap())) else {
                continue;
            };
            // In other items the uuid stands elsewhere, and no time of this century follows it.
            if (1_000_000_000..10_000_000_000).contains(&made) {
                block[time].copy_from_slice(&(made - by_seconds).to_le_bytes());
                let sum = crc32c(&block[32..]);
                block[..4].copy_from_slice(&sum.to_le_bytes());
                device.write_all_at(&block, at).unwrap();
                changed += 1;
            }
        }
        at += BLOCK as u64;
    }
    device.sync_all().unwrap();
    assert!(changed > 0, "the snapshot was not found");
}

/// What is told of this pool.
pub(crate) fn of_pool(answer: &Value, pool: &Path) -> Value {
    let shown = tool(&["btrfs", "filesystem", "show", text(pool)]);
    let uuid = shown.split("uuid: ").nth(1).unwrap().lines().next().unwrap();
    let pools = answer["facts"]["pools"].as_array().unwrap();
    pools.iter().find(|told| told["uuid"] == uuid.trim()).unwrap().clone()
}

fn subvolume<'a>(pool: &'a Value, path: &str) -> &'a Value {
    let all = pool["subvolumes"].as_array().unwrap();
    all.iter().find(|told| told["path"] == path).unwrap_or_else(|| panic!("no {path} in {pool}"))
}

/// A pool as systems have it, with two snapshots of `@home` between which so many MiB were written, two hours apart.
fn lived_in(written: u64) -> LoopPool {
    let pool = pool(&["compress=zstd:1"]);
    let top = pool.path();
    for name in ["@", "@home", "@home/ada", "@pg", "@data"] {
        tool(&["btrfs", "-q", "subvolume", "create", text(&top.join(name))]);
    }
    fs::write(top.join("@/vmlinuz"), "x").unwrap();
    fs::write(top.join("@pg/PG_VERSION"), "17\n").unwrap();
    tool(&["chattr", "+C", text(&top.join("@data"))]);
    tool(&["btrfs", "property", "set", text(&top.join("@")), "compression", "lzo"]);
    fs::create_dir(top.join("snapshots")).unwrap();
    let snapshot = |name: &str| {
        let (from, to) = (top.join("@home"), top.join("snapshots").join(name));
        tool(&["btrfs", "-q", "subvolume", "snapshot", "-r", text(&from), text(&to)]);
        to
    };
    fs::write(top.join("@home/before"), noise(50 << 20, 1)).unwrap();
    let old = snapshot("old");
    for number in 0..written {
        fs::write(top.join(format!("@home/new{number}")), noise(1 << 20, number)).unwrap();
    }
    snapshot("new");
    let id = uuid(&shown(&old, "UUID"));
    let before = shown(&old, "Creation time");
    tool(&["umount", text(&top)]);
    age(pool.device(), id, 7200);
    tool(&["mount", "-o", "compress=zstd:1", text(pool.device()), text(&top)]);
    assert_ne!(shown(&old, "Creation time"), before);
    pool
}

#[test]
fn a_pool_is_told_with_its_subvolumes_their_uses_and_how_much_they_change() {
    let pool = lived_in(24);
    let top = pool.path();
    let home = pool.mount_again(&["subvol=@home"]).unwrap();
    let told = of_pool(&detect(&["--json"]).expect(0).json(), &top);
    let paths: Vec<_> = told["subvolumes"].as_array().unwrap().iter().map(|told| told["path"].clone()).collect();
    assert_eq!(paths, ["@", "@home", "@home/ada", "@pg", "@data"]);
    assert_eq!((&told["snapshots"], &told["mount_options"][0]), (&Value::from(2), &Value::from("compress=zstd:1")));
    assert_eq!(told["disks"][0], pool.device().file_name().unwrap().to_str().unwrap());
    assert!(subvolume(&told, "@home/ada")["is_nested"] == true && subvolume(&told, "@home")["is_nested"] == false);
    assert_eq!(subvolume(&told, "@home")["seen_at"], text(&home));
    assert_eq!(subvolume(&told, "@pg")["uses"][0], "postgre_sql");
    assert!(subvolume(&told, "@data")["is_nodatacow"] == true && subvolume(&told, "@")["compression"] == "lzo");
    let change = &subvolume(&told, "@home")["change"];
    let (per_day, wanted) = (change["per_day"].as_u64().unwrap(), 24 * MIB * 12);
    assert!(per_day.abs_diff(wanted) < wanted / 10 && change["hours"] == 2, "{change}, and {wanted} was written");
    assert!(subvolume(&told, "@")["change"].is_null());
    let words = detect(&[]).expect(0);
    words.says(&[
        "Machine",
        "Disks",
        "@home/ada",
        "nested",
        "PostgreSQL",
        "nodatacow",
        "compression lzo",
        "(over 2 h)",
    ]);
    let off = per_day.abs_diff(wanted) * 1000 / wanted;
    proved(&format!(
        "detect tells who uses the subvolumes of a pool, and how much they change, 0.{off:03} beside the truth"
    ));
}

#[test]
fn who_may_not_see_is_told_what_is_not_known() {
    let pool = lived_in(2);
    let mut command = Command::new("setpriv");
    // Root in name alone.
    command.args(["--bounding-set=-all", "--inh-caps=-all", "--", PROGRAM, "detect", "--json"]).stdin(Stdio::null());
    let answer = finish(&mut command).expect(0).json();
    let unknown = answer["not_known"].to_string();
    assert!(unknown.contains("that are not mounted") && unknown.contains("CAP_SYS_ADMIN"), "{unknown}");
    let told = of_pool(&answer, &pool.path());
    // What is mounted can be seen by everybody.
    assert_eq!(told["subvolumes"].as_array().unwrap().len(), 1, "{told}");
    assert_eq!(subvolume(&told, "")["seen_at"], text(&pool.path()));
    assert!(told["size"] == 1 << 30 && told["used"].as_u64().unwrap() > 50 * MIB, "{told}");
    assert!(!answer["facts"]["disks"].as_array().unwrap().is_empty());
    proved("detect without root tells what it can and what is not known");
}

#[test]
fn it_takes_less_than_half_a_second() {
    let begin = Instant::now();
    detect(&["--json"]).expect(0);
    let took = begin.elapsed();
    // Other tests run beside it.
    assert!(took < Duration::from_secs(2), "{took:?}");
    proved(&format!("detect took {} ms", took.as_millis()));
}

#[test]
fn reports_are_told_as_they_were_found_good() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/tests/main/facter");
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/system/golden/detect");
    let all = names(&fixtures);
    assert!(all.len() >= 7, "{all:?}");
    for name in &all {
        let told = detect(&["--facter", text(&fixtures.join(name))]).expect(0).out;
        let path = golden.join(name).with_extension("txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::create_dir_all(&golden).unwrap();
            fs::write(&path, &told).unwrap();
        }
        assert_eq!(told, fs::read_to_string(&path).unwrap_or_default(), "{name}");
    }
    let dir = tempfile::tempdir().unwrap();
    let bad = dir.path().join("facter.json");
    fs::write(&bad, "{}").unwrap();
    detect(&["--facter", text(&bad)]).expect(1).says(&["no facter report", "missing field `hardware`", "nixos-facter"]);
    detect(&["--facter", "/nonexistent"]).expect(1).says(&["cannot read /nonexistent"]);
    proved(&format!("{} reports of facter are told as they were once found good", all.len()));
}

#[test]
fn the_probe_measures_and_leaves_nothing() {
    let pool = pool(&["compress-force=zstd:1"]);
    let top = pool.path();
    let option = format!("--probe={}", text(&top));
    let begin = Instant::now();
    let probe = detect(&[&option, "--json"]).expect(0).json()["probe"].clone();
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    for key in ["size", "write_per_second", "read_per_second", "random_reads_per_second", "sync_microseconds"] {
        assert!(probe[key].as_u64().unwrap() > 0, "{probe}");
    }
    assert!(probe["size"].as_u64().unwrap() <= 103 * MIB, "more than a tenth of the pool: {probe}");
    assert!(names(&top).is_empty());
    // Killed while it writes and reads.
    for moment in [30, 100, 250] {
        let mut running = Command::new(PROGRAM).args(["detect", &option]).stdout(Stdio::null()).spawn().unwrap();
        thread::sleep(Duration::from_millis(moment));
        running.kill().unwrap();
        assert!(!running.wait().unwrap().success(), "it was over before it was killed");
        assert!(names(&top).is_empty());
    }
    detect(&["--probe=/proc"]).expect(3).says(&["cannot measure"]);
    detect(&["--probe", "--facter", "x"]).expect(1);
    proved(&format!("the probe took {} ms with all of detect, and leaves nothing", took.as_millis()));
}

/// Only this pool is there, or none.
fn alone(keep: &str) -> Ran {
    let script = format!(
        "awk '{{ split($0, half, \" - \"); split(half[2], of, \" \"); if (of[1] == \"btrfs\") print $5 }}' \
         /proc/self/mountinfo | sort -r | while read -r other; do [ \"$other\" = '{keep}' ] || umount -l \"$other\"; done
         exec {PROGRAM} detect --probe"
    );
    let mut unshare = Command::new("unshare");
    finish(unshare.args(["--mount", "--propagation", "private", "sh", "-c", &script]).stdin(Stdio::null()))
}

#[test]
fn the_probe_finds_a_place_on_the_first_pool() {
    let pool = pool(&[]);
    tool(&["btrfs", "-q", "subvolume", "create", text(&pool.path().join("home"))]);
    let home = pool.path().join("home");
    alone(text(&pool.path())).expect(0).says(&["Measured in", text(&home), "read at random", "do not compress"]);
    alone("none").expect(1).says(&["no pool is mounted here", "--probe=DIR"]);
    assert!(names(&home).is_empty());
}
