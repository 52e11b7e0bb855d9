//! Emergency access: for a while, staff who are logged in may read any record by single calls.
//!
//! It widens what those calls show and nothing else: no pull, so that nothing stays on a phone, and no write.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::clock::RunTime;

/// How long it is open.
pub const EMERGENCY: Duration = Duration::from_secs(30 * 60);

/// Whether it is open; by default it is not. It ends by itself, by time that passed, not by the time of day.
#[derive(Debug, Default)]
pub struct Emergency {
    /// The run time at which it ends, milliseconds; 0: it is not open.
    until: AtomicI64,
}

impl Emergency {
    /// Opens it for [`EMERGENCY`] from `now`.
    pub fn open(&self, now: RunTime) {
        let length = i64::try_from(EMERGENCY.as_millis()).unwrap_or(0);
        self.until.store(now.millis().saturating_add(length), Ordering::Release);
    }

    /// Ends it, and says whether it had not been ended before.
    pub fn end(&self) -> bool {
        self.until.swap(0, Ordering::AcqRel) != 0
    }

    /// Whether it was opened and has not been ended, whatever its time.
    pub fn was_opened(&self) -> bool {
        self.until.load(Ordering::Acquire) != 0
    }

    /// How long it is still open; none: it is not.
    pub fn left(&self, now: RunTime) -> Option<Duration> {
        let left = self.until.load(Ordering::Acquire).saturating_sub(now.millis());
        u64::try_from(left)
            .ok()
            .filter(|left| *left > 0)
            .map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_open_for_half_an_hour_that_passes_and_not_a_moment_longer() {
        let emergency = Emergency::default();
        let at = |millis: i64| RunTime::from_millis(7_000 + millis);
        assert_eq!(emergency.left(at(0)), None);
        assert!(!emergency.was_opened() && !emergency.end());
        emergency.open(at(0));
        assert_eq!(emergency.left(at(0)), Some(EMERGENCY));
        assert_eq!(emergency.left(at(30 * 60 * 1000 - 1)), Some(Duration::from_millis(1)));
        assert_eq!(emergency.left(at(30 * 60 * 1000)), None);
        assert!(emergency.was_opened(), "somebody has yet to write down that it ended");
        assert!(emergency.end());
        assert_eq!(emergency.left(at(1)), None);
        assert!(!emergency.was_opened());
    }
}
