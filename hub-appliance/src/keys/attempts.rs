//! The attempt counter: how many wrong PINs came in a row, and how long the next has to wait. (A recovery code can't be
//! guessed, so it neither counts nor waits.)
//!
//! - An attempt is on disk as a failure **before** it is checked, so pulling the plug during the check gains nothing.
//! - The wait is kept as time still to be served. It shrinks only when the appliance reports time that passed under
//!   power, so pulling the plug neither shortens it nor starts it over, and no clock is needed. It is written at steps
//!   of ten seconds to spare the card: a power cut costs at most that much of what was served.
//! - Nothing is ever erased.
//!
//! Frame: [`checked_file`], version 1, body `{"failures":4,"wait_ms":30000}`.
//!
//! A file that is missing, damaged or of another version counts as three failures with a wait of 30 s, so that deleting
//! it does not buy guesses faster than one in 30 s. The counter guards the panel only: who can write to the disk can also
//! put an older file back, or copy the slots and guess elsewhere. Against that, Argon2id and the length of the PIN are
//! what there is.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::checked_file;
use crate::atomic_file;

const VERSION: u32 = 1;
const MAX_BYTES: usize = 4096;
const SAVE_STEP: Duration = Duration::from_secs(10);
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// The counter of one disk.
#[derive(Debug)]
pub(super) struct Attempts {
    path: PathBuf,
    /// Read from the disk when first asked for.
    count: Mutex<Option<Count>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Count {
    failures: u32,
    wait: Duration,
    saved_wait: Duration,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CountJson {
    failures: u32,
    wait_ms: u64,
}

/// An attempt that has been recorded as a failure and may now be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Recorded {
    pub(super) failures: u32,
    pub(super) wait: Duration,
}

/// Why an attempt may not be checked.
#[derive(Debug)]
pub(super) enum Refused {
    Wait(Duration),
    Io(io::Error),
}

impl Attempts {
    pub(super) fn within(folder: &Path) -> Self {
        Self {
            path: folder.join("attempts.json"),
            count: Mutex::new(None),
        }
    }

    pub(super) fn failures(&self) -> u32 {
        self.count(&mut self.lock()).failures
    }

    pub(super) fn wait(&self) -> Duration {
        self.count(&mut self.lock()).wait
    }

    /// Records one more failure, unless there is a wait to be served first.
    pub(super) fn record(&self) -> Result<Recorded, Refused> {
        let mut guard = self.lock();
        let Count { failures, wait, .. } = self.count(&mut guard);
        if !wait.is_zero() {
            return Err(Refused::Wait(wait));
        }
        let failures = failures.saturating_add(1);
        let wait = wait_after(failures);
        self.save(&mut guard, failures, wait).map_err(Refused::Io)?;
        Ok(Recorded { failures, wait })
    }

    /// Starts again from no failures.
    pub(super) fn reset(&self) -> io::Result<()> {
        self.save(&mut self.lock(), 0, Duration::ZERO)
    }

    /// Takes `elapsed` off the wait, and returns what is left.
    pub(super) fn serve(&self, elapsed: Duration) -> io::Result<Duration> {
        let mut guard = self.lock();
        let mut count = self.count(&mut guard);
        if count.wait.is_zero() {
            return Ok(Duration::ZERO);
        }
        count.wait = count.wait.saturating_sub(elapsed);
        *guard = Some(count);
        if count.wait.is_zero() || count.saved_wait.saturating_sub(count.wait) >= SAVE_STEP {
            self.save(&mut guard, count.failures, count.wait)?;
        }
        Ok(count.wait)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Count>> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, known: &mut Option<Count>) -> Count {
        *known.get_or_insert_with(|| self.load().unwrap_or(Count::UNKNOWN))
    }

    fn load(&self) -> Option<Count> {
        let bytes = atomic_file::read(&self.path, MAX_BYTES).ok()??;
        let (VERSION, body) = checked_file::decode(&bytes)? else {
            return None;
        };
        let CountJson { failures, wait_ms } = serde_json::from_str(body.get()).ok()?;
        let wait = Duration::from_millis(wait_ms);
        (wait <= LONGEST_WAIT).then_some(Count {
            failures,
            wait,
            saved_wait: wait,
        })
    }

