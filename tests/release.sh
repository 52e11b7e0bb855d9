#!/usr/bin/env bash
# Tests what scripts/release makes of cards, and what it refuses: those of another revision, altered ones, damaged ones, and
# ones whose second build has other bytes. In a project of its own, with a key of its own and files that stand for cards.
set -uo pipefail

PROJECT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
VERSION=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' "$PROJECT/Cargo.toml")
PASSED=0 FAILED=0

# A copy of what the script reads, with a key, as one clean revision.
new_project() {
    mkdir "$WORK/project"
    cp -r "$PROJECT"/{Cargo.toml,image,scripts} "$PROJECT"/LICENSE-* "$WORK/project/"
    rm -f "$WORK/project/image/release.pub"
    minisign -G -W -s "$WORK/owner.key" -p "$WORK/project/image/release.pub" >/dev/null
    git -C "$WORK/project" init --quiet
    git -C "$WORK/project" add -A
    git -C "$WORK/project" -c user.name=test -c user.email=test@localhost commit --quiet -m "The project"
    REVISION=$(git -C "$WORK/project" rev-parse --short=12 HEAD)
}

# new_card FOLDER SAYS [NAME]: what stands for the card of a board; SAYS is its release, NAME what is put behind the board's.
new_card() {
    local name=hub-raspberrypi3_64${3-}-$VERSION
    mkdir -p "$WORK/$1"
    rm -f "$WORK/$1"/*
    truncate -s 3M "$WORK/$1/$name.img"
    /sbin/mkfs.vfat -F 12 --invariant --offset 2048 "$WORK/$1/$name.img" 2048 >/dev/null
    printf '%s\n' "$2" >"$WORK/hub-release.txt"
    touch -d @1700000000 "$WORK/hub-release.txt"
    mcopy -m -i "$WORK/$1/$name.img@@1M" "$WORK/hub-release.txt" ::
    # Buildroot's bring the bills of its packages and of the hub's crates with them.
    printf '{}\n' | tee "$WORK/$1/$name.cdx.json" >"$WORK/$1/$name.crates.cdx.json"
    zstd -q -f "$WORK/$1/$name.img" -o "$WORK/$1/$name.img.zst"
    (cd "$WORK/$1" && sha256sum "$name.img" "$name.img.zst" >"$name.sha256")
}

# report NAME PASSED: counts a test, and shows what was said where it failed.
report() {
    if [[ -n $2 ]]; then
        printf 'ok       %s\n' "$1"
        PASSED=$((PASSED + 1))
    else
        printf 'FAILED   %s\n' "$1"
        sed 's/^/         /' "$WORK/said"
        FAILED=$((FAILED + 1))
    fi
}

# release ARGUMENT…
release() {
    rm -rf "$WORK/release"
    "$WORK/project/scripts/release" --key "$WORK/owner.key" --out "$WORK/release" "$@" raspberrypi3_64 \
        </dev/null >"$WORK/said" 2>&1
}

# refuses NAME TEXT ARGUMENT…: no release comes of it, and it is said why.
refuses() {
    local passed=''
    release "${@:3}" || [[ -e $WORK/release ]] || ! grep -qF -e "$2" "$WORK/said" || passed=yes
    report "$1" "$passed"
}

# releases NAME SIGNED ARGUMENT…: a release comes of it, with this said in what is signed.
releases() {
    local passed=''
    release "${@:3}" && is_whole "$2" && passed=yes
    report "$1" "$passed"
}

# is_whole SIGNED: all of the release is under the sums, and these under the owner's signature.
is_whole() {
    (cd "$WORK/release" && sha256sum --quiet --strict --check SHA256SUMS) >>"$WORK/said" 2>&1 &&
        [[ $(minisign -VQ -p "$WORK/project/image/release.pub" -m "$WORK/release/SHA256SUMS") == "$1" ]] &&
        [[ $(find "$WORK/release" -type f ! -name 'SHA256SUMS*' | wc -l) == $(wc -l <"$WORK/release/SHA256SUMS") ]] &&
        compgen -G "$WORK/release/hub-raspberrypi3_64*-$VERSION.img.zst" >/dev/null &&
        grep -q raspberrypi3_64 "$WORK/release/WHAT-RAN-WHERE.md"
}

new_project
SAYS="hub $VERSION $REVISION raspberrypi3_64"
new_card built "$SAYS"
releases "a card of this revision" "$SAYS" --built "$WORK/built"
new_card second "$SAYS"
releases "two builds with the same bytes" "$SAYS" --built "$WORK/built" --second "$WORK/second"
printf x | dd of="$WORK/second/hub-raspberrypi3_64-$VERSION.img" bs=1 seek=2500000 conv=notrunc status=none
refuses "two builds that differ in a byte" 'two builds of the card for raspberrypi3_64 differ' \
    --built "$WORK/built" --second "$WORK/second"
new_card second "$SAYS"
printf '{"other": 1}\n' >"$WORK/second/hub-raspberrypi3_64-$VERSION.crates.cdx.json"
refuses "two builds whose bills of materials differ" 'differ: hub-raspberrypi3_64' \
    --built "$WORK/built" --second "$WORK/second"
rm "$WORK/second"/*
refuses "a second build that is not there" 'there is no second build' --built "$WORK/built" --second "$WORK/second"
printf x | dd of="$WORK/built/hub-raspberrypi3_64-$VERSION.img" bs=1 seek=5000 conv=notrunc status=none
refuses "a damaged card" 'is damaged' --built "$WORK/built"
new_card built "hub $VERSION 0123456789ab raspberrypi3_64"
refuses "a card of another revision" 'is of another revision' --built "$WORK/built"
new_card built "${SAYS/ rasp/-modified rasp}"
refuses "a card of a tree that was changed" 'is of another revision' --built "$WORK/built"
new_card built "$SAYS ALTERED"
refuses "an altered card that goes by a plain name" 'altered, or for development' --built "$WORK/built"
new_card built "$SAYS ALTERED" -altered
refuses "an altered card that nobody asked for" 'there is no card for raspberrypi3_64' --built "$WORK/built"
releases "an altered card that was asked for" "$SAYS ALTERED" --built "$WORK/built" --altered
BUILDROOT_EXTRA_CONFIG=$WORK/extra refuses "building altered cards that nobody asked for" 'that makes --altered cards'
touch "$WORK/project/new"
refuses "a tree with a file of its own" 'differs from its revision' --built "$WORK/built"
printf '\n%d passed, %d failed\n' "$PASSED" "$FAILED"
[[ $FAILED == 0 ]]
