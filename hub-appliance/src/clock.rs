//! The hub clock: epoch milliseconds that never stand still and never go back.
//!
//! A Raspberry Pi has no clock that survives power-off, so the hub's time is
//! `max(system time, last time handed out + 1 ms, build time of the firmware)`.
//! It is the only place that asks the operating system for the time of day. Where that has none either, a person may set the
//! hub clock by hand, forward only; from then on it goes by how long the box has run, until the system knows better or the
//! box is switched off.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

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

/// How long the box has run with its store, milliseconds: time that passed, which no step of the time of day changes. It
/// grows from start to start, and stands still while the box is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct RunTime(i64);

impl RunTime {
    /// From milliseconds.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Milliseconds from `earlier` to this.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Where the time of day comes from. Tests put in a clock of their own.
pub trait TimeSource: Send + Sync {
    /// Epoch milliseconds.
    fn millis(&self) -> i64;

    /// Milliseconds since the start of the system, which no step of the time of day changes.
    fn running(&self) -> i64 {
        // Linux has this clock since 2.6.39. It counts while the system sleeps, unlike CLOCK_MONOTONIC.
        clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(0, |time| {
            i64::try_from(Duration::from(time).as_millis()).unwrap_or(i64::MAX)
        })
    }
}

/// The operating system's clock.
#[derive(Debug, Default)]
pub struct SystemClock;

/// The operating system's clock as it would be where there is neither network nor clock chip: behind by so much.
#[derive(Debug, Default)]
pub struct LateClock(pub Duration);

impl TimeSource for LateClock {
    fn millis(&self) -> i64 {
        let behind = i64::try_from(self.0.as_millis()).unwrap_or(i64::MAX);
        SystemClock.millis().saturating_sub(behind)
    }
}

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
    /// What the run time is ahead of the source's: what earlier starts of the box have run.
    ran_before: AtomicI64,
    /// What a time that was set by hand is ahead of the source's run time; nothing was set where it is 0.
    by_hand: AtomicI64,
    /// What the hub clock showed when that was set: a source that shows more knows better.
    before_hand: AtomicI64,
    source: Box<dyn TimeSource>,
}

/// Where the hub's time comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockSource {
    /// From the system, which has it from the network or from a clock chip.
    System,
    /// From a person, since the start.
    Hand,
    /// From nowhere: it is one that was shown earlier, or the firmware's own.
    Nowhere,
}

