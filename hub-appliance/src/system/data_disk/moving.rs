//! Moving the data from the card that the system ran from before, or from a disk that has become too small, to where it is to
//! be from now on. For root only.
//!
//! ```text
//! copy            the copy's disk is made, or found as a power cut left it; the files are copied, or go on
//! open_copy       the hub compares
//! finish_move     the keys are copied; the original is marked as moved
//! ```
//!
//! The copy has no keys before it was compared, so until then it is a disk whose making was cut short, and the original
//! is the data disk. Then the copy gets the keys and the mark of a disk that has them, which nobody is asked for any more;
//! the original is marked as moved; and the copy is marked as finished. Whoever opens the original instead takes the keys
//! from the copy again, which is older from then on.
//!
//! Whoever made the disks may have put anything on them, and this is root: only plain files are read, and none is written
//! that was not made here. A name that leads elsewhere is taken away, never followed.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};
use nix::mount::{MsFlags, umount};
use nix::sys::statvfs::statvfs;
use nix::unistd::fchown;

use super::choice::{Target, movable, moves};
use super::find::{Disk, Found, KEYS, MBR_UNFINISHED, RECORDS, Scheme, Stage, UNFINISHED};
use super::luks::{self, COPY, MAPPED, finished};
use super::volume::{SLOTS, check, is_mounted, lock, mount_ext4, unlock};
use super::{DataDiskError, DiskState, Luks, Move, Offer, Owner};
use crate::atomic_file;
use crate::secret::SecretText;

/// Where the copy's disk is mounted meanwhile.
const COPY_FOLDER: &str = "/run/hub-copy";
/// So much is copied between two flushes; what a power cut costs is no more than twice this.
const STRETCH: u64 = 8 * 1024 * 1024;
/// File in the copy that says what it was copied from.
const STAMP: &str = "moved-from";
/// Room on a new disk that is not for records, however small these are.
const LEAST: u64 = 96 * 1024 * 1024;
/// Room that has to stay free on the copy's disk.
const SPARE: u64 = 4 * 1024 * 1024;

impl Luks {
    /// See [`super::DataDisk::movable`].
    pub(super) fn offer_move(&self) -> Result<Option<Move>, DataDiskError> {
        let found = self.look()?;
        if self.state_of(&found)? != DiskState::Closed {
            return Ok(None);
        }
        Ok(movable(&found).map(|(original, to, _)| Move {
            bytes: original.bytes,
            to,
            goes_on: !original.is_old_card(),
        }))
    }

    /// See [`super::DataDisk::roomier`].
    pub(super) fn list_roomier(&self) -> Result<Vec<Offer>, DataDiskError> {
        let found = self.look()?;
        match self.state_of(&found)? {
            DiskState::Open => {}
            state => return Err(DataDiskError::State(state)),
        }
        let needed = needed_for(used(&self.store)?);
        let (_, to) = moves(&found).unzip();
        let offers = to.unwrap_or_default().into_iter().map(|(offer, _)| offer);
        Ok(offers.filter(|offer| offer.bytes >= needed).collect())
    }

    /// See [`super::DataDisk::copy`].
    pub(super) fn copy_all(
        &self,
        passphrase: &SecretText,
        allowed: u64,
        progress: &dyn Fn(u16),
    ) -> Result<(), DataDiskError> {
        let found = self.look()?;
        let is_allowed = |(offer, target): (Offer, Target)| (offer.token == allowed).then_some(target);
        let moving = moves(&found).and_then(|(original, to)| Some((original, to.into_iter().find_map(is_allowed)?)));
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
        let (used, to) = (used(&self.store)?, statvfs(COPY_FOLDER)?);
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
        match movable(&self.look()?) {
            Some((_, _, Target::Begun(disk))) => Ok(disk),
            _ => Err(DataDiskError::State(DiskState::Missing)),
        }
    }

    /// See [`super::DataDisk::finish_move`].
    pub(super) fn settle_move(&self) -> Result<(), DataDiskError> {
        let found = self.look()?;
        let Some((original, _, Target::Begun(copy))) = movable(&found) else {
            return Err(DataDiskError::State(DiskState::Missing));
        };
        let mut copying = Copying {
            owner: self.owner,
            all: 0,
            done: 0,
            progress: &|_| {},
        };
        with_keys_of(&copy, |folder| copying.folder(&self.keys, folder))?;
        let [keys, records] = finished(&copy);
        self.mark_one(&copy, copy.keys.1, keys)?;
        let moved = original.moved_marks();
        self.mark(original, moved.each_ref().map(String::as_str))?;
        self.mark_one(&copy, copy.records.1, records)?;
        // What was chosen before is not what it was.
        self.settle_on(&copy);
        Ok(())
    }

