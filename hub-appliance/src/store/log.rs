//! The database as it lies on the disk, for whoever keeps a copy of it: encrypted pages, as of one commit.
//!
//! A commit goes to the write-ahead log, and comes into the file at a checkpoint, page by page as it is (SQLite, "WAL-mode
//! File Format"; SQLCipher encrypts a page before it goes to either). So while the log is **held**, which is to say that
//! nobody takes it into the file and it never starts over, the file stands still under everybody's reads and writes: it and
//! the log's pages up to a commit are the database as of that commit, and what was committed since are the pages behind.
//! Nothing is decrypted for it, and no write waits for it.
//!
//! A log that is held grows. Each time the holder has all of it, it is taken into the file; where the holder does not come
//! for it, or the disk fills up, it is let go: records come first.
//!
//! Whoever copies pages may have to wait long for where they go. That keeps no store open: its files are closed with it,
//! under whoever still reads pages.
//!
//! To open and close the file beside SQLite takes the locks away that keep other processes off it (POSIX record locks). No
//! other process opens it, for the lock of the keys' folder keeps those off.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rusqlite::Connection;
use rusqlite::hooks::Wal;

use super::Store;
use super::audit::Head;
use super::error::StoreError;
use crate::clock::HubTime;

/// Pages in the log at which it is taken into the file: SQLite's own default.
const CHECKPOINT: u32 = 1000;
/// Pages in a held log at which it is let go: 512 MiB of 4 KiB pages, more than two of the largest pushes.
const LET_GO: u32 = 128 * 1024;
/// Pages that came into the log since its holder looked, and are kept in memory while it is taken into the file.
const REST: u32 = 1024;
/// Bytes of the log's header, and of that of each page in it.
const HEADER: u64 = 32;
const PAGE_HEADER: u64 = 24;
/// So many pages are read before they are handed on.
const BATCH: usize = 64;
/// What a page can be long in SQLite.
const PAGE_SIZES: std::ops::RangeInclusive<u32> = 512..=65536;

/// What the writer knows of its log.
#[derive(Clone, Debug, Default)]
pub(super) struct Log(Arc<LogState>);

#[derive(Debug, Default)]
struct LogState {
    /// As of the last commit, where it is held.
    end: Mutex<Mark>,
    is_held: AtomicBool,
}

impl Log {
    /// Sees to the log of `connection` from now on, in the place of SQLite itself.
    ///
    /// # Errors
    /// What SQLite reports.
    pub(super) fn watch(&self, connection: &mut Connection) -> Result<(), StoreError> {
        let (log, path) = (self.clone(), PathBuf::from(connection.path().unwrap_or_default()));
        connection.wal_hook(Some(move |wal: &mut Wal, pages| {
            let pages = u32::try_from(pages).unwrap_or(0);
            if pages >= LET_GO || (log.is_held() && log.note(&path, pages).is_err()) {
                log.let_go();
            }
            if pages >= CHECKPOINT && !log.is_held() {
                // The next commit tries again.
                let _ = wal.checkpoint();
            }
            Ok(())
        }))?;
        Ok(())
    }

    /// Takes notice of where a commit ended. The log's own header does not tell later: a transaction that is undone may have
    /// begun it anew.
    fn note(&self, database: &Path, pages: u32) -> io::Result<()> {
        let mut salts = [0; 8];
        if pages > 0 {
            File::open(log_path(database))?.read_exact_at(&mut salts, 16)?;
        }
        *self.0.end.lock().unwrap_or_else(PoisonError::into_inner) = Mark { salts, pages };
        Ok(())
    }

    /// Whether it may not be taken into the file.
    pub(super) fn is_held(&self) -> bool {
        self.0.is_held.load(Ordering::Relaxed)
    }

    /// Ends it that somebody holds it.
    pub(super) fn let_go(&self) {
        self.0.is_held.store(false, Ordering::Relaxed);
    }
}

/// The writer's connection between two transactions.
pub(super) struct Between<'a> {
    pub(super) connection: &'a Connection,
    pub(super) log: &'a Log,
}

