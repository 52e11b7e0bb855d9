#!/usr/bin/env bash
# Tests scripts/flash on files that stand for cards: what it writes, and that it destroys records only for a person who
# typed that. What a disk has to be like is tested on folders that stand for what the kernel says of one.
set -uo pipefail

PROJECT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
IMAGE=$WORK/image.img
CARD=$WORK/card
PASSED=0 FAILED=0
GPT_LINUX=0FC63DAF-8483-4772-8E79-3D69D8477DE4
GPT_LUKS=CA7D7CCB-63ED-4C53-861C-1742536059CC

# new_card [TABLE]: 24 MiB, with this partition table.
new_card() {
    rm -f "$CARD"
    truncate -s 24M "$CARD"
    [[ -z ${1-} ]] || /sbin/sfdisk --quiet "$CARD" <<<"$1"
    cp "$CARD" "$CARD.before"
}

# The card of a hub; KEYS and RECORDS are the types of its third and fourth partitions.
new_hub_card() {
    new_card "label: dos
start=1MiB, size=4MiB, type=c
start=5MiB, size=4MiB, type=83
start=9MiB, size=4MiB, type=$1
start=13MiB, size=8MiB, type=$2"
}

# label_keys LABEL: makes the file system of the third partition.
label_keys() {
    /sbin/mke2fs -q -F -t ext4 -L "$1" -E offset=$((9 << 20)) "$CARD" 4M 2>/dev/null
    cp "$CARD" "$CARD.before"
}

new_data_disk() {
    new_card "label: gpt
start=1MiB, size=4MiB, type=$GPT_LINUX, name=$1
start=5MiB, size=8MiB, type=$GPT_LUKS, name=$2"
}

# flash ANSWERS ARGUMENT…: without a terminal.
flash() {
    printf '%b' "$1" | "$PROJECT/scripts/flash" --image "$IMAGE" "${@:2}" "$CARD" >"$WORK/said" 2>&1
}

# The same at a terminal.
flash_at_terminal() {
    printf '%b' "$1" | script -qec "'$PROJECT/scripts/flash' --image '$IMAGE' '$CARD'" /dev/null >"$WORK/said" 2>&1
}

# check NAME written|kept asks|silent: what became of the card, and whether the records were spoken of.
check() {
    local holds=kept speaks=silent
    ! cmp --quiet --bytes "$(stat -c %s "$IMAGE")" "$IMAGE" "$CARD" || holds=written
    [[ $holds == written ]] || cmp --quiet "$CARD.before" "$CARD" || holds=spoilt
    ! grep -q RECORDS "$WORK/said" || speaks=asks
    if [[ "$holds $speaks" == "$2 $3" ]]; then
        printf 'ok       %s\n' "$1"
        PASSED=$((PASSED + 1))
    else
        printf 'FAILED   %s: %s %s instead of %s %s\n' "$1" "$holds" "$speaks" "$2" "$3"
        sed 's/^/         /' "$WORK/said"
        FAILED=$((FAILED + 1))
    fi
}

# result NAME WANTED GOT
result() {
    if [[ $2 == "$3" ]]; then
        printf 'ok       %s\n' "$1"
        PASSED=$((PASSED + 1))
    else
        printf 'FAILED   %s: %s instead of %s\n' "$1" "$3" "$2"
        sed 's/^/         /' "$WORK/said"
        FAILED=$((FAILED + 1))
    fi
}

# new_release: a folder with the image, its sums, and their signature by the owner's key.
new_release() {
    rm -rf "$WORK/release"
    mkdir "$WORK/release"
    cp "$IMAGE" "$WORK/release/card.img"
    (cd "$WORK/release" && sha256sum card.img >SHA256SUMS)
    minisign -S -s "$WORK/owner.key" -m "$WORK/release/SHA256SUMS" -t "hub of the test" >/dev/null
}

# flash_release ARGUMENT…: the release's image onto a new card, checked by the owner's public key.
flash_release() {
    new_card
    flash "$CARD\n" --image "$WORK/release/card.img" --key "$WORK/owner.pub" "$@"
}

