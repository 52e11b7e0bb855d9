//! The keys room through its public surface. Each unlock pays for Argon2id at its least cost, so tests share what they can.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::clock::HubTime;
use crate::secret::Secret;

const NOW: HubTime = HubTime::from_millis(1_700_000_000_000);
const COST: KdfCost = KdfCost::MINIMUM;
const HOUR: Duration = Duration::from_hours(1);
const RENEWAL: Renewal = Renewal {
    target: Duration::ZERO,
    brings_up: true,
    now: NOW,
};

struct Disk {
    folder: TempDir,
    recovery: RecoveryCode,
    store_key: Secret<32>,
}

impl Disk {
    fn set_up() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = KeyStore::at(folder.path().to_owned());
        let prepared = Prepared::new(&pin("12345678"), COST, NOW).unwrap();
        let recovery = prepared.recovery().clone();
        let store_key = prepared.commit(&store).unwrap().store_key();
        Self {
            folder,
            recovery,
            store_key,
        }
    }

    /// The store as after a start of the box.
    fn start(&self) -> KeyStore {
        KeyStore::at(self.folder.path().to_owned())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn current(&self) -> PathBuf {
        self.path("keyslots.json")
    }

    fn previous(&self) -> PathBuf {
        self.path("keyslots.previous.json")
    }

    fn assert_opens(&self, digits: &str) {
        let master = self.start().unlock_with_pin(&pin(digits)).unwrap();
        assert_eq!(master.store_key(), self.store_key);
    }
}

fn pin(digits: &str) -> Pin {
    Pin::parse(digits).unwrap()
}

fn is_wrong(result: Result<MasterKey, UnlockError>) -> bool {
    matches!(result, Err(UnlockError::Wrong { .. }))
}

/// Changes the body of a key slot file and makes its checksum fit again, as somebody with a text editor could.
fn edit(path: &Path, change: impl FnOnce(&mut Value)) {
    let file: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let mut body = file["body"].clone();
    change(&mut body);
    let version = u32::try_from(file["version"].as_u64().unwrap()).unwrap();
    fs::write(path, checked_file::encode(version, &body).unwrap()).unwrap();
}

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

mod board;
mod exchange;

#[test]
fn opens_what_an_independent_implementation_sealed() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("keyslots.json"),
        include_bytes!("testdata/keyslots.v1.json"),
    )
    .unwrap();
    let vault = folder.path().join("vault");
    fs::write(&vault, include_bytes!("testdata/vault.v1.bin")).unwrap();
    let answers: Value = serde_json::from_str(include_str!("testdata/answers.json")).unwrap();
    let answer = |name: &str| answers[name].as_str().unwrap();
    let groups = answers["recovery"].as_array().unwrap().iter();
    let recovery = RecoveryCode::parse(groups.map(|group| group.as_str().unwrap())).unwrap();

    let store = KeyStore::at(folder.path().to_owned());
    store.serve_wait(HOUR).unwrap();
    for master in [
        store.unlock_with_pin(&pin(answer("pin"))).unwrap(),
        store.unlock_with_recovery(&recovery).unwrap(),
    ] {
        assert_eq!(master.luks_passphrase().expose(), answer("luks_passphrase"));
        assert_eq!(master.store_key().expose()[..], hex(answer("store_key")));
        assert_eq!(master.audit_key().expose()[..], hex(answer("audit_key")));
        let expected = Vault {
            hub_id: Uuid::from_u128(0x018b_cfe5_6800_7000_8000_0000_0000_00ab),
            hub_name: "Clinique d'été".into(),
            x25519: Secret::new([0x11; 32]),
            p256: Secret::new([0x22; 32]),
            jwt_current: Secret::new([0x33; 32]),
            jwt_previous: Some(Secret::new([0x44; 32])),
            cloud: Some(CloudAccess {
                url: "https://cloud.example".into(),
                api_key: crate::secret::SecretText::new("an API key".into()),
                device_id: "hub-7".into(),
            }),
            audit: None,
            jwt_made_at: None,
        };
        assert_eq!(Vault::load(&vault, &master.vault_key()).unwrap(), expected);
    }
}

