//! Out of a generation: found, opened, checked to the last bit, and laid out as a hub's store.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use hmac::Mac;
use sha2::{Digest, Sha256};

use super::error::BackupError;
use super::folder::{Folder, sync};
use super::following::{LABEL, LogHead, file_name};
use super::making::digest;
use super::manifest::{FileEntry, Head, Manifest};
use super::{BackupKeys, DATABASE, KEY_SLOTS, LOG, MANIFEST, RECIPIENT, VAULT};
use crate::atomic_file;
use crate::clock::HubTime;
use crate::keys::{MasterKey, OrganisationKeys, RecoveryCode, unlock_spare};
use crate::store::{StoreError, copies};

/// Small files of a generation are shorter.
const MAX_SMALL: usize = 64 * 1024;

/// A generation that somebody may restore from.
#[derive(Debug)]
pub struct Found {
    pub(super) folder: PathBuf,
    pub(super) manifest: Manifest,
}

/// What a restore came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The latest time that the hub clock had shown when the backup was written to last.
    pub clock: HubTime,
    /// The last change that came back.
    pub last_change: HubTime,
}

/// A whole log of a generation.
struct LogEnd {
    files: u32,
    last: Option<LogHead>,
    /// What the next file follows.
    link: Vec<u8>,
}

/// Sees each page of a log, with the head of its file and its number, and says whether to go on.
type SeesPage<'a> = &'a mut dyn FnMut(&LogHead, u32, &[u8]) -> bool;

impl Found {
    /// The newest generation in `from`, which is a generation's folder, or one in which backups are kept.
    ///
    /// # Errors
    /// [`BackupError::None`], [`BackupError::Damaged`], [`BackupError::Newer`], or what the disk reports.
    pub fn newest(from: &Path) -> Result<Self, BackupError> {
        if from.join(MANIFEST).exists() {
            return Self::at(from);
        }
        let newest = Folder::within(from).generations()?.into_iter().next();
        Self::at(&newest.ok_or(BackupError::None)?)
    }

    /// The generation in this folder.
    ///
    /// # Errors
    /// As [`Self::newest`].
    pub fn at(folder: &Path) -> Result<Self, BackupError> {
        let manifest = Manifest::read(folder)?;
        manifest.is_known()?;
        Ok(Self {
            folder: folder.to_owned(),
            manifest,
        })
    }

    /// When it was begun, by the hub clock; as it says itself.
    #[must_use]
    pub const fn made_at(&self) -> HubTime {
        self.manifest.made_at()
    }

    /// Whose it is; as it says itself.
    #[must_use]
    pub fn hub_id(&self) -> &str {
        &self.manifest.body.hub_id
    }

    /// Opens it by the recovery code that the hub had when it was made.
    ///
    /// # Errors
    /// [`BackupError::WrongKey`], or why the key slots could not be read.
    pub fn unlock(&self, code: &RecoveryCode) -> Result<MasterKey, BackupError> {
        Ok(unlock_spare(&self.folder, code)?)
    }

    /// Opens it by the key of the organisation that the hub sealed it to.
    ///
    /// # Errors
    /// [`BackupError::WrongKey`] where it was sealed to another one, or to none; or what the disk reports.
    pub fn unlock_as(&self, keys: &OrganisationKeys) -> Result<MasterKey, BackupError> {
        let sealed = atomic_file::read(&self.folder.join(RECIPIENT), MAX_SMALL)
            .map_err(|error| BackupError::reading(RECIPIENT, &error))?;
        sealed
            .and_then(|sealed| keys.open(&sealed))
            .ok_or(BackupError::WrongKey)
    }

    pub(super) fn is_for_an_organisation(&self) -> bool {
        self.entry(RECIPIENT).is_ok()
    }

    /// Makes sure that every file is to the bit what the hub wrote, and that none is missing.
    ///
    /// # Errors
    /// [`BackupError::Damaged`] with the first file that is not, [`BackupError::Newer`], or what the disk reports.
    pub fn check(&self, keys: &BackupKeys) -> Result<(), BackupError> {
        self.manifest.verify(keys)?;
        for name in [DATABASE, VAULT, KEY_SLOTS] {
            self.entry(name)?;
        }
        self.check_files(|_| true)?;
        self.check_log(keys, &mut |_, _, _| true)?;
        Ok(())
    }

    /// As `check`, but for the database, which somebody else has compared. Gives how many files the log has, and what the next
    /// one follows.
    pub(super) fn check_beside_database(
        &self,
        keys: &BackupKeys,
        sees: SeesPage<'_>,
    ) -> Result<(u32, Vec<u8>), BackupError> {
        self.check_files(|file| file.name != DATABASE)?;
        let log = self.check_log(keys, sees)?;
        Ok((log.files, log.link))
    }

