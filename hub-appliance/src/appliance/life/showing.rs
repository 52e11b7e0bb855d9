//! Tells the panel where the hub is.

use std::net::Ipv4Addr;

use super::{FREE_TRIES, Life, Serving, State, Tries};
use crate::appliance::{cloud, courier};
use crate::keys::{Organisation, RecoveryCode};
use crate::panel::{self, About, Language, OpenStatus, Phase, Question, Status};

impl Life {
    /// Shows where the hub is. A fault stays on the panel as it was shown when it happened.
    pub(super) fn show(&self) {
        let phase = match &self.state {
            State::SetUp => match self.first_way.question() {
                Some(question) => Phase::Asking(question),
                None => Phase::SetUp(self.first_way.shown()),
            },
            State::Choosing(offers) => Self::asking(offers),
            State::DiskAway { begins_anew: false } => Phase::Asking(Question::DiskAway),
            State::DiskAway { begins_anew: true } => Phase::Asking(Question::BeginAnew),
            State::WhichDisk { rivals, at } => Self::asking_which(rivals, *at),
            State::OfferingMove(offered) => Phase::Asking(offered.question()),
            State::Repairing(_) => Phase::Asking(Question::Repair),
            State::PuttingBack(_, before) => Phase::Asking(Question::PutBack {
                firmware: before.firmware.clone(),
            }),
            State::ChoosingPin(_) | State::RestorePin(..) => Phase::Renewing,
            State::OfferingRestore(offered) => Phase::Asking(offered.question()),
            State::RestoreCode(_) => Phase::RestoreCode,
            State::RestoreConfirming(_, prepared) => confirming(prepared.recovery()),
            State::Off => Phase::PoweringOff,
            State::Restarting => Phase::Restarting,
            State::Confirming(prepared) => confirming(prepared.recovery()),
            State::Renewing(_, code) => confirming(code),
            State::Locked => {
                let Tries { wait, failures, left } = self.tries();
                Phase::Locked {
                    wait,
                    failures,
                    tries_left: left,
                    lacks: self.lacks(),
                    fewest_digits: self.shown_ways().fewest_digits(),
                }
            }
            State::Open(serving) => Phase::Open(self.open_status(serving)),
            State::Fault => return,
        };
        self.show_phase(phase);
    }

    pub(super) fn tries(&self) -> Tries {
        let failures = self.keys.failures();
        Tries {
            wait: self.keys.wait_remaining(),
            failures,
            left: FREE_TRIES.saturating_sub(failures).max(1),
        }
    }

    pub(super) fn open_status(&self, serving: &Serving) -> OpenStatus {
        let status = serving.sources.look();
        let is_elsewhere = |known: &Ipv4Addr| status.address.is_some_and(|address| address.ip() != known);
        OpenStatus {
            previous_address: self.facts.address.filter(is_elsewhere),
            paired: serving.paired.front().cloned(),
            news: serving.news.front().copied(),
            pin_change: self.pin_change_status(serving),
            errand: self.errand_status(serving),
            ways: self.shown_ways(),
            offers_box: self.board_watch.is_offered(),
            emergency: self.emergency_status(serving),
            has_no_staff: !serving.has_staff,
            cloud: cloud::status(serving.relay.as_ref(), self.clock.peek()),
            backup: self.backup_status(),
            key_change: self.key_change(),
            other_cloud: serving.other_cloud.as_ref().map(cloud::Offer::host),
            usb: serving.courier.status(),
            other_office: serving.other_office.as_ref().map(courier::Offer::ending),
            other_organisation: serving.other_organisation.as_ref().map(Organisation::ending),
            withdrawn: serving.withdrawn().map(|offered| cloud::withdrawn(&offered)),
            ..status
        }
    }

    /// Shows how far something has come, from wherever that is done; `phase` makes the phase of it.
    pub(super) fn progress(&self, phase: fn(u16) -> Phase) -> impl Fn(u16) + Send + 'static {
        let (display, about, language) = (self.display.clone(), self.about(), self.language());
        let (numerals, notice, answered) = (self.config.numerals, self.notice.clone(), self.answered);
        move |permille| {
            display.set(Status {
                phase: phase(permille),
                about: about.clone(),
                language,
                numerals,
                notice: notice.clone(),
                answered,
            });
        }
    }

    pub(super) fn show_phase(&self, phase: Phase) {
        self.display.set(Status {
            phase,
            about: self.about(),
            language: self.language(),
            numerals: self.config.numerals,
            notice: self.notice.clone(),
            answered: self.answered,
        });
    }

    fn about(&self) -> About {
        let identity = match &self.state {
            State::Open(serving) => Some(serving.identity.clone()),
            _ => None,
        };
        About {
            identity,
            ..self.config.about()
        }
    }

    fn language(&self) -> Language {
        self.facts.language().unwrap_or(self.config.language)
    }
}

/// The recovery code as the panel shows it, and two groups by chance to be typed back.
fn confirming(code: &RecoveryCode) -> Phase {
    Phase::Confirming {
        ask: two_groups(),
        code: as_shown(code),
    }
}

/// A recovery code for the panel.
pub(super) fn as_shown(code: &RecoveryCode) -> panel::RecoveryCode {
    let groups = code.groups();
    let numbers = std::array::from_fn(|index| RecoveryCode::parse_group(groups[index].expose()).unwrap_or(0));
    panel::RecoveryCode::new(numbers)
}

/// Two different groups, by chance. Without a random source they are always the same two, which asks no less.
pub(super) fn two_groups() -> [usize; 2] {
    let chance = usize::try_from(getrandom::u32().unwrap_or(0)).unwrap_or(0);
    let first = chance % panel::RecoveryCode::GROUPS;
    let step = 1 + (chance / panel::RecoveryCode::GROUPS) % (panel::RecoveryCode::GROUPS - 1);
    [first, (first + step) % panel::RecoveryCode::GROUPS]
}
