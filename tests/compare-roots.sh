#!/usr/bin/env bash
# Lists the services, mounts, users and programs of two cards side by side, one built from Debian's packages and one by
# Buildroot, and fails where they differ in more than they may: tests/compare-roots.sh CARD CARD
set -euo pipefail
# shellcheck source=scripts/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib/common.sh"

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

# unpack CARD FOLDER: the root of the card's second partition.
unpack() {
    unsquashfs -quiet -no-progress -o "$(root_offset "$1")" -d "$2" "$1" >/dev/null
}

# Each prints one kind of thing of the root in folder $1, a line each.
services() {
    grep -v '^#' "$1/etc/inittab"
}

mounts() {
    cat "$1/usr/lib/hub/boot" "$1"/usr/lib/hub/start-* | grep -oE '(mount|umount) -[^|;)]*' | sed 's/ *$//' | sort
    # Nothing else mounts anything.
    [[ ! -e $1/etc/fstab ]] || cat "$1/etc/fstab"
}

users() {
    paste -d ' ' "$1/etc/passwd" "$1/etc/shadow"
}

groups_of() {
    cat "$1/etc/group"
}

firewall() {
    grep -vE '^ *#|^$' "$1/etc/nftables.conf"
}

# Programs and applets by name: where a distribution puts them is its own affair.
programs() {
    find "$1"/bin/ "$1"/sbin/ "$1"/usr/bin/ "$1"/usr/sbin/ ! -type d -printf '%f\n' | sort -u
}

scripts() {
    (cd "$1/usr/lib/hub" && sha256sum -- * | cut -c 1-12,65- | grep -vE '  (board|modules)$')
}

# compare NAME FUNCTION
compare() {
    "$2" "$WORK/one" >"$WORK/one.txt"
    "$2" "$WORK/other" >"$WORK/other.txt"
    printf '\n%s\n' "$1"
    if diff --side-by-side --width=160 --expand-tabs "$WORK/one.txt" "$WORK/other.txt"; then
        PASSED=$((PASSED + 1))
    else
        FAILED=$((FAILED + 1))
    fi
}

main() {
    [[ $# == 2 && -f $1 && -f $2 ]] || die "two cards are wanted: tests/compare-roots.sh CARD CARD"
    PASSED=0 FAILED=0
    unpack "$1" "$WORK/one"
    unpack "$2" "$WORK/other"
    compare services services
    compare mounts mounts
    compare users users
    compare groups groups_of
    compare firewall firewall
    compare programs programs
    compare scripts scripts
    printf '\n%d passed, %d failed\n' "$PASSED" "$FAILED"
    [[ $FAILED == 0 ]]
}

main "$@"
