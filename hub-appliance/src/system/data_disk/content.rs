//! What is on a disk beside what its partition table tells, read by nothing but this.
//!
//! A disk is offered to a person as a new one only if nothing at all is found on it, and offered at all only if nothing of
//! ours is: records can be under a partition table that is lost, or under another one that somebody has written since.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};

use super::find::{KEYS, RECORDS};

const KIB: usize = 1024;
const MIB: u64 = 1024 * 1024;
/// So much of the beginning and of the end of a disk has to be empty. With what is read in between that is less than
/// 12 MiB, and of a disk that is not empty less than 2: a second at most on a slow stick, which gives 15 MB a second.
const HEAD: u64 = 8 * MIB;
const TAIL: u64 = MIB;
/// In so much of the beginning and of the end of a disk are the names of a GPT, whatever the size of its sectors.
const TABLE: usize = 64 * KIB;
/// Where the partitions of a disk of its own begin.
const ON_A_DISK: [u64; 2] = [MIB, 17 * MIB];
/// Those of a card begin at a multiple of this, behind a system that is smaller than so many of it.
const ON_A_CARD: u64 = 4 * MIB;
const MULTIPLES: u64 = 64;
/// So much of a partition's beginning shows what it holds.
const BEGINNING: usize = 20 * KIB;
/// ext4: its superblock's magic number and label, from the beginning of the partition.
const EXT4_MAGIC: (usize, &[u8]) = (0x438, &[0x53, 0xEF]);
const EXT4_LABEL: usize = 0x478;
/// LUKS2: where its two headers are, and how they begin.
const LUKS_HEADERS: [(usize, &[u8]); 2] = [(0, b"LUKS\xBA\xBE"), (16 * KIB, b"SKUL\xBA\xBE")];
/// LUKS2: the label, from the beginning of a header.
const LUKS_LABEL: usize = 24;
/// What the rest of a card begins with while it is being made a data disk, in both its partitions.
pub(super) const MARK: &[u8; 32] = b"hub: data disk, not yet finished";

/// What is on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Nothing.
    Blank,
    /// Something of ours.
    Ours,
    /// Something else.
    Other,
}

/// Looks at a disk of this size.
pub(super) fn examine(device: &Path, bytes: u64) -> io::Result<Content> {
    let file = open(device)?;
    let mut is_blank = true;
    let mut buffer = vec![0; TABLE];
    for start in [0, bytes.saturating_sub(TABLE as u64)] {
        file.read_exact_at(&mut buffer, start)?;
        if holds_names(&buffer) {
            return Ok(Content::Ours);
        }
        is_blank &= is_empty(&buffer);
    }
    buffer.truncate(BEGINNING);
    let on_a_card = (1..=MULTIPLES).map(|multiple| multiple * ON_A_CARD);
    for start in ON_A_DISK.into_iter().chain(on_a_card) {
        if start + BEGINNING as u64 > bytes {
            continue;
        }
        file.read_exact_at(&mut buffer, start)?;
        if is_partition(&buffer) {
            return Ok(Content::Ours);
        }
        is_blank &= is_empty(&buffer);
    }
    if is_blank && is_empty_at(&file, 0, HEAD)? && is_empty_at(&file, bytes.saturating_sub(TAIL), TAIL)? {
        Ok(Content::Blank)
    } else {
        Ok(Content::Other)
    }
}

/// Whether a partition that begins at `start` was marked by [`MARK`].
pub(super) fn is_marked(device: &Path, start: u64) -> io::Result<bool> {
    let mut buffer = [0; MARK.len()];
    open(device)?.read_exact_at(&mut buffer, start)?;
    Ok(buffer == *MARK)
}

/// Opens a disk to read what is on it now, and not what the kernel still knows of it.
fn open(device: &Path) -> io::Result<File> {
    let file = File::open(device)?;
    posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)?;
    Ok(file)
}

