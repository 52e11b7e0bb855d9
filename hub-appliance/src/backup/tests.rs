//! Backups of a store that is written to, and hubs out of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::clock::{HubClock, HubTime, SystemClock};
use crate::keys::{KdfCost, KeyStore, Pin, Prepared, RecoveryCode, Vault};
use crate::store::audit::Entry;
use crate::store::{Store, StoreError};

/// A hub without a panel and a port.
struct Hub {
    _folder: TempDir,
    path: PathBuf,
    store: Arc<Store>,
    keys: KeyStore,
    backup: Arc<BackupKeys>,
    code: RecoveryCode,
}

fn clock() -> Arc<HubClock> {
    Arc::new(HubClock::new(Box::new(SystemClock), HubTime::ZERO))
}

impl Hub {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let pin = Pin::parse("27182818").unwrap();
        let prepared = Prepared::new(&pin, KdfCost::FLOOR, HubTime::ZERO).unwrap();
        let code = prepared.recovery().clone();
        let keys = KeyStore::at(path.join("keys"));
        let master = prepared.commit(&keys).unwrap();
        fs::create_dir(path.join("store")).unwrap();
        let store = Store::open(&path.join("store"), &master.store_key(), master.audit_key(), clock()).unwrap();
        let vault = Vault::create(Uuid::from_u128(7), "Clinic".into(), HubTime::ZERO).unwrap();
        vault.save(&path.join("store/vault"), &master.vault_key()).unwrap();
        Self {
            _folder: folder,
            backup: Arc::new(BackupKeys::of(&master)),
            store: Arc::new(store),
            keys,
            code,
            path,
        }
    }

    fn write(&self, action: &'static str) {
        write(&self.store, action);
    }

    fn with_source<T>(&self, work: impl FnOnce(&Source<'_>) -> T) -> T {
        work(&Source {
            store: Arc::downgrade(&self.store),
            vault: &self.path.join("store/vault"),
            keys: &self.keys,
            backup: &self.backup,
            hub_id: "hub",
            firmware: "1",
            recipient: None,
            is_ending: &Arc::default(),
            is_given_up: &Arc::default(),
        })
    }

    fn back_up(&self, to: &Folder) -> Result<Follower, BackupError> {
        self.with_source(|source| make(source, to, &|_| {}))
    }

    fn go_on(&self, with: &Folder) -> Option<Follower> {
        self.with_source(|source| resume(source, with, &|_| {})).unwrap()
    }

    fn actions(&self) -> Vec<String> {
        actions(&self.store)
    }
}

/// One commit of some pages.
fn write(store: &Store, action: &'static str) {
    let entry = Entry {
        action,
        detail: "x".repeat(3000),
        outcome: "ok",
        ..Entry::default()
    };
    store
        .write(move |tx| {
            tx.change_time();
            tx.audit(&entry)
        })
        .unwrap();
}

fn actions(store: &Store) -> Vec<String> {
    let entries = store.read(|snapshot| snapshot.audit_since(HubTime::ZERO)).unwrap();
    entries.into_iter().map(|entry| entry.action).collect()
}

/// What comes out of the newest backup in `at`.
fn restored(at: &Path, code: &RecoveryCode) -> Result<Vec<String>, BackupError> {
    let found = Found::newest(at)?;
    restored_by(&found, &found.unlock(code)?)
}

fn restored_by(found: &Found, master: &MasterKey) -> Result<Vec<String>, BackupError> {
    let folder = tempfile::tempdir().unwrap();
    found.lay_out(folder.path(), &BackupKeys::of(master), &|_| {})?;
    let store = Store::open(folder.path(), &master.store_key(), master.audit_key(), clock())?;
    Vault::load(&folder.path().join("vault"), &master.vault_key())?;
    Ok(actions(&store))
}

