//! The data disk itself: partitions, LUKS2, ext4, mounts. For root only.
//!
//! The passphrase is 256 random bits, so the key derivation in front of LUKS adds nothing but time; it is PBKDF2 with as
//! few rounds as cryptsetup takes.

use std::fs;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MsFlags, mount, umount};
use nix::unistd::{Gid, Uid};

use super::find::{Disk, Found, KEYS, RECORDS, UNFINISHED, find};
use super::{DataDisk, DataDiskError, DiskState, Tool};
use crate::secret::SecretText;

const SYS_BLOCK: &str = "/sys/block";
const MAPPED: &str = "/dev/mapper/hubdata";
const MAPPED_NAME: &str = "hubdata";
const KEYS_MIB: u32 = 16;
/// `blkid --probe`: nothing that it knows is on the device.
const BLKID_NOTHING: i32 = 2;
/// `cryptsetup open`: no key slot for the passphrase.
const CRYPTSETUP_NO_PERMISSION: i32 = 2;
/// `e2fsck`: faults were mended.
const E2FSCK_MENDED: i32 = 1;
/// Types of the partitions: Linux file system, and LUKS of the Discoverable Partitions Specification.
const TYPE_KEYS: &str = "0FC63DAF-8483-4772-8E79-3D69D8477DE4";
const TYPE_RECORDS: &str = "CA7D7CCB-63ED-4C53-861C-1742536059CC";

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
    keys: PathBuf,
    store: PathBuf,
    owner: Owner,
}

impl Luks {
    /// The data disk of a hub whose data folder is `data`. Touches nothing yet.
    #[must_use]
    pub fn new(data: &Path, owner: Owner) -> Self {
        Self {
            keys: data.join("keys"),
            store: data.join("store"),
            owner,
        }
    }

    /// Mounts the part for the keys where there is one.
    ///
    /// # Errors
    /// [`DataDiskError`] if the kernel does not tell what disks there are.
    pub fn attach(&self) -> Result<DiskState, DataDiskError> {
        let state = self.state()?;
        if state == DiskState::Closed
            && !is_mounted(&self.keys)?
            && let Some(disk) = only(find(Path::new(SYS_BLOCK))?)
            && let Err(error) = self.mount_keys(&disk)
        {
            tracing::error!(%error, "the keys can't be mounted");
            return Ok(DiskState::Damaged);
        }
        self.state()
    }

    fn mount_keys(&self, disk: &Disk) -> Result<(), DataDiskError> {
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

    /// The disk that may be formatted.
    fn formattable(&self, found: &Found) -> Result<PathBuf, DataDiskError> {
        match self.state_of(found)? {
            DiskState::Blank => found
                .ours
                .first()
                .map(|disk| disk.device.clone())
                .or_else(|| found.bare.iter().find(|device| is_blank(device)).cloned())
                .ok_or(DataDiskError::State(DiskState::Missing)),
            state => Err(DataDiskError::State(state)),
        }
    }

    fn state_of(&self, found: &Found) -> Result<DiskState, DataDiskError> {
        if is_mounted(&self.store)? {
            return Ok(DiskState::Open);
        }
        Ok(match found.ours.as_slice() {
            [disk] if self.is_in_use(disk)? => DiskState::Closed,
            [_] => DiskState::Blank,
            [] => match found.bare.iter().filter(|device| is_blank(device)).count() {
                1 => DiskState::Blank,
                0 if found.foreign.is_empty() && found.bare.is_empty() => DiskState::Missing,
                0 => DiskState::Foreign,
                _ => DiskState::Several,
            },
            _ => DiskState::Several,
        })
    }

    fn make_partitions(device: &Path) -> Result<Disk, DataDiskError> {
        let table = format!(
            "label: gpt\n\
             size={KEYS_MIB}MiB, type={TYPE_KEYS}, name={KEYS}{UNFINISHED}\n\
             type={TYPE_RECORDS}, name={RECORDS}{UNFINISHED}\n"
        );
        let arguments = [
            "--quiet",
            "--wipe",
            "always",
            "--wipe-partitions",
            "always",
            text(device),
        ];
        Tool::Sfdisk.run(&arguments, table.as_bytes())?;
        find(Path::new(SYS_BLOCK))?
            .ours
            .into_iter()
            .find(|disk| disk.device == device)
            .ok_or(DataDiskError::Tool(Tool::Sfdisk))
    }

    fn make_file_system(&self, device: &Path, label: &str) -> Result<(), DataDiskError> {
        let owner = format!("root_owner={}:{}", self.owner.user, self.owner.group);
        let arguments = [
            "-q",
            "-F",
            "-t",
            "ext4",
            "-m",
            "0",
            "-E",
            &owner,
            "-L",
            label,
            text(device),
        ];
        Tool::Mke2fs.run(&arguments, &[])
    }

    fn make_records(&self, disk: &Disk, passphrase: &SecretText) -> Result<(), DataDiskError> {
        let device = text(&disk.records.0);
        let arguments = [
            "luksFormat",
            "--batch-mode",
            "--type",
            "luks2",
            "--label",
            RECORDS,
            "--cipher",
            "aes-xts-plain64",
            "--key-size",
            "512",
            "--hash",
            "sha256",
            "--pbkdf",
            "pbkdf2",
            "--pbkdf-force-iterations",
            "1000",
            "--key-file",
            "-",
            device,
        ];
        Tool::Cryptsetup.run(&arguments, passphrase.expose().as_bytes())?;
        unlock(&disk.records.0, passphrase)?;
        let made = self.make_file_system(Path::new(MAPPED), RECORDS);
        lock()?;
        made
    }

    /// Takes the mark of an unfinished disk away.
    fn finish(disk: &Disk) -> Result<(), DataDiskError> {
        if disk.is_finished {
            return Ok(());
        }
        for (number, name) in [(disk.keys.1, KEYS), (disk.records.1, RECORDS)] {
            // The kernel holds the partitions, and needs no new names for them before the next start.
            let number = number.to_string();
            let arguments = [
                "--quiet",
                "--no-reread",
                "--no-tell-kernel",
                "--force",
                "--part-label",
                text(&disk.device),
                &number,
                name,
            ];
            Tool::Sfdisk.run(&arguments, &[])?;
        }
        Ok(())
    }
}

impl DataDisk for Luks {
    fn state(&self) -> Result<DiskState, DataDiskError> {
        self.state_of(&find(Path::new(SYS_BLOCK))?)
    }

