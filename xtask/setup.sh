#!/usr/bin/env bash
# Installs what a build needs and the machine lacks. Idempotent; a second run takes a second.
#
#   host       libclang (bindgen for RocksDB), a C++ compiler
#   guest      a Rust compiler with the wasm32-unknown-unknown target
#   client     what tests use: the mariadb client, xz, mkfs.ext4, curl, patch
#   c          clang and lld, for modules in C
#   component  `cargo component`, for authors who build with it (compiles for some ten minutes)
#
# The guest toolchain is rustup's when rustup can provide the target. Otherwise it is Debian's
# rustc, for which the standard library is built from Debian's own source package.
#
# Usage: xtask/setup.sh [host|guest|c|component|client|etcd]...   (default: host guest)
set -euo pipefail

say() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }
die() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else
        command -v sudo >/dev/null || die "need root or sudo to install Debian packages: $*"
        sudo "$@"
    fi
}

apt_updated=
install_packages() {
    local missing=()
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' ||
            missing+=("$package")
    done
    [ "${#missing[@]}" = 0 ] && return 0
    command -v apt-get >/dev/null ||
        die "missing ${missing[*]}, and there is no apt-get here to install them with"
    say "installing ${missing[*]}"
    if [ -z "$apt_updated" ]; then
        as_root apt-get update -qq || die "apt-get update did not succeed: no package lists"
        apt_updated=1
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        "${missing[@]}" >/dev/null || die "apt-get could not install: ${missing[*]}"
}

setup_host() {
    command -v cargo >/dev/null || die "no cargo: install Rust with rustup first"
    if [ -z "${LIBCLANG_PATH:-}" ] && ! ls /usr/lib/llvm-*/lib/libclang{,-[0-9]*}.so* >/dev/null 2>&1; then
        install_packages libclang-dev
    fi
    command -v c++ >/dev/null || install_packages g++
}

debian_target=/usr/lib/rustlib/wasm32-unknown-unknown/lib

# Builds std for wasm32-unknown-unknown with Debian's compiler and puts it into its sysroot.
# Bitcode is embedded, or link-time optimisation of guests would fail.
build_debian_std() {
    say "building the standard library for wasm32-unknown-unknown (about two minutes)"
    local scratch
    scratch=$(mktemp -d)
    mkdir -p "$scratch/src"
    printf '[package]\nname = "std-for-guests"\nversion = "0.0.0"\nedition = "2021"\n' \
        >"$scratch/Cargo.toml"
    : >"$scratch/src/lib.rs"
    (
        cd "$scratch"
        unset CARGO_TARGET_DIR CARGO_BUILD_TARGET CARGO_ENCODED_RUSTFLAGS
        PATH=/usr/bin:$PATH RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 \
            RUSTFLAGS=-Cembed-bitcode=yes /usr/bin/cargo build --quiet --release \
            -Z build-std=std,panic_abort --target wasm32-unknown-unknown
    ) || die "could not build the standard library for wasm32-unknown-unknown"
    as_root mkdir -p "$debian_target" /usr/lib/rustlib/wasm32-wasip1
    as_root cp "$scratch"/target/wasm32-unknown-unknown/release/deps/*.rlib "$debian_target"
    rm -rf "$scratch"
}

setup_guest() {
    if rustup target list --installed 2>/dev/null | grep -qx wasm32-unknown-unknown; then
        return 0
    fi
    if [ -z "${QUORATE_NO_RUSTUP:-}" ] && command -v rustup >/dev/null &&
        timeout 120 rustup target add wasm32-unknown-unknown wasm32-wasip1 >/dev/null 2>&1; then
        say "installed wasm32-unknown-unknown with rustup"
        return 0
    fi
    install_packages rustc-web cargo-web rust-web-src lld-22
    [ -x /usr/bin/rustc ] || die "package rustc-web is there but /usr/bin/rustc is not"
    ls "$debian_target"/libstd-*.rlib >/dev/null 2>&1 || build_debian_std
    # cargo-component looks for this folder whatever the target is.
    [ -d /usr/lib/rustlib/wasm32-wasip1 ] || as_root mkdir -p /usr/lib/rustlib/wasm32-wasip1
}

setup_component() {
    local version=0.21.1
    setup_guest
    cargo component --version 2>/dev/null | grep -qF "$version" && return 0
    say "installing cargo-component $version from source (about twelve minutes on two cores)"
    cargo install --quiet --locked "cargo-component@$version" ||
        die "could not install cargo-component $version"
}

# Any release of them will do; the names are those that xtask looks for.
setup_c() {
    local clang linker
    clang=$(compgen -c clang | grep -xE 'clang(-[0-9]+)?' | head -n 1) || true
    linker=$(compgen -c wasm-ld | grep -xE 'wasm-ld(-[0-9]+)?' | head -n 1) || true
    [ -n "$clang" ] || install_packages clang
    [ -n "$linker" ] || install_packages lld
}

[ "$#" = 0 ] && set -- host guest
for part in "$@"; do
    case "$part" in
    host) setup_host ;;
    guest) setup_guest ;;
    c) setup_c ;;
    component) setup_component ;;
    client) install_packages mariadb-client xz-utils e2fsprogs curl patch minisign ;;
    etcd) install_packages etcd-server ;;
    *) die "unknown part '$part'; the parts are: host guest c component client etcd" ;;
    esac
done
