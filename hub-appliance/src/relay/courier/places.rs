//! Where on a stick bundles lie: `hikma-courier/HUB-ID/export-000012.hkc` and `answer-000007.hkc`.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::{CourierError, Kind};

/// The folder of all hubs.
const FOLDER: &str = "hikma-courier";
const ENDING: &str = ".hkc";
/// The most entries of a folder that are looked at.
const ENTRIES: usize = 10_000;

/// The folder of a hub on the stick whose topmost folder is `top`.
#[must_use]
pub fn folder_of_hub(top: &Path, hub: Uuid) -> PathBuf {
    top.join(FOLDER).join(hub.to_string())
}

fn begins(kind: Kind) -> &'static str {
    match kind {
        Kind::Export => "export-",
        Kind::Answer => "answer-",
    }
}

/// Makes a hub's folder. What it is on may know of no permissions, so none are set afterwards.
pub(super) fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    leads_nowhere(folder)
}

/// A hub's folder, and the one of all hubs, have to be folders of the stick: a link leads anywhere, and what has a bundle's name
/// there would be read, or removed.
fn leads_nowhere(folder: &Path) -> io::Result<()> {
    for folder in folder.ancestors().take(2) {
        if !fs::symlink_metadata(folder)?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
    }
    Ok(())
}

/// The file of a bundle in a hub's folder.
pub(super) fn file_of(folder: &Path, kind: Kind, number: u64) -> PathBuf {
    folder.join(format!("{}{number:06}{ENDING}", begins(kind)))
}

/// The answers in a hub's folder, by their names' numbers, the oldest first.
///
/// # Errors
/// [`CourierError::Disk`].
pub fn answers_in(folder: &Path) -> Result<Vec<PathBuf>, CourierError> {
    bundles_in(folder, Kind::Answer)
}

/// The bundles of a kind in a hub's folder, by their names' numbers, the oldest first.
pub(super) fn bundles_in(folder: &Path, kind: Kind) -> Result<Vec<PathBuf>, CourierError> {
    let entries = match leads_nowhere(folder).and_then(|()| fs::read_dir(folder)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut found = Vec::new();
    for entry in entries.take(ENTRIES) {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| {
            let digits = name.strip_prefix(begins(kind))?.strip_suffix(ENDING)?;
            digits.parse::<u64>().ok()
        });
        found.extend(number.map(|number| (number, entry.path())));
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}
