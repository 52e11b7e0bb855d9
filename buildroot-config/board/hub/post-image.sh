#!/usr/bin/env bash
# Makes the card: the root with its hash tree, and the boot partition with the kernel and, for a Raspberry Pi, the
# firmware. The steps are those of image/card.sh. Buildroot calls it with the folder of its images.
set -euo pipefail
# FAT's times are those of a time zone.
export TZ=UTC LC_ALL=C
# shellcheck source=buildroot-config/board/hub/board.sh
source "$BR2_EXTERNAL_HUB_PATH/board/hub/board.sh"
# shellcheck source=image/card.sh
source "$PROJECT/image/card.sh"

IMAGES=$1
BOOT=$IMAGES/boot

# The table by which the firmware finds the one for its board, those that config.txt names, and those that the firmware
# lays over the tree by itself: for a processor of the newer stepping, and for the fans of the PoE hats.
OVERLAYS=(
    overlay_map.dtb
    i2c-rtc.dtbo
    disable-wifi.dtbo disable-wifi-pi5.dtbo
    disable-bt.dtbo disable-bt-pi5.dtbo
    bcm2712d0.dtbo
    rpi-poe.dtbo rpi-poe-plus.dtbo
)

add_firmware() {
    find "$IMAGES/rpi-firmware" -maxdepth 1 -type f -exec cp -t "$BOOT" {} +
    find "$IMAGES" -maxdepth 1 -name '*.dtb' -exec cp -t "$BOOT" {} +
}

# A card that carries a board's device tree and is not for that board would start nothing on it; one that is for a board
# without carrying its device tree never gets that far. Over a tree without symbols the firmware lays nothing of config.txt.
check_device_trees() {
    local tree name fits
    local -A carried=()
    # shellcheck source=buildroot-config/board/hub/raspberrypi/raspberrypi3_64.board
    source "$HUB/raspberrypi/$BOARD.board"
    for tree in "$IMAGES"/*.dtb; do
        fits=
        for name in $HUB_COMPATIBLE; do
            # A text in it ends with a zero byte, and may begin behind a byte that is none of a name's. All of it is read: one
            # that ended at the first match would leave the command before it with a broken pipe, which counts as none.
            if tr '\0' '\n' <"$tree" | LC_ALL=C grep -aE "(^|[^a-z0-9,-])$name\$" >/dev/null; then
                fits=yes carried[$name]=yes
            fi
        done
        LC_ALL=C grep -aq __symbols__ "$tree" || die "${tree##*/} has no symbols: no overlay fits over it"
        [[ -n $fits ]] || die "${tree##*/} is of none of the boards that the card is for: $HUB_COMPATIBLE"
    done
    for name in $HUB_COMPATIBLE; do
        [[ -n ${carried[$name]-} ]] || die "the card is for $name and has no device tree of it"
    done
}

# add_overlays CARD: into the finished boot partition, for image/card.sh knows files only and these want a folder.
add_overlays() {
    local name file partition=$1@@${BOOT_START_MIB}M
    mmd -i "$partition" ::overlays
    for name in "${OVERLAYS[@]}"; do
        file=$IMAGES/rpi-firmware/overlays/$name
        [[ -e $file ]] || die "the firmware package has no overlay $name"
        touch -d "@$SOURCE_DATE_EPOCH" "$file"
        mcopy -m -i "$partition" "$file" "::overlays/$name"
    done
}

rm -rf "$BOOT"
mkdir "$BOOT"
cp "$IMAGES/Image.gz" "$BOOT/vmlinuz"
cp "$IMAGES/rootfs.squashfs" "$IMAGES/root.verity"
add_verity "$IMAGES/root.verity"
if [[ $BOARD == raspberrypi* ]]; then
    check_device_trees
    add_firmware
    command_line serial0,115200 >"$BOOT/cmdline.txt"
else
    command_line ttyAMA0 >"$BOOT/cmdline.txt"
fi
printf '%s\nroot hash %s\n' "${BUILD_ID:-hub of no known revision, $BOARD}" "$ROOT_HASH" >"$BOOT/hub-release.txt"
make_card "$BOOT" "$IMAGES/root.verity" "$IMAGES/hub.img"
[[ $BOARD != raspberrypi* ]] || add_overlays "$IMAGES/hub.img"
