//! The lock between real processes: this test binary starts itself.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use subvault_host::lock::{LockError, RunLock};

/// Tells the started copy where the lock is.
const LOCK_AT: &str = "SUBVAULT_TEST_HOLD_LOCK_AT";

/// A process that holds a lock; killed when dropped.
struct Holder(Child);

impl Holder {
    fn start(path: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "locks::hold", "--nocapture"])
            .env(LOCK_AT, path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let held = lines.map_while(Result::ok).any(|line| line.contains("held"));
        let holder = Self(child);
        assert!(held);
        holder
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// What the started copy does; in the ordinary run of the tests there is nothing to do.
#[test]
fn hold() {
    if let Some(path) = std::env::var_os(LOCK_AT) {
        let _lock = RunLock::acquire(path.as_ref(), "subvault run").unwrap();
        println!("held");
        std::thread::sleep(std::time::Duration::from_secs(60));
    }
}

#[test]
fn a_live_owner_keeps_its_lock_and_a_dead_one_is_taken_over_from() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lock");
    let holder = Holder::start(&path);
    let pid = holder.0.id();
    for _ in 0..3 {
        let error = RunLock::acquire(&path, "subvault run").unwrap_err();
        let LockError::Held { owner: Some(owner), .. } = error else { panic!("{error:?}") };
        assert_eq!(owner.pid, pid);
        assert!(owner.is_alive());
    }
    drop(holder);
    let lock = RunLock::acquire(&path, "subvault run").unwrap();
    let before = lock.taken_over_from().unwrap();
    assert_eq!((before.pid, before.command.as_str()), (pid, "subvault run"));
    assert!(!before.is_alive());
}
