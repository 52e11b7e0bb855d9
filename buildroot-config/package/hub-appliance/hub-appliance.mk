################################################################################
#
# hub-appliance
#
################################################################################

HUB_APPLIANCE_PROJECT = $(realpath $(BR2_EXTERNAL_HUB_PATH)/..)
HUB_APPLIANCE_VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' $(HUB_APPLIANCE_PROJECT)/Cargo.toml)
HUB_APPLIANCE_SITE = $(HUB_APPLIANCE_PROJECT)
HUB_APPLIANCE_SITE_METHOD = local
HUB_APPLIANCE_LICENSE = (Apache-2.0 or MIT) and OFL-1.1 (glyphs)
HUB_APPLIANCE_LICENSE_FILES = LICENSE-APACHE LICENSE-MIT LICENSE-OFL
HUB_APPLIANCE_DEPENDENCIES = openssl

# What a developer's builds left in the project stays out of this one.
HUB_APPLIANCE_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = \
	--exclude /target \
	--exclude /out \
	--exclude /.run

# Nor do they belong into the archive of the sources. It would not even end, for
# Buildroot's own folder, which it is made in, lies in one of them.
hub-appliance-legal-info: RSYNC_VCS_EXCLUSIONS += $(HUB_APPLIANCE_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS)

# A local site is not vendored by Buildroot, so the crates that Cargo.lock names
# are fetched beforehand (scripts/build-image does it) and cargo is told here
# where they lie. In the project itself that file would bind every build to it.
HUB_APPLIANCE_VENDOR_CONFIG = $(HUB_APPLIANCE_PROJECT)/out/vendor/config.toml

define HUB_APPLIANCE_USE_VENDORED_CRATES
	@test -e $(HUB_APPLIANCE_VENDOR_CONFIG) || \
		{ echo "hub-appliance: no crates in out/vendor; scripts/build-image puts them there" >&2; exit 1; }
	$(INSTALL) -D -m 0644 $(HUB_APPLIANCE_VENDOR_CONFIG) $(@D)/.cargo/config.toml
endef
HUB_APPLIANCE_POST_RSYNC_HOOKS += HUB_APPLIANCE_USE_VENDORED_CRATES

HUB_APPLIANCE_CARGO_BUILD_OPTS = --package hub-appliance --bin hub-appliance

# The profile of Cargo.toml, which Buildroot's own settings would override; no
# folder of the building machine in the program, and the same program whatever
# folder that is, so cargo must not see one in Buildroot's flags either; and the
# result where it is installed from, whatever folder a developer has cargo use.
HUB_APPLIANCE_CARGO_ENV = \
	CARGO_TARGET_DIR=$(@D)/target \
	OPENSSL_INCLUDE_DIR=$(STAGING_DIR)/usr/include \
	OPENSSL_LIB_DIR=$(STAGING_DIR)/usr/lib \
	CARGO_PROFILE_RELEASE_OPT_LEVEL=3 \
	CARGO_PROFILE_RELEASE_LTO=thin \
	CARGO_PROFILE_RELEASE_CODEGEN_UNITS=4 \
	CARGO_HOST_RUSTFLAGS= \
	RUSTC_WRAPPER=$(HUB_APPLIANCE_PROJECT)/scripts/lib/rustc-anywhere \
	HUB_FOLDERS="$$(printf '%s\n' "$(@D)=/hub" "$(HUB_APPLIANCE_PROJECT)/out/vendor/crates=/crates")"

# Installed by hand: the workspace is virtual, which "cargo install --path ./" refuses.
define HUB_APPLIANCE_INSTALL_TARGET_CMDS
	$(INSTALL) -D -m 0755 $(@D)/target/$(RUSTC_TARGET_NAME)/release/hub-appliance \
		$(TARGET_DIR)/usr/bin/hub-appliance
endef

$(eval $(cargo-package))
