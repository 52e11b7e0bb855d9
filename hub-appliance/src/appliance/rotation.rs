//! Another master key on the disk of an open hub, in the background; what it is for, see `keys/rotation.rs`.
//!
//! | step | what is under which key afterwards |
//! |---|---|
//! | begun | each slot opens to both keys |
//! | LUKS gets a key more | the disk opens by both |
//! | the database, see `store/rekey.rs` | the records by the next key |
//! | the vault | identity and token keys by the next key |
//! | LUKS loses the others | the disk by the next key |
//! | finished | the slots open to the next key alone |
//!
//! Each step looks first whether it is done, so the next unlock goes on wherever this one was cut short; where one failed, it
//! is tried again while the hub is open, as soon as there is room or after a while. Backups that were made before open as they
//! did, with the recovery code of their day.
//!
//! The key that chains the audit log is not exchanged: it goes into the vault with the first exchange, and stays. Who had the
//! master key before may know it and can do nothing with it, for the entries are in the database, and what signs their end is
//! in the vault, both under the next key; and who has that one has whatever key chains the log. Another key would have the
//! entries before checked by one and those after by another, and show nothing more.

use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::mpsc::UnboundedSender;

use super::ApplianceError;
use super::life::Event;
use super::organisation::Organisations;
use super::vault_file::VaultFile;
use crate::backup::{BackupKeys, Recipient};
use crate::keys::{KeyStore, KeysError, MasterKey, Organisation};
use crate::secret::wiping_stack;
use crate::store::audit::Entry;
use crate::store::{Store, StoreError};
use crate::system::data_disk::DataDisk;

/// How often is looked whether a backup that is being made has come to its end, or a person with what the PIN allowed.
const LOOK: Duration = Duration::from_millis(100);
/// How often is looked whether there is room by now.
const LOOK_FOR_ROOM: Duration = Duration::from_secs(5);
/// When it is tried again where something else than room was missing.
const AGAIN: Duration = Duration::from_mins(10);
/// From then on the panel shows it.
const SHOWN_AFTER: Duration = Duration::from_secs(2);

/// The keys of an open hub's backups. While they become others no backup is begun: what is in one is all under one key.
#[derive(Debug)]
pub(super) struct BackupAccess {
    keys: ArcSwap<BackupKeys>,
    /// Whom each master key is sealed to: who can open the backups, and who may be allowed to.
    organisations: Vec<Organisation>,
    recipient: Mutex<Option<Recipient>>,
    is_taken: Mutex<bool>,
    given_back: Condvar,
}

/// What keeps the keys of the backups as they are.
pub(super) struct Taken<'a>(&'a BackupAccess);

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        *self.0.is_taken() = false;
        self.0.given_back.notify_all();
    }
}

impl BackupAccess {
    pub(super) fn new(master: &MasterKey, known: &Organisations) -> Result<Self, KeysError> {
        let counts = known.counts.as_ref().map(|recipient| &recipient.organisation);
        let organisations: Vec<_> = counts.into_iter().chain(&known.offered).cloned().collect();
        Ok(Self {
            keys: ArcSwap::from_pointee(BackupKeys::with(master, &organisations)?),
            organisations,
            recipient: Mutex::new(known.counts.clone()),
            is_taken: Mutex::new(false),
            given_back: Condvar::new(),
        })
    }

