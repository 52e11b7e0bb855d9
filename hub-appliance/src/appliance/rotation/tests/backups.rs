//! Backups that are made while the master key becomes another one.

use super::*;
use crate::appliance::desk::Desk;
use crate::appliance::restore::Restoring;
use crate::backup::{Folder, Found, Source, make};

/// Makes a backup in `place` of a hub as it is unlocked.
fn back_up(unlocked: &Unlocked, place: &Path) {
    let parts = &unlocked.work.parts;
    let (_taken, backup) = parts.backup.take().unwrap();
    let source = Source {
        store: Arc::downgrade(&parts.store),
        vault: parts.vault.path(),
        keys: &parts.keys,
        backup: &backup,
        hub_id: "hub",
        firmware: "1",
        recipient: parts.backup.recipient(),
        is_ending: &Arc::default(),
        is_given_up: &Arc::default(),
    };
    make(&source, &Folder::within(place), &|_| {}).unwrap();
}

#[test]
fn a_backup_is_whole_whichever_step_was_the_last_and_opens_by_the_code_of_its_day_when_all_are_gone() {
    let (hub, _) = Appliance::with_another_pin();
    for (number, hub) in cut_after_each_step(&hub).into_iter().enumerate() {
        let place = tempfile::tempdir().unwrap();
        let unlocked = hub.unlock(NEW).unwrap();
        back_up(&unlocked, place.path());
        unlocked.work.run(unlocked.master.clone());
        assert!(unlocked.work.parts.store.close(Duration::from_secs(5)));

        let another = tempfile::tempdir().unwrap();
        let found = Found::newest(place.path()).unwrap();
        let master = found.unlock(&hub.code).unwrap();
        let restoring = Restoring::begin(another.path(), &found, master, &pin(OLD), Duration::ZERO);
        let restoring = restoring.unwrap_or_else(|error| panic!("made after step {number}: {error}"));
        restoring.finish().unwrap();
        let desk = Desk::open(another.path(), || Ok(pin(OLD))).unwrap();
        assert_eq!(desk.found(), None);
        assert_eq!(
            entries(&desk.store).iter().filter(|action| *action == "first").count(),
            1
        );
        desk.close().unwrap();
        // Who had the keys before, has those of the backup.
        let keys = KeyStore::at(crate::appliance::keys_folder(another.path()));
        assert_eq!(keys.rotation().unwrap(), Rotation::Due);
    }
}
