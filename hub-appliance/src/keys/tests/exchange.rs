//! Another master key in the place of the present one: what an older file of slots is worth afterwards, and what a power cut
//! leaves on the way.

use super::*;

/// Both files of the slots, as somebody could have copied them.
fn copied(disk: &Disk) -> [Vec<u8>; 2] {
    [disk.current(), disk.previous()].map(|path| fs::read(path).unwrap())
}

fn put_back(disk: &Disk, [current, previous]: &[Vec<u8>; 2]) {
    fs::write(disk.current(), current).unwrap();
    fs::write(disk.previous(), previous).unwrap();
}

/// A disk whose slots are those that `make_vectors.py` made, as the firmware before made them.
fn of_the_firmware_before() -> (Disk, Value) {
    let folder = tempfile::tempdir().unwrap();
    let slots = include_bytes!("../testdata/keyslots.v1.json");
    fs::write(folder.path().join("keyslots.json"), slots).unwrap();
    let answers: Value = serde_json::from_str(include_str!("../testdata/answers.json")).unwrap();
    let groups = answers["recovery"].as_array().unwrap().iter();
    let disk = Disk {
        recovery: RecoveryCode::parse(groups.map(|group| group.as_str().unwrap())).unwrap(),
        store_key: Secret::new(hex(answers["store_key"].as_str().unwrap()).try_into().unwrap()),
        folder,
    };
    disk.start().serve_wait(HOUR).unwrap();
    (disk, answers)
}

fn version(disk: &Disk) -> u64 {
    let file: Value = serde_json::from_slice(&fs::read(disk.current()).unwrap()).unwrap();
    file["version"].as_u64().unwrap()
}

/// All keys that a slot opens to.
fn keys(master: &MasterKey) -> Vec<Secret<32>> {
    master.each().map(|master| master.store_key()).collect()
}

#[test]
fn an_older_file_of_slots_with_the_pin_or_the_code_of_then_does_not_open_to_the_key_of_now() {
    let disk = Disk::set_up();
    let store = disk.start();
    let usb = UsbKey::read_or_make(disk.folder.path()).unwrap();
    let master = store.unlock_with_pin(&pin("12345678")).unwrap();
    assert_eq!(store.rotation().unwrap(), Rotation::Settled);
    assert!(store.begin_rotation(&master).unwrap().is_none(), "nothing is due");
    store
        .add_way(&master, Way::Stick, None, Held::stick(&usb), COST, NOW)
        .unwrap();
    assert_eq!(store.rotation().unwrap(), Rotation::Settled, "nothing was taken away");
    let before = copied(&disk);

    store.change_pin(&master, &pin("87654321"), COST, NOW).unwrap();
    assert_eq!(store.rotation().unwrap(), Rotation::Due);
    let changed = copied(&disk);
    // Neither the stick nor the code is at hand for this.
    let both = store.begin_rotation(&master).unwrap().unwrap();
    assert_eq!(store.rotation().unwrap(), Rotation::Due);
    let next = store.finish_rotation(&both).unwrap();
    assert_eq!(store.rotation().unwrap(), Rotation::Settled);
    assert_ne!(next.store_key(), disk.store_key);
    assert_eq!(keys(&both), [disk.store_key.clone(), next.store_key()]);
    for opened in [
        store.unlock_with_pin(&pin("87654321")).unwrap(),
        store.unlock_with_stick(&usb, true).unwrap(),
        store.unlock_with_recovery(&disk.recovery).unwrap(),
    ] {
        assert_eq!(keys(&opened), [next.store_key()]);
    }
    let now = copied(&disk);
    // What is put back opens to the key of then, by whatever opened it then.
    put_back(&disk, &before);
    for opened in [
        disk.start().unlock_with_pin(&pin("12345678")).unwrap(),
        disk.start().unlock_with_stick(&usb, true).unwrap(),
        disk.start().unlock_with_recovery(&disk.recovery).unwrap(),
    ] {
        assert_eq!(keys(&opened), std::slice::from_ref(&disk.store_key));
        // With that key nothing of the present file opens.
        put_back(&disk, &now);
        let refused = disk.start().change_pin(&opened, &pin("12345678"), COST, NOW);
        assert!(matches!(refused, Err(KeysError::OtherMaster)));
        put_back(&disk, &before);
    }
    put_back(&disk, &changed);
    assert!(is_wrong(disk.start().unlock_with_pin(&pin("12345678"))));
}

