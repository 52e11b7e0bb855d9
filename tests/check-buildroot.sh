#!/usr/bin/env bash
# Proves that scripts/check-buildroot and check-config notice what they are there for: each test spoils a copy of the
# external tree in one way and wants that named. What needs a Buildroot checkout (BUILDROOT_DIR) or a Linux source tree
# (LINUX_DIR) is skipped without.
set -uo pipefail

PROJECT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
BOARD=qemu_aarch64
PASSED=0 FAILED=0 SKIPPED=0

passed() {
    printf 'ok       %s\n' "$1"
    PASSED=$((PASSED + 1))
}

failed() {
    printf 'FAILED   %s\n' "$1"
    sed 's/^/         /' "$2"
    FAILED=$((FAILED + 1))
}

skipped() {
    printf 'skipped  %s\n' "$1"
    SKIPPED=$((SKIPPED + 1))
}

# A copy of the external tree with one board, and of what it reads of the project around it.
copy_tree() {
    rm -rf "$WORK/project"
    mkdir "$WORK/project"
    cp -r "$PROJECT"/{Cargo.toml,buildroot-config,image,overlay,scripts} "$WORK/project/"
    find "$WORK/project/buildroot-config/configs" -type f ! -name "hub_${BOARD}_defconfig" -delete
    TREE=$WORK/project/buildroot-config
    DEFCONFIG=$TREE/configs/hub_${BOARD}_defconfig
}

# complains NAME PATTERN: the check of the spoilt copy fails and names what was spoilt.
complains() {
    if "$PROJECT/scripts/check-buildroot" "$TREE" >"$WORK/said" 2>&1; then
        echo "the check passed" >>"$WORK/said"
        failed "$1" "$WORK/said"
    elif grep -qE "$2" "$WORK/said"; then
        passed "$1"
    else
        echo "the check failed, but nothing it said matches: $2" >>"$WORK/said"
        failed "$1" "$WORK/said"
    fi
}

# config_check NAME STATUS FINAL ASKED [OPTION]: check-config on two small files ends with STATUS.
config_check() {
    local status=0
    printf '%b' "$3" >"$WORK/final"
    printf '%b' "$4" >"$WORK/asked"
    "$PROJECT/buildroot-config/board/hub/check-config" ${5+"$5"} "$WORK/final" "$WORK/asked" >"$WORK/said" 2>&1 || status=$?
    if [[ $status == "$2" ]]; then
        passed "check-config: $1"
    else
        echo "status $status, wanted $2" >>"$WORK/said"
        failed "check-config: $1" "$WORK/said"
    fi
}

# configures NAME STATUS OPTION WANTED: the board with an extra option over its own ends with STATUS, and what is said or
# configured then has WANTED.
configures() {
    local status=0
    printf '%s\n' "$3" >"$WORK/extra"
    rm -rf "$WORK/out"
    mkdir "$WORK/out"
    BUILDROOT_EXTRA_CONFIG=$WORK/extra bash -euo pipefail -c 'source "$0/scripts/lib/common.sh"
        source "$0/scripts/lib/buildroot.sh"
        BUILDROOT=$1
        configure_buildroot "$2" "" "$3"' \
        "$PROJECT" "$BUILDROOT_DIR" "$BOARD" "$WORK/out" >"$WORK/said" 2>&1 || status=$?
    cat "$WORK/out/.config" >>"$WORK/said"
    if [[ $status == "$2" ]] && grep -qxF -e "$4" "$WORK/said"; then
        passed "extra options: $1"
    else
        sed -i '/^#\|^BR2_/d' "$WORK/said"
        echo "status $status, wanted $2, and: $4" >>"$WORK/said"
        failed "extra options: $1" "$WORK/said"
    fi
}