    /// Who can open the backups beside the recovery code.
    pub(super) fn recipient(&self) -> Option<Recipient> {
        self.recipient.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Another one of those that there are can from now on.
    pub(super) fn is_for(&self, recipient: Recipient) {
        *self.recipient.lock().unwrap_or_else(PoisonError::into_inner) = Some(recipient);
    }

    fn exchange(&self, next: &MasterKey) -> Result<(), KeysError> {
        self.keys.store(Arc::new(BackupKeys::with(next, &self.organisations)?));
        Ok(())
    }

    fn is_taken(&self) -> MutexGuard<'_, bool> {
        self.is_taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keys, for as long as nobody changes them; none while somebody does.
    pub(super) fn take(&self) -> Option<(Taken<'_>, Arc<BackupKeys>)> {
        let was_taken = std::mem::replace(&mut *self.is_taken(), true);
        (!was_taken).then(|| (Taken(self), self.keys.load_full()))
    }

    /// Wipes them. False where they are being used at this moment: then they are still there.
    pub(super) fn forget(&self) -> bool {
        self.keys.load().forget()
    }

    /// Waits until nobody holds them, but not for long.
    fn wait(&self) {
        // Whoever waits looks again.
        let _ = self
            .given_back
            .wait_timeout_while(self.is_taken(), LOOK, |is_taken| *is_taken);
    }
}

/// What lies under the master key.
#[derive(Clone)]
pub(super) struct Parts {
    pub(super) keys: Arc<KeyStore>,
    pub(super) disk: Arc<dyn DataDisk>,
    pub(super) store: Arc<Store>,
    pub(super) vault: Arc<VaultFile>,
    pub(super) backup: Arc<BackupAccess>,
    pub(super) events: UnboundedSender<Event>,
}

/// Why another key could not take the place yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The disk has no room for the records a second time.
    NoRoom,
    /// Something else failed.
    Failed,
}

impl Trouble {
    const fn of(error: &ApplianceError) -> Self {
        match error {
            ApplianceError::Store(StoreError::NoRoom { .. } | StoreError::Full) => Self::NoRoom,
            _ => Self::Failed,
        }
    }
}

/// How far it is: what the thread and whoever began it tell each other.
#[derive(Debug, Default)]
struct Progress {
    is_ending: AtomicBool,
    permille: AtomicU16,
    trouble: Mutex<Option<Trouble>>,
    woken: Condvar,
}

impl Progress {
    fn trouble(&self) -> MutexGuard<'_, Option<Trouble>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Relaxed)
    }

    fn end(&self) {
        // Held, so that nobody goes to rest in between.
        let _trouble = self.trouble();
        self.is_ending.store(true, Ordering::Relaxed);
        self.woken.notify_all();
    }

    /// Rests so long, or until the end.
    fn rest(&self, time: Duration) {
        // Whoever rests looks again.
        let _ = self
            .woken
            .wait_timeout_while(self.trouble(), time, |_| !self.is_ending());
    }
}

/// The thread. It is broken off when this is dropped, what the disk does for it too, and the next unlock goes on.
pub(super) struct Rotating {
    progress: Arc<Progress>,
    disk: Arc<dyn DataDisk>,
    since: Instant,
    thread: Option<JoinHandle<()>>,
    /// Answers nothing; it is cut off when the thread ends.
    ended: Mutex<Receiver<()>>,
}

impl Rotating {
    /// Has another key take the place of `master` where one is due, which whoever calls has in hand. The one `before`, if there is
    /// one, is broken off first; what it has done is not done again. Without a thread for it, the next unlock tries again.
    pub(super) fn start(parts: Parts, master: MasterKey, before: Option<Self>) -> Option<Self> {
        let (progress, disk) = (Arc::new(Progress::default()), Arc::clone(&parts.disk));
        let (running, ended) = channel();
        // Or else the one before could come to its end meanwhile, and `master` would not be the key any more.
        let in_hand = parts.keys.in_hand();
        let work = Work {
            parts,
            progress: Arc::clone(&progress),
        };
        let thread = std::thread::Builder::new()
            .name("rotation".into())
            .spawn(move || {
                let _running: Sender<()> = running;
                drop(before);
                drop(in_hand);
                wiping_stack(move || work.run(master));
            })
            .inspect_err(|error| tracing::error!(%error, "the master key stays the same"))
            .ok()?;
        Some(Self {
            progress,
            disk,
            since: Instant::now(),
            thread: Some(thread),
            ended: Mutex::new(ended),
        })
    }

    /// How far it is, in permille, where it takes so long that a person should know.
    pub(super) fn shown(&self) -> Option<u16> {
        let is_at_work = self.thread.as_ref().is_some_and(|thread| !thread.is_finished());
        (is_at_work && self.since.elapsed() >= SHOWN_AFTER).then(|| self.progress.permille.load(Ordering::Relaxed))
    }

