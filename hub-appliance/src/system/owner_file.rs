//! Files that an owner puts on the card, with what computers make of their names and their text.
//!
//! A name in other case, or with an ending that a computer adds and hides (an editor's `.txt`, or the file's own a second
//! time), is the same file to whoever wrote it.
//! Two such files are not: which of them counts only their owner knows. Text is UTF-8, with or without a byte-order mark,
//! or the UTF-16 that an editor calls "Unicode".

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};

/// How much of a file is written over at a time.
const CHUNK: usize = 256 * 1024;

/// What there is of the name that was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnerFile {
    /// Nothing.
    Absent,
    /// This.
    There(PathBuf),
    /// More than one: none of them counts.
    Several,
}

/// Looks for the file at `wanted`, or what its owner may take for it, in the same folder.
///
/// # Errors
/// What the disk reports.
pub fn look_for(wanted: &Path) -> io::Result<OwnerFile> {
    let (folder, name) = match (wanted.parent(), wanted.file_name().and_then(|name| name.to_str())) {
        (Some(folder), Some(name)) => (folder, name),
        _ => return Ok(OwnerFile::Absent),
    };
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(OwnerFile::Absent),
        Err(error) => return Err(error),
    };
    let mut found = OwnerFile::Absent;
    for entry in entries {
        let entry = entry?;
        if entry
            .file_name()
            .to_str()
            .is_some_and(|there| is_taken_for(name, there))
        {
            found = match found {
                OwnerFile::Absent => OwnerFile::There(entry.path()),
                _ => return Ok(OwnerFile::Several),
            };
        }
    }
    Ok(found)
}

fn is_taken_for(wanted: &str, there: &str) -> bool {
    let there = there.trim().to_ascii_lowercase();
    let wanted = wanted.to_ascii_lowercase();
    let own = wanted.rfind('.').map_or("", |dot| &wanted[dot..]);
    there
        .strip_prefix(&wanted)
        .is_some_and(|rest| ["", ".txt", own].contains(&rest))
}

/// The text of a file.
///
/// # Errors
/// How many bytes at its beginning are text, where not all of it is.
pub fn text(bytes: Vec<u8>) -> Result<String, usize> {
    const MARK: &[u8] = b"\xEF\xBB\xBF";
    match bytes.as_slice() {
        [0xFF, 0xFE, text @ ..] => utf_16(text, u16::from_le_bytes, 2),
        [0xFE, 0xFF, text @ ..] => utf_16(text, u16::from_be_bytes, 2),
        // Both begin with a character of ASCII, whatever they are about.
        [first, 0, ..] if *first != 0 => utf_16(&bytes, u16::from_le_bytes, 0),
        [0, second, ..] if *second != 0 => utf_16(&bytes, u16::from_be_bytes, 0),
        _ => {
            let begins = if bytes.starts_with(MARK) { MARK.len() } else { 0 };
            let text = String::from_utf8(bytes).map_err(|error| error.utf8_error().valid_up_to());
            text.map(|mut text| {
                text.drain(..begins);
                text
            })
        }
    }
}

/// Overwrites a file in its place, and then removes it: what it held is not left in free clusters.
///
/// # Errors
/// [`io::Error`] if it may still be there; nothing but a plain file is touched.
pub fn wipe(file: &Path) -> io::Result<()> {
    let mut open = OpenOptions::new()
        .write(true)
        .custom_flags(O_NOFOLLOW | O_NONBLOCK)
        .open(file)?;
    if !open.metadata()?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let zeros = vec![0; CHUNK];
    let mut left = open.metadata()?.len();
    while left > 0 {
        let length = usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK));
        open.write_all(&zeros[..length])?;
        left -= length as u64;
    }
    open.sync_all()?;
    drop(open);
    fs::remove_file(file)?;
    File::open(file.parent().unwrap_or(Path::new("/")))?.sync_all()
}