fn is_empty_at(file: &File, start: u64, len: u64) -> io::Result<bool> {
    let mut buffer = vec![0; MIB as usize];
    for at in (start..start + len).step_by(buffer.len()) {
        file.read_exact_at(&mut buffer, at)?;
        if !is_empty(&buffer) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether these bytes are as a disk is made, or as flash memory is erased.
fn is_empty(bytes: &[u8]) -> bool {
    [0x00, 0xFF].iter().any(|empty| bytes.iter().all(|byte| byte == empty))
}

/// Whether a GPT has a name of a finished data disk here: 36 characters in UTF-16.
fn holds_names(table: &[u8]) -> bool {
    [KEYS, RECORDS].iter().any(|name| {
        let units = name.encode_utf16().chain([0]);
        let name: Vec<u8> = units.flat_map(u16::to_le_bytes).collect();
        table.windows(name.len()).any(|window| window == name)
    })
}

/// Whether what begins so is a partition of ours.
fn is_partition(beginning: &[u8]) -> bool {
    let has = |at: usize, text: &[u8]| beginning.get(at..at + text.len()) == Some(text);
    let has_label = |at: usize, label: &str| has(at, label.as_bytes()) && has(at + label.len(), &[0]);
    let (at, magic) = EXT4_MAGIC;
    has(at, magic) && has_label(EXT4_LABEL, KEYS)
        || LUKS_HEADERS
            .iter()
            .any(|(at, magic)| has(*at, magic) && has_label(at + LUKS_LABEL, RECORDS))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    const SIZE: u64 = 96 * MIB;

    /// A disk that is a file.
    struct Disk(tempfile::NamedTempFile);

    impl Disk {
        fn new() -> Self {
            let file = tempfile::NamedTempFile::new().unwrap();
            file.as_file().set_len(SIZE).unwrap();
            Self(file)
        }

        /// One with our two partitions, as they are made, with `names` in its table.
        fn ours(names: [&str; 2]) -> Self {
            let disk = Self::new();
            let [keys, records] = names;
            disk.run(
                "/sbin/sfdisk",
                &["--quiet"],
                &format!("label: gpt\nsize=16MiB, name={keys}\nname={records}\n"),
            );
            disk.put_partitions(MIB);
            disk
        }

        fn put_partitions(&self, start: u64) {
            let at = format!("offset={start},root_owner=0:0");
            self.run_with(
                "/sbin/mke2fs",
                &["-q", "-F", "-t", "ext4", "-L", KEYS, "-E", &at],
                &["16M"],
            );
            // What `cryptsetup luksFormat --type luks2 --label HUBDATA` begins its two headers with.
            let mut header = vec![0; LUKS_LABEL + 48];
            header[LUKS_LABEL..][..RECORDS.len()].copy_from_slice(RECORDS.as_bytes());
            for (at, magic) in LUKS_HEADERS {
                header[..magic.len()].copy_from_slice(magic);
                self.write(start + 16 * MIB + at as u64, &header);
            }
        }

        fn run(&self, program: &str, arguments: &[&str], input: &str) {
            let mut child = Command::new(program)
                .args(arguments)
                .arg(self.0.path())
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
            assert!(child.wait().unwrap().success(), "{program}");
        }

        fn run_with(&self, program: &str, arguments: &[&str], more: &[&str]) {
            let status = Command::new(program)
                .args(arguments)
                .arg(self.0.path())
                .args(more)
                .status()
                .unwrap();
            assert!(status.success(), "{program}");
        }

        fn write(&self, at: u64, bytes: &[u8]) {
            self.0.as_file().write_all_at(bytes, at).unwrap();
        }

        fn zero(&self, start: u64, end: u64) {
            self.write(start, &vec![0; (end - start) as usize]);
        }

        fn content(&self) -> Content {
            examine(self.0.path(), SIZE).unwrap()
        }
    }

    #[test]
    fn only_a_disk_with_nothing_on_it_is_blank() {
        let disk = Disk::new();
        assert_eq!(disk.content(), Content::Blank);
        disk.write(0, &vec![0xFF; SIZE as usize]);
        assert_eq!(disk.content(), Content::Blank);
        for at in [0, 511, HEAD - 1, 17 * MIB, 64 * MIB, SIZE - TAIL, SIZE - 1] {
            let disk = Disk::new();
            disk.write(at, &[1]);
            assert_eq!(disk.content(), Content::Other, "{at}");
        }
    }

    #[test]
    fn what_looks_like_chance_is_not_blank() {
        let mut bytes = vec![0; SIZE as usize];
        getrandom::fill(&mut bytes).unwrap();
        let disk = Disk::new();
        disk.write(0, &bytes);
        assert_eq!(disk.content(), Content::Other);
    }

    #[test]
    fn our_disk_is_known_without_its_table() {
        let disk = Disk::ours([KEYS, RECORDS]);
        assert_eq!(disk.content(), Content::Ours);
        disk.zero(0, 512);
        assert_eq!(disk.content(), Content::Ours, "without its first sector");
        disk.zero(0, MIB);
        disk.zero(MIB, 17 * MIB + 32 * KIB as u64);
        assert_eq!(disk.content(), Content::Ours, "by the table's copy");
        disk.zero(SIZE - MIB, SIZE);
        assert_eq!(disk.content(), Content::Blank);
    }

    #[test]
    fn our_partitions_are_known_under_another_table() {
        let spare = |parts: &[(u64, u64)]| {
            let disk = Disk::ours(["a", "b"]);
            disk.run("/sbin/sfdisk", &["--quiet", "--wipe", "never"], "label: dos\n,,c\n");
            for (start, end) in parts {
                disk.zero(*start, *end);
            }
            disk.content()
        };
        let luks = 17 * MIB;
        let second = luks + 16 * KIB as u64;
        assert_eq!(spare(&[(luks, luks + MIB)]), Content::Ours, "by its label");
        assert_eq!(spare(&[(MIB, 2 * MIB)]), Content::Ours, "by LUKS");
        assert_eq!(
            spare(&[(MIB, 2 * MIB), (luks, second)]),
            Content::Ours,
            "by the second header"
        );
        assert_eq!(spare(&[(MIB, 2 * MIB), (luks, luks + MIB)]), Content::Other);
    }

    #[test]
    fn the_rest_of_a_card_is_known_where_it_may_begin() {
        let disk = Disk::new();
        disk.put_partitions(12 * ON_A_CARD);
        assert_eq!(disk.content(), Content::Ours);
    }

    #[test]
    fn names_of_a_disk_that_was_never_opened_are_nothing() {
        let disk = Disk::ours(["HUBKEYS-NEW", "HUBDATA-NEW"]);
        disk.zero(MIB, 18 * MIB);
        assert_eq!(disk.content(), Content::Other);
    }

    #[test]
    fn what_can_not_be_read_is_nothing_of_all_that() {
        let disk = Disk::new();
        assert!(examine(disk.0.path(), 2 * SIZE).is_err(), "it ends too soon");
        assert!(examine(Path::new("/nonexistent"), SIZE).is_err());
    }

    #[test]
    fn a_mark_is_known_where_it_is() {
        let disk = Disk::new();
        disk.write(8 * MIB, MARK);
        assert!(is_marked(disk.0.path(), 8 * MIB).unwrap());
        assert!(!is_marked(disk.0.path(), 24 * MIB).unwrap());
        assert!(is_marked(disk.0.path(), SIZE).is_err());
    }
}
