//! Ways to unlock, and what is typed and shown for them.

use std::time::Duration;

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::ErrandEnd;
use crate::panel::pin_pad::{PIN_ALONE, PIN_WITH_KEY};

/// What a person has chosen of a hub that is set up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetUp {
    /// How it is to be unlocked.
    pub unlocking: Unlocking,
    /// Why it can't be unlocked as was chosen last.
    pub trouble: Option<ErrandEnd>,
    /// Whether the box has a key of its own, or can get one.
    pub box_has_key: bool,
}

impl SetUp {
    /// As many digits its PIN has at least.
    #[must_use]
    pub const fn fewest_digits(&self) -> usize {
        match self.unlocking {
            Unlocking::PinAndStick | Unlocking::PinAndBox => PIN_WITH_KEY,
            Unlocking::Pin | Unlocking::Stick | Unlocking::NoStick | Unlocking::Box | Unlocking::NoBox => PIN_ALONE,
        }
    }

    /// How many ways there are to choose from, the first of [`Ways::ALL`].
    pub(in crate::panel) const fn offered(&self) -> usize {
        if self.box_has_key {
            Ways::COUNT
        } else {
            Ways::WITHOUT_BOX
        }
    }
}

/// How the hub is to be unlocked from now on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unlocking {
    /// By the PIN, without a stick.
    #[default]
    Pin,
    /// By the PIN, with the stick in.
    PinAndStick,
    /// By the stick too, without a person.
    Stick,
    /// By the stick alone no more.
    NoStick,
    /// By the PIN, in this box only.
    PinAndBox,
    /// In this box too, without a person.
    Box,
    /// By the box alone no more.
    NoBox,
}

/// How the hub is unlocked: by the PIN, and by what else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ways {
    /// The PIN is good only with the stick in.
    pub pin_and_stick: bool,
    /// The stick is enough.
    pub stick: bool,
    /// The PIN is good only in this box.
    pub pin_and_box: bool,
    /// The box is enough.
    pub in_box: bool,
    /// Whether the box has a key of its own, or can get one.
    pub box_has_key: bool,
}

impl Ways {
    /// As many digits a PIN has at least: fewer are enough where it is good only with the stick in, or in this box.
    #[must_use]
    pub const fn fewest_digits(self) -> usize {
        if self.pin_and_stick || self.pin_and_box {
            PIN_WITH_KEY
        } else {
            PIN_ALONE
        }
    }

    /// How many ways there are to choose from.
    pub(in crate::panel) const COUNT: usize = 5;
    /// They, by their places.
    pub(in crate::panel) const ALL: [Unlocking; Self::COUNT] = [
        Unlocking::Pin,
        Unlocking::PinAndStick,
        Unlocking::Stick,
        Unlocking::PinAndBox,
        Unlocking::Box,
    ];
    /// How many of them, from the first, take nothing of the box.
    const WITHOUT_BOX: usize = 3;

    /// Whether the way at this place (the PIN alone, PIN and stick, the stick alone, PIN and box, the box alone) opens the hub.
    pub(in crate::panel) const fn has(self, at: usize) -> bool {
        match at {
            0 => !self.pin_and_stick && !self.pin_and_box,
            1 => self.pin_and_stick,
            2 => self.stick,
            3 => self.pin_and_box,
            _ => self.in_box,
        }
    }

    /// What a person can wish for of the way at this place. A PIN there always is.
    pub(in crate::panel) const fn wish(self, at: usize) -> Option<Unlocking> {
        match (at, self.has(at)) {
            (0, false) => Some(Unlocking::Pin),
            (1, false) => Some(Unlocking::PinAndStick),
            (2, false) => Some(Unlocking::Stick),
            (2, true) => Some(Unlocking::NoStick),
            (3, false) if self.box_has_key => Some(Unlocking::PinAndBox),
            (4, false) if self.box_has_key => Some(Unlocking::Box),
            (4, true) => Some(Unlocking::NoBox),
            _ => None,
        }
    }

    /// Whether the way at this place can't be chosen, for the box has no key.
    pub(in crate::panel) const fn lacks_key(self, at: usize) -> bool {
        at >= 3 && !self.has(at) && !self.box_has_key
    }
}

/// How far a change of the PIN has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinChange {
    /// Asks for the present PIN: whoever walks up to an open hub must not be able to change it.
    Ask {
        /// Time until the next PIN may be tried; zero if it may be now.
        wait: Duration,
        /// Wrong PINs in a row.
        failures: u32,
        /// Wrong PINs that can still be typed before there is a wait.
        tries_left: u32,
    },
    /// The present PIN is being tried.
    Checking,
    /// It was right: asks for the new one.
    Choose,
    /// The new one is being written.
    Changing,
    /// Done; only the new PIN is good.
    Changed,
    /// Not done; the old PIN is still good.
    Failed,
}

impl PinChange {
    pub(in crate::panel) const fn is_at_work(self) -> bool {
        matches!(self, Self::Checking | Self::Changing)
    }
}

/// A recovery code: 8 groups, each a 16-bit number shown as its 11-fold in 6 digits. Wiped when dropped, printed as
/// `[secret]`.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct RecoveryCode([u16; Self::GROUPS]);

impl RecoveryCode {
    /// Groups of a code.
    pub const GROUPS: usize = 8;
    /// Digits of a group.
    pub const GROUP_DIGITS: usize = 6;

    /// A code of these 16-bit numbers, in the order in which it is written down.
    #[must_use]
    pub const fn new(numbers: [u16; Self::GROUPS]) -> Self {
        Self(numbers)
    }

    /// The 16-bit numbers.
    #[must_use]
    pub const fn numbers(&self) -> &[u16; Self::GROUPS] {
        &self.0
    }

    /// Group `index` (0 to 7) as the 6 digits on paper.
    #[must_use]
    pub fn group(&self, index: usize) -> String {
        format!("{:06}", u32::from(self.0[index % Self::GROUPS]) * 11)
    }

    /// Reads one group as it is on paper: exactly 6 digits, a multiple of 11 of at most 65,535 × 11. A group with one
    /// wrong digit or two neighbours swapped is no such number.
    #[must_use]
    pub fn parse_group(digits: &[u8]) -> Option<u16> {
        if digits.len() != Self::GROUP_DIGITS || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let value = digits
            .iter()
            .fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
        if value % 11 == 0 {
            u16::try_from(value / 11).ok()
        } else {
            None
        }
    }
}

impl std::fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn groups_read_back(numbers: [u16; 8], index in 0..8_usize) {
            let code = RecoveryCode::new(numbers);
            prop_assert_eq!(RecoveryCode::parse_group(code.group(index).as_bytes()), Some(numbers[index]));
        }

        #[test]
        fn one_wrong_digit_is_told(number: u16, place in 0..6_usize, by in 1..10_u8) {
            let mut digits = RecoveryCode::new([number; 8]).group(0).into_bytes();
            digits[place] = b'0' + (digits[place] - b'0' + by) % 10;
            prop_assert_eq!(RecoveryCode::parse_group(&digits), None);
        }

        #[test]
        fn other_input_is_refused(digits: Vec<u8>) {
            prop_assume!(digits.len() != 6 || !digits.iter().all(u8::is_ascii_digit));
            prop_assert_eq!(RecoveryCode::parse_group(&digits), None);
        }
    }

    #[test]
    fn largest_group_is_the_largest_number() {
        assert_eq!(RecoveryCode::parse_group(b"720885"), Some(u16::MAX));
        assert_eq!(RecoveryCode::parse_group(b"720896"), None);
        assert_eq!(format!("{:?}", RecoveryCode::new([7; 8])), "[secret]");
    }
}