fn utf_16(bytes: &[u8], unit: fn([u8; 2]) -> u16, before: usize) -> Result<String, usize> {
    let (units, rest) = bytes.as_chunks();
    let mut text = String::with_capacity(units.len());
    let mut read = before;
    for character in char::decode_utf16(units.iter().copied().map(unit)) {
        let character = character.map_err(|_| read)?;
        text.push(character);
        read += character.len_utf16() * 2;
    }
    if rest.is_empty() { Ok(text) } else { Err(read) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_known_as_computers_write_it() {
        for there in [
            "clinic.json",
            "CLINIC.JSON",
            "Clinic.json.txt",
            "clinic.json.TXT",
            "CLINIC.JSON.TXT",
            "Clinic.JSON.json",
            "clinic.json ",
        ] {
            let folder = tempfile::tempdir().unwrap();
            let wanted = folder.path().join("clinic.json");
            assert_eq!(look_for(&wanted).unwrap(), OwnerFile::Absent);
            for other in [
                "clinic.json.bak",
                "my clinic.json",
                "clinic",
                "._clinic.json",
                "hub-setup.toml",
            ] {
                fs::write(folder.path().join(other), "").unwrap();
            }
            assert_eq!(look_for(&wanted).unwrap(), OwnerFile::Absent);
            let path = folder.path().join(there);
            fs::write(&path, "").unwrap();
            assert_eq!(look_for(&wanted).unwrap(), OwnerFile::There(path), "{there:?}");
            fs::write(folder.path().join("clinic.JSON.txt"), "").unwrap();
            assert_eq!(look_for(&wanted).unwrap(), OwnerFile::Several);
        }
        assert_eq!(
            look_for(Path::new("/nonexistent/clinic.json")).unwrap(),
            OwnerFile::Absent
        );
    }

    #[test]
    fn nothing_of_the_file_is_left_in_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let (file, other_name) = (folder.path().join("clinic.json"), folder.path().join("same"));
        let length = CHUNK + 7;
        fs::write(&file, vec![b'p'; length]).unwrap();
        // Another name for the same bytes on the disk.
        fs::hard_link(&file, &other_name).unwrap();
        wipe(&file).unwrap();
        assert!(!file.exists());
        assert!(fs::read(&other_name).unwrap() == vec![0; length]);
    }

    #[test]
    fn nothing_but_a_plain_file_is_wiped() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("of the system"), "kept").unwrap();
        std::os::unix::fs::symlink(path("of the system"), path("clinic.json")).unwrap();
        assert!(wipe(&path("clinic.json")).is_err());
        nix::unistd::mkfifo(&path("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(wipe(&path("pipe")).is_err());
        assert_eq!(fs::read_to_string(path("of the system")).unwrap(), "kept");
    }

    #[test]
    fn what_is_no_text_is_told_with_its_place() {
        assert_eq!(text(b"ab\xE9".to_vec()), Err(2));
        assert_eq!(text(b"\xFF\xFEa\0\0\xD8".to_vec()), Err(4));
        assert_eq!(text(b"\xFF\xFEa\0b".to_vec()), Err(4));
        assert_eq!(text(Vec::new()), Ok(String::new()));
        assert_eq!(text(b"\xEF\xBB\xBF".to_vec()), Ok(String::new()));
    }

    proptest! {
        #[test]
        fn the_same_text_comes_out_however_it_was_saved(rest: String) {
            let whole = format!("{{{rest}");
            let marked = format!("\u{feff}{whole}");
            let little = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
            let big = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>();
            for bytes in [marked.clone().into_bytes(), little(&marked), big(&marked)] {
                prop_assert_eq!(text(bytes).unwrap(), whole.clone());
            }
            if !rest.starts_with('\0') {
                for bytes in [whole.clone().into_bytes(), little(&whole), big(&whole)] {
                    prop_assert_eq!(text(bytes).unwrap(), whole.clone());
                }
            }
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let length = bytes.len();
            if let Err(at) = text(bytes) {
                prop_assert!(at < length);
            }
        }
    }
}
