//! The change of the PIN on an open hub. Who stands at the box has to know the present PIN: it is tried by the keys room
//! like one that unlocks, and counts as an attempt. The master key is held only from there to the end of the change.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::log::audit;
use super::unlocking::{Refused, enough_for};
use super::{Life, Serving, State, Tries};
use crate::keys::{InHand, KdfCost, KeysError, MasterKey, Pin};
use crate::panel::PinChange;
use crate::secret::SecretText;

/// How long the new PIN may be thought about once the present one was right.
const PERMIT: Duration = Duration::from_secs(10 * 60);

/// How far the change has come.
pub(super) enum Change {
    Asking,
    Checking,
    Permitted {
        master: Box<MasterKey>,
        since: Instant,
        in_hand: InHand,
    },
    Changing,
    Changed,
    Failed,
}

/// What became of a PIN that was typed at the open hub.
pub(super) enum Tried {
    Right(MasterKey),
    Wrong,
    /// It is worth nothing without the stick or the board.
    Lacks,
    Failed,
}

impl Life {
    pub(super) fn begin_pin_change(&mut self) {
        self.set_change(Some(Change::Asking));
    }

    pub(super) fn end_pin_change(&mut self) {
        self.set_change(None);
    }

    /// Whoever left it and comes back is told that the old PIN is still the one.
    pub(super) fn abandon_pin_change(&mut self) {
        self.set_change(Some(Change::Failed));
    }

    /// Ends a permission that nobody used.
    pub(super) fn expire_pin_change(&mut self) {
        if let State::Open(serving) = &mut self.state
            && let Some(Change::Permitted { since, .. }) = &serving.pin_change
            && since.elapsed() >= PERMIT
        {
            serving.pin_change = Some(Change::Failed);
            self.show();
        }
    }

    pub(super) fn check_pin(&mut self, pin: SecretText) {
        let is_asking = |serving: &Serving| matches!(serving.pin_change, Some(Change::Asking));
        if !matches!(&self.state, State::Open(serving) if is_asking(serving)) {
            return;
        }
        self.set_change(Some(Change::Checking));
        self.show();
        let in_hand = self.keys.in_hand();
        self.try_pin(pin, |life, tried| {
            let next = match tried {
                Tried::Right(master) => Change::Permitted {
                    master: Box::new(master),
                    since: Instant::now(),
                    in_hand,
                },
                Tried::Wrong => Change::Asking,
                Tried::Lacks | Tried::Failed => Change::Failed,
            };
            life.set_change(Some(next));
        });
    }

    /// Tries what somebody typed at the open hub as the present PIN. It counts as an attempt, and a wrong one is written down.
    pub(super) fn try_pin(&mut self, pin: SecretText, then: impl FnOnce(&mut Self, Tried) + Send + 'static) {
        let State::Open(serving) = &self.state else { return };
        let (keys, way) = (Arc::clone(&self.keys), self.pin_way());
        let store = Arc::clone(&serving.sources.store);
        let check = move || {
            // As at the lock: what can be no PIN is refused and needs no try.
            let tried = match Pin::parse(pin.expose()) {
                Ok(pin) => {
                    let tried = way.try_both(&keys, &pin, &way.look(), false);
                    tried
                        .unwrap_or_else(|| keys.unlock_with_pin(&pin))
                        .map_err(Refused::from)
                }
                Err(_) => Err(Refused::Again),
            };
            match tried {
                Ok(master) => Tried::Right(master),
                Err(Refused::Again) => {
                    audit(&store, "pin.check", "refused");
                    Tried::Wrong
                }
                Err(Refused::Lacks) => Tried::Lacks,
                Err(Refused::Failed(error)) => {
                    tracing::error!(%error, "the present PIN could not be checked");
                    Tried::Failed
                }
            }
        };
        self.begin_work(check, then);
    }

    /// What is no PIN changes nothing: another may be chosen.
    pub(super) fn change_pin(&mut self, pin: SecretText) {
        let way = self.pin_way();
        let Some(pin) = enough_for(way.way, &pin) else { return };
        let State::Open(serving) = &mut self.state else { return };
        let Some(Change::Permitted { master, in_hand, .. }) = serving.pin_change.take() else {
            return;
        };
        let store = Arc::clone(&serving.sources.store);
        self.set_change(Some(Change::Changing));
        self.show();
        let (keys, clock, target) = (Arc::clone(&self.keys), Arc::clone(&self.clock), self.config.unlock_time);
        let replace = move || {
            let cost = KdfCost::calibrate(target)?;
            let found = way.look();
            keys.add_way(&master, way.way, Some(&pin), found.held(), cost, clock.now())?;
            audit(&store, "pin.change", "ok");
            Ok(master)
        };
        self.begin_work(replace, |life, replaced: Result<_, KeysError>| {
            let next = match replaced {
                Ok(master) => {
                    life.rotate(*master);
                    Change::Changed
                }
                Err(error) => {
                    tracing::error!(%error, "the PIN could not be changed");
                    Change::Failed
                }
            };
            drop(in_hand);
            life.set_change(Some(next));
        });
    }

    pub(super) fn pin_change_status(&self, serving: &Serving) -> Option<PinChange> {
        serving.pin_change.as_ref().map(|change| match change {
            Change::Asking => {
                let Tries { wait, failures, left } = self.tries();
                PinChange::Ask {
                    wait,
                    failures,
                    tries_left: left,
                }
            }
            Change::Checking => PinChange::Checking,
            Change::Permitted { .. } => PinChange::Choose,
            Change::Changing => PinChange::Changing,
            Change::Changed => PinChange::Changed,
            Change::Failed => PinChange::Failed,
        })
    }

    fn set_change(&mut self, change: Option<Change>) {
        if let State::Open(serving) = &mut self.state {
            serving.pin_change = change;
        }
    }
}