#[test]
fn set_up_is_final_only_when_committed() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    let store = KeyStore::at(keys.clone());
    let prepared = Prepared::new(&pin("12345678"), COST, NOW).unwrap();
    assert!(!keys.exists());
    assert!(!store.is_set_up().unwrap());
    assert_eq!((store.failures(), store.wait_remaining()), (0, Duration::ZERO));
    assert!(matches!(
        store.unlock_with_pin(&pin("12345678")),
        Err(UnlockError::Keys(KeysError::NotSetUp))
    ));

    let recovery = prepared.recovery().clone();
    let master = prepared.commit(&store).unwrap();
    assert!(store.is_set_up().unwrap());
    assert_eq!((store.failures(), store.wait_remaining()), (0, Duration::ZERO));
    let by_pin = store.unlock_with_pin(&pin("12345678")).unwrap();
    let by_code = store.unlock_with_recovery(&recovery).unwrap();
    assert_eq!(by_pin.store_key(), master.store_key());
    assert_eq!(by_code.store_key(), master.store_key());

    let mode = |path: &Path| {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    };
    assert_eq!(mode(&keys), 0o700);
    for entry in fs::read_dir(&keys).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
}

#[test]
fn a_set_up_hub_is_not_set_up_again_even_if_its_slots_are_damaged() {
    let disk = Disk::set_up();
    let again = || {
        Prepared::new(&pin("87654321"), COST, NOW)
            .unwrap()
            .commit(&disk.start())
    };
    assert!(matches!(again(), Err(KeysError::AlreadySetUp)));
    disk.assert_opens("12345678");
    fs::remove_file(disk.current()).unwrap();
    fs::write(disk.previous(), "").unwrap();
    assert!(matches!(again(), Err(KeysError::AlreadySetUp)));
    assert_eq!(fs::read(disk.previous()).unwrap(), b"");
}

#[test]
fn wrong_pins_are_counted_and_wait_and_a_right_one_ends_it() {
    let disk = Disk::set_up();
    let store = disk.start();
    for count in 1..=4 {
        let Err(UnlockError::Wrong { wait, failures }) = store.unlock_with_pin(&pin("12345679")) else {
            panic!("attempt {count} is wrong")
        };
        assert_eq!(failures, count);
        assert_eq!(wait.as_secs(), if count == 4 { 30 } else { 0 });
    }
    let store = disk.start();
    let refused = store.unlock_with_pin(&pin("12345678"));
    assert!(matches!(refused, Err(UnlockError::Wait { remaining }) if remaining.as_secs() == 30));
    assert_eq!(store.failures(), 4);
    assert_eq!(store.serve_wait(Duration::from_secs(30)).unwrap(), Duration::ZERO);
    store.unlock_with_pin(&pin("12345678")).unwrap();
    assert_eq!((store.failures(), disk.start().failures()), (0, 0));
}

#[test]
fn a_recovery_code_neither_counts_nor_waits_and_the_right_one_ends_the_wait() {
    let disk = Disk::set_up();
    let store = disk.start();
    for _ in 0..4 {
        assert!(is_wrong(store.unlock_with_pin(&pin("12345679"))));
    }
    let wrong_code = RecoveryCode::generate().unwrap();
    assert!(is_wrong(store.unlock_with_recovery(&wrong_code)));
    let left = (store.failures(), store.wait_remaining());
    assert_eq!(left, (4, Duration::from_secs(30)), "as it was");
    let store = disk.start();
    assert_eq!((store.failures(), store.wait_remaining()), left);
    store.unlock_with_recovery(&disk.recovery).unwrap();
    assert_eq!((store.failures(), store.wait_remaining()), (0, Duration::ZERO));
    assert_eq!(
        (disk.start().failures(), disk.start().wait_remaining()),
        (0, Duration::ZERO)
    );
}

#[test]
fn a_changed_pin_or_code_opens_the_same_master_until_it_is_exchanged_and_the_old_one_nothing() {
    let disk = Disk::set_up();
    let store = disk.start();
    let master = store.unlock_with_pin(&pin("12345678")).unwrap();
    let code = RecoveryCode::generate().unwrap();
    store.change_pin(&master, &pin("87654321"), COST, NOW).unwrap();
    store.change_recovery(&master, &code, NOW).unwrap();

    assert!(is_wrong(store.unlock_with_pin(&pin("12345678"))));
    assert!(is_wrong(store.unlock_with_recovery(&disk.recovery)));
    disk.assert_opens("87654321");
    let by_code = store.unlock_with_recovery(&code).unwrap();
    assert_eq!(by_code.store_key(), disk.store_key);

    // Nor does the second copy keep the old ones alive.
    fs::remove_file(disk.current()).unwrap();
    assert!(is_wrong(disk.start().unlock_with_pin(&pin("12345678"))));
    disk.assert_opens("87654321");
}

