#!/usr/bin/env bash
# Makes what the laboratory boots: a User-mode Linux kernel with its C library (Debian forky) and the image of a root
# filesystem (Debian bookworm). See docs/laboratory.md.
#
#   make.sh [DIR]    into DIR, or $SUBVAULT_LAB, or target/lab; prints the directory
#
# What is there and was made by these same files is used again, so that this can be called each time. Needs root and, when
# something must be made, Debian's archive, as this machine's own sources name it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=ci/packages.sh
. "$here/../packages.sh"

lab=${1:-${SUBVAULT_LAB:-$here/../../target/lab}}
# What the guest needs: systemd and udev for what happens by itself, the programs that subvault starts, and those that check it.
packages=systemd,systemd-sysv,udev,dbus,kmod,btrfs-progs,cryptsetup-bin,dmsetup,zstd,age,psmisc
say() { printf '%s\n' "laboratory: $*" >&2; }

# The archive and its keyring that this machine installs from.
mirror() {
    local found
    found=$(cat /etc/apt/sources.list.d/*.sources 2>/dev/null | awk '$1 == "URIs:" { print $2; exit }')
    [ -n "$found" ] || found=$(sed -nE 's/^deb +(\[[^]]*\] +)?(http[^ ]+).*/\2/p' /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | head -n 1)
    [ -n "$found" ] || { say "no Debian archive is named in /etc/apt"; return 1; }
    printf '%s\n' "$found"
}

# The kernel needs a newer C library than most machines have: both are unpacked into a directory that it is run in.
get_kernel() { # DIR WORK
    local apt source=$2/sources.list
    mkdir -p "$1"/{proc,dev,tmp,root,host,lab} "$2/lists/partial"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(mirror) forky main" > "$source"
    # Lists of its own: those of the machine stay as they are.
    apt=(-qq -o Dir::Etc::sourcelist="$source" -o Dir::Etc::sourceparts=- -o Dir::State::Lists="$2/lists"
        -o Dir::State::status=/dev/null -o Dir::Cache="$2" -o APT::Sandbox::User=root)
    apt-get "${apt[@]}" update
    (cd "$2" && apt-get "${apt[@]}" download user-mode-linux libc6 libgcc-s1)
    for deb in "$2"/*.deb; do
        dpkg -x "$deb" "$1"
        # shellcheck disable=SC2016 # dpkg expands it
        dpkg-deb --show --showformat '${Package} ${Version}\n' "$deb" >> "$1/versions"
    done
    for link in lib lib64; do
        [ -e "$1/$link" ] || ln -s "usr/$link" "$1/$link"
    done
}

get_root() { # DIR KERNEL
    mmdebstrap --quiet --mode=root --variant=minbase --include=$packages \
        --aptopt='Acquire::Languages "none"' --aptopt='APT::Install-Recommends "false"' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        bookworm "$1" "deb $(mirror) bookworm main"
    mkdir -p "$1/lib/modules"
    cp -a "$2"/usr/lib/uml/modules/* "$1/lib/modules/"
    mkdir -p "$1/host" "$1/usr/lib/lab"
    cp "$here"/guest/*.sh "$1/usr/lib/lab/"
    chmod 755 "$1"/usr/lib/lab/*.sh
    cp "$here/guest/lab-agent.service" "$1/etc/systemd/system/"
    ln -s /etc/systemd/system/lab-agent.service "$1/etc/systemd/system/multi-user.target.wants/"
    # The program under test comes with the directory of each case, so that the image need not be made anew for it.
    ln -s /host/subvault "$1/usr/bin/subvault"
    echo laboratory > "$1/etc/hostname"
    echo 0123456789abcdef0123456789abcdef > "$1/etc/machine-id"
    echo "LABEL=root / ext4 noatime 0 0" > "$1/etc/fstab"
    # Nobody logs in, and nothing starts by the calendar but what is tested.
    rm -f "$1"/etc/systemd/system/timers.target.wants/* "$1"/etc/systemd/system/getty.target.wants/*
    chroot "$1" systemctl --quiet mask systemd-timesyncd.service systemd-logind.service e2scrub_reap.service \
        apt-daily.timer apt-daily-upgrade.timer console-getty.service serial-getty@.service getty@.service 2>/dev/null
    # shellcheck disable=SC2016 # dpkg expands it
    chroot "$1" dpkg-query --show --showformat '${Package} ${Version}\n' systemd udev btrfs-progs cryptsetup-bin >> "$2/versions"
}

make() { # WORK
    say "unpacking the kernel"
    get_kernel "$1/kernel" "$1/packages"
    say "making the root"
    get_root "$1/root" "$1/kernel"
    # Without a journal: each boot begins with it as it is here.
    mke2fs -q -F -t ext4 -O ^has_journal -L root -d "$1/root" "$1/root.img" 1G
}

[ "$(id -u)" = 0 ] || { say "run it as root"; exit 1; }
mkdir -p "$lab"
lab=$(cd "$lab" && pwd)
made_by=$(cat "$here/make.sh" "$here"/guest/* | sha256sum | cut -d' ' -f1)
exec 9> "$lab/lock"
flock 9
if [ "$(cat "$lab/made-by" 2>/dev/null)" != "$made_by" ]; then
    need mmdebstrap:mmdebstrap mke2fs:e2fsprogs dpkg-deb:dpkg >&2
    work=$(mktemp -d "$lab/making.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    rm -rf "$lab/made-by" "$lab/kernel" "$lab/root.img"
    make "$work" >&2
    mv "$work/kernel" "$work/root.img" "$lab/"
    echo "$made_by" > "$lab/made-by"
    say "made in $SECONDS s"
fi
say "$(paste -sd, "$lab/kernel/versions" | sed 's/,/, /g')"
printf '%s\n' "$lab"
