#!/usr/bin/env bash
# Builds every guest of the examples into examples/dist/NAME.wasm (components) and
# examples/dist/NAME-p1.wasm (core modules, which keep their exit codes). Quick when nothing changed.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")"

# A build that runs around us (cargo test, say) must not lend us its settings.
unset CARGO_TARGET_DIR CARGO_BUILD_TARGET_DIR CARGO_BUILD_TARGET RUSTC RUSTDOC RUSTFLAGS CARGO_ENCODED_RUSTFLAGS \
    RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER RUSTUP_TOOLCHAIN CARGO

bin=$(bash ../tests/wasi-toolchain.sh | tail -n 1)
export PATH="$bin:$PATH"

cargo build --release --locked --target-dir target --target wasm32-wasip2 >&2
cargo build --release --locked --target-dir target --target wasm32-wasip1 -p hello -p stress >&2

# Copies $1 to dist/$2 unless it is there already; a rename, so that no reader sees half a file.
put() {
    local to=dist/$2
    cmp -s "$1" "$to" && return 0
    cp "$1" "$to.new"
    mv "$to.new" "$to"
    printf 'examples/%s  %s bytes\n' "$to" "$(stat -c %s "$to")"
}

mkdir -p dist
put target/wasm32-wasip2/release/hello.wasm hello.wasm
put target/wasm32-wasip2/release/hello_http.wasm hello-http.wasm
put target/wasm32-wasip2/release/echo.wasm echo.wasm
put target/wasm32-wasip2/release/stress.wasm stress.wasm
put target/wasm32-wasip1/release/hello.wasm hello-p1.wasm
put target/wasm32-wasip1/release/stress.wasm stress-p1.wasm