fn files(of: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(of).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

#[test]
fn a_backup_is_the_records_of_its_moment_and_what_follows_is_added_commit_by_commit() {
    let hub = Hub::new();
    let place = tempfile::tempdir().unwrap();
    let folder = Folder::within(place.path());
    hub.write("before");
    let mut follower = hub.back_up(&folder).unwrap();
    let at_backup = hub.actions();
    assert_eq!(restored(place.path(), &hub.code).unwrap(), at_backup);
    assert!(!follower.follow(HubTime::ZERO).unwrap(), "nothing was committed");
    assert_eq!(follower.written(), 0);
    for round in 0..5 {
        // More than the log takes before it goes into the file, and then some that stay in it.
        for _ in 0..if round == 2 { 400 } else { 3 } {
            hub.write("after");
        }
        let not_yet = restored(place.path(), &hub.code).unwrap();
        assert!(not_yet.len() < hub.actions().len());
        assert!(follower.follow(HubTime::ZERO).unwrap());
        assert_eq!(
            restored(place.path(), &hub.code).unwrap(),
            hub.actions(),
            "round {round}"
        );
    }
    let log = hub.path.join("store/hub.db-wal");
    assert!(
        fs::metadata(log).unwrap().len() < 20 * 1024 * 1024,
        "the log is taken into the file"
    );
}

#[test]
fn a_backup_under_constant_writing_is_one_moment_and_nothing_is_missed_behind_it() {
    let hub = Hub::new();
    let place = tempfile::tempdir().unwrap();
    let folder = Folder::within(place.path());
    let ends = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..2)
        .map(|_| {
            let (store, ends) = (Arc::clone(&hub.store), Arc::clone(&ends));
            std::thread::spawn(move || {
                let mut written = 0;
                while !ends.load(Ordering::Relaxed) {
                    write(&store, "w");
                    written += 1;
                }
                written
            })
        })
        .collect();
    for _ in 0..3 {
        let mut follower = hub.back_up(&folder).unwrap();
        for _ in 0..10 {
            follower.follow(HubTime::ZERO).unwrap();
        }
        let there = restored(place.path(), &hub.code).unwrap();
        assert!(!there.is_empty() && there.len() <= hub.actions().len());
    }
    let mut follower = hub.back_up(&folder).unwrap();
    follower.follow(HubTime::ZERO).unwrap();
    ends.store(true, Ordering::Relaxed);
    let written: usize = writers.into_iter().map(|writer| writer.join().unwrap()).sum();
    follower.follow(HubTime::ZERO).unwrap();
    assert_eq!(restored(place.path(), &hub.code).unwrap().len(), written);
    assert_eq!(folder.generations().unwrap().len(), GENERATIONS);
}

#[test]
fn a_flipped_bit_anywhere_is_refused_by_the_name_of_its_file_and_so_is_a_file_that_is_gone() {
    let hub = Hub::new();
    let place = tempfile::tempdir().unwrap();
    let mut follower = hub.back_up(&Folder::within(place.path())).unwrap();
    for _ in 0..2 {
        hub.write("after");
        follower.follow(HubTime::ZERO).unwrap();
    }
    let generation = follower.generation().to_owned();
    let all = files(&generation);
    assert_eq!(all.len(), 6);
    let named = |file: &Path| file.strip_prefix(&generation).unwrap().to_str().unwrap().to_owned();
    let master = Found::newest(place.path()).unwrap().unlock(&hub.code).unwrap();
    let refused =
        |file: &Path, what: &str| match Found::newest(place.path()).and_then(|found| restored_by(&found, &master)) {
            Err(BackupError::Damaged { file: name }) => assert_eq!(name, named(file), "{what}"),
            Err(BackupError::None) if named(file) == "manifest.json" => {}
            other => panic!("{} {what}: {other:?}", named(file)),
        };
    for file in all {
        let good = fs::read(&file).unwrap();
        for at in [0, good.len() / 3, good.len() / 2, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            fs::write(&file, bad).unwrap();
            refused(&file, &format!("byte {at}"));
        }
        fs::write(&file, &good[..good.len() - 1]).unwrap();
        refused(&file, "cut");
        if !file.ends_with("log/00000002") {
            fs::remove_file(&file).unwrap();
            refused(&file, "gone");
        }
        fs::write(&file, &good).unwrap();
    }
    assert_eq!(restored(place.path(), &hub.code).unwrap(), hub.actions());
}

/// As FAT leaves it: the new name is there, and where the file lies is not.
#[test]
fn a_stick_that_is_pulled_out_as_a_file_gets_its_name_lacks_that_file_alone_and_is_gone_on_with() {
    let hub = Hub::new();
    let place = tempfile::tempdir().unwrap();
    let folder = Folder::within(place.path());
    let mut follower = hub.back_up(&folder).unwrap();
    let log = follower.generation().join("log");
    hub.write("after");
    follower.follow(HubTime::ZERO).unwrap();
    let followed = hub.actions();
    hub.write("later");
    follower.follow(HubTime::ZERO).unwrap();
    drop(follower);
    fs::write(log.join("00000002"), b"").unwrap();
    assert_eq!(restored(place.path(), &hub.code).unwrap(), followed);

    drop(hub.go_on(&folder).unwrap());
    assert_eq!(restored(place.path(), &hub.code).unwrap(), hub.actions());
    fs::write(log.join("00000001"), b"").unwrap();
    let refused = restored(place.path(), &hub.code);
    assert!(matches!(refused, Err(BackupError::Damaged { file }) if file == "log/00000001"));
}

