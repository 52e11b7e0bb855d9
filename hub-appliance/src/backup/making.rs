//! Writing a generation: copied, flushed, read back, checked, named.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use sha2::{Digest, Sha256};

use super::error::BackupError;
use super::folder::Folder;
use super::following::Follower;
use super::manifest::{Body, FileEntry, Head, Manifest};
use super::{BackupKeys, DATABASE, KEY_SLOTS, RECIPIENT, Recipient, VAULT};
use crate::atomic_file;
use crate::keys::{KeyStore, KeysError};
use crate::store::log::{HeldLog, Pages};
use crate::store::{Store, StoreError, copies};

/// A vault and key slots are shorter.
const MAX_SMALL: usize = 64 * 1024;
/// What has to be free beside the database: small files, folders, and a first part of the log.
const BESIDE: u64 = 4 * 1024 * 1024;

/// What a hub's backups are made of.
#[derive(Debug)]
pub struct Source<'a> {
    /// The open store, which is not kept open.
    pub store: Weak<Store>,
    /// The vault's file.
    pub vault: &'a Path,
    /// The key slots.
    pub keys: &'a KeyStore,
    /// What is derived of the master key.
    pub backup: &'a Arc<BackupKeys>,
    /// Whose backup it is.
    pub hub_id: &'a str,
    /// The firmware that makes it.
    pub firmware: &'a str,
    /// Who can open it beside the recovery code.
    pub recipient: Option<Recipient>,
    /// Set once it is not to go on.
    pub is_ending: &'a Arc<AtomicBool>,
    /// Set once what is committed later is not to be written any more either.
    pub is_given_up: &'a Arc<AtomicBool>,
}

impl Source<'_> {
    pub(super) fn store(&self) -> Result<Arc<Store>, BackupError> {
        Ok(self.store.upgrade().ok_or(StoreError::Closed)?)
    }

    pub(super) fn goes_on(&self) -> Result<(), BackupError> {
        if self.is_ending.load(Ordering::Relaxed) {
            return Err(BackupError::Stopped);
        }
        Ok(())
    }
}

/// So many pages are copied between two looks at whether to go on.
const BETWEEN: u32 = 256;

/// A file that is being written to a backup.
struct Target {
    file: BufWriter<File>,
    name: &'static str,
    path: PathBuf,
    hash: Sha256,
    bytes: u64,
}

impl Target {
    fn create(folder: &Path, name: &'static str) -> Result<Self, BackupError> {
        let path = folder.join(name);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        Ok(Self {
            file: BufWriter::with_capacity(256 * 1024, file.map_err(BackupError::target)?),
            name,
            path,
            hash: Sha256::new(),
            bytes: 0,
        })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), BackupError> {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes).map_err(BackupError::target)
    }

    /// Brings what was written so far to the disk.
    fn flush(&mut self) -> Result<(), BackupError> {
        let flushed = self.file.flush().and_then(|()| self.file.get_ref().sync_data());
        flushed.map_err(BackupError::target)
    }

    /// Brings it to the disk, and reads it back from there.
    fn finish(self, source: &Source<'_>) -> Result<FileEntry, BackupError> {
        let file = self
            .file
            .into_inner()
            .map_err(|error| BackupError::target(error.into_error()))?;
        file.sync_all().map_err(BackupError::target)?;
        // So that it is read from the disk and not from memory. Where that can't be asked for, memory has to do.
        let _ = posix_fadvise(file.as_fd(), 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
        drop(file);
        let sha256: [u8; 32] = self.hash.finalize().into();
        let goes_on = |_: &[u8]| source.goes_on().is_ok();
        let (bytes, read) = digest(&self.path, goes_on).map_err(BackupError::target)?;
        source.goes_on()?;
        if (bytes, read) != (self.bytes, sha256) {
            return Err(BackupError::Spoilt { file: self.name.into() });
        }
        Ok(FileEntry::new(self.name, bytes, &sha256))
    }
}

/// Length and SHA-256 of a file, as far as `sees` what is read and goes on.
pub(super) fn digest(path: &Path, mut sees: impl FnMut(&[u8]) -> bool) -> io::Result<(u64, [u8; 32])> {
    let mut file = File::open(path)?;
    let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 256 * 1024]);
    loop {
        let read = file.read(&mut buffer)?;
        hash.update(&buffer[..read]);
        bytes += read as u64;
        if !sees(&buffer[..read]) || read == 0 {
            return Ok((bytes, hash.finalize().into()));
        }
    }
}