    /// Why it has not come about yet, where something is in the way.
    pub(super) fn trouble(&self) -> Option<Trouble> {
        *self.progress.trouble()
    }
}

impl Drop for Rotating {
    fn drop(&mut self) {
        self.progress.end();
        if let Some(thread) = self.thread.take() {
            let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
            loop {
                self.disk.break_off();
                // It may have been about to ask the disk for something when it was told.
                if ended.recv_timeout(LOOK) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
            }
            // A panic in it was reported where it happened.
            let _ = thread.join();
        }
    }
}

struct Work {
    parts: Parts,
    progress: Arc<Progress>,
}

impl Work {
    fn run(&self, master: MasterKey) {
        let mut master = master;
        let mut told = None;
        loop {
            match self.rotate(&mut master) {
                Ok(true) => {
                    tracing::info!("the master key is another one");
                    self.audit("ok");
                    *self.progress.trouble() = None;
                    told = None;
                    // The receiver is gone only when the hub ends anyway.
                    let _ = self.parts.events.send(Event::Rotated(master.facts_key()));
                    // Another way may have gone meanwhile.
                }
                Ok(false) => break,
                Err(_) if self.progress.is_ending() => break,
                Err(error) => {
                    let trouble = Trouble::of(&error);
                    tracing::error!(%error, "the master key is not yet another one");
                    if told != Some(trouble) {
                        self.audit("failed");
                        told = Some(trouble);
                    }
                    *self.progress.trouble() = Some(trouble);
                    if !self.waits(trouble) {
                        break;
                    }
                }
            }
        }
    }

    /// Waits until it may be tried again; false where it is to be no more.
    fn waits(&self, trouble: Trouble) -> bool {
        match trouble {
            Trouble::Failed => self.progress.rest(AGAIN),
            Trouble::NoRoom => loop {
                self.progress.rest(LOOK_FOR_ROOM);
                if self.progress.is_ending() {
                    break;
                }
                if self.parts.store.has_room_to_rekey() {
                    // Where it takes long, how far it is says more.
                    *self.progress.trouble() = None;
                    break;
                }
            },
        }
        !self.progress.is_ending()
    }

    /// Goes all the steps that are not gone yet, and says whether `master` is another key then; not where none is due. Broken
    /// off on the way it is both, as the slots have it.
    fn rotate(&self, master: &mut MasterKey) -> Result<bool, ApplianceError> {
        let Parts {
            keys,
            disk,
            store,
            vault,
            backup,
            ..
        } = &self.parts;
        // The copy from before an update is under the present key, and may have to be put back.
        if store.has_migration_copies() {
            return Ok(false);
        }
        let Some(both) = self.when_free(|| keys.begin_rotation(master))? else {
            return Ok(false);
        };
        let Some(next) = both.next() else { return Ok(false) };
        *master = both.clone();
        self.goes_on()?;
        disk.add_key(&both.luks_passphrase(), &next.luks_passphrase())?;
        let _taken = self.wait_for_backup(backup)?;
        if !store.is_under(&next.store_key()) {
            store.rekey(&next.store_key(), &|permille| {
                self.progress.permille.store(permille, Ordering::Relaxed);
                !self.progress.is_ending()
            })?;
        }
        vault.exchange(&both, &next)?;
        backup.exchange(&next)?;
        self.goes_on()?;
        disk.keep_key(&next.luks_passphrase())?;
        *master = self.when_free(|| keys.finish_rotation(&both))?;
        Ok(true)
    }

    fn goes_on(&self) -> Result<(), StoreError> {
        if self.progress.is_ending() {
            return Err(StoreError::Stopped);
        }
        Ok(())
    }

    /// Takes a step when nobody has the master key in hand; what a person was allowed to do comes first.
    fn when_free<T>(&self, step: impl Fn() -> Result<T, KeysError>) -> Result<T, ApplianceError> {
        loop {
            match step() {
                Err(KeysError::InHand) if self.progress.is_ending() => return Err(StoreError::Stopped.into()),
                Err(KeysError::InHand) => self.progress.rest(LOOK),
                taken => return Ok(taken?),
            }
        }
    }

