#!/usr/bin/env bash
# Tests scripts/flash on files that stand for cards: what it writes, and that it destroys records only for a person who
# typed that.
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

printf '\n%d passed, %d failed\n' "$PASSED" "$FAILED"
[[ $FAILED == 0 ]]
