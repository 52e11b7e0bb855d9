//! The generations in a folder: `hub-backup` on a stick, or anywhere.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use nix::sys::statvfs::statvfs;
use serde::{Deserialize, Serialize};

use super::error::BackupError;
use super::{GENERATIONS, MANIFEST};
use crate::atomic_file;
use crate::clock::HubTime;

/// The folder's name, wherever backups are kept.
const NAME: &str = "hub-backup";
const MARK: &str = "stick.json";
/// A longer file is no mark of ours.
const MAX_MARK: usize = 1024;
/// Of a generation that is being written.
const UNFINISHED: &str = "new";
/// Bytes of a generation's name: `20261127-081502-000`.
const NAME_LEN: usize = 19;

/// Whose backups these are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The hub's id.
    pub hub_id: String,
}

/// The folder.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// That in `at`. Nothing is made yet.
    #[must_use]
    pub fn within(at: &Path) -> Self {
        Self(at.join(NAME))
    }

    /// The mark that is there.
    ///
    /// # Errors
    /// [`BackupError::Disk`].
    pub fn mark(&self) -> Result<Option<Mark>, BackupError> {
        match atomic_file::read(&self.0.join(MARK), MAX_MARK) {
            Ok(bytes) => Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok())),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(None),
            Err(error) => Err(BackupError::Disk(error)),
        }
    }

    /// Makes the folder and marks it as this hub's.
    ///
    /// # Errors
    /// [`BackupError::OtherHub`], [`BackupError::Full`], [`BackupError::Disk`].
    pub fn claim(&self, hub_id: &str) -> Result<(), BackupError> {
        match self.mark()? {
            Some(mark) if mark.hub_id == hub_id => return Ok(()),
            Some(_) => return Err(BackupError::OtherHub),
            None => {}
        }
        make_folder(&self.0).map_err(BackupError::target)?;
        let mark = Mark {
            hub_id: hub_id.to_owned(),
        };
        let json = serde_json::to_vec(&mark).map_err(|error| BackupError::target(error.into()))?;
        atomic_file::write(&self.0.join(MARK), &json).map_err(BackupError::target)
    }

    /// The generations that have their name, the newest first.
    ///
    /// # Errors
    /// [`BackupError::Disk`].
    pub fn generations(&self) -> Result<Vec<PathBuf>, BackupError> {
        let mut generations = self.entries(is_generation)?;
        generations.retain(|generation| generation.join(MANIFEST).exists());
        generations.sort();
        generations.reverse();
        Ok(generations)
    }

    fn entries(&self, is_wanted: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>, BackupError> {
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(BackupError::Disk(error)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(BackupError::Disk)?;
            if entry.file_name().to_str().is_some_and(&is_wanted) {
                found.push(entry.path());
            }
        }
        Ok(found)
    }

    /// Begins a generation: an empty folder, under a name that is none yet. What a cut left of another one goes.
    pub(super) fn begin(&self, at: HubTime) -> Result<PathBuf, BackupError> {
        self.clear_unfinished()?;
        // One that was made by a clock that ran ahead stays the older one.
        let last = self.entries(is_generation)?.into_iter().max();
        let mut at = at;
        let generation = loop {
            let generation = self.0.join(name(at));
            if last.as_ref().is_none_or(|last| generation > *last) {
                break generation;
            }
            at = after(last.as_deref()).unwrap_or(at.plus_millis(1));
        };
        let unfinished = generation.with_added_extension(UNFINISHED);
        DirBuilder::new()
            .mode(0o700)
            .create(&unfinished)
            .map_err(BackupError::target)?;
        Ok(unfinished)
    }

    /// Removes what a cut left.
    pub(super) fn clear_unfinished(&self) -> Result<(), BackupError> {
        let is_unfinished = |name: &str| name.strip_suffix(&format!(".{UNFINISHED}")).is_some_and(is_generation);
        for unfinished in self.entries(is_unfinished)? {
            fs::remove_dir_all(unfinished).map_err(BackupError::target)?;
        }
        Ok(())
    }

    /// Gives a generation its name, and lets those go that are too many.
    pub(super) fn finish(&self, unfinished: &Path) -> Result<PathBuf, BackupError> {
        let generation = unfinished.with_extension("");
        sync(unfinished).map_err(BackupError::target)?;
        atomic_file::rename(unfinished, &generation).map_err(BackupError::target)?;
        for old in self.generations()?.into_iter().skip(GENERATIONS) {
            // The manifest first: what is left of it after a cut is no generation.
            let gone = fs::remove_file(old.join(MANIFEST)).and_then(|()| fs::remove_dir_all(&old));
            if let Err(error) = gone {
                tracing::warn!(%error, "an old backup could not be removed");
            }
        }
        Ok(generation)
    }

    /// How many bytes are free.
    pub(super) fn free(&self) -> Result<u64, BackupError> {
        let disk = statvfs(&self.0).map_err(|error| BackupError::Disk(error.into()))?;
        Ok(disk.blocks_available().saturating_mul(disk.fragment_size()))
    }
}

