//! Moving the records from an old card in a reader to where this hub keeps its own.

use std::path::Path;
use std::sync::Arc;

use super::disk::asked;
use super::{Life, State, blocking};
use crate::appliance::open::vault_path;
use crate::appliance::{ApplianceError, Config};
use crate::keys::{MasterKey, Vault, VaultError};
use crate::panel::{Fault, Phase, Question};
use crate::store::{Inventory, Store, StoreError, StoreKey};
use crate::system::data_disk::{DataDiskError, Move, Place};

/// Records that can be moved, as a person is asked about them.
pub(super) struct OfferedMove {
    movable: Move,
    /// Whether they are to be moved; then only the disk that they go to is to be allowed.
    is_wanted: bool,
}

impl OfferedMove {
    /// What a person is asked.
    pub(super) fn question(&self) -> Question {
        if self.is_wanted {
            asked(&self.movable.to)
        } else {
            Question::MoveData {
                bytes: self.movable.bytes,
            }
        }
    }
}

impl Life {
    /// Asks a person whether the records are to be moved, if they can be.
    pub(super) async fn offer_move(&mut self) {
        let disk = Arc::clone(&self.config.disk);
        match blocking(move || Ok(disk.movable()?)).await {
            Ok(Some(movable)) if matches!(self.state, State::Locked) => {
                self.state = State::OfferingMove(OfferedMove {
                    movable,
                    is_wanted: false,
                });
            }
            Ok(_) => {}
            // The records can be used where they are.
            Err(error) => tracing::warn!(%error, "whether the records can be moved is not known"),
        }
    }

    /// Takes what a person decided of it.
    pub(super) fn answer_move(&mut self, yes: bool) {
        let State::OfferingMove(mut offered) = std::mem::replace(&mut self.state, State::Locked) else {
            return;
        };
        if yes && !offered.is_wanted && offered.movable.to.place == Place::New {
            offered.is_wanted = true;
            self.state = State::OfferingMove(offered);
        } else if yes {
            self.moves = Some(offered.movable.to.token);
        }
    }

    /// Moves the records to the place with this token; the hub then starts anew with them where they are.
    pub(super) async fn move_data(&mut self, master: MasterKey, to: u64) {
        if self.is_unfit_for_writing() {
            self.stop(Fault::WeakPower);
            return;
        }
        let progress = self.progress(|permille| Phase::Moving { permille });
        progress(0);
        let config = Arc::clone(&self.config);
        match blocking(move || move_all(&config, &master, to, &progress)).await {
            Ok(()) => {
                self.state = State::Fault;
                self.starts_anew = true;
            }
            Err(error) => {
                tracing::error!(%error, "the records were not moved");
                self.stop(match error {
                    ApplianceError::DataDisk(DataDiskError::NoRoom) => Fault::NoRoom,
                    ApplianceError::DataDisk(DataDiskError::Fake) => Fault::FakeDisk,
                    _ => Fault::NotMoved,
                });
            }
        }
    }
}

/// Copies, compares, and only then changes what is the original. Blocking.
fn move_all(config: &Config, master: &MasterKey, to: u64, progress: &dyn Fn(u16)) -> Result<(), ApplianceError> {
    let (disk, passphrase) = (&config.disk, master.luks_passphrase());
    let folder = config.store_folder();
    disk.open(&passphrase)?;
    let original = contents(&folder, master, Inventory::take);
    disk.close()?;
    let original = original?;
    disk.copy(&passphrase, to, progress)?;
    disk.open_copy(&passphrase)?;
    let is_same = contents(&folder, master, Inventory::take_checked).map(|copy| copy == original);
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

/// What is in a store's folder: the vault, opened by its key, and the records in figures. Where set-up was cut short there
/// may be no vault.
fn contents(
    folder: &Path,
    master: &MasterKey,
    take: fn(&Path, &StoreKey) -> Result<Inventory, StoreError>,
) -> Result<(Option<Vault>, Inventory), ApplianceError> {
    let vault = match Vault::load(&vault_path(folder), &master.vault_key()) {
        Err(VaultError::Missing) => None,
        vault => Some(vault?),
    };
    Ok((vault, take(folder, &master.store_key())?))
}