/// Each state of the disk that a power cut can leave, with what the slots open to in it.
#[test]
fn a_power_cut_leaves_the_key_or_both_and_the_next_unlock_goes_on() {
    let disk = Disk::set_up();
    let store = disk.start();
    let master = store.unlock_with_pin(&pin("12345678")).unwrap();
    store.change_recovery(&master, &disk.recovery, NOW).unwrap();
    let due = fs::read(disk.current()).unwrap();
    let both = store.begin_rotation(&master).unwrap().unwrap();
    let begun = fs::read(disk.current()).unwrap();
    let next = store.finish_rotation(&both).unwrap();
    let finished = fs::read(disk.current()).unwrap();
    let (old, new) = (disk.store_key.clone(), next.store_key());
    let states: [(&[u8], &[u8], &str, Vec<_>); 8] = [
        (&due, &due, "keyslots.json.new", vec![old.clone()]),
        (
            &begun,
            &due,
            "keyslots.previous.json.new",
            vec![old.clone(), new.clone()],
        ),
        (&begun, &begun, "keyslots.json.new", vec![old.clone(), new.clone()]),
        (&finished, &begun, "keyslots.previous.json.new", vec![new.clone()]),
        (&finished, &finished, "keyslots.json.new", vec![new.clone()]),
        // The newer of two files is torn.
        (b"", &due, "keyslots.json.new", vec![old.clone()]),
        (b"", &begun, "keyslots.json.new", vec![old, new.clone()]),
        (b"", &finished, "keyslots.json.new", vec![new.clone()]),
    ];
    for (current, previous, half, opens) in states {
        put_back(&disk, &[current.to_vec(), previous.to_vec()]);
        fs::write(disk.path(half), &begun[..begun.len() / 2]).unwrap();
        let store = disk.start();
        let opened = store.unlock_with_pin(&pin("12345678")).unwrap();
        assert_eq!(keys(&opened), opens);
        let end = match store.begin_rotation(&opened).unwrap() {
            Some(both) => store.finish_rotation(&both).unwrap(),
            None => opened,
        };
        // One that was not begun makes a key of its own.
        assert!(opens.len() == 1 || end.store_key() == new);
        let opened = disk.start().unlock_with_recovery(&disk.recovery).unwrap();
        assert_eq!(keys(&opened), [end.store_key()]);
        assert_eq!(disk.start().rotation().unwrap(), Rotation::Settled);
        assert_eq!(fs::read(disk.current()).unwrap(), fs::read(disk.previous()).unwrap());
    }
}

#[test]
fn a_way_that_goes_while_the_key_is_exchanged_has_it_exchanged_once_more() {
    let disk = Disk::set_up();
    let store = disk.start();
    let master = store.unlock_with_pin(&pin("12345678")).unwrap();
    store.change_pin(&master, &pin("87654321"), COST, NOW).unwrap();
    let both = store.begin_rotation(&master).unwrap().unwrap();
    let during = copied(&disk);
    // Who changes it now has typed the PIN of now, and gets both keys by it.
    let opened = store.unlock_with_pin(&pin("87654321")).unwrap();
    store.change_pin(&opened, &pin("11223344"), COST, NOW).unwrap();
    assert_eq!(keys(&store.unlock_with_pin(&pin("11223344")).unwrap()), keys(&both));
    let next = store.finish_rotation(&both).unwrap();
    assert_eq!(store.rotation().unwrap(), Rotation::Due);
    // Somebody who was asked for the PIN before and chose a new one only now.
    store.change_pin(&opened, &pin("44332211"), COST, NOW).unwrap();
    let again = store.begin_rotation(&next).unwrap().unwrap();
    let last = store.finish_rotation(&again).unwrap();
    assert_eq!(
        keys(&store.unlock_with_pin(&pin("44332211")).unwrap()),
        [last.store_key()]
    );
    put_back(&disk, &during);
    let opened = disk.start().unlock_with_pin(&pin("87654321")).unwrap();
    assert!(!keys(&opened).contains(&last.store_key()));
}