    fn check_files(&self, is_meant: impl Fn(&FileEntry) -> bool) -> Result<(), BackupError> {
        for file in self.manifest.body.files.iter().filter(|file| is_meant(file)) {
            let (path, reading) = (self.folder.join(&file.name), |error| {
                BackupError::reading(&file.name, &error)
            });
            // One that was made larger is not read for hours first.
            let is_whole = fs::metadata(&path).map_err(reading)?.len() == file.bytes && {
                let (bytes, sha256) = digest(&path, |_| true).map_err(reading)?;
                file.is(bytes, &sha256)
            };
            if !is_whole {
                return Err(damaged(&file.name));
            }
        }
        Ok(())
    }

    /// Whether the file of this name was written with this content.
    pub(super) fn holds(&self, name: &str, bytes: &[u8]) -> bool {
        self.is_as_written(name, bytes.len() as u64, &Sha256::digest(bytes).into())
    }

    pub(super) fn is_as_written(&self, name: &str, bytes: u64, sha256: &[u8; 32]) -> bool {
        self.entry(name).is_ok_and(|file| file.is(bytes, sha256))
    }

    /// Bytes of its database, as it says itself.
    pub(super) fn bytes(&self) -> u64 {
        self.entry(DATABASE).map_or(0, |file| file.bytes)
    }

    fn entry(&self, name: &str) -> Result<&FileEntry, BackupError> {
        let mut files = self.manifest.body.files.iter();
        files.find(|file| file.name == name).ok_or_else(|| damaged(name))
    }