test_release() {
    local got=no
    minisign -G -W -s "$WORK/owner.key" -p "$WORK/owner.pub" >/dev/null
    minisign -G -W -s "$WORK/other.key" -p "$WORK/other.pub" >/dev/null
    new_release
    flash_release
    check "an image of a signed release" written silent
    ! grep -q 'signed by the release key as: hub of the test' "$WORK/said" || got=yes
    result "and it is said what it was signed as" yes "$got"
    flash_release --key "$WORK/other.pub"
    check "one signed by another key" kept silent
    printf x | dd of="$WORK/release/card.img" bs=1 seek=4096 conv=notrunc status=none
    flash_release
    check "a signed image with one byte changed" kept silent
    (cd "$WORK/release" && sha256sum card.img >SHA256SUMS)
    flash_release
    check "the same with its sum made new" kept silent
    new_release
    mv "$WORK/release/card.img" "$WORK/release/another.img"
    new_card
    flash "$CARD\n" --image "$WORK/release/another.img" --key "$WORK/owner.pub"
    check "an image that the signed release does not name" kept silent
    new_release
    rm "$WORK/release/SHA256SUMS.minisig"
    flash_release
    check "an image whose signature was taken away" kept silent
    flash_release --unsigned
    check "the same for a person who wants it" written silent
    got=refused
    ! "$PROJECT/scripts/release" --new-key "$PROJECT/owner.key" >"$WORK/said" 2>&1 || got=made
    rm -f "$PROJECT/owner.key"
    result "a secret key inside the repository" refused "$got"
}

# new_disk NAME PLACE MAJOR: the kernel's account of a disk with one partition, which nothing uses.
new_disk() {
    local place=$WORK/sys/devices/$2/block/$1
    rm -rf "$WORK/sys" "$WORK/proc"
    mkdir -p "$place/$1p1/holders" "$place/holders" "$place/device" "$WORK/sys/class/block" "$WORK/proc/self"
    ln -s "$place" "$WORK/sys/class/block/$1"
    echo 0 >"$place/removable"
    echo "$3:0" >"$place/dev"
    echo "$3:1" >"$place/$1p1/dev"
    echo 1 >"$place/$1p1/partition"
    echo 62333952 >"$place/size"
    echo 7 >"$place/diskseq"
    echo '22 1 8:2 / / rw - ext4 /dev/sda2 rw' >"$WORK/proc/self/mountinfo"
    echo 'Filename Type Size Used Priority' >"$WORK/proc/swaps"
    DISK=$place
}

# with_flash COMMAND…: runs a function of scripts/flash on that account.
with_flash() {
    (
        # shellcheck source=scripts/flash
        source "$PROJECT/scripts/flash"
        # shellcheck disable=SC2034 # read by the functions
        SYS=$WORK/sys PROC=$WORK/proc
        "$@"
    ) >"$WORK/said" 2>&1
}

# disk NAME free|refused: whether the disk of this name may be written.
disk() {
    local got=refused
    ! with_flash check_disk "$DISK_NAME" || got=free
    result "$1" "$2" "$got"
}

test_disks() {
    local DISK DISK_NAME=sdx
    new_disk sdx pci0/usb1/1-1 8
    disk "a disk on USB" free
    echo '40 22 8:1 / /media rw - vfat /dev/sdx rw' >>"$WORK/proc/self/mountinfo"
    disk "one that is mounted" refused
    new_disk sdx pci0/usb1/1-1 8
    echo '40 22 0:45 / /media rw - btrfs /dev/sdx rw' >>"$WORK/proc/self/mountinfo"
    disk "one that is mounted under another number" refused
    new_disk sdx pci0/usb1/1-1 8
    mkdir "$DISK/sdx1" && echo 8:17 >"$DISK/sdx1/dev"
    echo '/dev/sdx1 partition 1000 0 -2' >>"$WORK/proc/swaps"
    disk "one that is swap" refused
    new_disk sdx pci0/usb1/1-1 8
    mkdir "$DISK/sdxp1/holders/dm-0"
    disk "one that another disk is made of" refused
    new_disk sdx pci0/usb1/1-1 8
    rm "$WORK/proc/self/mountinfo"
    disk "where nobody says what is mounted" refused
    new_disk sdx pci0/usb1/1-1 8
    rm "$DISK/removable"
    disk "where nobody says whether it can be taken out" refused
    new_disk sdx pci0/ata1 8
    disk "one inside the machine" refused
    echo 1 >"$DISK/removable"
    disk "a card reader inside the machine" free
    new_disk sdx pci0/usb1/1-1 8
    echo 1 >"$DISK/partition"
    disk "a partition" refused
    DISK_NAME=mmcblk0
    new_disk mmcblk0 mmc0 179
    echo SD >"$DISK/device/type"
    disk "an SD card in a slot" free
    echo MMC >"$DISK/device/type"
    disk "one that is soldered in" refused
    rm "$DISK/device/type"
    disk "one that nobody says this of" refused
}

# another_card NAME COMMAND…: after this, scripts/flash takes the disk for another card.
another_card() {
    local before after got=same
    new_disk sdx pci0/usb1/1-1 8
    before=$(with_flash identity sdx && cat "$WORK/said")
    "${@:2}"
    after=$(with_flash identity sdx && cat "$WORK/said")
    [[ -n $before && $before == "$after" ]] || got=other
    result "$1" other "$got"
}

grow() {
    echo 1 >"$DISK/size"
}

change_media() {
    echo 8 >"$DISK/diskseq"
}

