//! The one writer: a thread that owns the write connection and runs the work it is handed.
//!
//! Work that waits at the same time shares one transaction, each piece after the first in a savepoint of its own, so that
//! twenty phones cost the SD card one flush and not twenty. A piece that fails or panics is rolled back alone. Nobody is told of
//! success before the commit is on disk.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, InterruptHandle};

use super::audit::{AuditChain, Entry};
use super::connection::{Purpose, StoreKey, open};
use super::disk::Disk;
use super::error::StoreError;
use super::log::{Between, Log};
use super::pulse::Pulse;
use super::queue::{Jobs, Queue, Waiting, queue};
use super::rekey::Rekey;
use super::search::Follower;
use super::sync::release;
use crate::clock::{HubClock, HubTime};
use crate::secret::wiping_stack;

/// How long a writer that is dropped may finish its work.
const CLOSING: Duration = Duration::from_secs(1);
/// Pieces of work in one transaction.
const BATCH: usize = 32;
/// After how many rows the disk's room is looked at again.
const ROWS: u32 = 256;

/// The open transaction of one piece of work.
pub struct WriteTx<'a> {
    connection: &'a Connection,
    clock: &'a HubClock,
    audit: &'a mut AuditChain,
    disk: &'a Disk,
    pulse: &'a Pulse,
    follower: &'a Follower,
    change: Option<HubTime>,
    /// Rows that were taken in.
    rows: u32,
    /// Other work is in this transaction already.
    has_company: bool,
    waiting: &'a Waiting,
}

impl<'a> WriteTx<'a> {
    /// The connection, for statements of the store.
    pub(super) const fn connection(&self) -> &'a Connection {
        self.connection
    }

    /// Begins a part of the work that can be undone alone: [`Self::keep_part`] or [`Self::undo_part`] ends it.
    ///
    /// # Errors
    /// What SQLite reports.
    pub(super) fn begin_part(&self) -> Result<(), StoreError> {
        self.part("SAVEPOINT part")
    }

    /// Ends a part whose changes stay.
    ///
    /// # Errors
    /// What SQLite reports.
    pub(super) fn keep_part(&self) -> Result<(), StoreError> {
        self.part("RELEASE part")
    }

    /// Ends a part whose changes go.
    ///
    /// # Errors
    /// What SQLite reports; a disk that failed leaves no part to undo.
    pub(super) fn undo_part(&self) -> Result<(), StoreError> {
        self.part("ROLLBACK TO part")?;
        self.part("RELEASE part")
    }

    fn part(&self, sql: &'static str) -> Result<(), StoreError> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }

    /// The change time of this piece of work: the same for all rows it writes, above that of all work before it.
    pub fn change_time(&mut self) -> HubTime {
        *self.change.get_or_insert_with(|| self.clock.now())
    }

    /// The time to write beside what is not a synced row.
    #[must_use]
    pub fn now(&self) -> HubTime {
        self.change.unwrap_or_else(|| self.clock.peek())
    }

    /// Whether the hub clock has its time from a source that can be trusted.
    pub(super) fn trusts_its_clock(&self) -> bool {
        self.clock.follows_its_source()
    }

    /// Writes down how long the box has run.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn save_run_time(&self) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("UPDATE hub_state SET run_ms = ?1")?
            .execute([self.clock.run_time().millis()])?;
        Ok(())
    }

    /// To be called before each row that is taken in from outside, so that the disk never fills up with them.
    ///
    /// # Errors
    /// [`StoreError::Full`] if there is no room for more.
    pub(super) fn take_row(&mut self) -> Result<(), StoreError> {
        if self.rows.is_multiple_of(ROWS) {
            self.look_for_room()?;
        }
        self.rows = self.rows.saturating_add(1);
        self.pulse.step();
        Ok(())
    }

    /// What the transaction has brought into the log is gone from the disk already; what the database will grow by when the
    /// log is taken into it is not.
    fn look_for_room(&self) -> Result<(), StoreError> {
        let mut size = self
            .connection
            .prepare_cached("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")?;
        let size: i64 = size.query_row([], |row| row.get(0))?;
        let on_disk = self
            .connection
            .path()
            .map_or(Ok(0), |path| fs::metadata(path).map(|file| file.len()))?;
        self.disk
            .has_room_for(u64::try_from(size).unwrap_or(0).saturating_sub(on_disk))
    }

    /// Whether somebody else waits for this work to end: to be done themselves, or to be told that they are. Long work that can
    /// go on in another transaction lets them go before.
    #[must_use]
    pub(super) fn is_waited_for(&self) -> bool {
        self.has_company || self.waiting() > 0
    }

    /// How many jobs wait for the writer.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.count()
    }

    /// Shows that the work moves on, where no row is taken in.
    pub(super) fn step(&self) {
        self.pulse.step();
    }

    /// Runs `work`, one long reckoning of which nothing is seen until it ends.
    pub fn unseen<T>(&self, work: impl FnOnce() -> T) -> T {
        self.pulse.unseen(work)
    }

    /// Adds an entry to the audit log.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn audit(&mut self, entry: &Entry) -> Result<(), StoreError> {
        let (at, clock_trusted) = (self.now(), self.trusts_its_clock());
        self.audit.append(self.connection, at, clock_trusted, entry)
    }
}

