//! The owner's file of records on the system's card, in the clear for whoever holds the card: removed once it was taken
//! in.
//!
//! That, taking the key to the cloud out of the owner's setup file, and the note of the data disk are the only times that anything writes to the card's
//! first partition, from which the board starts. No other file there is touched, each step is on the card before the next begins, and a power cut leaves a card that starts: with
//! the file whole, spoilt, or gone.

use std::io;
use std::path::Path;

use nix::mount::{MsFlags, mount};

use super::DataDiskError;
use crate::setup_file::forget_cloud_key;
use crate::system::owner_file::{self, OwnerFile};

/// Removes `file`, or what its owner took for it, from the partition that is mounted, for reading only, where the file's
/// folder is.
///
/// # Errors
/// [`DataDiskError`] if it may still be there, a card that is locked against writing for example, or if nobody knows which
/// of several it is.
pub(super) fn forget(file: &Path) -> Result<(), DataDiskError> {
    let folder = file.parent().unwrap_or(Path::new("/"));
    let file = match owner_file::look_for(file)? {
        OwnerFile::Absent => return Ok(()),
        OwnerFile::There(file) => file,
        OwnerFile::Several => return Err(io::Error::from(io::ErrorKind::AlreadyExists).into()),
    };
    written_to(folder, || owner_file::wipe(&file))
}

/// Takes the key to the cloud out of the setup file `file` on that partition.
///
/// # Errors
/// As [`forget`].
pub(super) fn forget_key(file: &Path) -> Result<(), DataDiskError> {
    let folder = file.parent().unwrap_or(Path::new("/"));
    match owner_file::look_for(file)? {
        OwnerFile::Absent => Ok(()),
        _ => written_to(folder, || forget_cloud_key(file)),
    }
}

/// Does `work` while the partition can be written.
pub(super) fn written_to(folder: &Path, work: impl FnOnce() -> io::Result<()>) -> Result<(), DataDiskError> {
    remount(folder, MsFlags::MS_SYNCHRONOUS)?;
    let done = work();
    if let Err(error) = remount(folder, MsFlags::MS_RDONLY) {
        tracing::error!(%error, "the card's first partition stays open for writing");
    }
    Ok(done?)
}

fn remount(folder: &Path, how: MsFlags) -> Result<(), DataDiskError> {
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_NODEV | MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC | how;
    Ok(mount(None::<&str>, folder, None::<&str>, flags, None::<&str>)?)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_that_is_not_there_is_forgotten_and_one_elsewhere_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("clinic.json");
        forget(&file).unwrap();
        fs::write(&file, "{}").unwrap();
        // Nothing is mounted there that could be opened for writing.
        assert!(forget(&file).is_err());
        assert_eq!(fs::read(&file).unwrap(), b"{}");
    }
}
