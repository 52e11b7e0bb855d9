//! Import of a bundle: how a clinic that never has internet gets its users, forms and drugs, once from the card at
//! set-up, or by hand.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::libc::O_NONBLOCK;
use serde_json::json;

use super::desk::{Desk, DeskError};
use super::{ApplianceError, Config};
use crate::keys::Pin;
use crate::panel::{ImportFile, Notice};
use crate::store::Store;
use crate::store::audit::Entry;
use crate::store::cloud::{Bundle, BundleError, BundleSummary};
use crate::system::owner_file::{self, OwnerFile};

/// The largest bundle that is taken, bytes.
const MAX_BYTES: u64 = 512 * 1024 * 1024;

/// Imports the bundle in `file` into the hub whose data is in `data`, while no hub runs on it.
///
/// `ask_pin`: see [`Desk::open`].
///
/// # Errors
/// [`DeskError`]; then nothing was imported.
pub fn import(
    data: &Path,
    file: &Path,
    ask_pin: impl FnOnce() -> Result<Pin, ApplianceError>,
) -> Result<BundleSummary, DeskError> {
    let desk = Desk::open(data, ask_pin)?;
    let summary = import_file(&desk.store, file)?;
    desk.close()?;
    Ok(summary)
}

/// Takes the owner's file of records in where the hub has no users yet, and has it removed from the card, where it lies
/// in the clear. Gives what a person has to be told of it: a mistake in it keeps nobody out of the hub.
///
/// # Errors
/// What the store reports; then nothing was imported.
pub(super) fn take_in(config: &Config, store: &Store) -> Result<Option<Notice>, ApplianceError> {
    let Some(file) = &config.first_import else {
        return Ok(None);
    };
    let there = owner_file::look_for(file).map_err(ApplianceError::System)?;
    if store.has_users()? {
        // It may be another one by now, which nobody has read: it is not the hub's to remove.
        let is_left = !config.desk && there != OwnerFile::Absent;
        return Ok(is_left.then_some(Notice::ImportFile(ImportFile::StillThere)));
    }
    let file = match &there {
        OwnerFile::There(there) => there,
        // Whoever starts it on a desk has named it.
        OwnerFile::Absent if config.desk => file,
        OwnerFile::Absent => return Ok(None),
        OwnerFile::Several => return Ok(Some(Notice::ImportFile(ImportFile::Several))),
    };
    let line = match import_file(store, file) {
        Ok(summary) => return Ok(after_import(config, summary).map(Notice::ImportFile)),
        Err(ApplianceError::Bundle(mistake)) => mistake.line,
        Err(ApplianceError::BundleFile(error)) => {
            tracing::warn!(%error, "the file to import cannot be read");
            None
        }
        Err(error) => return Err(error),
    };
    tracing::warn!(line, "the file to import has a mistake; nothing of it is taken in");
    Ok(Some(Notice::ImportFile(ImportFile::Mistake { line })))
}

/// Has the file removed that was taken in, and says whether it is gone.
pub(super) fn remove(config: &Config) -> bool {
    let gone = config.disk.forget_import();
    if let Err(error) = &gone {
        tracing::error!(%error, "the imported file is still on the card");
    }
    gone.is_ok()
}

/// Has the file removed that was taken in, and gives what a person has to be told.
fn after_import(config: &Config, summary: BundleSummary) -> Option<ImportFile> {
    if !remove(config) {
        return Some(ImportFile::StillThere);
    }
    let shared = summary.same_email.into_iter().next();
    shared.map(|names| ImportFile::SameEmail { names })
}

/// The text of a bundle in `file`.
///
/// # Errors
/// [`ApplianceError::BundleFile`] if it can't be read, is too large, or is no text.
pub(super) fn read(file: &Path) -> Result<String, ApplianceError> {
    let mut bytes = Vec::new();
    // A pipe of that name would be waited for.
    let mut how = OpenOptions::new();
    let file = how
        .read(true)
        .custom_flags(O_NONBLOCK)
        .open(file)
        .map_err(ApplianceError::BundleFile)?;
    if !file.metadata().map_err(ApplianceError::BundleFile)?.is_file() {
        return Err(ApplianceError::BundleFile(std::io::ErrorKind::InvalidInput.into()));
    }
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(ApplianceError::BundleFile)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(ApplianceError::BundleFile(std::io::ErrorKind::FileTooLarge.into()));
    }
    let no_text = |_| ApplianceError::BundleFile(std::io::ErrorKind::InvalidData.into());
    owner_file::text(bytes).map_err(no_text)
}

/// Imports the bundle in `file` into an open store, in one transaction.
///
/// # Errors
/// [`ApplianceError::BundleFile`], [`ApplianceError::Bundle`], or what the store reports; then nothing was imported.
fn import_file(store: &Store, file: &Path) -> Result<BundleSummary, ApplianceError> {
    let json = store.pulse().unseen(|| read(file))?;
    let summary = store.write(move |tx| {
        let summary = tx.unseen(|| Bundle::parse(&json))?.apply(tx)?;
        let written: serde_json::Map<_, _> = summary
            .written
            .iter()
            .map(|(table, rows)| ((*table).to_owned(), json!(rows)))
            .collect();
        let detail = json!({"written": written, "foreign": summary.foreign, "held": summary.held}).to_string();
        tx.audit(&Entry {
            action: "import",
            detail,
            outcome: "ok",
            ..Entry::default()
        })?;
        Ok::<_, BundleError>(summary)
    })?;
    Ok(summary)
}
