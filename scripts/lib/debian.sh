# Installs what a build needs on Debian 12. Reads common.sh first.
# shellcheck shell=bash

APT_UPDATED=

# The package lists, fetched once a run. A list that fails to load is apt's warning, not the end: what is wanted may be
# in the others.
apt_update() {
    [[ -z $APT_UPDATED ]] || return 0
    has apt-get || die "not a Debian system; please install by hand: $*"
    note "fetching the package lists"
    as_root apt-get -q -o DPkg::Lock::Timeout=300 update >/dev/null
    APT_UPDATED=yes
}

# apt_install PACKAGE…: never removes a package to make room for another.
apt_install() {
    apt_update "$@"
    note "installing by apt: $*"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 \
        install --no-install-recommends --no-remove "$@" >/dev/null
}

# Whether apt can install PACKAGE and leaves all others where they are.
apt_can_install() {
    apt-get -q -s install --no-install-recommends --no-remove "$1" >/dev/null 2>&1
}

# QEMU for 64-bit ARM. Where other parts of QEMU came from Debian's backports, and these are not among apt's sources any
# more, Debian 12's own does not go with them: then it is taken from there too.
ensure_qemu() {
    local release
    ! has qemu-system-aarch64 || return 0
    apt_update qemu-system-arm
    if apt_can_install qemu-system-arm; then
        apt_install qemu-system-arm
        return
    fi
    release=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)-backports
    note "QEMU goes with the parts that are here only from $release: telling apt about it"
    printf 'deb http://deb.debian.org/debian %s main\n' "$release" |
        as_root tee "/etc/apt/sources.list.d/$release.list" >/dev/null
    APT_UPDATED=
    apt_install --target-release "$release" qemu-system-arm
}

# PostgreSQL's programs, for the stand-in of the cloud: it starts a private one of its own. Debian's package would start one
# too, which nobody needs.
ensure_postgresql() {
    ! compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || return 0
    apt_install postgresql-common
    as_root sed -i 's/^#\?create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
    apt_install postgresql
}

# apt_candidate PACKAGE: the upstream version that apt would install, or nothing.
apt_candidate() {
    apt-cache policy "$1" | sed -n 's/^ *Candidate: \([0-9.]*\).*/\1/p'
}

# compiles_and_links COMPILER INCLUDE LIBRARY: whether a C program can be made of them. A compiler may be there without
# the C library's headers.
compiles_and_links() {
    local folder status=0
    has "$1" || return
    folder=$(mktemp -d)
    printf '%s\nint main(void) { return 0; }\n' "$2" >"$folder/try.c"
    "$1" "$folder/try.c" "$3" -o "$folder/try" >/dev/null 2>&1 || status=$?
    rm -r "$folder"
    return "$status"
}

# All that the encrypted database (SQLCipher) needs.
libcrypto_links() {
    compiles_and_links cc '#include <openssl/evp.h>' -lcrypto
}

# What building needs besides Rust.
ensure_build_packages() {
    if ! libcrypto_links; then
        note "SQLCipher needs a C compiler and OpenSSL's libcrypto"
        apt_install gcc libc6-dev libssl-dev
        libcrypto_links || die "a C program with libcrypto still does not compile"
    fi
    # Cargo checks the certificate of the crate registry.
    [[ -e /etc/ssl/certs/ca-certificates.crt ]] || apt_install ca-certificates
}