#[test]
fn who_has_the_master_key_in_hand_changes_with_it_what_there_is_and_the_exchange_waits() {
    let disk = Disk::set_up();
    let store = disk.start();
    let is_waiting = |result: Result<MasterKey, KeysError>| matches!(result, Err(KeysError::InHand));
    let in_hand = store.in_hand();
    let master = store.unlock_with_pin(&pin("12345678")).unwrap();
    assert!(store.begin_rotation(&master).unwrap().is_none(), "none is due");
    store.change_recovery(&master, &disk.recovery, NOW).unwrap();
    assert!(is_waiting(store.begin_rotation(&master).map(Option::unwrap)));
    assert_eq!(store.rotation().unwrap(), Rotation::Due);
    store.change_pin(&master, &pin("87654321"), COST, NOW).unwrap();
    drop(in_hand);
    let both = store.begin_rotation(&master).unwrap().unwrap();

    let (in_hand, other) = (store.in_hand(), store.in_hand());
    let opened = store.unlock_with_pin(&pin("87654321")).unwrap();
    drop(other);
    assert!(is_waiting(store.finish_rotation(&both)));
    // Begun anew after a start it goes on as far as that.
    assert_eq!(keys(&store.begin_rotation(&opened).unwrap().unwrap()), keys(&both));
    store.change_pin(&opened, &pin("11223344"), COST, NOW).unwrap();
    drop(in_hand);
    let next = store.finish_rotation(&both).unwrap();
    assert_eq!(
        keys(&store.unlock_with_pin(&pin("11223344")).unwrap()),
        [next.store_key()]
    );
}

#[test]
fn nothing_is_begun_before_both_files_have_both_keys() {
    let disk = Disk::set_up();
    let store = disk.start();
    let master = store.unlock_with_pin(&pin("12345678")).unwrap();
    store.change_pin(&master, &pin("87654321"), COST, NOW).unwrap();
    fs::remove_file(disk.previous()).unwrap();
    fs::create_dir(disk.previous()).unwrap();
    assert!(matches!(store.begin_rotation(&master), Err(KeysError::Io(_))));
    let both = store.unlock_with_pin(&pin("87654321")).unwrap();
    assert!(
        matches!(store.begin_rotation(&both), Err(KeysError::Io(_))),
        "nor at the next try"
    );
    fs::remove_dir(disk.previous()).unwrap();
    let begun = store.begin_rotation(&both).unwrap().unwrap();
    assert_eq!(keys(&begun), keys(&both));
    assert_eq!(fs::read(disk.current()).unwrap(), fs::read(disk.previous()).unwrap());
}

