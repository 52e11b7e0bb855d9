//! Backups in the life of the box: what they are made of, and by hand on a desk.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::audit::Reason;
use super::desk::{Desk, DeskError};
use super::{ApplianceError, VERSION};
use crate::backup::{self, Folder, Source};
use crate::keys::Pin;

/// Makes a backup in `to` of the hub whose data is in `data`, while no hub runs on it. Gives the new generation's folder.
///
/// `ask_pin`: see [`Desk::open`].
///
/// # Errors
/// [`DeskError`]; the backups that were there are whole then.
pub fn backup(
    data: &Path,
    to: &Path,
    ask_pin: impl FnOnce() -> Result<Pin, ApplianceError>,
) -> Result<PathBuf, DeskError> {
    let desk = Desk::open(data, ask_pin)?;
    let made = desk.back_up(to);
    desk.close()?;
    made
}

impl Desk {
    fn back_up(&self, to: &Path) -> Result<PathBuf, DeskError> {
        self.seal.sign(&self.store, Reason::Backup)?;
        let source = Source {
            store: Arc::downgrade(&self.store),
            vault: self.vault.path(),
            keys: &self.keys,
            backup: &self.backup,
            hub_id: &self.hub_id,
            firmware: VERSION,
            recipient: self.recipient.clone(),
            is_ending: &Arc::default(),
            is_given_up: &Arc::default(),
        };
        let made = backup::make(&source, &Folder::within(to), &|_| {});
        Ok(made.map_err(ApplianceError::from)?.generation().to_owned())
    }
}
