//! Key derivation: Argon2id (RFC 9106) for what people type, HKDF-SHA256 (RFC 5869) for keys.

use std::time::Duration;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use nix::time::{ClockId, clock_gettime};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// Bytes of salt: what RFC 9106, section 3.1, recommends.
pub(super) const SALT_LEN: usize = 16;

const MIN_MEMORY_KIB: u32 = 64 * 1024;
const MAX_MEMORY_KIB: u32 = 256 * 1024;
const MAX_ITERATIONS: u32 = 64;
const MAX_LANES: u32 = 4;
/// The least that calibration chooses, on however slow a board: RFC 9106, section 4, second recommended option.
const MIN_CALIBRATED_ITERATIONS: u32 = 3;
/// The most that it chooses: a slower board that the disk is moved to must not wait for minutes.
const MAX_CALIBRATED_ITERATIONS: u32 = 32;
/// How often each cost is measured. The quickest counts: whatever disturbs a measurement only makes it longer.
const SAMPLES: usize = 3;

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

    /// The least that a slot is made with: 64 MiB, three passes, one lane.
    pub const FLOOR: Self = Self {
        iterations: MIN_CALIBRATED_ITERATIONS,
        ..Self::MINIMUM
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

    /// The cost that takes about `target` of this board's processor: 64 MiB, one lane, 3 to 32 passes. One lane, because
    /// the lanes run one after the other here. Runs Argon2id three times with one pass and with two to find out, and what
    /// else the board is doing meanwhile makes no difference.
    ///
    /// # Errors
    /// [`KdfError::OutOfMemory`].
    pub fn calibrate(target: Duration) -> Result<Self, KdfError> {
        // Nothing fits into no time, so there is nothing to find out.
        if target.is_zero() {
            return Ok(Self::FLOOR);
        }
        Self::calibrate_by(target, |cost| {
            timed(&[0; 8], &[0; SALT_LEN], cost).map(|(_, took)| took)
        })
    }

    fn calibrate_by(
        target: Duration,
        mut measure: impl FnMut(Self) -> Result<Duration, KdfError>,
    ) -> Result<Self, KdfError> {
        let with = |iterations| Self {
            iterations,
            ..Self::MINIMUM
        };
        let mut best =
            |cost| (0..SAMPLES).try_fold(Duration::MAX, |best, _| Ok::<_, KdfError>(best.min(measure(cost)?)));
        let (one, two) = (best(with(1))?, best(with(2))?);
        Ok(with(iterations_within(target, one, two)))
    }

    /// Whether a guess at this cost is so cheap that a board on which it `took` so long of the processor should choose
    /// another by [`Self::calibrate`]: it is below the floor, or a quarter more of it, and a pass, would fit into `target`.
    pub(super) fn is_too_cheap(self, took: Duration, target: Duration) -> bool {
        let more = (took / 4).max(took / self.iterations.max(1));
        self.work() < Self::FLOOR.work()
            || self.work() < with_most_passes().work() && took.saturating_add(more) < target
    }

    /// What one guess costs, in passes over a KiB.
    pub(super) fn work(self) -> u64 {
        u64::from(self.memory_kib) * u64::from(self.iterations)
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

/// The most that calibration chooses.
fn with_most_passes() -> KdfCost {
    KdfCost {
        iterations: MAX_CALIBRATED_ITERATIONS,
        ..KdfCost::MINIMUM
    }
}

/// [`stretch`], and how much of the processor it took.
pub(super) fn timed(secret: &[u8], salt: &[u8; SALT_LEN], cost: KdfCost) -> Result<(Secret<32>, Duration), KdfError> {
    let before = thread_time();
    let key = stretch(secret, salt, cost)?;
    Ok((key, thread_time().saturating_sub(before)))
}

/// How much of the processor this thread has had. By the time of day a busy board would look slow, and its keys were
/// cheap to guess on any other.
fn thread_time() -> Duration {
    // Linux has this clock since 2.6.12. Were it missing all costs would look free, and the dearest be chosen.
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
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
        .clamp(MIN_CALIBRATED_ITERATIONS, MAX_CALIBRATED_ITERATIONS)
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

/// HMAC-SHA256.
pub(super) fn hmac(key: &[u8; 32], message: &[u8]) -> Secret<32> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message);
    Secret::new(mac.finalize().into_bytes().into())
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
        assert_eq!(
            iterations_within(ms(1000), ms(2000), ms(3000)),
            3,
            "never below the floor"
        );
        assert_eq!(iterations_within(ms(1000), ms(400), ms(300)), 7);
        assert_eq!(iterations_within(ms(1000), ms(1), ms(2)), 32);
        assert_eq!(iterations_within(Duration::ZERO, ms(300), ms(600)), 3);
        assert_eq!(iterations_within(Duration::MAX, Duration::ZERO, Duration::ZERO), 32);
    }

    #[test]
    fn a_disturbed_sample_does_not_make_guesses_cheap() {
        let ms = Duration::from_millis;
        let quiet = |cost: KdfCost| ms(20 + 30 * u64::from(cost.iterations()));
        for disturbed in 0..6 {
            let mut sample = 0;
            let cost = KdfCost::calibrate_by(ms(1000), |cost| {
                sample += 1;
                Ok(quiet(cost) * if sample - 1 == disturbed { 20 } else { 1 })
            });
            assert_eq!(cost.unwrap().iterations(), 32, "sample {disturbed}");
        }
    }

    #[test]
    fn calibration_gives_the_floor_where_nothing_fits() {
        assert_eq!(KdfCost::calibrate(Duration::ZERO).unwrap(), KdfCost::FLOOR);
    }

    #[test]
    fn what_others_do_on_the_processor_is_not_counted() {
        const BUSY: Duration = Duration::from_millis(200);
        let before = thread_time();
        let busy = std::thread::spawn(|| {
            let before = thread_time();
            while thread_time() - before < BUSY {
                std::hint::spin_loop();
            }
        });
        busy.join().unwrap();
        assert!(thread_time() - before < BUSY);
    }

    #[test]
    fn a_cost_is_too_cheap_by_what_it_took_today() {
        let ms = Duration::from_millis;
        let cost = |iterations| KdfCost::new(64 * 1024, iterations, 1).unwrap();
        let target = ms(1000);
        assert!(cost(1).is_too_cheap(ms(5000), target), "below the floor");
        assert!(!cost(3).is_too_cheap(ms(5000), target));
        assert!(cost(5).is_too_cheap(ms(400), target));
        assert!(!cost(5).is_too_cheap(ms(900), target));
        assert!(
            !cost(3).is_too_cheap(ms(760), target),
            "a fourth pass would be too much"
        );
        assert!(!cost(32).is_too_cheap(ms(1), target), "there is none above it");
    }
}
