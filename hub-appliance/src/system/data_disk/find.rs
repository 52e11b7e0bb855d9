//! Which disk holds the data, from what the kernel shows of disks in `/sys/block`.
//!
//! A data disk is known by the names in its partition table (GPT), never by the name of its device. They end in `-NEW`
//! until the disk was opened once: a disk with such names and no keys on it was cut short while it was formatted.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Name of the partition for the keys.
pub(super) const KEYS: &str = "HUBKEYS";
/// Name of the partition for the records.
pub(super) const RECORDS: &str = "HUBDATA";
/// What follows these names until the disk was opened once.
pub(super) const UNFINISHED: &str = "-NEW";

/// A smaller disk could not even hold what belongs on it before the first record.
const MIN_BYTES: u64 = 64 * 1024 * 1024;
/// The kernel counts in sectors of this size, whatever the disk's own.
const SECTOR: u64 = 512;
/// Beginnings of the names of devices that are not disks of their own.
const NOT_DISKS: [&str; 7] = ["loop", "ram", "dm-", "zram", "mtdblock", "sr", "md"];

/// A disk with the partitions of a data disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Disk {
    /// Its device, `/dev/sda` for example.
    pub(super) device: PathBuf,
    /// The partition for the keys, and its number.
    pub(super) keys: (PathBuf, u32),
    /// The partition for the records, and its number.
    pub(super) records: (PathBuf, u32),
    /// Whether it was opened once since it was formatted.
    pub(super) is_finished: bool,
}

/// What is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Data disks.
    pub(super) ours: Vec<Disk>,
    /// Disks without partitions that could be written. What they hold otherwise is for a closer look.
    pub(super) bare: Vec<PathBuf>,
    /// Disks with other partitions, none of them in use by the system.
    pub(super) foreign: Vec<PathBuf>,
}

struct Partition {
    device: PathBuf,
    number: u32,
    name: Option<String>,
    is_held: bool,
}

/// Looks through `sys_block`, the folder `/sys/block`.
pub(super) fn find(sys_block: &Path) -> io::Result<Found> {
    let mut names: Vec<String> = fs::read_dir(sys_block)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| !NOT_DISKS.iter().any(|other| name.starts_with(other)))
        .collect();
    names.sort_unstable();
    let mut found = Found::default();
    for name in names {
        // A disk that is pulled out meanwhile is one that is not there.
        let _ = classify(&sys_block.join(&name), &name, &mut found);
    }
    Ok(found)
}

/// Puts the disk whose folder is `folder` where it belongs.
fn classify(folder: &Path, name: &str, found: &mut Found) -> io::Result<()> {
    let device = Path::new("/dev").join(name);
    if number(&folder.join("size"))? * SECTOR < MIN_BYTES || number(&folder.join("ro"))? != 0 {
        return Ok(());
    }
    let partitions = partitions(folder)?;
    if partitions.is_empty() {
        if !is_held(folder) {
            found.bare.push(device);
        }
    } else if let Some(disk) = data_disk(&device, &partitions) {
        found.ours.push(disk);
    } else if !partitions.iter().any(|partition| partition.is_held) {
        // What is held is the card that the system itself runs from.
        found.foreign.push(device);
    }
    Ok(())
}

fn data_disk(device: &Path, partitions: &[Partition]) -> Option<Disk> {
    let named = |name: &str| {
        let mut with_name = partitions
            .iter()
            .filter(|partition| partition.name.as_deref() == Some(name));
        let first = with_name.next()?;
        // Two of one name are no disk of ours.
        with_name.next().is_none().then(|| (first.device.clone(), first.number))
    };
    let either = |name: &str| named(name).or_else(|| named(&format!("{name}{UNFINISHED}")));
    Some(Disk {
        device: device.to_owned(),
        keys: either(KEYS)?,
        records: either(RECORDS)?,
        is_finished: named(KEYS).is_some() && named(RECORDS).is_some(),
    })
}

fn partitions(folder: &Path) -> io::Result<Vec<Partition>> {
    let mut partitions = Vec::new();
    for entry in fs::read_dir(folder)? {
        let folder = entry?.path();
        let (Ok(number), Ok(uevent)) = (
            number(&folder.join("partition")),
            fs::read_to_string(folder.join("uevent")),
        ) else {
            continue;
        };
        let field = |key: &str| uevent.lines().find_map(|line| line.strip_prefix(key));
        if let (Ok(number), Some(device)) = (u32::try_from(number), field("DEVNAME=")) {
            partitions.push(Partition {
                device: Path::new("/dev").join(device),
                number,
                name: field("PARTNAME=").map(str::to_owned),
                is_held: is_held(&folder),
            });
        }
    }
    partitions.sort_unstable_by_key(|partition| partition.number);
    Ok(partitions)
}

