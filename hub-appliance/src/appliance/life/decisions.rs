//! What a person decides at the panel, one decision after the other.

use super::emergency::EndedBy;
use super::{Life, State};
use crate::appliance::ApplianceError;
use crate::panel::Action;

impl Life {
    /// Does what a person decided, one after the other; where the hub is at work for one, the others wait.
    pub(super) async fn follow_decisions(&mut self) -> Result<(), ApplianceError> {
        while !self.is_at_work() {
            if std::mem::take(&mut self.owes_answer) {
                self.answered += 1;
                self.follow_address();
                self.show();
            }
            if matches!(self.state, State::Off | State::Restarting) {
                break;
            }
            let Some(action) = self.decisions.pop_front() else {
                break;
            };
            self.owes_answer = true;
            self.decide(action).await?;
        }
        Ok(())
    }

    async fn decide(&mut self, action: Action) -> Result<(), ApplianceError> {
        match action {
            Action::SetLanguage(language) => {
                self.set_language(language);
                self.look_for_backup().await;
            }
            Action::ChooseUnlocking(wish) => self.choose_first_way(wish).await,
            Action::SetUp { pin } => self.set_up(pin).await,
            Action::RenewPin { pin } => self.renew_pin(pin).await,
            Action::RecoveryConfirmed if matches!(self.state, State::Open(_)) => self.code_is_written(),
            Action::RecoveryConfirmed => self.recovery_confirmed().await,
            Action::Unlock { pin } => self.unlock(pin).await,
            Action::UnlockWithRecovery { code } => self.unlock_with_recovery(&code).await,
            Action::BeginPinChange => self.begin_pin_change(),
            Action::BeginErrand(errand) => self.begin_errand(errand),
            Action::SetClock(to) => self.set_clock(to).await,
            Action::TakeStaff => self.take_staff(),
            Action::EndErrand => self.end_errand(),
            Action::CheckPin { pin } if self.errand_asks() => self.check_errand_pin(pin),
            Action::CheckPin { pin } => self.check_pin(pin),
            Action::ChangePin { pin } => self.change_pin(pin),
            Action::EndPinChange => self.end_pin_change(),
            Action::AbandonPinChange => self.abandon_pin_change(),
            Action::Answer(question, yes) => self.answer(&question, yes).await?,
            Action::Lock => self.lock().await?,
            Action::PowerOff => {
                self.lock().await?;
                self.state = State::Off;
            }
            Action::Restart => {
                self.lock().await?;
                self.state = State::Restarting;
            }
            Action::OpenPairing | Action::ClosePairing | Action::KeepPairingOpen(_) => self.change_pairing(&action),
            Action::KeepPhone(number) => self.settle_phone(number),
            Action::UndoPhone(number) => self.undo_phone(number).await,
            Action::RevokePhone(number) => self.revoke_phone(number).await,
            Action::SyncNow { whole } => self.sync_now(whole),
            Action::BackUpNow => self.back_up_now(),
            Action::ExchangeByUsb => self.exchange_by_usb(),
            Action::LeaveRestore => self.leave_restore(),
            Action::TryHeldAgain => self.try_held_again(),
            Action::AddressSeen => self.address_seen(),
            Action::NewsSeen(news) => self.news_seen(news),
            Action::EndEmergency => self.end_emergency(EndedBy::Panel).await,
            Action::EmergencySeen => self.emergency_seen().await,
        }
        Ok(())
    }
}
