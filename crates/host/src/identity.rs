//! What this machine is called and how much of it there is.
//!
//! Invariant: nothing here is a secret and nothing changes anything. Values of `/proc` are numbers
//! made for programs; what is not understood is an error, never a guess.

use std::ffi::{OsStr, OsString};
use std::num::NonZero;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use subvault_model::bytesize::ByteSize;

use crate::error::{HostError, HostErrorKind, Result};

/// The id that systemd gave this installation, 32 hexadecimal digits.
///
/// # Errors
/// `NotFound` where there is none, as on an image before its first boot.
pub fn machine_id() -> Result<String> {
    const PATH: &str = "/etc/machine-id";
    let id = first_line(PATH)?;
    if id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(id);
    }
    let hint = "it does not hold 32 hexadecimal digits; `systemd-machine-id-setup` makes one";
    Err(HostError::because("read the machine id in", PATH, HostErrorKind::NotFound, hint))
}

/// The host name as the kernel has it.
#[must_use]
pub fn hostname() -> OsString {
    OsString::from_vec(rustix::system::uname().nodename().to_bytes().to_vec())
}

/// A host name in lower-case letters, digits, `-` and `.`, fit for object names; never empty.
#[must_use]
pub fn plain_hostname(name: &OsStr) -> String {
    let plain: String = name
        .as_bytes()
        .iter()
        .map(|byte| match byte.to_ascii_lowercase() {
            byte @ (b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.') => char::from(byte),
            _ => '-',
        })
        .collect();
    let plain = plain.trim_matches(['-', '.']);
    if plain.is_empty() { "host".to_owned() } else { plain.to_owned() }
}

/// An id that is another one after each boot.
///
/// # Errors
/// Without `/proc`.
pub fn boot_id() -> Result<String> {
    first_line("/proc/sys/kernel/random/boot_id")
}

/// Whether the kernel has a security module that labels each file that is made. (Such a module registers the file
/// system that it is controlled through.)
#[must_use]
pub fn labels_files() -> bool {
    let known = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
    known.split_whitespace().any(|word| matches!(word, "selinuxfs" | "smackfs"))
}

/// The running kernel, as in `6.18.44`.
#[must_use]
pub fn kernel_release() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

/// How much memory programs can have without pushing others out.
///
/// # Errors
/// Without `/proc`.
pub fn memory_available() -> Result<ByteSize> {
    kib_in("/proc/meminfo", "MemAvailable:")
}

/// How much memory this process had at most.
///
/// # Errors
/// Without `/proc`.
pub fn peak_memory() -> Result<ByteSize> {
    kib_in("/proc/self/status", "VmHWM:")
}

/// How many processors this process may use.
#[must_use]
pub fn cpus() -> NonZero<usize> {
    std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN)
}

/// When a process started, in ticks since boot; with its number this is one process and no other.
/// `None` when there is no such process.
pub(crate) fn process_start(pid: u32) -> Option<u64> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the name in parentheses, which may itself hold spaces and parentheses.
    let after_name = stat.iter().rposition(|byte| *byte == b')')? + 1;
    let fields = std::str::from_utf8(&stat[after_name..]).ok()?;
    fields.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// What tells this process from every other one, those of other boots included; fit for names of files.
///
/// # Errors
/// Without `/proc`.
pub fn process_mark() -> Result<String> {
    let pid = std::process::id();
    Ok(format!("{}-{pid}-{}", this_boot()?, process_start(pid).unwrap_or(0)))
}

/// Whether the process with this mark still runs; `None` for what is no mark.
#[must_use]
pub fn is_running(mark: &str) -> Option<bool> {
    let mut parts = mark.split('-');
    let (boot, pid, start) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    (parts.next().is_none() && boot.len() == 8)
        .then(|| this_boot().is_ok_and(|now| now == boot) && process_start(pid) == Some(start))
}

/// Enough of the boot's id to tell one boot from the others.
fn this_boot() -> Result<String> {
    Ok(boot_id()?.chars().take(8).collect())
}

/// The value of a line like `VmHWM:   1234 kB`.
fn kib_in(path: &str, name: &str) -> Result<ByteSize> {
    let kib =
        read(path)?.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix("kB")?.trim().parse().ok());
    kib.map(ByteSize::kib).ok_or_else(|| {
        let hint = format!("it has no line `{name}`");
        HostError::because("read the memory in", path, HostErrorKind::Unsupported, hint)
    })
}

fn first_line(path: &str) -> Result<String> {
    Ok(read(path)?.lines().next().unwrap_or_default().trim().to_owned())
}

fn read(path: &str) -> Result<String> {
    std::fs::read_to_string(Path::new(path)).map_err(|error| HostError::new("read", path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_become_plain() {
        for (name, plain) in [
            (b"Laptop_1".as_slice(), "laptop-1"),
            (b"a.example.org", "a.example.org"),
            (b"\xff\xfe", "host"),
            (b"", "host"),
            (b"../x", "x"),
        ] {
            assert_eq!(plain_hostname(OsStr::from_bytes(name)), plain);
        }
    }

    #[test]
    fn a_mark_is_of_one_process_of_one_boot() {
        let mark = process_mark().unwrap();
        assert_eq!(is_running(&mark), Some(true));
        let (_, rest) = mark.split_once('-').unwrap();
        assert_eq!(is_running(&format!("00000000-{rest}")), Some(false));
        assert_eq!(is_running(&format!("{}-1-1", &mark[..8])), Some(false));
        for text in ["", "x", "00000000-1", "00000000-1-2-3", "0-1-2"] {
            assert_eq!(is_running(text), None, "{text}");
        }
    }

    #[test]
    fn this_machine_says_what_it_is() {
        assert_eq!(boot_id().unwrap().len(), 36);
        assert!(kernel_release().contains('.'));
        assert!(peak_memory().unwrap() > ByteSize::kib(100));
        assert!(memory_available().unwrap() > peak_memory().unwrap());
        assert!(!hostname().is_empty());
        assert!(process_start(std::process::id()).unwrap() > 0);
        assert!(process_start(1).unwrap() < process_start(std::process::id()).unwrap());
    }
}
