//! Set-up, and the ways from locked to open.

use std::sync::Arc;
use std::time::Duration;

use super::{Life, State, blocking};
use crate::appliance::ApplianceError;
use crate::clock::HubClock;
use crate::keys::{KdfCost, KeyStore, KeysError, MasterKey, Pin, Prepared, RecoveryCode, Renewal, UnlockError, Way};
use crate::panel::{self, Phase};
use crate::secret::{SecretText, wiping_stack};

impl Life {
    /// What is no PIN that is enough changes nothing here and in [`Self::renew_pin`]: another may be chosen.
    pub(super) async fn set_up(&mut self, pin: SecretText) {
        let (way, at_hand) = self.first_way.way();
        let Some(pin) = enough_for(way, &pin) else { return };
        if !matches!(self.state, State::SetUp) {
            return;
        }
        self.show_phase(Phase::SettingUp);
        let (target, clock) = (self.config.unlock_time, Arc::clone(&self.clock));
        let prepared = blocking(move || {
            let cost = KdfCost::calibrate(target).map_err(KeysError::from)?;
            Ok(Prepared::unlocked_by(way, &pin, at_hand.held(), cost, clock.now())?)
        });
        match prepared.await {
            Ok(prepared) => self.state = State::Confirming(Box::new(prepared)),
            Err(error) => self.fail(&error),
        }
    }

    pub(super) async fn recovery_confirmed(&mut self) {
        match std::mem::replace(&mut self.state, State::Fault) {
            State::Confirming(prepared) => {
                self.show_phase(Phase::SettingUp);
                let (keys, disk) = (Arc::clone(&self.keys), Arc::clone(&self.config.disk));
                let (allowed, progress) = (self.allowed, self.progress(|permille| Phase::Formatting { permille }));
                let committed = blocking(move || {
                    disk.format(&prepared.luks_passphrase(), allowed, &progress)?;
                    Ok(prepared.commit(&keys)?)
                });
                match committed.await {
                    Ok(master) => {
                        self.facts.begin_anew();
                        let (stick, has_programmed) = std::mem::take(&mut self.first_way).into_deeds();
                        self.key_stick = stick;
                        self.open(master, "set-up").await;
                        if has_programmed {
                            self.audit("board-key.program", String::new(), "ok").await;
                        }
                    }
                    Err(error) => self.not_made(&error).await,
                }
            }
            State::Renewing(master, code) => {
                self.show_phase(Phase::Unlocking);
                let (keys, clock) = (Arc::clone(&self.keys), Arc::clone(&self.clock));
                let renewed = blocking(move || {
                    keys.change_recovery(&master, &code, clock.now())?;
                    Ok(master)
                });
                match renewed.await {
                    Ok(master) => self.open(*master, "unlock.recovery").await,
                    Err(error) => self.fail(&error),
                }
            }
            State::RestoreConfirming(restorable, prepared) => self.restore(*restorable, *prepared).await,
            other => self.state = other,
        }
    }

    pub(super) async fn unlock(&mut self, pin: SecretText) {
        if !matches!(self.state, State::Locked) {
            return;
        }
        self.show_phase(Phase::Unlocking);
        self.wrong_pins = self.keys.failures();
        let (keys, clock, target) = (Arc::clone(&self.keys), Arc::clone(&self.clock), self.config.unlock_time);
        let brings_up = self.brings_slots_up();
        // A PIN that no PIN can be is refused like a wrong one, but needs no try: it says nothing of the right one.
        let way = self.pin_way();
        let unlocked = blocking_unlock(move || {
            let Ok(pin) = Pin::parse(pin.expose()) else {
                return Ok(None);
            };
            let found = way.look();
            let master = match way.try_both(&keys, &pin, &found, brings_up) {
                Some(tried) => tried?,
                None => {
                    let renewal = Renewal {
                        target,
                        brings_up,
                        now: clock.now(),
                    };
                    keys.unlock_and_strengthen(&pin, renewal)?
                }
            };
            Ok(Some((master, found.stick)))
        });
        match unlocked.await {
            Ok(Some((master, stick))) => {
                self.key_stick = stick;
                self.open(master, "unlock").await;
            }
            Ok(None) | Err(Refused::Again | Refused::Lacks) => {}
            Err(Refused::Failed(error)) => self.fail(&error),
        }
    }

    /// Whether slots of an older form may be brought up to the present one: not at the first start of a firmware, whose
    /// records may be put back for the firmware before, which could not read them.
    pub(super) fn brings_slots_up(&self) -> bool {
        self.facts.writer_before().is_none()
    }

    /// After the recovery code: the new PIN first, so that there is one that somebody knows; then a new code.
    pub(super) async fn renew_pin(&mut self, pin: SecretText) {
        let Some(pin) = enough_for(Way::Pin, &pin) else { return };
        match std::mem::replace(&mut self.state, State::Fault) {
            State::ChoosingPin(master) => {
                self.show_phase(Phase::Unlocking);
                let (keys, clock, target) = (Arc::clone(&self.keys), Arc::clone(&self.clock), self.config.unlock_time);
                let renewed = blocking(move || {
                    replace_pin(&keys, &master, &pin, target, &clock)?;
                    Ok((master, RecoveryCode::generate().map_err(KeysError::from)?))
                });
                match renewed.await {
                    Ok((master, code)) => self.state = State::Renewing(master, code),
                    Err(error) => self.fail(&error),
                }
            }
            State::RestorePin(restorable, master) => self.restore_with_pin(restorable, *master, pin).await,
            other => self.state = other,
        }
    }

