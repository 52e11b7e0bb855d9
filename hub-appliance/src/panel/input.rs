//! What comes into the panel and what goes out: buttons and digits in, a person's decisions out.

use zeroize::Zeroize;

use crate::panel::strings::Language;
use crate::panel::view::{Errand, News, Question, RecoveryCode, Unlocking};
use crate::secret::SecretText;

/// A button of the panel. Up, down and ok are enough for everything; the others are shortcuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Button {
    /// To the previous entry or key.
    Up,
    /// To the next entry or key.
    Down,
    /// As up.
    Left,
    /// As down.
    Right,
    /// Takes what is chosen.
    Ok,
    /// Deletes a digit, or leaves the screen.
    Back,
}

/// A button that means something else when it is held for a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeldButton {
    /// Back, for panels of three buttons; on the empty PIN pad, the recovery code.
    Ok,
    /// As holding ok.
    Back,
}

/// 1 to 64 ASCII digits, perhaps of a PIN: wiped when dropped, printed as `[secret]`.
#[derive(Clone, Debug)]
pub struct Digits(SecretText);

impl Digits {
    /// The most digits that can be typed at once.
    pub const MAX: usize = 64;

    /// Takes `text` if it is 1 to [`Self::MAX`] ASCII digits.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let fits = (1..=Self::MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        fits.then(|| Self(SecretText::new(text.to_owned())))
    }

    /// The digits as ASCII.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.expose().as_bytes()
    }
}

/// What a person does at the panel.
#[derive(Clone, Debug)]
pub enum Input {
    /// A button was pressed.
    Press(Button),
    /// A button was held.
    Hold(HeldButton),
    /// Digits for the field that has the focus. They go in at its end and move the focus to the key that takes the
    /// field, so `ok` after them confirms it. Screens without a field ignore them.
    Type(Digits),
}

/// What a person decided. The panel does nothing by itself: the appliance acts on it and shows the outcome in the
/// [`Status`](crate::panel::Status).
#[derive(Clone, Debug)]
pub enum Action {
    /// Speak this language from now on. Expects it in the status.
    SetLanguage(Language),
    /// The new hub is to be unlocked so, which may take a key on the stick that is in. Expects `SetUp` with that, or with the
    /// trouble that there is.
    ChooseUnlocking(Unlocking),
    /// Set the hub up with this PIN (8 to 12 digits, 6 where it is good only with a stick). Expects `SettingUp`, then `Confirming`.
    SetUp {
        /// The PIN, typed the same twice.
        pin: SecretText,
    },
    /// The recovery code is written down: two of its groups were typed back. Expects `Open`.
    RecoveryConfirmed,
    /// Unlock with this PIN (6 to 12 digits). Expects `Unlocking`, then `Open` or `Locked`.
    Unlock {
        /// The PIN as typed.
        pin: SecretText,
    },
    /// Unlock with this recovery code, or open the backup that is to be restored. Expects `Unlocking`, then `Open` or `Locked`, or
    /// `Renewing` or `RestoreCode`.
    UnlockWithRecovery {
        /// The code as typed; each group alone is well-formed.
        code: RecoveryCode,
    },
    /// After the recovery code: this is the new PIN (8 to 12 digits). Expects `Confirming` with a new code.
    RenewPin {
        /// The PIN, typed the same twice.
        pin: SecretText,
    },
    /// What a person decided about this question: yes or no. Expects another phase.
    Answer(Question, bool),
    /// Start to change the PIN of the open hub. Expects `pin_change` in the status.
    BeginPinChange,
    /// Try this as the present PIN (6 to 12 digits). Expects `Checking`, then `Ask` or `Choose`.
    CheckPin {
        /// The PIN as typed.
        pin: SecretText,
    },
    /// Put this PIN (8 to 12 digits, 6 beside a stick) in the place of the one that was tried. Expects `Changing`, then `Changed` or
    /// `Failed`.
    ChangePin {
        /// The PIN, typed the same twice.
        pin: SecretText,
    },
    /// The change of the PIN is done with, or given up. Expects no `pin_change` in the status.
    EndPinChange,
    /// Nobody went on with the change of the PIN. Expects `Failed`, so that whoever comes back knows.
    AbandonPinChange,
    /// Begin this errand at the open hub. Expects it in the status, asking for the PIN, which [`Self::CheckPin`] then tries.
    BeginErrand(Errand),
    /// Take in the file of staff as it was told. Expects `AtWork`, then `Ended`.
    TakeStaff,
    /// Set the clock to this time, epoch ms. Expects `AtWork`, then `Ended`.
    SetClock(i64),
    /// The errand is done with, or given up. Expects no `errand` in the status.
    EndErrand,
    /// Refuse the phone of this number from now on. Expects it as revoked in the status.
    RevokePhone(u32),
    /// Lock the hub and switch it off. Expects `Locking`, then `PoweringOff`.
    PowerOff,
    /// Lock the hub and start the box anew. Expects `Locking`, then `Restarting`.
    Restart,
    /// Lock the hub. Expects `Locking`, then `Locked`.
    Lock,
    /// Let new phones pair. Expects `pairing` in the status.
    OpenPairing,
    /// Let no more new phones pair. Expects no `pairing` in the status.
    ClosePairing,
    /// Whether pairing stays open after the next phone and past its time.
    KeepPairingOpen(bool),
    /// The phone of this number is a right one, by a person's choice or because nobody objected in time.
    KeepPhone(u32),
    /// The phone of this number is to be forgotten.
    UndoPhone(u32),
    /// Begin a run of the relay to the cloud now; `whole`: compare everything. Expects the cloud's standing in the status.
    SyncNow {
        /// Whether everything is compared, not only what is new.
        whole: bool,
    },
    /// Make a backup as soon as the backup stick is in. Expects the standing in the status.
    BackUpNow,
    /// Take in what the office sent on the stick that is in, and write what is to be sent. Expects the standing in the
    /// status.
    ExchangeByUsb,
    /// No backup is to be restored after all, or another one. Expects the question about it again.
    LeaveRestore,
    /// Try again what asks for help. Expects `AllTaken` or `SomeLeft` as news.
    TryHeldAgain,
    /// A person has seen that the hub has another address. Expects no `previous_address` in the status.
    AddressSeen,
    /// End emergency access. Expects it as over in the status.
    EndEmergency,
    /// A person has seen who read by it. Expects no `emergency` in the status.
    EmergencySeen,
    /// A person has seen this. Expects it no more in the status.
    NewsSeen(News),
}

