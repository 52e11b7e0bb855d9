//! The disk under the database: how much room it has, how much of that is kept back, and whether it failed.
//!
//! Records come in only while there is more room than is kept back. That much is for what a hub on a full disk still has
//! to write: audit entries, logins, how far a phone has pulled, and the checkpoint that takes the write-ahead log into
//! the database. So the hub can be unlocked, read and locked when it takes no more records.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::stat::{major, minor};
use nix::sys::statvfs::{FsFlags, Statvfs, statvfs};

use super::error::{StoreError, Trouble};

const MIB: u64 = 1024 * 1024;

/// What is kept back of any disk: what the writer's page cache can still bring into the log at a commit (8 MiB), and as
/// much again for small writes.
const KEPT_BACK_AT_LEAST: u64 = 16 * MIB;
/// What is kept back of a large one.
const KEPT_BACK_AT_MOST: u64 = 64 * MIB;
/// The part of the disk that is kept back between the two.
const KEPT_BACK_PART: u64 = 32;

/// The disk that holds a database.
#[derive(Debug)]
pub(super) struct Disk {
    folder: PathBuf,
    /// Errors of the file system before the database was opened.
    errors_before: Option<u64>,
    is_full: AtomicBool,
    has_failed: AtomicBool,
    is_damaged: AtomicBool,
    /// Whether something was refused since the log was last cut.
    has_refused: AtomicBool,
}

impl Disk {
    /// The disk of the database at `path`.
    pub(super) fn under(path: &Path) -> Self {
        let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
        Self {
            errors_before: errors(&folder),
            folder,
            is_full: AtomicBool::new(false),
            has_failed: AtomicBool::new(false),
            is_damaged: AtomicBool::new(false),
            has_refused: AtomicBool::new(false),
        }
    }

    /// Makes sure that so many bytes more leave what is kept back.
    ///
    /// # Errors
    /// [`StoreError::Full`] if they do not, [`StoreError::Disk`] if the disk does not tell.
    pub(super) fn has_room_for(&self, bytes: u64) -> Result<(), StoreError> {
        if self.free()? >= bytes {
            self.is_full.store(false, Ordering::Relaxed);
            Ok(())
        } else {
            self.note(Trouble::Full);
            Err(StoreError::Full)
        }
    }

    /// Makes sure that there is room for so many bytes that are not records: where there is not, records still come in.
    ///
    /// # Errors
    /// [`StoreError::NoRoom`] if there is not, [`StoreError::Disk`] if the disk does not tell.
    pub(super) fn has_room_aside(&self, needed: u64) -> Result<(), StoreError> {
        let free = self.free()?;
        if free >= needed {
            Ok(())
        } else {
            Err(StoreError::NoRoom { needed, free })
        }
    }

    /// What is free beyond what is kept back.
    fn free(&self) -> Result<u64, StoreError> {
        let disk = statvfs(&self.folder).map_err(std::io::Error::from)?;
        Ok(free(&disk).saturating_sub(kept_back(&disk)))
    }

    /// Takes notice of what somebody met with on it.
    pub(super) fn note(&self, trouble: Trouble) {
        match trouble {
            Trouble::Full => {
                self.is_full.store(true, Ordering::Relaxed);
                self.has_refused.store(true, Ordering::Relaxed);
            }
            Trouble::Failed => self.has_failed.store(true, Ordering::Relaxed),
            Trouble::Damaged => self.is_damaged.store(true, Ordering::Relaxed),
        }
    }

    /// Whether something was refused since this was last asked.
    pub(super) fn take_refusal(&self) -> bool {
        self.has_refused.swap(false, Ordering::Relaxed)
    }

    /// How full it is, in percent: full is where what is kept back begins.
    ///
    /// # Errors
    /// [`StoreError::Disk`] if the disk does not tell.
    pub(super) fn used_percent(&self) -> Result<u8, StoreError> {
        let disk = statvfs(&self.folder).map_err(std::io::Error::from)?;
        let kept_back = kept_back(&disk);
        let (all, free) = (
            size(&disk).saturating_sub(kept_back),
            free(&disk).saturating_sub(kept_back),
        );
        let percent = (free.saturating_mul(100)).checked_div(all).unwrap_or(0);
        Ok(100 - u8::try_from(percent.min(100)).unwrap_or(100))
    }

    /// Whether records were refused, or would be.
    pub(super) fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed) || self.free().is_ok_and(|free| free == 0)
    }

    /// Whether something on it could not be read since the database was opened.
    pub(super) fn is_damaged(&self) -> bool {
        self.is_damaged.load(Ordering::Relaxed)
    }

    /// Whether it failed, or can't be written any more: that is what the kernel makes of a file system that it met errors
    /// in. Since Linux 6.12 it does not say so by a flag.
    pub(super) fn has_failed(&self) -> bool {
        let is_read_only = |disk: Statvfs| disk.flags().contains(FsFlags::ST_RDONLY);
        self.has_failed.load(Ordering::Relaxed)
            || statvfs(&self.folder).is_ok_and(is_read_only)
            || (self.errors_before).is_some_and(|before| errors(&self.folder).is_some_and(|now| now > before))
    }
}

/// How many errors the kernel has met with in the file system of a folder since it was last checked; none where it does not
/// count them (Linux: Documentation/ABI/testing/sysfs-fs-ext4).
fn errors(folder: &Path) -> Option<u64> {
    let device = fs::metadata(folder).ok()?.dev();
    let device = format!("/sys/dev/block/{}:{}", major(device), minor(device));
    let device = fs::canonicalize(device).ok()?;
    let count = Path::new("/sys/fs/ext4").join(device.file_name()?).join("errors_count");
    fs::read_to_string(count).ok()?.trim().parse().ok()
}

fn free(disk: &Statvfs) -> u64 {
    disk.blocks_available().saturating_mul(disk.fragment_size())
}

fn kept_back(disk: &Statvfs) -> u64 {
    (size(disk) / KEPT_BACK_PART).clamp(KEPT_BACK_AT_LEAST, KEPT_BACK_AT_MOST)
}

fn size(disk: &Statvfs) -> u64 {
    disk.blocks().saturating_mul(disk.fragment_size())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_full_from_the_first_refusal_to_the_next_that_fits() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::under(&folder.path().join("hub.db"));
        disk.has_room_for(0).unwrap();
        assert!(disk.used_percent().unwrap() <= 100);
        assert!(!disk.is_full() && !disk.take_refusal());
        assert!(matches!(disk.has_room_for(u64::MAX), Err(StoreError::Full)));
        assert!(disk.is_full() && disk.take_refusal() && !disk.take_refusal());
        disk.has_room_for(0).unwrap();
        assert!(!disk.is_full());
    }

    #[test]
    fn what_needs_room_aside_is_told_how_much_it_needs_and_has() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::under(&folder.path().join("hub.db"));
        disk.has_room_aside(1).unwrap();
        let refused = disk.has_room_aside(u64::MAX);
        assert!(matches!(refused, Err(StoreError::NoRoom { needed: u64::MAX, free }) if free > 0));
        assert!(!disk.is_full(), "records still come in");
    }

    #[test]
    fn a_disk_that_is_gone_is_neither_full_nor_written_to() {
        let disk = Disk::under(Path::new("/no/such/folder/hub.db"));
        assert!(matches!(disk.has_room_for(0), Err(StoreError::Disk(_))));
        assert!(disk.used_percent().is_err());
        assert!(!disk.is_full() && !disk.has_failed());
        disk.note(Trouble::Failed);
        assert!(disk.has_failed() && !disk.is_full());
    }
}