/// The end of a commit in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Mark {
    /// They change when the log starts over.
    salts: [u8; 8],
    pages: u32,
}

/// Pages by their numbers.
type Rest = BTreeMap<u32, Vec<u8>>;

/// What the database is as of a commit.
#[derive(Clone, Debug)]
pub struct State {
    /// Its pages.
    pub pages: u32,
    /// Bytes of each.
    pub page_size: u32,
    /// The time of the last change in it.
    pub last_change: HubTime,
    /// The last entry of the audit log; none where that is empty.
    pub audit: Option<Head>,
}

impl Between<'_> {
    fn hold(&self) -> Result<(Mark, bool, State), StoreError> {
        if self.log.0.is_held.swap(true, Ordering::Relaxed) {
            return Err(StoreError::InUse);
        }
        let begun = self.checkpoint().and_then(|(pages, is_whole)| {
            self.log.note(self.path()?, pages)?;
            Ok((self.mark()?, is_whole, self.state()?))
        });
        begun.inspect_err(|_| self.log.let_go())
    }

    /// Takes as much of the log into the file as readers let it, waiting for none. Gives the pages in it, and whether all
    /// of them are in the file.
    fn checkpoint(&self) -> Result<(u32, bool), StoreError> {
        let (pages, taken): (i64, i64) = (self.connection).query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
            Ok((row.get(1)?, row.get(2)?))
        })?;
        Ok((u32::try_from(pages).unwrap_or(0), pages <= taken))
    }

    fn mark(&self) -> Result<Mark, StoreError> {
        if !self.log.is_held() {
            return Err(StoreError::Overrun);
        }
        Ok(*self.log.0.end.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn state(&self) -> Result<State, StoreError> {
        let one = |sql: &str| -> rusqlite::Result<u32> { self.connection.query_row(sql, [], |row| row.get(0)) };
        let last_change = self
            .connection
            .query_row("SELECT last_change FROM hub_state", [], |row| row.get(0))?;
        Ok(State {
            pages: one("PRAGMA page_count")?,
            // SQLCipher answers in text.
            page_size: one("SELECT CAST(page_size AS INTEGER) FROM pragma_page_size")?,
            last_change: HubTime::from_millis(last_change),
            audit: Head::of(self.connection)?,
        })
    }

    /// Takes the log into the file. Gives the pages behind `known`, which go out of it; none where they are too many.
    fn take_in(&self, known: Mark, page_size: u32) -> Result<Option<(Mark, Rest)>, StoreError> {
        let now = self.mark()?;
        let places = behind(self.path()?, known, now, page_size)?;
        if u32::try_from(places.len()).is_ok_and(|pages| pages > REST) {
            return Ok(None);
        }
        let log = File::open(log_path(self.path()?))?;
        let mut rest = BTreeMap::new();
        for (page, place) in places {
            let mut bytes = vec![0; page_size as usize];
            log.read_exact_at(&mut bytes, place)?;
            rest.insert(page, bytes);
        }
        self.checkpoint()?;
        Ok(Some((now, rest)))
    }

    fn path(&self) -> Result<&Path, StoreError> {
        self.connection.path().map(Path::new).ok_or(StoreError::Defect)
    }
}

/// Where each page that changed behind `known` begins in the log, as it was at `now`.
fn behind(database: &Path, known: Mark, now: Mark, page_size: u32) -> io::Result<BTreeMap<u32, u64>> {
    let first = if known.salts == now.salts { known.pages } else { 0 };
    let mut places = BTreeMap::new();
    if first >= now.pages {
        return Ok(places);
    }
    let log = File::open(log_path(database))?;
    let length = PAGE_HEADER + u64::from(page_size);
    let mut header = [0; PAGE_HEADER as usize];
    for index in first..now.pages {
        let at = HEADER + u64::from(index) * length;
        log.read_exact_at(&mut header, at)?;
        let number = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let ends_a_commit = number(4) != 0;
        if header[8..16] != now.salts || (index + 1 == now.pages && !ends_a_commit) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the log is not what it was"));
        }
        places.insert(number(0), at + PAGE_HEADER);
    }
    Ok(places)
}

