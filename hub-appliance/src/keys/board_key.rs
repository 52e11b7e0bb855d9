//! The board's own key, as far as slots need it: what it makes of a message. The key itself never gets here.

use std::fmt;

use crate::secret::Secret;

/// Bytes of what tells one board's key from another's.
pub(super) const BOARD_ID_LEN: usize = 16;
/// By what the key makes of this it is told from others. No message of a slot is as short.
const ID_LABEL: &[u8] = b"hub board key id v1";

/// What the board's key makes of a message, if it answers.
type Compute = dyn Fn(&[u8]) -> Option<Secret<32>> + Send + Sync;

/// The key of the board that the hub runs on.
pub struct BoardKey {
    id: [u8; BOARD_ID_LEN],
    compute: Box<Compute>,
}

impl BoardKey {
    /// The key that makes HMAC-SHA256 of a message of at most 64 bytes by `compute`, which blocks for milliseconds; `None`
    /// where it does not answer.
    pub fn new(compute: impl Fn(&[u8]) -> Option<Secret<32>> + Send + Sync + 'static) -> Option<Self> {
        let made = compute(ID_LABEL)?;
        Some(Self {
            id: *made.expose().first_chunk()?,
            compute: Box::new(compute),
        })
    }

    /// Tells it from another board's; says nothing of the key itself, and stands in the slots.
    pub(super) const fn id(&self) -> &[u8; BOARD_ID_LEN] {
        &self.id
    }

    /// What it makes of `message`: HMAC-SHA256.
    pub(super) fn hmac(&self, message: &[u8]) -> Option<Secret<32>> {
        (self.compute)(message)
    }
}

impl fmt::Debug for BoardKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoardKey([secret])")
    }
}

#[cfg(test)]
mod tests {
    use super::super::kdf;
    use super::*;

    #[test]
    fn one_that_does_not_answer_is_none_and_none_is_printed() {
        assert!(BoardKey::new(|_| None).is_none());
        let key = |byte| BoardKey::new(move |message: &[u8]| Some(kdf::hmac(&[byte; 32], message))).unwrap();
        assert_eq!(key(1).id(), key(1).id());
        assert_ne!(key(1).id(), key(2).id());
        assert_eq!(format!("{:?}", key(1)), "BoardKey([secret])");
    }
}