#[test]
fn slots_of_another_master_are_not_changed() {
    let disk = Disk::set_up();
    let other = Disk::set_up();
    let master = disk.start().unlock_with_pin(&pin("12345678")).unwrap();
    let result = other.start().change_pin(&master, &pin("87654321"), COST, NOW);
    assert!(matches!(result, Err(KeysError::OtherMaster)));
    other.assert_opens("12345678");
}

#[test]
fn a_damaged_copy_is_passed_over_and_mended() {
    let disk = Disk::set_up();
    let good = fs::read(disk.current()).unwrap();
    let damages: [fn(&Path); 5] = [
        |path| fs::remove_file(path).unwrap(),
        |path| fs::write(path, "").unwrap(),
        |path| fs::write(path, vec![b'{'; 1 << 20]).unwrap(),
        |path| fs::write(path, &fs::read(path).unwrap()[..500]).unwrap(),
        flip,
    ];
    for damage in damages {
        for path in [disk.current(), disk.previous()] {
            damage(&path);
            disk.assert_opens("12345678");
            assert_eq!(fs::read(disk.current()).unwrap(), good);
            assert_eq!(fs::read(disk.previous()).unwrap(), good);
        }
    }
}

#[test]
fn with_both_copies_damaged_nothing_opens_and_nothing_counts() {
    let disk = Disk::set_up();
    flip(&disk.current());
    fs::write(disk.previous(), "{}").unwrap();
    let store = disk.start();
    assert!(store.is_set_up().unwrap());
    for result in [
        store.unlock_with_pin(&pin("12345678")),
        store.unlock_with_recovery(&disk.recovery),
    ] {
        assert!(matches!(result, Err(UnlockError::Keys(KeysError::Damaged))));
    }
    assert_eq!(store.failures(), 0);
}

/// Each state of the disk that a power cut during a PIN change can leave.
#[test]
fn a_power_cut_during_a_change_leaves_the_old_pin_or_the_new() {
    let disk = Disk::set_up();
    let before = fs::read(disk.current()).unwrap();
    let store = disk.start();
    let master = store.unlock_with_pin(&pin("12345678")).unwrap();
    store.change_pin(&master, &pin("87654321"), COST, NOW).unwrap();
    let after = fs::read(disk.current()).unwrap();
    let states = [
        (&before, &before, Some(("keyslots.json.new", 0)), "12345678"),
        (&before, &before, Some(("keyslots.json.new", 300)), "12345678"),
        (&before, &before, Some(("keyslots.json.new", after.len())), "12345678"),
        (&after, &before, None, "87654321"),
        (&after, &before, Some(("keyslots.previous.json.new", 300)), "87654321"),
        (&after, &after, None, "87654321"),
    ];
    for (current, previous, fresh, opens) in states {
        fs::write(disk.current(), current).unwrap();
        fs::write(disk.previous(), previous).unwrap();
        if let Some((name, length)) = fresh {
            fs::write(disk.path(name), &after[..length]).unwrap();
        }
        disk.assert_opens(opens);
        assert_eq!(
            &fs::read(disk.previous()).unwrap(),
            current,
            "brought level at the unlock"
        );
    }
}

/// Each state of the disk that a power cut during the set-up can leave.
#[test]
fn a_power_cut_during_set_up_leaves_a_hub_that_is_set_up_or_not() {
    let disk = Disk::set_up();
    let slots = fs::read(disk.current()).unwrap();
    fs::remove_file(disk.previous()).unwrap();
    disk.assert_opens("12345678");

    fs::remove_file(disk.previous()).unwrap();
    fs::remove_file(disk.current()).unwrap();
    fs::write(disk.path("keyslots.json.new"), &slots[..300]).unwrap();
    let store = disk.start();
    assert!(!store.is_set_up().unwrap());
    Prepared::new(&pin("87654321"), COST, NOW)
        .unwrap()
        .commit(&store)
        .unwrap();
    store.unlock_with_pin(&pin("87654321")).unwrap();
}

