//! Another key for an open database, beside what is read and written meanwhile.
//!
//! ```text
//! hub.db (old key) ──page by page──► hub.db.next (new key) ──► all readers leave ──► rename over hub.db
//! ```
//!
//! The copy is SQLite's own ("SQLite Backup API"; SQLCipher decrypts and encrypts each page by the keys of the two files), and
//! is made by the writer's connection between its transactions: SQLite then carries what that connection changes into what is
//! copied already. (`PRAGMA rekey` is one transaction over all pages, for which everybody would wait.) The two are exchanged
//! in one moment: no read is under way, the log is in the file and gone, and the new file is on the disk. A power cut leaves
//! the one or the other; a copy that was cut short is removed at the next opening.
//!
//! Blocks of the old file that the disk gives free keep their content until they are used again: records of until now, under
//! the old key. In a box they lie below LUKS.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::connection::{Purpose, StoreKey, nowhere, open};
use super::error::StoreError;
use super::queue::Jobs;
use super::writer::Loop;
use super::{READERS, Store};

/// Pages that are copied at a time: a few milliseconds of the writer's.
const STEP: u32 = 64;
/// What the writer waits for work between two of them.
const PAUSE: Duration = Duration::from_millis(4);
/// Pages that may be copied and not be on the disk yet: what a commit may have to wait for.
const AHEAD: u32 = 2048;
/// What more than a copy takes has to be free before it is begun again, as a part of it.
const SPARE_PART: u64 = 8;
/// How often is looked how far the copy is.
const LOOK: Duration = Duration::from_millis(50);
/// How long those who come may wait for a read that is under way.
const PATIENCE: Duration = Duration::from_millis(500);

/// How far the copy is: what the writer and whoever asked for it tell each other.
#[derive(Debug, Default)]
struct Progress {
    copied: AtomicU32,
    on_disk: AtomicU32,
    all: AtomicU32,
    /// All that is left is copied in one moment.
    is_ready: AtomicBool,
    is_to_switch: AtomicBool,
    is_to_stop: AtomicBool,
}

impl Progress {
    fn permille(&self) -> u16 {
        let (copied, all) = (self.on_disk.load(Ordering::Acquire), self.all.load(Ordering::Acquire));
        u16::try_from(u64::from(copied) * 1000 / u64::from(all.max(1)))
            .unwrap_or(1000)
            .min(1000)
    }
}

/// What the writer is handed.
pub(super) struct Rekey {
    key: StoreKey,
    progress: Arc<Progress>,
    reply: SyncSender<Result<(), StoreError>>,
}

impl Store {
    /// Brings the database under `key`, while it is read and written. `goes_on` is told how far that is, in permille, and
    /// says whether to go on.
    ///
    /// # Errors
    /// [`StoreError::Stopped`], [`StoreError::NoRoom`] where a copy would take the room that records need, [`StoreError::Closed`], or what SQLite
    /// or the disk report; the database then is under the key that it was under.
    pub fn rekey(&self, key: &StoreKey, goes_on: &dyn Fn(u16) -> bool) -> Result<(), StoreError> {
        let _one_at_a_time = self.rekeying.try_lock().map_err(|_| StoreError::InUse)?;
        let progress = Arc::new(Progress::default());
        let (reply, answer) = sync_channel(1);
        self.writer.rekey(Rekey {
            key: key.clone(),
            progress: Arc::clone(&progress),
            reply,
        })?;
        let copy = next_to(&self.path);
        loop {
            match answer.recv_timeout(LOOK) {
                Ok(ended) => return ended,
                Err(RecvTimeoutError::Disconnected) => return Err(StoreError::Closed),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if !goes_on(progress.permille()) {
                progress.is_to_stop.store(true, Ordering::Release);
                continue;
            }
            let copied = progress.copied.load(Ordering::Acquire);
            if copied > progress.on_disk.load(Ordering::Acquire) {
                File::open(&copy)?.sync_data()?;
                progress.on_disk.store(copied, Ordering::Release);
            }
            if progress.is_ready.load(Ordering::Acquire)
                && let Some(paused) = self.readers.pause(PATIENCE)
            {
                progress.is_to_switch.store(true, Ordering::Release);
                let ended = answer.recv().unwrap_or(Err(StoreError::Closed));
                // The writer knows best which file is there.
                let is_there = ended.is_ok() || open(&self.path, key, Purpose::Read).is_ok();
                let key = if is_there { key.clone() } else { paused.key().clone() };
                paused.resume(&key, READERS)?;
                return ended;
            }
        }
    }
}

impl Store {
    /// Whether there is room for what [`Self::rekey`] puts beside the database, and some more for what comes in meanwhile.
    pub fn has_room_to_rekey(&self) -> bool {
        let size = fs::metadata(&self.path).map(|file| file.len());
        size.is_ok_and(|size| self.disk.has_room_aside(size.saturating_add(size / SPARE_PART)).is_ok())
    }
}

impl Loop {
    /// Copies the database, and puts the copy in its place when it is told to.
    pub(super) fn rekey(&mut self, rekey: Rekey, jobs: &Jobs) {
        let ended = self.copy_and_switch(&rekey, jobs);
        if let Err(error) = &ended {
            self.note(error);
        }
        // Who asked may have gone.
        let _ = rekey.reply.send(ended);
    }

