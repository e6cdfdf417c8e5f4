#!/usr/bin/env bash
# Makes sure that Rust can build for wasm32-wasip2 and wasm32-wasip1.
#
# The last line on stdout is the directory to put first in PATH; all else goes to stderr:
#
#     PATH="$(bash tests/wasi-toolchain.sh):$PATH" cargo build --release --target wasm32-wasip2
#
# Where rustup can add the two targets, it does and its own directory is printed. Where it cannot
# (no way to static.rust-lang.org), a private toolchain is put together on Debian 12 from packages:
# Debian's compiler and the standard library's source of the same version (rustc-web, cargo-web,
# rust-web-src), the C library for WASI of Debian 13 (unpacked, never installed), and the linkers
# that come with the rustup toolchain. It is kept in the user's cache, one directory for each pair
# of package versions, and nothing is done when it is there. Works as root or with sudo.
#
#     wasi-toolchain.sh [--private]     --private: do not ask rustup
set -euo pipefail
# Which toolchain is active depends on the folder.
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../examples"

targets=(wasm32-wasip2 wasm32-wasip1)
private=false
if [ "${1:-}" = --private ]; then private=true; fi
cache=${CORACLE_WASI_TOOLCHAIN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/coracle/wasi-toolchain}

say() { printf 'wasi-toolchain: %s\n' "$*" >&2; }
fail() {
    say "$*"
    exit 1
}
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@" >&2; else sudo -- "$@" >&2; fi
}

# Settings of a build that may be running around us must not reach this one.
unset CARGO_TARGET_DIR CARGO_BUILD_TARGET_DIR CARGO_BUILD_TARGET RUSTC RUSTDOC RUSTFLAGS CARGO_ENCODED_RUSTFLAGS \
    RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER RUSTUP_TOOLCHAIN CARGO

# ---- the easy way

by_rustup() {
    local bin target
    bin=$(dirname -- "$(command -v cargo)") || return 1
    for target in "${targets[@]}"; do
        rustup target list --installed 2>/dev/null | grep -qx "$target" && continue
        say "asking rustup for $target"
        # rustup repeats each download several times before it gives up.
        RUSTUP_MAX_RETRIES=1 timeout 300 rustup target add "$target" >&2 || return 1
    done
    printf '%s\n' "$bin"
}

command -v rustup >/dev/null || fail "rustup is needed (https://rustup.rs); its toolchain brings the linkers"
installed=$(rustup target list --installed 2>/dev/null || true)
mkdir -p -- "$cache"

# ---- the private toolchain

version_of() { dpkg-query -W -f '${Version}' "$1" 2>/dev/null || true; }

# The finished directory made from the compiler that is installed now.
finished() {
    local compiler dir
    compiler=$(version_of rustc-web)
    [ -n "$compiler" ] || return 1
    for dir in "$cache/$compiler"_*; do
        # The links into the rustup toolchain break when that one is removed.
        if [ -e "$dir/complete" ] && [ -x "$dir/lib/rustlib/$host/bin/wasm-component-ld" ]; then
            printf '%s\n' "$dir/bin"
            return 0
        fi
    done
    return 1
}

install_compiler() {
    local wanted=(rustc-web cargo-web rust-web-src) package
    for package in "${wanted[@]}"; do
        if [ -z "$(version_of "$package")" ]; then
            say "installing ${wanted[*]} (about 150 MB to download)"
            apt-cache show rustc-web >/dev/null 2>&1 || as_root apt-get update -qq
            as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${wanted[@]}"
            return
        fi
    done
}

# Unpacks Debian 13's wasi-libc into $1/libc and prints its version. apt works on lists and a cache
# of its own here, so nothing of Debian 13 becomes known to the machine.
unpack_libc() {
    local work=$1 mirror options deb
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/deb"
    # shellcheck disable=SC2016 # the words are apt's own
    mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' 2>/dev/null |
        awk '$2 == "bookworm" { print $1; exit }')
    mirror=${mirror:-http://deb.debian.org/debian}
    say "fetching wasi-libc of Debian 13 from $mirror"
    printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s trixie main\n' "$mirror" >"$work/sources.list"
    options=(-qq -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=/dev/null
        -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache" -o Debug::NoLocking=1
        -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false)
    # As root, apt would fetch as a user who may not write here.
    if [ "$(id -u)" = 0 ]; then options+=(-o APT::Sandbox::User=root); fi
    apt-get "${options[@]}" update >&2
    (cd "$work/deb" && apt-get "${options[@]}" download wasi-libc >&2)
    deb=("$work"/deb/wasi-libc_*.deb)
    dpkg-deb -x "${deb[0]}" "$work/libc"
    dpkg-deb -f "${deb[0]}" Version
}