#[test]
fn a_slot_with_unknown_factors_is_kept_and_skipped() {
    let disk = Disk::set_up();
    let foreign = json!({"factors": ["pin", "iris"], "anything": {"nested": [1, 2.5, null]}});
    edit(&disk.current(), |body| {
        body["slots"].as_array_mut().unwrap().insert(0, foreign.clone());
    });
    let store = disk.start();
    let master = store.unlock_with_pin(&pin("12345678")).unwrap();
    store.change_pin(&master, &pin("87654321"), COST, NOW).unwrap();
    disk.assert_opens("87654321");
    let file: Value = serde_json::from_slice(&fs::read(disk.current()).unwrap()).unwrap();
    assert_eq!(file["body"]["slots"].as_array().unwrap().len(), 3);
    assert_eq!(file["body"]["slots"][0], foreign);
}

#[test]
fn a_file_of_newer_firmware_is_told_and_left_alone() {
    let disk = Disk::set_up();
    let newer = checked_file::encode(3, &json!({"anything": "else"})).unwrap();
    fs::write(disk.current(), &newer).unwrap();
    let store = disk.start();
    assert!(matches!(
        store.unlock_with_pin(&pin("12345678")),
        Err(UnlockError::Keys(KeysError::NewerVersion { found: 3 }))
    ));
    assert_eq!(store.failures(), 0);
    assert_eq!(fs::read(disk.current()).unwrap(), newer);
}

#[test]
fn tampered_slots_are_refused_whatever_their_checksum() {
    let disk = Disk::set_up();
    let good = fs::read(disk.current()).unwrap();
    fs::remove_file(disk.previous()).unwrap();
    let tampers: [fn(&mut Value); 9] = [
        |body| body["slots"][0]["memory_kib"] = json!(8),
        |body| body["slots"][0]["memory_kib"] = json!(u32::MAX),
        |body| body["slots"][0]["iterations"] = json!(0),
        |body| body["slots"][1]["iterations"] = json!(1_000_000),
        |body| body["slots"][0]["lanes"] = json!(200),
        |body| body["slots"][0]["salt"] = json!(""),
        |body| body["slots"][0]["extra"] = json!(1),
        |body| body["slots"] = json!(vec![json!({"factors": ["usb"]}); 17]),
        |body| body["master_id"] = json!("AAAA"),
    ];
    for tamper in tampers {
        fs::write(disk.current(), &good).unwrap();
        edit(&disk.current(), tamper);
        let result = disk.start().unlock_with_pin(&pin("12345678"));
        assert!(matches!(result, Err(UnlockError::Keys(KeysError::Damaged))));
    }

    // A slot that reads well but was changed opens to nothing, and one that belongs to another master is not trusted.
    fs::write(disk.current(), &good).unwrap();
    edit(&disk.current(), |body| body["slots"][0]["created"] = json!(0));
    assert!(is_wrong(disk.start().unlock_with_pin(&pin("12345678"))));
    edit(&disk.current(), |body| body["slots"] = json!([body["slots"][1]]));
    assert!(matches!(
        disk.start().unlock_with_pin(&pin("12345678")),
        Err(UnlockError::Keys(KeysError::NoSlot))
    ));
    fs::write(disk.current(), &good).unwrap();
    edit(&disk.current(), |body| body["master_id"] = json!("A".repeat(22)));
    assert!(matches!(
        disk.start().unlock_with_pin(&pin("12345678")),
        Err(UnlockError::Keys(KeysError::Damaged))
    ));
}

