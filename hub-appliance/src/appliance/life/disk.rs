//! The data disk in the life of the box: what there is at the start, what a person allows, and what goes missing.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{Life, State, blocking};
use crate::appliance::ApplianceError;
use crate::panel::{Fault, KnownDisk, Phase, Question};
use crate::system::data_disk::{DataDiskError, DiskState, Offer, Place, Rival};

/// A look at the disk that is being taken.
pub(super) type Look = oneshot::Receiver<Result<DiskState, DataDiskError>>;

/// Waits until a look was taken; where none is being taken, for ever.
pub(super) async fn taken(look: &mut Option<Look>) -> Result<DiskState, DataDiskError> {
    let Some(being_taken) = look else {
        return std::future::pending().await;
    };
    let seen = being_taken.await;
    *look = None;
    seen.unwrap_or(Err(DataDiskError::Service))
}

impl Life {
    /// Without a disk to set up or to unlock there is nothing to ask a person for, and with the disk of a newer firmware
    /// neither.
    pub(super) async fn take_stock(&mut self) {
        let disk = Arc::clone(&self.config.disk);
        match blocking(move || Ok(disk.state()?)).await {
            Ok(DiskState::Closed | DiskState::Open) if self.facts.needed().is_some() => {
                let needs = self.facts.needed().map(str::to_owned);
                self.stop(Fault::NewerStore { needs });
            }
            // Whoever was asked for a new PIN here would throw away the paper that opens the records.
            Ok(DiskState::Closed) if matches!(self.state, State::SetUp) => self.wait_at(DiskState::Closed, Fault::Keys),
            Ok(DiskState::Closed) => {
                self.offer_move().await;
                self.tell_of_old_disk().await;
            }
            Ok(DiskState::Open) => {}
            Ok(DiskState::Away) => self.disk_is_away(false),
            Ok(DiskState::Several) => self.ask_which_disk().await,
            Ok(state @ (DiskState::Blank | DiskState::Foreign)) => self.ask_for_a_disk(state).await,
            Ok(state) => self.wait_for_disk(state),
            Err(error) => self.fail(&error),
        }
    }

    async fn ask_for_a_disk(&mut self, state: DiskState) {
        self.waits_for_disk = Some(state);
        let disk = Arc::clone(&self.config.disk);
        match blocking(move || Ok(disk.offers()?)).await {
            Ok(offers) if !offers.is_empty() => self.state = State::Choosing(offers),
            Ok(_) if state == DiskState::Away => self.stop(Fault::NoDisk),
            Ok(_) => self.stop(Fault::DiskKept),
            Err(error) => self.fail(&error),
        }
    }

    /// Says how it is with the disk, and goes on when it is otherwise.
    pub(super) fn wait_for_disk(&mut self, state: DiskState) {
        let fault = match state {
            DiskState::Missing => Fault::NoDisk,
            DiskState::Away => return self.disk_is_away(false),
            DiskState::Several => Fault::SeveralDisks,
            DiskState::Gone => Fault::DiskGone,
            DiskState::SystemGone => Fault::CardGone,
            DiskState::Damaged => Fault::Damaged,
            DiskState::Unreadable => Fault::Unreadable,
            DiskState::WriteProtected => Fault::WriteProtected,
            DiskState::Moved => Fault::Moved,
            DiskState::Remains => Fault::OldRecords,
            // With this the hub begins anew: it is not what it was when the hub looked before.
            DiskState::Blank | DiskState::Foreign | DiskState::Unmounted | DiskState::Closed | DiskState::Open => {
                self.gate.lock();
                self.state = State::Fault;
                self.starts_anew = true;
                return;
            }
        };
        self.wait_at(state, fault);
    }

    /// Nobody is asked for another place before the disk that the records are on was asked for.
    fn disk_is_away(&mut self, begins_anew: bool) {
        self.waits_for_disk = Some(DiskState::Away);
        self.gate.lock();
        self.state = State::DiskAway { begins_anew };
        self.show();
    }

