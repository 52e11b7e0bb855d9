//! Backups in the life of the box: what they are made of, and by hand on a desk.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::audit::Reason;
use super::desk::{Desk, DeskError};
use super::{ApplianceError, VERSION};
use crate::backup::{self, Folder, Source};
use crate::keys::{Organisation, Pin};
use crate::setup_file::SetupFile;

/// A backup that was made on a desk.
#[derive(Debug)]
pub struct Made {
    /// Its folder.
    pub generation: PathBuf,
    /// The public key of the organisation that can open it beside the recovery code.
    pub recipient: Option<String>,
}

/// Makes a backup in `to` of the hub whose data is in `data`, while no hub runs on it. `setup_file` is the owner's; the
/// organisation that it names counts from now on.
///
/// `ask_pin`: see [`Desk::open`].
///
/// # Errors
/// [`DeskError`]; the backups that were there are whole then.
pub fn backup(
    data: &Path,
    to: &Path,
    setup_file: Option<&Path>,
    ask_pin: impl FnOnce() -> Result<Pin, ApplianceError>,
) -> Result<Made, DeskError> {
    let desk = Desk::open_for(data, setup_file.map(named_in).transpose()?.flatten(), ask_pin)?;
    let made = desk.back_up(to);
    desk.close()?;
    made
}

/// The organisation that the owner's file names.
fn named_in(file: &Path) -> Result<Option<Organisation>, ApplianceError> {
    let SetupFile { backup, mistakes, .. } = SetupFile::read(file)?;
    match mistakes.into_iter().next() {
        // Whoever names a file for its key is not to find out later that nothing is for that.
        Some(mistake) if backup.is_none() => Err(mistake.into()),
        _ => Ok(backup),
    }
}

impl Desk {
    fn back_up(&self, to: &Path) -> Result<Made, DeskError> {
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
        Ok(Made {
            generation: made.map_err(ApplianceError::from)?.generation().to_owned(),
            recipient: self.recipient.as_ref().map(|recipient| recipient.organisation.name()),
        })
    }
}
