//! The PIN: what a person types on the panel to unlock the hub.

use std::fmt;

use subtle::ConstantTimeEq;

use crate::secret::SecretText;

/// A PIN of 6 to 12 ASCII digits, not all the same.
///
/// Fewer than 8 are no PIN for a slot that asks for nothing else, which [`Self::is_enough_alone`] tells: against somebody who
/// took the disk, a PIN is only as strong as its length times the cost of Argon2id. Where a slot asks for a key on a stick
/// too, which can't be guessed, it only has to keep off who stands at the box and has the wait after wrong PINs before them.
#[derive(Clone)]
pub struct Pin(SecretText);

/// Why a PIN is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    /// Something other than ASCII digits was given.
    #[error("a PIN has digits only")]
    NotDigits,
    /// Fewer than [`Pin::MIN_DIGITS`] digits.
    #[error("a PIN has at least {} digits", Pin::MIN_DIGITS)]
    TooShort,
    /// More than [`Pin::MAX_DIGITS`] digits.
    #[error("a PIN has at most {} digits", Pin::MAX_DIGITS)]
    TooLong,
    /// The same digit throughout.
    #[error("a PIN is not one digit repeated")]
    TooSimple,
}

impl Pin {
    /// The least number of digits.
    pub const MIN_DIGITS: usize = 6;
    /// The least number of digits where a PIN is all that is asked for.
    pub const MIN_DIGITS_ALONE: usize = 8;
    /// The greatest number of digits.
    pub const MAX_DIGITS: usize = 12;

    /// Checks and copies what was typed.
    ///
    /// # Errors
    /// [`PinError`] tells what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, PinError> {
        let digits = text.as_bytes();
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(PinError::NotDigits);
        }
        if digits.len() < Self::MIN_DIGITS {
            return Err(PinError::TooShort);
        }
        if digits.len() > Self::MAX_DIGITS {
            return Err(PinError::TooLong);
        }
        if digits.windows(2).all(|pair| pair[0] == pair[1]) {
            return Err(PinError::TooSimple);
        }
        Ok(Self(SecretText::new(text.to_owned())))
    }

    /// Whether it may be all that opens the hub.
    #[must_use]
    pub fn is_enough_alone(&self) -> bool {
        self.digits().len() >= Self::MIN_DIGITS_ALONE
    }

    pub(super) fn digits(&self) -> &[u8] {
        self.0.expose().as_bytes()
    }
}

impl PartialEq for Pin {
    fn eq(&self, other: &Self) -> bool {
        self.digits().ct_eq(other.digits()).into()
    }
}

impl Eq for Pin {}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_six_to_twelve_digits_of_which_eight_are_enough_alone() {
        for good in ["123456", "1234567", "12345678", "87654321", "00000001", "123456789012"] {
            let pin = Pin::parse(good).unwrap();
            assert_eq!(pin.digits(), good.as_bytes());
            assert_eq!(pin.is_enough_alone(), good.len() >= 8, "{good}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (bad, why) in [
            ("", PinError::TooShort),
            ("12345", PinError::TooShort),
            ("1234567890123", PinError::TooLong),
            ("1234567a", PinError::NotDigits),
            ("1234 5678", PinError::NotDigits),
            ("-12345678", PinError::NotDigits),
            ("١٢٣٤٥٦٧٨", PinError::NotDigits),
            ("00000000", PinError::TooSimple),
            ("999999999999", PinError::TooSimple),
        ] {
            assert_eq!(Pin::parse(bad).unwrap_err(), why, "{bad:?}");
        }
    }

    #[test]
    fn compares_by_its_digits_and_prints_none_of_them() {
        let pin = Pin::parse("12345678").unwrap();
        assert_eq!(pin, Pin::parse("12345678").unwrap());
        assert_ne!(pin, Pin::parse("12345679").unwrap());
        assert_ne!(pin, Pin::parse("123456789").unwrap());
        assert_eq!(format!("{pin:?}"), "[secret]");
    }
}
