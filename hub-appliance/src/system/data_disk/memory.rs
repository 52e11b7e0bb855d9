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

/// Whether the card knows of a disk.
pub(super) fn knows(file: &Path) -> bool {
    read(file).is_some_and(|text| text.starts_with(MARK))
}

/// Notes that the records are on `disk`, where that is not what is there. The card itself needs no note.
///
/// # Errors
/// [`DataDiskError`]; then it says what it said before.
pub(super) fn note(file: &Path, disk: &Disk) -> Result<(), DataDiskError> {
    let folder = file.parent().unwrap_or(Path::new("/"));
    let known = read(file);
    if disk.is_on_system {
        return match known {
            Some(_) => written_to(folder, || fs::remove_file(file)),
            None => Ok(()),
        };
    }
    let text = text_for(&disk.name, disk.bytes);
    if known.as_deref() == Some(&text) {
        return Ok(());
    }
    written_to(folder, || atomic_file::write(file, text.as_bytes()))
}

/// For whoever reads the card on a computer too.
fn text_for(name: &str, bytes: u64) -> String {
    let name: String = name.chars().filter(|letter| !letter.is_control()).take(32).collect();
    format!("{MARK}\r\n{name}, {bytes} bytes\r\n")
}

fn read(file: &Path) -> Option<String> {
    let bytes: io::Result<_> = atomic_file::read(file, MAX_BYTES);
    String::from_utf8(bytes.ok().flatten()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_known_and_what_is_something_else_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        assert!(!knows(&file));
        fs::write(&file, text_for("SanDisk\u{7} Ultra", 31_914_983_424)).unwrap();
        assert!(knows(&file));
        assert!(!fs::read_to_string(&file).unwrap().contains('\u{7}'));
        for other in [&b"something else"[..], &[0xff; 8], &[b'x'; 2 * MAX_BYTES]] {
            fs::write(&file, other).unwrap();
            assert!(!knows(&file));
        }
    }
}