/// Makes a folder where there is none, and nothing above it: that would be made where a stick is not in any more.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Err(_) => Ok(()),
        Ok(()) => folder.parent().map_or(Ok(()), sync),
    }
}

pub(super) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The name of a generation of this time; names are in the order of times.
fn name(at: HubTime) -> String {
    let time = Timestamp::from_millisecond(at.millis()).unwrap_or(Timestamp::UNIX_EPOCH);
    let zoned = time.to_zoned(TimeZone::UTC);
    format!(
        "{}-{:03}",
        zoned.strftime("%Y%m%d-%H%M%S"),
        at.millis().rem_euclid(1000)
    )
}

/// The time after that of a generation's name.
fn after(generation: Option<&Path>) -> Option<HubTime> {
    let name = generation?.file_name()?.to_str()?;
    let (seconds, millis) = name.rsplit_once('-')?;
    let time = jiff::civil::DateTime::strptime("%Y%m%d-%H%M%S", seconds).ok()?;
    let time = time.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond();
    Some(HubTime::from_millis(time + millis.parse::<i64>().ok()? + 1))
}

fn is_generation(name: &str) -> bool {
    let is_right = |(at, byte): (usize, u8)| match at {
        8 | 15 => byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    name.len() == NAME_LEN && name.bytes().enumerate().all(is_right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_the_order_of_times_and_tell_them() {
        let time = HubTime::from_millis(1_795_219_200_007);
        let path = PathBuf::from("x").join(name(time));
        assert_eq!(path.file_name().unwrap(), "20261121-000000-007");
        assert_eq!(after(Some(&path)), Some(time.plus_millis(1)));
        assert!(is_generation(&name(time)) && name(time) < name(time.plus_millis(1)));
        for no in [
            "20261121-000000-007.new",
            "lost+found",
            "20261121x000000-007",
            "stick.json",
        ] {
            assert!(!is_generation(no), "{no}");
        }
    }

    #[test]
    fn a_generation_is_the_newest_whatever_the_clock_says_and_four_are_never_kept() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::within(place.path());
        folder.claim("h").unwrap();
        folder.claim("h").unwrap();
        assert!(matches!(folder.claim("other"), Err(BackupError::OtherHub)));
        let mut made = Vec::new();
        for at in [5000, 9000, 1000, 9000, 20_000] {
            let unfinished = folder.begin(HubTime::from_millis(at)).unwrap();
            fs::write(unfinished.join(MANIFEST), "m").unwrap();
            made.insert(0, folder.finish(&unfinished).unwrap());
            made.truncate(GENERATIONS);
            assert_eq!(folder.generations().unwrap(), made);
        }
        let cut = folder.begin(HubTime::from_millis(30_000)).unwrap();
        assert_eq!(folder.generations().unwrap(), made, "one that is being written is none");
        folder.begin(HubTime::from_millis(40_000)).unwrap();
        assert!(!cut.exists());
    }
}
