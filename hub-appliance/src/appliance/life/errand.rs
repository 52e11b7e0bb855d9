//! What takes the PIN at an open hub, beside changing it: a file of staff, a new recovery code. Who stands at the box has to
//! know the PIN, which counts as an attempt; the permission is for one errand, and ends when nobody goes on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use super::emergency::open_emergency;
use super::log::audit;
use super::moving::{LargerDisk, find_larger_disk};
use super::pin_change::Tried;
use super::showing::as_shown;
use super::{Life, Serving, State, Tries};
use crate::appliance::built_at;
use crate::appliance::staff::{self, Found};
use crate::clock::{ClockSource, HubTime, SetClockError};
use crate::keys::{InHand, KeysError, MasterKey, Pin, RecoveryCode, Way};
use crate::panel::{Errand, ErrandEnd, ErrandStep, Question, Unlocking};
use crate::secret::SecretText;
use crate::system::ntp::BELIEVED_MS;

/// How long an errand may be left alone once the PIN was right; writing the code down takes longest.
const PERMIT: Duration = Duration::from_secs(20 * 60);

/// How far it has come.
pub(super) enum Stage {
    Asking,
    Checking,
    AtWork,
    /// The date and time are being set.
    Clock,
    /// A person decides about a larger disk.
    LargerDisk(LargerDisk),
    /// A person decides whether the board gets a key, for ever.
    BoardKey {
        master: Box<MasterKey>,
        pin: Pin,
        /// Whether that was decided once already.
        again: bool,
    },
    /// The file of staff was read.
    Staff(Box<Found>),
    /// The new code is to be written down; the old one is good until then.
    Code {
        master: Box<MasterKey>,
        code: RecoveryCode,
        ask: [usize; 2],
    },
    Ended(ErrandEnd),
}

/// An errand that somebody is on.
pub(super) struct OnErrand {
    errand: Errand,
    stage: Stage,
    since: Instant,
    /// From when the PIN is tried to the end of what it allows.
    in_hand: Option<InHand>,
}

impl OnErrand {
    pub(super) const fn stage(&self) -> &Stage {
        &self.stage
    }

    /// How far it had come; the hub is at work from now on.
    pub(super) fn take_stage(&mut self) -> Stage {
        std::mem::replace(&mut self.stage, Stage::AtWork)
    }
}

impl Life {
    pub(super) fn begin_errand(&mut self, errand: Errand) {
        if let State::Open(serving) = &mut self.state {
            // Nobody is asked for a PIN for what there is no need of.
            let is_known = errand == Errand::Clock && self.clock.source() == ClockSource::System;
            serving.errand = Some(OnErrand {
                errand,
                stage: if is_known {
                    Stage::Ended(ErrandEnd::ClockKnown)
                } else {
                    Stage::Asking
                },
                since: Instant::now(),
                in_hand: None,
            });
        }
    }

    pub(super) fn end_errand(&mut self) {
        if let State::Open(serving) = &mut self.state {
            serving.errand = None;
        }
    }

    /// Ends an errand that nobody went on with.
    pub(super) fn expire_errand(&mut self) {
        let is_over =
            |on: &OnErrand| !matches!(on.stage, Stage::AtWork | Stage::Checking) && on.since.elapsed() >= PERMIT;
        if let State::Open(serving) = &mut self.state
            && serving.errand.as_ref().is_some_and(is_over)
        {
            serving.errand = None;
            self.show();
        }
    }

    /// Whether the PIN that is typed now is for an errand.
    pub(super) fn errand_asks(&self) -> bool {
        let asks = |on: &OnErrand| matches!(on.stage, Stage::Asking);
        matches!(&self.state, State::Open(serving) if serving.errand.as_ref().is_some_and(asks))
    }

    pub(super) fn check_errand_pin(&mut self, pin: SecretText) {
        self.errand_is(Stage::Checking);
        self.show();
        let typed = pin.clone();
        self.try_pin(pin, move |life, tried| {
            let stage = match tried {
                Tried::Wrong => Stage::Asking,
                Tried::Lacks if life.ways().contains(&Way::PinAndBoard) => Stage::Ended(ErrandEnd::BoxFailed),
                Tried::Lacks => Stage::Ended(ErrandEnd::NoStick),
                Tried::Failed => Stage::Ended(ErrandEnd::Failed),
                Tried::Right(master) => {
                    life.errand_is(Stage::AtWork);
                    life.show();
                    return match (life.errand_wish(), Pin::parse(typed.expose())) {
                        (Some(wish), Ok(pin)) => life.go_on_with_way(wish, pin, master),
                        _ => life.go_on(master),
                    };
                }
            };
            life.errand_is(stage);
        });
    }