test_extra_options() {
    configures "one more" 0 'BR2_PACKAGE_TREE=y' 'BR2_PACKAGE_TREE=y'
    configures "one in the place of the board's" 0 'BR2_TARGET_GENERIC_HOSTNAME="x"' 'BR2_TARGET_GENERIC_HOSTNAME="x"'
    configures "one that goes with what it needs" 0 '# BR2_TOOLCHAIN_BUILDROOT_CXX is not set' '# BR2_TOOLCHAIN_BUILDROOT_CXX is not set'
    configures "a misspelt one" 1 'BR2_PACKAGE_TERE=y' 'asked: BR2_PACKAGE_TERE=y, got: nothing'
    configures "one that costs the board its own" 1 '# BR2_PACKAGE_HUB_APPLIANCE is not set' '# BR2_PACKAGE_HUB_APPLIANCE is not set'
}

test_check_config() {
    config_check "what was asked is there" 0 'A_X=y\n# A_Y is not set\nA_Z="s"\n' '# why\nA_Z="s"\nA_X=y\n# A_Y is not set\n'
    config_check "a lost option" 1 'A_X=y\n' 'A_X=y\nA_W=y\n'
    config_check "another value" 1 'A_X="b"\n' 'A_X="a"\n'
    config_check "built in became a module" 1 'A_X=m\n' 'A_X=y\n'
    config_check "on though asked off" 1 'A_X=y\n' '# A_X is not set\n'
    config_check "absent though asked off" 0 'A_Y=y\n' '# A_X is not set\n'
    config_check "absent though asked off, strictly" 1 'A_Y=y\n' '# A_X is not set\n' --strict
    config_check "the last of two counts" 0 'A_X=2\n' 'A_X=1\nA_X=2\n'
    config_check "nothing final" 1 '' 'A_X=y\n'
}

test_against_buildroot() {
    local LINUX_DIR=
    export LINUX_DIR
    copy_tree
    if "$PROJECT/scripts/check-buildroot" "$TREE" >"$WORK/said" 2>&1; then
        passed "the tree as it is"
    else
        failed "the tree as it is" "$WORK/said"
    fi

    echo 'BR2_PACKAGE_NFTABELS=y' >>"$DEFCONFIG"
    complains "a misspelt symbol" 'asked: BR2_PACKAGE_NFTABELS=y, got: nothing'

    copy_tree
    echo '# BR2_PACKAGE_NFTABELS is not set' >>"$DEFCONFIG"
    complains "a misspelt symbol that is switched off" 'asked: # BR2_PACKAGE_NFTABELS is not set, got: nothing'

    copy_tree
    echo 'BR2_PACKAGE_RPI_FIRMWARE_BOOTCODE_BIN=y' >>"$DEFCONFIG"
    complains "a symbol whose dependency is off" 'asked: BR2_PACKAGE_RPI_FIRMWARE_BOOTCODE_BIN=y, got: nothing'

    copy_tree
    sed -i '/^BR2_RELRO_FULL=y$/d' "$DEFCONFIG"
    complains "a board without what all share" 'lacks what all boards share: BR2_RELRO_FULL=y'

    copy_tree
    echo 'BR2_PACKAGE_DROPBEAR=y' >>"$DEFCONFIG"
    complains "a package that nobody wants" 'dropbear is in the image and not in packages.list'

    copy_tree
    echo 'avahi' >>"$TREE/board/hub/packages.list"
    complains "a package that is missing" 'avahi is in packages.list and not in the image'

    copy_tree
    echo 'BR2_HUB_DEVELOPMNT=y' >>"$TREE/board/hub/dev.config"
    complains "a misspelt symbol for development" 'with dev.config: asked: BR2_HUB_DEVELOPMNT=y'

    copy_tree
    sed -i 's/^\tbool "hub-appliance"/    bool "hub-appliance"/' "$TREE/package/hub-appliance/Config.in"
    complains "a file against Buildroot's style" 'check-package: .*Config.in'
}

