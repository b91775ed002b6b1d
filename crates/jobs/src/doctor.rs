//! Checks the set-up: whether subvault can do here what the configuration asks for, and what dead runs left.
//!
//! Looks and tells; it never mends anything itself. What could not be checked is told as a failure, never as good.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use subvault_host::pool::Pool;
use subvault_host::subvolume::Subvolume;
use subvault_host::top_level::{Access, TopLevel};
use subvault_model::ids::PoolUuid;

use crate::driver::chain;
use crate::error::JobError;
use crate::open_hooks;
use crate::rollback;
use crate::setup::{Setup, SubvolumeSetup};

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was checked.
    pub what: String,
    /// How it is.
    pub verdict: Verdict,
    /// What was found, where it is not good.
    pub found: Option<String>,
    /// How to mend it.
    pub hint: Option<String>,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Good,
    /// It works, and could be better.
    Advice,
    /// It does not work.
    Bad,
}

impl Check {
    fn good(what: impl Into<String>) -> Self {
        Self { what: what.into(), verdict: Verdict::Good, found: None, hint: None }
    }

    fn of(what: impl Into<String>, verdict: Verdict, found: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), verdict, found: Some(found.into()), hint: Some(hint.into()) }
    }

    /// Something failed, for this reason.
    #[must_use]
    pub fn failed(what: impl Into<String>, error: &JobError) -> Self {
        Self { what: what.into(), verdict: Verdict::Bad, found: Some(chain(error)), hint: error.hint() }
    }
}

/// Where systemd looks for what is enabled.
const ENABLED: [&str; 2] = ["/etc/systemd/system/timers.target.wants", "/run/systemd/system/timers.target.wants"];

/// Checks everything that this machine itself can tell; programs are looked for in `places`, as the variable `PATH` names
/// them. Targets are looked at by whoever calls this.
#[must_use]
pub fn examine(setup: &Setup, places: &OsStr) -> Vec<Check> {
    let mut checks = vec![timer(&ENABLED.map(Path::new))];
    let mut pools: BTreeMap<PoolUuid, Pool> = BTreeMap::new();
    for subvolume in &setup.subvolumes {
        match pool_of(subvolume) {
            Ok(pool) => {
                checks.push(Check::good(format!("{} is a subvolume", subvolume.path.display())));
                checks.extend(snapshots(subvolume, &pool));
                pools.insert(pool.uuid(), pool);
            }
            Err(error) => checks.push(Check::failed(format!("{} is a subvolume", subvolume.path.display()), &error)),
        }
    }
    for pool in pools.values() {
        checks.push(quotas(pool));
        checks.extend(leftovers(pool));
    }
    checks.extend(hooks(setup, places));
    checks
}

fn timer(enabled: &[&Path]) -> Check {
    let what = "a timer starts `subvault run`";
    if enabled.iter().any(|dir| fs::symlink_metadata(dir.join("subvault.timer")).is_ok()) {
        return Check::good(what);
    }
    let hint = "`subvault render systemd --to /`, then `systemctl enable --now subvault.timer`";
    Check::of(what, Verdict::Advice, "subvault.timer is not enabled", hint)
}

fn pool_of(subvolume: &SubvolumeSetup) -> Result<Pool, JobError> {
    Ok(Subvolume::open(&subvolume.path)?.pool()?)
}

/// The directory of snapshots: on the same pool, and closed to others, who could see there what was deleted or closed to
/// them since.
fn snapshots(subvolume: &SubvolumeSetup, pool: &Pool) -> Vec<Check> {
    let directory = &subvolume.snapshots;
    let Ok(metadata) = fs::metadata(directory) else { return Vec::new() };
    let shown = directory.display();
    let on_pool = format!("{shown} is on the pool of {}", subvolume.name);
    let mut checks = vec![match Pool::containing(directory) {
        Ok(found) if found.uuid() == pool.uuid() => Check::good(on_pool),
        Ok(_) => Check::of(on_pool, Verdict::Bad, "it is on another one", "set `snapshots` to a directory beside it"),
        Err(error) => Check::failed(on_pool, &error.into()),
    }];
    let closed = format!("others cannot look into {shown}");
    checks.push(if metadata.permissions().mode() & 0o077 == 0 {
        Check::good(closed)
    } else {
        let found = "old versions of files stay readable there, whatever becomes of the files";
        Check::of(closed, Verdict::Advice, found, format!("chmod 700 {shown}"))
    });
    checks
}