#[test]
fn the_ways_to_unlock_are_added_and_removed_and_one_is_always_left() {
    let disk = Disk::set_up();
    let store = disk.start();
    let sticks = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [usb, other] = sticks
        .each_ref()
        .map(|stick| UsbKey::read_or_make(stick.path()).unwrap());
    let master = store.unlock_with_pin(&pin("12345678")).unwrap();
    let add =
        |way, digits: &str, usb| store.add_way(&master, way, Some(&pin(digits)), Held { usb, board: None }, COST, NOW);

    assert_eq!(store.ways().unwrap(), [Way::Pin]);
    assert!(matches!(store.remove_way(&master, Way::Pin), Err(KeysError::LastWay)));
    assert!(matches!(add(Way::Stick, "12345678", None), Err(KeysError::NeedsStick)));
    add(Way::Stick, "12345678", Some(&usb)).unwrap();
    assert_eq!(disk.start().ways().unwrap(), [Way::Pin, Way::Stick]);
    assert_eq!(store.unlock_with_stick(&usb, true).unwrap().store_key(), disk.store_key);
    assert!(is_wrong(store.unlock_with_stick(&other, true)));
    assert_eq!(store.failures(), 0, "a key is no attempt");
    disk.assert_opens("12345678");

    // With a stick the PIN alone is worth nothing, nor is the stick without it.
    add(Way::PinAndStick, "87654321", Some(&usb)).unwrap();
    store.remove_way(&master, Way::Stick).unwrap();
    assert_eq!(store.ways().unwrap(), [Way::PinAndStick]);
    let both = |digits: &str, usb| store.unlock_with_pin_and_stick(&pin(digits), usb, true);
    assert!(matches!(
        store.unlock_with_pin(&pin("87654321")),
        Err(UnlockError::Keys(KeysError::NoSlot))
    ));
    assert!(matches!(
        both("87654321", None),
        Err(UnlockError::Keys(KeysError::NeedsStick))
    ));
    assert_eq!(store.failures(), 0, "nothing was tried");
    assert!(is_wrong(both("12345678", Some(&usb))));
    assert!(is_wrong(both("87654321", Some(&other))));
    assert_eq!(store.failures(), 2);
    assert_eq!(both("87654321", Some(&usb)).unwrap().store_key(), disk.store_key);
    assert!(matches!(
        store.unlock_with_stick(&usb, true),
        Err(UnlockError::Keys(KeysError::NoSlot))
    ));

    // Who lost the stick has the recovery code, and a new PIN then stands alone.
    let by_code = store.unlock_with_recovery(&disk.recovery).unwrap();
    store.change_pin(&by_code, &pin("12344321"), COST, NOW).unwrap();
    assert_eq!(store.ways().unwrap(), [Way::Pin]);
    disk.assert_opens("12344321");
}

/// Each state of the disk that a power cut during such a change can leave.
#[test]
fn six_digits_are_enough_beside_a_stick_and_never_alone() {
    let disk = Disk::set_up();
    let store = disk.start();
    let usb = UsbKey::read_or_make(disk.folder.path()).unwrap();
    let short = pin("135790");
    let master = store.unlock_with_pin(&pin("12345678")).unwrap();
    let alone = |store: &KeyStore| store.add_way(&master, Way::Pin, Some(&short), Held::NOTHING, COST, NOW);
    assert!(matches!(alone(&store), Err(KeysError::PinTooShort)));
    assert!(matches!(
        store.change_pin(&master, &short, COST, NOW),
        Err(KeysError::PinTooShort)
    ));
    assert!(matches!(Prepared::new(&short, COST, NOW), Err(KeysError::PinTooShort)));
    store
        .add_way(&master, Way::PinAndStick, Some(&short), Held::stick(&usb), COST, NOW)
        .unwrap();
    store.unlock_with_pin_and_stick(&short, Some(&usb), true).unwrap();
    // The stick goes with a longer PIN, or not.
    assert!(matches!(alone(&store), Err(KeysError::PinTooShort)));
    assert!(matches!(
        store.remove_way(&master, Way::PinAndStick),
        Err(KeysError::LastWay)
    ));
    assert_eq!(store.ways().unwrap(), [Way::PinAndStick]);
    let long = pin("13579024");
    store
        .add_way(&master, Way::Pin, Some(&long), Held::NOTHING, COST, NOW)
        .unwrap();
    store.unlock_with_pin(&long).unwrap();
    assert!(is_wrong(store.unlock_with_pin(&short)));
}

#[test]
fn a_power_cut_during_a_change_of_the_ways_leaves_the_old_or_the_new() {
    let disk = Disk::set_up();
    let store = disk.start();
    let stick = tempfile::tempdir().unwrap();
    let usb = UsbKey::read_or_make(stick.path()).unwrap();
    let before = fs::read(disk.current()).unwrap();
    let master = store.unlock_with_pin(&pin("12345678")).unwrap();
    let change = store.add_way(
        &master,
        Way::PinAndStick,
        Some(&pin("12345678")),
        Held::stick(&usb),
        COST,
        NOW,
    );
    change.unwrap();
    let after = fs::read(disk.current()).unwrap();
    for (current, previous, fresh) in [
        (&before, &before, Some("keyslots.json.new")),
        (&after, &before, None),
        (&after, &before, Some("keyslots.previous.json.new")),
        (&after, &after, None),
    ] {
        fs::write(disk.current(), current).unwrap();
        fs::write(disk.previous(), previous).unwrap();
        if let Some(name) = fresh {
            fs::write(disk.path(name), &after[..after.len() / 2]).unwrap();
        }
        let store = disk.start();
        let opened = if current == &before {
            store.unlock_with_pin(&pin("12345678"))
        } else {
            store.unlock_with_pin_and_stick(&pin("12345678"), Some(&usb), true)
        };
        assert_eq!(opened.unwrap().store_key(), disk.store_key);
        assert_eq!(&fs::read(disk.previous()).unwrap(), current, "brought level");
    }
}

