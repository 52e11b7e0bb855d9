# The root file system from Debian's packages for arm64: the programs that are listed, the libraries these need, the
# kernel modules that are listed, the overlay, the hub. Nothing is installed, no package's script is run.
# Reads lib/common.sh, lib/debian.sh, lib/cross.sh first.
# shellcheck shell=bash

DEBIAN=$PROJECT/image/debian
DEBS=$PROJECT/out/debs
# The loader has to lie in lib itself.
LIBRARIES=(lib lib/aarch64-linux-gnu usr/lib/aarch64-linux-gnu usr/lib)

list() {
    grep -v '^#' "$1"
}

# The newest 6.12 kernel for arm64 that apt has.
kernel_package() {
    apt-cache pkgnames linux-image-6.12. | grep -E '^linux-image-6\.12\.[0-9]+\+deb12-arm64$' | sort -V | tail -n 1
}

# unpack_debian FOLDER: everything of all packages, to take from. Sets KERNEL, its release.
unpack_debian() {
    local folder=$1 kernel package
    local -a packages
    ensure_arm64_packages
    mapfile -t packages < <(list "$DEBIAN/packages")
    kernel=$(kernel_package)
    [[ -n $kernel ]] || die "apt has no kernel 6.12 for arm64 (Debian's security suite)"
    KERNEL=${kernel#linux-image-}
    fetch_arm64 "$DEBS" "${packages[@]}" "$kernel"
    # The very same files are unpacked already.
    if [[ $(cat "$folder/files" 2>/dev/null) == "${DEBS_FETCHED[*]}" ]]; then
        return
    fi
    rm -rf "$folder"
    mkdir -p "$folder"
    for package in "${DEBS_FETCHED[@]}"; do
        dpkg-deb -x "$package" "$folder"
    done
    # What the image is made of, for its bill of materials.
    printf '%s\n' "${DEBS_FETCHED[@]##*/}" | sort >"$folder/packages"
    printf '%s' "${DEBS_FETCHED[*]}" >"$folder/files"
}

# take DEBIAN ROOT PATH: a program with the libraries that it needs, and those that they need.
take() {
    local from=$1 to=$2 path=${3#/} library place
    [[ ! -e $to/$path ]] || return 0
    [[ -e $from/$path ]] || die "no package has /$path"
    install -D -m 755 "$from/$path" "$to/$path"
    while read -r library; do
        for place in "${LIBRARIES[@]}"; do
            if [[ -e $from/$place/$library ]]; then
                take "$from" "$to" "$place/$library"
                continue 2
            fi
        done
        die "no package has $library, which /$path needs"
    done < <(aarch64-linux-gnu-readelf -d "$from/$path" | sed -n 's/.*NEEDED.*\[\(.*\)\]$/\1/p')
}

# take_modules DEBIAN ROOT MODULE…: kernel modules with those they need, not compressed: the root is.
take_modules() {
    local from=$1 to=$2 module line file modules
    shift 2
    modules=lib/modules/$KERNEL
    [[ -e $from/$modules/modules.dep ]] || depmod -b "$from" "$KERNEL"
    mkdir -p "$to/$modules"
    cp "$from/$modules"/modules.{builtin,builtin.modinfo,order} "$to/$modules"
    for module in "$@"; do
        line=$(modprobe -d "$from" -S "$KERNEL" --show-depends "$module") || die "the kernel has no module $module"
        while read -r _ file _; do
            [[ $file == /* && -e $file ]] || continue
            file=${file#"$from/"}
            [[ ! -e $to/${file%.xz} ]] || continue
            mkdir -p "$to/${file%/*}"
            xz -dc "$from/$file" >"$to/${file%.xz}"
        done <<<"$line"
    done
    depmod -b "$to" "$KERNEL"
    # busybox reads the text; the rest only makes it larger.
    rm -f "$to/$modules"/modules.{builtin.modinfo,builtin.bin,builtin.alias.bin,dep.bin,alias.bin,symbols.bin,symbols,devname,softdep,weakdep,order}
}

# build_root DEBIAN ROOT BOARD DEV: the whole root file system. DEV is empty or not.
build_root() {
    local from=$1 to=$2 board=$PROJECT/image/board/$3 dev=$4 path
    local -a modules
    rm -rf "$to"
    mkdir -p "$to"/{bin,boot,data,dev,etc,proc,run,sbin,sys,tmp,usr/bin,usr/lib/hub,usr/sbin,var}
    while read -r path; do
        take "$from" "$to" "$path"
    done < <(list "$DEBIAN/programs")
    # Name lookups by DNS come from here.
    take "$from" "$to" lib/aarch64-linux-gnu/libresolv.so.2
    while read -r path; do
        ln -s /bin/busybox "$to$path"
    done < <(list "$DEBIAN/applets")
    mapfile -t modules < <(list "$DEBIAN/modules" && list "$board/modules")
    take_modules "$from" "$to" "${modules[@]}"
    cp -R "$PROJECT/overlay/." "$to/"
    install -m 644 "$board/board" "$to/usr/lib/hub/board"
    install -m 644 "$board/modules" "$to/usr/lib/hub/modules"
    install -m 755 "$CROSS_BINARY" "$to/usr/bin/hub-appliance"
    for path in $(aarch64-linux-gnu-readelf -d "$CROSS_BINARY" | sed -n 's/.*NEEDED.*\[\(.*\)\]$/\1/p'); do
        take_library "$from" "$to" "$path"
    done
    ln -s /run/resolv.conf "$to/etc/resolv.conf"
    ln -s /proc/mounts "$to/etc/mtab"
    printf '%s\n' "$BUILD_ID" >"$to/etc/hub-release"
    if [[ -n $dev ]]; then
        add_shell "$from" "$to"
    fi
    tidy "$to"
}

take_library() {
    local place
    for place in "${LIBRARIES[@]}"; do
        if [[ -e $1/$place/$3 ]]; then
            take "$1" "$2" "$place/$3"
            return
        fi
    done
    die "no package has $3, which the hub needs"
}

# A development image says so, and has a shell on its serial console.
add_shell() {
    local to=$2 applet
    printf '%s\n' '::respawn:-/bin/sh' >>"$to/etc/inittab"
    sed -i 's|/bin/false$|/bin/sh|;t;' "$to/etc/passwd"
    for applet in ls ps dmesg free top netstat mount dd od hexdump vi kill killall df du find wc head tail cut date id ping nc lsmod; do
        [[ -L $to/bin/$applet ]] || ln -s /bin/busybox "$to/bin/$applet"
    done
    touch "$to/etc/hub-dev"
}

# The same rights and times whoever built it and when: everything is root's, nobody else writes, nothing is setuid.
tidy() {
    find "$1" -type d -exec chmod 755 {} +
    find "$1" -type f -perm /111 -exec chmod 755 {} +
    find "$1" -type f ! -perm /111 -exec chmod 644 {} +
    chmod 600 "$1/etc/shadow"
    find "$1" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
}

# build_initramfs DEBIAN WORK FILE BOARD: the little system that checks and mounts the root.
build_initramfs() {
    local from=$1 to=$2 file=$3 board=$PROJECT/image/board/$4 path
    local -a modules
    rm -rf "$to"
    mkdir -p "$to"/{bin,dev,proc,root,sbin,sys}
    take "$from" "$to" bin/busybox
    take "$from" "$to" sbin/dmsetup
    for path in bin/sh bin/mount bin/usleep sbin/modprobe sbin/switch_root bin/cat bin/sleep sbin/reboot bin/dd bin/od bin/tr; do
        ln -s /bin/busybox "$to/$path"
    done
    mapfile -t modules < <(list "$board/modules-early")
    take_modules "$from" "$to" "${modules[@]}"
    install -m 644 "$board/modules-early" "$to/modules"
    install -m 755 "$PROJECT/image/initramfs/init" "$to/init"
    tidy_initramfs "$to"
    (cd "$to" && find . -mindepth 1 -print0 | LC_ALL=C sort -z |
        cpio --null --create --quiet --format=newc --reproducible --owner=0:0) | gzip -9n >"$file"
}

tidy_initramfs() {
    find "$1" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
}
