//! Which disks there are, from what the kernel shows in `/sys/block`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A smaller disk could not even hold what belongs on it before the first record.
pub(super) const MIN_BYTES: u64 = 64 * 1024 * 1024;
/// The kernel counts in sectors of this size, whatever the disk's own.
pub(super) const SECTOR: u64 = 512;
/// Beginnings of the names of devices that are not disks of their own.
const NOT_DISKS: [&str; 7] = ["loop", "ram", "dm-", "zram", "mtdblock", "sr", "md"];
/// Where disks say what they are called: vendor and model of a SCSI or USB disk, model of an NVMe, name of a card.
const NAMES: [&str; 3] = ["device/vendor", "device/model", "device/name"];
/// Longest name of a disk that is passed on, characters.
const MAX_NAME: usize = 32;

/// A disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    /// Its device, `/dev/sda` for example.
    pub(super) device: PathBuf,
    /// What it calls itself; may be empty.
    pub(super) name: String,
    /// Its size.
    pub(super) bytes: u64,
    /// The kernel's number for it, which no other disk gets before the next start.
    pub(super) sequence: u64,
    /// Whether it can only be read.
    pub(super) is_read_only: bool,
    /// Whether another device (an encrypted one) is made of all of it.
    pub(super) is_held: bool,
    /// Its partitions, by number.
    pub(super) partitions: Vec<Partition>,
}

/// A partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Partition {
    pub(super) device: PathBuf,
    pub(super) number: u32,
    /// Its first byte.
    pub(super) start: u64,
    /// The first byte after it.
    pub(super) end: u64,
    /// Whether another device (a verified or encrypted one) is made of it.
    pub(super) is_held: bool,
}

/// The disks in `sys_block`, the folder `/sys/block`, in the order of their names.
pub(super) fn list(sys_block: &Path) -> io::Result<Vec<Listed>> {
    let mut names: Vec<String> = fs::read_dir(sys_block)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| !NOT_DISKS.iter().any(|other| name.starts_with(other)))
        .collect();
    names.sort_unstable();
    let disks = names.iter().filter_map(|name| {
        // A disk that is pulled out meanwhile is one that is not there.
        disk(&sys_block.join(name), name).ok().flatten()
    });
    Ok(disks.collect())
}

fn disk(folder: &Path, name: &str) -> io::Result<Option<Listed>> {
    let bytes = number(&folder.join("size"))? * SECTOR;
    if bytes < MIN_BYTES {
        return Ok(None);
    }
    Ok(Some(Listed {
        device: Path::new("/dev").join(name),
        name: called(folder),
        bytes,
        sequence: number(&folder.join("diskseq"))?,
        is_read_only: number(&folder.join("ro"))? != 0,
        is_held: is_held(folder),
        partitions: partitions(folder)?,
    }))
}

fn called(folder: &Path) -> String {
    let parts: Vec<String> = NAMES
        .iter()
        .filter_map(|file| fs::read_to_string(folder.join(file)).ok())
        .map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
        // A virtual disk gives numbers.
        .filter(|text| !text.is_empty() && !text.starts_with("0x"))
        .collect();
    parts.join(" ").chars().take(MAX_NAME).collect()
}

fn partitions(folder: &Path) -> io::Result<Vec<Partition>> {
    let mut partitions = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let folder = entry.path();
        let Ok(number_of_it) = number(&folder.join("partition")) else {
            continue;
        };
        let (start, size) = (number(&folder.join("start"))?, number(&folder.join("size"))?);
        partitions.push(Partition {
            device: Path::new("/dev").join(entry.file_name()),
            number: u32::try_from(number_of_it).map_err(|_| io::ErrorKind::InvalidData)?,
            start: start * SECTOR,
            end: (start + size) * SECTOR,
            is_held: is_held(&folder),
        });
    }
    partitions.sort_unstable_by_key(|partition| partition.number);
    Ok(partitions)
}

