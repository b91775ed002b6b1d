//! Units and rules: golden files, and what systemd's and udev's own tools say of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use subvault_plan::calendar::Calendar;
use subvault_plan::strategy::profile::Family;
use subvault_render::file::RenderedFile;
use subvault_render::systemd::{Disk, DiskIdentity, Manners, NotRendered, Wanted, render};
use subvault_testkit::pool::LoopPool;
use tempfile::TempDir;

use crate::golden::compare;
use crate::hosts;

const POOL: &str = "5f0c5d63-7a7e-4f4b-9d0e-0c1a58a2f001";
const CONTAINER: &str = "c1a58a2f-7a7e-4f4b-9d0e-5f0c5d630002";

pub(crate) fn calendars(words: &[&str]) -> Vec<Calendar> {
    words.iter().map(|word| Calendar::parse(word, &|name| jiff::tz::TimeZone::get(name).ok()).unwrap()).collect()
}

fn plain() -> Wanted {
    Wanted {
        program: "/usr/bin/subvault".into(),
        config: None,
        state: Some("subvault".to_owned()),
        writes: vec!["/home".into(), "/".into()],
        wake: calendars(&["hourly"]),
        zone: None,
        disks: Vec::new(),
        credentials: Vec::new(),
        network: false,
        hooks: false,
        manners: Manners::default(),
    }
}

/// Everything that there is.
fn rich() -> Wanted {
    let disk = |name: &str, identity| Disk { target: name.parse().unwrap(), identity };
    Wanted {
        program: "/opt/my tools/subvault".into(),
        config: Some("/etc/sub vault/100%.toml".into()),
        state: None,
        writes: vec!["/home".into(), "/usr/local".into(), "/boot/my grub".into()],
        wake: calendars(&["hourly", "Sun 03:00", "*-*-01 04:00 Europe/Berlin", "hourly"]),
        zone: Some("America/New_York".to_owned()),
        disks: vec![
            disk("usb", DiskIdentity::Pool(POOL.parse().unwrap())),
            disk("safe-2.b", DiskIdentity::Luks(CONTAINER.to_owned())),
        ],
        credentials: vec![("vault.credentials".to_owned(), "/etc/sub vault/vault.credentials".into())],
        network: true,
        hooks: false,
        manners: Manners { idle_io: true, tries_hourly: true },
    }
}

pub(crate) fn cases() -> Vec<(&'static str, Wanted)> {
    vec![("plain", plain()), ("rich", rich()), ("hooks", Wanted { hooks: true, ..rich() })]
}

#[test]
fn the_files_are_as_they_were_read() {
    for (name, wanted) in cases() {
        let files = render(&wanted).unwrap();
        let text: String = files.iter().map(|f| format!("=== {}\n{}", f.path.display(), f.text)).collect();
        compare(&format!("systemd/{name}.txt"), &text);
    }
}

/// Puts the files below a directory, with something that can be started.
fn put(files: &[RenderedFile], wanted: &Wanted) -> TempDir {
    let root = TempDir::with_prefix("subvault-render-").unwrap();
    for file in files {
        let path = root.path().join(&file.path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, &file.text).unwrap();
    }
    let program = root.path().join(wanted.program.strip_prefix("/").unwrap());
    fs::create_dir_all(program.parent().unwrap()).unwrap();
    fs::copy("/bin/true", program).unwrap();
    root
}

fn run(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap();
    let mut told = String::from_utf8(output.stdout).unwrap();
    told.push_str(&String::from_utf8(output.stderr).unwrap());
    (output.status.success(), told)
}

#[test]
fn systemd_understands_every_line() {
    for (name, wanted) in cases() {
        let files = render(&wanted).unwrap();
        let root = put(&files, &wanted);
        let units = files.iter().filter_map(|f| f.path.file_name()?.to_str()).filter(|f| !f.ends_with(".rules"));
        let mut verify = Command::new("systemd-analyze");
        let instance = |unit: &str| unit.replace("@.", "@usb.");
        verify.args(["verify", "--man=no", "--recursive-errors=no", "--root"]).arg(root.path());
        let (good, told) = run(verify.args(units.map(instance)));
        assert!(good && told.is_empty(), "{name}: {told}");
    }
}