    fn copy_and_switch(&mut self, rekey: &Rekey, jobs: &Jobs) -> Result<(), StoreError> {
        let path = PathBuf::from(self.connection.path().ok_or(StoreError::Defect)?);
        clean(&path)?;
        let (pages, size) = extent(&self.connection)?;
        self.disk.has_room_aside(u64::from(pages) * u64::from(size))?;
        let copied = self.copy(&path, rekey, jobs);
        let switched = copied.and_then(|()| self.switch(&path, &rekey.key));
        if switched.is_err() {
            // Its room may be missed. It is removed at the next opening, where that can't be now.
            let _ = clean(&path);
        }
        switched
    }

    /// Returns when all is copied, and nothing was written since.
    fn copy(&mut self, path: &Path, rekey: &Rekey, jobs: &Jobs) -> Result<(), StoreError> {
        let mut target = open(&next_to(path), &rekey.key, Purpose::Fill)?;
        fs::set_permissions(next_to(path), fs::Permissions::from_mode(0o600))?;
        let source = Rc::clone(&self.connection);
        let backup = Backup::new(&source, &mut target)?;
        let progress = &rekey.progress;
        loop {
            match jobs.within(PAUSE) {
                Ok(job) => self.turn(job, jobs),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(StoreError::Closed),
            }
            if progress.is_to_stop.load(Ordering::Acquire) || !Rc::ptr_eq(&source, &self.connection) {
                return Err(StoreError::Stopped);
            }
            self.pulse.step();
            let (all, size) = extent(&source)?;
            progress.all.store(all, Ordering::Release);
            let copied = progress.copied.load(Ordering::Acquire);
            let is_ready = all.saturating_sub(copied) <= STEP;
            if progress.is_to_switch.load(Ordering::Acquire) {
                return match self.pulse.unseen(|| backup.step(-1))? {
                    StepResult::Done => Ok(()),
                    _ => Err(StoreError::InUse),
                };
            }
            progress.is_ready.store(is_ready, Ordering::Release);
            let is_far_ahead = copied.saturating_sub(progress.on_disk.load(Ordering::Acquire)) > AHEAD;
            if !is_ready && !is_far_ahead {
                // What comes in meanwhile goes before.
                self.disk.has_room_aside(u64::from(all - copied) * u64::from(size))?;
                // Never to its end, after which SQLite would carry nothing over any more.
                let step = STEP.min(all - copied - 1);
                backup.step(i32::try_from(step).unwrap_or(1))?;
                let now = backup.progress();
                let copied = u32::try_from(now.pagecount - now.remaining).unwrap_or(0);
                progress.copied.store(copied, Ordering::Release);
            }
        }
    }

    /// Puts the copy in the place of the database. No reader is there.
    fn switch(&mut self, path: &Path, key: &StoreKey) -> Result<(), StoreError> {
        // Who follows the log has to begin anew.
        self.log.let_go();
        let placeholder = Rc::new(nowhere()?);
        let closed = self
            .pulse
            .unseen(|| close(std::mem::replace(&mut self.connection, placeholder)));
        let renamed = closed.and_then(|()| {
            // One that is not empty is of what could not be taken into the file, and would be taken for the new one's.
            let log = beside(path, "-wal");
            if fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
                return Err(StoreError::InUse);
            }
            remove(&log)?;
            remove(&beside(path, "-shm"))?;
            let copy = next_to(path);
            File::open(&copy)?.sync_all()?;
            sync_folder(path)?;
            fs::rename(&copy, path)?;
            Ok(())
        });
        if renamed.is_ok() {
            self.key = key.clone();
        }
        // That it is there is sure before anything is written to it.
        let synced = sync_folder(path).map_err(StoreError::from);
        let adopted = open(path, &self.key, Purpose::Write).and_then(|connection| self.adopt(connection));
        renamed.and(synced).and(adopted)
    }
}

/// Removes what a copy that was cut short left beside the database at `path`.
///
/// # Errors
/// What the disk reports.
pub(super) fn clean(path: &Path) -> io::Result<()> {
    let copy = next_to(path);
    for suffix in ["-journal", "-wal", "-shm"] {
        remove(&beside(&copy, suffix))?;
    }
    remove(&copy)
}

fn next_to(path: &Path) -> PathBuf {
    path.with_added_extension("next")
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn sync_folder(file: &Path) -> io::Result<()> {
    file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// Takes the log into the file, of which this is the last connection.
fn close(connection: Rc<Connection>) -> Result<(), StoreError> {
    let connection = Rc::into_inner(connection).ok_or(StoreError::Defect)?;
    connection.close().map_err(|(_, error)| error.into())
}

/// Pages of a database, and bytes of each.
fn extent(connection: &Connection) -> Result<(u32, u32), StoreError> {
    let one = |sql: &str| -> rusqlite::Result<u32> { connection.prepare_cached(sql)?.query_row([], |row| row.get(0)) };
    let pages = one("SELECT page_count FROM pragma_page_count")?;
    // SQLCipher answers in text.
    Ok((pages, one("SELECT CAST(page_size AS INTEGER) FROM pragma_page_size")?))
}
