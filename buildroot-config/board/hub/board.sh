# What the two build steps share. Read by bash; Buildroot has set BR2_CONFIG, BR2_EXTERNAL_HUB_PATH and BUILD_DIR.
# shellcheck shell=bash

# shellcheck disable=SC2034 # used by the scripts that read this file
HUB=$BR2_EXTERNAL_HUB_PATH/board/hub
# shellcheck source=scripts/lib/common.sh
source "$BR2_EXTERNAL_HUB_PATH/../scripts/lib/common.sh"

# setting NAME: a text or a y of Buildroot's configuration; nothing where it is off.
setting() {
    sed -nE "s/^$1=\"?([^\"]*)\"?\$/\1/p" "$BR2_CONFIG"
}

# shellcheck disable=SC2034
BOARD=$(setting BR2_HUB_BOARD)
# shellcheck disable=SC2034
DEVELOPMENT=$(setting BR2_HUB_DEVELOPMENT)