    fn save(&self, known: &mut Option<Count>, failures: u32, wait: Duration) -> io::Result<()> {
        let body = CountJson {
            failures,
            wait_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
        };
        atomic_file::write(&self.path, &checked_file::encode(VERSION, &body)?)?;
        *known = Some(Count {
            failures,
            wait,
            saved_wait: wait,
        });
        Ok(())
    }
}

impl Count {
    const UNKNOWN: Self = Self {
        failures: 3,
        wait: Duration::from_secs(30),
        saved_wait: Duration::from_secs(30),
    };
}

/// The wait that follows the given number of failures in a row.
fn wait_after(failures: u32) -> Duration {
    match failures {
        0..=3 => Duration::ZERO,
        4 => Duration::from_secs(30),
        5 => Duration::from_mins(1),
        6 => Duration::from_mins(2),
        7 => Duration::from_mins(5),
        8 => Duration::from_mins(15),
        9 => Duration::from_mins(30),
        _ => LONGEST_WAIT,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn fresh() -> (tempfile::TempDir, Attempts) {
        let folder = tempfile::tempdir().unwrap();
        let attempts = Attempts::within(folder.path());
        attempts.reset().unwrap();
        (folder, attempts)
    }

    /// What the next start of the box finds.
    fn restarted(folder: &tempfile::TempDir) -> Attempts {
        Attempts::within(folder.path())
    }

    fn refused_for(attempts: &Attempts) -> Option<Duration> {
        match attempts.record() {
            Err(Refused::Wait(wait)) => Some(wait),
            _ => None,
        }
    }

    #[test]
    fn waits_grow_as_documented() {
        let (_folder, attempts) = fresh();
        let seconds = [0, 0, 0, 30, 60, 120, 300, 900, 1800, 3600, 3600, 3600];
        for (failures, seconds) in (1..).zip(seconds) {
            let wait = Duration::from_secs(seconds);
            assert_eq!(attempts.record().unwrap(), Recorded { failures, wait });
            assert_eq!((attempts.failures(), attempts.wait()), (failures, wait));
            if !wait.is_zero() {
                assert_eq!(refused_for(&attempts), Some(wait));
                assert_eq!(attempts.serve(wait - SECOND).unwrap(), SECOND);
                assert_eq!(refused_for(&attempts), Some(SECOND));
                assert_eq!(attempts.serve(SECOND).unwrap(), Duration::ZERO);
            }
            assert_eq!(attempts.failures(), failures);
        }
    }

    #[test]
    fn an_attempt_counts_though_the_plug_is_pulled_before_its_check() {
        let (folder, attempts) = fresh();
        attempts.record().unwrap();
        for failures in 2..=4 {
            assert_eq!(restarted(&folder).record().unwrap().failures, failures);
        }
        assert_eq!(refused_for(&restarted(&folder)), Some(30 * SECOND));
    }

    #[test]
    fn a_restart_neither_shortens_a_wait_nor_starts_it_over() {
        let (folder, attempts) = fresh();
        for _ in 0..4 {
            attempts.record().unwrap();
        }
        for _ in 0..12 {
            attempts.serve(SECOND).unwrap();
        }
        assert_eq!(attempts.wait(), 18 * SECOND);
        let attempts = restarted(&folder);
        assert_eq!(attempts.wait(), 20 * SECOND, "written each ten seconds");
        attempts.serve(20 * SECOND).unwrap();
        assert_eq!(restarted(&folder).record().unwrap().failures, 5);
    }

    #[test]
    fn waiting_writes_each_ten_seconds_only() {
        let (folder, attempts) = fresh();
        for _ in 0..4 {
            attempts.record().unwrap();
        }
        let written: Vec<_> = (0..30)
            .map(|_| {
                attempts.serve(SECOND).unwrap();
                std::fs::remove_file(folder.path().join("attempts.json")).is_ok()
            })
            .collect();
        // The first is the file of the last record.
        let steps: Vec<_> = (0..30).filter(|&second| written[second]).collect();
        assert_eq!(steps, [0, 9, 19, 29]);
    }

    #[test]
    fn a_reset_ends_the_series() {
        let (folder, attempts) = fresh();
        attempts.record().unwrap();
        attempts.reset().unwrap();
        assert_eq!(restarted(&folder).failures(), 0);
        assert_eq!(restarted(&folder).wait(), Duration::ZERO);
    }

    #[test]
    fn a_file_that_cannot_be_used_is_three_failures_and_a_wait() {
        let (folder, attempts) = fresh();
        attempts.record().unwrap();
        let path = folder.path().join("attempts.json");
        let good = std::fs::read(&path).unwrap();
        let body = |failures, wait_ms| CountJson { failures, wait_ms };
        let mut bad = vec![
            checked_file::encode(VERSION, &body(0, 3_600_001)).unwrap(),
            checked_file::encode(VERSION, &body(0, u64::MAX)).unwrap(),
            checked_file::encode(VERSION + 1, &body(0, 0)).unwrap(),
            checked_file::encode(VERSION, &[1]).unwrap(),
            vec![b' '; MAX_BYTES + 1],
        ];
        bad.extend((0..good.len()).map(|length| good[..length].to_vec()));
        for bytes in bad {
            std::fs::write(&path, &bytes).unwrap();
            let attempts = restarted(&folder);
            assert_eq!((attempts.failures(), attempts.wait()), (3, 30 * SECOND), "{bytes:?}");
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(refused_for(&restarted(&folder)), Some(30 * SECOND));
        let attempts = restarted(&folder);
        attempts.serve(30 * SECOND).unwrap();
        assert_eq!(
            restarted(&folder).record().unwrap(),
            Recorded {
                failures: 4,
                wait: 30 * SECOND
            }
        );
    }

    #[test]
    fn nothing_is_checked_that_could_not_be_recorded() {
        let folder = tempfile::tempdir().unwrap();
        let gone = folder.path().join("gone");
        std::fs::create_dir(&gone).unwrap();
        let attempts = Attempts::within(&gone);
        attempts.reset().unwrap();
        std::fs::remove_dir_all(&gone).unwrap();
        assert!(matches!(attempts.record(), Err(Refused::Io(_))));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Record,
        Serve(u16),
        PlugPulled,
        Opened,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => Just(Step::Record),
            4 => (0_u16..2000).prop_map(Step::Serve),
            2 => Just(Step::PlugPulled),
            1 => Just(Step::Opened),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Against a model: failures are exact, and a wait is never shorter than what is still to be served, and at most
        /// one step longer for each restart.
        #[test]
        fn no_order_of_events_gains_an_attempt(steps in proptest::collection::vec(step(), 1..60)) {
            let (folder, mut attempts) = fresh();
            let mut failures = 0;
            let mut owed = Duration::ZERO;
            let mut slack = Duration::ZERO;
            for step in steps {
                match step {
                    Step::Record => {
                        let wait = attempts.wait();
                        let recorded = attempts.record();
                        prop_assert_eq!(recorded.is_ok(), wait.is_zero());
                        if recorded.is_ok() {
                            failures += 1;
                            owed = wait_after(failures);
                            slack = Duration::ZERO;
                        }
                    }
                    Step::Serve(seconds) => {
                        let elapsed = u32::from(seconds) * SECOND / 10;
                        attempts.serve(elapsed).unwrap();
                        owed = owed.saturating_sub(elapsed);
                    }
                    Step::PlugPulled => {
                        attempts = restarted(&folder);
                        slack += SAVE_STEP;
                    }
                    Step::Opened => {
                        attempts.reset().unwrap();
                        (failures, owed, slack) = (0, Duration::ZERO, Duration::ZERO);
                    }
                }
                prop_assert_eq!(attempts.failures(), failures);
                prop_assert!(attempts.wait() >= owed);
                prop_assert!(attempts.wait() <= owed + slack);
            }
        }
    }
}
