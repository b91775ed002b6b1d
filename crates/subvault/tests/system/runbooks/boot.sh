#!/bin/bash
# Starts a machine of a runbook's test in name spaces of its own, and runs a script of commands in it.
#
#   boot.sh DIRECTORY here|rescue|other SCRIPT
#
# Of DIRECTORY: `disks` has a line for each disk and partition, its name on the machine and its loop device; `system` names the
# one that the machine's pool is on; `over` has the stand-ins and the program; `cmdline` is what the kernel was started with; `attached` collects loop devices that were made on the way.
# `here` mounts the subvolume @ of the pool as its root, and everything that its fstab names. The others start from
# nothing but memory, as a live system does: `rescue` with a copy of the settings, `other` with keys and a spare Btrfs at /root.
set -eu
directory=$1 kind=$2 script=$3
root=$directory/root

skeleton() {
    mkdir -p "$root"/{usr,etc,proc,sys,dev,run,tmp,mnt,root,home,opt,var/{lib,log,tmp}}
    local name
    for name in bin sbin lib lib64; do [ -L "$root/$name" ] || ln -s "usr/$name" "$root/$name"; done
}

# The loop device of a disk or partition.
device() { awk -v name="$1" '$1 == name { print $2 }' "$directory/disks"; }

# A device node by the name that it has on the machine, another by the kernel's, and what names its file system.
node() {
    local name=$1 loop=$2 numbers link value
    numbers=$(stat -c '%Hr %Lr' "$loop")
    # shellcheck disable=SC2086 # two numbers
    mknod "$root/dev/$name" b $numbers
    # shellcheck disable=SC2086
    mknod "$root$loop" b $numbers
    for link in UUID:by-uuid LABEL:by-label; do
        value=$(blkid -p -s "${link%:*}" -o value "$loop" || true)
        [ -z "$value" ] || ln -sf "../../$name" "$root/dev/disk/${link#*:}/$value"
    done
}

devices() {
    mount -t tmpfs dev "$root/dev"
    local name
    for name in null zero full random urandom tty loop-control btrfs-control; do cp -a "/dev/$name" "$root/dev/"; done
    mkdir -p "$root"/dev/{shm,disk/by-uuid,disk/by-label}
    ln -s /proc/self/fd "$root/dev/fd"
    mount -t tmpfs shm "$root/dev/shm"
    while read -r name loop; do node "$name" "$loop"; done <"$directory/disks"
}

system() {
    mount -t overlay -o "lowerdir=$directory/over:/usr" usr "$root/usr"
    mount -t proc proc "$root/proc"
    mount --bind "$directory/cmdline" "$root/proc/cmdline"
    mount --rbind /sys "$root/sys"
    mount -t tmpfs run "$root/run"
    mount -t tmpfs tmp "$root/tmp"
    mkdir -p "$root/run/test" "$root/run/lock" "$root/run/blkid"
    mount --bind "$directory" "$root/run/test"
    devices
    if [ -e "$directory/aws" ]; then
        mkdir "$root/run/aws"
        mount --bind "$(cat "$directory/aws")" "$root/run/aws"
    fi
}

mkdir -p "$root"
ip link set lo up
case $kind in
here)
    mount -o subvol=@ "$(device "$(cat "$directory/system")")" "$root"
    skeleton
    system
    ;;
*)
    mount -t tmpfs live "$root"
    skeleton
    cp -a /etc/. "$root/etc/"
    rm -rf "$root/etc/subvault"
    system
    if [ "$kind" = rescue ]; then
        cp -a "$directory/settings" "$root/etc/subvault"
    else
        mount "$(device spare)" "$root/root"
        cp "$directory/settings/identity.txt" "$root/root/identity.txt"
        [ ! -e "$directory/settings/credentials" ] || cp -a "$directory/settings/credentials" "$root/root/credentials"
    fi
    ;;
esac
# The network of the test, one port of it: another name space has none of its own.
if [ -e "$directory/port" ]; then
    port=$(cat "$directory/port")
    /usr/bin/python3 -IS "$directory/forward.py" inside "$port" "$directory/s3"
fi
cp "$script" "$root/run/script"
run() { chroot "$root" env -i PATH=/usr/local/bin:/usr/bin:/usr/sbin HOME=/root TZ=UTC LC_ALL=C.UTF-8 bash "$@"; }
# shellcheck disable=SC2016 # the machine's shell expands it
[ "$kind" != here ] || run -c 'mount -a; for name in postgres:postgresql mysql:mysqld redis:redis; do install -d -o "${name%:*}" -m 755 "/run/${name#*:}"; done'
[ ! -e "$directory/start" ] || run -e /run/test/start "$kind"
run -e /run/script