    /// A backup that is being made is made to its end under the keys that it was begun with.
    fn wait_for_backup<'a>(&self, backup: &'a BackupAccess) -> Result<Taken<'a>, ApplianceError> {
        loop {
            if let Some((taken, _)) = backup.take() {
                return Ok(taken);
            }
            if self.progress.is_ending() {
                return Err(StoreError::Stopped.into());
            }
            backup.wait();
        }
    }

    fn audit(&self, outcome: &'static str) {
        let entry = Entry {
            action: "keys.rotate",
            outcome,
            ..Entry::default()
        };
        let written: Result<(), StoreError> = self.parts.store.write(move |tx| tx.audit(&entry));
        if let Err(error) = written {
            tracing::error!(%error, "that the master key is another one could not be written down");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::appliance::OpenStore;
    use crate::appliance::open::by_passphrase;
    use crate::clock::{HubClock, HubTime, SystemClock};
    use crate::keys::{KdfCost, Pin, Prepared, RecoveryCode, Rotation};
    use crate::secret::SecretText;
    use crate::system::data_disk::{DataDiskError, DiskState};

    mod backups;
    mod slow_disk;

    /// A disk that is nothing but the passphrases that open it.
    #[derive(Debug, Clone, Default)]
    struct Passphrases(Arc<Mutex<Vec<SecretText>>>);

    impl Passphrases {
        fn has(&self, passphrase: &SecretText) -> Result<(), DataDiskError> {
            let is_there = self.0.lock().unwrap().contains(passphrase);
            is_there.then_some(()).ok_or(DataDiskError::Passphrase)
        }
    }

    impl DataDisk for Passphrases {
        fn state(&self) -> Result<DiskState, DataDiskError> {
            Ok(DiskState::Open)
        }

        fn format(&self, passphrase: &SecretText, _: Option<u64>, _: &dyn Fn(u16)) -> Result<(), DataDiskError> {
            self.0.lock().unwrap().push(passphrase.clone());
            Ok(())
        }

        fn open(&self, passphrase: &SecretText) -> Result<(), DataDiskError> {
            self.has(passphrase)
        }

        fn add_key(&self, present: &SecretText, new: &SecretText) -> Result<(), DataDiskError> {
            if self.has(new).is_err() {
                self.has(present)?;
                self.0.lock().unwrap().push(new.clone());
            }
            Ok(())
        }

        fn keep_key(&self, passphrase: &SecretText) -> Result<(), DataDiskError> {
            self.has(passphrase)?;
            self.0.lock().unwrap().retain(|there| there == passphrase);
            Ok(())
        }

        fn close(&self) -> Result<(), DataDiskError> {
            Ok(())
        }
    }

    const OLD: &str = "12345678";
    const NEW: &str = "87654321";

    struct Appliance {
        folder: tempfile::TempDir,
        disk: Passphrases,
        code: RecoveryCode,
    }

    /// What an unlock leads to.
    struct Unlocked {
        master: MasterKey,
        work: Work,
        inbox: tokio::sync::mpsc::UnboundedReceiver<Event>,
    }

    fn pin(digits: &str) -> Pin {
        Pin::parse(digits).unwrap()
    }

    fn clock() -> Arc<HubClock> {
        Arc::new(HubClock::new(Box::new(SystemClock), HubTime::ZERO))
    }

    fn entries(store: &Store) -> Vec<String> {
        let entries = store.read(|snapshot| snapshot.audit_since(HubTime::ZERO)).unwrap();
        entries.into_iter().map(|entry| entry.action).collect()
    }

    impl Appliance {
        /// One with records, whose PIN was changed a moment ago.
        fn with_another_pin() -> (Self, Vec<u8>) {
            let folder = tempfile::tempdir().unwrap();
            let disk = Passphrases::default();
            let keys = KeyStore::at(folder.path().join("keys"));
            let prepared = Prepared::new(&pin(OLD), KdfCost::MINIMUM, HubTime::ZERO).unwrap();
            disk.format(&prepared.luks_passphrase(), None, &|_| {}).unwrap();
            let code = prepared.recovery().clone();
            let master = prepared.commit(&keys).unwrap();
            let opened = OpenStore::open(&folder.path().join("store"), &master, clock(), false).unwrap();
            let entry = Entry {
                action: "first",
                ..Entry::default()
            };
            opened.store.write::<_, StoreError>(move |tx| tx.audit(&entry)).unwrap();
            assert!(opened.store.close(Duration::from_secs(5)));
            let copied = fs::read(folder.path().join("keys/keyslots.json")).unwrap();
            keys.change_pin(&master, &pin(NEW), KdfCost::MINIMUM, HubTime::ZERO)
                .unwrap();
            (Self { folder, disk, code }, copied)
        }

        fn path(&self, name: &str) -> std::path::PathBuf {
            self.folder.path().join(name)
        }

        fn unlock(&self, digits: &str) -> Result<Unlocked, ApplianceError> {
            let keys = KeyStore::at(self.path("keys"));
            let master = keys.unlock_with_pin(&pin(digits)).map_err(|_| ApplianceError::Pin)?;
            by_passphrase(&master, |passphrase| self.disk.open(passphrase))?;
            let opened = OpenStore::open(&self.path("store"), &master, clock(), true)?;
            let (events, inbox) = tokio::sync::mpsc::unbounded_channel();
            let parts = Parts {
                keys: Arc::new(keys),
                disk: Arc::new(self.disk.clone()),
                store: opened.store,
                vault: Arc::new(opened.vault_file),
                backup: Arc::new(BackupAccess::new(&opened.master, &Organisations::default())?),
                events,
            };
            let work = Work {
                parts,
                progress: Arc::default(),
            };
            Ok(Unlocked { master, work, inbox })
        }

        /// The same box as a power cut leaves it now.
        fn cut(&self) -> Self {
            let folder = tempfile::tempdir().unwrap();
            for name in ["keys", "store"] {
                fs::create_dir(folder.path().join(name)).unwrap();
                for entry in fs::read_dir(self.path(name)).unwrap() {
                    let entry = entry.unwrap();
                    fs::copy(entry.path(), folder.path().join(name).join(entry.file_name())).unwrap();
                }
            }
            Self {
                folder,
                disk: Passphrases(Arc::new(Mutex::new(self.disk.0.lock().unwrap().clone()))),
                code: self.code.clone(),
            }
        }

        /// Whether anything on the disk opens by one of these keys.
        fn opens_by(&self, master: &MasterKey) -> bool {
            let vault = self.path("store/vault");
            master.each().any(|master| {
                self.disk.has(&master.luks_passphrase()).is_ok()
                    || crate::keys::Vault::load(&vault, &master.vault_key()).is_ok()
                    || Store::opens_with(&self.path("store"), &master.store_key())
            })
        }
    }

    fn vault(folder: &Path) -> Vec<u8> {
        fs::read(folder.join("store/vault")).unwrap()
    }

    /// The steps, each as the thread goes it.
    fn step(number: usize, Work { parts, .. }: &Work, both: &MasterKey) {
        let next = both.next().unwrap();
        match number {
            1 => parts
                .disk
                .add_key(&both.luks_passphrase(), &next.luks_passphrase())
                .unwrap(),
            2 => parts.store.rekey(&next.store_key(), &|_| true).unwrap(),
            3 => parts.vault.exchange(both, &next).unwrap(),
            4 => parts.disk.keep_key(&next.luks_passphrase()).unwrap(),
            _ => drop(parts.keys.finish_rotation(both).unwrap()),
        }
    }

    /// The hub as a power cut leaves it before another key is begun with, when it has begun, and after each step.
    fn cut_after_each_step(hub: &Appliance) -> Vec<Appliance> {
        let unlocked = hub.unlock(NEW).unwrap();
        let mut cut = vec![hub.cut()];
        let keys = &unlocked.work.parts.keys;
        let both = keys.begin_rotation(&unlocked.master).unwrap().unwrap();
        cut.push(hub.cut());
        for number in 1..=5 {
            step(number, &unlocked.work, &both);
            cut.push(hub.cut());
        }
        cut
    }

    #[test]
    fn cut_short_after_any_step_it_opens_by_the_new_pin_and_goes_on_and_then_the_old_keys_open_nothing() {
        let (hub, copied) = Appliance::with_another_pin();
        for (number, hub) in cut_after_each_step(&hub).into_iter().enumerate() {
            let mut unlocked = hub.unlock(NEW).unwrap();
            unlocked.work.run(unlocked.master.clone());
            let rotated = unlocked.inbox.try_recv();
            assert_eq!(
                matches!(rotated, Ok(Event::Rotated(_))),
                number < 6,
                "cut after {number}"
            );
            let store = &unlocked.work.parts.store;
            assert_eq!(entries(store).iter().filter(|action| *action == "first").count(), 1);
            assert_eq!(store.check_audit().unwrap().broken, None);
            assert!(store.close(Duration::from_secs(5)));
            drop(unlocked);
            let keys = KeyStore::at(hub.path("keys"));
            assert_eq!(keys.rotation().unwrap(), Rotation::Settled);
            assert_eq!(hub.disk.0.lock().unwrap().len(), 1);
            let code = keys.unlock_with_recovery(&hub.code).unwrap();
            assert!(hub.opens_by(&code));

            // Somebody has a copy of the keys as they were, and the PIN of then.
            for name in ["keyslots.json", "keyslots.previous.json"] {
                fs::write(hub.path("keys").join(name), &copied).unwrap();
            }
            let before = vault(hub.folder.path());
            let by_old = KeyStore::at(hub.path("keys")).unlock_with_pin(&pin(OLD)).unwrap();
            assert!(!hub.opens_by(&by_old), "cut after {number}");
            assert!(matches!(
                hub.unlock(OLD),
                Err(ApplianceError::DataDisk(DataDiskError::Passphrase))
            ));
            // On a desk nothing is below the records.
            let opened = OpenStore::open(&hub.path("store"), &by_old, clock(), true);
            assert!(opened.is_err());
            assert_eq!(vault(hub.folder.path()), before);
        }
    }

    #[test]
    fn no_backup_is_begun_meanwhile_and_one_that_is_being_made_is_waited_for() {
        let (hub, _) = Appliance::with_another_pin();
        let unlocked = hub.unlock(NEW).unwrap();
        let access = Arc::clone(&unlocked.work.parts.backup);
        let (held, before) = access.take().unwrap();
        assert!(access.take().is_none());
        let progress = Arc::clone(&unlocked.work.progress);
        progress.end();
        let broken_off = unlocked.work.wait_for_backup(&access);
        assert!(matches!(broken_off, Err(ApplianceError::Store(StoreError::Stopped))));
        progress.is_ending.store(false, Ordering::Relaxed);
        drop(held);
        let mut master = unlocked.master.clone();
        assert!(unlocked.work.rotate(&mut master).unwrap());
        let (_taken, after) = access.take().unwrap();
        assert!(!Arc::ptr_eq(&before, &after));
    }

    #[test]
    fn it_waits_for_who_has_the_master_key_in_hand_and_is_broken_off_meanwhile() {
        let (hub, _) = Appliance::with_another_pin();
        let unlocked = hub.unlock(NEW).unwrap();
        let Parts { keys, .. } = &unlocked.work.parts;
        let mut master = unlocked.master.clone();
        let in_hand = keys.in_hand();
        unlocked.work.progress.end();
        let broken_off = unlocked.work.rotate(&mut master);
        assert!(matches!(broken_off, Err(ApplianceError::Store(StoreError::Stopped))));
        unlocked.work.progress.is_ending.store(false, Ordering::Relaxed);
        std::thread::scope(|scope| {
            let rotated = scope.spawn(|| unlocked.work.rotate(&mut master));
            keys.change_pin(&unlocked.master, &pin(OLD), KdfCost::MINIMUM, HubTime::ZERO)
                .unwrap();
            drop(in_hand);
            assert!(rotated.join().unwrap().unwrap());
        });
        assert!(keys.unlock_with_pin(&pin(OLD)).is_ok());
    }
}