test_against_linux() {
    local BUILDROOT_DIR=
    export BUILDROOT_DIR
    copy_tree
    echo 'CONFIG_DM_VERTIY=y' >>"$TREE/board/hub/kernel/qemu.config"
    complains "a misspelt kernel option" 'no such symbol: DM_VERTIY'

    copy_tree
    echo '# CONFIG_MODULSE is not set' >>"$TREE/board/hub/kernel/qemu.config"
    complains "a misspelt kernel option that is switched off" 'no such symbol: MODULSE'

    copy_tree
    sed -i 's/^CONFIG_MD=y$/# CONFIG_MD is not set/' "$TREE/board/hub/kernel/hub.config"
    complains "a kernel option whose dependency is off" 'asked: CONFIG_DM_CRYPT=y, got: nothing'
}

# What needs neither checkout.
test_firmware_files() {
    local BUILDROOT_DIR='' LINUX_DIR=''
    export BUILDROOT_DIR LINUX_DIR
    copy_tree
    echo 'dtoverlay=dwc2' >>"$TREE/board/hub/raspberrypi/config.txt"
    complains "an overlay that the card does not carry" 'config.txt switches dwc2 on, which post-image.sh leaves out'

    copy_tree
    sed -i 's/^kernel_watchdog_timeout=.*/kernel_watchdog_timeout=60/' "$TREE/board/hub/raspberrypi/config.txt"
    complains "two watchdog times" 'config.txt and the command line give a start different times'

    printf 'dtoverlay=all-1\n[pi4]\ndtoverlay=four\n[pi3]\ndtoverlay=three,x=y\ndtparam=z\n[all]\ndtoverlay=all-2\r\n#dtoverlay=no\n' \
        >"$WORK/config.txt"
    # shellcheck disable=SC2016 # expanded by the inner shell
    bash -euc 'source "$0/scripts/lib/pi-firmware.sh"; pi3_settings "$1" dtoverlay' "$PROJECT" "$WORK/config.txt" >"$WORK/said"
    if [[ $(paste -sd ' ' "$WORK/said") == "all-1 three,x=y all-2" ]]; then
        passed "what config.txt switches on for a Raspberry Pi 3 in QEMU"
    else
        failed "what config.txt switches on for a Raspberry Pi 3 in QEMU" "$WORK/said"
    fi

    # shellcheck disable=SC2016 # expanded by the inner shell
    local quirks='source "$0/scripts/lib/common.sh"; PROJECT=$1 source "$0/image/card.sh"; PROJECT=$1 usb_quirks'
    if [[ $(bash -euc "$quirks" "$PROJECT" "$PROJECT" 2>"$WORK/said") =~ ^([0-9a-f]{4}:[0-9a-f]{4}:u,){9}[0-9a-f]{4}:[0-9a-f]{4}:u$ ]]; then
        passed "the quirks of USB bridges are as the kernel takes them"
    else
        failed "the quirks of USB bridges are as the kernel takes them" "$WORK/said"
    fi
    copy_tree
    echo '0bda:9201:u one more' >>"$WORK/project/image/usb-quirks"
    if bash -euc "$quirks" "$PROJECT" "$WORK/project" >"$WORK/said" 2>&1; then
        failed "more quirks than the kernel takes" "$WORK/said"
    else
        passed "more quirks than the kernel takes"
    fi
}

test_against_raspberry_pis_linux() {
    local BUILDROOT_DIR='' BOARD=raspberrypi5
    export BUILDROOT_DIR
    copy_tree
    if "$PROJECT/scripts/check-buildroot" "$TREE" >"$WORK/said" 2>&1; then
        passed "the Pi 5's fragments and device trees as they are"
    else
        failed "the Pi 5's fragments and device trees as they are" "$WORK/said"
    fi
    echo 'CONFIG_PINCTRL_BRCMSTB=y' >>"$TREE/board/hub/kernel/raspberrypi5.config"
    complains "an option that this kernel does not have" 'no such symbol: PINCTRL_BRCMSTB'

    copy_tree
    sed -i 's| broadcom/bcm2712-rpi-cm5l-cm5io||' "$DEFCONFIG"
    complains "a device tree that is left out" 'the card is for raspberrypi,5-compute-module and leaves bcm2712-rpi-cm5l-cm5io out'

    copy_tree
    sed -i 's|broadcom/bcm2712-rpi-500|broadcom/bcm2711-rpi-400|' "$DEFCONFIG"
    complains "a device tree of another board" 'bcm2711-rpi-400 is of none of the boards that the card is for'

    copy_tree
    echo 'dtparam=act_led_triger=heartbeat' >>"$TREE/board/hub/raspberrypi/config.txt"
    complains "a parameter that no device tree knows" 'config.txt sets act_led_triger, which no device tree knows'
}