/// Why the clock was not set by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetClockError {
    /// The system knows the time.
    #[error("the time is known")]
    Known,
    /// The hub clock has shown that time before, or a later one.
    #[error("the clock never goes back")]
    Back,
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
            ran_before: AtomicI64::new(0),
            by_hand: AtomicI64::new(0),
            before_hand: AtomicI64::new(0),
            source,
        }
    }

    /// Sets the clock by hand, forward.
    ///
    /// # Errors
    /// [`SetClockError`]; then nothing was changed.
    pub fn set(&self, time: HubTime) -> Result<(), SetClockError> {
        if self.source() == ClockSource::System {
            return Err(SetClockError::Known);
        }
        let before = self.peek();
        if time <= before {
            return Err(SetClockError::Back);
        }
        self.before_hand.store(before.0, Ordering::Release);
        self.by_hand
            .store(time.0.saturating_sub(self.source.running()), Ordering::Release);
        self.observe(time);
        Ok(())
    }

    /// What the source says, or a person as long as that knows nothing better.
    fn millis(&self) -> i64 {
        self.hand_set().unwrap_or_else(|| self.source.millis())
    }

    fn hand_set(&self) -> Option<i64> {
        let ahead = self.by_hand.load(Ordering::Acquire);
        let knows_better = || self.source.millis() > self.before_hand.load(Ordering::Acquire);
        (ahead != 0 && !knows_better()).then(|| ahead.saturating_add(self.source.running()))
    }

    /// Takes notice of a time that was handed out earlier (before a restart, say): later ones are above it.
    pub fn observe(&self, earlier: HubTime) {
        self.last.fetch_max(earlier.0, Ordering::AcqRel);
    }

    /// How long the box has run.
    #[must_use]
    pub fn run_time(&self) -> RunTime {
        let before = self.ran_before.load(Ordering::Acquire);
        RunTime(before.saturating_add(self.source.running()))
    }

    /// Takes notice of how long the box had run when that was written down: from now on it is more.
    pub fn has_run(&self, earlier: RunTime) {
        let before = earlier.0.saturating_sub(self.source.running());
        self.ran_before.fetch_max(before, Ordering::AcqRel);
    }

    /// A new time, above every one handed out before.
    pub fn now(&self) -> HubTime {
        let system = self.millis();
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

    /// Whether the hub's time is its source's, and not one that was set by hand, handed out earlier, or the firmware's own.
    #[must_use]
    pub fn follows_its_source(&self) -> bool {
        self.source() == ClockSource::System
    }

    /// Where the hub's time comes from.
    #[must_use]
    pub fn source(&self) -> ClockSource {
        // A source that is a little behind the times handed out is a busy hub, not a wrong clock.
        const BUSY_MS: i64 = 60 * 1000;
        if self.hand_set().is_some() {
            ClockSource::Hand
        } else if self.source.millis() + BUSY_MS >= self.last.load(Ordering::Acquire) {
            ClockSource::System
        } else {
            ClockSource::Nowhere
        }
    }

    /// The time to show or compare with, without handing out a new one.
    #[must_use]
    pub fn peek(&self) -> HubTime {
        HubTime(self.millis().max(self.last.load(Ordering::Acquire)))
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

    #[test]
    fn run_time_goes_on_from_start_to_start_and_is_no_time_of_day() {
        struct Started(AtomicI64, i64);
        impl TimeSource for Started {
            fn millis(&self) -> i64 {
                self.0.load(Ordering::Relaxed)
            }
            fn running(&self) -> i64 {
                self.1
            }
        }
        let start = |ran| HubClock::new(Box::new(Started(AtomicI64::new(7), ran)), HubTime::ZERO);
        let first = start(5_000);
        first.has_run(RunTime::default());
        assert_eq!(first.run_time().millis(), 5_000);
        first.observe(HubTime::from_millis(1 << 40));
        assert_eq!(first.run_time().millis(), 5_000);
        // The next start, a second ago.
        let next = start(1_000);
        next.has_run(first.run_time());
        assert_eq!(next.run_time().millis(), 5_000);
        // Told again what is long over.
        next.has_run(RunTime::from_millis(2_000));
        assert_eq!(next.run_time().since(first.run_time()), 0);
    }

    /// A system whose time of day and run time a test sets.
    struct Played(Arc<(AtomicI64, AtomicI64)>);

    impl TimeSource for Played {
        fn millis(&self) -> i64 {
            self.0.0.load(Ordering::Relaxed)
        }

        fn running(&self) -> i64 {
            self.0.1.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn a_clock_that_knows_no_time_is_set_by_hand_forward_only_and_runs_until_the_system_knows_better() {
        let system = Arc::new((AtomicI64::new(5), AtomicI64::new(1_000)));
        let clock = HubClock::new(Box::new(Played(Arc::clone(&system))), HubTime(1_000_000));
        assert_eq!(clock.source(), ClockSource::Nowhere);
        assert_eq!(clock.set(HubTime(1_000_000)), Err(SetClockError::Back));
        clock.set(HubTime(2_000_000)).unwrap();
        assert_eq!((clock.source(), clock.peek()), (ClockSource::Hand, HubTime(2_000_000)));
        assert!(!clock.follows_its_source());
        // It runs, with nobody asking for times.
        system.1.store(61_000, Ordering::Relaxed);
        assert_eq!(clock.peek(), HubTime(2_060_000));
        assert!(clock.now() >= HubTime(2_060_000));
        // A mistake is mended forward, and not back.
        assert_eq!(clock.set(HubTime(2_060_000)), Err(SetClockError::Back));
        clock.set(HubTime(3_000_000)).unwrap();
        system.1.store(62_000, Ordering::Relaxed);
        assert_eq!(clock.peek(), HubTime(3_001_000));
        // The network tells the time: it is what counts, though the clock does not go back for it.
        system.0.store(2_900_000, Ordering::Relaxed);
        assert!(clock.peek() >= HubTime(3_000_000));
        assert_eq!(clock.source(), ClockSource::Nowhere);
        system.0.store(3_100_000, Ordering::Relaxed);
        assert_eq!(
            (clock.source(), clock.peek()),
            (ClockSource::System, HubTime(3_100_000))
        );
        assert_eq!(clock.set(HubTime(4_000_000)), Err(SetClockError::Known));
        system.1.store(900_000, Ordering::Relaxed);
        assert_eq!(clock.peek(), HubTime(3_100_000));
    }

    #[test]
    fn the_systems_run_time_is_that_of_its_kernel() {
        let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
        let seconds: i64 = uptime.split('.').next().unwrap().parse().unwrap();
        let running = SystemClock.running() / 1000;
        assert!((seconds..seconds + 60).contains(&running), "{running}, {seconds}");
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
