//! Key derivation: Argon2id (RFC 9106) for what people type, HKDF-SHA256 (RFC 5869) for keys.

use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// Bytes of salt: what RFC 9106, section 3.1, recommends.
pub(super) const SALT_LEN: usize = 16;

const MIN_MEMORY_KIB: u32 = 64 * 1024;
const MAX_MEMORY_KIB: u32 = 256 * 1024;
const MAX_ITERATIONS: u32 = 64;
const MAX_LANES: u32 = 4;
/// The most that calibration chooses: a slower board that the disk is moved to must not wait for minutes.
const MAX_CALIBRATED_ITERATIONS: u32 = 32;

/// What one guess costs: the parameters of Argon2id, always within the bounds that [`KdfCost::new`] sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KdfCost {
    memory_kib: u32,
    iterations: u32,
    lanes: u32,
}

/// Why no key came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KdfError {
    /// The parameters are weaker than this firmware accepts, or would take more memory or time than it allows.
    #[error("the key derivation parameters are out of bounds")]
    CostOutOfBounds,
    /// The memory that the parameters ask for is not to be had now.
    #[error("not enough memory for the key derivation")]
    OutOfMemory,
    /// Argon2id refused its input.
    #[error("key derivation failed: {0}")]
    Argon2(argon2::Error),
}

impl KdfCost {
    /// The least that is accepted: 64 MiB, one pass, one lane.
    pub const MINIMUM: Self = Self {
        memory_kib: MIN_MEMORY_KIB,
        iterations: 1,
        lanes: 1,
    };

    /// Memory in KiB (64 to 256 MiB), passes (1 to 64), lanes (1 to 4).
    ///
    /// The upper bounds keep a tampered file from exhausting the board, the lower one from being a weak lock.
    ///
    /// # Errors
    /// [`KdfError::CostOutOfBounds`].
    pub fn new(memory_kib: u32, iterations: u32, lanes: u32) -> Result<Self, KdfError> {
        if (MIN_MEMORY_KIB..=MAX_MEMORY_KIB).contains(&memory_kib)
            && (1..=MAX_ITERATIONS).contains(&iterations)
            && (1..=MAX_LANES).contains(&lanes)
        {
            Ok(Self {
                memory_kib,
                iterations,
                lanes,
            })
        } else {
            Err(KdfError::CostOutOfBounds)
        }
    }

    /// The cost that takes about `target` on this board: 64 MiB, one lane, 1 to 32 passes. One lane, because the
    /// lanes run one after the other here. Runs Argon2id with one pass and with two to find out.
    ///
    /// # Errors
    /// [`KdfError::OutOfMemory`].
    pub fn calibrate(target: Duration) -> Result<Self, KdfError> {
        let with = |iterations| Self {
            iterations,
            ..Self::MINIMUM
        };
        let one = time_taken(with(1))?;
        let two = time_taken(with(2))?;
        Ok(with(iterations_within(target, one, two)))
    }

    /// Memory in KiB.
    #[must_use]
    pub fn memory_kib(self) -> u32 {
        self.memory_kib
    }

    /// Passes over the memory.
    #[must_use]
    pub fn iterations(self) -> u32 {
        self.iterations
    }

    /// Lanes.
    #[must_use]
    pub fn lanes(self) -> u32 {
        self.lanes
    }
}

fn time_taken(cost: KdfCost) -> Result<Duration, KdfError> {
    let start = Instant::now();
    stretch(&[0; 8], &[0; SALT_LEN], cost)?;
    Ok(start.elapsed())
}

/// Passes that fit into `target`, from the times that `one` pass and `two` passes took. The first costs more than the
/// others, for it includes getting and wiping the memory.
fn iterations_within(target: Duration, one: Duration, two: Duration) -> u32 {
    // A disturbed measurement must not make the others look free.
    let each = two.saturating_sub(one).max(one / 4).as_nanos().max(1);
    let others = target.saturating_sub(one).as_nanos() / each;
    u32::try_from(others)
        .unwrap_or(u32::MAX)
        .saturating_add(1)
        .min(MAX_CALIBRATED_ITERATIONS)
}

/// Argon2id version 1.3 with 32 bytes of output, no secret and no associated data.
pub(super) fn stretch(secret: &[u8], salt: &[u8; SALT_LEN], cost: KdfCost) -> Result<Secret<32>, KdfError> {
    let mut key = Secret::new([0; 32]);
    let params = Params::new(cost.memory_kib, cost.iterations, cost.lanes, Some(key.expose().len()))
        .map_err(KdfError::Argon2)?;
    // The crate's own allocation is not wiped, and its last blocks give the key away.
    let mut memory = Vec::new();
    memory
        .try_reserve_exact(params.block_count())
        .map_err(|_| KdfError::OutOfMemory)?;
    memory.resize(params.block_count(), Block::new());
    let mut memory = Zeroizing::new(memory.into_boxed_slice());
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(secret, salt, key.expose_mut(), &mut memory[..])
        .map_err(KdfError::Argon2)?;
    Ok(key)
}

/// HKDF-SHA256, extract and expand; an empty `salt` is RFC 5869's default.
pub(super) fn hkdf<const N: usize>(key: &[u8], salt: &[u8], info: &[u8]) -> Secret<N> {
    const { assert!(N <= 255 * 32, "RFC 5869, section 2.3") };
    let mut output = Secret::new([0; N]);
    Hkdf::<Sha256>::new(Some(salt), key)
        .expand(info, output.expose_mut())
        .expect("the length was checked when this was compiled");
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_kept() {
        for (memory, iterations, lanes) in [
            (64 * 1024 - 1, 1, 1),
            (256 * 1024 + 1, 1, 1),
            (u32::MAX, 1, 1),
            (64 * 1024, 0, 1),
            (64 * 1024, 65, 1),
            (64 * 1024, u32::MAX, 1),
            (64 * 1024, 1, 0),
            (64 * 1024, 1, 5),
        ] {
            assert_eq!(KdfCost::new(memory, iterations, lanes), Err(KdfError::CostOutOfBounds));
        }
        assert_eq!(KdfCost::new(64 * 1024, 1, 1), Ok(KdfCost::MINIMUM));
        assert!(KdfCost::new(256 * 1024, 64, 4).is_ok());
    }

    #[test]
    fn passes_fill_the_target() {
        let ms = Duration::from_millis;
        assert_eq!(iterations_within(ms(1000), ms(400), ms(700)), 3);
        assert_eq!(iterations_within(ms(1000), ms(300), ms(500)), 4);
        assert_eq!(iterations_within(ms(1000), ms(2000), ms(3000)), 1);
        assert_eq!(iterations_within(ms(1000), ms(400), ms(300)), 7);
        assert_eq!(iterations_within(ms(1000), ms(1), ms(2)), 32);
        assert_eq!(iterations_within(Duration::ZERO, ms(300), ms(600)), 1);
        assert_eq!(iterations_within(Duration::MAX, Duration::ZERO, Duration::ZERO), 32);
    }

    #[test]
    fn calibration_gives_an_acceptable_cost() {
        let cost = KdfCost::calibrate(Duration::ZERO).unwrap();
        assert_eq!(cost, KdfCost::MINIMUM);
    }
}
