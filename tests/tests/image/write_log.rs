//! What a disk holds after its power was cut: what was flushed, and of the rest whatever chance let through.
//!
//! QEMU logs every write and every flush (its driver `blklogwrites`, in the format of the kernel's dm-log-writes:
//! a superblock, then entries, each in a sector of its own and followed by its data).

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

const MAGIC: u64 = 0x006a_7366_7773_6872;
const SECTOR: u64 = 512;
const FLUSH: u64 = 1;
const FUA: u64 = 2;
const DISCARD: u64 = 4;
/// Bytes of an entry that mean something.
const HEADER: usize = 32;

/// A write in the log.
#[derive(Debug, Clone, Copy)]
struct Write {
    /// Where it goes, and how long it is, in bytes.
    to: u64,
    len: u64,
    /// Where its data stands in the log.
    data: u64,
}

/// What became of the writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Writes that were flushed.
    pub(crate) kept: usize,
    /// Writes that were not, and are lost.
    pub(crate) lost: usize,
    /// Writes that were not, and reached the disk all the same.
    pub(crate) lucky: usize,
}

/// The moments right after each write: lengths of the log.
pub(crate) fn moments(log: &Path) -> io::Result<Vec<u64>> {
    let (sure, rest) = read(&File::open(log)?, u64::MAX)?;
    let mut moments: Vec<u64> = sure.iter().chain(&rest).map(|write| write.data + write.len).collect();
    moments.sort_unstable();
    Ok(moments)
}

/// Makes of `disk`, which is as it was when the log began, what a power cut leaves at the moment when the log had the
/// length `moment`. `chance` decides for each 512 bytes that were not flushed.
pub(crate) fn cut(disk: &Path, log: &Path, moment: u64, mut chance: impl FnMut() -> bool) -> io::Result<Cut> {
    let log = File::open(log)?;
    let disk = OpenOptions::new().write(true).open(disk)?;
    let (sure, rest) = read(&log, moment)?;
    for write in &sure {
        copy(&log, &disk, *write)?;
    }
    let mut outcome = Cut {
        kept: sure.len(),
        lost: 0,
        lucky: 0,
    };
    for write in rest {
        for at in (0..write.len).step_by(usize::try_from(SECTOR).unwrap_or(512)) {
            if chance() {
                let sector = Write {
                    to: write.to + at,
                    len: SECTOR,
                    data: write.data + at,
                };
                copy(&log, &disk, sector)?;
                outcome.lucky += 1;
            } else {
                outcome.lost += 1;
            }
        }
    }
    Ok(outcome)
}

/// The writes that were flushed and those that were not, each in their order, up to a length of the log.
fn read(log: &File, moment: u64) -> io::Result<(Vec<Write>, Vec<Write>)> {
    let (mut sure, mut rest) = (Vec::new(), Vec::new());
    let end = log.metadata()?.len().min(moment);
    if end == 0 {
        // Not even the superblock is there before the first write.
        return Ok((sure, rest));
    }
    let mut header = [0; HEADER];
    log.read_exact_at(&mut header, 0)?;
    let word =
        |header: &[u8; HEADER], index: usize| u64::from_le_bytes(std::array::from_fn(|byte| header[index * 8 + byte]));
    if word(&header, 0) != MAGIC {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut at = SECTOR;
    // The superblock's count lags behind: the log goes on for as long as there are entries.
    while at + SECTOR <= end {
        log.read_exact_at(&mut header, at)?;
        let (sector, sectors, flags) = (word(&header, 0), word(&header, 1), word(&header, 2));
        if sectors == 0 && flags == 0 {
            break;
        }
        at += SECTOR;
        if flags & FLUSH != 0 {
            sure.append(&mut rest);
        }
        if sectors > 0 && flags & DISCARD == 0 {
            let write = Write {
                to: sector * SECTOR,
                len: sectors * SECTOR,
                data: at,
            };
            if at + write.len > end {
                break;
            }
            at += write.len;
            if flags & FUA != 0 { &mut sure } else { &mut rest }.push(write);
        }
    }
    Ok((sure, rest))
}

fn copy(log: &File, disk: &File, write: Write) -> io::Result<()> {
    let mut data = vec![0; usize::try_from(write.len).map_err(|_| io::ErrorKind::InvalidData)?];
    log.read_exact_at(&mut data, write.data)?;
    disk.write_all_at(&data, write.to)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn entry(sector: u64, data: &[u8], flags: u64) -> Vec<u8> {
        let mut entry = vec![0; 512];
        entry[..8].copy_from_slice(&sector.to_le_bytes());
        entry[8..16].copy_from_slice(&(data.len() as u64 / SECTOR).to_le_bytes());
        entry[16..24].copy_from_slice(&flags.to_le_bytes());
        entry.extend_from_slice(data);
        entry
    }

    fn after(entries: &[Vec<u8>], writes: usize, chance: bool) -> (Vec<u8>, Cut) {
        let folder = tempfile::tempdir().unwrap();
        let (disk, log) = (folder.path().join("disk"), folder.path().join("log"));
        fs::write(&disk, [0; 2048]).unwrap();
        let mut bytes = vec![0; 512];
        bytes[..8].copy_from_slice(&MAGIC.to_le_bytes());
        entries.iter().for_each(|entry| bytes.extend_from_slice(entry));
        fs::write(&log, bytes).unwrap();
        let moment = moments(&log).unwrap()[writes - 1];
        let outcome = cut(&disk, &log, moment, || chance).unwrap();
        let first_of_each = fs::read(&disk).unwrap().chunks(512).map(|sector| sector[0]).collect();
        (first_of_each, outcome)
    }

    #[test]
    fn what_was_flushed_is_kept_and_the_rest_is_left_to_chance() {
        let entries = [
            entry(0, &[1; 512], 0),
            entry(0, &[], FLUSH),
            entry(1, &[2; 1024], 0),
            entry(3, &[3; 512], FUA),
        ];
        let (disk, outcome) = after(&entries, 3, false);
        assert_eq!(disk, [1, 0, 0, 3]);
        assert_eq!((outcome.kept, outcome.lost, outcome.lucky), (2, 2, 0));
        let (disk, outcome) = after(&entries, 3, true);
        assert_eq!(disk, [1, 2, 2, 3]);
        assert_eq!((outcome.kept, outcome.lost, outcome.lucky), (2, 0, 2));
        // Before the flush, and before the last write.
        assert_eq!(after(&entries, 1, false).0, [0, 0, 0, 0]);
        assert_eq!(after(&entries, 2, false).0, [1, 0, 0, 0]);
    }

    #[test]
    fn where_nothing_was_written_nothing_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let (disk, log) = (folder.path().join("disk"), folder.path().join("log"));
        fs::write(&disk, [1; 2048]).unwrap();
        fs::write(&log, []).unwrap();
        let outcome = cut(&disk, &log, u64::MAX, || false).unwrap();
        assert_eq!((outcome.kept, outcome.lost, outcome.lucky), (0, 0, 0));
        assert!(moments(&log).unwrap().is_empty());
        assert_eq!(fs::read(&disk).unwrap(), [1; 2048]);
    }
}
