//! The hub clock: epoch milliseconds that never stand still and never go back.
//!
//! A Raspberry Pi has no clock that survives power-off, so the hub's time is
//! `max(system time, last time handed out + 1 ms, build time of the firmware)`.
//! It is the only place that asks the operating system for the time of day.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// A moment on the hub clock: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct HubTime(i64);

impl HubTime {
    /// Before everything: what a phone that has never pulled asks from.
    pub const ZERO: Self = Self(0);

    /// From epoch milliseconds.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Epoch milliseconds.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// This moment moved by `millis`.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }
}

/// Where the time of day comes from. Tests put in a clock of their own.
pub trait TimeSource: Send + Sync {
    /// Epoch milliseconds.
    fn millis(&self) -> i64;
}

/// The operating system's clock.
#[derive(Debug, Default)]
pub struct SystemClock;

impl TimeSource for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "the one place that reads the time of day")]
    fn millis(&self) -> i64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |elapsed| i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The hub clock. Shared by reference; handing out a time takes no lock.
pub struct HubClock {
    last: AtomicI64,
    source: Box<dyn TimeSource>,
}

impl std::fmt::Debug for HubClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HubClock")
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}

impl HubClock {
    /// A clock that never shows a time below `floor` (the firmware's build time).
    #[must_use]
    pub fn new(source: Box<dyn TimeSource>, floor: HubTime) -> Self {
        Self {
            last: AtomicI64::new(floor.0),
            source,
        }
    }

    /// Takes notice of a time that was handed out earlier (before a restart, say): later ones are above it.
    pub fn observe(&self, earlier: HubTime) {
        self.last.fetch_max(earlier.0, Ordering::AcqRel);
    }

    /// A new time, above every one handed out before.
    pub fn now(&self) -> HubTime {
        let system = self.source.millis();
        let mut last = self.last.load(Ordering::Acquire);
        loop {
            let next = system.max(last.saturating_add(1));
            match self
                .last
                .compare_exchange_weak(last, next, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return HubTime(next),
                Err(seen) => last = seen,
            }
        }
    }

    /// Whether the hub's time is its source's, and not one that was handed out earlier or the firmware's own.
    #[must_use]
    pub fn follows_its_source(&self) -> bool {
        // A source that is a little behind the times handed out is a busy hub, not a wrong clock.
        const BUSY_MS: i64 = 60 * 1000;
        self.source.millis() + BUSY_MS >= self.last.load(Ordering::Acquire)
    }

    /// The time to show or compare with, without handing out a new one.
    #[must_use]
    pub fn peek(&self) -> HubTime {
        HubTime(self.source.millis().max(self.last.load(Ordering::Acquire)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;

    struct Scripted(std::sync::Mutex<Vec<i64>>);

    impl TimeSource for Scripted {
        fn millis(&self) -> i64 {
            self.0.lock().unwrap().pop().unwrap_or(0)
        }
    }

    proptest! {
        #[test]
        fn grows_whatever_the_system_clock_does(readings in proptest::collection::vec(any::<i32>(), 1..50), floor in 0_i64..1 << 40) {
            let count = readings.len();
            let clock = HubClock::new(Box::new(Scripted(std::sync::Mutex::new(readings.into_iter().map(i64::from).collect()))), HubTime::from_millis(floor));
            let mut last = HubTime::from_millis(floor);
            for _ in 0..count {
                let now = clock.now();
                prop_assert!(now > last);
                last = now;
            }
        }
    }

    #[test]
    fn threads_never_get_the_same_time() {
        let clock = Arc::new(HubClock::new(Box::new(SystemClock), HubTime::ZERO));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let clock = Arc::clone(&clock);
                std::thread::spawn(move || (0..1000).map(|_| clock.now()).collect::<Vec<_>>())
            })
            .collect();
        let mut all: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 4000);
    }
}
