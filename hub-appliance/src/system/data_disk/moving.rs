//! Moving the data from the card that the system ran from before to where it is to be from now on. For root only.
//!
//! ```text
//! copy            the copy's disk is made, or found as a power cut left it; the files are copied, or go on
//! open_copy       the hub compares
//! finish_move     the keys are copied; the original is marked as moved
//! ```
//!
//! The copy has no keys before it was compared, so until then it is a disk whose making was cut short, and the original
//! is the data disk. With the original marked, the copy is the only one.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, umount};
use nix::sys::statvfs::statvfs;
use nix::unistd::fchown;

use super::find::{Disk, Found, MBR_MOVED, Scheme};
use super::format::Target;
use super::luks::{self, COPY, MAPPED, check, chosen, is_mounted, lock, mount_ext4, unlock};
use super::{DataDiskError, DiskState, Luks, Offer, Owner, Place};
use crate::atomic_file;
use crate::secret::SecretText;

/// Where the copy's disk is mounted meanwhile.
const COPY_FOLDER: &str = "/run/hub-copy";
/// So much is copied between two flushes; what a power cut costs is no more than twice this.
const STRETCH: u64 = 8 * 1024 * 1024;
/// File in the copy that says what it was copied from.
const STAMP: &str = "moved-from";
/// Room that has to stay free on the copy's disk.
const SPARE: u64 = 4 * 1024 * 1024;

impl Luks {
    /// The original and where its copy goes, if there is something to move and somewhere to move it to.
    fn move_of(&self, found: &Found) -> Result<Option<(Disk, Target)>, DataDiskError> {
        let original = match chosen(found) {
            Ok(Some(disk)) if disk.is_finished && disk.scheme == Scheme::Mbr && !disk.is_on_system => disk.clone(),
            _ => return Ok(None),
        };
        let begun = found.ours.iter().find(|disk| !disk.is_finished);
        let target = match (begun, found.bare.as_slice(), &found.room) {
            (Some(disk), ..) => Target::Begun(disk.clone()),
            (None, [disk], _) => Target::Whole(disk.device.clone()),
            (None, [], Some(room)) => Target::Rest(room.clone()),
            _ => return Ok(None),
        };
        Ok(Some((original, target)))
    }

    /// See [`super::DataDisk::movable`].
    pub(super) fn offer_move(&self) -> Result<Option<Offer>, DataDiskError> {
        let found = self.look()?;
        if self.state_of(&found)? != DiskState::Closed {
            return Ok(None);
        }
        Ok(self.move_of(&found)?.map(|(original, target)| Offer {
            place: match target {
                Target::Rest(_) => Place::Card,
                Target::Whole(_) | Target::Begun(_) => Place::Disk,
            },
            name: String::new(),
            bytes: original.bytes,
            token: 0,
        }))
    }

    /// See [`super::DataDisk::copy`].
    pub(super) fn copy_all(&self, passphrase: &SecretText, progress: &dyn Fn(u16)) -> Result<(), DataDiskError> {
        let moving = self.move_of(&self.look()?)?;
        let (original, target) = moving.ok_or(DataDiskError::State(DiskState::Missing))?;
        unlock(&original.records.0, passphrase, luks::MAPPED_NAME)?;
        let copied = check(Path::new(MAPPED))
            .and_then(|()| mount_ext4(Path::new(MAPPED), &self.store, MsFlags::MS_RDONLY))
            .and_then(|()| self.copy_to(target, passphrase, progress));
        let closed = close_copy();
        super::DataDisk::close(self)?;
        copied.and(closed)
    }

