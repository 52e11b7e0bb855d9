//! What the card that the system runs from knows of the data disk: that there is one, and what it calls itself.
//!
//! Without this a box that is started once without its disk would ask a person for another place, and begin an empty hub
//! there. It lies on the card's first partition, which is otherwise only read; each step is on the card before the next.

use std::fs;
use std::io;
use std::path::Path;

use super::DataDiskError;
use super::find::Disk;
use super::import_file::written_to;
use crate::atomic_file;

/// The file's name, beside the owner's files.
pub(super) const FILE: &str = "hub-disk.txt";
/// How it begins.
const MARK: &str = "The records of this hub are on a disk of their own.";
/// One that is longer is not ours.
const MAX_BYTES: usize = 1024;

/// How the line begins that says which of several disks a person chose.
const CHOSEN: &str = "chosen: ";
/// How the note begins where that is the card itself.
const ON_CARD: &str = "The records of this hub are on this card.";

/// What the table calls the partition for the records of the disk that a person chose of several.
pub(super) fn chosen(file: &Path) -> Option<String> {
    let text = read(file)?;
    let line = text.lines().find_map(|line| line.strip_prefix(CHOSEN))?;
    Some(line.trim_end().to_owned())
}

/// Whether the card knows of a disk.
pub(super) fn knows(file: &Path) -> bool {
    read(file).is_some_and(|text| text.starts_with(MARK))
}

/// Notes that the records are on `disk`, where that is not what is there, and whether a person chose it of several. The card
/// itself needs no note but for that.
///
/// # Errors
/// [`DataDiskError`]; then it says what it said before.
pub(super) fn note(file: &Path, disk: &Disk, is_chosen: bool) -> Result<(), DataDiskError> {
    let folder = file.parent().unwrap_or(Path::new("/"));
    match (read(file), text_for(disk, is_chosen)) {
        (known, text) if known == text => Ok(()),
        (_, Some(text)) => written_to(folder, || atomic_file::write(file, text.as_bytes())),
        (_, None) => written_to(folder, || fs::remove_file(file)),
    }
}

/// For whoever reads the card on a computer too.
fn text_for(disk: &Disk, is_chosen: bool) -> Option<String> {
    let chosen = disk.uuid.as_ref().filter(|_| is_chosen);
    let chosen = chosen.map(|uuid| format!("{CHOSEN}{uuid}\r\n"));
    if disk.is_on_system {
        return chosen.map(|chosen| format!("{ON_CARD}\r\n{chosen}"));
    }
    let name: String = disk
        .name
        .chars()
        .filter(|letter| !letter.is_control())
        .take(32)
        .collect();
    let chosen = chosen.unwrap_or_default();
    Some(format!("{MARK}\r\n{name}, {} bytes\r\n{chosen}", disk.bytes))
}

fn read(file: &Path) -> Option<String> {
    let bytes: io::Result<_> = atomic_file::read(file, MAX_BYTES);
    String::from_utf8(bytes.ok().flatten()?).ok()
}

#[cfg(test)]
mod tests {
    use super::super::find::a_finished_disk;
    use super::*;

    #[test]
    fn what_was_noted_is_known_and_what_is_something_else_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        assert!(!knows(&file));
        let mut disk = Disk {
            name: "SanDisk\u{7} Ultra".into(),
            uuid: Some("0b5d6f2a-02".into()),
            ..a_finished_disk()
        };
        fs::write(&file, text_for(&disk, false).unwrap()).unwrap();
        assert!(knows(&file) && chosen(&file).is_none());
        assert!(!fs::read_to_string(&file).unwrap().contains('\u{7}'));
        fs::write(&file, text_for(&disk, true).unwrap()).unwrap();
        assert!(knows(&file));
        assert_eq!(chosen(&file).as_deref(), Some("0b5d6f2a-02"));
        // The card can't be away from itself.
        disk.is_on_system = true;
        assert_eq!(text_for(&disk, false), None);
        fs::write(&file, text_for(&disk, true).unwrap()).unwrap();
        assert!(!knows(&file));
        assert_eq!(chosen(&file).as_deref(), Some("0b5d6f2a-02"));
        for other in [&b"something else"[..], &[0xff; 8], &[b'x'; 2 * MAX_BYTES]] {
            fs::write(&file, other).unwrap();
            assert!(!knows(&file));
        }
    }
}