# What one board's build leaves to the next.
test_work_folders() {
    local out=$WORK/work
    # shellcheck disable=SC2016 # expanded by the inner shell
    local library='source "$0/scripts/lib/common.sh"; source "$0/scripts/lib/buildroot.sh"; "$@"' board path
    for board in raspberrypi3_64 raspberrypizero2w_64 raspberrypi4_64 raspberrypi5 qemu_aarch64; do
        path=$(bash -euc "$library" "$PROJECT" folder_of "$board" '')
        printf '%s %s\n' "$board" "${path##*/}"
    done >"$WORK/said"
    if [[ $(cut -d ' ' -f 2 "$WORK/said" | sort | uniq -c | sort -n | awk '{ printf "%s ", $1 }') == "1 1 1 2 " ]] &&
        [[ $(sed -n 's/^raspberrypi3_64 //p' "$WORK/said") == "$(sed -n 's/^raspberrypizero2w_64 //p' "$WORK/said")" ]]; then
        passed "boards of one processor share what is compiled, and no others"
    else
        failed "boards of one processor share what is compiled, and no others" "$WORK/said"
    fi

    for path in target/usr/lib/hub/dropped images/other.dtb build/{linux-6.12,busybox-1,hub-appliance-0.1.0}/.stamp_built \
        build/{linux-6.12,busybox-1}/.stamp_{target,images}_installed build/linux-6.12/.stamp_dotconfig; do
        mkdir -p "$out/$(dirname "$path")"
        touch "$out/$path"
    done
    REVISION=abc bash -euc "$library" "$PROJECT" begin_anew "$out"
    if [[ $(cd "$out" && find . -type f | sort | paste -sd ' ') == \
        './build/busybox-1/.stamp_built ./build/linux-6.12/.stamp_built' ]]; then
        passed "a build begins without what an earlier one left on the card"
    else
        (cd "$out" && find . -type f) >"$WORK/said"
        failed "a build begins without what an earlier one left on the card" "$WORK/said"
    fi

    for path in abc abd abc-modified; do
        mkdir -p "$out/build/hub-appliance-0.1.0"
        echo "${path/abd/abc}" >"$out/hub-revision"
        REVISION=$path bash -euc "$library" "$PROJECT" begin_anew "$out"
        [[ -d $out/build/hub-appliance-0.1.0 ]] && echo "$path keeps the hub"
    done >"$WORK/said"
    if [[ $(<"$WORK/said") == "abc keeps the hub" ]]; then
        passed "the hub is compiled again for another revision, or one that is not committed"
    else
        failed "the hub is compiled again for another revision, or one that is not committed" "$WORK/said"
    fi
}

test_check_config
test_firmware_files
test_work_folders
if [[ -n ${BUILDROOT_DIR-} ]]; then
    test_against_buildroot
    test_extra_options
else
    skipped "check-buildroot against Buildroot: no BUILDROOT_DIR"
fi
if [[ -n ${LINUX_DIR-} ]]; then
    test_against_linux
    if [[ -e $LINUX_DIR/drivers/char/broadcom/vcio.c ]]; then
        test_against_raspberry_pis_linux
    else
        skipped "device trees: LINUX_DIR is not Raspberry Pi's"
    fi
else
    skipped "check-buildroot against Linux: no LINUX_DIR"
fi
printf '\n%d passed, %d failed, %d skipped\n' "$PASSED" "$FAILED" "$SKIPPED"
[[ $FAILED == 0 ]]