    pub(super) async fn unlock_with_recovery(&mut self, code: &panel::RecoveryCode) {
        if matches!(self.state, State::RestoreCode(_)) {
            return self.open_backup(code).await;
        }
        if !matches!(self.state, State::Locked) {
            return;
        }
        self.show_phase(Phase::Unlocking);
        self.wrong_pins = self.keys.failures();
        let groups = groups(code);
        let keys = Arc::clone(&self.keys);
        let unlocked = blocking_unlock(
            move || match RecoveryCode::parse(groups.iter().map(SecretText::expose)) {
                Ok(code) => keys.unlock_with_recovery(&code).map(Some),
                Err(_) => Ok(None),
            },
        );
        match unlocked.await {
            Ok(Some(master)) => {
                // Before the new PIN takes the place of the one that was good on another board.
                self.offer_board();
                self.state = State::ChoosingPin(Box::new(master));
            }
            Ok(None) | Err(Refused::Again | Refused::Lacks) => {}
            Err(Refused::Failed(error)) => self.fail(&error),
        }
    }
}

/// What was typed, if it is a PIN that is enough for this way to unlock.
pub(super) fn enough_for(way: Way, typed: &SecretText) -> Option<Pin> {
    let pin = Pin::parse(typed.expose()).ok()?;
    (typed.expose().len() >= way.fewest_digits()).then_some(pin)
}

/// The groups of a code as they were typed.
pub(super) fn groups(code: &panel::RecoveryCode) -> Vec<SecretText> {
    let groups = 0..panel::RecoveryCode::GROUPS;
    groups.map(|index| SecretText::new(code.group(index))).collect()
}

/// Puts `pin` in the place of the present PIN, at a cost measured anew. Blocking.
pub(super) fn replace_pin(
    keys: &KeyStore,
    master: &MasterKey,
    pin: &Pin,
    target: Duration,
    clock: &HubClock,
) -> Result<(), ApplianceError> {
    let cost = KdfCost::calibrate(target).map_err(KeysError::from)?;
    Ok(keys.change_pin(master, pin, cost, clock.now())?)
}

/// Why an unlocking came to nothing.
pub(super) enum Refused {
    /// It was wrong, or has to wait: the panel shows what the keys say.
    Again,
    /// The PIN is worth nothing without the stick or the board, and was not tried.
    Lacks,
    /// It could not be tried.
    Failed(ApplianceError),
}

impl From<UnlockError> for Refused {
    fn from(error: UnlockError) -> Self {
        match error {
            UnlockError::Wrong { .. } | UnlockError::Wait { .. } => Self::Again,
            UnlockError::Keys(KeysError::NeedsStick | KeysError::NeedsBoard | KeysError::OtherBoard) => Self::Lacks,
            UnlockError::Keys(error) => Self::Failed(error.into()),
        }
    }
}

pub(super) async fn blocking_unlock<T: Send + 'static>(
    unlock: impl FnOnce() -> Result<T, UnlockError> + Send + 'static,
) -> Result<T, Refused> {
    let tried = tokio::task::spawn_blocking(|| wiping_stack(unlock)).await;
    Ok(tried.map_err(|_| Refused::Failed(ApplianceError::Panicked))??)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::panel::{About, Action, Button, Digits, Input, Language, Numerals, Panel, SetUp, Status};

    /// What the panel asks for when these digits are typed as the new PIN, twice.
    fn chosen(digits: &str) -> Option<SecretText> {
        let status = Status {
            phase: Phase::SetUp(SetUp::default()),
            about: About::default(),
            language: Language::English,
            numerals: Numerals::default(),
            notice: None,
            answered: 0,
        };
        let mut panel = Panel::new(7);
        panel.update(&status, Duration::ZERO);
        let mut press = |input| panel.input(input, &status, Duration::ZERO);
        let digits = Digits::new(digits)?;
        press(Input::Press(Button::Ok));
        for _ in 0..2 {
            press(Input::Type(digits.clone()));
            if let Some(Action::SetUp { pin }) = press(Input::Press(Button::Ok)) {
                return Some(pin);
            }
        }
        None
    }

    proptest! {
        #[test]
        fn the_panel_asks_for_what_is_a_pin_and_for_nothing_else(digits in prop_oneof![
            "[0-9]{1,13}",
            (0..10_u8, 1..14_usize).prop_map(|(digit, length)| digit.to_string().repeat(length)),
        ]) {
            let asked = chosen(&digits);
            let pin = Pin::parse(&digits);
            prop_assert_eq!(asked.is_some(), pin.is_ok_and(|pin| pin.is_enough_alone()));
            prop_assert!(asked.is_none_or(|pin| pin.expose() == digits));
        }
    }
}