fn is_held(folder: &Path) -> bool {
    fs::read_dir(folder.join("holders")).is_ok_and(|mut holders| holders.next().is_some())
}

/// Whether a mapped device, by its folder in `/sys/dev/block`, is made of devices that are not there any more. What is not
/// a mapped device has no such parts.
pub(super) fn has_lost_parts(folder: &Path) -> bool {
    // The kernel may take the link away with the device, or leave it leading nowhere.
    folder.join("dm").exists()
        && !fs::read_dir(folder.join("slaves"))
            .is_ok_and(|mut parts| parts.any(|part| part.is_ok_and(|part| part.path().exists())))
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

        fn write(&self, file: &str, text: &str) {
            let path = self.0.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("{text}\n")).unwrap();
        }

        fn disk(&self, name: &str, bytes: u64, partitions: u32) {
            self.write(&format!("{name}/size"), &(bytes / SECTOR).to_string());
            self.write(&format!("{name}/ro"), "0");
            self.write(&format!("{name}/diskseq"), "9");
            self.write(&format!("{name}/queue/rotational"), "0");
            for number in 1..=partitions {
                let folder = format!("{name}/{name}{number}");
                self.write(&format!("{folder}/partition"), &number.to_string());
                self.write(&format!("{folder}/start"), &(number * 2048).to_string());
                self.write(&format!("{folder}/size"), "2048");
            }
        }

        fn list(&self) -> Vec<Listed> {
            list(self.0.path()).unwrap()
        }
    }

    #[test]
    fn disks_have_their_names_and_partitions() {
        let sys = Sys::new();
        sys.disk("sda", GIB, 2);
        sys.write("sda/device/vendor", "SanDisk ");
        sys.write("sda/device/model", "Ultra   Fit");
        sys.write("sda/sda2/holders/dm-0/x", "");
        let [disk] = <[Listed; 1]>::try_from(sys.list()).unwrap();
        assert_eq!(
            (disk.name.as_str(), disk.bytes, disk.sequence),
            ("SanDisk Ultra Fit", GIB, 9)
        );
        assert!(!disk.is_held);
        let seen: Vec<_> = disk
            .partitions
            .iter()
            .map(|part| {
                (
                    part.device.to_str().unwrap(),
                    part.number,
                    part.start >> 20,
                    part.end >> 20,
                    part.is_held,
                )
            })
            .collect();
        assert_eq!(seen, [("/dev/sda1", 1, 1, 2, false), ("/dev/sda2", 2, 2, 3, true)]);
    }

    #[test]
    fn a_mapped_device_misses_the_parts_it_is_made_of() {
        let sys = Sys::new();
        sys.disk("mmcblk0", GIB, 2);
        sys.write("dm-0/dm/name", "hubroot");
        let (of, part) = (sys.0.path().join("dm-0"), sys.0.path().join("mmcblk0"));
        fs::create_dir(of.join("slaves")).unwrap();
        std::os::unix::fs::symlink(&part, of.join("slaves/mmcblk0p2")).unwrap();
        assert!(!has_lost_parts(&of));
        assert!(!has_lost_parts(&part));
        fs::remove_dir_all(&part).unwrap();
        assert!(has_lost_parts(&of));
        fs::remove_file(of.join("slaves/mmcblk0p2")).unwrap();
        assert!(has_lost_parts(&of));
    }

    #[test]
    fn what_can_hold_no_data_is_no_disk() {
        let sys = Sys::new();
        sys.disk("sda", GIB, 0);
        sys.disk("sdb", 1 << 20, 0);
        sys.disk("sdc", GIB, 0);
        sys.write("sdc/ro", "1");
        sys.disk("loop0", GIB, 0);
        sys.write("gone/x", "");
        let disks = sys.list();
        let found: Vec<_> = disks
            .iter()
            .map(|disk| (disk.device.to_str().unwrap(), disk.is_read_only))
            .collect();
        assert_eq!(found, [("/dev/sda", false), ("/dev/sdc", true)]);
    }
}
