#!/bin/sh
# AWS's own tool, which the test of runbooks gives to its machines: installs it if needed, and prints a shell assignment for
# `eval`: the directory of its Python packages. SUBVAULT_CI_CACHE (default /opt/subvault-ci) keeps it between runs.
set -eu

version=1.45.11
venv=${SUBVAULT_CI_CACHE:-/opt/subvault-ci}/aws-cli-$version

if [ ! -e "$venv/complete" ]; then
    # The system's own Python: it is the one that the machines have.
    if ! /usr/bin/python3 -c 'import ensurepip' 2>/dev/null; then
        apt-get update -q >&2
        apt-get install -y --no-install-recommends python3-venv >&2
    fi
    rm -rf "$venv"
    mkdir -p "${venv%/*}"
    /usr/bin/python3 -m venv "$venv" >&2
    "$venv/bin/pip" install -q --disable-pip-version-check "awscli==$version" >&2
    : >"$venv/complete"
fi
echo "export SUBVAULT_TEST_AWS_CLI=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