    /// Has a person choose one of several data disks, where that can be chosen.
    async fn ask_which_disk(&mut self) {
        let disk = Arc::clone(&self.config.disk);
        match blocking(move || Ok(disk.rivals()?)).await {
            Ok(rivals) if !rivals.is_empty() => {
                self.waits_for_disk = Some(DiskState::Several);
                self.gate.lock();
                self.state = State::WhichDisk { rivals, at: 0 };
                self.show();
            }
            Ok(_) => self.wait_for_disk(DiskState::Several),
            Err(error) => self.fail(&error),
        }
    }

    /// Takes what a person decided about the disk at this place: it is the one, or the next is asked about.
    async fn answer_which(&mut self, yes: bool) {
        let State::WhichDisk { rivals, at } = &mut self.state else {
            return;
        };
        if !yes {
            *at = (*at + 1) % rivals.len().max(1);
            return;
        }
        let Some(token) = rivals.get(*at).map(|rival| rival.token) else {
            return;
        };
        let disk = Arc::clone(&self.config.disk);
        match blocking(move || Ok(disk.choose(token)?)).await {
            Ok(()) => {
                tracing::info!("of several data disks a person chose one");
                self.state = State::Fault;
                self.show_phase(Phase::Starting);
                self.starts_anew = true;
            }
            Err(error) => {
                tracing::error!(%error, "the disk that a person chose is not the data disk");
                self.ask_which_disk().await;
            }
        }
    }

    /// What a person is asked about the disk at this place.
    fn which(rivals: &[Rival], at: usize) -> Option<Question> {
        let rival = rivals.get(at)?;
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Some(Question::WhichDisk(KnownDisk {
            place: (count(at).saturating_add(1), count(rivals.len())),
            hub: rival.hub.clone(),
            phones: rival.phones,
            used_at: rival.used_at,
            is_card: rival.is_card,
            bytes: rival.bytes,
        }))
    }

    pub(super) fn asking_which(rivals: &[Rival], at: usize) -> Phase {
        Self::which(rivals, at).map_or(Phase::Fault(Fault::SeveralDisks), Phase::Asking)
    }

    fn wait_at(&mut self, state: DiskState, fault: Fault) {
        self.waits_for_disk = Some(state);
        self.stop(fault);
    }

    /// Takes what a person decided, if it still is what is asked.
    pub(super) async fn answer(&mut self, question: &Question, yes: bool) -> Result<(), ApplianceError> {
        match &self.state {
            State::Open(serving) if Self::larger_disk_question(serving).as_ref() == Some(question) => {
                self.answer_larger_disk(yes).await?;
            }
            State::Open(serving)
                if matches!(question, Question::OtherCloud { .. }) && serving.other_cloud.is_some() =>
            {
                self.answer_cloud(yes);
            }
            State::Open(serving)
                if matches!(question, Question::OtherOrganisation { .. }) && serving.other_organisation.is_some() =>
            {
                self.answer_organisation(yes);
            }
            State::Open(serving)
                if matches!(question, Question::OtherOffice { .. }) && serving.other_office.is_some() =>
            {
                self.answer_office(yes);
            }
            State::Open(_) if self.board_key_question().as_ref() == Some(question) => self.answer_board_key(yes),
            State::Open(_) if *question == Question::NewBox => self.answer_new_box(yes),
            State::Open(_) if let Question::Withdrawn { clinic, .. } = question => self.answer_withdrawn(clinic, yes),
            State::SetUp if self.first_way.question().as_ref() == Some(question) => {
                self.answer_first_board_key(yes).await;
            }
            State::DiskAway { begins_anew: false } if *question == Question::DiskAway => self.disk_is_away(yes),
            State::DiskAway { begins_anew: true } if *question == Question::BeginAnew && yes => {
                self.state = State::SetUp;
                self.ask_for_a_disk(DiskState::Away).await;
            }
            State::DiskAway { begins_anew: true } if *question == Question::BeginAnew => self.disk_is_away(false),
            State::WhichDisk { rivals, at } if Self::which(rivals, *at).as_ref() == Some(question) => {
                self.answer_which(yes).await;
            }
            State::Repairing(_) if *question == Question::Repair => self.repair(yes).await,
            State::PuttingBack(..) if matches!(question, Question::PutBack { .. }) => self.put_back(yes).await,
            State::OfferingRestore(offered) if *question == offered.question() => self.answer_restore(yes),
            State::OfferingMove(offered) if *question == offered.question() => self.answer_move(yes),
            State::Choosing(offers) if offers.first().map(asked).as_ref() == Some(question) => self.choose(yes),
            _ => {}
        }
        Ok(())
    }