    /// Takes the keys from copies of `disk` that were never made the data disk, before that is written to: one day it may
    /// not be there, and then the hub would go on with older records.
    pub(super) fn disown_copies(&self, found: &Found, disk: &Disk) -> Result<(), DataDiskError> {
        let copies = found.ours.iter().filter(|copy| copy.device != disk.device);
        for copy in copies.filter(|copy| copy.stage == Stage::Keyed) {
            with_keys_of(copy, |folder| {
                for name in SLOTS {
                    match fs::remove_file(folder.join(name)) {
                        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                        _ => {}
                    }
                }
                File::open(folder)?.sync_all()
            })?;
            let unfinished = [KEYS, RECORDS].map(|name| match copy.scheme {
                Scheme::Gpt => format!("{name}{UNFINISHED}"),
                Scheme::Mbr => MBR_UNFINISHED.to_owned(),
            });
            self.mark(copy, unfinished.each_ref().map(String::as_str))?;
        }
        Ok(())
    }
}

/// Bytes that are used in the file system of a folder.
fn used(folder: &Path) -> Result<u64, DataDiskError> {
    let system = statvfs(folder)?;
    Ok((system.blocks() - system.blocks_free()) * system.fragment_size())
}

/// Bytes that a disk has to have for so many: beside them go the part for the keys, the headers of LUKS, and what a file
/// system takes for itself.
const fn needed_for(used: u64) -> u64 {
    used + used / 16 + LEAST
}

/// Mounts the part for the keys of a copy while `work` is done there.
fn with_keys_of(copy: &Disk, work: impl FnOnce(&Path) -> io::Result<()>) -> Result<(), DataDiskError> {
    let folder = Path::new(COPY_FOLDER);
    fs::create_dir_all(folder)?;
    check(&copy.keys.0)?;
    mount_ext4(&copy.keys.0, folder, MsFlags::MS_SYNCHRONOUS)?;
    let worked = work(folder);
    umount(folder)?;
    Ok(worked?)
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
    let mut known = Vec::new();
    let read = open_plain(&of_copy, File::options().read(true))
        .and_then(|file| file.take(stamp.len() as u64 + 1).read_to_end(&mut known));
    if read.is_ok() && known == stamp.as_bytes() {
        return Ok(());
    }
    for entry in fs::read_dir(to)? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() {
            fs::remove_file(entry.path())?;
        }
    }
    File::open(to)?.sync_all()?;
    atomic_file::write(&of_copy, stamp.as_bytes())
}

/// Opens a plain file and nothing else: no link that leads elsewhere, and no pipe, which nobody might ever open at its
/// other end.
pub(super) fn open_plain(path: &Path, how: &mut OpenOptions) -> io::Result<File> {
    let file = how.custom_flags(O_NOFOLLOW | O_NONBLOCK).open(path)?;
    let about = file.metadata()?;
    // Another name of the same file might be a file of somebody else.
    if about.is_file() && about.nlink() == 1 {
        Ok(file)
    } else {
        Err(io::ErrorKind::InvalidInput.into())
    }
}

/// Opens the copy of a file to go on with it, or makes it anew in the place of whatever has its name.
fn open_copy(path: &Path) -> io::Result<File> {
    if let Ok(begun) = open_plain(path, File::options().write(true)) {
        return Ok(begun);
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut how = OpenOptions::new();
    open_plain(path, how.write(true).create_new(true).mode(0o600))
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
        let mut source = open_plain(from, File::options().read(true))?;
        let len = source.metadata()?.len();
        let mut copy = open_copy(to)?;
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
    fn a_crafted_disk_leads_nowhere_else() {
        use std::os::unix::fs::symlink;

        use nix::sys::stat::Mode;
        use nix::unistd::mkfifo;

        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let (from, to) = (path("from"), path("to"));
        let ours = path("of the system");
        for made in [&from, &to] {
            fs::create_dir(made).unwrap();
        }
        for name in ["hub.db", "keyslots.json", "vault", "pipe", "hard"] {
            fs::write(from.join(name), name).unwrap();
        }
        fs::write(&ours, "of the system").unwrap();
        // Where copies are to be made: links to what is the system's, to nothing yet, and a pipe.
        symlink(&ours, to.join("hub.db")).unwrap();
        symlink(path("not yet there"), to.join("vault")).unwrap();
        symlink(&ours, to.join(STAMP)).unwrap();
        fs::hard_link(&ours, to.join("hard")).unwrap();
        mkfifo(&to.join("pipe"), Mode::S_IRWXU).unwrap();
        copy(&from, &to);
        prepare(&from, &to).unwrap();
        symlink(&ours, to.join("hub.db")).unwrap();
        copy(&from, &to);
        for name in ["hub.db", "keyslots.json", "vault", "pipe", "hard"] {
            let about = fs::symlink_metadata(to.join(name)).unwrap();
            assert!(about.is_file(), "{name}");
            assert_eq!(fs::read_to_string(to.join(name)).unwrap(), name);
        }
        assert_eq!(fs::read_to_string(&ours).unwrap(), "of the system");
        assert!(!path("not yet there").exists());

        // Where they are made from: nothing but plain files is read, whatever is put there meanwhile.
        symlink(&ours, from.join("link")).unwrap();
        mkfifo(&from.join("another pipe"), Mode::S_IRWXU).unwrap();
        copy(&from, &to);
        assert!(!to.join("link").exists() && !to.join("another pipe").exists());
        for name in ["link", "another pipe"] {
            assert!(
                open_plain(&from.join(name), File::options().read(true)).is_err(),
                "{name}"
            );
        }
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
