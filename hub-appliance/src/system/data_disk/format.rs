//! Making the data disk: partitions, LUKS2, ext4. For root only.
//!
//! The passphrase is 256 random bits, so the key derivation in front of LUKS adds nothing but time; it is PBKDF2 with as
//! few rounds as cryptsetup takes.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use nix::mount::umount;

use super::choice::{Target, offered};
use super::content::MARK;
use super::find::{CARD_NUMBERS, Disk, Found, GPT_KEYS, GPT_RECORDS, KEYS, MBR_UNFINISHED, RECORDS, Room, UNFINISHED};
use super::luks::COPY;
use super::sampling::keeps_what_is_written;
use super::volume::{is_mounted, lock, text, unlock};
use super::{DataDiskError, DiskState, Luks, Tool};
use crate::secret::SecretText;

const KEYS_MIB: u64 = 16;
const KIB: u64 = 1024;

impl Luks {
    /// Makes the disk, see [`super::DataDisk::format`].
    pub(super) fn make(
        &self,
        passphrase: &SecretText,
        allowed: Option<u64>,
        progress: &dyn Fn(u16),
    ) -> Result<(), DataDiskError> {
        progress(0);
        // A person was asked a while ago.
        self.forget();
        let target = self.target(&self.look()?, allowed)?;
        if is_mounted(&self.keys)? {
            umount(&self.keys)?;
        }
        let disk = self.build(target, passphrase, progress)?;
        self.mount_keys(&disk)?;
        progress(1000);
        Ok(())
    }

    /// Makes partitions and file systems, and mounts nothing.
    pub(super) fn build(
        &self,
        target: Target,
        passphrase: &SecretText,
        progress: &dyn Fn(u16),
    ) -> Result<Disk, DataDiskError> {
        let sampled = |permille| progress(permille / 10);
        let disk = match target {
            Target::Whole(device) => {
                let bytes = size(&device)?;
                is_honest(&device, 0..bytes, &sampled)?;
                self.partition_disk(&device)?
            }
            Target::Rest(room) => {
                is_honest(&room.device, room.start..room.start + room.bytes, &sampled)?;
                self.partition_card(&room)?
            }
            Target::Begun(disk) => disk,
        };
        progress(100);
        self.make_file_system(&disk.keys.0, KEYS)?;
        progress(250);
        encrypt(&disk.records.0, passphrase)?;
        progress(450);
        unlock(&disk.records.0, passphrase, COPY)?;
        let made = self.make_file_system(&Path::new("/dev/mapper").join(COPY), RECORDS);
        lock(COPY)?;
        made?;
        progress(900);
        Ok(disk)
    }

    fn target(&self, found: &Found, allowed: Option<u64>) -> Result<Target, DataDiskError> {
        let state = self.state_of(found)?;
        let mut offered = match state {
            DiskState::Blank | DiskState::Foreign => offered(found).into_iter(),
            state => return Err(DataDiskError::State(state)),
        };
        let taken = offered.find(|(offer, _)| Some(offer.token) == allowed);
        Ok(taken.ok_or(DataDiskError::State(state))?.1)
    }

    fn partition_disk(&self, device: &Path) -> Result<Disk, DataDiskError> {
        let table = format!(
            "label: gpt\n\
             size={KEYS_MIB}MiB, type={GPT_KEYS}, name={KEYS}{UNFINISHED}\n\
             type={GPT_RECORDS}, name={RECORDS}{UNFINISHED}\n"
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
        self.made_on(device)
    }

    /// Adds the two partitions behind those of the system, which is running from the card: the kernel is told of these
    /// two alone.
    fn partition_card(&self, room: &Room) -> Result<Disk, DataDiskError> {
        let keys = KEYS_MIB * 1024 * 1024;
        mark_room(&room.device, [room.start, room.start + keys])?;
        // In a unit that is no sector, for not all disks have one size of these.
        let (start, keys) = (room.start / KIB, keys / KIB);
        let table = format!(
            "start={start}KiB, size={keys}KiB, type={MBR_UNFINISHED}\nstart={}KiB, type={MBR_UNFINISHED}\n",
            start + keys
        );
        let arguments = [
            "--quiet",
            "--append",
            "--no-reread",
            "--no-tell-kernel",
            "--force",
            "--wipe-partitions",
            "always",
            text(&room.device),
        ];
        Tool::Sfdisk.run(&arguments, table.as_bytes())?;
        let [first, last] = CARD_NUMBERS;
        let range = format!("{first}:{last}");
        Tool::Partx.run(&["--add", "--nr", &range, text(&room.device)], &[])?;
        self.made_on(&room.device)
    }

    /// The data disk that was just made of `device`.
    fn made_on(&self, device: &Path) -> Result<Disk, DataDiskError> {
        self.forget();
        let made = self.look()?.ours.into_iter().find(|disk| disk.device == device);
        made.ok_or(DataDiskError::Tool(Tool::Sfdisk))
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
}

/// The bytes that a disk claims to have.
fn size(device: &Path) -> io::Result<u64> {
    let mut disk = File::open(device)?;
    disk.seek(SeekFrom::End(0))
}

/// That the disk has the room that it claims, before anything is made there.
fn is_honest(device: &Path, room: Range<u64>, progress: &dyn Fn(u16)) -> Result<(), DataDiskError> {
    if keeps_what_is_written(device, &room, progress)? {
        Ok(())
    } else {
        Err(DataDiskError::Fake)
    }
}

/// Marks the beginnings of the two partitions before they are in the table, so that a cut at any moment leaves one of them
/// marked, or labelled by what was made there: the type that they have at first is anybody's.
fn mark_room(card: &Path, starts: [u64; 2]) -> io::Result<()> {
    let card = OpenOptions::new().write(true).open(card)?;
    for start in starts {
        card.write_all_at(MARK, start)?;
    }
    card.sync_all()
}

pub(super) fn encrypt(device: &Path, passphrase: &SecretText) -> Result<(), DataDiskError> {
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
        text(device),
    ];
    Tool::Cryptsetup.run(&arguments, passphrase.expose().as_bytes())
}