/// How the transaction that a piece of work was part of ended.
type Commit = Result<(), CommitFailure>;

#[derive(Clone, Copy)]
enum CommitFailure {
    Full,
    Other(Option<rusqlite::ErrorCode>),
}

impl From<CommitFailure> for StoreError {
    fn from(failure: CommitFailure) -> Self {
        match failure {
            CommitFailure::Full => Self::Full,
            CommitFailure::Other(Some(code)) => Self::Database(code),
            CommitFailure::Other(None) => Self::Defect,
        }
    }
}

impl From<StoreError> for CommitFailure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => Self::Full,
            StoreError::Database(code) => Self::Other(Some(code)),
            _ => Self::Other(None),
        }
    }
}

/// Tells the caller of a piece of work how it ended, once the commit is known.
type Deliver = Box<dyn FnOnce(Commit) + Send>;

/// What a piece of work leaves: whether its changes stay, and whom to tell.
pub(super) struct Done {
    keep: bool,
    deliver: Deliver,
}

type Work = Box<dyn FnOnce(&mut WriteTx<'_>) -> Done + Send>;

/// What the thread is handed.
pub(super) enum Job {
    /// Work in a transaction.
    Work(Work),
    /// What is to be done between two transactions.
    Between(Box<dyn FnOnce(&Between<'_>) + Send>),
    /// Another key for the database.
    Rekey(Rekey),
}

/// The handle on the writer thread.
pub(super) struct Writer {
    queue: Mutex<Option<Queue>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    interrupt: Arc<Mutex<InterruptHandle>>,
    pulse: Pulse,
    /// Answers nothing; it is cut off when the thread ends.
    ended: Mutex<Receiver<()>>,
}

impl Writer {
    /// Starts the thread, which takes over `connection`.
    ///
    /// # Errors
    /// What the operating system reports.
    pub(super) fn start(
        mut connection: Connection,
        key: &StoreKey,
        clock: Arc<HubClock>,
        audit: AuditChain,
        disk: &Arc<Disk>,
        pulse: Pulse,
    ) -> Result<Self, StoreError> {
        let (disk, key) = (Arc::clone(disk), key.clone());
        pulse.follow(&mut connection);
        let of_thread = pulse.clone();
        let follower = Follower::default();
        follower.watch(&mut connection)?;
        let log = Log::default();
        log.watch(&mut connection)?;
        let (queue, jobs) = queue();
        let (running, ended) = sync_channel(0);
        let interrupt = Arc::new(Mutex::new(connection.get_interrupt_handle()));
        let of_connection = Arc::clone(&interrupt);
        let thread = std::thread::Builder::new().name("store-writer".into()).spawn(move || {
            let running = running;
            let writing = Loop {
                connection: Rc::new(connection),
                key,
                interrupt: of_connection,
                clock,
                audit,
                disk,
                pulse: of_thread,
                follower,
                log,
            };
            wiping_stack(|| writing.run(&jobs));
            drop(running);
        })?;
        Ok(Self {
            queue: Mutex::new(Some(queue)),
            thread: Mutex::new(Some(thread)),
            interrupt,
            pulse,
            ended: Mutex::new(ended),
        })
    }

    /// How the thread shows that it moves on.
    pub(super) const fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    /// Runs `work` in a transaction and returns when that is on disk. If `work` fails, nothing it did stays.
    ///
    /// # Errors
    /// What `work` returns, or why the transaction was not committed.
    pub(super) fn run<T, E>(&self, work: impl FnOnce(&mut WriteTx<'_>) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (reply, answer) = sync_channel::<Result<T, E>>(1);
        let work: Work = Box::new(move |transaction| {
            let result = work(transaction).and_then(|value| {
                transaction.finish()?;
                Ok(value)
            });
            Done {
                keep: result.is_ok(),
                deliver: Box::new(move |commit| {
                    let result = match (result, commit) {
                        (Ok(_), Err(failure)) => Err(StoreError::from(failure).into()),
                        (result, _) => result,
                    };
                    // A caller that has gone needs no answer.
                    let _ = reply.send(result);
                }),
            }
        });
        self.hand_in(Job::Work(work))?;
        answer.recv().map_err(|_| StoreError::Closed)?
    }

    /// Does something between two transactions, with all that was committed on the disk and nothing else, and returns when
    /// it is done. It is to be short: whoever writes waits for it.
    ///
    /// # Errors
    /// What `work` returns, or [`StoreError::Closed`].
    pub(super) fn between<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Between<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = sync_channel(1);
        self.hand_in(Job::Between(Box::new(move |between| {
            // A caller that has gone needs no answer.
            let _ = reply.send(work(between));
        })))?;
        answer.recv().map_err(|_| StoreError::Closed)?
    }

    /// Has the database come under another key, beside what is written meanwhile; returns at once.
    ///
    /// # Errors
    /// [`StoreError::Closed`].
    pub(super) fn rekey(&self, rekey: Rekey) -> Result<(), StoreError> {
        self.hand_in(Job::Rekey(rekey))
    }

    fn hand_in(&self, job: Job) -> Result<(), StoreError> {
        let queue = self
            .queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
            .ok_or(StoreError::Closed)?;
        queue.hand_in(job)
    }

    /// Takes no more work, finishes what waits, checkpoints and closes the connection. Work that is not done when
    /// `patience` ends is rolled back: nobody has been told of its success.
    pub(super) fn close(&self, patience: Duration) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread {
            while ended.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
                self.interrupt
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .interrupt();
            }
            // A panic of the thread was reported by its caller's missing answer.
            let _ = thread.join();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close(CLOSING);
    }
}

impl WriteTx<'_> {
    /// Stores what waited for what was written, brings what is searched up to the rows, and writes down the change time, in
    /// the same transaction as the rows that carry it, if there is room for these.
    fn finish(&mut self) -> Result<(), StoreError> {
        if let Some(change) = self.change {
            release::due(self, change)?;
        }
        self.follower.catch_up(self.connection, self.pulse)?;
        if self.rows > 0 {
            self.look_for_room()?;
        }
        if let Some(change) = self.change {
            self.connection
                .prepare_cached("UPDATE hub_state SET last_change = ?1")?
                .execute([change.millis()])?;
        }
        Ok(())
    }
}

/// What is undone where a piece of work fails. Each statement that may fail half-way walks all that a savepoint around it has
/// kept of the pages before, so that the first piece of a transaction, which is most often the only one, goes without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Undo {
    /// The transaction, which has no other changes yet.
    Transaction,
    /// The savepoint of the piece.
    Savepoint,
}

