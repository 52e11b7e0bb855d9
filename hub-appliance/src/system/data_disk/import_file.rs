//! The owner's file of records on the system's card, in the clear for whoever holds the card: removed once it was taken
//! in.
//!
//! That, and taking the key to the cloud out of the owner's setup file, are the only times that anything writes to the card's
//! first partition, from which the board starts. No other file there is touched, each step is on the card before the next begins, and a power cut leaves a card that starts: with
//! the file whole, spoilt, or gone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};
use nix::mount::{MsFlags, mount};

use super::DataDiskError;
use crate::setup_file::forget_cloud_key;
use crate::system::owner_file::{self, OwnerFile};

/// How much of the file is written over at a time.
const CHUNK: usize = 256 * 1024;

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
    written_to(folder, || wipe(&file))
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
fn written_to(folder: &Path, work: impl FnOnce() -> io::Result<()>) -> Result<(), DataDiskError> {
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

/// Overwrites the file in its place, and then removes it: what it held is not left in free clusters.
fn wipe(file: &Path) -> io::Result<()> {
    let mut open = OpenOptions::new()
        .write(true)
        .custom_flags(O_NOFOLLOW | O_NONBLOCK)
        .open(file)?;
    if !open.metadata()?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let zeros = vec![0; CHUNK];
    let mut left = open.metadata()?.len();
    while left > 0 {
        let length = usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK));
        open.write_all(&zeros[..length])?;
        left -= length as u64;
    }
    open.sync_all()?;
    drop(open);
    fs::remove_file(file)?;
    File::open(file.parent().unwrap_or(Path::new("/")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_file_is_left_in_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let (file, other_name) = (folder.path().join("clinic.json"), folder.path().join("same"));
        let length = CHUNK + 7;
        fs::write(&file, vec![b'p'; length]).unwrap();
        // Another name for the same bytes on the disk.
        fs::hard_link(&file, &other_name).unwrap();
        wipe(&file).unwrap();
        assert!(!file.exists());
        assert!(fs::read(&other_name).unwrap() == vec![0; length]);
    }

    #[test]
    fn nothing_but_a_plain_file_is_wiped() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("of the system"), "kept").unwrap();
        std::os::unix::fs::symlink(path("of the system"), path("clinic.json")).unwrap();
        assert!(wipe(&path("clinic.json")).is_err());
        nix::unistd::mkfifo(&path("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(wipe(&path("pipe")).is_err());
        assert_eq!(fs::read_to_string(path("of the system")).unwrap(), "kept");
    }

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
