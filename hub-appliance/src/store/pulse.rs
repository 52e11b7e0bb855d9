//! How the writer, and before there is one the opening of the store, shows that it moves on in the middle of a long piece
//! of work, for whoever feeds the box's watchdog: a slow board is not one that hangs.
//!
//! A number grows with every row that is taken in and with every stretch of SQLite's own work, `VACUUM` and the making of
//! an index too. Writing a transaction to the disk and taking the log into the database show nothing of the kind, for
//! that is the kernel's work; so the number grows with the time there, as long as the slowest card may need and no longer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;

/// Instructions of SQLite's virtual machine between two steps: some milliseconds on a slow board.
const INSTRUCTIONS: i32 = 50_000;
/// How long work may take of which nothing is seen: of writing to the disk, the largest push brings some 200 MiB into the
/// log, which are written twice, at 2 MiB/s on a worn card.
const UNSEEN: Duration = Duration::from_secs(5 * 60);

/// The number. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Pulse(Arc<State>);

#[derive(Debug, Default)]
struct State {
    steps: AtomicU64,
    unseen: Mutex<Option<(Instant, Duration)>>,
}

impl Pulse {
    /// The number: another one than a while ago where the writer has moved on.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number_at(Instant::now())
    }

    fn number_at(&self, now: Instant) -> u64 {
        let unseen = *self.0.unseen.lock().unwrap_or_else(PoisonError::into_inner);
        let steps = self.0.steps.load(Ordering::Relaxed);
        steps.saturating_add(unseen.map_or(0, |(since, longest)| seconds(since, now, longest)))
    }

    /// One more step.
    pub fn step(&self) {
        self.0.steps.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts what SQLite does for `connection` from now on.
    pub(super) fn follow(&self, connection: &mut Connection) {
        let pulse = self.clone();
        let step = move || {
            pulse.step();
            false
        };
        if let Err(error) = connection.progress_handler(INSTRUCTIONS, Some(step)) {
            tracing::warn!(%error, "the writer's progress is not followed");
        }
    }

    /// Runs `work` of which nothing is seen until it ends: it is the disk's and not SQLite's, or one long reckoning.
    pub fn unseen<T>(&self, work: impl FnOnce() -> T) -> T {
        self.unseen_for(UNSEEN, work)
    }

    /// The same for work that may take `longest`.
    pub fn unseen_for<T>(&self, longest: Duration, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        *self.0.unseen.lock().unwrap_or_else(PoisonError::into_inner) = Some((begun, longest));
        let done = work();
        let mut unseen = self.0.unseen.lock().unwrap_or_else(PoisonError::into_inner);
        // Both at once, so that the number never goes back.
        self.0
            .steps
            .fetch_add(seconds(begun, Instant::now(), longest) + 1, Ordering::Relaxed);
        *unseen = None;
        done
    }
}

fn seconds(since: Instant, now: Instant, longest: Duration) -> u64 {
    now.saturating_duration_since(since).min(longest).as_secs()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::super::connection::{Purpose, StoreKey, open};
    use super::*;

    #[test]
    fn one_long_statement_takes_many_steps_and_so_does_a_vacuum() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hub.db");
        let mut connection = open(&path, &StoreKey::new([1; 32]), Purpose::Write).unwrap();
        let pulse = Pulse::default();
        pulse.follow(&mut connection);
        let steps = |sql: &str| {
            let before = pulse.number();
            connection.execute_batch(sql).unwrap();
            pulse.number() - before
        };
        assert_eq!(steps("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT) STRICT"), 0);
        let filling = steps(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) \
             INSERT INTO t SELECT i, hex(i) FROM n",
        );
        assert!(filling > 5, "{filling}");
        let indexing = steps("CREATE INDEX t_b ON t (b)");
        assert!(indexing > 5, "{indexing}");
        let vacuuming = steps("VACUUM");
        assert!(vacuuming > 2, "{vacuuming}");
    }

    #[test]
    fn a_flush_counts_for_as_long_as_the_slowest_card_may_need() {
        let pulse = Pulse::default();
        let (go_on, hangs) = mpsc::channel::<()>();
        let (began, begun) = mpsc::channel();
        let of_writer = pulse.clone();
        let writer = std::thread::spawn(move || {
            of_writer.unseen(|| {
                began.send(()).unwrap();
                let _ = hangs.recv();
            });
        });
        begun.recv().unwrap();
        let at = |seconds| pulse.number_at(Instant::now() + Duration::from_secs(seconds));
        let numbers = [at(30), at(60), at(290)];
        assert!(numbers[0] < numbers[1] && numbers[1] < numbers[2], "{numbers:?}");
        assert_eq!(at(310), at(3600), "one that never ends is a hang");
        drop(go_on);
        writer.join().unwrap();
        assert!(pulse.number() > 0);
    }
}
