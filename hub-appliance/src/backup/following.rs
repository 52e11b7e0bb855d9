//! What is committed after a generation was made, and goes after it: one file of the log at a time, each as of a commit.
//!
//! ```text
//! file  = head ‖ for each page that changed since the file before: number (u32) ‖ page ‖ mac (32 bytes)
//! head  = "hub backup log 1" (16) ‖ number of the file (u32) ‖ bytes of a page (u32) ‖ pages in the file (u32)
//!       ‖ pages of the database (u32) ‖ last change (i64) ‖ hub clock (i64)                  numbers are big-endian
//! mac   = HMAC-SHA256(backup key, "hub backup log v1" ‖ mac of the file before, or that of the manifest ‖ all before it)
//! ```
//!
//! The pages are as they lie on the hub's disk, encrypted. Of a page that changed several times, the last is in the file.

use std::fs::{self, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hmac::Mac;

use super::error::BackupError;
use super::folder::make_folder;
use super::making::Source;
use super::manifest::Manifest;
use super::{BackupKeys, LOG};
use crate::atomic_file;
use crate::clock::HubTime;
use crate::secret::wiping_stack;
use crate::store::log::{HeldLog, Pages};

pub(super) const LABEL: &[u8] = b"hub backup log v1";
pub(super) const MAGIC: &[u8; 16] = b"hub backup log 1";

/// What a file of the log begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LogHead {
    pub(super) number: u32,
    pub(super) page_size: u32,
    pub(super) count: u32,
    pub(super) pages: u32,
    pub(super) last_change: HubTime,
    pub(super) clock: HubTime,
}

impl LogHead {
    pub(super) const LEN: usize = 16 + 4 * 4 + 2 * 8;

    fn to_bytes(self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for number in [self.number, self.page_size, self.count, self.pages] {
            bytes.extend(number.to_be_bytes());
        }
        for time in [self.last_change, self.clock] {
            bytes.extend(time.millis().to_be_bytes());
        }
        bytes
    }

    pub(super) fn parse(bytes: &[u8; Self::LEN]) -> Option<Self> {
        let (magic, rest) = bytes.split_first_chunk::<16>()?;
        let (numbers, times) = rest.split_first_chunk::<16>()?;
        let number = |at: usize| u32::from_be_bytes([numbers[at], numbers[at + 1], numbers[at + 2], numbers[at + 3]]);
        let (last_change, clock) = times.split_first_chunk::<8>()?;
        let head = Self {
            number: number(0),
            page_size: number(4),
            count: number(8),
            pages: number(12),
            last_change: HubTime::from_millis(i64::from_be_bytes(*last_change)),
            clock: HubTime::from_millis(i64::from_be_bytes(clock.try_into().ok()?)),
        };
        let is_possible = (512..=65536).contains(&head.page_size) && head.count <= head.pages;
        (magic == MAGIC && is_possible).then_some(head)
    }

    /// Bytes of the whole file.
    pub(super) fn file_len(self) -> u64 {
        Self::LEN as u64 + u64::from(self.count) * (4 + u64::from(self.page_size)) + 32
    }
}

/// The name of a file of the log.
pub(super) fn file_name(number: u32) -> String {
    format!("{number:08}")
}

/// Adds to a generation what is committed after it. While it lives the store's log is held.
pub struct Follower {
    held: HeldLog,
    generation: PathBuf,
    keys: Arc<BackupKeys>,
    is_given_up: Arc<AtomicBool>,
    made_at: HubTime,
    is_of_new: bool,
    number: u32,
    /// What the next file follows.
    link: Vec<u8>,
    bytes: u64,
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

impl Follower {
    pub(super) fn new(held: HeldLog, generation: &Path, source: &Source<'_>, manifest: &Manifest) -> Self {
        Self {
            is_of_new: true,
            ..Self::behind(held, generation, source, manifest, (0, manifest.link().to_vec()))
        }
    }

