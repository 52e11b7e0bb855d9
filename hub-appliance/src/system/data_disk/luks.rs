//! The data disk itself: what it is, opened and closed. For root only.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::mount::{MntFlags, MsFlags, umount, umount2};
use nix::sys::stat::{major, minor};
use nix::unistd::{Gid, Uid};

use super::breaking::Breaker;
use super::choice::{data_disk, left_behind, offered, rivals, without_data_disk};
use super::content::{self, Content};
use super::find::{Chosen, Disk, Found, KEYS, MBR_KEYS, MBR_RECORDS, Probe, RECORDS, Reader, Scheme, Stage, find};
use super::list::{Listed, has_lost_parts, list};
use super::moving::close_copy;
use super::volume::{
    add_key, check, has_slots, holds_slots, is_mounted, keep_key, lock, mount_ext4, mounted_device, repair, text,
    unlock,
};
use super::{DataDisk, DataDiskError, DiskState, Move, Offer, Rival, Tool, import_file, memory};
use crate::secret::SecretText;

/// The name of the owner's setup file.
const SETUP_FILE: &str = "hub-setup.toml";
pub(super) const SYS_BLOCK: &str = "/sys/block";
const SYS_DEVICES: &str = "/sys/dev/block";
pub(super) const MAPPED: &str = "/dev/mapper/hubdata";
pub(super) const MAPPED_NAME: &str = "hubdata";
/// Name of a disk that is being made.
pub(super) const COPY: &str = "hubcopy";
/// `blkid --probe`: what is there can't be told for sure.
const BLKID_AMBIVALENT: i32 = 8;

/// Whom the files on the disk belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The hub's user.
    pub user: Uid,
    /// The hub's group.
    pub group: Gid,
}

/// The data disk of the image. Mounted are `keys` and, while it is open, `store` in the data folder.
#[derive(Debug)]
pub struct Luks {
    pub(super) keys: PathBuf,
    pub(super) store: PathBuf,
    pub(super) owner: Owner,
    /// The owner's file of records on the system's card.
    import: Option<PathBuf>,
    /// The disks at the last look, and what was made of them.
    seen: Mutex<Option<(Vec<Listed>, Found)>>,
    /// The kernel's number for the disk whose keys could not be mounted.
    refused: Mutex<Option<u64>>,
    /// The kernel's number for the disk that a person chose of several since the start.
    chosen: Mutex<Option<u64>>,
    /// Breaks off a change of keys.
    breaker: Breaker,
}

impl Luks {
    /// The data disk of a hub whose data folder is `data`. Touches nothing yet.
    #[must_use]
    pub fn new(data: &Path, owner: Owner) -> Self {
        Self {
            keys: data.join("keys"),
            store: data.join("store"),
            owner,
            import: None,
            seen: Mutex::new(None),
            refused: Mutex::new(None),
            chosen: Mutex::new(None),
            breaker: Breaker::default(),
        }
    }

    /// The same, with the file on the system's card that is to be forgotten when it was imported.
    #[must_use]
    pub fn with_import(self, import: Option<PathBuf>) -> Self {
        Self { import, ..self }
    }

    pub(super) fn mount_keys(&self, disk: &Disk) -> Result<(), DataDiskError> {
        check(&disk.keys.0)?;
        mount_ext4(&disk.keys.0, &self.keys, MsFlags::MS_SYNCHRONOUS)
    }

    /// What there is. Looks closely only at what was not there before, or was used otherwise.
    pub(super) fn look(&self) -> Result<Found, DataDiskError> {
        let disks = list(Path::new(SYS_BLOCK))?;
        let mounted = mounted_device(&self.keys)?;
        let is_mounted = |disk: &Disk| mounted.as_ref() == Some(&disk.keys.0);
        let mut seen = locked(&self.seen);
        let mut found = match &*seen {
            Some((known, found)) if *known == disks => found.clone(),
            _ => {
                let mut found = find(disks.clone(), &Probing);
                for disk in begun(&mut found) {
                    if !is_mounted(disk) && holds_slots(&disk.keys.0) {
                        disk.stage = Stage::Keyed;
                    }
                }
                *seen = Some((disks, found.clone()));
                found
            }
        };
        found.chosen = self.chosen();
        // These the hub may have written just now.
        for disk in begun(&mut found) {
            if is_mounted(disk) && has_slots(&self.keys) {
                disk.stage = Stage::Keyed;
            }
        }
        Ok(found)
    }