    /// What comes after the PIN.
    fn go_on(&mut self, master: MasterKey) {
        let State::Open(serving) = &self.state else { return };
        let (config, store) = (Arc::clone(&self.config), Arc::clone(&serving.sources.store));
        let stage = match serving.errand.as_ref().map(|on| on.errand) {
            Some(Errand::Staff) => {
                let has_cloud = serving.relay.is_some();
                return self.work_for_errand(move || match staff::find(&config, &store, has_cloud) {
                    Ok(Ok(found)) => Stage::Staff(Box::new(found)),
                    Ok(Err(end)) => Stage::Ended(end),
                    Err(error) => failed(&error),
                });
            }
            Some(Errand::NewCode) => match RecoveryCode::generate().map_err(KeysError::from) {
                Ok(code) => Stage::Code {
                    master: Box::new(master),
                    code,
                    ask: super::showing::two_groups(),
                },
                Err(error) => failed(&error.into()),
            },
            Some(Errand::Emergency) => {
                let access = Arc::clone(&serving.emergency);
                return self.work_for_errand(move || match open_emergency(&store, &access) {
                    Ok(()) => Stage::Ended(ErrandEnd::EmergencyOpen),
                    Err(error) => failed(&error),
                });
            }
            Some(Errand::Clock) => Stage::Clock,
            Some(Errand::LargerDisk) => {
                return self.work_for_errand(move || match find_larger_disk(&config, master) {
                    Ok(Some(larger)) => Stage::LargerDisk(larger),
                    Ok(None) => Stage::Ended(ErrandEnd::NoLargerDisk),
                    Err(error) => failed(&error),
                });
            }
            Some(Errand::BackupStick(token)) => {
                self.choose_backup_stick(token);
                Stage::Ended(ErrandEnd::BackupStick)
            }
            Some(Errand::Unlocking(_)) | None => Stage::Ended(ErrandEnd::Failed),
        };
        self.errand_is(stage);
    }

    /// How the hub is to be unlocked, if that is the errand.
    pub(super) fn errand_wish(&self) -> Option<Unlocking> {
        let State::Open(serving) = &self.state else {
            return None;
        };
        match serving.errand.as_ref()?.errand {
            Errand::Unlocking(wish) => Some(wish),
            _ => None,
        }
    }

    /// A person wants the staff to be as in the file.
    pub(super) fn take_staff(&mut self) {
        let Some(Stage::Staff(found)) = self.errand_goes_to_work() else {
            return;
        };
        self.show();
        let State::Open(serving) = &self.state else { return };
        let (config, store) = (Arc::clone(&self.config), Arc::clone(&serving.sources.store));
        let take = move || match staff::take(&config, &store, *found) {
            Ok(end) => Stage::Ended(end),
            Err(error) => failed(&error),
        };
        self.begin_work(take, |life, stage| {
            life.look_for_staff();
            life.errand_is(stage);
        });
    }

    /// The new code is on paper: from now on it is the one.
    pub(super) fn code_is_written(&mut self) {
        let Some(Stage::Code { master, code, .. }) = self.errand_goes_to_work() else {
            return;
        };
        self.show();
        let State::Open(serving) = &self.state else { return };
        let (keys, clock) = (Arc::clone(&self.keys), Arc::clone(&self.clock));
        let store = Arc::clone(&serving.sources.store);
        let change = move || {
            keys.change_recovery(&master, &code, clock.now())?;
            audit(&store, "recovery.change", "ok");
            Ok(master)
        };
        self.begin_work(change, |life, changed: Result<_, KeysError>| {
            let stage = match changed {
                Ok(master) => {
                    life.rotate(*master);
                    // What is on the backup stick opens with the old one.
                    life.back_up_now();
                    Stage::Ended(ErrandEnd::CodeRenewed)
                }
                Err(error) => failed(&error.into()),
            };
            life.errand_is(stage);
        });
    }

