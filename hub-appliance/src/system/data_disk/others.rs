//! The disks that are none of the hub's: what is on USB sticks, for a key or a backup.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Tool;
use super::find::is_other;
use super::list::{Listed, list};
use super::luks::{Probing, SYS_BLOCK};
use super::volume::text;

/// A disk that is none of the hub's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::system) struct Other {
    /// What it calls itself.
    pub(in crate::system) name: String,
    /// Its size.
    pub(in crate::system) bytes: u64,
    /// The kernel's number for it.
    pub(in crate::system) sequence: u64,
    /// Whether it can only be read.
    pub(in crate::system) is_read_only: bool,
    /// The first file system on it that this system knows, its device and its label.
    pub(in crate::system) files: Option<(FileSystem, PathBuf, String)>,
}

/// A file system that sticks have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::system) enum FileSystem {
    /// FAT of any width.
    Fat,
    /// What larger sticks are sold with.
    ExFat,
    /// Linux.
    Ext4,
}

impl FileSystem {
    /// Reads what `blkid --probe --output export` says of a device: its file system, and its label.
    fn parse(export: &str) -> Option<(Self, String)> {
        let value = |key: &str| {
            export
                .lines()
                .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
        };
        let kind = match value("TYPE")? {
            "vfat" => Self::Fat,
            "exfat" => Self::ExFat,
            "ext4" => Self::Ext4,
            _ => return None,
        };
        Some((kind, value("LABEL").unwrap_or_default().to_owned()))
    }
}

/// The disks that are none of the hub's, as they were at the last look.
#[derive(Debug, Default)]
pub(in crate::system) struct OtherDisks(Vec<(Listed, Option<Other>)>);

impl OtherDisks {
    /// Those that are there. Looks closely only at what was not there before, or is otherwise than it was.
    pub(in crate::system) fn look(&mut self) -> io::Result<Vec<Other>> {
        let mut known = std::mem::take(&mut self.0);
        for disk in list(Path::new(SYS_BLOCK))? {
            let before = known.iter().position(|(listed, _)| *listed == disk);
            self.0
                .push(before.map_or_else(|| close_look(disk), |at| known.swap_remove(at)));
        }
        Ok(self.0.iter().filter_map(|(_, other)| other.clone()).collect())
    }
}

fn close_look(disk: Listed) -> (Listed, Option<Other>) {
    let other = is_other(&disk, &Probing).then(|| other(&disk));
    (disk, other)
}

fn other(disk: &Listed) -> Other {
    // A stick may have no partition table at all, or what looks like one in the first sector of a file system that takes up
    // the whole of it (`mformat` writes such).
    let partitions = disk.partitions.iter().map(|partition| &partition.device);
    let mut devices = partitions.chain([&disk.device]);
    Other {
        name: disk.name.clone(),
        bytes: disk.bytes,
        sequence: disk.sequence,
        is_read_only: disk.is_read_only,
        files: devices.find_map(|device| {
            let (_, export) = Tool::Blkid
                .output(&["--probe", "--output", "export", text(device)])
                .ok()?;
            let (kind, label) = FileSystem::parse(&export)?;
            Some((kind, device.clone(), label))
        }),
    }
}

/// The devices of which something is mounted.
pub(in crate::system) fn mounted_devices() -> io::Result<HashSet<PathBuf>> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let devices = mounts.lines().filter_map(|line| line.split(' ').next());
    Ok(devices
        .filter(|device| device.starts_with("/dev/"))
        .map(PathBuf::from)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_file_systems_of_sticks_and_their_labels() {
        let fat = "DEVNAME=/dev/sdb1\nLABEL_FATBOOT=KEYS\nLABEL=KEYS\nUUID=1234-ABCD\nTYPE=vfat\nUSAGE=filesystem\n";
        assert_eq!(FileSystem::parse(fat), Some((FileSystem::Fat, "KEYS".to_owned())));
        assert_eq!(
            FileSystem::parse("TYPE=ext4\n"),
            Some((FileSystem::Ext4, String::new()))
        );
        assert_eq!(
            FileSystem::parse("TYPE=exfat\nLABEL=a b\n"),
            Some((FileSystem::ExFat, "a b".to_owned()))
        );
        for other in [
            "",
            "PTTYPE=dos\n",
            "TYPE=crypto_LUKS\n",
            "TYPE=ntfs\nLABEL=KEYS\n",
            "SEC_TYPE=msdos\n",
        ] {
            assert_eq!(FileSystem::parse(other), None, "{other}");
        }
    }
}
