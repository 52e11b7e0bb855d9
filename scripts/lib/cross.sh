# Builds the hub for the boards' processors (64-bit ARM) on a Debian machine. Reads common.sh, debian.sh, rust.sh first.
# shellcheck shell=bash

CROSS_TARGET=aarch64-unknown-linux-gnu
CROSS_TARGET_DIR=${CARGO_TARGET_DIR:-$PROJECT/target}
CROSS_SYSROOT=$PROJECT/out/cross/arm64

# Linker and C compiler of the target, and its Rust standard library.
ensure_cross_tools() {
    if ! compiles_and_links aarch64-linux-gnu-gcc '#include <stdint.h>' -lc; then
        apt_install gcc-aarch64-linux-gnu libc6-dev-arm64-cross
    fi
    if has rustup; then
        rustup target list --installed | grep -qx "$CROSS_TARGET" || rustup target add "$CROSS_TARGET"
    elif [[ ! -d $(rustc --print sysroot)/lib/rustlib/$CROSS_TARGET ]]; then
        ensure_arm64_packages
        apt_install libstd-rust-web-dev:arm64
    fi
}

# Lets apt find Debian's packages for 64-bit ARM. None is ever installed on this machine: they are unpacked elsewhere.
ensure_arm64_packages() {
    if ! dpkg --print-foreign-architectures | grep -qx arm64; then
        note "telling apt about Debian's packages for arm64"
        as_root dpkg --add-architecture arm64
        # shellcheck disable=SC2034 # apt_update reads it
        APT_UPDATED=
    fi
    if ! apt-cache show libssl3:arm64 >/dev/null 2>&1; then
        # shellcheck disable=SC2034 # apt_update reads it
        APT_UPDATED=
        apt_update "Debian's packages for arm64"
    fi
}

# fetch_arm64 FOLDER PACKAGE…: puts the packages' files into FOLDER, where those of an earlier run are used again. Sets
# DEBS_FETCHED, the files in the packages' order.
fetch_arm64() {
    local folder=$1 package version
    local -A versions
    local -a wanted=()
    shift
    mkdir -p "$folder"
    while read -r package version; do
        versions[$package]=$version
    done < <(apt-cache policy "${@/%/:arm64}" | awk '/^[^ ]/ { sub(/:(arm64)?:?$/, "", $1); name = $1 }
                                                    /^ *Candidate:/ { print name, $2 }')
    DEBS_FETCHED=()
    for package in "$@"; do
        version=${versions[$package]-(none)}
        [[ $version != '(none)' ]] || die "apt has no package $package for arm64"
        DEBS_FETCHED+=("$folder/${package}_${version//:/%3a}_arm64.deb")
        [[ -e ${DEBS_FETCHED[-1]} ]] || wanted+=("$package:arm64=$version")
    done
    if [[ ${#wanted[@]} != 0 ]]; then
        # Elsewhere first, for a file of which a part came only is not to be taken for the whole.
        rm -rf "$folder/partial"
        mkdir "$folder/partial"
        (cd "$folder/partial" && apt-get -q -o APT::Sandbox::User=root download "${wanted[@]}" >/dev/null)
        mv "$folder/partial"/*.deb "$folder/"
        rmdir "$folder/partial"
    fi
}

# OpenSSL's libcrypto of the target, which SQLCipher is linked with, unpacked beside everything else.
ensure_cross_libcrypto() {
    local package
    [[ ! -e $CROSS_SYSROOT/ready ]] || return 0
    ensure_arm64_packages
    fetch_arm64 "$PROJECT/out/debs" libssl-dev libssl3
    rm -rf "$CROSS_SYSROOT"
    mkdir -p "$CROSS_SYSROOT"
    for package in "${DEBS_FETCHED[@]}"; do
        dpkg-deb -x "$package" "$CROSS_SYSROOT"
    done
    touch "$CROSS_SYSROOT/ready"
}

# cross_build [FEATURE]: the stripped release, the same bytes from the same sources wherever they lie. Sets CROSS_BINARY.
cross_build() {
    local rust_home=${CARGO_HOME:-$HOME/.cargo}
    ensure_cross_tools
    ensure_cross_libcrypto
    env \
        RUSTC_WRAPPER="$PROJECT/scripts/lib/rustc-anywhere" \
        HUB_FOLDERS="$(printf '%s\n' "$(realpath "$PROJECT")=/hub" "$CROSS_TARGET_DIR=/target" "$rust_home=/cargo")" \
        SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" \
        CARGO_TARGET_DIR="$CROSS_TARGET_DIR" \
        CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
        CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS="-C link-arg=-Wl,--build-id=none" \
        CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc \
        CFLAGS_aarch64_unknown_linux_gnu="-ffile-prefix-map=$CROSS_TARGET_DIR=/target -ffile-prefix-map=$rust_home=/cargo -I$CROSS_SYSROOT/usr/include/aarch64-linux-gnu" \
        OPENSSL_INCLUDE_DIR="$CROSS_SYSROOT/usr/include" \
        OPENSSL_LIB_DIR="$CROSS_SYSROOT/usr/lib/aarch64-linux-gnu" \
        nice -n 10 cargo build --release --locked --package hub-appliance --bin hub-appliance --target "$CROSS_TARGET" ${1:+--features "$1"}
    CROSS_BINARY=$CROSS_TARGET_DIR/$CROSS_TARGET/release/hub-appliance${1:+-$1}
    [[ -z ${1-} ]] || mv "${CROSS_BINARY%-"$1"}" "$CROSS_BINARY"
}
