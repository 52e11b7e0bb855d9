# Builds a board's image by Buildroot. Reads common.sh and debian.sh first; building reads rust.sh too.
# shellcheck shell=bash

BUILDROOT_TREE=$PROJECT/buildroot-config
BUILDROOT_OUT=$PROJECT/out/buildroot
VENDOR=$PROJECT/out/vendor
CARGO_CYCLONEDX=0.5.9

# boards TREE: the boards that the external tree has a configuration for.
boards() {
    local file
    for file in "$1"/configs/hub_*_defconfig; do
        file=${file##*/hub_}
        printf '%s\n' "${file%_defconfig}"
    done
}

# kernel_fragments DEFCONFIG: the files merged over board/hub/kernel/hub.config, in their order.
kernel_fragments() {
    sed -n 's/^BR2_LINUX_KERNEL_CONFIG_FRAGMENT_FILES="\(.*\)"$/\1/p' "$1"
}

# without FILE: the configuration of standard input, less what FILE sets again, for Kconfig warns of a symbol set twice.
without() {
    grep -vE "^(# )?($(sed -nE 's/^(# )?(BR2_[A-Za-z0-9_]+).*/\2/p' "$1" | paste -sd '|'))[ =]"
}

options_of() {
    grep -E '^(# )?BR2_' "$1"
}

# board_config TREE BOARD [dev]: the board's whole configuration, of a development image if asked for.
board_config() {
    local defconfig=$1/configs/hub_$2_defconfig dev=$1/board/hub/dev.config kind=${3-}
    if [[ -z $kind ]]; then
        cat "$defconfig"
    else
        without "$dev" <"$defconfig"
        options_of "$dev"
    fi
}

# configure_buildroot BOARD DEV OUT: the board's configuration, and over it the options in the file that
# BUILDROOT_EXTRA_CONFIG may name.
configure_buildroot() {
    local board=$1 dev=$2 out=$3 check=$BUILDROOT_TREE/board/hub/check-config
    board_config "$BUILDROOT_TREE" "$board" "$dev" >"$out/board.defconfig"
    : >"$out/extra.defconfig"
    if [[ -n ${BUILDROOT_EXTRA_CONFIG-} ]]; then
        options_of "$BUILDROOT_EXTRA_CONFIG" >"$out/extra.defconfig"
        without "$out/extra.defconfig" <"$out/board.defconfig" >"$out/kept.defconfig"
        mv "$out/kept.defconfig" "$out/board.defconfig"
    fi
    cat "$out/board.defconfig" "$out/extra.defconfig" >"$out/hub.defconfig"
    in_tree "$out" --silent defconfig BR2_DEFCONFIG="$out/hub.defconfig"
    # What the extra options switch off may be gone with what it depended on.
    if ! "$check" --strict "$out/.config" "$out/board.defconfig" || ! "$check" "$out/.config" "$out/extra.defconfig"; then
        die "Buildroot dropped what the board's configuration asks for"
    fi
}

# warn_of_other_version DIR: says so where the checkout is not the release that images are built with.
warn_of_other_version() {
    local version
    version=$(make --silent --no-print-directory -C "$1" O="$(mktemp -d)" print-version)
    # shellcheck source=buildroot-config/buildroot.version
    source "$BUILDROOT_TREE/buildroot.version"
    [[ $version == "$BUILDROOT_VERSION" ]] || note "images are built with $BUILDROOT_VERSION; this is $version"
}

# ensure_buildroot: sets BUILDROOT to the folder of the pinned release, fetched once, or to BUILDROOT_DIR.
ensure_buildroot() {
    local work
    if [[ -n ${BUILDROOT_DIR-} ]]; then
        BUILDROOT=$BUILDROOT_DIR
        warn_of_other_version "$BUILDROOT"
        return
    fi
    # shellcheck source=buildroot-config/buildroot.version
    source "$BUILDROOT_TREE/buildroot.version"
    BUILDROOT=$BUILDROOT_OUT/buildroot-$BUILDROOT_VERSION
    [[ ! -d $BUILDROOT ]] || return 0
    note "fetching Buildroot $BUILDROOT_VERSION"
    mkdir -p "$BUILDROOT_OUT"
    work=$(mktemp -d "$BUILDROOT_OUT/fetch.XXXXXX")
    git init --quiet "$work/git"
    git -C "$work/git" fetch --quiet --depth 1 "$BUILDROOT_URL" "refs/tags/$BUILDROOT_VERSION"
    [[ $(git -C "$work/git" rev-parse 'FETCH_HEAD^{commit}') == "$BUILDROOT_COMMIT" ]] ||
        die "tag $BUILDROOT_VERSION of $BUILDROOT_URL is not commit $BUILDROOT_COMMIT"
    git -C "$work/git" archive --format=tar --prefix="buildroot-$BUILDROOT_VERSION/" --output="$work/tar" FETCH_HEAD
    sha256sum --check --status <<<"$BUILDROOT_SHA256  $work/tar" ||
        die "Buildroot $BUILDROOT_VERSION has another checksum than buildroot-config/buildroot.version names"
    tar -xf "$work/tar" -C "$work"
    mv "$work/buildroot-$BUILDROOT_VERSION" "$BUILDROOT"
    rm -rf "$work"
}

# What Buildroot expects of the machine it runs on.
ensure_buildroot_packages() {
    local command missing=()
    for command in bc:bc bzip2:bzip2 cpio:cpio file:file flex:flex g++:g++ make:make patch:patch perl:perl \
        rsync:rsync unzip:unzip wget:wget zstd:zstd; do
        has "${command%:*}" || missing+=("${command#*:}")
    done
    [[ ${#missing[@]} == 0 ]] || apt_install "${missing[@]}"
}

# vendor_crates: the crates of Cargo.lock into out/vendor, and there the settings that make cargo use them.
vendor_crates() {
    local lock=$VENDOR/Cargo.lock
    if [[ -e $VENDOR/config.toml ]] && cmp --quiet "$PROJECT/Cargo.lock" "$lock"; then
        return
    fi
    note "fetching the crates that Cargo.lock names"
    rm -rf "$VENDOR"
    mkdir -p "$VENDOR"
    cargo vendor --quiet --locked --versioned-dirs --manifest-path "$PROJECT/Cargo.toml" "$VENDOR/crates" >/dev/null
    cp "$PROJECT/Cargo.lock" "$lock"
    printf '%s\n' '[source.crates-io]' 'replace-with = "vendored"' '[source.vendored]' \
        "directory = \"$VENDOR/crates\"" >"$VENDOR/config.toml"
}

# folder_of BOARD DEV: the folder that Buildroot works in. The Raspberry Pis of one processor share one: what they have in
# common takes hours to compile, and what differs minutes.
folder_of() {
    local board=$1 dev=$2 processor=
    if [[ $board == raspberrypi* ]]; then
        processor=$({
            cat "$BUILDROOT_TREE/configs/hub_${board}_defconfig"
            [[ -z ${BUILDROOT_EXTRA_CONFIG-} ]] || options_of "$BUILDROOT_EXTRA_CONFIG"
        } | sed -n 's/^BR2_\(cortex_[a-z0-9_]*\)=y$/raspberrypi-\1/p' | tail -n 1)
    fi
    printf '%s' "$BUILDROOT_OUT/${processor:-$board}${dev:+-dev}${BUILDROOT_EXTRA_CONFIG:+-altered}"
}

# begin_anew OUT: what an earlier build, or one for another board, left in the root and beside the card would stay there, so
# both are filled again from the packages as they are built. The kernel takes the options anew, and compiles what they
# change. Buildroot sees no change in a local package by itself: the hub stays only if it is of this very revision.
begin_anew() {
    local out=$1
    rm -rf "$out/target" "$out/images"
    if [[ -d $out/build ]]; then
        # The compiler's libraries come into the root as it is installed.
        find "$out/build" -mindepth 2 -maxdepth 2 \( -name .stamp_target_installed -o -name .stamp_images_installed \
            -o -path '*/host-gcc-final-*/.stamp_host_installed' -o -path '*/linux-*/.stamp_dotconfig' \) -delete
    fi
    if [[ $REVISION == *-modified || ! -e $out/hub-revision || $(<"$out/hub-revision") != "$REVISION" ]]; then
        rm -rf "$out"/build/hub-appliance-*
    fi
    rm -f "$out/hub-revision"
}

# in_tree OUT ARGUMENT…: Buildroot's make for one board.
in_tree() {
    local out=$1
    shift
    make --no-print-directory -C "$BUILDROOT" O="$out" BR2_EXTERNAL="$BUILDROOT_TREE" \
        BR2_DL_DIR="${BR2_DL_DIR:-$BUILDROOT_OUT/dl}" "$@"
}

# write_crates_sbom FILE: the bill of materials of the hub's crates, with their licences.
write_crates_sbom() {
    local file=$1 tools=$PROJECT/target/tools
    PATH=$PATH:$tools/bin
    if ! cargo cyclonedx --version >/dev/null 2>&1; then
        note "building cargo-cyclonedx into target/tools: some minutes, once"
        cargo install --quiet --locked --root "$tools" --target-dir "$tools/build" "cargo-cyclonedx@$CARGO_CYCLONEDX"
    fi
    cargo cyclonedx --quiet --manifest-path "$PROJECT/hub-appliance/Cargo.toml" --format json \
        --target aarch64-unknown-linux-gnu --override-filename hub-sbom
    # It calls the hub's own crate by where it lies, which is nobody's business, and another place for each who builds it.
    sed "s|path+file://$PROJECT/|path+file:///hub/|g" "$PROJECT/hub-appliance/hub-sbom.json" >"$file.crates.cdx.json"
    # It writes one for each crate of the workspace.
    rm -f "$PROJECT"/*/hub-sbom.json
}

# write_sbom OUT FILE: the bill of materials of the system's packages, and that of the hub's crates beside it.
write_sbom() {
    local out=$1 file=$2
    # shellcheck disable=SC2153 # VERSION is set by scripts/build-image
    in_tree "$out" --silent show-info |
        BR2_DL_DIR=${BR2_DL_DIR:-$BUILDROOT_OUT/dl} "$BUILDROOT/utils/generate-cyclonedx" \
            --project-name hub --project-version "$VERSION${BUILDROOT_EXTRA_CONFIG:+-altered}" >"$file.cdx.json"
    write_crates_sbom "$file"
}

# buildroot_image BOARD DEV OUT: builds OUT/NAME.img, and beside it the bills of materials and the licences. DEV is empty
# or not. Wants VERSION, REVISION, NAME, BUILD_ID and SOURCE_DATE_EPOCH set, and the tools of image/card.sh installed.
buildroot_image() {
    local board=$1 dev=$2 target=$3 out
    out=$(folder_of "$board" "$dev")
    export SOURCE_DATE_EPOCH BUILD_ID
    ensure_buildroot_packages
    ensure_buildroot
    vendor_crates
    step "Buildroot: $board${dev:+, for development}"
    mkdir -p "$out"
    configure_buildroot "$board" "$dev" "$out"
    begin_anew "$out"
    in_tree "$out" linux-reconfigure
    in_tree "$out"
    printf '%s' "$REVISION" >"$out/hub-revision"
    in_tree "$out" legal-info
    cp "$out/images/hub.img" "$target/$NAME.img"
    write_sbom "$out" "$target/$NAME"
    tar -C "$out" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner \
        -cf "$target/$NAME.legal-info.tar" legal-info
}
