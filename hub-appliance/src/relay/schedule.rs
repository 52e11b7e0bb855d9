//! When the relay runs: at once when the link comes up, then every 5 minutes while there is something to send and every
//! 15 otherwise, and ever more rarely while it fails. Pure: the time and what is the case go in, the wait comes out.
//!
//! Chance spreads the hubs that share a cloud's bucket of requests, so that after an outage they do not come all at once; where
//! the bucket is too small for them, all of them come more rarely, and none is left out.

use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
/// Between runs while there is something to send.
const BUSY: Duration = Duration::from_secs(5 * 60);
/// Between runs otherwise.
const IDLE: Duration = Duration::from_secs(15 * 60);
/// The longest wait after failures, and where the cloud has too much to do.
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// The most by which waits grow where many share the cloud's bucket of requests, in percent.
const CROWD: u32 = 1200;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It came to its end.
    Done,
    /// The cloud has too many requests, and said how long to stay away.
    Crowded(Duration),
    /// It failed after the cloud had taken rows: the link breaks, and yet it carries.
    CutOff,
    /// It failed.
    Failed,
    /// The cloud has to be changed by a person before it can go on; it is looked at rarely.
    Waits,
    /// The key is refused: only a person can begin another run.
    Refused,
}

/// When the next run is.
#[derive(Debug)]
pub struct Schedule {
    link: bool,
    /// Nothing before this, whatever happens.
    not_before: Duration,
    /// When the last run ended and how; none before the first.
    last: Option<(Duration, Ended)>,
    failures: u32,
    /// The wait after the last run, where that does not depend on what there is to send.
    back_off: Duration,
    /// 0.8 to 1.2 of a wait after a good run, in thousandths.
    spread: u32,
    /// How much longer the waits are made for those who share the bucket, in percent: half as long again at each refusal, a
    /// tenth less after each run without one. So those who were served make room for those who were not.
    crowd: u32,
    /// Refused since the last good run.
    was_refused: bool,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            link: false,
            not_before: Duration::ZERO,
            last: None,
            failures: 0,
            back_off: Duration::ZERO,
            spread: 1000,
            crowd: 100,
            was_refused: false,
        }
    }
}

impl Schedule {
    /// How long to wait for the next run at `now` (a time that only grows, from any beginning); none: until something
    /// changes. `link` says whether there is a network, `waiting` whether there is something to send.
    pub fn wait(&mut self, now: Duration, link: bool, waiting: bool) -> Option<Duration> {
        if link && !self.link && !matches!(self.last, Some((_, Ended::Refused))) {
            (self.last, self.failures) = (None, 0);
        }
        self.link = link;
        if !link {
            return None;
        }
        let due = match self.last {
            None => now,
            Some((_, Ended::Refused)) => return None,
            Some((at, Ended::Done)) => {
                let usual = if waiting { BUSY } else { IDLE };
                at + (usual * self.crowd / 100).min(LONGEST) * self.spread / 1000
            }
            Some((at, Ended::Crowded(_) | Ended::Failed | Ended::CutOff)) => at + self.back_off,
            Some((at, Ended::Waits)) => at + LONGEST * self.spread / 1000,
        };
        Some(due.max(self.not_before).saturating_sub(now))
    }

    /// A person wants a run now: nothing but what the cloud asked for keeps it back.
    pub fn asked(&mut self) {
        (self.last, self.failures) = (None, 0);
    }

    /// Takes notice of the end of a run; `chance` is any number.
    pub fn ended(&mut self, now: Duration, how: Ended, chance: u32) {
        self.last = Some((now, how));
        self.spread = 800 + chance % 401;
        // Another part of the same number.
        let part = chance / 401 % 1001;
        match how {
            Ended::Crowded(stay_away) => {
                self.crowd = (self.crowd * 3 / 2).min(CROWD);
                self.was_refused = true;
                self.not_before = now + stay_away;
                // All who share the bucket were told the same time.
                self.back_off = stay_away + MINUTE * self.crowd / 100 * part / 1000;
            }
            Ended::Failed | Ended::CutOff => {
                if how == Ended::CutOff {
                    self.failures = 0;
                }
                // From half of it to all of it: 1, 2, 4, … minutes, an hour at most.
                let longest = (MINUTE * 2_u32.pow(self.failures.min(6))).min(LONGEST);
                self.back_off = longest / 2 + longest / 2 * part / 1000;
                self.failures += 1;
            }
            Ended::Done => {
                self.failures = 0;
                if !std::mem::take(&mut self.was_refused) {
                    self.crowd = (self.crowd * 9 / 10).max(100);
                }
            }
            Ended::Waits | Ended::Refused => self.failures = 0,
        }
    }
}

