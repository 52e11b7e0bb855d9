# Does for QEMU's Raspberry Pi 3 what that board's firmware does before the kernel starts: it lays the overlays that the
# card's config.txt names over the card's device tree. Reads common.sh, and debian.sh for what is missing, first.
# shellcheck shell=bash

# The first I2C bus, and the second serial line, in a Raspberry Pi 3's device tree.
PI3_BUS=/soc/i2c@7e804000
PI3_SECOND_LINE=/soc/serial@7e215040

ensure_device_tree_tools() {
    has fdtoverlay || apt_install device-tree-compiler
}

# pi3_settings FILE KEY: the values that config.txt gives a key on a Raspberry Pi 3: those of all boards, and its own.
pi3_settings() {
    awk -v key="$2=" '
        { sub(/\r$/, "") }
        /^\[/ { section = $0; next }
        (section == "" || section == "[all]" || section == "[pi3]") && index($0, key) == 1 { print substr($0, length(key) + 1) }
    ' "$1"
}

# pi3_device_tree TREE CONFIG OVERLAYS TO: the board's description as the kernel gets it. An overlay with parameters needs
# the firmware itself, which chooses parts of it by them; that of the clock chip is one, and QEMU has no such chip. Of the
# board's parameters the one that the panel's bus needs is carried out. The second serial line, which goes with Bluetooth,
# stays on: it is where a test plugs its panel in.
pi3_device_tree() {
    local tree=$1 config=$2 folder=$3 to=$4 name parameters
    local -a overlays=()
    while IFS=, read -r name parameters; do
        [[ -z $parameters ]] || continue
        [[ -f $folder/$name.dtbo ]] || die "config.txt switches $name on, and the card has no such overlay"
        overlays+=("$folder/$name.dtbo")
    done < <(pi3_settings "$config" dtoverlay)
    fdtoverlay -i "$tree" -o "$to" "${overlays[@]}" || die "an overlay does not fit the card's device tree"
    ! pi3_settings "$config" dtparam | grep -x 'i2c_arm=on' >/dev/null || fdtput -t s "$to" "$PI3_BUS" status okay
    fdtput -t s "$to" "$PI3_SECOND_LINE" status okay
}
