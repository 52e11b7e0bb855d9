//! The recovery code: 128 random bits on paper, for when the PIN is forgotten.
//!
//! Eight groups of six digits, each a 16-bit number (big-endian, in order) times 11, with leading zeros: the form of a
//! BitLocker recovery password. A group with one wrong digit, or with two neighbouring digits swapped, is no multiple of
//! 11, so it is told at once.

use zeroize::Zeroizing;

use crate::secret::{Secret, SecretText};

/// Digits in a group.
const GROUP_DIGITS: usize = 6;
/// What each 16-bit number is multiplied by.
const CHECK_FACTOR: u32 = 11;

/// A recovery code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryCode(Secret<16>);

/// Why a group of digits, or a whole code, is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecoveryError {
    /// The group is not six ASCII digits.
    #[error("a group has six digits")]
    GroupShape,
    /// The six digits are not what any code has: there is a typing mistake in this group.
    #[error("there is a mistake in this group")]
    Mistyped,
    /// There are not eight groups.
    #[error("a recovery code has {} groups", RecoveryCode::GROUPS)]
    GroupCount,
}

impl RecoveryCode {
    /// How many groups a code has.
    pub const GROUPS: usize = 8;

    /// A new code.
    ///
    /// # Errors
    /// [`getrandom::Error`] if the operating system gives no random bytes.
    pub fn generate() -> Result<Self, getrandom::Error> {
        Secret::random().map(Self)
    }

    /// The code as people see it: eight groups of six digits.
    #[must_use]
    pub fn groups(&self) -> [SecretText; Self::GROUPS] {
        let bytes = self.0.expose();
        std::array::from_fn(|group| {
            let number = u16::from_be_bytes([bytes[2 * group], bytes[2 * group + 1]]);
            SecretText::new(format!("{:06}", u32::from(number) * CHECK_FACTOR))
        })
    }

    /// The number behind one group, for telling a mistake as soon as the group is typed.
    ///
    /// # Errors
    /// [`RecoveryError::GroupShape`] or [`RecoveryError::Mistyped`].
    pub fn parse_group(text: &str) -> Result<u16, RecoveryError> {
        if text.len() != GROUP_DIGITS || !text.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(RecoveryError::GroupShape);
        }
        let number: u32 = text.parse().map_err(|_| RecoveryError::GroupShape)?;
        if !number.is_multiple_of(CHECK_FACTOR) {
            return Err(RecoveryError::Mistyped);
        }
        u16::try_from(number / CHECK_FACTOR).map_err(|_| RecoveryError::Mistyped)
    }

    /// A code from its groups, in order.
    ///
    /// # Errors
    /// [`RecoveryError::GroupCount`] if they are not eight, else that of the first group that is wrong.
    pub fn parse<'a>(groups: impl IntoIterator<Item = &'a str>) -> Result<Self, RecoveryError> {
        let mut code = Secret::new([0; 16]);
        let mut numbers = code.expose_mut().chunks_exact_mut(2);
        for group in groups {
            let slot = numbers.next().ok_or(RecoveryError::GroupCount)?;
            let number = Zeroizing::new(Self::parse_group(group)?.to_be_bytes());
            slot.copy_from_slice(&*number);
        }
        match numbers.next() {
            None => Ok(Self(code)),
            Some(_) => Err(RecoveryError::GroupCount),
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.expose()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn groups_of(code: &RecoveryCode) -> Vec<String> {
        code.groups().iter().map(|group| group.expose().to_owned()).collect()
    }

    #[test]
    fn has_the_documented_form() {
        let code = RecoveryCode(Secret::new([
            0, 0, 0, 1, 0, 9, 1, 0, 0xff, 0xff, 0x80, 0, 0x12, 0x34, 0, 10,
        ]));
        assert_eq!(
            groups_of(&code),
            [
                "000000", "000011", "000099", "002816", "720885", "360448", "051260", "000110"
            ]
        );
    }

    #[test]
    fn codes_differ() {
        assert_ne!(RecoveryCode::generate().unwrap(), RecoveryCode::generate().unwrap());
    }

    #[test]
    fn refuses_what_is_no_code() {
        for bad in ["", "00001", "0000110", "00001a", "+00011", " 00011", "00001\u{661}"] {
            assert_eq!(
                RecoveryCode::parse_group(bad),
                Err(RecoveryError::GroupShape),
                "{bad:?}"
            );
        }
        for bad in ["000010", "720896", "999998", "999999"] {
            assert_eq!(RecoveryCode::parse_group(bad), Err(RecoveryError::Mistyped), "{bad:?}");
        }
        for count in [0, 7, 9] {
            assert_eq!(
                RecoveryCode::parse(vec!["000011"; count]),
                Err(RecoveryError::GroupCount)
            );
        }
        let one_bad = [
            "000011", "000012", "000011", "0", "000011", "000011", "000011", "000011",
        ];
        assert_eq!(RecoveryCode::parse(one_bad), Err(RecoveryError::Mistyped));
    }

    #[test]
    fn prints_nothing_of_itself() {
        let code = RecoveryCode(Secret::new([7; 16]));
        assert_eq!(
            format!("{code:?} {:?}", code.groups()[0]),
            "RecoveryCode([secret]) [secret]"
        );
    }

    proptest! {
        #[test]
        fn is_read_back(bytes: [u8; 16]) {
            let code = RecoveryCode(Secret::new(bytes));
            let groups = groups_of(&code);
            prop_assert_eq!(RecoveryCode::parse(groups.iter().map(String::as_str)).unwrap(), code);
        }

        #[test]
        fn tells_any_one_wrong_digit(number: u16, at in 0_usize..6, shift in 1_u8..10) {
            let mut group = format!("{:06}", u32::from(number) * 11).into_bytes();
            group[at] = b'0' + (group[at] - b'0' + shift) % 10;
            let group = String::from_utf8(group).unwrap();
            prop_assert_eq!(RecoveryCode::parse_group(&group), Err(RecoveryError::Mistyped));
        }

        #[test]
        fn tells_neighbours_swapped(number: u16, at in 0_usize..5) {
            let mut group = format!("{:06}", u32::from(number) * 11).into_bytes();
            prop_assume!(group[at] != group[at + 1]);
            group.swap(at, at + 1);
            let group = String::from_utf8(group).unwrap();
            prop_assert_eq!(RecoveryCode::parse_group(&group), Err(RecoveryError::Mistyped));
        }

        #[test]
        fn never_panics(text: String) {
            let _ = RecoveryCode::parse_group(&text);
            let _ = RecoveryCode::parse(text.split('-'));
        }
    }
}