plug_elsewhere() {
    new_disk sdx pci0/usb1/1-2 8
}

# The image of a hub: signature, and three places in the kernel's command line that name it.
new_hub_image() {
    truncate -s 6M "$IMAGE"
    /sbin/sfdisk --quiet "$IMAGE" <<<"label: dos
label-id: 0x3b90d19e
start=1MiB, size=4MiB, type=c"
    printf 'waitfor=PARTUUID=3b90d19e-02 verity 1 PARTUUID=3b90d19e-02 PARTUUID=3b90d19e-02 4096' |
        dd of="$IMAGE" bs=1 seek=$(((1 << 20) + 3)) conv=notrunc status=none
}

# The signature in the card's table, and those that its command line names.
signatures() {
    printf '%s %s' "$(/sbin/sfdisk --disk-id "$CARD")" "$(grep -aoP 'PARTUUID=\K[0-9a-f]{8}' "$CARD" | sort | uniq -c | tr -s ' ')"
}

test_signature() {
    local first second own got=no
    new_hub_image
    new_card
    flash "$CARD\n"
    first=$(signatures)
    own=$(/sbin/sfdisk --disk-id "$CARD")
    [[ $first != "$own  3 ${own#0x}" || $own == 0x3b90d19e ]] || got=yes
    result "a hub's card has a signature of its own, where the kernel looks for it too" yes "$got"
    # All else is the image's.
    got=$(cmp --verbose --bytes "$(stat -c %s "$IMAGE")" "$IMAGE" "$CARD" | awk '{ print ($1 <= 444 ? "table" : "line") }' | sort -u | xargs)
    result "and nothing else is changed" "line table" "$got"
    new_card
    flash "$CARD\n"
    second=$(signatures)
    got=same
    [[ $first == "$second" ]] || got=other
    result "the next card has another" other "$got"
    printf PARTUUID=3b90d19e-02 | dd of="$IMAGE" bs=1M seek=3 conv=notrunc status=none
    new_card
    flash "$CARD\n"
    check "an image that names it elsewhere too is written as it is" written silent
}

# new_full_card TABLE: 48 MiB with something everywhere, and this partition table.
new_full_card() {
    head -c 48M /dev/urandom >"$CARD"
    /sbin/sfdisk --quiet --wipe never --wipe-partitions never "$CARD" <<<"$1"
    cp "$CARD" "$CARD.before"
}

# A hub's card as the hub makes it, but for the size of the system before the records.
new_real_card() {
    local place
    new_full_card "label: dos
start=1MiB, size=2MiB, type=c
start=3MiB, size=5MiB, type=83
start=8MiB, size=16MiB, type=83
start=24MiB, type=e8"
    /sbin/mke2fs -q -F -t ext4 -m 0 -L HUBKEYS -E offset=$((8 << 20)) "$CARD" 16M 2>/dev/null
    # Both headers of a LUKS2 have the label.
    for place in 0 16384; do
        printf HUBDATA | dd of="$CARD" bs=1 seek=$(((24 << 20) + place + 24)) conv=notrunc status=none
    done
    cp "$CARD" "$CARD.before"
}