    /// Sets the clock by hand, forward, and writes that down under the new time.
    pub(super) async fn set_clock(&mut self, to: i64) {
        let Some(Stage::Clock) = self.errand_goes_to_work() else {
            return;
        };
        let before = self.clock.peek();
        let is_believed = to <= built_at().millis().saturating_add(BELIEVED_MS);
        let set = if is_believed {
            self.clock.set(HubTime::from_millis(to))
        } else {
            Err(SetClockError::Back)
        };
        let end = match set {
            Ok(()) => {
                tracing::info!("the clock was set by hand");
                let detail = json!({"from": before.millis(), "to": to}).to_string();
                self.audit("clock.set", detail, "ok").await;
                self.note_facts();
                ErrandEnd::ClockSet
            }
            Err(SetClockError::Known) => ErrandEnd::ClockKnown,
            Err(SetClockError::Back) => ErrandEnd::ClockBack,
        };
        self.errand_is(Stage::Ended(end));
    }

    pub(super) fn errand_status(&self, serving: &Serving) -> Option<(Errand, ErrandStep)> {
        let OnErrand { errand, stage, .. } = serving.errand.as_ref()?;
        let step = match stage {
            Stage::Asking => {
                let Tries { wait, left, .. } = self.tries();
                ErrandStep::Ask { wait, tries_left: left }
            }
            Stage::Checking => ErrandStep::Checking,
            Stage::AtWork => ErrandStep::AtWork,
            Stage::LargerDisk(larger) => ErrandStep::Decide(larger.question()),
            Stage::BoardKey { again, .. } => ErrandStep::Decide(Question::BoxKey { again: *again }),
            Stage::Clock => ErrandStep::Clock(self.clock.peek().millis()),
            Stage::Staff(found) => ErrandStep::Staff(found.figures()),
            Stage::Code { code, ask, .. } => ErrandStep::Code {
                code: as_shown(code),
                ask: *ask,
            },
            Stage::Ended(end) => ErrandStep::Ended(end.clone()),
        };
        Some((*errand, step))
    }

    /// Looks whether anybody can log in by now.
    pub(super) fn look_for_staff(&mut self) {
        if let State::Open(serving) = &mut self.state {
            serving.has_staff = serving.sources.store.has_staff().unwrap_or(true);
        }
    }

    /// What stood there, where something did that can be worked on.
    fn errand_goes_to_work(&mut self) -> Option<Stage> {
        let State::Open(serving) = &mut self.state else {
            return None;
        };
        let on = serving.errand.as_mut()?;
        matches!(on.stage, Stage::Staff(_) | Stage::Code { .. } | Stage::Clock)
            .then(|| std::mem::replace(&mut on.stage, Stage::AtWork))
    }

    /// Ends the errand about a larger disk, and gives what was to be decided, if that is the errand.
    pub(super) fn take_larger_disk(&mut self) -> Option<LargerDisk> {
        let State::Open(serving) = &mut self.state else {
            return None;
        };
        match serving.errand.take()? {
            OnErrand {
                stage: Stage::LargerDisk(larger),
                ..
            } => Some(larger),
            other => {
                serving.errand = Some(other);
                None
            }
        }
    }

    /// Has a person decide about a larger disk.
    pub(super) fn decide_larger_disk(&mut self, larger: LargerDisk) {
        if let State::Open(serving) = &mut self.state {
            serving.errand = Some(OnErrand {
                errand: Errand::LargerDisk,
                stage: Stage::LargerDisk(larger),
                since: Instant::now(),
                in_hand: Some(self.keys.in_hand()),
            });
        }
    }

    /// What a person is asked about a larger disk just now.
    pub(super) fn larger_disk_question(serving: &Serving) -> Option<Question> {
        match &serving.errand.as_ref()?.stage {
            Stage::LargerDisk(larger) => Some(larger.question()),
            _ => None,
        }
    }

    pub(super) fn errand_is(&mut self, stage: Stage) {
        if let State::Open(serving) = &mut self.state
            && let Some(on) = &mut serving.errand
        {
            on.in_hand = match &stage {
                Stage::Asking | Stage::Ended(_) => None,
                _ => on.in_hand.take().or_else(|| Some(self.keys.in_hand())),
            };
            on.stage = stage;
            on.since = Instant::now();
        }
    }
}

fn failed(error: &crate::appliance::ApplianceError) -> Stage {
    tracing::error!(%error, "what a person wanted was not done");
    Stage::Ended(ErrandEnd::Failed)
}