    /// Which of several disks a person chose, since the start or as the card knows from before.
    fn chosen(&self) -> Option<Chosen> {
        let before = || self.memory().as_deref().and_then(memory::chosen).map(Chosen::Before);
        locked(&self.chosen).map(Chosen::Now).or_else(before)
    }

    /// Whether the card knows of a data disk.
    fn is_known(&self) -> bool {
        self.memory().as_deref().is_some_and(memory::knows)
    }

    /// Where the card's note of it is.
    fn memory(&self) -> Option<PathBuf> {
        self.import.as_deref().map(|import| import.with_file_name(memory::FILE))
    }

    /// Has the card know of the disk that was opened. Where it can't be written, a start without the disk asks as that of a
    /// new hub does.
    pub(super) fn remember(&self, disk: &Disk) {
        if let Some(file) = self.memory()
            && let Err(error) = memory::note(&file, disk, self.chosen().is_some())
        {
            tracing::warn!(%error, "the card can't note which disk the records are on");
        }
    }

    /// Of several disks this is the one from now on, if a person had chosen another: the records were moved to it.
    pub(super) fn settle_on(&self, disk: &Disk) {
        let mut chosen = locked(&self.chosen);
        if chosen.is_some() {
            *chosen = Some(disk.sequence);
        }
        drop(chosen);
        self.remember(disk);
    }

    /// To be called when partition tables or their content were changed.
    pub(super) fn forget(&self) {
        *locked(&self.seen) = None;
    }

    /// How it is as far as that can be told without a look at any disk, which may take long: one that fails is in nobody's
    /// way who wants to lock.
    fn state_at_once(&self) -> Result<Option<DiskState>, DataDiskError> {
        Ok(if is_system_gone()? {
            Some(DiskState::SystemGone)
        } else if self.is_gone()? {
            Some(DiskState::Gone)
        } else if is_mounted(&self.store)? {
            Some(DiskState::Open)
        } else {
            None
        })
    }

    pub(super) fn state_of(&self, found: &Found) -> Result<DiskState, DataDiskError> {
        if let Some(state) = self.state_at_once()? {
            return Ok(state);
        }
        Ok(match data_disk(found) {
            Ok(Some(disk)) if *locked(&self.refused) == Some(disk.sequence) => DiskState::Damaged,
            Ok(Some(disk)) if mounted_device(&self.keys)?.as_ref() == Some(&disk.keys.0) => DiskState::Closed,
            Ok(Some(_)) => DiskState::Unmounted,
            Ok(None) => without_data_disk(found),
            Err(state) => state,
        })
    }

    /// Whether the disk that is mounted is not there any more.
    fn is_gone(&self) -> Result<bool, DataDiskError> {
        let device = mounted_device(&self.keys)?;
        let name = device.as_deref().and_then(Path::file_name);
        Ok(name.is_some_and(|name| !Path::new("/sys/class/block").join(name).exists()))
    }

    /// The disk that can be opened: the data disk, or the one that was just formatted, whose keys are not yet written.
    fn to_open(&self, found: &Found) -> Result<Disk, DataDiskError> {
        let state = self.state_of(found)?;
        let mounted = mounted_device(&self.keys)?;
        let disk = match state {
            DiskState::Closed | DiskState::Unmounted => data_disk(found).map_err(DataDiskError::State)?,
            DiskState::Blank => found.ours.iter().find(|disk| mounted.as_ref() == Some(&disk.keys.0)),
            _ => None,
        };
        disk.cloned().ok_or(DataDiskError::State(state))
    }

    /// The part for the records of the disk whose keys are mounted.
    fn records(&self) -> Result<PathBuf, DataDiskError> {
        let (found, mounted) = (self.look()?, mounted_device(&self.keys)?);
        let disk = found.ours.iter().find(|disk| mounted.as_ref() == Some(&disk.keys.0));
        disk.map(|disk| disk.records.0.clone())
            .ok_or(DataDiskError::State(self.state_of(&found)?))
    }