# Lays out a sysroot in $1: the host's part is Debian's, the linkers are rustup's.
lay_out() {
    local dest=$1 linkers=$2
    mkdir -p "$dest/bin" "$dest/lib/rustlib/$host"
    ln -s "/usr/lib/rustlib/$host/lib" "$dest/lib/rustlib/$host/lib"
    ln -s "$linkers" "$dest/lib/rustlib/$host/bin"
    ln -s /usr/lib/rustlib/src /usr/lib/rustlib/etc "$dest/lib/rustlib/"
    ln -s /usr/bin/cargo "$dest/bin/cargo"
    # The emulation library turns std::thread::spawn into an error at run time, as with rustup's
    # std; without it such programs do not link.
    cat >"$dest/bin/rustc" <<'WRAPPER'
#!/bin/sh
case "$*" in
*wasm32-wasip*) exec /usr/bin/rustc --sysroot "${0%/bin/rustc}" "$@" -Clink-arg=-lwasi-emulated-pthread ;;
*) exec /usr/bin/rustc --sysroot "${0%/bin/rustc}" "$@" ;;
esac
WRAPPER
    chmod +x "$dest/bin/rustc"
}

# Builds std for target $3 and puts it into the sysroot $1, by way of an empty crate in $2.
build_std() {
    local dest=$1 work=$2 target=$3 into="$1/lib/rustlib/$3/lib" file
    say "building the standard library for $target (about a minute)"
    mkdir -p "$into/self-contained" "$work/empty/src"
    for file in crt1-command.o crt1-reactor.o libc.a libwasi-emulated-pthread.a; do
        cp "$work/libc/usr/lib/$target/$file" "$into/self-contained/"
    done
    : >"$work/empty/src/lib.rs"
    printf '[package]\nname = "empty"\nversion = "0.0.0"\nedition = "2021"\n\n[workspace]\n' >"$work/empty/Cargo.toml"
    # Bitcode is what a guest's own link-time optimization reads.
    (cd "$work/empty" && PATH=/usr/bin:/bin RUSTC="$dest/bin/rustc" RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Cembed-bitcode=yes \
        CARGO_PROFILE_RELEASE_DEBUG=0 CARGO_TARGET_DIR="$work/target" \
        /usr/bin/cargo build -q --release --target "$target" -Z build-std=std,panic_abort,panic_unwind >&2)
    for file in "$work/target/$target/release/deps"/*.rlib; do
        case $file in */libempty-*) ;; *) cp "$file" "$into/" ;; esac
    done
}

make_private() {
    local work linkers libc compiler target
    . /etc/os-release
    [ "${ID:-}:${VERSION_ID:-}" = debian:12 ] ||
        fail "rustup could not add ${targets[*]}, and the way around it needs Debian 12 (this is ${PRETTY_NAME:-unknown})"
    install_compiler
    finished && return 0
    linkers=$(rustc --print sysroot)/lib/rustlib/$host/bin
    [ -x "$linkers/wasm-component-ld" ] || fail "no wasm-component-ld in $linkers: a rustup toolchain of 1.85 or later is needed"
    work=$(mktemp -d "$cache/making.XXXXXX")
    # shellcheck disable=SC2064 # the directory of now
    trap "rm -rf -- '$work'" EXIT
    libc=$(unpack_libc "$work" | tail -n 1)
    lay_out "$work/sysroot" "$linkers"
    for target in "${targets[@]}"; do build_std "$work/sysroot" "$work" "$target"; done
    compiler=$(version_of rustc-web)
    : >"$work/sysroot/complete"
    rm -rf -- "${cache:?}/${compiler}_${libc}"
    mv -- "$work/sysroot" "$cache/${compiler}_${libc}"
    rm -rf -- "$work"
    trap - EXIT
    finished
}

host=$(rustc -vV | sed -n 's/^host: //p')

# Two callers at once: the second waits and finds the work done.
exec 9>"$cache/lock"
flock 9

if ! $private && [ "$(grep -cx -e "${targets[0]}" -e "${targets[1]}" <<<"$installed")" = 2 ]; then
    dirname -- "$(command -v cargo)"
elif bin=$(finished); then
    printf '%s\n' "$bin"
elif ! $private && bin=$(by_rustup); then
    printf '%s\n' "$bin"
else
    say "rustup does not add the targets here; making a toolchain from Debian packages in $cache"
    make_private
fi
