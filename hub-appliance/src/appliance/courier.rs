//! Carrying records by hand in the life of the box: whom the owner's file names, and what is done on a stick.

use std::fs;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::audit::AuditSeal;
use super::desk::{Desk, DeskError};
use super::{ApplianceError, Config};
use crate::keys::Pin;
use crate::relay::courier::{
    CourierError, Packed, Sender, Taken, answers_in, fingerprint, folder_of_hub, new_identity, pack, take_answer,
};
use crate::setup_file::{CourierSetup, SetupFile};
use crate::store::Store;

/// Another receiver, or another desk, than the hub knows: nothing of it counts before a person allowed it.
#[derive(Debug)]
pub(super) struct Offer(CourierSetup);

impl Offer {
    /// What a person can compare with what the office says: how the receiver's key ends.
    pub(super) fn ending(&self) -> String {
        let recipient = &self.0.recipient;
        recipient.chars().skip(recipient.len().saturating_sub(8)).collect()
    }
}

/// Takes `[courier]` of the owner's file in; one that says otherwise than before is offered to a person.
///
/// # Errors
/// What the store reports.
pub(super) fn take_in(config: &Config, store: &Store) -> Result<Option<Offer>, ApplianceError> {
    let file = config.setup_file.as_deref();
    let settled = file.and_then(|file| SetupFile::read(file).ok());
    let Some(setup) = settled.and_then(|settled| settled.courier) else {
        return Ok(None);
    };
    let known = store.read(|snapshot| snapshot.courier())?;
    if known.recipient.is_empty() {
        settle(store, setup)?;
        return Ok(None);
    }
    let is_same = known.recipient == setup.recipient && known.desk == setup.desk;
    Ok((!is_same).then_some(Offer(setup)))
}

/// Takes over what a person allowed.
///
/// # Errors
/// What the store reports.
pub(super) fn accept(store: &Store, Offer(setup): Offer) -> Result<(), ApplianceError> {
    settle(store, setup)
}

fn settle(store: &Store, setup: CourierSetup) -> Result<(), ApplianceError> {
    Ok(store.settle_courier(setup.recipient, setup.desk, new_identity())?)
}

/// The hub, as bundles name it.
#[derive(Debug)]
pub(super) struct OfHub {
    pub(super) id: String,
    pub(super) name: String,
}

impl OfHub {
    fn id(&self) -> Result<Uuid, CourierError> {
        self.id.parse().map_err(|_| CourierError::Key("hub id"))
    }

    /// What is compared of the hub's key when its first bundle is delivered.
    pub(super) fn fingerprint(seal: &AuditSeal) -> String {
        fingerprint(&seal.key().public())
    }
}

/// How far the work on a stick has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// An answer is read and taken in.
    Taking,
    /// So many rows are in the bundle.
    Packing(u64),
}

/// What was done on a stick.
#[derive(Debug, Default)]
pub(super) struct Exchanged {
    /// Rows that the cloud is known to have by it.
    pub(super) acknowledged: usize,
    /// Changes of the cloud's.
    pub(super) written: usize,
    /// Why an answer was not taken, if any was not; the bundle is there all the same.
    pub(super) not_taken: Option<CourierError>,
    /// The bundle's number, and the rows in it.
    pub(super) number: u64,
    pub(super) rows: u64,
}

/// Takes in what the office sent on the stick whose topmost folder is `top`, and packs what is to be sent. `tell` is told
/// how far that is, and says whether to go on. `is_relayed` says that the hub calls a cloud itself.
///
/// # Errors
/// [`CourierError`]: nothing was packed.
pub(super) fn exchange(
    store: &Store,
    hub: &OfHub,
    seal: &AuditSeal,
    is_relayed: bool,
    top: &Path,
    tell: &dyn Fn(Step) -> bool,
) -> Result<Exchanged, CourierError> {
    let sender = Sender {
        id: hub.id()?,
        name: &hub.name,
        key: seal.key(),
    };
    let folder = folder_of_hub(top, sender.id);
    let mut done = Exchanged::default();
    let mut passed: Vec<PathBuf> = Vec::new();
    for answer in answers_in(&folder)? {
        if !tell(Step::Taking) {
            return Err(CourierError::Stopped);
        }
        passed.push(answer.clone());
        match take_answer(store, &sender, &answer, is_relayed) {
            Ok(taken) => {
                let summary = taken.summary.unwrap_or_default();
                done.acknowledged += summary.acknowledged;
                done.written += summary.written;
                done.not_taken = None;
                // Those before it are of no more use either, damaged or not.
                for needless in passed.drain(..) {
                    if let Err(error) = fs::remove_file(needless) {
                        tracing::warn!(%error, "an answer that was taken is still on the stick");
                    }
                }
            }
            Err(error @ (CourierError::Store(_) | CourierError::NoDesk)) => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "an answer on the stick is not taken");
                done.not_taken = Some(error);
            }
        }
    }
    let packed = pack(store, &sender, &folder, &|rows| tell(Step::Packing(rows)))?;
    (done.number, done.rows) = (packed.number, packed.rows);
    Ok(done)
}

/// Packs a bundle on the stick whose topmost folder is `to`, of the hub whose data is in `data`, while no hub runs on it.
/// `setup_file` is the owner's; what it says of the courier counts from now on.
///
/// `ask_pin`: see [`Desk::open`].
///
/// # Errors
/// [`DeskError`].
pub fn export(
    data: &Path,
    to: &Path,
    setup_file: Option<&Path>,
    ask_pin: impl FnOnce() -> Result<Pin, ApplianceError>,
) -> Result<Packed, DeskError> {
    let desk = Desk::open(data, ask_pin)?;
    let packed = desk.pack(to, setup_file);
    desk.close()?;
    Ok(packed?)
}

/// Takes the answer in `file` in, into the hub whose data is in `data`, while no hub runs on it.
///
/// `ask_pin`: see [`Desk::open`].
///
/// # Errors
/// [`DeskError`].
pub fn take(
    data: &Path,
    file: &Path,
    ask_pin: impl FnOnce() -> Result<Pin, ApplianceError>,
) -> Result<Taken, DeskError> {
    let desk = Desk::open(data, ask_pin)?;
    let taken = desk.take(file);
    desk.close()?;
    Ok(taken?)
}

impl Desk {
    fn pack(&self, to: &Path, setup_file: Option<&Path>) -> Result<Packed, ApplianceError> {
        let setup = setup_file.map(SetupFile::read).transpose()?;
        if let Some(setup) = setup.and_then(|setup| setup.courier) {
            // Whoever typed the PIN has allowed it.
            settle(&self.store, setup)?;
        }
        let sender = self.sender()?;
        Ok(pack(&self.store, &sender, &folder_of_hub(to, sender.id), &|_| true)?)
    }

    fn take(&self, file: &Path) -> Result<Taken, ApplianceError> {
        Ok(take_answer(&self.store, &self.sender()?, file, self.is_relayed)?)
    }

    fn sender(&self) -> Result<Sender<'_>, ApplianceError> {
        Ok(Sender {
            id: self.hub.id()?,
            name: &self.hub.name,
            key: self.seal.key(),
        })
    }
}
