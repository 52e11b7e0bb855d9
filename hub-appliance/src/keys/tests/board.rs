//! Slots that ask for the key of the board: what opens on which board, and what is written down about it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::keys::kdf;

/// A board with a key of its own, which can fall silent.
struct Board {
    key: BoardKey,
    is_silent: Arc<AtomicBool>,
}

impl Board {
    fn new(byte: u8) -> Self {
        let is_silent = Arc::new(AtomicBool::new(false));
        let silent = Arc::clone(&is_silent);
        let compute = move |message: &[u8]| {
            assert!((1..=64).contains(&message.len()), "what the board's service takes");
            (!silent.load(Ordering::Relaxed)).then(|| kdf::hmac(&[byte; 32], message))
        };
        Self {
            key: BoardKey::new(compute).unwrap(),
            is_silent,
        }
    }
}

fn is_of_other_board<T>(result: Result<T, UnlockError>) -> bool {
    matches!(result, Err(UnlockError::Keys(KeysError::OtherBoard)))
}

fn is_without_board<T>(result: Result<T, UnlockError>) -> bool {
    matches!(result, Err(UnlockError::Keys(KeysError::NeedsBoard)))
}

#[test]
fn a_board_opens_its_slot_alone_and_no_other_board_does() {
    let disk = Disk::set_up();
    let store = disk.start();
    let (own, other) = (Board::new(1), Board::new(2));
    let master = store.unlock_with_pin(&pin("12345678")).unwrap();
    let missing = store.add_way(&master, Way::Board, None, Held::NOTHING, COST, NOW);
    assert!(matches!(missing, Err(KeysError::NeedsBoard)));
    store
        .add_way(&master, Way::Board, None, Held::board(&own.key), COST, NOW)
        .unwrap();
    let store = disk.start();
    assert_eq!(store.ways().unwrap(), [Way::Pin, Way::Board]);
    let opened = store.unlock_with_board(&own.key, true).unwrap();
    assert_eq!(opened.store_key(), disk.store_key);
    assert!(is_of_other_board(store.unlock_with_board(&other.key, true)));
    assert!(store.is_for_board(Way::Board, &own.key).unwrap());
    assert!(!store.is_for_board(Way::Board, &other.key).unwrap());
    assert!(!store.is_for_board(Way::PinAndBoard, &own.key).unwrap());
    own.is_silent.store(true, Ordering::Relaxed);
    assert!(is_without_board(store.unlock_with_board(&own.key, true)));
    assert_eq!(store.failures(), 0, "a key is no attempt");
    disk.assert_opens("12345678");
    // On the other board a slot for that one takes its place.
    store
        .add_way(&master, Way::Board, None, Held::board(&other.key), COST, NOW)
        .unwrap();
    store.unlock_with_board(&other.key, true).unwrap();
    assert!(is_of_other_board(store.unlock_with_board(&own.key, true)));
    store.remove_way(&master, Way::Board).unwrap();
    assert_eq!(store.ways().unwrap(), [Way::Pin]);
}

#[test]
fn a_pin_that_is_good_on_one_board_is_not_tried_on_another() {
    let disk = Disk::set_up();
    let store = disk.start();
    let (own, other) = (Board::new(1), Board::new(2));
    let master = store.unlock_with_pin(&pin("12345678")).unwrap();
    let add = |way, digits: &str, held: Held<'_>| store.add_way(&master, way, Some(&pin(digits)), held, COST, NOW);
    add(Way::Board, "12345678", Held::board(&own.key)).unwrap();
    // Six digits are enough where nobody can guess away from the board; and the board alone is not enough any more.
    add(Way::PinAndBoard, "135790", Held::board(&own.key)).unwrap();
    assert_eq!(store.ways().unwrap(), [Way::PinAndBoard]);
    let with = |digits: &str, board: Option<&Board>| {
        store.unlock_with_pin_and_board(&pin(digits), board.map(|board| &board.key), true)
    };
    assert!(is_of_other_board(with("135790", Some(&other))));
    assert!(is_without_board(with("135790", None)));
    assert_eq!(store.failures(), 0, "nothing was tried");
    assert!(matches!(
        store.unlock_with_pin(&pin("135790")),
        Err(UnlockError::Keys(KeysError::NoSlot))
    ));
    assert!(is_wrong(with("135791", Some(&own))));
    assert_eq!(store.failures(), 1);
    assert_eq!(with("135790", Some(&own)).unwrap().store_key(), disk.store_key);
    // One that does not answer says nothing of the PIN.
    own.is_silent.store(true, Ordering::Relaxed);
    assert!(is_without_board(with("135790", Some(&own))));
    own.is_silent.store(false, Ordering::Relaxed);

    // The box has died: the recovery code opens the disk on another board, which gets a slot then.
    let by_code = store.unlock_with_recovery(&disk.recovery).unwrap();
    store.change_pin(&by_code, &pin("87654321"), COST, NOW).unwrap();
    add(Way::PinAndBoard, "246802", Held::board(&other.key)).unwrap();
    assert_eq!(with("246802", Some(&other)).unwrap().store_key(), disk.store_key);
    assert!(is_of_other_board(with("135790", Some(&own))));
}

