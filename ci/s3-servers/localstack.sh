#!/bin/sh
# LocalStack's S3 on 127.0.0.1, for the store's contract tests: the meaning of S3 (classes, thawing, conditions,
# checksums). It does not check signatures.
#
#   localstack.sh start DIR    install if needed, start, make the bucket, print shell assignments for `eval`
#   localstack.sh stop DIR     stop the server that was started with this DIR
#
# Both may be repeated. SUBVAULT_CI_CACHE (default /opt/subvault-ci) keeps the installation between runs.
set -eu

version=4.7.0
port=${SUBVAULT_LOCALSTACK_PORT:-4566}
cache=${SUBVAULT_CI_CACHE:-/opt/subvault-ci}
venv=$cache/localstack-$version
bucket=vault
endpoint=http://127.0.0.1:$port

say() { printf '%s\n' "localstack: $*" >&2; }
die() { say "$*"; exit 1; }

# A pid is only ours as long as the process still runs what we started.
running() {
    [ -s "$dir/pid" ] || return 1
    pid=$(cat "$dir/pid")
    tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q localstack.runtime
}

install_once() {
    [ -e "$venv/complete" ] && return
    if ! python3 -c 'import ensurepip' 2>/dev/null; then
        apt-get update -q >&2
        apt-get install -y --no-install-recommends python3-venv >&2
    fi
    say "installing $version into $venv"
    rm -rf "$venv"
    mkdir -p "$cache"
    python3 -m venv "$venv" >&2
    # Newer cbor2, cryptography and pyOpenSSL break it, and it forgets to ask for service_identity.
    "$venv/bin/pip" install -q --disable-pip-version-check "localstack-core[base-runtime]==$version" \
        'cbor2<5.8' 'cryptography<46' 'pyopenssl==25.1.0' service_identity >&2
    : >"$venv/complete"
}

healthy() {
    curl -fs --max-time 2 "$endpoint/_localstack/health" 2>/dev/null | grep -q '"s3": "\(running\|available\)'
}

assignments() {
    echo "export SUBVAULT_TEST_S3_LOCALSTACK=$endpoint"
    echo "export SUBVAULT_TEST_S3_LOCALSTACK_BUCKET=$bucket"
    echo "export SUBVAULT_TEST_S3_LOCALSTACK_ACCESS_KEY=test"
    echo "export SUBVAULT_TEST_S3_LOCALSTACK_SECRET_KEY=testtest"
}

start() {
    install_once
    mkdir -p "$dir/data"
    if ! running; then
        ! healthy || die "port $port is taken by a server that was not started with $dir"
        (
            cd "$dir"
            SERVICES=s3 EAGER_SERVICE_LOADING=1 DISABLE_EVENTS=1 SKIP_SSL_CERT_DOWNLOAD=1 \
                GATEWAY_LISTEN=127.0.0.1:$port TMPDIR=$dir/data FILESYSTEM_ROOT=$dir/data MALLOC_ARENA_MAX=2 \
                setsid "$venv/bin/python" -m localstack.runtime.main >"$dir/log" 2>&1 </dev/null &
            echo $! >"$dir/pid"
        )
    fi
    tries=0
    until healthy; do
        tries=$((tries + 1))
        running || { tail -n 20 "$dir/log" >&2; die "it ended while starting"; }
        [ "$tries" -lt 300 ] || die "not healthy after 60 s; see $dir/log"
        sleep 0.2
    done
    # Signatures are not checked, but their form must be right for the request to be taken for S3.
    curl -fs -o /dev/null -X PUT -H 'Authorization: AWS4-HMAC-SHA256 Credential=test/20000101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0' \
        "$endpoint/$bucket" || die "the bucket could not be made"
    say "ready at $endpoint, pid $(cat "$dir/pid")"
    assignments
}

stop() {
    if running; then
        kill "$pid"
        tries=0
        while running; do
            tries=$((tries + 1))
            [ "$tries" -lt 50 ] || { kill -9 "$pid" || true; break; }
            sleep 0.2
        done
        say "stopped"
    fi
    rm -rf "$dir/pid" "$dir/data"
}

[ $# -eq 2 ] || die "usage: localstack.sh start|stop DIR"
mkdir -p "$2"
dir=$(cd "$2" && pwd)
case $1 in
start) start ;;
stop) stop ;;
*) die "usage: localstack.sh start|stop DIR" ;;
esac
