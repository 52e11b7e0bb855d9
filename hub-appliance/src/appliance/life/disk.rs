//! The data disk in the life of the box: what there is at the start, what a person allows, and what goes missing.

use std::sync::Arc;

use super::{Life, State, blocking};
use crate::appliance::ApplianceError;
use crate::panel::{Fault, Phase, Question};
use crate::system::data_disk::{DiskState, Offer, Place};

impl Life {
    /// Without a disk to set up or to unlock there is nothing to ask a person for, and with the disk of a newer firmware
    /// neither.
    pub(super) async fn take_stock(&mut self) {
        match self.disk_state().await {
            Ok(state) if state.is_usable() => {
                if let Some(needs) = self.facts.needed() {
                    let needs = needs.to_owned();
                    self.stop(Fault::NewerStore { needs });
                } else if state == DiskState::Closed {
                    self.offer_move().await;
                }
            }
            Ok(DiskState::Foreign) => self.ask_for_a_disk().await,
            Ok(state) => self.wait_for_disk(state),
            Err(error) => self.fail(&error),
        }
    }

    async fn disk_state(&self) -> Result<DiskState, ApplianceError> {
        let disk = Arc::clone(&self.config.disk);
        blocking(move || Ok(disk.state()?)).await
    }

    async fn ask_for_a_disk(&mut self) {
        self.waits_for_disk = Some(DiskState::Foreign);
        let disk = Arc::clone(&self.config.disk);
        match blocking(move || Ok(disk.offers()?)).await {
            Ok(offers) if !offers.is_empty() => self.state = State::Choosing(offers),
            Ok(_) => self.stop(Fault::DiskKept),
            Err(error) => self.fail(&error),
        }
    }

    fn wait_for_disk(&mut self, state: DiskState) {
        self.waits_for_disk = Some(state);
        self.stop(match state {
            DiskState::Missing => Fault::NoDisk,
            DiskState::Several => Fault::SeveralDisks,
            DiskState::Gone => Fault::DiskGone,
            DiskState::SystemGone => Fault::CardGone,
            _ => Fault::Disk,
        });
    }

    /// Takes what a person decided, if it still is what is asked.
    pub(super) async fn answer(&mut self, question: &Question, yes: bool) {
        match &self.state {
            State::PuttingBack(..) if matches!(question, Question::PutBack { .. }) => self.put_back(yes).await,
            State::OfferingMove(_) if matches!(question, Question::MoveData { .. }) => {
                self.moves = yes;
                self.state = State::Locked;
            }
            State::Choosing(offers) if offers.first().map(asked).as_ref() == Some(question) => self.choose(yes),
            _ => {}
        }
    }

    fn choose(&mut self, yes: bool) {
        let State::Choosing(mut offers) = std::mem::replace(&mut self.state, State::SetUp) else {
            return;
        };
        let offer = offers.remove(0);
        if yes {
            self.allowed = Some(offer.token);
            self.waits_for_disk = None;
        } else if offers.is_empty() {
            self.stop(Fault::DiskKept);
        } else {
            self.state = State::Choosing(offers);
        }
    }

    /// Looks after the disk. Whether the hub is to end, so that it starts anew with the disk that is there by now.
    pub(super) async fn watch_disk(&mut self) -> Result<bool, ApplianceError> {
        if self.starts_anew {
            return Ok(true);
        }
        if !matches!(self.state, State::Locked | State::Open(_)) && self.waits_for_disk.is_none() {
            return Ok(false);
        }
        let state = match self.disk_state().await {
            Ok(state) => state,
            Err(error) => {
                tracing::warn!(%error, "the data disk can't be watched");
                return Ok(false);
            }
        };
        match (state, self.waits_for_disk) {
            (DiskState::SystemGone, _) => {
                self.disk_gone(state).await?;
                // What runs can't go on from a card that is put back.
                self.waits_for_disk = None;
            }
            (_, Some(waited)) => return Ok(state != waited),
            (DiskState::Gone, None) => {
                self.disk_gone(state).await?;
                // From here on the disk is one that is not there.
                self.waits_for_disk = Some(DiskState::Missing);
            }
            _ => {}
        }
        Ok(false)
    }

    /// Locks a hub whose data disk was pulled out, or whose card was, and says so.
    async fn disk_gone(&mut self, state: DiskState) -> Result<(), ApplianceError> {
        tracing::error!(%state, "pulled out");
        self.lock().await?;
        let disk = Arc::clone(&self.config.disk);
        blocking(move || Ok(disk.close()?)).await?;
        self.wait_for_disk(state);
        Ok(())
    }

    pub(super) fn asking(offers: &[Offer]) -> Phase {
        offers
            .first()
            .map_or(Phase::Fault(Fault::DiskKept), |offer| Phase::Asking(asked(offer)))
    }
}

/// What a person is asked about an offer.
fn asked(offer: &Offer) -> Question {
    match offer.place {
        Place::Disk => Question::EraseDisk {
            name: offer.name.clone(),
            bytes: offer.bytes,
        },
        Place::Card => Question::UseCard { bytes: offer.bytes },
    }
}
