//! `subvault.service` and `subvault-replicate@.service`.
//!
//! Both are locked in as far as their work allows. It needs much: snapshots are made and received anywhere on a pool, with
//! any owner, mode and attribute, set-user-ID files and devices among them; disks are mounted; other processes of root
//! must be seen, or the lock of a run that lives would be taken for a dead one's. So the file system stays writable, and
//! there is no `PrivateDevices`, `RestrictSUIDSGID` or `ProtectProc`. `ProtectClock` would close all devices.

use std::path::Path;

use super::escape::{argument, optional, setting};
use super::{DiskIdentity, NotRendered, Wanted};
use crate::file::mark;

/// What starts when something is due.
pub(super) fn run(wanted: &Wanted) -> Result<String, NotRendered> {
    let command = command(wanted, "run")?;
    text(wanted, "Snapshots, copies and archives that are due", "subvault-run", &format!("{command}\n{RUN_ALONE}"))
}

/// What starts when the disk of a target appears; the instance is the target's name.
pub(super) fn replicate(wanted: &Wanted) -> Result<String, NotRendered> {
    // The name is taken as it is: `%I` would turn its dashes into slashes.
    let command = command(wanted, "replicate --wait --target %i")?;
    text(wanted, "Copy of snapshots to the disk of the target %i", "subvault-replicate", &format!("{command}\n"))
}

fn command(wanted: &Wanted, verb: &str) -> Result<String, NotRendered> {
    let program = argument(&wanted.program)?;
    let config = wanted.config.as_deref().map(argument).transpose()?;
    Ok(match config {
        None => format!("{program} {verb}"),
        Some(config) => format!("{program} --config {config} {verb}"),
    })
}

fn text(wanted: &Wanted, description: &str, manual: &str, command: &str) -> Result<String, NotRendered> {
    let mark = mark(super::WORD);
    let mut text = format!("{mark}[Unit]\nDescription={description}\nDocumentation=man:{manual}(1)\n");
    text.push_str("# Snapshots carry the time.\nAfter=time-sync.target\n");
    if wanted.network {
        text.push_str("Wants=network-online.target\nAfter=network-online.target\n");
    }
    text.push_str(&format!("\n[Service]\nType=oneshot\nExecStart={command}"));
    text.push_str(LIFE);
    text.push_str(if wanted.manners.idle_io { IDLE } else { LAST });
    if let Some(state) = &wanted.state {
        text.push_str(&format!("StateDirectory={state}\nStateDirectoryMode=0700\n"));
    }
    for (name, file) in &wanted.credentials {
        text.push_str(&format!("LoadCredential={name}:{}\n", setting(file)?));
    }
    text.push_str(LOCKED);
    let closed = |path: &Path| CLOSED.iter().any(|directory| path.starts_with(directory));
    for path in wanted.writes.iter().filter(|path| closed(path)) {
        text.push_str(&format!("ReadWritePaths={}\n", optional(path)?));
    }
    if wanted.hooks {
        text.push_str("\n# Hooks are commands of yours, and are not locked in any further.\n");
    } else {
        text.push_str(LOCKED_WITHOUT_HOOKS);
        text.push_str(&families(wanted));
    }
    Ok(text)
}

fn families(wanted: &Wanted) -> String {
    let mut families = vec!["AF_UNIX", "AF_NETLINK"];
    if wanted.disks.iter().any(|disk| matches!(disk.identity, DiskIdentity::Luks(_))) {
        // cryptsetup computes in the kernel.
        families.push("AF_ALG");
    }
    if wanted.network {
        families.extend(["AF_INET", "AF_INET6"]);
    }
    let nowhere = if wanted.network { "" } else { "IPAddressDeny=any\n" };
    format!("RestrictAddressFamilies={}\n{nowhere}", families.join(" "))
}

/// A disk that was plugged in is none of what another run does: its copy waits, and fails where it is not made.
const RUN_ALONE: &str = "\
# Another run is at work (4): it does what is due.
SuccessExitStatus=4
";

/// There is no time-out that would fit: taking a snapshot and sending for days are the same service.
const LIFE: &str = "\
# A first full can take days. Interrupted, the next run goes on where this one was.
TimeoutStartSec=infinity
Slice=subvault.slice
UMask=0077
Nice=10
";

const IDLE: &str = "\
# Somebody sits at this machine: its disk is free often enough.
IOSchedulingClass=idle
";

const LAST: &str = "\
# Not idle: on a disk that always has something to do the copy would never end.
IOSchedulingClass=best-effort
IOSchedulingPriority=7
";

/// What `ProtectSystem=full` closes.
const CLOSED: [&str; 4] = ["/usr", "/boot", "/efi", "/etc"];

const LOCKED: &str = "
ProtectSystem=full
ProtectKernelTunables=true
ProtectKernelModules=true
ProtectKernelLogs=true
ProtectControlGroups=true
ProtectHostname=true
RestrictRealtime=true
LockPersonality=true
KeyringMode=private
";

const LOCKED_WITHOUT_HOOKS: &str = "
NoNewPrivileges=true
CapabilityBoundingSet=CAP_SYS_ADMIN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_CHOWN CAP_FOWNER CAP_FSETID CAP_MKNOD CAP_SETFCAP CAP_LINUX_IMMUTABLE CAP_IPC_LOCK
RestrictNamespaces=true
MemoryDenyWriteExecute=true
SystemCallArchitectures=native
SystemCallFilter=@system-service @mount
SystemCallErrorNumber=EPERM
";