    /// The same behind the `number` files that are there, of which the last has the code `link`.
    pub(super) fn behind(
        held: HeldLog,
        generation: &Path,
        source: &Source<'_>,
        manifest: &Manifest,
        (number, link): (u32, Vec<u8>),
    ) -> Self {
        Self {
            held,
            generation: generation.to_owned(),
            keys: Arc::clone(source.backup),
            is_given_up: Arc::clone(source.is_given_up),
            made_at: manifest.made_at(),
            is_of_new: false,
            number,
            link,
            bytes: 0,
        }
    }

    /// The folder of the generation.
    #[must_use]
    pub fn generation(&self) -> &Path {
        &self.generation
    }

    /// When the generation was begun, by the hub clock.
    #[must_use]
    pub const fn made_at(&self) -> HubTime {
        self.made_at
    }

    /// Whether the generation was made for it, and was not there before.
    #[must_use]
    pub const fn is_of_new(&self) -> bool {
        self.is_of_new
    }

    /// Bytes that it has written.
    #[must_use]
    pub const fn written(&self) -> u64 {
        self.bytes
    }

    /// Writes what was committed since the last time, if anything was, and returns when it is on the disk. `clock` is the
    /// hub clock's present time. Gives whether there was something.
    ///
    /// # Errors
    /// [`BackupError::Store`] with [`Overrun`](crate::store::StoreError::Overrun) where only a new generation helps;
    /// otherwise it may be tried again, as long as the disk is there.
    pub fn follow(&mut self, clock: HubTime) -> Result<bool, BackupError> {
        let Some((pages, given)) = self.held.changed()? else {
            return Ok(false);
        };
        self.add(&pages, clock)?;
        self.held.given(given)?;
        Ok(true)
    }

    /// Writes the next file of the log.
    pub(super) fn add(&mut self, pages: &Pages, clock: HubTime) -> Result<(), BackupError> {
        let folder = self.generation.join(LOG);
        make_folder(&folder).map_err(BackupError::target)?;
        let path = folder.join(file_name(self.number + 1));
        let fresh = path.with_added_extension("new");
        let link = self.write(pages, clock, &fresh).inspect_err(|_| {
            // What is left of it is never read, and its room may be missed.
            let _ = fs::remove_file(&fresh);
        })?;
        // Had the log been let go meanwhile, pages of different commits may be there.
        self.held.is_held()?;
        self.goes_on()?;
        atomic_file::rename(&fresh, &path).map_err(BackupError::target)?;
        (self.number, self.link) = (self.number + 1, link);
        Ok(())
    }

    fn goes_on(&self) -> Result<(), BackupError> {
        if self.is_given_up.load(Ordering::Relaxed) {
            return Err(BackupError::Stopped);
        }
        Ok(())
    }

    fn write(&mut self, pages: &Pages, clock: HubTime, to: &Path) -> Result<Vec<u8>, BackupError> {
        let head = LogHead {
            number: self.number + 1,
            page_size: pages.state.page_size,
            count: pages.count(),
            pages: pages.state.pages,
            last_change: pages.state.last_change,
            clock,
        };
        // Before anything that may have to wait for a stick: nobody waits there with a key.
        let mac = wiping_stack(|| self.mac(head, pages))?;
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(to)
            .map_err(BackupError::target)?;
        let mut file = BufWriter::with_capacity(256 * 1024, file);
        file.write_all(&head.to_bytes()).map_err(BackupError::target)?;
        pages.each(|number, page| {
            self.goes_on()?;
            file.write_all(&number.to_be_bytes())
                .and_then(|()| file.write_all(page))
                .map_err(BackupError::target)
        })?;
        file.write_all(&mac).map_err(BackupError::target)?;
        let file = file
            .into_inner()
            .map_err(|error| BackupError::target(error.into_error()))?;
        file.sync_all().map_err(BackupError::target)?;
        self.bytes += head.file_len();
        Ok(mac)
    }

    fn mac(&self, head: LogHead, pages: &Pages) -> Result<Vec<u8>, BackupError> {
        let mut mac = self
            .keys
            .mac(LABEL)?
            .chain_update(&self.link)
            .chain_update(head.to_bytes());
        pages.each(|number, page| {
            mac.update(&number.to_be_bytes());
            mac.update(page);
            Ok::<_, BackupError>(())
        })?;
        Ok(mac.finalize().into_bytes().to_vec())
    }
}