/// Passes of the PIN's slot in a file of slots.
fn passes(path: &Path) -> u64 {
    let file: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let slots = file["body"]["slots"].as_array().unwrap();
    let slot = slots.iter().find(|slot| slot["factors"] == json!(["pin"])).unwrap();
    slot["iterations"].as_u64().unwrap()
}

#[test]
fn a_slot_that_is_too_cheap_to_guess_is_sealed_anew_by_the_pin_that_opens_it() {
    let disk = Disk::set_up();
    let unlock = |digits| disk.start().unlock_and_strengthen(&pin(digits), RENEWAL);
    assert!(is_wrong(unlock("12345679")));
    assert_eq!(passes(&disk.current()), 1, "by nobody else");

    // A disk that refuses keeps nobody out, and costs nothing of what is there.
    let blocked = disk.path("keyslots.json.new");
    fs::create_dir(&blocked).unwrap();
    assert_eq!(unlock("12345678").unwrap().store_key(), disk.store_key);
    assert_eq!(passes(&disk.current()), 1);
    fs::remove_dir(&blocked).unwrap();

    let weak = fs::read(disk.current()).unwrap();
    assert_eq!(unlock("12345678").unwrap().store_key(), disk.store_key);
    for file in [disk.current(), disk.previous()] {
        assert_eq!(passes(&file), 3, "the floor, in both copies");
    }
    disk.assert_opens("12345678");
    assert!(is_wrong(disk.start().unlock_with_pin(&pin("12345679"))));
    let by_code = disk.start().unlock_with_recovery(&disk.recovery).unwrap();
    assert_eq!(by_code.store_key(), disk.store_key);

    // The power went before the second copy was written: the next unlock brings it level.
    fs::write(disk.previous(), &weak).unwrap();
    let strong = fs::read(disk.current()).unwrap();
    unlock("12345678").unwrap();
    assert_eq!(fs::read(disk.current()).unwrap(), strong, "it is sealed anew once");
    assert_eq!(passes(&disk.previous()), 3);
}

#[test]
fn the_attempt_is_on_disk_before_the_check_or_there_is_no_check() {
    let disk = Disk::set_up();
    // A folder in its place cannot be replaced by a file.
    fs::remove_file(disk.path("attempts.json")).unwrap();
    fs::create_dir(disk.path("attempts.json")).unwrap();
    fs::write(disk.path("attempts.json").join("x"), "").unwrap();
    let store = disk.start();
    assert!(matches!(store.serve_wait(HOUR), Err(KeysError::Io(_))));
    let result = store.unlock_with_pin(&pin("12345678"));
    assert!(matches!(result, Err(UnlockError::Keys(KeysError::Io(_)))));
}

#[test]
fn nothing_secret_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let store = KeyStore::at(folder.path().to_owned());
    let prepared = Prepared::new(&pin("12345678"), COST, NOW).unwrap();
    let groups = prepared.recovery().groups();
    let mut printed = format!("{prepared:?}");
    let master = prepared.commit(&store).unwrap();
    printed += &format!("{master:?} {:?} {store:?} {:?}", master.vault_key(), pin("12345678"));
    let wrong = store.unlock_with_pin(&pin("87654321")).unwrap_err();
    printed += &format!("{wrong:?} {wrong}");
    assert!(!printed.contains("12345678") && !printed.contains("87654321"));
    assert!(groups.iter().all(|group| !printed.contains(group.expose())));
    assert!(printed.contains("MasterKey { key: [secret]") && printed.contains("VaultKey([secret])"));
    for key in [master.secret(), &master.store_key(), master.vault_key().secret()] {
        assert!(!printed.contains(&format!("{:?}", key.expose())));
    }
}
