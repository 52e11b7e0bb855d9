//! What a stick is for by what is on it, so that nothing else is done with one that the hub needs.

use std::path::Path;

use crate::backup::Folder;
use crate::keys::UsbKey;

/// Whether a key or backups are on a stick, or may be: it stays with the hub, and nothing is written over it.
pub(super) fn stays_with_hub(stick: &Path) -> bool {
    !matches!(UsbKey::read(stick), Ok(None)) || !matches!(Folder::within(stick).mark(), Ok(None))
}