#[test]
fn a_mistake_in_a_unit_would_be_seen() {
    let wanted = plain();
    let mut files = render(&wanted).unwrap();
    files[0].text = files[0].text.replace("Nice=", "Nicer=");
    let root = put(&files, &wanted);
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no", "--recursive-errors=no", "--root"]).arg(root.path());
    let (_, told) = run(verify.arg("subvault.service"));
    assert!(told.contains("Nicer"), "{told}");
}

/// Of 10; systemd's own services have about 2 to 9, a service that says nothing has 9.6.
#[test]
fn the_services_are_locked_in() {
    let hooks = Wanted { hooks: true, ..rich() };
    for (name, wanted, limit) in [("plain", plain(), 3.7), ("rich", rich(), 4.4), ("hooks", hooks, 8.3)] {
        let files = render(&wanted).unwrap();
        let root = put(&files, &wanted);
        let unit = root.path().join(&files[0].path);
        let (_, told) =
            run(Command::new("systemd-analyze").args(["security", "--offline=true", "--no-pager"]).arg(unit));
        let exposure = told.lines().find(|line| line.contains("Overall exposure level")).unwrap_or(&told);
        let figure = exposure.split(": ").nth(1).and_then(|rest| rest.split(' ').next()?.parse::<f64>().ok());
        assert!(figure.is_some_and(|figure| figure <= limit), "{name}: {exposure}");
    }
}

#[test]
fn the_timer_says_what_the_configuration_says() {
    let files = render(&rich()).unwrap();
    let timer = files.iter().find(|f| f.path.ends_with("subvault.timer")).unwrap();
    let events: Vec<&str> = timer.text.lines().filter_map(|line| line.strip_prefix("OnCalendar=")).collect();
    assert_eq!(events, ["hourly America/New_York", "Sun 03:00 America/New_York", "*-*-01 04:00 Europe/Berlin"]);
    let (good, told) = run(Command::new("systemd-analyze").arg("calendar").args(events));
    assert!(good, "{told}");
}

/// What is known of a host makes room on it: a laptop looks once more each hour, and waits for its disk.
#[test]
fn work_makes_room_by_what_the_host_is() {
    for (_, strategy) in hosts::every() {
        let is_laptop = strategy.profile.value.family() == Family::Laptop;
        let sits = is_laptop || strategy.profile.value.family() == Family::Desktop;
        let wanted = Wanted { wake: calendars(&["02:00"]), manners: Manners::of(strategy.profile.value), ..plain() };
        let files = render(&wanted).unwrap();
        let text = |name: &str| files.iter().find(|f| f.path.ends_with(name)).unwrap().text.clone();
        assert_eq!(text("subvault.service").contains("IOSchedulingClass=idle\n"), sits);
        assert!(text("subvault.service").contains("Slice=subvault.slice\n"));
        assert!(text("subvault.timer").contains("OnCalendar=02:00\n"));
        assert_eq!(text("subvault.timer").contains("OnCalendar=hourly\n"), is_laptop);
        let root = put(&files, &wanted);
        let mut verify = Command::new("systemd-analyze");
        verify.args(["verify", "--man=no", "--recursive-errors=no", "--root"]).arg(root.path());
        let (good, told) = run(verify.args(["subvault.service", "subvault.timer", "subvault.slice"]));
        assert!(good && told.is_empty(), "{told}");
    }
}

