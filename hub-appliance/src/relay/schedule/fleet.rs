//! Hundreds of hubs behind one address, in simulated time and with the schedule that every hub runs by: what each of them asks
//! of the cloud and when, and what the cloud's one bucket of requests makes of it.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use super::{Ended, Schedule};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Chance that can be had again (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        u32::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap()
    }
}

/// The requests of a run: a pull, and where there is something to send a push and the pull that shows it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Request {
    Pull,
    Push,
    PullBack,
}

struct Hub {
    schedule: Schedule,
    /// A clinic that is open: it always has something to send by the next run.
    is_open: bool,
    next: Option<Request>,
    done_at: Vec<Duration>,
}

/// What is the case in the simulation.
struct Case {
    hubs: usize,
    /// Of a hundred hubs so many are of clinics that are open.
    open: usize,
    /// Requests in a sliding minute.
    bucket: usize,
    outage: Option<(Duration, Duration)>,
    length: Duration,
}

struct Outcome {
    /// By hub the longest time between two good runs, shortest first.
    gaps: Vec<Duration>,
    /// Requests that reached the cloud, by minute.
    by_minute: Vec<usize>,
    refused: usize,
}

impl Case {
    fn run(&self, seed: u64) -> Outcome {
        let mut chance = Chance(seed);
        let mut bucket: VecDeque<Duration> = VecDeque::new();
        let mut outcome = Outcome {
            gaps: Vec::new(),
            by_minute: vec![0; usize::try_from(self.length.as_secs() / 60).unwrap() + 1],
            refused: 0,
        };
        // All of them are switched on in the same second.
        let mut agenda: BinaryHeap<Reverse<(Duration, usize)>> =
            (0..self.hubs).map(|hub| Reverse((SECOND, hub))).collect();
        let mut hubs: Vec<Hub> = (0..self.hubs)
            .map(|hub| Hub {
                schedule: Schedule::default(),
                is_open: hub * 100 / self.hubs < self.open,
                next: None,
                done_at: Vec::new(),
            })
            .collect();
        while let Some(Reverse((now, place))) = agenda.pop() {
            if now > self.length {
                break;
            }
            let hub = &mut hubs[place];
            let Some(request) = hub.next else {
                let wait = hub.schedule.wait(now, true, hub.is_open).unwrap();
                if wait.is_zero() {
                    hub.next = Some(Request::Pull);
                }
                agenda.push(Reverse((now + wait, place)));
                continue;
            };
            while bucket.front().is_some_and(|first| *first + MINUTE <= now) {
                bucket.pop_front();
            }
            let is_out = self.outage.is_some_and(|(from, to)| from <= now && now < to);
            let mut end = |hub: &mut Hub, ended| {
                hub.next = None;
                hub.schedule.ended(now, ended, chance.next());
            };
            if is_out {
                end(hub, Ended::Failed);
                agenda.push(Reverse((now, place)));
                continue;
            }
            outcome.by_minute[usize::try_from(now.as_secs() / 60).unwrap()] += 1;
            if bucket.len() >= self.bucket {
                outcome.refused += 1;
                let until = *bucket.front().unwrap() + MINUTE;
                end(hub, Ended::Crowded(Duration::from_secs((until - now).as_secs() + 1)));
                agenda.push(Reverse((now, place)));
                continue;
            }
            bucket.push_back(now);
            hub.next = match request {
                Request::Pull if hub.is_open => Some(Request::Push),
                Request::Push => Some(Request::PullBack),
                Request::Pull | Request::PullBack => {
                    hub.done_at.push(now);
                    end(hub, Ended::Done);
                    None
                }
            };
            // An answer takes its time.
            let answered = Duration::from_millis(1000 + u64::from(chance.next() % 2000));
            agenda.push(Reverse((now + answered, place)));
        }
        for hub in &hubs {
            let ends = hub.done_at.iter().copied().chain([self.length]);
            let begins = [Duration::ZERO].into_iter().chain(hub.done_at.iter().copied());
            outcome
                .gaps
                .push(ends.zip(begins).map(|(end, begin)| end - begin).max().unwrap());
        }
        outcome.gaps.sort_unstable();
        outcome
    }
}

impl Outcome {
    fn median(&self) -> Duration {
        self.gaps[self.gaps.len() / 2]
    }

    fn longest(&self) -> Duration {
        *self.gaps.last().unwrap()
    }

    #[allow(clippy::print_stdout, reason = "the figures of the README")]
    fn report(&self, what: &str) {
        println!(
            "{what}: longest gap {} min in the middle, {} min at most; {} of {} requests refused",
            self.median().as_secs() / 60,
            self.longest().as_secs() / 60,
            self.refused,
            self.by_minute.iter().sum::<usize>(),
        );
    }
}

const TWO_HUNDRED: Case = Case {
    hubs: 200,
    open: 0,
    bucket: 60,
    outage: None,
    length: Duration::from_secs(12 * 60 * 60),
};

#[test]
fn two_hundred_hubs_share_one_bucket_and_none_is_left_out() {
    let idle = TWO_HUNDRED.run(1);
    idle.report("200 hubs, all idle");
    assert!(idle.longest() <= HOUR, "{:?}", idle.longest());
    // Half of them open ask for more than there is, and all of them for twice as much.
    for (open, most) in [(50, 90), (100, 120)] {
        for seed in 1..4 {
            let outcome = Case { open, ..TWO_HUNDRED }.run(seed);
            outcome.report(&format!("200 hubs, {open} % of them open"));
            assert!(outcome.longest() <= most * MINUTE, "{:?}", outcome.longest());
            assert!(outcome.median() <= HOUR);
            let all: usize = outcome.by_minute.iter().sum();
            assert!(outcome.refused * 5 < all, "{} of {all} refused", outcome.refused);
        }
    }
}

#[test]
fn after_an_hours_outage_two_hundred_hubs_do_not_come_all_at_once() {
    let case = Case {
        open: 50,
        outage: Some((4 * HOUR, 5 * HOUR)),
        ..TWO_HUNDRED
    };
    let outcome = case.run(1);
    outcome.report("200 hubs, half of them open, an hour's outage");
    assert!(outcome.longest() <= 3 * HOUR, "{:?}", outcome.longest());
    let most = outcome.by_minute[5 * 60..6 * 60].iter().max().unwrap();
    assert!(*most <= case.hubs / 2, "{most} in a minute");
}

#[test]
fn a_thousand_hubs_need_what_the_readme_says() {
    for (bucket, most) in [(60, 150), (400, 75)] {
        let outcome = Case {
            hubs: 1000,
            open: 50,
            bucket,
            ..TWO_HUNDRED
        }
        .run(1);
        outcome.report(&format!("1,000 hubs, half of them open, {bucket} requests a minute"));
        assert!(outcome.longest() <= most * MINUTE, "{:?}", outcome.longest());
    }
}