    fn choose(&mut self, yes: bool) {
        let State::Choosing(mut offers) = std::mem::replace(&mut self.state, State::SetUp) else {
            return;
        };
        let offer = offers.remove(0);
        if yes {
            self.allowed = Some(offer.token);
            self.waits_for_disk = None;
        } else if !offers.is_empty() {
            self.state = State::Choosing(offers);
        } else if self.waits_for_disk == Some(DiskState::Away) {
            self.disk_is_away(false);
        } else if offer.place == Place::Card {
            // There is no disk that could be kept as it is.
            self.stop(Fault::NoDisk);
        } else {
            self.stop(Fault::DiskKept);
        }
    }

    /// Says why the disk that a person allowed was not made the data disk. Where that is the disk's fault, another one in its
    /// place is asked about.
    pub(super) async fn not_made(&mut self, error: &ApplianceError) {
        self.fail(error);
        if matches!(error, ApplianceError::DataDisk(DataDiskError::Fake)) {
            let disk = Arc::clone(&self.config.disk);
            self.waits_for_disk = blocking(move || Ok(disk.state()?)).await.ok();
        }
    }

    /// Begins a look at the disk, if there is reason for one. It may take long where another disk fails, and nobody waits
    /// for it.
    pub(super) fn look_at_disk(&self) -> Option<Look> {
        if !matches!(self.state, State::Locked | State::Open(_)) && self.waits_for_disk.is_none() {
            return None;
        }
        let disk = Arc::clone(&self.config.disk);
        let (sender, look) = oneshot::channel();
        // A thread of its own, which does not keep the process from ending.
        std::thread::spawn(move || {
            // A life that has ended needs no answer.
            let _ = sender.send(disk.state());
        });
        Some(look)
    }

    /// Takes what was seen of the disk. Whether the hub is to end, so that it starts anew with the disk that is there by now.
    pub(super) async fn saw_disk(&mut self, seen: Result<DiskState, DataDiskError>) -> Result<bool, ApplianceError> {
        let state = match seen {
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
            // It became so while somebody unlocked.
            (DiskState::Several, Some(DiskState::Several)) if matches!(self.state, State::Fault) => {
                self.ask_which_disk().await;
            }
            (_, Some(waited)) => return Ok(is_another(state, waited)),
            (DiskState::Gone, None) => {
                self.disk_gone(state).await?;
                // From here on the disk is one that is not there.
                self.waits_for_disk = Some(DiskState::Missing);
            }
            // It could not be unlocked beside another.
            (DiskState::Several, None) if matches!(self.state, State::Locked) => self.ask_which_disk().await,
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

/// Whether the hub has to begin anew with the disk as it is now. That the card knows of the one that is not there, the hub
/// may not have been told yet.
fn is_another(state: DiskState, waited: DiskState) -> bool {
    let is_absent = |state| matches!(state, DiskState::Missing | DiskState::Away);
    state != waited && !(is_absent(state) && is_absent(waited))
}

/// What a person is asked about an offer.
pub(super) fn asked(offer: &Offer) -> Question {
    let (name, bytes) = (offer.name.clone(), offer.bytes);
    match offer.place {
        Place::New => Question::NewDisk { name, bytes },
        Place::Disk => Question::EraseDisk { name, bytes },
        Place::Card => Question::UseCard { bytes },
    }
}