    /// Mounts the keys of the data disk, and no others.
    fn attach_keys(&self) -> Result<(), DataDiskError> {
        let found = self.look()?;
        let disk = data_disk(&found).ok().flatten();
        // After a move they are those of another disk.
        if let Some(device) = mounted_device(&self.keys)? {
            if disk.is_some_and(|disk| disk.keys.0 == device) {
                return Ok(());
            }
            umount(&self.keys)?;
        }
        if let Some(disk) = disk
            && let Err(error) = self.mount_keys(disk)
        {
            tracing::error!(%error, "the keys can't be mounted");
            *locked(&self.refused) = Some(disk.sequence);
        }
        Ok(())
    }

    /// Takes the mark of an unfinished disk away.
    fn finish(&self, disk: &Disk) -> Result<(), DataDiskError> {
        if disk.stage == Stage::Finished {
            return Ok(());
        }
        self.mark(disk, finished(disk))
    }

    /// Writes the names (GPT) or types (MBR) of the two partitions of a disk, one after the other.
    pub(super) fn mark(&self, disk: &Disk, values: [&str; 2]) -> Result<(), DataDiskError> {
        let [keys, records] = values;
        self.mark_one(disk, disk.keys.1, keys)?;
        self.mark_one(disk, disk.records.1, records)
    }

    /// Writes the name or type of one of them.
    pub(super) fn mark_one(&self, disk: &Disk, number: u32, value: &str) -> Result<(), DataDiskError> {
        let option = match disk.scheme {
            Scheme::Gpt => "--part-label",
            Scheme::Mbr => "--part-type",
        };
        // The kernel holds the partitions, and needs to know nothing of this before the next start.
        let number = number.to_string();
        let arguments = [
            "--quiet",
            "--no-reread",
            "--no-tell-kernel",
            "--force",
            option,
            text(&disk.device),
            &number,
            value,
        ];
        let marked = Tool::Sfdisk.run(&arguments, &[]);
        self.forget();
        marked
    }
}

impl DataDisk for Luks {
    fn state(&self) -> Result<DiskState, DataDiskError> {
        match self.state_at_once()? {
            Some(state) => Ok(state),
            None => Ok(match self.state_of(&self.look()?)? {
                DiskState::Missing | DiskState::Blank | DiskState::Foreign if self.is_known() => DiskState::Away,
                state => state,
            }),
        }
    }

    fn offers(&self) -> Result<Vec<Offer>, DataDiskError> {
        let found = self.look()?;
        Ok(match self.state_of(&found)? {
            DiskState::Blank | DiskState::Foreign => offered(&found).into_iter().map(|(offer, _)| offer).collect(),
            _ => Vec::new(),
        })
    }

    fn roomier(&self) -> Result<Vec<Offer>, DataDiskError> {
        self.list_roomier()
    }

    fn rivals(&self) -> Result<Vec<Rival>, DataDiskError> {
        self.list_rivals()
    }

    fn choose(&self, token: u64) -> Result<(), DataDiskError> {
        let found = self.look()?;
        if rivals(&found).iter().any(|disk| disk.sequence == token) {
            *locked(&self.chosen) = Some(token);
            Ok(())
        } else {
            Err(DataDiskError::State(self.state_of(&found)?))
        }
    }

    fn format(
        &self,
        passphrase: &SecretText,
        allowed: Option<u64>,
        progress: &dyn Fn(u16),
    ) -> Result<(), DataDiskError> {
        let made = self.make(passphrase, allowed, progress);
        self.forget();
        made
    }

    /// Mounts the part for the keys where there is one.
    fn attach(&self) -> Result<DiskState, DataDiskError> {
        *locked(&self.refused) = None;
        self.close()?;
        self.attach_keys()?;
        self.state()
    }

    fn movable(&self) -> Result<Option<Move>, DataDiskError> {
        self.offer_move()
    }

    fn left_behind(&self) -> Result<Option<u64>, DataDiskError> {
        let found = self.look()?;
        let is_closed = self.state_of(&found)? == DiskState::Closed;
        Ok(left_behind(&found).filter(|_| is_closed))
    }

    fn copy(&self, passphrase: &SecretText, allowed: u64, progress: &dyn Fn(u16)) -> Result<(), DataDiskError> {
        let copied = self.copy_all(passphrase, allowed, progress);
        self.forget();
        copied
    }

    fn open_copy(&self, passphrase: &SecretText) -> Result<(), DataDiskError> {
        self.mount_the_copy(passphrase).inspect_err(|_| {
            if let Err(error) = self.close() {
                tracing::error!(%error, "the copy can't be closed");
            }
        })
    }