fn log_path(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

/// The files that pages are read from.
#[derive(Debug)]
struct Files {
    /// Where all of the database is read: its file.
    database: Option<File>,
    log: Option<File>,
}

type OpenFiles = Mutex<Option<Files>>;

/// The files of all pages that are being read.
#[derive(Debug, Default)]
pub(super) struct PageFiles(Mutex<Vec<Weak<OpenFiles>>>);

impl PageFiles {
    fn add(&self, files: Files) -> Arc<OpenFiles> {
        let files = Arc::new(Mutex::new(Some(files)));
        let mut all = lock(&self.0);
        all.retain(|files| files.strong_count() > 0);
        all.push(Arc::downgrade(&files));
        files
    }

    /// Closes them under whoever reads.
    pub(super) fn close(&self) {
        for files in lock(&self.0).drain(..).filter_map(|files| files.upgrade()) {
            drop(lock(&files).take());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The log of an open store, held: see above. It keeps no store open.
pub struct HeldLog {
    store: Weak<Store>,
    /// As far as its pages were given.
    known: Mark,
    /// Pages that went out of the log before they were given.
    rest: Rest,
    page_size: u32,
}

/// Pages as of a commit, each as it lies on the disk.
pub struct Pages {
    /// What the database is with them.
    pub state: State,
    is_whole: bool,
    /// Only these of them, where somebody said so.
    only: Option<Vec<u32>>,
    files: Arc<OpenFiles>,
    places: BTreeMap<u32, u64>,
    rest: Rest,
}

impl Store {
    /// Holds the log, and gives all pages of the database as of now. They are to be read while it is held, and are good if
    /// [`HeldLog::is_held`] when that is done.
    ///
    /// # Errors
    /// [`StoreError::InUse`] if somebody holds it, or what SQLite or the disk report.
    pub fn hold_log(self: &Arc<Self>) -> Result<(HeldLog, Pages), StoreError> {
        let (known, is_whole, state) = self.between(|between| between.hold())?;
        let held = HeldLog {
            store: Arc::downgrade(self),
            known,
            rest: BTreeMap::new(),
            page_size: state.page_size,
        };
        if !PAGE_SIZES.contains(&state.page_size) {
            return Err(StoreError::Defect);
        }
        // A log that is all in the file may start over with the next commit, so it is not looked at.
        let places = if is_whole {
            BTreeMap::new()
        } else {
            behind(&self.path, Mark { pages: 0, ..known }, known, state.page_size)?
        };
        let pages = Pages {
            is_whole: true,
            only: None,
            files: self.pages.add(Files {
                database: Some(File::open(&self.path)?),
                log: (!places.is_empty())
                    .then(|| File::open(log_path(&self.path)))
                    .transpose()?,
            }),
            places,
            rest: BTreeMap::new(),
            state,
        };
        Ok((held, pages))
    }

    fn between<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Between<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.writer.between(work)
    }
}

impl HeldLog {
    /// Makes sure that what was read since it was held is what it was said to be.
    ///
    /// # Errors
    /// [`StoreError::Overrun`] if the log was let go, [`StoreError::Closed`].
    pub fn is_held(&self) -> Result<(), StoreError> {
        self.store()?.between(|between| between.mark().map(|_| ()))
    }

    /// The pages that changed since those that were given last, as of now; none where nothing was committed. They are to be
    /// read before anything else is asked; [`Self::given`] then says that they were.
    ///
    /// # Errors
    /// [`StoreError::Overrun`] if the log was let go: only all pages are of use then. Or what SQLite or the disk report.
    pub fn changed(&mut self) -> Result<Option<(Pages, Given)>, StoreError> {
        let store = self.store()?;
        let (now, state) = store.between(|between| Ok((between.mark()?, between.state()?)))?;
        if now == self.known && self.rest.is_empty() {
            return Ok(None);
        }
        let places = behind(&store.path, self.known, now, self.page_size)?;
        let pages = Pages {
            state,
            is_whole: false,
            only: None,
            files: store.pages.add(Files {
                database: None,
                log: (!places.is_empty())
                    .then(|| File::open(log_path(&store.path)))
                    .transpose()?,
            }),
            places,
            rest: self.rest.clone(),
        };
        Ok(Some((pages, Given(now))))
    }

    /// The changed pages were read. Where much is in the log by now it is taken into the file.
    ///
    /// # Errors
    /// As [`Self::changed`].
    pub fn given(&mut self, Given(mark): Given) -> Result<(), StoreError> {
        self.known = mark;
        self.rest.clear();
        if mark.pages < CHECKPOINT {
            return Ok(());
        }
        let page_size = self.page_size;
        if let Some((known, rest)) = self.store()?.between(move |between| between.take_in(mark, page_size))? {
            (self.known, self.rest) = (known, rest);
        }
        Ok(())
    }

    fn store(&self) -> Result<Arc<Store>, StoreError> {
        self.store.upgrade().ok_or(StoreError::Closed)
    }
}

/// As far as pages were given.
#[derive(Debug)]
pub struct Given(Mark);

impl Drop for HeldLog {
    fn drop(&mut self) {
        // A store that is closed holds nothing.
        let _ = self.store().and_then(|store| {
            store.between(|between| {
                between.log.let_go();
                between.checkpoint().map(|_| ())
            })
        });
    }
}

impl Pages {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        if let (true, None) = (self.is_whole, &self.only) {
            return self.state.pages;
        }
        u32::try_from(self.numbers().count()).unwrap_or(u32::MAX)
    }

    /// Leaves out all but those of these numbers, which are in order.
    pub fn keep(&mut self, numbers: Vec<u32>) {
        self.only = Some(numbers);
    }

    /// The numbers of all that there are, in their order.
    fn numbers(&self) -> Box<dyn Iterator<Item = u32> + '_> {
        if let Some(only) = &self.only {
            return Box::new(only.iter().copied());
        }
        if self.is_whole {
            return Box::new(1..=self.state.pages);
        }
        let numbers: BTreeSet<_> = self.places.keys().chain(self.rest.keys()).copied().collect();
        Box::new(numbers.into_iter())
    }

    /// Hands each page with its number to `take`, in the order of numbers, until that fails. However long `take` needs, no
    /// file of the store is held meanwhile.
    ///
    /// # Errors
    /// What the disk reports, or `take` does; [`io::ErrorKind::NotConnected`] where the store was closed.
    pub fn each<E: From<io::Error>>(&self, mut take: impl FnMut(u32, &[u8]) -> Result<(), E>) -> Result<(), E> {
        let size = self.state.page_size as usize;
        let mut batch = vec![0; BATCH * size];
        let mut numbers = self.numbers().peekable();
        while numbers.peek().is_some() {
            let taken: Vec<u32> = numbers.by_ref().take(BATCH).collect();
            let pages = taken.iter().copied().zip(batch.chunks_exact_mut(size));
            self.read(pages)?;
            for (number, page) in taken.iter().zip(batch.chunks_exact(size)) {
                take(*number, page)?;
            }
        }
        Ok(())
    }

    fn read<'a>(&self, pages: impl Iterator<Item = (u32, &'a mut [u8])>) -> io::Result<()> {
        let files = lock(&self.files);
        let files = files.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        for (number, page) in pages {
            match (self.places.get(&number), self.rest.get(&number), &files.database) {
                (Some(place), ..) => {
                    let log = files.log.as_ref().ok_or(io::ErrorKind::NotFound)?;
                    log.read_exact_at(page, *place)?;
                }
                (None, Some(rest), _) => page.copy_from_slice(rest),
                (None, None, Some(database)) => {
                    let place = u64::from(number - 1) * page.len() as u64;
                    match database.read_exact_at(page, place) {
                        // It was added to the database, and not written yet.
                        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => page.fill(0),
                        read => read?,
                    }
                }
                (None, None, None) => return Err(io::ErrorKind::NotFound.into()),
            }
        }
        Ok(())
    }
}
