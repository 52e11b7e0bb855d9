# The SD card: squashfs with dm-verity, kernel command line, boot partition, partition table. The same for every way to
# build the root. Reads lib/common.sh first.
# shellcheck shell=bash

# First sector of the boot partition, and its size; what follows is the root's. The file of a clinic that moves to the hub
# has to fit beside the kernel: 50,000 rows are 40 MB.
BOOT_START_MIB=1
BOOT_MIB=256
VERITY_BLOCK=4096
# What the product's card may come to, in bytes: its image when compressed, and its root without the hash tree.
# shellcheck disable=SC2034 # used by scripts/build-image
MAX_COMPRESSED=64000000
MAX_ROOT=40000000

# pack_root FOLDER FILE: the same bytes from the same files.
pack_root() {
    rm -f "$2"
    env -u SOURCE_DATE_EPOCH mksquashfs "$1" "$2" -quiet -no-progress -noappend -comp zstd -Xcompression-level 19 -b 256K -all-root -no-xattrs \
        -no-exports -all-time "$SOURCE_DATE_EPOCH" -mkfs-time "$SOURCE_DATE_EPOCH" >/dev/null
}

# add_verity FILE: appends the hash tree. Salt and UUID come from the content, for two builds are to have the same.
# Sets ROOT_HASH, ROOT_SALT, ROOT_BYTES.
add_verity() {
    local file=$1 uuid
    ROOT_BYTES=$(stat -c %s "$file")
    ((ROOT_BYTES % VERITY_BLOCK == 0)) || die "$file does not end with a whole block"
    ((ROOT_BYTES <= MAX_ROOT)) || die "the root has $ROOT_BYTES bytes as squashfs, and may have $MAX_ROOT at most"
    ROOT_SALT=$(sha256sum "$file" | cut -c 1-64)
    uuid=${ROOT_SALT:0:8}-${ROOT_SALT:8:4}-4${ROOT_SALT:13:3}-8${ROOT_SALT:17:3}-${ROOT_SALT:20:12}
    ROOT_HASH=$(/sbin/veritysetup format "$file" "$file" --hash-offset="$ROOT_BYTES" --data-block-size=$VERITY_BLOCK \
        --hash-block-size=$VERITY_BLOCK --salt="$ROOT_SALT" --uuid="$uuid" | sed -n 's/^Root hash:[[:space:]]*//p')
    [[ ${#ROOT_HASH} == 64 ]] || die "veritysetup gave no root hash"
}

# The image's signature, by which the kernel finds the root's partition. scripts/flash gives each card that it writes one
# of its own in its place.
card_signature() {
    printf '%s' "${ROOT_HASH:0:8}"
}

# The bridges of image/usb-quirks, as the kernel takes them. It cuts what is longer without a word.
usb_quirks() {
    local quirks
    quirks=$(sed -nE 's/^([0-9a-f]{4}:[0-9a-f]{4}:[a-z]+) .*/\1/p' "$PROJECT/image/usb-quirks" | paste -sd ,)
    ((${#quirks} <= 127)) || die "image/usb-quirks has ${#quirks} characters, and the kernel takes 127"
    printf '%s' "$quirks"
}

# command_line CONSOLE: what the kernel is started with. A block that is not as it was made ends in a panic, and the
# panic in a restart. A watchdog gives the start two minutes, and then half a minute from one feeding to the next. That of
# a Raspberry Pi counts to 16 s, and the kernel feeds it in between; but the driver takes the rest of the time by 16 s for
# the hardware's, which has to be more than the 8 s that the kernel lets pass.
command_line() {
    local blocks=$((ROOT_BYTES / VERITY_BLOCK)) sectors=$((ROOT_BYTES / 512)) partition
    partition=PARTUUID=$(card_signature)-02
    printf '%s' "console=$1 loglevel=4 panic=10 oops=panic ipv6.disable=1 ro root=/dev/dm-0 rootfstype=squashfs " \
        "i6300esb.heartbeat=30 bcm2835_wdt.heartbeat=30 watchdog.open_timeout=120 usb-storage.quirks=$(usb_quirks) " \
        "dm-mod.waitfor=$partition dm-mod.create=\"hubroot,,,ro,0 $sectors verity 1 $partition $partition " \
        "$VERITY_BLOCK $VERITY_BLOCK $blocks $((blocks + 1)) sha256 $ROOT_HASH $ROOT_SALT 1 panic_on_corruption\""
}

# make_card BOOT_FOLDER ROOT_FILE CARD: boot partition of all files in a folder, root partition, table.
make_card() {
    local folder=$1 root=$2 card=$3 boot=$3.boot root_start root_mib name
    rm -f "$boot" "$card"
    truncate -s "${BOOT_MIB}M" "$boot"
    find "$folder" -exec touch -d "@$SOURCE_DATE_EPOCH" {} +
    /sbin/mkfs.vfat -F 32 -s 1 --invariant -i "$(card_signature)" -n HUBBOOT "$boot" >/dev/null
    while read -r name; do
        SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH mcopy -m -i "$boot" "$folder/$name" "::$name"
    done < <(cd "$folder" && find . -maxdepth 1 -type f -printf '%f\n' | LC_ALL=C sort)
    root_start=$((BOOT_START_MIB + BOOT_MIB))
    root_mib=$((($(stat -c %s "$root") + 1048575) / 1048576))
    truncate -s "$((root_start + root_mib))M" "$card"
    /sbin/sfdisk --quiet "$card" >/dev/null <<TABLE
label: dos
label-id: 0x$(card_signature)
start=${BOOT_START_MIB}MiB, size=${BOOT_MIB}MiB, type=c, bootable
start=${root_start}MiB, size=${root_mib}MiB, type=83
TABLE
    dd if="$boot" of="$card" bs=1M seek=$BOOT_START_MIB conv=notrunc,sparse status=none
    dd if="$root" of="$card" bs=1M seek=$root_start conv=notrunc status=none
    rm "$boot"
}
