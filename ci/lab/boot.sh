#!/usr/bin/env bash
# Boots a machine of the laboratory: User-mode Linux as a process, in a process namespace of its own, so that it ends all
# at once, as by a power cut, when this is killed. What it mounts is seen by nobody else and goes with it; what is unmounted
# outside, where it is shared, is unmounted for it as well.
#
#   boot.sh LAB SHARE SECONDS [ARGUMENT OF THE KERNEL …]
#
# SHARE appears as /host inside, and is where disks lie: `ubdb=/host/disk.img`. The console is standard output. The root
# is always as `make.sh` made it; what the machine changes on it is in SHARE/root.cow until the next boot.
set -euo pipefail
lab=$(cd "$1" && pwd)
share=$(cd "$2" && pwd)
seconds=$3
shift 3
# Directories of ours mean nothing where the kernel runs: it would look for room for its memory in one that is not there.
unset TMPDIR TMP TEMP
rm -f "$share/root.cow"
rm -rf "$share/console"
mkdir -p "$share/console"
# shellcheck disable=SC2016 # the inner shell expands them
exec setpriv --pdeathsig KILL unshare --mount --propagation slave --pid --fork --kill-child bash -c '
    set -e
    lab=$1 share=$2 seconds=$3
    shift 3
    mount -t proc proc "$lab/kernel/proc"
    mount --rbind /dev "$lab/kernel/dev"
    # The memory of the machine is a file here.
    mount -t tmpfs tmpfs "$lab/kernel/dev/shm"
    mount --bind "$share" "$lab/kernel/host"
    mount --bind "$lab" "$lab/kernel/lab"
    exec timeout --signal KILL "$seconds" chroot "$lab/kernel" /usr/bin/linux.uml mem=1024M seccomp=on \
        con=null con0=null,fd:1 ssl=null uml_dir=/host/console umid=machine \
        ubd0=/host/root.cow,/lab/root.img root=/dev/ubda rw rootfstype=ext4 quiet "$@"
' boot "$lab" "$share" "$seconds" "$@" < /dev/null