    /// Goes through the files of the log, which have to follow each other without a gap.
    fn check_log(&self, keys: &BackupKeys, sees: SeesPage<'_>) -> Result<LogEnd, BackupError> {
        let folder = self.folder.join(LOG);
        let mut numbers = Vec::new();
        match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(BackupError::Disk(error)),
            Ok(entries) => {
                for entry in entries {
                    let name = entry.map_err(BackupError::Disk)?.file_name();
                    // What a cut left of the next one has another ending.
                    numbers.extend(name.to_str().and_then(|name| name.parse::<u32>().ok()));
                }
            }
        }
        numbers.sort_unstable();
        // A stick with FAT that was pulled out as the last one got its name. Nobody was told that this one is there.
        if let Some(last) = numbers.last()
            && fs::metadata(folder.join(file_name(*last))).is_ok_and(|file| file.is_file() && file.len() == 0)
        {
            numbers.pop();
        }
        let mut end = LogEnd {
            files: 0,
            last: None,
            link: self.manifest.link().to_vec(),
        };
        for number in numbers {
            let expected = end.files + 1;
            if number != expected {
                return Err(damaged(&log_name(expected)));
            }
            let (head, mac) = self.check_log_file(number, &end.link, keys, sees)?;
            (end.files, end.last, end.link) = (number, Some(head), mac);
        }
        Ok(end)
    }

    fn check_log_file(
        &self,
        number: u32,
        link: &[u8],
        keys: &BackupKeys,
        sees: SeesPage<'_>,
    ) -> Result<(LogHead, Vec<u8>), BackupError> {
        let name = log_name(number);
        let reading = |error: io::Error| BackupError::reading(&name, &error);
        let file = File::open(self.folder.join(&name)).map_err(reading)?;
        let length = file.metadata().map_err(reading)?.len();
        let mut file = BufReader::with_capacity(256 * 1024, file);
        let mut head = [0; LogHead::LEN];
        file.read_exact(&mut head).map_err(reading)?;
        let mut mac = keys.mac(LABEL)?.chain_update(link).chain_update(head);
        let head = LogHead::parse(&head)
            .filter(|head| head.number == number && head.file_len() == length)
            .ok_or_else(|| damaged(&name))?;
        let mut entry = vec![0; 4 + head.page_size as usize];
        for _ in 0..head.count {
            file.read_exact(&mut entry).map_err(reading)?;
            mac.update(&entry);
            if let Some((number, page)) = entry.split_first_chunk::<4>()
                && !sees(&head, u32::from_be_bytes(*number), page)
            {
                return Err(BackupError::Stopped);
            }
        }
        let mut there = [0; 32];
        file.read_exact(&mut there).map_err(reading)?;
        mac.verify_slice(&there).map_err(|_| damaged(&name))?;
        Ok((head, there.to_vec()))
    }

    /// Puts vault and database into `store`, an empty folder of a hub that does not run, as of the last commit that is in
    /// the log. `progress` is told permilles.
    ///
    /// # Errors
    /// As [`Self::check`], which comes first; or what the hub's disk reports. There is no database in `store` then.
    pub fn lay_out(&self, store: &Path, keys: &BackupKeys, progress: &dyn Fn(u16)) -> Result<Restored, BackupError> {
        self.check(keys)?;
        atomic_file::private_folder(store)?;
        let unfinished = store.join(DATABASE).with_added_extension("restoring");
        self.lay_out_as(&unfinished, store, keys, progress).inspect_err(|_| {
            // Nobody reads what is left of it.
            let _ = fs::remove_file(&unfinished);
        })
    }

    fn lay_out_as(
        &self,
        unfinished: &Path,
        store: &Path,
        keys: &BackupKeys,
        progress: &dyn Fn(u16),
    ) -> Result<Restored, BackupError> {
        let path = store.join(DATABASE);
        let database = self.copy_database(unfinished, progress)?;
        let last = self.apply_log(&database, keys)?;
        database.sync_all()?;
        let checked = keys.with_store_key(|key| copies::check(unfinished, key, || true))?;
        let checked = checked.map_err(|error| match error {
            StoreError::WrongKey | StoreError::Database(_) => damaged(DATABASE),
            error => error.into(),
        })?;
        let is_last = match last {
            Some(head) => checked.last_change == head.last_change,
            None => {
                checked.last_change.millis() == self.manifest.body.last_change
                    && checked.audit.as_ref().map(Head::from) == self.manifest.body.audit
            }
        };
        if !is_last {
            return Err(damaged(DATABASE));
        }
        let vault = atomic_file::read(&self.folder.join(VAULT), MAX_SMALL)
            .map_err(|error| BackupError::reading(VAULT, &error))?
            .ok_or_else(|| damaged(VAULT))?;
        if !self
            .entry(VAULT)?
            .is(vault.len() as u64, &Sha256::digest(&vault).into())
        {
            return Err(damaged(VAULT));
        }
        atomic_file::write(&store.join(VAULT), &vault)?;
        for suffix in ["-wal", "-shm"] {
            let mut log = path.as_os_str().to_owned();
            log.push(suffix);
            match fs::remove_file(log) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        fs::rename(unfinished, &path)?;
        sync(store)?;
        let clock = last.map_or(self.made_at(), |head| head.clock.max(self.made_at()));
        Ok(Restored {
            clock: clock.max(checked.last_change),
            last_change: checked.last_change,
        })
    }

    /// Copies the database, which has to be what the manifest says also on this second look.
    fn copy_database(&self, to: &Path, progress: &dyn Fn(u16)) -> Result<File, BackupError> {
        let entry = self.entry(DATABASE)?;
        let reading = |error: io::Error| BackupError::reading(DATABASE, &error);
        let mut from = File::open(self.folder.join(DATABASE)).map_err(reading)?;
        let mut to = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(to)?;
        let (mut hash, mut copied, mut buffer) = (Sha256::new(), 0_u64, vec![0; 256 * 1024]);
        loop {
            let read = from.read(&mut buffer).map_err(reading)?;
            if read == 0 {
                break;
            }
            hash.update(&buffer[..read]);
            to.write_all(&buffer[..read])?;
            copied += read as u64;
            progress(u16::try_from(copied.saturating_mul(1000) / entry.bytes.max(1)).unwrap_or(1000));
        }
        if entry.is(copied, &hash.finalize().into()) {
            Ok(to)
        } else {
            Err(damaged(DATABASE))
        }
    }

    /// Puts the pages of the log into the database, which has to be what the hub wrote also on this second look, and gives
    /// the head of its last file.
    fn apply_log(&self, database: &File, keys: &BackupKeys) -> Result<Option<LogHead>, BackupError> {
        let mut written = Ok(());
        let log = self.check_log(keys, &mut |head, number, page| {
            // A page that was cut off again later in the same stretch is left out.
            if (1..=head.pages).contains(&number) {
                written = database.write_all_at(page, u64::from(number - 1) * u64::from(head.page_size));
            }
            written.is_ok()
        });
        written?;
        let last = log?.last;
        if let Some(head) = last {
            database.set_len(u64::from(head.pages) * u64::from(head.page_size))?;
        }
        Ok(last)
    }
}

fn log_name(number: u32) -> String {
    format!("{LOG}/{}", file_name(number))
}

fn damaged(file: &str) -> BackupError {
    BackupError::Damaged { file: file.to_owned() }
}