/// The thread.
pub(super) struct Loop {
    /// Shared with whoever copies it on this thread.
    pub(super) connection: Rc<Connection>,
    pub(super) key: StoreKey,
    interrupt: Arc<Mutex<InterruptHandle>>,
    clock: Arc<HubClock>,
    audit: AuditChain,
    pub(super) disk: Arc<Disk>,
    pub(super) pulse: Pulse,
    follower: Follower,
    pub(super) log: Log,
}

impl Loop {
    fn run(mut self, jobs: &Jobs) {
        while let Ok(job) = jobs.next() {
            self.turn(job, jobs);
        }
        self.checkpoint();
    }

    /// Does what it is handed, and as much of what waits behind it as goes into the same transaction.
    pub(super) fn turn(&mut self, job: Job, jobs: &Jobs) {
        let mut next = Some(job);
        while let Some(job) = next.take() {
            match job {
                Job::Work(first) => {
                    let waiting = std::iter::from_fn(|| match jobs.at_hand() {
                        Ok(Job::Work(work)) => Some(work),
                        Ok(other) => {
                            next = Some(other);
                            None
                        }
                        Err(_) => None,
                    });
                    self.batch(std::iter::once(first).chain(waiting).take(BATCH), jobs.waiting());
                }
                Job::Between(work) => {
                    self.pulse.step();
                    let between = Between {
                        connection: &self.connection,
                        log: &self.log,
                    };
                    self.pulse.unseen(|| work(&between));
                }
                Job::Rekey(rekey) => self.rekey(rekey, jobs),
            }
        }
    }

    /// Leaves nothing in the write-ahead log; should that fail, the next opening replays it.
    fn checkpoint(&self) {
        let checkpoint = || {
            self.connection
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        };
        let _ = self.pulse.unseen(checkpoint);
    }