    fn copy_to(&self, target: Target, passphrase: &SecretText, progress: &dyn Fn(u16)) -> Result<(), DataDiskError> {
        let resumed =
            matches!(&target, Target::Begun(disk) if mount_copy(disk, passphrase, Path::new(COPY_FOLDER)).is_ok());
        if !resumed {
            close_copy()?;
            let disk = self.build(target, passphrase, &|_| {})?;
            mount_copy(&disk, passphrase, Path::new(COPY_FOLDER))?;
        }
        let (from, to) = (statvfs(&self.store)?, statvfs(COPY_FOLDER)?);
        let used = (from.blocks() - from.blocks_free()) * from.fragment_size();
        prepare(&self.store, Path::new(COPY_FOLDER))?;
        if used + SPARE > to.blocks() * to.fragment_size() {
            return Err(DataDiskError::NoRoom);
        }
        let mut copying = Copying {
            owner: self.owner,
            all: total(&self.store)?,
            done: 0,
            progress,
        };
        Ok(copying.folder(&self.store, Path::new(COPY_FOLDER))?)
    }

    /// See [`super::DataDisk::open_copy`].
    pub(super) fn mount_the_copy(&self, passphrase: &SecretText) -> Result<(), DataDiskError> {
        mount_copy(&self.copy_of_move()?, passphrase, &self.store)
    }

    fn copy_of_move(&self) -> Result<Disk, DataDiskError> {
        match self.move_of(&self.look()?)? {
            Some((_, Target::Begun(disk))) => Ok(disk),
            _ => Err(DataDiskError::State(DiskState::Missing)),
        }
    }

    /// See [`super::DataDisk::finish_move`].
    pub(super) fn settle_move(&self) -> Result<(), DataDiskError> {
        let moving = self.move_of(&self.look()?)?;
        let Some((original, Target::Begun(copy))) = moving else {
            return Err(DataDiskError::State(DiskState::Missing));
        };
        let folder = Path::new(COPY_FOLDER);
        fs::create_dir_all(folder)?;
        check(&copy.keys.0)?;
        mount_ext4(&copy.keys.0, folder, MsFlags::MS_SYNCHRONOUS)?;
        let mut copying = Copying {
            owner: self.owner,
            all: 0,
            done: 0,
            progress: &|_| {},
        };
        let copied = copying.folder(&self.keys, folder);
        umount(folder)?;
        copied?;
        self.mark(&original, [MBR_MOVED; 2])
    }
}

/// Opens the copy's disk at `folder`.
fn mount_copy(disk: &Disk, passphrase: &SecretText, folder: &Path) -> Result<(), DataDiskError> {
    fs::create_dir_all(folder)?;
    unlock(&disk.records.0, passphrase, COPY)?;
    let mapped = mapped_copy();
    check(&mapped)?;
    mount_ext4(&mapped, folder, MsFlags::empty())
}

fn mapped_copy() -> PathBuf {
    Path::new("/dev/mapper").join(COPY)
}

/// Unmounts and locks the copy's disk wherever it is mounted for copying. Does nothing if it is not.
pub(super) fn close_copy() -> Result<(), DataDiskError> {
    if is_mounted(Path::new(COPY_FOLDER))? {
        umount(COPY_FOLDER)?;
    }
    if mapped_copy().exists() { lock(COPY) } else { Ok(()) }
}

/// Makes the folder of the copy one that can be gone on with: what it holds stays only if it is from these very files.
fn prepare(from: &Path, to: &Path) -> io::Result<()> {
    let stamp = stamp(from)?;
    let of_copy = to.join(STAMP);
    if fs::read(&of_copy).is_ok_and(|known| known == stamp.as_bytes()) {
        return Ok(());
    }
    for entry in fs::read_dir(to)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::remove_file(entry.path())?;
        }
    }
    File::open(to)?.sync_all()?;
    atomic_file::write(&of_copy, stamp.as_bytes())
}

/// Names, lengths and times of the files in a folder: others after each change.
fn stamp(folder: &Path) -> io::Result<String> {
    let mut lines = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (name, about) = (entry.file_name(), entry.metadata()?);
        if about.is_file() {
            let name = name.to_string_lossy();
            lines.push(format!(
                "{name} {} {} {}\n",
                about.len(),
                about.mtime(),
                about.mtime_nsec()
            ));
        }
    }
    lines.sort_unstable();
    Ok(lines.concat())
}

/// What is being copied.
struct Copying<'a> {
    owner: Owner,
    all: u64,
    done: u64,
    progress: &'a dyn Fn(u16),
}

