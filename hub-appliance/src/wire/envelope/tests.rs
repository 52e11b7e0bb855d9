//! The envelope under its own key, other keys, and altered bytes.

use std::io::Write as _;

use proptest::prelude::*;

use super::*;

const DIRECTIONS: [Direction; 4] = [
    Direction::Command,
    Direction::CommandResponse,
    Direction::Query,
    Direction::QueryResponse,
];

/// `plaintext` ready to be sealed.
pub(in crate::wire) fn outgoing(plaintext: &[u8]) -> Outgoing {
    let mut outgoing = Outgoing::new();
    outgoing.write_all(plaintext).unwrap();
    outgoing
}

/// Sealed as in a worked example, where the nonce is given.
pub(in crate::wire) fn seal_with_nonce(
    key: &EnvelopeKey,
    direction: Direction,
    plaintext: &[u8],
    nonce: Nonce,
) -> Vec<u8> {
    key.seal_with_nonce(direction, outgoing(plaintext), nonce)
        .unwrap()
        .into_bytes()
}

fn key(byte: u8) -> EnvelopeKey {
    EnvelopeKey::new(&Secret::new([byte; 32]))
}

fn sealed(direction: Direction, plaintext: &[u8]) -> Vec<u8> {
    key(1).seal(direction, outgoing(plaintext)).unwrap().into_bytes()
}

/// Compiles only as long as the features of the dependencies that wipe their keys are on.
#[test]
fn keys_and_plaintexts_wipe_themselves() {
    fn wipes<T: ZeroizeOnDrop>() {}
    wipes::<Aes256Gcm>();
    wipes::<Opened>();
    wipes::<Outgoing>();
}

fn direction() -> impl Strategy<Value = Direction> {
    proptest::sample::select(&DIRECTIONS[..])
}

#[test]
fn prints_nothing_of_plaintexts_and_keys() {
    let opened = Opened::from(b"patient".to_vec());
    assert_eq!(
        format!("{opened:?} {:?} {:?}", outgoing(b"patient"), key(1)),
        "[secret] [secret] [secret]"
    );
}

#[test]
fn the_same_plaintext_is_sealed_under_another_nonce_each_time() {
    let [first, second] = [(); 2].map(|()| sealed(Direction::Query, b"{}"));
    assert_ne!(first[..NONCE_LEN], second[..NONCE_LEN]);
}

#[test]
fn sealing_does_not_move_a_buffer_that_has_room_for_the_tag() {
    let mut answer = Outgoing::new();
    answer.buffer().reserve(1000);
    answer.buffer().extend_from_slice(&[b' '; 500]);
    let place = answer.buffer().as_ptr();
    let sealed = key(1).seal(Direction::Query, answer).unwrap().into_bytes();
    assert_eq!(sealed.as_ptr(), place);
    let opened = key(1).open(Direction::Query, sealed).unwrap();
    assert_eq!(opened.as_ptr(), place.wrapping_add(NONCE_LEN));
}

#[test]
fn clearing_leaves_an_empty_plaintext() {
    let mut answer = outgoing(b"half of an answer");
    answer.clear();
    assert_eq!(answer.plaintext(), b"");
    answer.write_all(b"{}").unwrap();
    assert_eq!(answer.plaintext(), b"{}");
    let payload = key(1).seal(Direction::Query, answer).unwrap().into_bytes();
    assert_eq!(&*key(1).open(Direction::Query, payload).unwrap(), b"{}");
}

#[test]
fn a_buffer_without_room_for_the_nonce_is_refused() {
    let mut answer = outgoing(b"{}");
    answer.buffer().truncate(NONCE_LEN - 1);
    assert_eq!(answer.plaintext(), b"");
    assert!(matches!(key(1).seal(Direction::Query, answer), Err(SealError::Length)));
}

proptest! {
    #[test]
    fn round_trips(plaintext in proptest::collection::vec(any::<u8>(), 0..2000), direction in direction()) {
        let payload = sealed(direction, &plaintext);
        prop_assert_eq!(payload.len(), NONCE_LEN + plaintext.len() + TAG_LEN);
        let opened = key(1).open(direction, payload).unwrap();
        prop_assert_eq!(&*opened, &plaintext[..]);
    }

    #[test]
    fn a_flipped_bit_is_refused_and_the_buffer_left_as_it_was(
        plaintext in proptest::collection::vec(any::<u8>(), 0..200),
        place in any::<proptest::sample::Index>(),
        bit in 0..8,
    ) {
        let mut payload = sealed(Direction::Command, &plaintext);
        let place = place.index(payload.len());
        payload[place] ^= 1_u8 << bit;
        let NotOpened(untouched) = key(1).open(Direction::Command, payload.clone()).unwrap_err();
        prop_assert_eq!(untouched, payload);
    }

    #[test]
    fn a_wrong_key_leaves_the_buffer_to_the_right_one(plaintext in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let mut payload = sealed(Direction::Command, &plaintext);
        for wrong in 2..5 {
            let NotOpened(untouched) = key(wrong).open(Direction::Command, payload.clone()).unwrap_err();
            prop_assert_eq!(&untouched, &payload);
            payload = untouched;
        }
        prop_assert_eq!(&*key(1).open(Direction::Command, payload).unwrap(), &plaintext[..]);
    }

    #[test]
    fn another_direction_is_refused(plaintext in proptest::collection::vec(any::<u8>(), 0..200), used in direction(), tried in direction()) {
        prop_assume!(used != tried);
        prop_assert!(key(1).open(tried, sealed(used, &plaintext)).is_err());
    }

    #[test]
    fn any_truncation_is_refused(plaintext in proptest::collection::vec(any::<u8>(), 0..200), kept in any::<proptest::sample::Index>()) {
        let mut payload = sealed(Direction::Query, &plaintext);
        let kept = kept.index(payload.len());
        let without_front = payload[payload.len() - kept..].to_vec();
        prop_assert!(key(1).open(Direction::Query, without_front).is_err());
        payload.truncate(kept);
        prop_assert!(key(1).open(Direction::Query, payload).is_err());
    }
}
