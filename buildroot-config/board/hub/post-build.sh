#!/usr/bin/env bash
# Turns what Buildroot installed into the hub's root: the programs that image/ lists, the libraries, the overlay, and
# nothing else. Buildroot calls it with the root's folder before it packs it.
set -euo pipefail
# shellcheck source=buildroot-config/board/hub/board.sh
source "$BR2_EXTERNAL_HUB_PATH/board/hub/board.sh"

ROOT=$1
PROGRAMS=$PROJECT/image/debian/programs
APPLETS=$PROJECT/image/debian/applets

# The one folder of this name in Buildroot's build directory.
build_of() {
    local -a found
    found=("$BUILD_DIR"/"$1"-[0-9a-z]*/.config)
    [[ ${#found[@]} == 1 && -e ${found[0]} ]] || die "there is not one build of $1, but: ${found[*]}"
    printf '%s' "${found[0]%/.config}"
}

# Kconfig drops what it does not know or can't have without a word, and the lack of it shows at the clinic.
check_configurations() {
    local -a kernel busybox
    read -ra kernel <<<"$(setting BR2_LINUX_KERNEL_CUSTOM_CONFIG_FILE) $(setting BR2_LINUX_KERNEL_CONFIG_FRAGMENT_FILES)"
    read -ra busybox <<<"$(setting BR2_PACKAGE_BUSYBOX_CONFIG_FRAGMENT_FILES)"
    "$HUB/check-config" "$(build_of linux)/.config" "${kernel[@]//\$(BR2_EXTERNAL_HUB_PATH)/$BR2_EXTERNAL_HUB_PATH}" ||
        die "the kernel lacks options that it was asked for"
    "$HUB/check-config" "$(build_of busybox)/.config" "${busybox[@]//\$(BR2_EXTERNAL_HUB_PATH)/$BR2_EXTERNAL_HUB_PATH}" ||
        die "BusyBox lacks options that it was asked for"
}

# Packages bring more programs than the hub needs, and each is one more that somebody could use.
keep_listed_programs() {
    local path
    local -A keep=([hub-appliance]=yes [busybox]=yes)
    while read -r path; do
        # What Debian has in /usr/bin may be in /usr/sbin here, and is called by its name alone.
        [[ -x $ROOT$path || -x $ROOT${path/#\/usr\/bin\//\/usr\/sbin\/} ]] || die "no package brought $path"
        keep[${path##*/}]=yes
    done < <(grep -v '^#' "$PROGRAMS")
    while IFS= read -r -d '' path; do
        [[ -n ${keep[${path##*/}]-} && ! -L $path ]] || rm -f "$path"
    done < <(find "$ROOT/usr/bin" "$ROOT/usr/sbin" ! -type d -print0)
}

# Of the libraries only those that the programs need, and those that these need: packages and the compiler bring more.
keep_needed_libraries() {
    local name path
    local -a names next=("$ROOT"/usr/bin/* "$ROOT"/usr/sbin/*)
    local -A keep=()
    while [[ ${#next[@]} != 0 ]]; do
        mapfile -t names < <(readelf --dynamic "${next[@]}" | sed -n 's/.*NEEDED.*\[\(.*\)\]$/\1/p')
        next=()
        for name in "${names[@]}"; do
            path=$ROOT/usr/lib/$name
            [[ -z ${keep[$name]-} ]] || continue
            [[ -e $path ]] || die "no package brought $name"
            keep[$name]=yes
            keep[$(basename "$(readlink --canonicalize "$path")")]=yes
            next+=("$path")
        done
    done
    while IFS= read -r -d '' path; do
        [[ -n ${keep[${path##*/}]-} ]] || rm -f "$path"
    done < <(find "$ROOT/usr/lib" -maxdepth 1 ! -type d -print0)
}

# link_applet PATH: unless a program of its own stands there. The links are the target's, so here they lead nowhere.
link_applet() {
    [[ -e $ROOT$1 || -L $ROOT$1 ]] || ln -s /bin/busybox "$ROOT$1"
}

# link_applets FILE: links to BusyBox by the names that a list has.
link_applets() {
    local path links
    links=$(build_of busybox)/busybox.links
    while read -r path; do
        grep -qE "/${path##*/}\$" "$links" || die "BusyBox has no ${path##*/}"
        link_applet "$path"
    done < <(grep -v '^#' "$1")
}

# Of other files the overlay, and what is made below.
keep_listed_files() {
    local path
    while IFS= read -r -d '' path; do
        [[ " bin boot data dev etc lib lib64 proc run sbin sys tmp usr " == *" ${path##*/} "* ]] || rm -rf "$path"
    done < <(find "$ROOT" -mindepth 1 -maxdepth 1 -print0)
    rm -rf "${ROOT:?}"/usr/{include,libexec,share}
    while IFS= read -r -d '' path; do
        [[ -e $PROJECT/overlay/${path#"$ROOT/"} ]] || rm -rf "$path"
    done < <(find "$ROOT/etc" -mindepth 1 -print0)
    find "$ROOT/usr/lib" -mindepth 1 -maxdepth 1 -type d ! -name hub -exec rm -rf {} +
    find "$ROOT" -xdev -type f -perm /7000 -exec chmod u-s,g-s,-t {} +
}

add_own_files() {
    local board=$HUB/raspberrypi/$BOARD.board
    [[ $BOARD != qemu* ]] || board=$PROJECT/image/board/qemu/board
    mkdir -p "$ROOT"/{boot,data,var}
    install -m 644 "$board" "$ROOT/usr/lib/hub/board"
    # The kernel has everything built in.
    : >"$ROOT/usr/lib/hub/modules"
    ln -s /run/resolv.conf "$ROOT/etc/resolv.conf"
    ln -s /proc/mounts "$ROOT/etc/mtab"
    printf '%s\n' "${BUILD_ID:-hub of no known revision, $BOARD}" >"$ROOT/etc/hub-release"
}

# A development image says so, and has a shell on its serial console.
add_shell() {
    local path
    touch "$ROOT/etc/hub-dev"
    sed -i 's|^\(root:.*\):/bin/false$|\1:/bin/sh|' "$ROOT/etc/passwd"
    printf '%s\n' '::respawn:-/bin/sh' >>"$ROOT/etc/inittab"
    while read -r path; do
        link_applet "$path"
    done <"$(build_of busybox)/busybox.links"
}

# Whoever builds a card of the same revision elsewhere is to get the same bytes.
check_paths() {
    local named
    named=$(grep --recursive --files-with-matches --fixed-strings -e "$BASE_DIR" -e "$PROJECT/" "$ROOT" || true)
    [[ -z $named ]] || die "files of the root name the folder that it was built in: ${named//$'\n'/ }"
}

check_configurations
keep_listed_programs
keep_needed_libraries
link_applets "$APPLETS"
keep_listed_files
add_own_files
[[ -z $DEVELOPMENT ]] || add_shell
check_paths
