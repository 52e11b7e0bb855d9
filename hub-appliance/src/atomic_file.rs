//! Small files that a power cut leaves whole: the old content or the new, never a mixture.
//!
//! A write goes to `<name>.new`, is synced, renamed over the old file, and the folder is synced. A `<name>.new` left
//! behind by a power cut is never read and is removed by the next write.
//!
//! What is renamed is synced under its new name too. On FAT, which sticks have, a new name says where a file lies and how
//! long it is only once the file itself is written after that; until then it is an empty one (Linux, `vfat_rename`).

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Replaces the content of `path` with `bytes`; the file can be read by its owner only (mode 0600).
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_added_extension("new");
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    rename(&fresh, path)
}

/// Gives a file or a folder that is on the disk another name in its folder, and returns when that is on the disk too.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    File::open(to)?.sync_all()?;
    match to.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// The content of `path`, `None` if there is no such file.
///
/// A file longer than `limit` bytes is an [`io::ErrorKind::InvalidData`] and is not read any further.
pub(crate) fn read(path: &Path, limit: usize) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::with_capacity(limit.min(4096));
    file.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(Some(bytes))
}

/// Makes `folder` if it is missing, and closes it to everybody but its owner (mode 0700).
pub(crate) fn private_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(0o700))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_the_whole_content_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        write(&path, b"a long first content").unwrap();
        write(&path, b"short").unwrap();
        assert_eq!(read(&path, 100).unwrap().unwrap(), b"short");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_write_cut_short_is_never_read_and_does_not_hinder_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        let half_written = folder.path().join("a.json.new");
        fs::write(&half_written, b"hal").unwrap();
        assert_eq!(read(&path, 100).unwrap(), None);

        write(&path, b"whole").unwrap();
        fs::write(&half_written, b"hal").unwrap();
        assert_eq!(read(&path, 100).unwrap().unwrap(), b"whole");

        write(&path, b"next").unwrap();
        assert_eq!(read(&path, 100).unwrap().unwrap(), b"next");
        assert!(!half_written.exists());
    }

    #[test]
    fn does_not_read_beyond_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        write(&path, &[0; 10]).unwrap();
        assert_eq!(read(&path, 10).unwrap().unwrap().len(), 10);
        assert_eq!(read(&path, 9).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn closes_the_folder_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys");
        for _ in 0..2 {
            private_folder(&keys).unwrap();
            assert_eq!(fs::metadata(&keys).unwrap().permissions().mode() & 0o777, 0o700);
        }
    }
}