/// Makes a generation in `to` as of now, while the store is written to, and gives who can add to it what is committed from
/// then on. `progress` is told permilles of the copy.
///
/// # Errors
/// [`BackupError`]; the generations that were there are then whole and there still.
pub fn make(source: &Source<'_>, to: &Folder, progress: &dyn Fn(u16)) -> Result<Follower, BackupError> {
    to.claim(source.hub_id)?;
    let now = source.store()?.clock().peek();
    let unfinished = to.begin(now)?;
    let made = fill(source, to, &unfinished, progress);
    let (held, manifest) = made.inspect_err(|_| {
        // Its room may be missed. On a disk that is gone there is nothing to remove.
        let _ = fs::remove_dir_all(&unfinished);
    })?;
    let generation = to.finish(&unfinished)?;
    Ok(Follower::new(held, &generation, source, &manifest))
}

fn fill(
    source: &Source<'_>,
    to: &Folder,
    folder: &Path,
    progress: &dyn Fn(u16),
) -> Result<(HeldLog, Manifest), BackupError> {
    let store = source.store()?;
    let made_at = store.clock().peek();
    let (held, pages) = store.hold_log()?;
    drop(store);
    let needed = u64::from(pages.state.pages) * u64::from(pages.state.page_size) + BESIDE;
    let free = to.free()?;
    if free < needed {
        return Err(BackupError::Full { needed, free });
    }
    let full = |error| match error {
        BackupError::Full { .. } => BackupError::Full { needed, free },
        error => error,
    };
    let database = copy(source, &pages, folder, progress).map_err(full)?;
    let vault = small(source.vault)?;
    let mut files = vec![
        database,
        put(source, folder, VAULT, &vault).map_err(full)?,
        put(source, folder, KEY_SLOTS, &source.keys.spare(&source.backup.master)?).map_err(full)?,
    ];
    if let Some(recipient) = &source.recipient {
        let sealed = source.backup.sealed_to(recipient).ok_or(KeysError::NoOrganisation)?;
        files.push(put(source, folder, RECIPIENT, sealed).map_err(full)?);
    }
    // Had the log been let go meanwhile, pages of different commits may be there.
    held.is_held()?;
    let goes_on = {
        let is_ending = Arc::clone(source.is_ending);
        move || !is_ending.load(Ordering::Relaxed)
    };
    let copy = folder.join(DATABASE);
    let checked = source.backup.with_store_key(|key| copies::check(&copy, key, goes_on))?;
    source.goes_on()?;
    let checked = checked?;
    if (checked.last_change, checked.audit) != (pages.state.last_change, pages.state.audit) {
        return Err(BackupError::Spoilt { file: DATABASE.into() });
    }
    let mut body = Body::new(source.hub_id, source.firmware, made_at, pages.state.last_change);
    body.audit = pages.state.audit.as_ref().map(Head::from);
    body.files = files;
    let manifest = Manifest::write(body, source.backup, folder).map_err(full)?;
    Ok((held, manifest))
}

fn copy(source: &Source<'_>, pages: &Pages, folder: &Path, progress: &dyn Fn(u16)) -> Result<FileEntry, BackupError> {
    let mut file = Target::create(folder, DATABASE)?;
    let all = u64::from(pages.count()).max(1);
    pages.each(|number, page| {
        if number % BETWEEN == 1 {
            // What waits in memory for a slow disk is kept short, so that who breaks this off need not wait long.
            file.flush()?;
            source.goes_on()?;
            progress(u16::try_from(u64::from(number) * 1000 / all).unwrap_or(1000));
        }
        file.write(page)
    })?;
    file.finish(source)
}

fn put(source: &Source<'_>, folder: &Path, name: &'static str, bytes: &[u8]) -> Result<FileEntry, BackupError> {
    let mut file = Target::create(folder, name)?;
    file.write(bytes)?;
    file.finish(source)
}

pub(super) fn small(path: &Path) -> Result<Vec<u8>, BackupError> {
    Ok(atomic_file::read(path, MAX_SMALL)?.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?)
}
