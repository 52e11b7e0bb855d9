//! The data disk itself: what it is, opened and closed. For root only.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount, umount2};
use nix::sys::stat::{major, minor};
use nix::unistd::{Gid, Uid};

use super::find::{Disk, Found, KEYS, MBR_KEYS, MBR_RECORDS, Probe, RECORDS, Scheme, find};
use super::list::{Listed, has_lost_parts, list};
use super::moving::close_copy;
use super::{DataDisk, DataDiskError, DiskState, Offer, Place, Tool, import_file};
use crate::secret::SecretText;

pub(super) const SYS_BLOCK: &str = "/sys/block";
const SYS_DEVICES: &str = "/sys/dev/block";
pub(super) const MAPPED: &str = "/dev/mapper/hubdata";
pub(super) const MAPPED_NAME: &str = "hubdata";
/// Name of a disk that is being made.
pub(super) const COPY: &str = "hubcopy";
/// More offers than a person is asked about.
const MAX_OFFERS: usize = 4;
/// `blkid --probe`: nothing that it knows is on the device.
const BLKID_NOTHING: i32 = 2;
/// `cryptsetup open`: no key slot for the passphrase.
const CRYPTSETUP_NO_PERMISSION: i32 = 2;
/// `e2fsck`: faults were mended.
const E2FSCK_MENDED: i32 = 1;
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

    /// Whether the disk was opened before, or has keys by which it can be.
    fn is_in_use(&self, disk: &Disk) -> Result<bool, DataDiskError> {
        if disk.is_finished {
            return Ok(true);
        }
        if is_mounted(&self.keys)? {
            return Ok(self.has_slots());
        }
        // Formatting that was cut short may have left anything here.
        if self.mount_keys(disk).is_err() {
            return Ok(false);
        }
        let has_slots = self.has_slots();
        if !has_slots {
            umount(&self.keys)?;
        }
        Ok(has_slots)
    }

    fn has_slots(&self) -> bool {
        ["keyslots.json", "keyslots.previous.json"]
            .iter()
            .any(|name| self.keys.join(name).exists())
    }

    /// What there is. Looks closely only at what was not there before, or was used otherwise.
    pub(super) fn look(&self) -> Result<Found, DataDiskError> {
        let disks = list(Path::new(SYS_BLOCK))?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, found)) = &*seen
            && *known == disks
        {
            return Ok(found.clone());
        }
        let mut found = find(disks.clone(), probe);
        let (bare, used) = found.bare.into_iter().partition(|disk| is_blank(&disk.device));
        found.bare = bare;
        found.foreign.extend::<Vec<_>>(used);
        *seen = Some((disks, found.clone()));
        Ok(found)
    }

    /// To be called when partition tables or their content were changed.
    pub(super) fn forget(&self) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(super) fn state_of(&self, found: &Found) -> Result<DiskState, DataDiskError> {
        if is_system_gone()? {
            return Ok(DiskState::SystemGone);
        }
        if self.is_gone()? {
            return Ok(DiskState::Gone);
        }
        if is_mounted(&self.store)? {
            return Ok(DiskState::Open);
        }
        Ok(match chosen(found) {
            Ok(Some(disk)) if self.is_in_use(disk)? => DiskState::Closed,
            Ok(Some(_)) => DiskState::Blank,
            Ok(None) => match found.bare.len() {
                1 => DiskState::Blank,
                0 if found.foreign.is_empty() && found.room.is_none() => DiskState::Missing,
                0 => DiskState::Foreign,
                _ => DiskState::Several,
            },
            Err(state) => state,
        })
    }

    /// Whether the disk that is mounted is not there any more.
    fn is_gone(&self) -> Result<bool, DataDiskError> {
        let device = mounted_device(&self.keys)?;
        let name = device.as_deref().and_then(Path::file_name);
        Ok(name.is_some_and(|name| !Path::new("/sys/class/block").join(name).exists()))
    }

    /// Takes the mark of an unfinished disk away.
    fn finish(&self, disk: &Disk) -> Result<(), DataDiskError> {
        if disk.is_finished {
            return Ok(());
        }
        self.mark(
            disk,
            match disk.scheme {
                Scheme::Gpt => [KEYS, RECORDS],
                Scheme::Mbr => [MBR_KEYS, MBR_RECORDS],
            },
        )
    }

    /// Writes the names (GPT) or types (MBR) of the two partitions of a disk.
    pub(super) fn mark(&self, disk: &Disk, values: [&str; 2]) -> Result<(), DataDiskError> {
        let option = match disk.scheme {
            Scheme::Gpt => "--part-label",
            Scheme::Mbr => "--part-type",
        };
        for (number, value) in [disk.keys.1, disk.records.1].into_iter().zip(values) {
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
            Tool::Sfdisk.run(&arguments, &[])?;
        }
        self.forget();
        Ok(())
    }
}

impl DataDisk for Luks {
    fn state(&self) -> Result<DiskState, DataDiskError> {
        self.state_of(&self.look()?)
    }

    fn offers(&self) -> Result<Vec<Offer>, DataDiskError> {
        let found = self.look()?;
        Ok(match self.state_of(&found)? {
            DiskState::Foreign => offers(&found),
            _ => Vec::new(),
        })
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
        self.close()?;
        let found = self.look()?;
        // After a move they are those of another disk.
        if let Some(device) = mounted_device(&self.keys)?
            && !chosen(&found).is_ok_and(|disk| disk.is_some_and(|disk| disk.keys.0 == device))
        {
            umount(&self.keys)?;
        }
        if self.state_of(&found)? == DiskState::Closed
            && !is_mounted(&self.keys)?
            && let Ok(Some(disk)) = chosen(&found)
            && let Err(error) = self.mount_keys(disk)
        {
            tracing::error!(%error, "the keys can't be mounted");
            return Ok(DiskState::Damaged);
        }
        self.state_of(&found)
    }

