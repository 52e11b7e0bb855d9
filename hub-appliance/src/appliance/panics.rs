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
    at: Mutex<Vec<Instant>>,
}

impl Panics {
    /// None yet; they are written down in the keys' folder.
    pub(super) fn beside(keys_folder: &Path) -> Self {
        Self {
            file: keys_folder.join("panics.json"),
            at: Mutex::default(),
        }
    }

    /// Remembers those that were written down before. A file that is missing or can't be read counts as an empty one.
    pub(super) fn recall(&self) {
        let bytes = atomic_file::read(&self.file, MAX_BYTES).ok().flatten();
        let seconds: Vec<u64> = bytes
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        let now = Instant::now();
        let ages = seconds.into_iter().map(Duration::from_secs).filter(|age| *age < WINDOW);
        self.lock().extend(ages.filter_map(|age| now.checked_sub(age)));
    }

    /// Writes one more down. Called where it happens, for nothing else may come of it.
    pub(super) fn note(&self) {
        let mut at = self.lock();
        at.push(Instant::now());
        // The eldest says nothing that those after it do not.
        let surplus = at.len().saturating_sub(TOO_MANY);
        at.drain(..surplus);
        self.save(&at);
    }

    /// Whether there were too many of late.
    pub(super) fn are_too_many(&self) -> bool {
        let mut at = self.lock();
        let known = at.len();
        at.retain(|at| at.elapsed() < WINDOW);
        if at.len() < known {
            self.save(&at);
        }
        at.len() >= TOO_MANY
    }

    fn save(&self, at: &[Instant]) {
        let ages: Vec<u64> = at.iter().map(|at| at.elapsed().as_secs()).collect();
        let written = serde_json::to_vec(&ages)
            .map_err(std::io::Error::from)
            .and_then(|json| atomic_file::write(&self.file, &json));
        if let Err(error) = written {
            tracing::warn!(%error, "a panic can't be remembered over a restart");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Instant>> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
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
        assert!(nowhere.are_too_many());
    }
}
