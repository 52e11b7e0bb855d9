//! Moving the records from an old card in a reader to where this hub keeps its own, and at an open hub from its disk to a
//! larger one.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::disk::asked;
use super::{Life, State, blocking};
use crate::appliance::open::{by_passphrase, master_of};
use crate::appliance::stick_use::stays_with_hub;
use crate::appliance::vault_file::VaultFile;
use crate::appliance::{ApplianceError, Config};
use crate::keys::{MasterKey, Vault};
use crate::panel::{Fault, Notice, Phase, Question};
use crate::store::{Inventory, Store, StoreError, StoreKey};
use crate::system::data_disk::{DataDiskError, Move, Offer, Place};
use crate::system::sticks::{Access, Stick};

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
        } else if self.movable.goes_on {
            Question::GoOnMoving
        } else {
            Question::MoveData {
                bytes: self.movable.bytes,
            }
        }
    }
}

/// A larger disk that the records of an open hub can be moved to, as a person is asked about it.
pub(super) struct LargerDisk {
    master: Box<MasterKey>,
    /// Where they could go; the first is asked about.
    offers: Vec<Offer>,
    /// Whether they are to be moved; then the disks are asked about, one after the other.
    is_wanted: bool,
}

impl LargerDisk {
    /// What a person is asked.
    pub(super) fn question(&self) -> Question {
        match self.offers.first() {
            Some(offer) if self.is_wanted => asked(offer),
            _ => Question::LargerDisk,
        }
    }
}

/// The disks that could be it: none that holds a key or a backup of a hub, though these are disks with something else on them.
/// Blocking.
pub(super) fn larger_disks(config: &Config) -> Result<Vec<Offer>, ApplianceError> {
    let mut offers = config.disk.roomier()?;
    let sticks = config.sticks.look().unwrap_or_default();
    let ours = sticks
        .iter()
        .filter(|stick| stick.has_files && is_in_use(config, stick));
    let ours: Vec<u64> = ours.map(|stick| stick.token).collect();
    offers.retain(|offer| !ours.contains(&offer.disk()));
    Ok(offers)
}

/// Whether a key or a backup is on a stick, or may be.
fn is_in_use(config: &Config, stick: &Stick) -> bool {
    let opened = config.sticks.open(stick, Access::ReadOnly);
    // What has no files that this system can read holds none that it wrote.
    opened.is_ok_and(|mounted| stays_with_hub(mounted.path()))
}

/// What a person is to decide about a larger disk, if there is one. Blocking.
pub(super) fn find_larger_disk(config: &Config, master: MasterKey) -> Result<Option<LargerDisk>, ApplianceError> {
    let offers = larger_disks(config)?;
    Ok((!offers.is_empty()).then(|| LargerDisk {
        master: Box::new(master),
        offers,
        is_wanted: false,
    }))
}

impl Life {
    /// Takes what a person decided of a larger disk: the move, the disk, or another disk.
    pub(super) async fn answer_larger_disk(&mut self, yes: bool) -> Result<(), ApplianceError> {
        let Some(mut larger) = self.take_larger_disk() else {
            return Ok(());
        };
        match (yes, larger.is_wanted) {
            (true, false) => larger.is_wanted = true,
            (false, false) => larger.offers.clear(),
            (false, true) => drop(larger.offers.remove(0)),
            (true, true) => {
                let to = larger.offers.remove(0);
                let detail = json!({"to": to.name, "bytes": to.bytes}).to_string();
                self.audit("disk.move", detail, "begun").await;
                self.lock().await?;
                self.move_data(*larger.master, to.token).await;
                return Ok(());
            }
        }
        if !larger.offers.is_empty() {
            self.decide_larger_disk(larger);
        }
        Ok(())
    }

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

    /// Says that a disk can be taken out from which the records were moved, at each start for as long as it is plugged in:
    /// whoever stood by may have gone before the move was through.
    pub(super) async fn tell_of_old_disk(&mut self) {
        if !matches!(self.state, State::Locked) || self.notice.is_some() {
            return;
        }
        let disk = Arc::clone(&self.config.disk);
        match blocking(move || Ok(disk.left_behind()?)).await {
            Ok(left) => self.notice = left.map(|bytes| Notice::OldDisk { bytes }),
            // It is in nobody's way.
            Err(error) => tracing::warn!(%error, "whether there is an old disk is not known"),
        }
    }

    /// Takes what a person decided of it.
    pub(super) fn answer_move(&mut self, yes: bool) {
        let State::OfferingMove(mut offered) = std::mem::replace(&mut self.state, State::Locked) else {
            return;
        };
        // The disk that a move was begun to was allowed then.
        let asks_about_disk = offered.movable.to.place == Place::New && !offered.movable.goes_on;
        if yes && !offered.is_wanted && asks_about_disk {
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
    let disk = &config.disk;
    let folder = config.store_folder();
    by_passphrase(master, |passphrase| disk.open(passphrase))?;
    let original = contents(&folder, master, Inventory::take);
    disk.close()?;
    let original = original?;
    by_passphrase(master, |passphrase| disk.copy(passphrase, to, progress))?;
    by_passphrase(master, |passphrase| disk.open_copy(passphrase))?;
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
    let (_, vault) = VaultFile::open(folder, master)?;
    Ok((vault, take(folder, &master_of(folder, master).store_key())?))
}
