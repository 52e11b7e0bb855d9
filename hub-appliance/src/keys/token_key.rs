//! The keys that sign tokens: another one every 30 days, with the one before beside it until its tokens have ended.
//!
//! No token lives longer than a key signs, and both are counted by the hub clock. So when a key goes that was the one before,
//! its last token has ended, however that clock came to its time; and as it never goes back, one jump of it brings one
//! other key, not two.

use super::vault::{Vault, VaultError};
use crate::clock::HubTime;
use crate::secret::Secret;

/// How long a key signs, ms: as long as a token can live at most, or longer.
const TOKEN_KEY_LIFE_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// Whether another key is to sign in the place of one that was made then; none is a time that nobody wrote down.
#[must_use]
pub fn is_token_key_due(made_at: Option<HubTime>, now: HubTime) -> bool {
    made_at.is_none_or(|made_at| now >= made_at.plus_millis(TOKEN_KEY_LIFE_MS))
}

impl Vault {
    /// Has another key sign tokens if that is due, and says whether it is another.
    ///
    /// # Errors
    /// [`VaultError::Random`]; nothing was changed.
    pub fn turn_token_key(&mut self, now: HubTime) -> Result<bool, VaultError> {
        if !is_token_key_due(self.jwt_made_at, now) {
            return Ok(false);
        }
        let next = Secret::random()?;
        self.jwt_previous = Some(std::mem::replace(&mut self.jwt_current, next));
        self.jwt_made_at = Some(now);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn at(millis: i64) -> HubTime {
        HubTime::from_millis(1_800_000_000_000 + millis)
    }

    fn vault() -> Vault {
        Vault::create(Uuid::from_u128(7), "Clinic".into(), at(0)).unwrap()
    }

    #[test]
    fn a_key_signs_for_thirty_days_and_checks_for_thirty_more() {
        let mut vault = vault();
        let first = vault.jwt_current.clone();
        assert!(!vault.turn_token_key(at(TOKEN_KEY_LIFE_MS - 1)).unwrap());
        assert!(vault.turn_token_key(at(TOKEN_KEY_LIFE_MS)).unwrap());
        let second = vault.jwt_current.clone();
        assert_ne!(first, second);
        assert_eq!(vault.jwt_previous.as_ref(), Some(&first));
        assert!(!vault.turn_token_key(at(2 * TOKEN_KEY_LIFE_MS - 1)).unwrap());
        assert!(vault.turn_token_key(at(2 * TOKEN_KEY_LIFE_MS)).unwrap());
        assert_eq!(vault.jwt_previous, Some(second));
    }

    #[test]
    fn a_key_of_an_unknown_age_signs_no_more_and_checks_on() {
        let mut vault = Vault {
            jwt_made_at: None,
            ..vault()
        };
        let first = vault.jwt_current.clone();
        assert!(vault.turn_token_key(at(0)).unwrap());
        assert_eq!(vault.jwt_previous, Some(first));
        assert!(!vault.turn_token_key(at(0)).unwrap(), "once is enough");
    }

    proptest! {
        /// Whatever jumps the clock makes: a token that has not ended is checked.
        #[test]
        fn no_token_loses_its_key_before_it_ends(jumps in prop::collection::vec((0..100_i64, 1..=30_i64), 1..60)) {
            const DAY: i64 = TOKEN_KEY_LIFE_MS / 30;
            let mut vault = vault();
            let (mut now, mut tokens) = (0, Vec::new());
            for (days, life) in jumps {
                now += days * DAY;
                vault.turn_token_key(at(now)).unwrap();
                tokens.push((vault.jwt_current.clone(), now + life * DAY));
                tokens.retain(|(_, ends)| *ends > now);
                for (key, _) in &tokens {
                    prop_assert!(*key == vault.jwt_current || vault.jwt_previous.as_ref() == Some(key));
                }
            }
        }
    }
}
