//! Chance that is the same everywhere: SplitMix64 (G. L. Steele, D. Lea, C. H. Flood, "Fast Splittable Pseudorandom
//! Number Generators", OOPSLA 2014).
//!
//! Promise: the same seed gives the same numbers on every platform and with every version of every dependency. It is
//! no source of secrets.

/// A stream of numbers from a seed.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound` (which is above zero), by multiply and shift.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        let wide = (u128::from(self.next()) * bound as u128) >> 64;
        usize::try_from(wide).unwrap_or(0)
    }

    /// A number from `low` to `high`, both possible.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = usize::try_from(high - low + 1).unwrap_or(1);
        low + i64::try_from(self.below(span)).unwrap_or(0)
    }

    /// True in so many of a hundred cases.
    pub(super) fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    /// One of them.
    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// A UUIDv7 (RFC 9562, section 5.7) of that time in ms.
    pub(super) fn id(&mut self, ms: i64) -> String {
        let mut tail = [0u8; 10];
        tail[..8].copy_from_slice(&self.next().to_be_bytes());
        tail[8..].copy_from_slice(&self.next().to_be_bytes()[..2]);
        let millis = u64::try_from(ms).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &tail)
            .into_uuid()
            .to_string()
    }

    /// 16 bytes.
    pub(super) fn salt(&mut self) -> [u8; 16] {
        let mut salt = [0u8; 16];
        salt[..8].copy_from_slice(&self.next().to_be_bytes());
        salt[8..].copy_from_slice(&self.next().to_be_bytes());
        salt
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_sequence() {
        // First outputs of SplitMix64 for the seed 1234567, as its reference implementation prints them.
        let mut random = Random::new(1_234_567);
        let first: [u64; 3] = std::array::from_fn(|_| random.next());
        assert_eq!(
            first,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn numbers_stay_in_their_range() {
        let mut random = Random::new(1);
        assert!((0..1000).all(|_| (-3..=3).contains(&random.between(-3, 3))));
        assert!((0..1000).all(|_| random.below(7) < 7));
        assert_eq!(random.id(0x0123_4567_89ab)[..15], *"01234567-89ab-7");
    }
}
