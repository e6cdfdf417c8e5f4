#!/usr/bin/env bash
# From a fresh Debian 12 or Ubuntu with rustup to a running Deployment: installs what is missing,
# builds the guests and the coracle binary, runs examples/hello-http, asks its NodePort for an
# answer, prints it and stops. Asks nothing; works as root or with sudo; leaves behind packages,
# Rust's wasm targets and build directories, but no process and no cluster.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

url=http://127.0.0.1:30080/
answer_seconds_max=60

say() { printf '\n==> %s\n' "$*"; }
fail() {
    printf '\nquickstart: %s\n' "$*" >&2
    exit 1
}
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo -- "$@"
    else
        fail "this needs root or sudo: $*"
    fi
}

# ---- what the build needs

missing=()
command -v cc >/dev/null || missing+=(build-essential)
command -v pkg-config >/dev/null || missing+=(pkg-config)
command -v curl >/dev/null || missing+=(curl)
[ -e /etc/ssl/certs/ca-certificates.crt ] || missing+=(ca-certificates)
if [ ${#missing[@]} -gt 0 ]; then
    command -v apt-get >/dev/null || fail "please install: ${missing[*]}"
    say "Installing ${missing[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi

# A shell that has not been opened anew since rustup came does not know it yet.
if ! command -v cargo >/dev/null && [ -e "${CARGO_HOME:-$HOME/.cargo}/env" ]; then
    # shellcheck disable=SC1091 # made by rustup
    . "${CARGO_HOME:-$HOME/.cargo}/env"
fi
command -v rustup >/dev/null || fail "rustup is needed: https://rustup.rs"
wanted=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
have=$(rustc --version | cut -d ' ' -f 2)
[ "$(printf '%s\n' "$wanted" "$have" | sort -V | head -n 1)" = "$wanted" ] ||
    fail "Rust $wanted or later is needed, this is $have: rustup update stable"

# ---- build

say "Building the example guests for WebAssembly"
bash examples/build.sh

say "Building coracle (some minutes the first time)"
cargo build --release --locked --bin coracle
coracle=${CARGO_TARGET_DIR:-target}/release/coracle

# ---- run

log=$(mktemp)
pid=
stop() {
    [ -n "$pid" ] || return 0
    kill -INT "$pid" 2>/dev/null || true
    for _ in $(seq 100); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    pid=
}
trap 'stop; rm -f -- "$log"' EXIT
trap 'exit 130' INT TERM

curl -sS --max-time 2 "$url" >/dev/null 2>&1 && fail "something answers at $url already; end it first"
say "coracle run examples/hello-http"
"$coracle" run examples/hello-http >"$log" 2>&1 &
pid=$!

answer=
for _ in $(seq $((answer_seconds_max * 10))); do
    if answer=$(curl -fsS --max-time 5 "$url" 2>/dev/null); then break; fi
    if ! kill -0 "$pid" 2>/dev/null; then
        cat -- "$log" >&2
        fail "coracle ended before $url answered"
    fi
    sleep 0.1
done
cat -- "$log"
[ -n "$answer" ] || fail "no answer from $url within $answer_seconds_max s"

say "curl $url"
printf '%s\n' "$answer"

say "Stopping"
stop
say "Done. Now try: $coracle run examples/hello-http"