# behind NAME PLACE…: on the card is the image, and behind that all is as it was but for zeros at these places, FIRST-END in
# KiB.
behind() {
    local place got=other
    cp "$CARD.before" "$CARD.wanted"
    for place in "${@:2}"; do
        dd if=/dev/zero of="$CARD.wanted" bs=1K seek="${place%-*}" count=$((${place#*-} - ${place%-*})) conv=notrunc status=none
    done
    dd if="$IMAGE" of="$CARD.wanted" conv=notrunc status=none
    ! cmp "$CARD.wanted" "$CARD" >>"$WORK/said" 2>&1 || got=wanted
    result "$1" wanted "$got"
}

test_behind_the_image() {
    local got places
    # Where a card's records can begin.
    mapfile -t places < <(seq 8192 4096 45056 | awk '{ print $1 "-" $1 + 20 }')
    new_real_card
    flash "$CARD\n" --erase-records
    behind "behind the image the old partitions have no beginning" 6144-40960 49088-49152 "${places[@]}"
    got=$(grep -aoE 'HUB(KEYS|DATA)' "$CARD" | sort | uniq -c | xargs)
    result "and no name" "" "$got"
    new_real_card
    flash_at_terminal "ERASE\n$CARD\n"
    behind "the same where the word was typed" 6144-40960 49088-49152 "${places[@]}"
    new_full_card "label: gpt
start=1MiB, size=16MiB, type=$GPT_LINUX, name=HUBKEYS
start=17MiB, type=$GPT_LUKS, name=HUBDATA"
    flash "$CARD\n" --erase-records
    behind "nor have those of a data disk, and its table has no copy" 6144-33792 49088-49152 "${places[@]}"
    cp "$CARD.before" "$CARD"
    dd if=/dev/zero of="$CARD" bs=512 count=1 conv=notrunc status=none
    cp "$CARD" "$CARD.before"
    flash "$CARD\n" --erase-records
    behind "nor have they where its first sector was lost" 6144-33792 49088-49152 "${places[@]}"
    new_full_card "label: dos
start=8MiB, size=16MiB, type=83"
    flash "$CARD\n"
    behind "a card without records is not touched behind the image"
    new_full_card "label: dos
start=1MiB, size=5MiB, type=c"
    flash "$CARD\n" --erase-records
    behind "unless they may go, for they can be there without a table" 6144-17408 49088-49152 "${places[@]}"
    new_real_card
    /sbin/sfdisk --quiet --part-type "$CARD" 3 7f
    /sbin/sfdisk --quiet --part-type "$CARD" 4 7f
    cp "$CARD" "$CARD.before"
    flash "$CARD\n"
    behind "of records that were moved away nothing is left unasked" 6144-40960 49088-49152 "${places[@]}"
    # As a program that knows nothing of records writes an image over them.
    new_real_card
    /sbin/sfdisk --quiet --wipe never --wipe-partitions never "$CARD" <<<"label: dos
start=1MiB, size=2MiB, type=c
start=3MiB, size=5MiB, type=83"
    cp "$CARD" "$CARD.before"
    flash "$CARD\n"
    check "records that no table tells of" kept asks
    new_real_card
    mkdir "$WORK/worn"
    printf '#!/bin/sh\n[ "%s" = if=/dev/zero ] || PATH=%s exec dd "%s"\n' "\$1" "$PATH" "\$@" >"$WORK/worn/dd"
    chmod 755 "$WORK/worn/dd"
    PATH=$WORK/worn:$PATH flash "$CARD\n" --erase-records
    check "a card that keeps what was wiped" kept asks
}

head -c 6M /dev/urandom >"$IMAGE"

new_card
flash "$CARD\n"
check "an empty card" written silent
new_card
flash "y\n"
check "another word than the card's name" kept silent
rm "$CARD"
truncate -s 5M "$CARD"
cp "$CARD" "$CARD.before"
flash "$CARD\n"
check "a card that is too small" kept silent

new_hub_card 83 e8
label_keys HUBKEYS
flash "ERASE\n$CARD\n"
check "records, and nobody to ask" kept asks
flash_at_terminal "y\n$CARD\n"
check "records, and a yes" kept asks
flash_at_terminal "ERASE\ny\n"
check "records, the word, and not the card's name" kept asks
flash_at_terminal "ERASE\n$CARD\n"
check "records, the word, and the card's name" written asks
new_hub_card 83 e8
flash "$CARD\n" --erase-records
check "records, and the option" written asks
test_behind_the_image

test_release

new_hub_card 83 e8
flash "$CARD\n"
check "a card without its keys" kept asks
new_hub_card 83 da
label_keys HUBKEYS
flash "$CARD\n"
check "a card without its records' type" kept asks
new_data_disk HUBKEYS HUBDATA
flash "$CARD\n"
check "a data disk" kept asks
new_data_disk HUBKEYS HUBDATA-NEW
flash "$CARD\n"
check "a data disk that is finished by half" kept asks

new_hub_card 83 83
label_keys OTHER
flash "$CARD\n"
check "another system's card" written silent
new_hub_card da da
flash "$CARD\n"
check "a hub's card whose set-up was cut short" written silent
new_hub_card 7f 7f
flash "$CARD\n"
check "a hub's card whose records were moved" written silent
new_data_disk HUBKEYS-NEW HUBDATA-NEW
flash "$CARD\n"
check "a data disk whose set-up was cut short" written silent

new_data_disk HUBKEYS HUBDATA
dd if=/dev/zero of="$CARD" bs=512 count=1 conv=notrunc status=none
cp "$CARD" "$CARD.before"
flash "$CARD\n"
check "a data disk whose first sector is lost" kept asks
printf 'EFI PART and no table' | dd of="$CARD" bs=512 seek=1 conv=notrunc status=none
cp "$CARD" "$CARD.before"
flash "$CARD\n"
check "the same with its table spoilt" kept asks
new_card
mkdir "$WORK/broken"
printf '#!/bin/sh\nexit 1\n' >"$WORK/broken/dd"
chmod 755 "$WORK/broken/dd"
PATH=$WORK/broken:$PATH flash "$CARD\n"
check "a card that can't be read" kept silent

test_disks
another_card "a card of another size" grow
another_card "another card in the same reader" change_media
another_card "a reader that is plugged in elsewhere" plug_elsewhere
test_signature

printf '\n%d passed, %d failed\n' "$PASSED" "$FAILED"
[[ $FAILED == 0 ]]
