//! Chance that can be had again: the same seed gives the same choices.

use std::time::Duration;

/// A generator of choices (`SplitMix64`, Steele et al. 2014): quick, small, and no secret.
#[derive(Debug, Clone)]
pub(crate) struct Chance(u64);

impl Chance {
    /// The seed in the environment variable `HUB_TEST_SEED`, else one by chance; it is printed, and seen when a test
    /// fails.
    #[allow(clippy::print_stdout, reason = "a failed test shows it, so that it can be run again")]
    pub(crate) fn from_environment() -> Self {
        let given = std::env::var("HUB_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| getrandom::u64().unwrap_or(1));
        println!("HUB_TEST_SEED={seed}");
        Self(seed)
    }

    /// Another generator, whose choices do not depend on how often this one is asked later.
    pub(crate) fn split(&mut self) -> Self {
        Self(self.next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap_or(u64::MAX)).unwrap_or(0)
    }

    /// A time below `longest`, by microseconds.
    pub(crate) fn time_below(&mut self, longest: Duration) -> Duration {
        let micros = usize::try_from(longest.as_micros()).unwrap_or(usize::MAX);
        Duration::from_micros(u64::try_from(self.below(micros.max(1))).unwrap_or(0))
    }
}
