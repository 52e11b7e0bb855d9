//! The phone's own clock, which may be wrong, and the ids that it makes from it.
//!
//! Promise: times never repeat and never go back on one phone, as with the app's `updated_at`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use uuid::Uuid;

/// A phone's clock in milliseconds since 1970-01-01T00:00Z.
#[derive(Debug, Clone)]
pub struct PhoneClock {
    source: Source,
    last: i64,
}

#[derive(Debug, Clone)]
enum Source {
    /// The machine's clock, plus an error in ms.
    System { error: i64 },
    /// One millisecond a reading.
    Stepping,
}

impl PhoneClock {
    /// A clock that is right.
    #[must_use]
    pub fn system() -> Self {
        Self::wrong_by(0)
    }

    /// A clock that is wrong by so many milliseconds: fast when positive.
    #[must_use]
    pub fn wrong_by(error: i64) -> Self {
        Self {
            source: Source::System { error },
            last: i64::MIN,
        }
    }

    /// A clock that begins after `start` (ms) and moves by one millisecond at each reading.
    #[must_use]
    pub fn stepping_from(start: i64) -> Self {
        Self {
            source: Source::Stepping,
            last: start,
        }
    }

    /// Now, in ms; later than every time given out before.
    pub fn now(&mut self) -> i64 {
        let next = self.last.saturating_add(1);
        self.last = match self.source {
            Source::System { error } => next.max(system_ms().saturating_add(error)),
            Source::Stepping => next,
        };
        self.last
    }

    /// A new id in the app's form: UUIDv7 (RFC 9562, section 5.7) of this clock's time.
    pub fn new_id(&mut self) -> String {
        let random = Uuid::new_v4().into_bytes();
        let mut tail = [0u8; 10];
        tail.copy_from_slice(&random[..10]);
        let millis = u64::try_from(self.now()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &tail)
            .into_uuid()
            .to_string()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a phone's clock is not the hub's: that it may be wrong is the point"
)]
fn system_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_ids_only_grow() {
        let mut clock = PhoneClock::stepping_from(1_760_000_000_000);
        let ids: Vec<String> = (0..100).map(|_| clock.new_id()).collect();
        assert!(ids.is_sorted());
        assert_eq!(clock.now(), 1_760_000_000_101);
        let mut fast = PhoneClock::wrong_by(3_600_000);
        assert!(fast.now() > PhoneClock::system().now());
        assert!(fast.now() < fast.now());
    }
}
