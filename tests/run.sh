#!/usr/bin/env bash
# Installs what the tests need and passes them: examples' guests, kubectl, a registry, etcd, then all
# tests. Arguments go to the test runner (a filter, say). Asks nothing; works as root or with sudo.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

if ! command -v cargo >/dev/null && [ -e "${CARGO_HOME:-$HOME/.cargo}/env" ]; then
    # shellcheck disable=SC1091 # made by rustup
    . "${CARGO_HOME:-$HOME/.cargo}/env"
fi
if ! command -v cc >/dev/null; then
    printf '==> Installing build-essential\n'
    sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
    $sudo apt-get update -qq
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends build-essential pkg-config
fi

printf '==> Tools: kubectl, docker-registry and etcd\n'
bash tests/tools.sh
printf '==> Guests of the examples\n'
bash examples/build.sh
printf '==> Building\n'
cargo build --locked --workspace --all-targets
printf '==> Tests\n'
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --locked --workspace "$@"
else
    cargo test --locked --workspace "$@"
fi