    fn finish_move(&self) -> Result<(), DataDiskError> {
        self.settle_move()
    }

    fn forget_import(&self) -> Result<(), DataDiskError> {
        self.import.as_deref().map_or(Ok(()), import_file::forget)
    }

    /// The owner's setup file lies beside the file of records.
    fn forget_cloud_key(&self, _: &Path) -> Result<(), DataDiskError> {
        let file = self.import.as_deref().map(|import| import.with_file_name(SETUP_FILE));
        file.as_deref().map_or(Ok(()), import_file::forget_key)
    }

    fn open(&self, passphrase: &SecretText) -> Result<(), DataDiskError> {
        if is_mounted(&self.store)? {
            return Ok(());
        }
        let found = self.look()?;
        let disk = self.to_open(&found)?;
        self.disown_copies(&found, &disk)?;
        let is_ready = has_slots(&self.keys);
        unlock(&disk.records.0, passphrase, MAPPED_NAME)?;
        let opened = check(Path::new(MAPPED))
            .and_then(|()| mount_ext4(Path::new(MAPPED), &self.store, MsFlags::empty()))
            // One without key slots is nobody's data disk yet: what is being put on it may be cut short.
            .and_then(|()| if is_ready { self.finish(&disk) } else { Ok(()) });
        if opened.is_err() {
            self.close()?;
        } else if is_ready {
            self.remember(&disk);
        }
        opened
    }

    fn add_key(&self, present: &SecretText, new: &SecretText) -> Result<(), DataDiskError> {
        self.breaker
            .run(|| add_key(&self.breaker, &self.records()?, present, new))
    }

    fn keep_key(&self, passphrase: &SecretText) -> Result<(), DataDiskError> {
        self.breaker
            .run(|| keep_key(&self.breaker, &self.records()?, passphrase))
    }

    fn break_off(&self) {
        self.breaker.break_off();
    }

    fn repair(&self, passphrase: &SecretText, progress: &dyn Fn(u16)) -> Result<(), DataDiskError> {
        let disk = self.to_open(&self.look()?)?;
        unlock(&disk.records.0, passphrase, MAPPED_NAME)?;
        let repaired = repair(Path::new(MAPPED), progress);
        self.close()?;
        repaired
    }

    fn close(&self) -> Result<(), DataDiskError> {
        let is_gone = self.is_gone()?;
        // What a disk that is gone still holds in memory can go nowhere.
        let how = if is_gone {
            MntFlags::MNT_DETACH
        } else {
            MntFlags::empty()
        };
        if is_mounted(&self.store)? {
            umount2(&self.store, how)?;
        }
        if is_gone {
            umount2(&self.keys, how)?;
        }
        close_copy()?;
        if Path::new(MAPPED).exists() {
            lock(MAPPED_NAME)
        } else {
            Ok(())
        }
    }
}

/// The marks of a disk that was opened.
pub(super) const fn finished(disk: &Disk) -> [&'static str; 2] {
    match disk.scheme {
        Scheme::Gpt => [KEYS, RECORDS],
        Scheme::Mbr => [MBR_KEYS, MBR_RECORDS],
    }
}

fn begun(found: &mut Found) -> impl Iterator<Item = &mut Disk> {
    found.ours.iter_mut().filter(|disk| disk.stage == Stage::Begun)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks at the disks themselves.
pub(super) struct Probing;

impl Reader for Probing {
    fn probe(&self, partition: &Path) -> Option<Probe> {
        let (status, export) = Tool::Blkid
            .output(&["--probe", "--output", "export", text(partition)])
            .ok()?;
        // What bears the signs of several things is nothing that we made.
        Probe::parse(&export).or_else(|| (status == BLKID_AMBIVALENT).then(Probe::default))
    }

    fn content(&self, disk: &Listed) -> io::Result<Content> {
        content::examine(&disk.device, disk.bytes).inspect_err(|error| tracing::error!(%error, "a disk can't be read"))
    }

    fn is_marked(&self, disk: &Listed, start: u64) -> bool {
        content::is_marked(&disk.device, start).unwrap_or(false)
    }
}

/// Whether the card with the verified root is not there any more.
fn is_system_gone() -> Result<bool, DataDiskError> {
    let device = fs::metadata("/")?.dev();
    let name = format!("{}:{}", major(device), minor(device));
    Ok(has_lost_parts(&Path::new(SYS_DEVICES).join(name)))
}