    fn format(&self, passphrase: &SecretText) -> Result<(), DataDiskError> {
        let device = self.formattable(&find(Path::new(SYS_BLOCK))?)?;
        if is_mounted(&self.keys)? {
            umount(&self.keys)?;
        }
        let disk = Self::make_partitions(&device)?;
        self.make_file_system(&disk.keys.0, KEYS)?;
        self.make_records(&disk, passphrase)?;
        self.mount_keys(&disk)
    }

    fn open(&self, passphrase: &SecretText) -> Result<(), DataDiskError> {
        let found = find(Path::new(SYS_BLOCK))?;
        match self.state_of(&found)? {
            DiskState::Open => return Ok(()),
            DiskState::Closed => {}
            // Just formatted, with the keys not yet written: whoever opens it has them.
            DiskState::Blank if is_mounted(&self.keys)? => {}
            state => return Err(DataDiskError::State(state)),
        }
        let disk = only(found).ok_or(DataDiskError::State(DiskState::Several))?;
        unlock(&disk.records.0, passphrase)?;
        let opened = check(Path::new(MAPPED))
            .and_then(|()| mount_ext4(Path::new(MAPPED), &self.store, MsFlags::empty()))
            .and_then(|()| Self::finish(&disk));
        if opened.is_err() {
            self.close()?;
        }
        opened
    }

    fn close(&self) -> Result<(), DataDiskError> {
        if is_mounted(&self.store)? {
            umount(&self.store)?;
        }
        if Path::new(MAPPED).exists() { lock() } else { Ok(()) }
    }
}

/// The one data disk, if there is just one.
fn only(found: Found) -> Option<Disk> {
    let [disk] = <[Disk; 1]>::try_from(found.ours).ok()?;
    Some(disk)
}

/// Whether nothing that is known is on the device.
fn is_blank(device: &Path) -> bool {
    Tool::Blkid.status(&["--probe", text(device)], &[]) == Ok(BLKID_NOTHING)
}

fn unlock(device: &Path, passphrase: &SecretText) -> Result<(), DataDiskError> {
    let arguments = ["open", "--type", "luks2", "--key-file", "-", text(device), MAPPED_NAME];
    match Tool::Cryptsetup.status(&arguments, passphrase.expose().as_bytes())? {
        0 => Ok(()),
        CRYPTSETUP_NO_PERMISSION => Err(DataDiskError::Passphrase),
        _ => Err(DataDiskError::Tool(Tool::Cryptsetup)),
    }
}

fn lock() -> Result<(), DataDiskError> {
    Tool::Cryptsetup.run(&["close", MAPPED_NAME], &[])
}

/// Replays the journal and mends what needs no decision.
fn check(device: &Path) -> Result<(), DataDiskError> {
    match Tool::E2fsck.status(&["-p", text(device)], &[])? {
        0 | E2FSCK_MENDED => Ok(()),
        status => {
            tracing::error!(status, "a file system of the data disk needs a person");
            Err(DataDiskError::Damaged)
        }
    }
}

fn mount_ext4(device: &Path, target: &Path, more: MsFlags) -> Result<(), DataDiskError> {
    let flags = MsFlags::MS_NODEV | MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC | MsFlags::MS_NOATIME | more;
    mount(Some(device), target, Some("ext4"), flags, Some("errors=remount-ro")).map_err(|errno| match errno {
        Errno::EUCLEAN | Errno::EINVAL => DataDiskError::Damaged,
        errno => errno.into(),
    })
}

/// Whether something of a disk is mounted at `target`.
fn is_mounted(target: &Path) -> Result<bool, DataDiskError> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let target = text(target);
    Ok(mounts.lines().any(|line| {
        let mut fields = line.split(' ');
        fields.next().is_some_and(|device| device.starts_with("/dev/")) && fields.next() == Some(target)
    }))
}

/// Device names and the image's folders are ASCII; another name is one that no program finds.
fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}
