# shellcheck shell=bash
# Installs what a script needs and the machine lacks: `need PROGRAM:PACKAGE …`. A program with a / is a path.
need() {
    local pair program missing=()
    for pair in "$@"; do
        program=${pair%%:*}
        if [[ $program == */* ]]; then
            [ -e "$program" ] || missing+=("${pair##*:}")
        else
            command -v "$program" >/dev/null || missing+=("${pair##*:}")
        fi
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if ! command -v apt-get >/dev/null; then
        echo "These packages are missing, and only Debian's are installed by this script: ${missing[*]}" >&2
        return 1
    fi
    echo "Installing ${missing[*]} …"
    apt-get update -q >/dev/null
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null
}

# Everything that building needs besides Rust, and everything that mounting and comparing needs.
need_to_build() {
    if ! command -v cargo >/dev/null && [ -x "$HOME/.cargo/bin/cargo" ]; then
        PATH=$HOME/.cargo/bin:$PATH
    fi
    if ! command -v cargo >/dev/null; then
        echo "Rust is missing: see https://rustup.rs, or your distribution's packages (1.95 or newer)." >&2
        return 1
    fi
    need cc:build-essential jq:jq
}