#[cfg(test)]
mod fleet;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn minutes(minutes: u64) -> Duration {
        Duration::from_secs(minutes * 60)
    }

    #[test]
    fn it_runs_at_once_when_the_link_comes_up_and_never_without_one() {
        let mut schedule = Schedule::default();
        assert_eq!(schedule.wait(minutes(1), false, true), None);
        assert_eq!(schedule.wait(minutes(2), true, false), Some(Duration::ZERO));
        schedule.ended(minutes(2), Ended::Done, 200);
        assert_eq!(schedule.wait(minutes(2), true, true), Some(minutes(5)));
        assert_eq!(schedule.wait(minutes(2), true, false), Some(minutes(15)));
        assert_eq!(schedule.wait(minutes(30), true, false), Some(Duration::ZERO));
        schedule.ended(minutes(30), Ended::Failed, 0);
        assert_eq!(schedule.wait(minutes(30), false, true), None);
        assert_eq!(
            schedule.wait(minutes(31), true, true),
            Some(Duration::ZERO),
            "it may be another network"
        );
    }

    #[test]
    fn what_the_cloud_asks_for_counts_for_people_too_and_a_refused_key_waits_for_them() {
        let mut schedule = Schedule::default();
        schedule.wait(minutes(0), true, true);
        schedule.ended(minutes(0), Ended::Crowded(minutes(3)), u32::MAX);
        schedule.asked();
        assert_eq!(schedule.wait(minutes(1), true, true), Some(minutes(2)));
        schedule.ended(minutes(4), Ended::Refused, 0);
        assert_eq!(schedule.wait(minutes(900), true, true), None);
        schedule.wait(minutes(901), false, true);
        assert_eq!(schedule.wait(minutes(902), true, true), None);
        schedule.asked();
        assert_eq!(schedule.wait(minutes(902), true, true), Some(Duration::ZERO));
    }

    #[test]
    fn a_run_that_got_on_before_it_was_cut_off_is_followed_by_another_soon() {
        let mut schedule = Schedule::default();
        schedule.wait(minutes(0), true, true);
        for minute in 0..9 {
            schedule.ended(minutes(minute), Ended::Failed, 0);
        }
        assert_eq!(schedule.wait(minutes(8), true, true), Some(minutes(30)));
        schedule.ended(minutes(9), Ended::CutOff, 0);
        assert_eq!(schedule.wait(minutes(9), true, true), Some(minutes(1) / 2));
    }

    #[test]
    fn who_was_refused_and_then_served_makes_room_for_others_for_a_while() {
        let mut schedule = Schedule::default();
        schedule.wait(minutes(0), true, true);
        schedule.ended(minutes(0), Ended::Crowded(minutes(1)), 0);
        schedule.ended(minutes(1), Ended::Done, 200);
        assert_eq!(schedule.wait(minutes(1), true, true), Some(minutes(5) * 3 / 2));
        for minute in 2..9 {
            schedule.ended(minutes(minute), Ended::Done, 200);
        }
        assert_eq!(schedule.wait(minutes(8), true, true), Some(minutes(5)));
    }

    proptest! {
        #[test]
        fn failures_bring_ever_longer_waits_up_to_an_hour(chances in proptest::collection::vec(any::<u32>(), 1..40)) {
            let mut schedule = Schedule::default();
            let mut now = Duration::ZERO;
            for (failure, chance) in chances.into_iter().enumerate() {
                schedule.wait(now, true, true);
                schedule.ended(now, Ended::Failed, chance);
                let wait = schedule.wait(now, true, true).unwrap();
                let longest = LONGEST.min(MINUTE * 2_u32.pow(u32::try_from(failure).unwrap().min(6)));
                prop_assert!(longest / 2 <= wait && wait <= longest);
                now += wait;
            }
        }
    }
}
