# Shared by the scripts: the project's folder, messages, and root rights.
# shellcheck shell=bash

# shellcheck disable=SC2034 # used by the scripts that read this file
PROJECT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# step TEXT: what the script does now, and since when it has been at work.
step() {
    local since=''
    ((SECONDS < 60)) || since=" (after $((SECONDS / 60)) min $((SECONDS % 60)) s)"
    printf '\n==> %s%s\n' "$*" "$since"
}

# note TEXT: something to know about the present step.
note() {
    printf '    %s\n' "$*"
}

# die TEXT: ends the script with an error.
die() {
    printf '\nerror: %s\n' "$*" >&2
    exit 1
}

has() {
    command -v "$1" >/dev/null 2>&1
}

# as_root COMMAND…: runs it as root, by sudo where that is needed.
as_root() {
    if [[ $(id -u) == 0 ]]; then
        "$@"
    elif has sudo; then
        sudo "$@"
    else
        die "this needs root and there is no sudo; run as root: $*"
    fi
}

# root_offset CARD: where the card's second partition begins, in bytes, from its MBR.
root_offset() {
    local start
    start=$(od -An -j 470 -N 4 -t u4 "$1" | tr -d ' ')
    printf '%s' "$((start * 512))"
}

# round_up FILE: to a size that is a power of two, for QEMU takes no other card.
round_up() {
    local size bytes=1
    size=$(stat -c %s "$1")
    while ((bytes < size)); do
        bytes=$((bytes * 2))
    done
    truncate -s "$bytes" "$1"
}