impl Copying<'_> {
    /// Copies the files in a folder, and goes on with those of which a part is there.
    fn folder(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                self.file(&entry.path(), &to.join(entry.file_name()))?;
            }
        }
        File::open(to)?.sync_all()
    }

    fn file(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let mut source = File::open(from)?;
        let len = source.metadata()?.len();
        let mut copy = OpenOptions::new().create(true).truncate(false).write(true).open(to)?;
        // What a power cut left at the end may not be what was written.
        let sure = (copy.metadata()?.len().min(len) / STRETCH).saturating_sub(1) * STRETCH;
        copy.set_len(sure)?;
        for file in [&mut source, &mut copy] {
            file.seek(SeekFrom::Start(sure))?;
        }
        self.done += sure;
        loop {
            let part = io::copy(&mut (&mut source).take(STRETCH), &mut copy)?;
            if part == 0 {
                break;
            }
            copy.sync_data()?;
            self.done += part;
            let permille = (self.done * 1000).checked_div(self.all).unwrap_or(0);
            (self.progress)(u16::try_from(permille.min(1000)).unwrap_or(1000));
        }
        copy.set_permissions(Permissions::from_mode(0o600))?;
        fchown(&copy, Some(self.owner.user), Some(self.owner.group))?;
        copy.flush()?;
        copy.sync_all()
    }
}

/// Bytes of the files in a folder.
fn total(folder: &Path) -> io::Result<u64> {
    fs::read_dir(folder)?.try_fold(0, |sum, entry| {
        let about = entry?.metadata()?;
        Ok(if about.is_file() { sum + about.len() } else { sum })
    })
}

#[cfg(test)]
mod tests {
    use nix::unistd::{Gid, Uid};

    use super::*;

    fn copy(from: &Path, to: &Path) -> Vec<u16> {
        let seen = std::cell::RefCell::new(Vec::new());
        let mut copying = Copying {
            owner: Owner {
                user: Uid::current(),
                group: Gid::current(),
            },
            all: total(from).unwrap(),
            done: 0,
            progress: &|permille| seen.borrow_mut().push(permille),
        };
        copying.folder(from, to).unwrap();
        seen.into_inner()
    }

    #[test]
    fn a_copy_that_was_cut_short_goes_on_and_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir(&from).unwrap();
        fs::create_dir_all(&to).unwrap();
        let large: Vec<u8> = (0..3 * STRETCH + 5).map(|at| (at % 251) as u8).collect();
        fs::write(from.join("hub.db"), &large).unwrap();
        fs::write(from.join("vault"), b"small").unwrap();
        fs::create_dir(from.join("lost+found")).unwrap();
        // As far as a cut left it: the end is not what was written.
        let mut part = large[..2 * STRETCH as usize + 9].to_vec();
        part[STRETCH as usize + 1..].fill(0);
        fs::write(to.join("hub.db"), part).unwrap();
        fs::write(to.join("vault"), b"longer than it is").unwrap();

        fs::write(to.join(STAMP), stamp(&from).unwrap()).unwrap();
        prepare(&from, &to).unwrap();
        let steps = copy(&from, &to);
        assert!(steps.is_sorted() && steps.last() == Some(&1000));
        assert!(fs::read(to.join("hub.db")).unwrap() == large);
        assert_eq!(fs::read(to.join("vault")).unwrap(), b"small");
        assert!(!to.join("lost+found").exists());
    }

    #[test]
    fn a_part_of_other_files_is_not_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        for (folder, content) in [(&from, "new"), (&to, "old")] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("hub.db"), content).unwrap();
        }
        fs::write(to.join("hub.db-wal"), "old").unwrap();
        prepare(&from, &to).unwrap();
        assert_eq!(fs::read_dir(&to).unwrap().count(), 1, "only what says where from");
        copy(&from, &to);
        prepare(&from, &to).unwrap();
        assert_eq!(fs::read(to.join("hub.db")).unwrap(), b"new");
    }
}
