//! Configurations for snapper: golden files, snapper itself, and our own importer.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use subvault_model::facts::Facts;
use subvault_plan::strategy::assemble::strategy;
use subvault_plan::strategy::profile::Profile;
use subvault_plan::strategy::{Strategy, SubvolumeStrategy};
use subvault_render::file::RenderedFile;
use subvault_render::import::snapper::{SnapperFile, import};
use subvault_render::snapper::render;
use subvault_testkit::pool::LoopPool;

use crate::golden::compare;
use crate::hosts::{self, pool, subvolume};
use crate::outside::{asked, joined, put, told};

const PERIODS: [&str; 6] = ["hourly", "daily", "weekly", "monthly", "quarterly", "yearly"];

#[test]
fn the_files_are_as_they_were_read() {
    for (name, facts, strategy) in hosts::named() {
        compare(&format!("snapper/{name}.txt"), &joined(&render(&facts, &strategy)));
    }
}

fn name(file: &RenderedFile) -> String {
    file.path.file_name().unwrap().to_str().unwrap().to_owned()
}

fn configs(files: &[RenderedFile]) -> impl Iterator<Item = &RenderedFile> {
    files.iter().filter(|file| file.path.starts_with("etc/snapper/configs"))
}

fn decided<'a>(strategy: &'a Strategy, name: &str) -> &'a SubvolumeStrategy {
    strategy.subvolumes.iter().find(|one| one.name.as_str() == name).unwrap()
}

/// There and back: what our importer makes of it keeps the same, and nothing less.
#[test]
fn the_importer_reads_the_same_retention() {
    let mut met = 0;
    for (facts, strategy) in hosts::every() {
        let files = render(&facts, &strategy);
        let found: Vec<SnapperFile> = configs(&files)
            .map(|file| SnapperFile { name: name(file), path: name(file), text: file.text.clone() })
            .collect();
        let imported: toml::Table = import(&found).unwrap().config.parse().unwrap();
        for there in imported.get("subvolume").and_then(toml::Value::as_array).unwrap() {
            let one = decided(&strategy, there["name"].as_str().unwrap());
            let (keep, back) = (&one.keep.as_ref().unwrap().value, &there["keep"]);
            assert_eq!(there["path"].as_str().unwrap(), format!("/{}", one.path).trim_end_matches('.'));
            let periods = PERIODS.map(|period| u32::try_from(back[period].as_integer().unwrap()).unwrap());
            assert_eq!(periods, keep.periods, "{}", one.name);
            assert!(back["newest"].as_integer().unwrap() >= i64::from(keep.newest.get()));
            // snapper itself keeps what is younger than half an hour, which is one in whole hours.
            let within = keep.within.map_or(1, |within| within.as_hours());
            let length = if within % 24 == 0 { format!("{} days", within / 24) } else { format!("{within} hours") };
            assert_eq!(back["within"].as_str().unwrap(), length, "{}", one.name);
            met += 1;
        }
        let with_snapshots = strategy.subvolumes.iter().filter(|one| one.snapshots.value.is_some());
        assert_eq!(configs(&files).count(), with_snapshots.count());
    }
    assert!(met > 60, "{met} are too few to prove anything");
}

/// snapper reads them, takes a snapshot by them, and cleans up by them.
#[test]
fn snapper_works_with_them() {
    let loop_pool = LoopPool::new(256 << 20, &[], &[]).unwrap();
    let root = loop_pool.path();
    let subvolumes = ["home", "it's $my files", "var/log"];
    fs::create_dir(root.join("var")).unwrap();
    for path in subvolumes {
        asked(Command::new("btrfs").args(["-q", "subvolume", "create"]).arg(root.join(path)));
        asked(Command::new("btrfs").args(["-q", "subvolume", "create"]).arg(root.join(path).join(".snapshots")));
    }
    let there = subvolumes.map(|path| subvolume(path.as_bytes(), path.as_bytes())).to_vec();
    let facts = Facts { pools: vec![pool(hosts::FIRST, there)], ..Facts::default() };
    let strategy = strategy(&facts, &hosts::said(Profile::ProductionVps, "x"));
    let files = render(&facts, &strategy);
    configs(&files).for_each(|file| drop(put(&root, file)));
    let names: Vec<String> = configs(&files).map(name).collect();
    assert_eq!(names.len(), subvolumes.len());
    for directory in ["etc/default", "etc/sysconfig"] {
        fs::create_dir_all(root.join(directory)).unwrap();
        fs::write(root.join(directory).join("snapper"), format!("SNAPPER_CONFIGS=\"{}\"\n", names.join(" "))).unwrap();
    }
    let snapper = |name: &str, arguments: &[&str]| {
        let mut snapper = Command::new("snapper");
        snapper.args(["--no-dbus", "--jsonout", "--root"]).arg(&root).args(["-c", name]).args(arguments);
        asked(&mut snapper)
    };
    for name in &names {
        let read: BTreeMap<String, String> = serde_json::from_str(&snapper(name, &["get-config"])).unwrap();
        let one = decided(&strategy, name);
        assert_eq!(read["SUBVOLUME"], format!("/{}", std::str::from_utf8(one.path.as_bytes()).unwrap()));
        let keep = &one.keep.as_ref().unwrap().value;
        for (period, count) in PERIODS.iter().zip(keep.periods).filter(|(period, _)| **period != "quarterly") {
            assert_eq!(read[&format!("TIMELINE_LIMIT_{}", period.to_uppercase())], count.to_string(), "{name}");
        }
        assert_eq!((read["QGROUP"].as_str(), read["ALLOW_GROUPS"].as_str()), ("", ""));
        snapper(name, &["create", "--cleanup-algorithm", "timeline"]);
        snapper(name, &["cleanup", "timeline"]);
        let listed: serde_json::Value = serde_json::from_str(&snapper(name, &["list"])).unwrap();
        assert_eq!(listed[name].as_array().unwrap().len(), 2, "{listed}");
    }
}

/// One timer for all: it comes as often as the subvolume that needs it most often.
#[test]
fn the_timer_is_that_of_the_shortest_cadence() {
    for (profile, wanted) in [
        (Profile::SingleNvmeLaptop, None),
        (Profile::ProductionVps, Some("OnCalendar=\nOnCalendar=*:00/30\n")),
        (Profile::StagingVps, Some("OnCalendar=\nOnCalendar=00/4:00\n")),
        (Profile::ProxmoxHost, Some("OnCalendar=\nOnCalendar=02:00\n")),
    ] {
        let facts = hosts::facts(profile);
        let files = render(&facts, &strategy(&facts, &hosts::said(profile, "x")));
        let timer = files.iter().find(|file| file.path.to_str().unwrap().contains(".timer.d"));
        assert_eq!(timer.is_some(), wanted.is_some(), "{profile}");
        let Some((timer, wanted)) = timer.zip(wanted) else { continue };
        assert!(timer.text.ends_with(wanted), "{profile}: {}", timer.text);
        let event = wanted.lines().last().unwrap().strip_prefix("OnCalendar=").unwrap();
        let (good, said) = told(Command::new("systemd-analyze").arg("calendar").arg(event));
        assert!(good, "{said}");
    }
}
