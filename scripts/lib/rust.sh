# Makes sure of a Rust toolchain that is new enough. Reads common.sh and debian.sh first.
# shellcheck shell=bash

# The oldest Rust that the workspace allows.
rust_wanted() {
    sed -n 's/^rust-version = "\(.*\)"$/\1/p' "$PROJECT/Cargo.toml"
}

# at_least VERSION WANTED
at_least() {
    [[ -n $1 && $(printf '%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]
}

# Whether cargo and rustc are there and new enough.
rust_is_new_enough() {
    local version
    has cargo && version=$(rustc --version 2>/dev/null | cut -d ' ' -f 2) && at_least "$version" "$(rust_wanted)"
}

# A toolchain on the machine is used if it will do; an old one of rustup is renewed; else Debian's security suite has a
# new Rust, under names of its own.
ensure_rust() {
    local wanted
    wanted=$(rust_wanted)
    # rustup's folder, in a shell that has not read its profile since.
    [[ ! -x ${HOME-}/.cargo/bin/cargo ]] || PATH=$HOME/.cargo/bin:$PATH
    if ! rust_is_new_enough; then
        if has rustup; then
            note "renewing rustup's stable toolchain: Rust $wanted or newer is needed"
            rustup toolchain install stable --profile minimal
            export RUSTUP_TOOLCHAIN=stable
        else
            apt_update "Rust $wanted or newer, for example from https://rustup.rs"
            at_least "$(apt_candidate rustc-web)" "$wanted" ||
                die "apt has no Rust $wanted (package rustc-web of Debian's security suite); install it from https://rustup.rs"
            apt_install rustc-web cargo-web
        fi
        rust_is_new_enough || die "there is still no Rust $wanted; is an older one first in PATH?"
    fi
    note "$(rustc --version), $(cargo --version)"
}

# ensure_rust_checks: formatter and linter of the same toolchain.
ensure_rust_checks() {
    if cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1; then
        return
    fi
    if has rustup; then
        note "adding rustfmt and clippy to rustup's toolchain"
        rustup component add rustfmt clippy
    else
        apt_install rustfmt-web rust-web-clippy
    fi
}