/// Whether another device (a verified or encrypted one) is made of this one.
fn is_held(folder: &Path) -> bool {
    fs::read_dir(folder.join("holders")).is_ok_and(|mut holders| holders.next().is_some())
}

fn number(file: &Path) -> io::Result<u64> {
    let text = fs::read_to_string(file)?;
    text.trim().parse().map_err(|_| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    /// A folder as the kernel shows one.
    struct Sys(tempfile::TempDir);

    impl Sys {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn disk(&self, name: &str, bytes: u64, partitions: &[Option<&str>]) {
            let disk = self.0.path().join(name);
            fs::create_dir_all(disk.join("holders")).unwrap();
            fs::create_dir(disk.join("queue")).unwrap();
            fs::write(disk.join("size"), format!("{}\n", bytes / SECTOR)).unwrap();
            fs::write(disk.join("ro"), "0\n").unwrap();
            for (number, label) in (1..).zip(partitions) {
                let part = disk.join(format!("{name}{number}"));
                fs::create_dir_all(part.join("holders")).unwrap();
                fs::write(part.join("partition"), format!("{number}\n")).unwrap();
                let label = label.map_or(String::new(), |label| format!("PARTNAME={label}\n"));
                fs::write(
                    part.join("uevent"),
                    format!("MAJOR=1\nDEVNAME={name}{number}\nDEVTYPE=partition\n{label}"),
                )
                .unwrap();
            }
        }

        fn hold(&self, part: &str) {
            fs::create_dir(self.0.path().join(part).join("holders/dm-0")).unwrap();
        }

        fn find(&self) -> Found {
            find(self.0.path()).unwrap()
        }
    }

    #[test]
    fn a_data_disk_is_known_by_its_names() {
        let sys = Sys::new();
        sys.disk("sda", GIB, &[None, None]);
        sys.disk("sdb", GIB, &[Some("HUBKEYS"), Some("HUBDATA")]);
        sys.disk("sdc", GIB, &[Some("HUBKEYS-NEW"), Some("HUBDATA-NEW")]);
        let found = sys.find();
        let seen: Vec<_> = found
            .ours
            .iter()
            .map(|disk| (disk.device.to_str().unwrap(), disk.is_finished))
            .collect();
        assert_eq!(seen, [("/dev/sdb", true), ("/dev/sdc", false)]);
        assert_eq!(found.ours[0].records, (PathBuf::from("/dev/sdb2"), 2));
        assert_eq!(found.foreign, [PathBuf::from("/dev/sda")]);
    }

    #[test]
    fn names_that_were_changed_by_half_are_unfinished() {
        let sys = Sys::new();
        sys.disk("sda", GIB, &[Some("HUBKEYS"), Some("HUBDATA-NEW")]);
        assert!(!sys.find().ours[0].is_finished);
    }

    #[test]
    fn one_half_or_twice_the_name_is_no_data_disk() {
        let sys = Sys::new();
        sys.disk("sda", GIB, &[Some("HUBKEYS")]);
        sys.disk("sdb", GIB, &[Some("HUBKEYS"), Some("HUBKEYS"), Some("HUBDATA")]);
        assert!(sys.find().ours.is_empty());
        assert_eq!(sys.find().foreign.len(), 2);
    }

    #[test]
    fn the_card_of_the_system_is_never_a_candidate() {
        let sys = Sys::new();
        sys.disk("mmcblk0", GIB, &[None, None]);
        sys.hold("mmcblk0/mmcblk02");
        sys.disk("sda", GIB, &[]);
        sys.hold("sda");
        assert_eq!(sys.find(), Found::default());
    }

    #[test]
    fn bare_disks_are_those_that_can_be_written() {
        let sys = Sys::new();
        sys.disk("sda", GIB, &[]);
        sys.disk("sdb", 1 << 20, &[]);
        sys.disk("sdc", GIB, &[]);
        fs::write(sys.0.path().join("sdc/ro"), "1\n").unwrap();
        sys.disk("loop0", GIB, &[]);
        fs::create_dir(sys.0.path().join("gone")).unwrap();
        assert_eq!(sys.find().bare, [PathBuf::from("/dev/sda")]);
    }
}
