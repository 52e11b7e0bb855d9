//! The panics of late, over restarts of the hub and of the box: too many of them keep it shut.
//!
//! There need be no clock that survives power-off, so a file beside the keys says how long ago each was when it was
//! written. Time without power does not count: neither does it keep the hub shut nor does it open it.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::atomic_file;

/// So many within [`WINDOW`] keep the hub shut.
const TOO_MANY: usize = 3;
const WINDOW: Duration = Duration::from_secs(10 * 60);
/// A file that is longer is not ours.
const MAX_BYTES: usize = 4096;

/// The panics of the last ten minutes.
#[derive(Debug)]
pub(super) struct Panics {
    file: PathBuf,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    at: Vec<Instant>,
    /// What the file holds of them, as far as that is known.
    in_file: Option<Vec<u8>>,
    /// Whether a restart will know of the last one.
    is_written: bool,
}

impl Panics {
    /// None yet; they are written down in the keys' folder.
    pub(super) fn beside(keys_folder: &Path) -> Self {
        Self {
            file: keys_folder.join("panics.json"),
            known: Mutex::default(),
        }
    }

    /// Remembers those that were written down before: to be called when the keys' folder is the one that lasts. A file that
    /// is missing or can't be read counts as an empty one.
    pub(super) fn recall(&self) {
        let mut known = self.lock();
        if self.recall_into(&mut known) && !known.at.is_empty() {
            self.save(&mut known);
        }
    }

    /// Writes one more down. Called where it happens, for nothing else may come of it.
    pub(super) fn note(&self) {
        let mut known = self.lock();
        self.recall_into(&mut known);
        known.at.push(Instant::now());
        // The eldest says nothing that those after it do not.
        let surplus = known.at.len().saturating_sub(TOO_MANY);
        known.at.drain(..surplus);
        self.save(&mut known);
    }

    /// Whether there were too many of late.
    pub(super) fn are_too_many(&self) -> bool {
        let mut known = self.lock();
        let before = known.at.len();
        known.at.retain(|at| at.elapsed() < WINDOW);
        if known.at.len() < before {
            self.save(&mut known);
        }
        known.at.len() >= TOO_MANY
    }

    /// Whether the last one will be known after a restart.
    pub(super) fn are_written(&self) -> bool {
        self.lock().is_written
    }

    /// Takes over what the file holds, unless it is known. Whether it was not.
    fn recall_into(&self, known: &mut Known) -> bool {
        let bytes = atomic_file::read(&self.file, MAX_BYTES).ok().flatten();
        if bytes == known.in_file {
            return false;
        }
        let seconds: Option<Vec<u64>> = bytes.as_deref().and_then(|bytes| serde_json::from_slice(bytes).ok());
        let now = Instant::now();
        let ages = seconds.unwrap_or_default().into_iter().map(Duration::from_secs);
        let ages = ages.filter(|age| *age < WINDOW);
        known.at.extend(ages.filter_map(|age| now.checked_sub(age)));
        known.at.sort_unstable();
        known.in_file = bytes;
        true
    }

    fn save(&self, known: &mut Known) {
        let ages: Vec<u64> = known.at.iter().map(|at| at.elapsed().as_secs()).collect();
        let written = serde_json::to_vec(&ages)
            .map_err(std::io::Error::from)
            .and_then(|json| atomic_file::write(&self.file, &json).map(|()| json));
        known.is_written = written.is_ok();
        match written {
            Ok(json) => known.in_file = Some(json),
            Err(error) => tracing::warn!(%error, "a panic can't be remembered over a restart"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(keys_folder: &Path) -> Panics {
        let panics = Panics::beside(keys_folder);
        panics.recall();
        panics
    }

    fn with_file(json: &str) -> (tempfile::TempDir, Panics) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("panics.json"), json).unwrap();
        let panics = load(folder.path());
        (folder, panics)
    }

    #[test]
    fn three_keep_the_hub_shut_however_often_it_starts() {
        let folder = tempfile::tempdir().unwrap();
        for number in 1..=3 {
            load(folder.path()).note();
            assert_eq!(load(folder.path()).are_too_many(), number == 3);
        }
        load(folder.path()).note();
        assert!(load(folder.path()).are_too_many());
    }

    #[test]
    fn those_before_the_keys_are_there_count_beside_those_that_were_written_down() {
        let folder = tempfile::tempdir().unwrap();
        let panics = Panics::beside(folder.path());
        panics.note();
        assert!(panics.are_written());
        // Another file system is mounted there.
        std::fs::write(folder.path().join("panics.json"), "[300]").unwrap();
        panics.recall();
        panics.recall();
        assert!(!panics.are_too_many());
        assert!(!load(folder.path()).are_too_many());
        load(folder.path()).note();
        assert!(load(folder.path()).are_too_many());
    }

    #[test]
    fn old_ones_are_forgotten() {
        assert!(with_file("[599,300,0]").1.are_too_many());
        let (folder, panics) = with_file("[600,300,0]");
        assert!(!panics.are_too_many());
        panics.note();
        assert!(load(folder.path()).are_too_many());
    }

    #[test]
    fn nonsense_keeps_nobody_out() {
        for json in ["", "{", "[1,2,-3]", "[1,2,18446744073709551616]", "{\"1\":2}"] {
            assert!(!with_file(json).1.are_too_many(), "{json}");
        }
        let nowhere = load(Path::new("/no/such/folder"));
        for _ in 0..3 {
            nowhere.note();
        }
        assert!(nowhere.are_too_many() && !nowhere.are_written());
    }
}