/// Quotas make deleting snapshots slow enough to stop a machine.
fn quotas(pool: &Pool) -> Check {
    let what = format!("the pool at {} has no quotas", pool.path().display());
    if !Path::new("/sys/fs/btrfs").join(pool.uuid().to_string()).join("qgroups").exists() {
        return Check::good(what);
    }
    let found = "they are on, and deleting many snapshots can then take hours";
    Check::of(
        what,
        Verdict::Advice,
        found,
        format!("`btrfs quota disable {}`, unless you need them", pool.path().display()),
    )
}

/// What runs that died left on a pool.
fn leftovers(pool: &Pool) -> Vec<Check> {
    let what = format!("nothing unfinished is on the pool at {}", pool.path().display());
    let mut checks = Vec::new();
    match unfinished_rollback(pool) {
        Ok(None) => {}
        Ok(Some(subvolume)) => checks.push(Check::of(
            what.clone(),
            Verdict::Bad,
            format!("a rollback of {} is half done", subvolume.display()),
            "`subvault rollback --resume` finishes it, `subvault rollback --undo` takes it back",
        )),
        Err(error) => checks.push(Check::failed(what.clone(), &error)),
    }
    match pool.subvolumes() {
        Ok(all) => checks.extend(all.iter().filter_map(|listed| left_by(&listed.path)).map(|(path, hint)| {
            Check::of(what.clone(), Verdict::Advice, format!("{} is left of a run that died", path.display()), hint)
        })),
        Err(error) => checks.push(Check::failed(what.clone(), &error.into())),
    }
    if checks.is_empty() { vec![Check::good(what)] } else { checks }
}

fn unfinished_rollback(pool: &Pool) -> Result<Option<PathBuf>, JobError> {
    let top = TopLevel::of_pool(pool, Access::Look)?;
    rollback::unfinished_on(&top)
}

/// Whose temporary a subvolume of this name is, if it is one of ours.
fn left_by(path: &Path) -> Option<(&Path, &'static str)> {
    const OURS: [(&[u8], &str); 4] = [
        (crate::forget::ASIDE.as_bytes(), "the same `subvault forget-path` goes on; what is beside it is whole"),
        (crate::restore::STAGED.as_bytes(), "the same `subvault restore` goes on with it; or delete it"),
        (b".subvault-diff.", "the next `subvault diff` of its subvolume removes it"),
        (b".incoming.", "the next `subvault replicate` removes it"),
    ];
    let name = path.file_name().map(OsStr::as_bytes)?;
    let directory = path.parent().and_then(Path::file_name).map_or(&b""[..], OsStr::as_bytes);
    if directory.starts_with(crate::fetched::DIRECTORY.as_bytes()) {
        return Some((path, "the next `subvault restore` of a path that must be fetched removes it; or delete it"));
    }
    OURS.iter().find(|(prefix, _)| name.starts_with(prefix)).map(|(_, hint)| (path, *hint))
}

fn hooks(setup: &Setup, places: &OsStr) -> Vec<Check> {
    let mut checks = Vec::new();
    match open_hooks::all(&setup.state) {
        Ok(open) => checks.extend(open.iter().map(|open| {
            let what = format!("the hook {} for {} was ended", open.hook, open.group);
            Check::of(what, Verdict::Bad, "a run died inside of it", "the next `subvault run` ends it")
        })),
        Err(error) => checks.push(Check::failed("no hook is open", &error)),
    }
    for (name, hook) in &setup.hooks {
        for argv in [&hook.before, &hook.after, &hook.hold] {
            let Some(program) = argv.first() else { continue };
            let what = format!("the hook {name} finds {}", Path::new(program).display());
            checks.push(if subvault_host::process::is_there(program, places) {
                Check::good(what)
            } else {
                Check::of(what, Verdict::Bad, "there is no such program", "install it, or write its whole path")
            });
        }
    }
    checks
}