/// Memory is taken for every page that a generation says it comes to.
#[test]
fn a_generation_that_says_it_is_beyond_all_measure_is_neither_gone_on_with_nor_restored() {
    let hub = Hub::new();
    let place = tempfile::tempdir().unwrap();
    let folder = Folder::within(place.path());
    let mut follower = hub.back_up(&folder).unwrap();
    hub.write("after");
    follower.follow(HubTime::ZERO).unwrap();
    let generation = follower.generation().to_owned();
    drop(follower);
    let goes_on = |what: &str, expected: bool| {
        let follower = hub.go_on(&folder);
        assert_eq!(follower.is_some(), expected, "{what}");
    };
    goes_on("as it was written", true);
    let log = generation.join(LOG).join("00000001");
    let good = fs::read(&log).unwrap();
    for pages in [u32::MAX, u32::MAX / 16, 10_000_000] {
        let mut bad = good.clone();
        bad[28..32].copy_from_slice(&pages.to_be_bytes());
        fs::write(&log, bad).unwrap();
        goes_on(&format!("{pages} pages"), false);
        let refused = restored(place.path(), &hub.code);
        assert!(matches!(refused, Err(BackupError::Damaged { file }) if file == "log/00000001"));
    }
    fs::write(&log, good).unwrap();
    let database = generation.join(DATABASE);
    let length = fs::metadata(&database).unwrap().len();
    // All of it a hole, so that it takes no room here.
    let file = fs::OpenOptions::new().write(true).open(&database).unwrap();
    file.set_len(1 << 40).unwrap();
    goes_on("a database of a TiB", false);
    let refused = restored(place.path(), &hub.code);
    assert!(matches!(refused, Err(BackupError::Damaged { file }) if file == DATABASE));
    file.set_len(length).unwrap();
    assert_eq!(restored(place.path(), &hub.code).unwrap(), hub.actions());
}

#[test]
fn a_backup_opens_by_the_code_of_its_day_alone() {
    let hub = Hub::new();
    let place = tempfile::tempdir().unwrap();
    hub.back_up(&Folder::within(place.path())).unwrap();
    let other = RecoveryCode::generate().unwrap();
    assert!(matches!(restored(place.path(), &other), Err(BackupError::WrongKey)));
    let slots = fs::read_to_string(
        files(place.path())
            .into_iter()
            .find(|f| f.ends_with(KEY_SLOTS))
            .unwrap(),
    );
    assert!(!slots.unwrap().contains("\"pin\""), "a PIN could be guessed");
    restored(place.path(), &hub.code).unwrap();
}

#[test]
fn a_backup_of_a_newer_schema_is_refused_before_anything_is_asked() {
    let hub = Hub::new();
    let place = tempfile::tempdir().unwrap();
    let follower = hub.back_up(&Folder::within(place.path())).unwrap();
    let manifest = follower.generation().join(MANIFEST);
    let text = fs::read_to_string(&manifest).unwrap();
    let newer = text.replace("\"schema\":", "\"schema\":9");
    assert_ne!(newer, text);
    fs::write(&manifest, newer).unwrap();
    assert!(matches!(Found::newest(place.path()), Err(BackupError::Newer { needs: Some(needs) }) if needs == "1"));
}

#[test]
fn where_there_is_no_room_or_the_folder_vanishes_the_generations_stay_whole() {
    let hub = Hub::new();
    let place = tempfile::tempdir().unwrap();
    let stick = place.path().join("stick");
    fs::create_dir(&stick).unwrap();
    let folder = Folder::within(&stick);
    let mut follower = hub.back_up(&folder).unwrap();
    let before = hub.actions();
    hub.write("after");
    let away = place.path().join("away");
    fs::rename(&stick, &away).unwrap();
    assert!(matches!(follower.follow(HubTime::ZERO), Err(BackupError::Disk(_))));
    drop(follower);
    // A folder in its place would be written to as if it were the stick, so none is made.
    assert!(!stick.exists());
    assert_eq!(restored(&away, &hub.code).unwrap(), before);
    fs::rename(&away, &stick).unwrap();
    let mut follower = hub.back_up(&folder).unwrap();
    hub.write("later");
    follower.follow(HubTime::ZERO).unwrap();
    assert_eq!(restored(&stick, &hub.code).unwrap(), hub.actions());
}

#[test]
fn a_log_that_nobody_fetches_is_let_go_and_a_closed_store_is_no_moment() {
    let hub = Hub::new();
    let (mut held, pages) = hub.store.hold_log().unwrap();
    assert!(matches!(hub.store.hold_log(), Err(StoreError::InUse)));
    assert!(pages.count() > 10);
    hub.write("after");
    let (changed, _) = held.changed().unwrap().unwrap();
    assert!(changed.count() < 10, "what changed, and not the database");
    assert!(hub.store.close(Duration::from_secs(5)));
    assert!(matches!(held.is_held(), Err(StoreError::Closed)));
    assert!(matches!(held.changed(), Err(StoreError::Closed)));
}
