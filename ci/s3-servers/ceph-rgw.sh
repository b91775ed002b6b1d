#!/bin/sh
# A Ceph object gateway on 127.0.0.1, for the store's contract tests: a production server that checks signatures and
# honours some conditions and not others. One monitor, one OSD that keeps its data in memory, one gateway.
#
#   ceph-rgw.sh start DIR    install if needed, start, make the bucket, print shell assignments for `eval`
#   ceph-rgw.sh stop DIR     stop the daemons that were started with this DIR
#
# Both may be repeated. Needs root. The data is gone after `stop`.
set -eu

port=${SUBVAULT_RGW_PORT:-5557}
bucket=vault
endpoint=http://127.0.0.1:$port
access_key="test"
secret_key=testtest

say() { printf '%s\n' "ceph-rgw: $*" >&2; }
die() { say "$*"; exit 1; }

# A pid is only ours as long as the process still runs with our configuration.
ours() {
    [ -s "$1" ] || return 1
    pid=$(cat "$1")
    tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF -- "$dir/ceph.conf"
}

install_once() {
    for program in radosgw ceph-mon ceph-osd ceph monmaptool uuidgen curl; do
        command -v "$program" >/dev/null 2>&1 && continue
        say "installing the daemons"
        apt-get update -q >&2
        DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
            radosgw ceph-mon ceph-osd ceph-mgr ceph-common uuid-runtime curl >&2
        return
    done
}

# Without `ms_mon_client_mode = crc` the gateway hangs when authentication is off; mon_host must name both protocols.
configure() {
    cat >"$dir/ceph.conf" <<CONF
[global]
fsid = $(uuidgen)
mon_host = [v2:127.0.0.1:13300/0,v1:127.0.0.1:16789/0]
mon_initial_members = a
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
ms_mon_client_mode = crc
run_dir = $dir/run
admin_socket = $dir/run/\$name.asok
pid_file = $dir/run/\$name.pid
log_file = $dir/log/\$name.log
mon_data = $dir/mon
osd_data = $dir/osd
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 8
osd_crush_chooseleaf_type = 0
osd_memory_target = 939524096
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 2000
osd_objectstore = memstore
memstore_device_bytes = 3221225472
[client.rgw]
rgw_frontends = beast endpoint=127.0.0.1:$port
rgw_data = $dir/rgw
rgw_thread_pool_size = 32
ms_mon_client_mode = crc
CONF
}

daemon() { program=$1; shift; "$program" -c "$dir/ceph.conf" "$@" >&2; }
# `ceph` waits for ever for a monitor that does not come up.
ceph_command() { timeout 60 ceph -c "$dir/ceph.conf" "$@" >&2; }
admin() { timeout 120 radosgw-admin -c "$dir/ceph.conf" -n client.rgw "$@" >"$dir/log/admin" 2>&1 || { cat "$dir/log/admin" >&2; die "radosgw-admin $* failed"; }; }

monitor() {
    ours "$dir/run/mon.a.pid" && return
    rm -rf "$dir/mon" "$dir/osd" "$dir/rgw" "$dir/run" "$dir/log"
    mkdir -p "$dir/mon" "$dir/osd" "$dir/rgw" "$dir/run" "$dir/log"
    configure
    monmaptool --create --clobber --fsid "$(sed -n 's/^fsid = //p' "$dir/ceph.conf")" \
        --addv a '[v2:127.0.0.1:13300,v1:127.0.0.1:16789]' "$dir/monmap" >&2
    daemon ceph-mon --mkfs -i a --monmap "$dir/monmap"
    daemon ceph-mon -i a
}

storage() {
    ours "$dir/run/osd.0.pid" && return
    id=$(uuidgen)
    ceph_command osd new "$id"
    daemon ceph-osd -i 0 --mkfs --osd-uuid "$id"
    daemon ceph-osd -i 0
    ceph_command osd crush add osd.0 1.0 root=default host=localhost
}

gateway() {
    ours "$dir/run/client.rgw.pid" && return
    admin user create --uid=t --display-name=t --access-key="$access_key" --secret-key="$secret_key"
    admin zonegroup placement add --rgw-zonegroup default --placement-id default-placement --storage-class DEEP_ARCHIVE
    admin zone placement add --rgw-zone default --placement-id default-placement --storage-class DEEP_ARCHIVE \
        --data-pool default.rgw.cold
    daemon radosgw -n client.rgw
}

healthy() { curl -fs --max-time 2 -o /dev/null "$endpoint/"; }

# The gateway checks signatures, so the bucket is made with a real one: curl knows how.
make_bucket() {
    code=$(curl -s -o /dev/null -w '%{http_code}' --max-time 30 -X PUT --aws-sigv4 aws:amz:us-east-1:s3 \
        --user "$access_key:$secret_key" -H 'x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' \
        "$endpoint/$bucket")
    case $code in
    200 | 409) ;;
    *) die "the bucket could not be made: $code" ;;
    esac
}

assignments() {
    echo "export SUBVAULT_TEST_S3_RGW=$endpoint"
    echo "export SUBVAULT_TEST_S3_RGW_BUCKET=$bucket"
    echo "export SUBVAULT_TEST_S3_RGW_ACCESS_KEY=$access_key"
    echo "export SUBVAULT_TEST_S3_RGW_SECRET_KEY=$secret_key"
}

start() {
    install_once
    monitor
    storage
    gateway
    tries=0
    until healthy; do
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || die "not healthy after 60 s; see $dir/log"
        sleep 0.2
    done
    make_bucket
    say "ready at $endpoint"
    assignments
}

stop() {
    for name in client.rgw osd.0 mon.a; do
        file=$dir/run/$name.pid
        ours "$file" || continue
        kill "$pid"
        tries=0
        while ours "$file"; do
            tries=$((tries + 1))
            [ "$tries" -lt 50 ] || { kill -9 "$pid" || true; break; }
            sleep 0.2
        done
        say "stopped $name"
    done
    rm -rf "$dir/mon" "$dir/osd" "$dir/rgw" "$dir/run" "$dir/monmap" "$dir/ceph.conf"
}

[ $# -eq 2 ] || die "usage: ceph-rgw.sh start|stop DIR"
mkdir -p "$2"
dir=$(cd "$2" && pwd)
case $1 in
start) start ;;
stop) stop ;;
*) die "usage: ceph-rgw.sh start|stop DIR" ;;
esac
