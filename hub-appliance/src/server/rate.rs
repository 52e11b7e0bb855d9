//! How often one source (an address, or a phone at an address) may do a thing, with a table of bounded size.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::status::Failure;

const MINUTE: Duration = Duration::from_secs(60);

/// So many a minute from each source: the generic cell rate algorithm (ITU-T I.371), which needs one moment a
/// source: the one at which it will have its whole minute's worth again.
#[derive(Debug)]
pub(super) struct RateLimiter<S> {
    interval: Duration,
    sources: usize,
    rested_at: Mutex<HashMap<S, Instant>>,
}

impl<S: Copy + Eq + Hash> RateLimiter<S> {
    /// Lets `per_minute` (at least 1) pass from each source and remembers at most `sources` of them.
    pub(super) fn new(per_minute: u32, sources: usize) -> Self {
        Self {
            interval: MINUTE / per_minute.max(1),
            sources: sources.max(1),
            rested_at: Mutex::default(),
        }
    }

    /// Counts one.
    ///
    /// # Errors
    /// [`Failure::TooMany`] with the time until the next one may pass; that one is not counted.
    pub(super) fn admit(&self, source: S, now: Instant) -> Result<(), Failure> {
        let mut rested_at = self.rested_at.lock().unwrap_or_else(PoisonError::into_inner);
        let used = rested_at
            .get(&source)
            .map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        let allowed = MINUTE.saturating_sub(self.interval);
        if let Some(retry_after) = used.checked_sub(allowed).filter(|wait| !wait.is_zero()) {
            return Err(Failure::TooMany { retry_after });
        }
        if rested_at.len() >= self.sources && !rested_at.contains_key(&source) {
            make_room(&mut rested_at, self.sources, now);
        }
        rested_at.insert(source, now + used + self.interval);
        Ok(())
    }
}

/// Forgets the sources that have rested, or, with none, the one nearest to it: a flood of made-up addresses costs
/// the quiet ones nothing, and the busy ones keep their count.
fn make_room<S: Copy + Eq + Hash>(rested_at: &mut HashMap<S, Instant>, bound: usize, now: Instant) {
    rested_at.retain(|_, at| *at > now);
    if rested_at.len() >= bound
        && let Some(nearest) = rested_at.iter().min_by_key(|(_, at)| **at).map(|(source, _)| *source)
    {
        rested_at.remove(&nearest);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use proptest::prelude::*;

    use super::*;

    fn address(number: u32) -> IpAddr {
        Ipv4Addr::from(number).into()
    }

    #[test]
    fn a_minutes_worth_passes_at_once_and_then_one_an_interval() {
        let limiter = RateLimiter::new(10, 8);
        let start = Instant::now();
        for _ in 0..10 {
            assert_eq!(limiter.admit(address(1), start), Ok(()));
        }
        let refused = Err(Failure::TooMany {
            retry_after: Duration::from_secs(6),
        });
        assert_eq!(limiter.admit(address(1), start), refused);
        assert_eq!(
            limiter.admit(address(1), start),
            refused,
            "a refused one is not counted"
        );
        assert_eq!(
            limiter.admit(address(2), start),
            Ok(()),
            "each address has its own count"
        );

        let later = start + Duration::from_secs(6);
        assert_eq!(limiter.admit(address(1), later), Ok(()));
        assert!(limiter.admit(address(1), later).is_err());
    }

    #[test]
    fn the_table_stays_bounded_and_keeps_who_is_busy() {
        let limiter = RateLimiter::new(2, 4);
        let now = Instant::now();
        limiter.admit(address(0), now).unwrap();
        limiter.admit(address(0), now).unwrap();
        for number in 1..1000 {
            limiter.admit(address(number), now).unwrap();
        }
        assert!(limiter.rested_at.lock().unwrap().len() <= 4);
        assert!(limiter.admit(address(0), now).is_err());
    }

    proptest! {
        #[test]
        fn never_more_than_two_minutes_worth_in_a_minute(per_minute in 1_u32..50, steps in proptest::collection::vec(0_u64..2_000, 1..400)) {
            let limiter = RateLimiter::new(per_minute, 4);
            let start = Instant::now();
            let mut at = Duration::ZERO;
            let mut passed = Vec::new();
            for step in steps {
                at += Duration::from_millis(step);
                if limiter.admit(address(1), start + at).is_ok() {
                    passed.push(at);
                }
            }
            for (index, from) in passed.iter().enumerate() {
                let within = passed[index..].iter().take_while(|at| **at < *from + MINUTE).count();
                prop_assert!(within <= 2 * per_minute as usize);
            }
        }
    }
}
