# Signatures of releases, by minisign. Reads common.sh first; installing reads debian.sh too.
# shellcheck shell=bash

# The owner's public key. There is none in the repository until the owner makes one: scripts/release --new-key.
# shellcheck disable=SC2034 # used by the scripts that read this file
RELEASE_KEY=$PROJECT/image/release.pub
# What is signed: the sums of all files of a release, so that one signature is for all of them.
# shellcheck disable=SC2034 # used by the scripts that read this file
RELEASE_SUMS=SHA256SUMS

ensure_minisign() {
    has minisign || apt_install minisign
}

# signed_as SUMS KEY: what the owner of the key says that these sums are of. Fails where the signature beside them is not
# that key's, or is of other sums.
signed_as() {
    minisign -VQ -p "$2" -x "$1.minisig" -m "$1" 2>/dev/null
}