#[test]
fn with_a_stick_asked_for_the_board_alone_is_not_enough() {
    let disk = Disk::set_up();
    let store = disk.start();
    let own = Board::new(1);
    let usb = UsbKey::read_or_make(disk.folder.path()).unwrap();
    let master = store.unlock_with_pin(&pin("12345678")).unwrap();
    let add = |way, held| store.add_way(&master, way, Some(&pin("12345678")), held, COST, NOW);
    add(Way::Board, Held::board(&own.key)).unwrap();
    add(Way::PinAndStick, Held::stick(&usb)).unwrap();
    assert_eq!(store.ways().unwrap(), [Way::PinAndStick]);
    add(Way::PinAndBoard, Held::board(&own.key)).unwrap();
    assert_eq!(store.ways().unwrap(), [Way::PinAndBoard], "there is one way with a PIN");
}

#[test]
fn another_master_key_goes_into_the_boards_slot_too() {
    let disk = Disk::set_up();
    let store = disk.start();
    let own = Board::new(1);
    let master = store.unlock_with_pin(&pin("12345678")).unwrap();
    store
        .add_way(&master, Way::Board, None, Held::board(&own.key), COST, NOW)
        .unwrap();
    store.change_pin(&master, &pin("87654321"), COST, NOW).unwrap();
    // The board is silent meanwhile: what is public is enough.
    own.is_silent.store(true, Ordering::Relaxed);
    let both = store.begin_rotation(&master).unwrap().unwrap();
    let next = store.finish_rotation(&both).unwrap();
    own.is_silent.store(false, Ordering::Relaxed);
    let opened = store.unlock_with_board(&own.key, true).unwrap();
    assert_eq!(opened.store_key(), next.store_key());
    assert_ne!(opened.store_key(), disk.store_key);
}

#[test]
fn a_slot_says_which_boards_key_it_takes_and_holds_to_it() {
    let disk = Disk::set_up();
    let store = disk.start();
    let (own, other) = (Board::new(1), Board::new(2));
    let master = store.unlock_with_pin(&pin("12345678")).unwrap();
    store
        .add_way(&master, Way::Board, None, Held::board(&own.key), COST, NOW)
        .unwrap();
    let kept = fs::read(disk.current()).unwrap();
    let others_id = {
        let elsewhere = Disk::set_up();
        let store = elsewhere.start();
        let master = store.unlock_with_pin(&pin("12345678")).unwrap();
        store
            .add_way(&master, Way::Board, None, Held::board(&other.key), COST, NOW)
            .unwrap();
        slot_of_board(&elsewhere)["board"].clone()
    };
    // Another board's name on it makes it no slot of that board.
    for path in [disk.current(), disk.previous()] {
        edit(&path, |body| {
            let slots = body["slots"].as_array_mut().unwrap();
            let slot = slots.iter_mut().find(|slot| slot["factors"] == json!(["otp"])).unwrap();
            slot["board"] = others_id.clone();
        });
    }
    assert!(is_wrong(disk.start().unlock_with_board(&other.key, true)));
    assert!(is_of_other_board(disk.start().unlock_with_board(&own.key, true)));
    // Without a name, or with one where none belongs, it is damaged.
    for path in [disk.current(), disk.previous()] {
        edit(&path, |body| {
            let slots = body["slots"].as_array_mut().unwrap();
            slots.iter_mut().for_each(|slot| {
                slot.as_object_mut().unwrap().remove("board");
            });
        });
    }
    assert!(matches!(disk.start().ways(), Err(KeysError::Damaged)));
    fs::write(disk.current(), &kept).unwrap();
    disk.start().unlock_with_board(&own.key, true).unwrap();
}

fn slot_of_board(disk: &Disk) -> Value {
    let file: Value = serde_json::from_slice(&fs::read(disk.current()).unwrap()).unwrap();
    let slots = file["body"]["slots"].as_array().unwrap().clone();
    slots
        .into_iter()
        .find(|slot| slot["factors"] == json!(["otp"]))
        .unwrap()
}
