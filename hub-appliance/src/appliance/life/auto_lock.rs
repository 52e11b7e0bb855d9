//! When the owner wants the hub to lock by itself: at a time of day, or after hours in which no phone called.

use jiff::{Timestamp, ToSpan};

use crate::clock::{ClockSource, HubClock, HubTime, RunTime};
use crate::setup_file::LockSetup;

/// How long after its time the hub still locks, milliseconds: later, a step of the clock passed it over.
const LATE_MS: i64 = 10 * 60 * 1000;

/// When the hub locks by itself, as its owner settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occasion {
    TimeOfDay,
    Idle,
}

/// Watches one open hub.
pub(super) struct AutoLock {
    setup: LockSetup,
    /// The next time of day; none while the clock can't be trusted: a clinic must not be locked out by a wrong one.
    due: Option<HubTime>,
    last_call: HubTime,
    /// Since when nobody called, by the time that passed.
    quiet_since: RunTime,
}

impl AutoLock {
    /// For a hub that opens now; `last_call` is when a phone was heard of last.
    pub(super) fn new(setup: LockSetup, clock: &HubClock, last_call: HubTime) -> Self {
        Self {
            setup,
            due: None,
            last_call,
            quiet_since: clock.run_time(),
        }
    }

    /// Whether it is to lock now. To be asked every few seconds.
    pub(super) fn look(&mut self, clock: &HubClock, last_call: HubTime) -> Option<Occasion> {
        if last_call != self.last_call {
            (self.last_call, self.quiet_since) = (last_call, clock.run_time());
        }
        if self.is_time(clock) {
            return Some(Occasion::TimeOfDay);
        }
        let quiet = clock.run_time().since(self.quiet_since);
        let is_idle = self
            .setup
            .idle
            .is_some_and(|idle| u128::try_from(quiet).is_ok_and(|quiet| quiet >= idle.as_millis()));
        is_idle.then_some(Occasion::Idle)
    }

    fn is_time(&mut self, clock: &HubClock) -> bool {
        if clock.source() == ClockSource::Nowhere {
            self.due = None;
            return false;
        }
        let now = clock.peek();
        match self.due {
            Some(due) if now < due => false,
            Some(due) if now <= due.plus_millis(LATE_MS) => true,
            _ => {
                self.due = self.next_after(now);
                false
            }
        }
    }

    /// The next time of day after `now`.
    fn next_after(&self, now: HubTime) -> Option<HubTime> {
        let (time, zone) = self.setup.at.as_ref()?;
        let now = Timestamp::from_millisecond(now.millis()).ok()?;
        let today = now.to_zoned(zone.clone()).date();
        let on = |date: jiff::civil::Date| date.to_datetime(*time).to_zoned(zone.clone()).ok();
        let next = on(today).filter(|next| next.timestamp() > now);
        let next = next.or_else(|| on(today.checked_add(1.day()).ok()?))?;
        Some(HubTime::from_millis(next.timestamp().as_millisecond()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::time::Duration;

    use jiff::civil::time;
    use jiff::tz::TimeZone;

    use super::*;
    use crate::clock::TimeSource;

    #[derive(Clone, Default)]
    struct Set {
        day: Arc<AtomicI64>,
        running: Arc<AtomicI64>,
    }

    impl TimeSource for Set {
        fn millis(&self) -> i64 {
            self.day.load(Ordering::Relaxed)
        }
        fn running(&self) -> i64 {
            self.running.load(Ordering::Relaxed)
        }
    }

    impl Set {
        fn at(text: &str) -> Self {
            let set = Self::default();
            set.is(text);
            set
        }
        fn is(&self, text: &str) {
            let at: Timestamp = text.parse().unwrap();
            self.day.store(at.as_millisecond(), Ordering::Relaxed);
        }
        fn runs(&self, millis: i64) {
            self.running.fetch_add(millis, Ordering::Relaxed);
        }
        fn clock(&self) -> HubClock {
            HubClock::new(Box::new(self.clone()), HubTime::ZERO)
        }
    }

    fn at_six(clock: &HubClock, zone: &str) -> AutoLock {
        let setup = LockSetup {
            at: Some((time(18, 0, 0, 0), TimeZone::get(zone).unwrap())),
            idle: None,
        };
        AutoLock::new(setup, clock, HubTime::ZERO)
    }

    #[test]
    fn locks_at_its_time_in_the_clinics_zone_and_who_unlocks_later_stays_till_the_next_day() {
        let set = Set::at("2026-07-01T15:00:00Z");
        let clock = set.clock();
        let mut lock = at_six(&clock, "Europe/Paris");
        for (moment, locks) in [
            ("2026-07-01T15:00:00Z", None),
            ("2026-07-01T15:59:59.999Z", None),
            ("2026-07-01T16:00:00Z", Some(Occasion::TimeOfDay)),
        ] {
            set.is(moment);
            assert_eq!(lock.look(&clock, HubTime::ZERO), locks, "{moment}");
        }
        let mut lock = at_six(&clock, "Europe/Paris");
        for (moment, locks) in [
            ("2026-07-01T16:00:05Z", None),
            ("2026-07-02T15:59:59Z", None),
            ("2026-07-02T16:00:01Z", Some(Occasion::TimeOfDay)),
        ] {
            set.is(moment);
            assert_eq!(lock.look(&clock, HubTime::ZERO), locks, "{moment}");
        }
    }

    #[test]
    fn a_clock_that_is_wrong_or_put_right_locks_nobody_out() {
        let set = Set::at("2026-07-01T17:59:00Z");
        let clock = set.clock();
        let mut lock = at_six(&clock, "UTC");
        assert_eq!(lock.look(&clock, HubTime::ZERO), None);
        set.is("2026-07-04T09:00:00Z");
        assert_eq!(lock.look(&clock, HubTime::ZERO), None, "its time was passed over");
        // The source is behind what was handed out: the hub's own time runs on from that.
        clock.observe(HubTime::from_millis(set.millis()).plus_millis(9 * 3600 * 1000 - 1));
        clock.now();
        clock.now();
        assert_eq!(lock.look(&clock, HubTime::ZERO), None);
        set.is("2026-07-04T18:03:00Z");
        assert_eq!(
            lock.look(&clock, HubTime::ZERO),
            None,
            "the hub has just learnt the time"
        );
        set.is("2026-07-05T18:00:01Z");
        assert_eq!(lock.look(&clock, HubTime::ZERO), Some(Occasion::TimeOfDay));
    }

    #[test]
    fn locks_after_hours_that_passed_without_a_call_whatever_the_clock_says() {
        let set = Set::at("2026-07-01T08:00:00Z");
        let clock = set.clock();
        let setup = LockSetup {
            at: None,
            idle: Some(Duration::from_secs(3600)),
        };
        let called = |minute: i64| HubTime::from_millis(minute);
        let mut lock = AutoLock::new(setup, &clock, called(0));
        set.is("2026-07-09T08:00:00Z");
        assert_eq!(lock.look(&clock, called(0)), None, "days by the clock alone");
        set.runs(3_599_999);
        assert_eq!(lock.look(&clock, called(0)), None);
        assert_eq!(lock.look(&clock, called(1)), None, "a call");
        set.runs(3_599_999);
        assert_eq!(lock.look(&clock, called(1)), None);
        set.runs(1);
        assert_eq!(lock.look(&clock, called(1)), Some(Occasion::Idle));
        let mut never = AutoLock::new(LockSetup::default(), &clock, called(0));
        set.runs(1 << 40);
        assert_eq!(never.look(&clock, called(0)), None);
    }
}
