//! Moving the records from an old card in a reader to where this hub keeps its own.

use std::sync::Arc;

use super::{Life, State, blocking};
use crate::appliance::{ApplianceError, Config};
use crate::keys::MasterKey;
use crate::panel::{Fault, Phase};
use crate::store::{Inventory, Store};
use crate::system::data_disk::DataDiskError;

impl Life {
    /// Asks a person whether the records are to be moved, if they can be.
    pub(super) async fn offer_move(&mut self) {
        let disk = Arc::clone(&self.config.disk);
        match blocking(move || Ok(disk.movable()?)).await {
            Ok(Some(offer)) if matches!(self.state, State::Locked) => self.state = State::OfferingMove(offer),
            Ok(_) => {}
            // The records can be used where they are.
            Err(error) => tracing::warn!(%error, "whether the records can be moved is not known"),
        }
    }

    /// Moves the records; the hub then starts anew with them where they are.
    pub(super) async fn move_data(&mut self, master: MasterKey) {
        let progress = self.progress(|permille| Phase::Moving { permille });
        progress(0);
        let config = Arc::clone(&self.config);
        match blocking(move || move_all(&config, &master, &progress)).await {
            Ok(()) => {
                self.state = State::Fault;
                self.starts_anew = true;
            }
            Err(error) => {
                tracing::error!(%error, "the records were not moved");
                let no_room = matches!(error, ApplianceError::DataDisk(DataDiskError::NoRoom));
                self.stop(if no_room { Fault::NoRoom } else { Fault::NotMoved });
            }
        }
    }
}

/// Copies, compares, and only then changes what is the original. Blocking.
fn move_all(config: &Config, master: &MasterKey, progress: &dyn Fn(u16)) -> Result<(), ApplianceError> {
    let (disk, passphrase) = (&config.disk, master.luks_passphrase());
    let (folder, key) = (config.store_folder(), master.store_key());
    disk.open(&passphrase)?;
    let original = Inventory::take(&folder, &key);
    disk.close()?;
    disk.copy(&passphrase, progress)?;
    disk.open_copy(&passphrase)?;
    let is_same = original.and_then(|original| Ok(Inventory::take_checked(&folder, &key)? == original));
    if !matches!(is_same, Ok(true)) {
        // The next try is not to go on with this.
        Store::discard(&folder)?;
    }
    disk.close()?;
    if is_same? {
        Ok(disk.finish_move()?)
    } else {
        Err(ApplianceError::CopyDiffers)
    }
}
