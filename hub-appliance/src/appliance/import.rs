//! Import of a bundle: how a clinic that never has internet gets its users, forms and drugs.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::{ApplianceError, OpenStore, firmware_clock, keys_folder, store_folder};
use crate::keys::{KeyStore, KeysError, Pin, UnlockError};
use crate::store::audit::Entry;
use crate::store::cloud::{Bundle, BundleError, BundleSummary};
use crate::store::{Store, StoreLock};

/// The largest bundle that is taken, bytes.
const MAX_BYTES: u64 = 512 * 1024 * 1024;

/// Why an import did not happen.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The PIN does not open the hub, or has to wait.
    #[error(transparent)]
    Unlock(#[from] UnlockError),
    /// Something else.
    #[error(transparent)]
    Appliance(#[from] ApplianceError),
}

impl From<KeysError> for ImportError {
    fn from(error: KeysError) -> Self {
        Self::Appliance(error.into())
    }
}

/// Imports the bundle in `file` into the hub whose data is in `data`, while no hub runs on it.
///
/// `ask_pin` is called once it is sure that there is a hub to unlock and that nobody else holds it.
///
/// # Errors
/// [`ImportError`]; then nothing was imported.
pub fn import(
    data: &Path,
    file: &Path,
    ask_pin: impl FnOnce() -> Result<Pin, ApplianceError>,
) -> Result<BundleSummary, ImportError> {
    let keys = KeyStore::at(keys_folder(data));
    if !keys.is_set_up()? {
        return Err(KeysError::NotSetUp.into());
    }
    let _lock = StoreLock::take(&keys_folder(data)).map_err(ApplianceError::from)?;
    let master = keys.unlock_with_pin(&ask_pin()?)?;
    let OpenStore { store, .. } = OpenStore::open(&store_folder(data), &master, Arc::new(firmware_clock()))?;
    let summary = import_file(&store, file)?;
    store.close(Duration::from_secs(30));
    Ok(summary)
}

/// Imports the bundle in `file` into an open store, in one transaction.
///
/// # Errors
/// [`ApplianceError::BundleFile`] or [`ApplianceError::Bundle`]; then nothing was imported.
pub(super) fn import_file(store: &Store, file: &Path) -> Result<BundleSummary, ApplianceError> {
    let mut json = String::new();
    let file = File::open(file).map_err(ApplianceError::BundleFile)?;
    file.take(MAX_BYTES + 1)
        .read_to_string(&mut json)
        .map_err(ApplianceError::BundleFile)?;
    if json.len() as u64 > MAX_BYTES {
        return Err(ApplianceError::BundleFile(std::io::ErrorKind::FileTooLarge.into()));
    }
    let summary = store.write(move |tx| {
        let summary = Bundle::parse(&json)?.apply(tx)?;
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
