#!/bin/bash
# The first process of a machine that needs no systemd: mounts what every program expects, then does as it is told.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root TZ=UTC
# Without udev, device-mapper makes its nodes itself.
export DM_DISABLE_UDEV=1
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev 2>/dev/null
# udev would make it.
ln -s /proc/self/fd /dev/fd
mkdir -p /dev/shm /dev/mapper
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
mkdir -p /run/lock
/usr/lib/lab/agent.sh
