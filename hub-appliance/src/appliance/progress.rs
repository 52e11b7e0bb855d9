//! Says that the hub moves on, for whoever feeds the box's watchdog.
//!
//! A file gets a new number every [`PERIOD`] in which the server, the panel loop and the store's writer all came round.
//! One of them that hangs stops the numbers: the server's accept loop no longer turns, the panel loop no longer wakes, or
//! the writer does not get to an empty piece of work that waits behind all others, and its own number stands still too:
//! a slow board is long at work on a large push, and does not hang. While the hub opens, with a migration and an import
//! perhaps, it is the number of the opening that has to move. A repair takes what it takes.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use crate::server::ServerHandle;
use crate::store::{Pulse, Store, StoreError};

/// How often there is a new number.
const PERIOD: Duration = Duration::from_secs(5);

/// How often a loop came round.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns(Arc<AtomicU64>);

impl Turns {
    /// Counts one more.
    pub(super) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn so_far(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How often the accept loop came round. Before there is one, nobody has to wait for it.
#[derive(Clone, Default)]
pub(super) struct Beats {
    server: Arc<OnceLock<Box<dyn Fn() -> u64 + Send + Sync>>>,
    before: Turns,
}

impl Beats {
    /// From now on it is this server's.
    pub(super) fn are_those_of(&self, server: &ServerHandle) {
        // There is one server in the life of a process.
        let _ = self.server.set(Box::new(server.beats()));
    }

    /// What [`Parts::server`] is.
    pub(super) fn counted(&self) -> Box<dyn Fn() -> u64 + Send> {
        let Self { server, before } = self.clone();
        Box::new(move || {
            server.get().map_or_else(
                || {
                    before.count();
                    before.so_far()
                },
                |beats| beats(),
            )
        })
    }
}

/// The store while it is open, and not kept open by being in here.
#[derive(Clone, Debug, Default)]
pub(super) struct OpenedStore {
    store: Arc<Mutex<Weak<Store>>>,
    opening: Arc<Mutex<Option<Pulse>>>,
}

/// The hub is being opened, until this is dropped.
#[derive(Debug)]
pub(super) struct BeingOpened {
    opening: Arc<Mutex<Option<Pulse>>>,
    pulse: Pulse,
}

impl BeingOpened {
    /// By which it shows that it moves on.
    pub(super) const fn pulse(&self) -> &Pulse {
        &self.pulse
    }
}

impl Drop for BeingOpened {
    fn drop(&mut self) {
        *self.opening.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl OpenedStore {
    /// From now on it is this one.
    pub(super) fn set(&self, store: &Arc<Store>) {
        *self.store.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(store);
    }

    /// From now on it is being opened.
    pub(super) fn opening(&self) -> BeingOpened {
        let pulse = Pulse::default();
        *self.opening.lock().unwrap_or_else(PoisonError::into_inner) = Some(pulse.clone());
        BeingOpened {
            opening: Arc::clone(&self.opening),
            pulse,
        }
    }

    /// How far the opening is, while there is one.
    fn opened_so_far(&self) -> Option<u64> {
        let opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        opening.as_ref().map(Pulse::number)
    }

    fn get(&self) -> Option<Arc<Store>> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
    }
}

/// What has to move on.
pub(super) struct Parts {
    /// Gives how often the accept loop came round.
    pub(super) server: Box<dyn Fn() -> u64 + Send>,
    /// The panel loop.
    pub(super) panel: Turns,
    /// Makes the panel loop come round.
    pub(super) wake_panel: Box<dyn Fn() + Send>,
    /// Whose writer it is about. Without an open store there is no writer to wait for.
    pub(super) store: OpenedStore,
}

/// Writes the numbers to `file` until it is dropped.
pub(super) async fn report(file: PathBuf, parts: Parts) {
    let mut seen = Seen::new(parts);
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Some(number) = seen.look()
            && let Err(error) = fs::write(&file, format!("{number}\n"))
        {
            tracing::error!(kind = ?error.kind(), "the hub's progress could not be written down");
        }
    }
}

/// How far the parts had come at the last number.
struct Seen {
    parts: Parts,
    server: u64,
    panel: u64,
    writer: Option<JoinHandle<()>>,
    pulse: Option<u64>,
    opening: Option<u64>,
    number: u64,
}

impl Seen {
    fn new(parts: Parts) -> Self {
        let (server, panel) = ((parts.server)(), parts.panel.so_far());
        Self {
            parts,
            server,
            panel,
            writer: None,
            pulse: None,
            opening: None,
            number: 0,
        }
    }

    /// The next number, if all parts have come round since the last one.
    fn look(&mut self) -> Option<u64> {
        let (server, panel) = ((self.parts.server)(), self.parts.panel.so_far());
        let store = self.parts.store.get();
        let pulse = store.as_ref().map(|store| store.pulse().number());
        let writer_is_free = self.writer.as_ref().is_none_or(JoinHandle::is_finished);
        let writer_moves = writer_is_free || pulse.is_some_and(|pulse| self.pulse != Some(pulse));
        let opening = self.parts.store.opened_so_far();
        let opening_moves = opening.is_none() || opening != self.opening;
        (self.parts.wake_panel)();
        if writer_is_free {
            self.writer = store.map(ask_writer);
        }
        (self.pulse, self.opening) = (pulse, opening);
        if !writer_moves || !opening_moves || server == self.server || panel == self.panel {
            return None;
        }
        (self.server, self.panel) = (server, panel);
        self.number += 1;
        Some(self.number)
    }
}

/// Hands the writer an empty piece of work, which writes nothing to the disk.
fn ask_writer(store: Arc<Store>) -> JoinHandle<()> {
    tokio::task::spawn_blocking(move || {
        // Any answer is one, also that the store has been closed meanwhile.
        let _ = store.write(|_| Ok::<(), StoreError>(()));
    })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::clock::{HubClock, HubTime, SystemClock};
    use crate::secret::Secret;

    struct Bench {
        seen: Seen,
        server: Turns,
        panel: Turns,
        store: OpenedStore,
        woken: Turns,
    }

    fn bench() -> Bench {
        let (server, panel, woken, store) = (
            Turns::default(),
            Turns::default(),
            Turns::default(),
            OpenedStore::default(),
        );
        let (beats, wakes) = (server.clone(), woken.clone());
        let parts = Parts {
            server: Box::new(move || beats.so_far()),
            panel: panel.clone(),
            wake_panel: Box::new(move || wakes.count()),
            store: store.clone(),
        };
        Bench {
            seen: Seen::new(parts),
            server,
            panel,
            store,
            woken,
        }
    }

    impl Bench {
        fn look(&mut self) -> Option<u64> {
            self.seen.look()
        }

        fn all_turn(&self) {
            self.server.count();
            self.panel.count();
        }

        /// Until the writer has had the last empty piece of work.
        async fn writer_comes_round(&mut self) {
            if let Some(writer) = self.seen.writer.as_mut() {
                writer.await.unwrap();
            }
        }
    }

    fn open_store(folder: &tempfile::TempDir) -> Arc<Store> {
        let clock = Arc::new(HubClock::new(Box::new(SystemClock), HubTime::ZERO));
        Arc::new(Store::open(folder.path(), &Secret::new([1; 32]), Secret::new([2; 32]), clock).unwrap())
    }

    #[test]
    fn a_server_or_a_panel_that_stands_still_gets_no_number() {
        let mut bench = bench();
        bench.all_turn();
        assert_eq!(bench.look(), Some(1));
        bench.server.count();
        assert_eq!(bench.look(), None);
        bench.panel.count();
        assert_eq!(bench.look(), Some(2));
        bench.panel.count();
        assert_eq!(bench.look(), None);
        assert_eq!(bench.woken.so_far(), 4);
    }

    /// One more row.
    fn edit(tx: &mut crate::store::WriteTx<'_>, number: u32) -> Result<(), StoreError> {
        let entry = crate::store::audit::Entry {
            action: "test",
            detail: number.to_string(),
            outcome: "ok",
            ..crate::store::audit::Entry::default()
        };
        tx.audit(&entry)
    }

    #[tokio::test]
    async fn a_writer_that_is_long_at_one_piece_of_work_gets_numbers_as_long_as_it_moves() {
        let folder = tempfile::tempdir().unwrap();
        let store = open_store(&folder);
        let mut bench = bench();
        bench.store.set(&store);
        bench.all_turn();
        assert_eq!(bench.look(), Some(1));
        bench.writer_comes_round().await;

        let (go_on, goes_on) = mpsc::channel::<u32>();
        let (did, done) = mpsc::channel::<()>();
        let slow = Arc::clone(&store);
        let work = std::thread::spawn(move || {
            slow.write(move |tx| {
                for rows in goes_on {
                    (0..rows).try_for_each(|row| edit(tx, row))?;
                    did.send(()).unwrap();
                }
                Ok::<(), StoreError>(())
            })
        });
        for number in 2..8 {
            go_on.send(5_000).unwrap();
            done.recv().unwrap();
            bench.all_turn();
            assert_eq!(bench.look(), Some(number));
        }
        for _ in 0..3 {
            bench.all_turn();
            assert_eq!(bench.look(), None, "now it hangs");
        }
        drop(go_on);
        work.join().unwrap().unwrap();
        bench.writer_comes_round().await;
        bench.all_turn();
        assert_eq!(bench.look(), Some(8));
    }

    #[tokio::test]
    async fn a_writer_that_hangs_gets_no_number_until_it_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let store = open_store(&folder);
        let mut bench = bench();
        bench.store.set(&store);
        bench.all_turn();
        assert_eq!(bench.look(), Some(1));
        bench.writer_comes_round().await;

        let (go_on, stuck) = mpsc::channel::<()>();
        let (began, begun) = mpsc::channel::<()>();
        let hanging = Arc::clone(&store);
        let work = std::thread::spawn(move || {
            hanging.write(move |_| {
                began.send(()).unwrap();
                let _ = stuck.recv();
                Ok::<(), StoreError>(())
            })
        });
        begun.recv().unwrap();
        bench.all_turn();
        assert_eq!(bench.look(), Some(2), "asked just now");
        for _ in 0..3 {
            bench.all_turn();
            assert_eq!(bench.look(), None);
        }
        drop(go_on);
        work.join().unwrap().unwrap();
        bench.writer_comes_round().await;
        bench.all_turn();
        assert_eq!(bench.look(), Some(3));
    }

    #[tokio::test]
    async fn a_locked_hub_has_no_writer_to_wait_for() {
        let folder = tempfile::tempdir().unwrap();
        let store = open_store(&folder);
        let mut bench = bench();
        bench.store.set(&store);
        assert!(store.close(Duration::from_secs(1)));
        for number in 1..=2 {
            bench.all_turn();
            assert_eq!(bench.look(), Some(number));
            bench.writer_comes_round().await;
        }
        drop(store);
        assert!(bench.store.get().is_none());
        bench.all_turn();
        assert_eq!(bench.look(), Some(3));
    }

    #[test]
    fn opening_takes_what_it_takes_as_long_as_it_moves() {
        let mut bench = bench();
        let opening = bench.store.opening();
        bench.all_turn();
        assert_eq!(bench.look(), Some(1), "begun just now");
        for number in 2..10 {
            opening.pulse().step();
            bench.all_turn();
            assert_eq!(bench.look(), Some(number));
        }
        for _ in 0..3 {
            bench.all_turn();
            assert_eq!(bench.look(), None, "now it hangs");
        }
        drop(opening);
        bench.all_turn();
        assert_eq!(bench.look(), Some(10));
    }

    #[tokio::test(start_paused = true)]
    async fn the_numbers_stand_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("progress");
        let Bench {
            seen, panel, server, ..
        } = bench();
        let reporting = tokio::spawn(report(file.clone(), seen.parts));
        tokio::task::yield_now().await;
        for number in 1..=3 {
            panel.count();
            server.count();
            tokio::time::sleep(PERIOD + Duration::from_millis(1)).await;
            assert_eq!(fs::read_to_string(&file).unwrap(), format!("{number}\n"));
        }
        reporting.abort();
    }
}