/// Digits typed so far, at most `N`: wiped when dropped and when cleared.
#[derive(Clone)]
pub(super) struct Entry<const N: usize> {
    digits: [u8; N],
    len: usize,
}

impl<const N: usize> Entry<N> {
    pub(super) const fn new() -> Self {
        Self { digits: [0; N], len: 0 }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn push(&mut self, digit: u8) {
        if let Some(place) = self.digits.get_mut(self.len) {
            *place = digit;
            self.len += 1;
        }
    }

    pub(super) fn pop(&mut self) {
        if let Some(last) = self.len.checked_sub(1) {
            self.digits[last] = 0;
            self.len = last;
        }
    }

    pub(super) fn clear(&mut self) {
        self.digits.zeroize();
        self.len = 0;
    }

    /// The digits as ASCII.
    pub(super) fn expose(&self) -> &[u8] {
        &self.digits[..self.len]
    }

    pub(super) fn to_secret(&self) -> SecretText {
        // Sized first: a string that grows leaves copies of itself behind.
        let mut text = String::with_capacity(N);
        text.extend(self.expose().iter().copied().map(char::from));
        SecretText::new(text)
    }
}

impl<const N: usize> Drop for Entry<N> {
    fn drop(&mut self) {
        self.clear();
    }
}

impl<const N: usize> std::fmt::Debug for Entry<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_only_a_bounded_number_of_digits() {
        assert!(Digits::new("0").is_some());
        assert!(Digits::new(&"9".repeat(64)).is_some());
        for bad in ["", "12a", " 1", "١٢", "-1", &"9".repeat(65)] {
            assert!(Digits::new(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn prints_no_digit() {
        let digits = Digits::new("13579").unwrap();
        let mut entry = Entry::<12>::new();
        digits.expose().iter().for_each(|digit| entry.push(*digit));
        let printed = format!(
            "{:?} {entry:?} {:?}",
            Input::Type(digits),
            Action::Unlock { pin: entry.to_secret() }
        );
        assert!(!printed.contains(|c: char| c.is_ascii_digit()), "{printed}");
    }

    #[test]
    fn a_full_entry_takes_no_more() {
        let mut entry = Entry::<2>::new();
        b"123".iter().for_each(|digit| entry.push(*digit));
        assert_eq!(entry.expose(), b"12");
        entry.pop();
        assert_eq!(entry.to_secret().expose(), "1");
        entry.pop();
        entry.pop();
        assert_eq!(entry.len(), 0);
    }
}