/// Every time that a strategy plans is one that systemd knows, and sends begin in the window for them.
#[test]
fn systemd_knows_every_time_of_every_strategy() {
    let mut events = BTreeSet::new();
    for (_, strategy) in hosts::every() {
        let window = strategy.sending.window;
        assert!((window.from..window.to).contains(&strategy.sending.start.value));
        for one in &strategy.subvolumes {
            events.extend(one.snapshots.value.clone().into_iter().chain(one.sends.value.clone()));
        }
        events.extend(strategy.proofs.iter().map(|proof| proof.calendar.to_owned()));
    }
    let wanted = Wanted { wake: calendars(&events.iter().map(String::as_str).collect::<Vec<_>>()), ..plain() };
    let timer = render(&wanted).unwrap().into_iter().find(|f| f.path.ends_with("subvault.timer")).unwrap();
    let written: BTreeSet<&str> = timer.text.lines().filter_map(|line| line.strip_prefix("OnCalendar=")).collect();
    assert!(written.len() > 12 && written.len() == events.len(), "{written:?}");
    let (good, told) = run(Command::new("systemd-analyze").arg("calendar").args(written));
    assert!(good, "{told}");
}

/// With hooks nobody knows how much memory is needed, and to open a LUKS container may take a GiB.
#[test]
fn only_what_is_known_is_limited() {
    let limited = |wanted: &Wanted| {
        let files = render(wanted).unwrap();
        files.iter().find(|f| f.path.ends_with("subvault.slice")).unwrap().text.contains("MemoryHigh=")
    };
    assert!(limited(&plain()) && !limited(&Wanted { hooks: true, ..plain() }));
    let mut disks = rich().disks;
    assert!(!limited(&Wanted { disks: disks.clone(), ..plain() }));
    disks.retain(|disk| matches!(disk.identity, DiskIdentity::Pool(_)));
    assert!(limited(&Wanted { disks, ..plain() }));
}

/// Rules where udev looks, taken back when dropped.
struct Rules(PathBuf);

impl Drop for Rules {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A disk appears, and udev tells what it would do.
#[test]
fn udev_starts_what_the_rules_say() {
    let uuid = format!("5f0c5d63-7a7e-4f4b-9d0e-{:012x}", std::process::id());
    let pool = LoopPool::new(128 << 20, &["-U", &uuid], &[]).unwrap();
    let disk = Disk { target: "usb-1.b".parse().unwrap(), identity: DiskIdentity::Pool(uuid.parse().unwrap()) };
    let files = render(&Wanted { disks: vec![disk], ..plain() }).unwrap();
    let text = &files.iter().find(|f| f.path.ends_with("90-subvault.rules")).unwrap().text;
    let directory = Path::new("/run/udev/rules.d");
    fs::create_dir_all(directory).unwrap();
    let rules = Rules(directory.join(format!("90-subvault-test-{}.rules", std::process::id())));
    let asked = |text: &str| {
        fs::write(&rules.0, text).unwrap();
        let device = Path::new("/sys/class/block").join(pool.device().file_name().unwrap());
        let (good, told) = run(Command::new("udevadm").args(["test", "--action=add"]).arg(device));
        assert!(good, "{told}");
        told
    };
    let wants = "SYSTEMD_WANTS=subvault-replicate@usb-1.b.service";
    let told = asked(text);
    assert!(told.contains(wants) && told.contains(&uuid), "{told}");
    let other = text.replace(&uuid, CONTAINER);
    assert!(!asked(&other).contains(wants), "another disk starts nothing");
}

#[test]
fn what_cannot_be_written_is_refused() {
    let nothing = Wanted { wake: Vec::new(), ..plain() };
    assert_eq!(render(&nothing), Err(NotRendered::NothingDue));
    let mut odd = rich();
    odd.disks[0].target = "a+b".parse().unwrap();
    assert!(matches!(render(&odd), Err(NotRendered::UnfitName(_))));
    odd.disks[0] = Disk { target: "a".parse().unwrap(), identity: DiskIdentity::Luks("\", RUN+=\"x".to_owned()) };
    assert!(matches!(render(&odd), Err(NotRendered::UnfitUuid(_))));
    let broken = Wanted { program: Path::new("/a\nExecStartPre=/bin/evil").into(), ..plain() };
    assert!(matches!(render(&broken), Err(NotRendered::UnfitPath(_))));
}