    fn movable(&self) -> Result<Option<Offer>, DataDiskError> {
        self.offer_move()
    }

    fn copy(&self, passphrase: &SecretText, progress: &dyn Fn(u16)) -> Result<(), DataDiskError> {
        let copied = self.copy_all(passphrase, progress);
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

    fn open(&self, passphrase: &SecretText) -> Result<(), DataDiskError> {
        let found = self.look()?;
        match self.state_of(&found)? {
            DiskState::Open => return Ok(()),
            DiskState::Closed => {}
            // Just formatted, with the keys not yet written: whoever opens it has them.
            DiskState::Blank if is_mounted(&self.keys)? => {}
            state => return Err(DataDiskError::State(state)),
        }
        let disk = chosen(&found)
            .map_err(DataDiskError::State)?
            .ok_or(DataDiskError::State(DiskState::Missing))?;
        unlock(&disk.records.0, passphrase, MAPPED_NAME)?;
        let opened = check(Path::new(MAPPED))
            .and_then(|()| mount_ext4(Path::new(MAPPED), &self.store, MsFlags::empty()))
            .and_then(|()| self.finish(disk));
        if opened.is_err() {
            self.close()?;
        }
        opened
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

/// The one disk to open or to make anew: what was opened once goes before what was not. With too many there is none.
pub(super) fn chosen(found: &Found) -> Result<Option<&Disk>, DiskState> {
    let (finished, unfinished): (Vec<_>, Vec<_>) = found.ours.iter().partition(|disk| disk.is_finished);
    let candidates = if finished.is_empty() { unfinished } else { finished };
    match candidates.as_slice() {
        [] => Ok(None),
        [disk] => Ok(Some(disk)),
        _ => Err(DiskState::Several),
    }
}

/// What a person may allow.
fn offers(found: &Found) -> Vec<Offer> {
    let disks = found.foreign.iter().map(|disk| Offer {
        place: Place::Disk,
        name: match disk.name.as_str() {
            "" => disk
                .device
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            name => name.to_owned(),
        },
        bytes: disk.bytes,
        token: disk.sequence,
    });
    let card = found.room.iter().map(|room| Offer {
        place: Place::Card,
        name: String::new(),
        bytes: room.bytes,
        token: room.sequence,
    });
    disks.chain(card).take(MAX_OFFERS).collect()
}

/// What the table and the content of a partition say; nothing if that can't be told.
fn probe(device: &Path) -> Probe {
    Tool::Blkid
        .output(&["--probe", "--output", "export", text(device)])
        .map_or_else(|_| Probe::default(), |export| Probe::parse(&export))
}

/// Whether nothing that is known is on the device.
fn is_blank(device: &Path) -> bool {
    Tool::Blkid.status(&["--probe", text(device)], &[]) == Ok(BLKID_NOTHING)
}

pub(super) fn unlock(device: &Path, passphrase: &SecretText, name: &str) -> Result<(), DataDiskError> {
    let arguments = ["open", "--type", "luks2", "--key-file", "-", text(device), name];
    match Tool::Cryptsetup.status(&arguments, passphrase.expose().as_bytes())? {
        0 => Ok(()),
        CRYPTSETUP_NO_PERMISSION => Err(DataDiskError::Passphrase),
        _ => Err(DataDiskError::Tool(Tool::Cryptsetup)),
    }
}

pub(super) fn lock(name: &str) -> Result<(), DataDiskError> {
    Tool::Cryptsetup.run(&["close", name], &[])
}

/// Replays the journal and mends what needs no decision.
pub(super) fn check(device: &Path) -> Result<(), DataDiskError> {
    match Tool::E2fsck.status(&["-p", text(device)], &[])? {
        0 | E2FSCK_MENDED => Ok(()),
        status => {
            tracing::error!(status, "a file system of the data disk needs a person");
            Err(DataDiskError::Damaged)
        }
    }
}

pub(super) fn mount_ext4(device: &Path, target: &Path, more: MsFlags) -> Result<(), DataDiskError> {
    let flags = MsFlags::MS_NODEV | MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC | MsFlags::MS_NOATIME | more;
    mount(Some(device), target, Some("ext4"), flags, Some("errors=remount-ro")).map_err(|errno| match errno {
        Errno::EUCLEAN | Errno::EINVAL => DataDiskError::Damaged,
        errno => errno.into(),
    })
}

/// Whether the card with the verified root is not there any more.
fn is_system_gone() -> Result<bool, DataDiskError> {
    let device = fs::metadata("/")?.dev();
    let name = format!("{}:{}", major(device), minor(device));
    Ok(has_lost_parts(&Path::new(SYS_DEVICES).join(name)))
}

/// Whether something of a disk is mounted at `target`.
pub(super) fn is_mounted(target: &Path) -> Result<bool, DataDiskError> {
    Ok(mounted_device(target)?.is_some())
}

/// The device of a disk that is mounted at `target`.
fn mounted_device(target: &Path) -> Result<Option<PathBuf>, DataDiskError> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let target = text(target);
    Ok(mounts.lines().find_map(|line| {
        let mut fields = line.split(' ');
        let device = fields.next().filter(|device| device.starts_with("/dev/"))?;
        (fields.next() == Some(target)).then(|| device.into())
    }))
}

/// Device names and the image's folders are ASCII; another name is one that no program finds.
pub(super) fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}