#[test]
fn no_key_is_sealed_to_a_slot_that_somebody_put_into_the_file() {
    let (disk, other) = (Disk::set_up(), Disk::set_up());
    let theirs: Value = serde_json::from_slice(&fs::read(other.current()).unwrap()).unwrap();
    edit(&disk.current(), |body| {
        let slots = body["slots"].as_array_mut().unwrap();
        // In the place of the recovery slot, and with a public key of another in the slot that is left.
        slots[1] = theirs["body"]["slots"][1].clone();
        let mut forged = slots[0].clone();
        forged["public"] = theirs["body"]["slots"][0]["public"].clone();
        slots.push(forged);
    });
    let store = disk.start();
    let master = store.unlock_with_pin(&pin("12345678")).unwrap();
    store.change_pin(&master, &pin("87654321"), COST, NOW).unwrap();
    let both = store.begin_rotation(&master).unwrap().unwrap();
    let file: Value = serde_json::from_slice(&fs::read(disk.current()).unwrap()).unwrap();
    let slots = file["body"]["slots"].as_array().unwrap();
    assert_eq!(slots.len(), 1, "the new PIN's alone");
    store.finish_rotation(&both).unwrap();
    assert!(matches!(
        store.unlock_with_recovery(&other.recovery),
        Err(UnlockError::Keys(KeysError::NoSlot))
    ));
    store.unlock_with_pin(&pin("87654321")).unwrap();
}

#[test]
fn slots_of_the_firmware_before_are_brought_up_by_what_opens_them_and_hold_the_exchange_up_until_then() {
    let (disk, answers) = of_the_firmware_before();
    let present = pin(answers["pin"].as_str().unwrap());
    // As long as the records may be put back for the firmware before, it has to be able to read them.
    let held = Renewal {
        brings_up: false,
        ..RENEWAL
    };
    let first = fs::read(disk.current()).unwrap();
    let strong = |store: &KeyStore, renewal| store.unlock_and_strengthen(&present, renewal).unwrap();
    let store = disk.start();
    assert_eq!(strong(&store, held).store_key(), disk.store_key);
    assert_eq!(version(&disk), 1);
    assert_eq!(fs::read(disk.current()).unwrap(), first);

    let master = strong(&store, RENEWAL);
    assert_eq!((version(&disk), master.store_key()), (2, disk.store_key.clone()));
    store.change_pin(&master, &pin("87654321"), COST, NOW).unwrap();
    assert_eq!(store.rotation().unwrap(), Rotation::Waits { for_code: true });
    assert!(
        store.begin_rotation(&master).unwrap().is_none(),
        "the paper would open nothing"
    );
    let by_code = store.unlock_with_recovery(&disk.recovery).unwrap();
    let code = RecoveryCode::generate().unwrap();
    store.change_recovery(&by_code, &code, NOW).unwrap();
    assert_eq!(store.rotation().unwrap(), Rotation::Due);
    let both = store.begin_rotation(&master).unwrap().unwrap();
    let next = store.finish_rotation(&both).unwrap();
    for opened in [
        disk.start().unlock_with_pin(&pin("87654321")).unwrap(),
        disk.start().unlock_with_recovery(&code).unwrap(),
    ] {
        assert_eq!(keys(&opened), [next.store_key()]);
    }
    fs::write(disk.current(), &first).unwrap();
    let opened = strong(&disk.start(), held);
    assert_eq!(keys(&opened), std::slice::from_ref(&disk.store_key));
}

#[test]
fn a_backup_takes_the_recovery_slot_for_the_key_that_the_records_are_under() {
    let disk = Disk::set_up();
    let store = disk.start();
    let master = store.unlock_with_pin(&pin("12345678")).unwrap();
    store.change_pin(&master, &pin("87654321"), COST, NOW).unwrap();
    let both = store.begin_rotation(&master).unwrap().unwrap();
    for key in both.each() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("keyslots.json"), store.spare(&key.name()).unwrap()).unwrap();
        let opened = unlock_spare(folder.path(), &disk.recovery).unwrap();
        assert_eq!(keys(&opened), [key.store_key()]);
    }
    store.finish_rotation(&both).unwrap();
    assert!(matches!(store.spare(&master.name()), Err(KeysError::OtherMaster)));
    // One that comes out of a backup has a key that is in older hands too.
    let restored = Prepared::again(master, &pin("11223344"), COST, NOW).unwrap();
    let place = tempfile::tempdir().unwrap();
    let store = KeyStore::at(place.path().to_owned());
    restored.commit(&store).unwrap();
    assert_eq!(store.rotation().unwrap(), Rotation::Due);
}