    fn batch(&mut self, works: impl Iterator<Item = Work>, waiting: &Waiting) {
        let begun = self.connection.execute_batch("BEGIN IMMEDIATE");
        let mut delivers = Vec::new();
        let mut all_kept = true;
        let mut is_first = true;
        for work in works {
            // A disk that is full or fails makes SQLite end the transaction by itself, with all that came before.
            if begun.is_ok() && !self.connection.is_autocommit() {
                let undo = if is_first { Undo::Transaction } else { Undo::Savepoint };
                let (deliver, is_kept) = self.piece(work, undo, (!delivers.is_empty(), waiting));
                is_first &= !is_kept;
                all_kept &= is_kept;
                delivers.extend(deliver);
            } else {
                // Dropping the work tells its caller that the store did not take it.
                drop(work);
            }
        }
        if let Err(error) = begun {
            self.note(&error.into());
            self.renew_unless_sound();
            return;
        }
        let commit = self.pulse.unseen(|| self.connection.execute_batch("COMMIT"));
        let commit = commit.map_err(|error| {
            let error = StoreError::from(error);
            self.note(&error);
            CommitFailure::from(error)
        });
        if commit.is_err() {
            let _ = self.connection.execute_batch("ROLLBACK");
            let _ = self.audit.rewind(&self.connection);
        }
        if commit.is_err() || !all_kept {
            self.renew_unless_sound();
        }
        for deliver in delivers {
            deliver(commit);
        }
        if self.disk.take_refusal() {
            // What was refused may have filled the log up before it was taken back.
            self.log.let_go();
            self.checkpoint();
        }
    }

    /// Opens another connection in the place of one that has met with a page that is not what was written: SQLCipher gives
    /// zeros for all that such a one reads from then on, and writes nothing. Whether it has shows when a page is read anew.
    fn renew_unless_sound(&mut self) {
        let read_anew = || -> rusqlite::Result<i64> {
            self.connection.execute_batch("PRAGMA shrink_memory")?;
            self.connection
                .query_row("SELECT last_change FROM hub_state", [], |row| row.get(0))
        };
        let Err(error) = read_anew().map_err(StoreError::from) else {
            return;
        };
        self.note(&error);
        let renewed = self
            .connection
            .path()
            .map(|path| open(Path::new(path), &self.key, Purpose::Write));
        if let Some(Ok(connection)) = renewed {
            // Where it can't be, the next transaction that fails brings the next try.
            let _ = self.adopt(connection);
        }
    }

    /// Works on this connection from now on.
    ///
    /// # Errors
    /// What SQLite reports; then it goes on with the one before.
    pub(super) fn adopt(&mut self, mut connection: Connection) -> Result<(), StoreError> {
        self.follower.watch(&mut connection)?;
        self.log.watch(&mut connection)?;
        self.pulse.follow(&mut connection);
        let interrupt = connection.get_interrupt_handle();
        *self.interrupt.lock().unwrap_or_else(PoisonError::into_inner) = interrupt;
        self.connection = Rc::new(connection);
        self.audit.rewind(&self.connection)
    }

    /// Takes notice of a transaction that failed as a whole.
    pub(super) fn note(&self, error: &StoreError) {
        if let Some(trouble) = error.trouble() {
            self.disk.note(trouble);
        }
    }

    /// Runs one piece of work, and says whether its changes stay. A panic leaves its caller without an answer.
    fn piece(&mut self, work: Work, undo: Undo, others: (bool, &Waiting)) -> (Option<Deliver>, bool) {
        self.pulse.step();
        let head = self.audit.clone();
        if undo == Undo::Savepoint && self.connection.execute_batch("SAVEPOINT piece").is_err() {
            return (None, false);
        }
        let mut transaction = WriteTx {
            connection: &self.connection,
            clock: &self.clock,
            audit: &mut self.audit,
            disk: &self.disk,
            pulse: &self.pulse,
            follower: &self.follower,
            change: None,
            rows: 0,
            has_company: others.0,
            waiting: others.1,
        };
        let done = catch_unwind(AssertUnwindSafe(|| work(&mut transaction))).ok();
        let is_kept = done.as_ref().is_some_and(|done| done.keep);
        if !is_kept {
            let _ = self.connection.execute_batch(match undo {
                Undo::Transaction => "ROLLBACK; BEGIN IMMEDIATE",
                Undo::Savepoint => "ROLLBACK TO piece",
            });
            self.follower.forget();
            self.audit = head;
        }
        if undo == Undo::Savepoint {
            let _ = self.connection.execute_batch("RELEASE piece");
        }
        (done.map(|done| done.deliver), is_kept)
    }
}
