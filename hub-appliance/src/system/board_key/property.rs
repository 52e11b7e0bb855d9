//! One property message: a question to the firmware and its answer, in place.
//!
//! ```text
//! size of all in bytes ‖ code ‖ tag ‖ room for values ‖ length of values ‖ values, as much as there is room ‖ 0
//! ```
//!
//! All are u32, little-endian; the room is that of the question or of the answer, whichever is larger. Asked with code 0,
//! answered with bit 31 both in the code and in the length; a firmware that does not know the tag leaves the latter away.

use std::io;

use nix::libc::EINVAL;
use zeroize::Zeroizing;

use super::mailbox::Mailbox;

const ANSWERED: u32 = 1 << 31;
/// Bytes before the values, and with the end behind them.
const HEAD: usize = 20;
const FRAME: usize = HEAD + 4;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum PropertyError {
    /// The firmware does not know the tag, or refuses it.
    #[error("the firmware does not know what it was asked")]
    Refused,
    /// What came back is no answer to the question.
    #[error("the firmware's answer is none")]
    Garbled,
    /// The device failed.
    #[error("the firmware's mailbox: {0}")]
    Io(#[from] io::Error),
}

/// Asks for `tag` with these values, and gives those of the answer: at least `least` bytes, at most `room` or what the
/// question took.
pub(super) fn ask(
    mailbox: &mut dyn Mailbox,
    tag: u32,
    values: &[u8],
    least: usize,
    room: usize,
) -> Result<Zeroizing<Vec<u8>>, PropertyError> {
    let room = room.max(values.len()).max(least).next_multiple_of(4);
    let mut message = Zeroizing::new(Vec::with_capacity(FRAME + room));
    for word in [FRAME + room, 0, tag as usize, room, values.len()] {
        // Far below 4 GiB: rooms are constants.
        message.extend(u32::try_from(word).unwrap_or(u32::MAX).to_le_bytes());
    }
    message.extend_from_slice(values);
    message.resize(FRAME + room, 0);
    match mailbox.exchange(&mut message) {
        Err(error) if error.raw_os_error() == Some(EINVAL) => return Err(PropertyError::Refused),
        outcome => outcome?,
    }
    let length = answer_length(&message, tag, room)?;
    if length < least || length > room {
        return Err(PropertyError::Garbled);
    }
    Ok(Zeroizing::new(message[HEAD..HEAD + length].to_vec()))
}

/// The length of the answer that is in `message`.
fn answer_length(message: &[u8], tag: u32, room: usize) -> Result<usize, PropertyError> {
    let (Some([size, code, answered, asked_room, length]), Some([end])) =
        (words(message), words(&message[HEAD + room..]))
    else {
        return Err(PropertyError::Garbled);
    };
    let is_same = size as usize == message.len() && answered == tag && asked_room as usize == room && end == 0;
    if !is_same {
        return Err(PropertyError::Garbled);
    }
    if code != ANSWERED || length & ANSWERED == 0 {
        return Err(PropertyError::Refused);
    }
    Ok((length & !ANSWERED) as usize)
}

/// The first `N` words.
pub(super) fn words<const N: usize>(bytes: &[u8]) -> Option<[u32; N]> {
    let mut words = [0; N];
    for (word, bytes) in words.iter_mut().zip(bytes.get(..4 * N)?.chunks_exact(4)) {
        *word = u32::from_le_bytes(bytes.try_into().ok()?);
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Answering<F>(F);

    impl<F: FnMut(&mut [u8]) -> io::Result<()>> Mailbox for Answering<F> {
        fn exchange(&mut self, message: &mut [u8]) -> io::Result<()> {
            self.0(message)
        }
    }

    const TAG: u32 = 0x0003_0081;

    fn asked(values: &[u8], answer: impl FnMut(&mut [u8]) -> io::Result<()>) -> Result<Vec<u8>, PropertyError> {
        ask(&mut Answering(answer), TAG, values, 4, 8).map(|values| values.to_vec())
    }

    fn put(message: &mut [u8], word: usize, value: u32) {
        message[4 * word..4 * word + 4].copy_from_slice(&value.to_le_bytes());
    }

    /// An answer of eight bytes.
    fn answer(message: &mut [u8]) {
        put(message, 1, ANSWERED);
        put(message, 4, ANSWERED | 8);
        put(message, 5, 0x0403_0201);
        put(message, 6, 0x0807_0605);
    }

    #[test]
    fn a_question_has_the_shape_that_the_firmware_takes_and_its_answer_is_read() {
        let mut seen = Vec::new();
        let values = asked(&[7, 0, 0, 0], |message| {
            seen = message.to_vec();
            answer(message);
            Ok(())
        });
        assert_eq!(seen, [32, 0, TAG, 8, 4, 7, 0, 0].map(u32::to_le_bytes).concat());
        assert_eq!(values.unwrap(), [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn what_is_not_answered_is_refused_and_what_is_no_answer_is_told() {
        let outcome = |spoil: fn(&mut [u8])| {
            asked(&[], |message| {
                answer(message);
                spoil(message);
                Ok(())
            })
        };
        let refused: [fn(&mut [u8]); 4] = [
            |message| put(message, 1, 0),
            |message| put(message, 1, ANSWERED | 1),
            |message| put(message, 4, 8),
            |message| put(message, 4, 0),
        ];
        for spoil in refused {
            assert!(matches!(outcome(spoil), Err(PropertyError::Refused)));
        }
        let garbled: [fn(&mut [u8]); 8] = [
            |message| put(message, 0, 33),
            |message| put(message, 2, TAG + 1),
            |message| put(message, 3, 7),
            |message| put(message, 4, ANSWERED | 9),
            |message| put(message, 4, ANSWERED | 3),
            |message| put(message, 4, u32::MAX),
            |message| put(message, 7, 1),
            |message| message.fill(0xff),
        ];
        for (number, spoil) in garbled.into_iter().enumerate() {
            assert!(matches!(outcome(spoil), Err(PropertyError::Garbled)), "{number}");
        }
        let einval = asked(&[], |_| Err(io::Error::from_raw_os_error(EINVAL)));
        assert!(
            matches!(einval, Err(PropertyError::Refused)),
            "the kernel's word for it"
        );
        let gone = asked(&[], |_| Err(io::ErrorKind::UnexpectedEof.into()));
        assert!(matches!(gone, Err(PropertyError::Io(_))));
    }

    proptest! {
        #[test]
        fn no_answer_panics(bytes: Vec<u8>, values in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = asked(&values, |message| {
                message.iter_mut().zip(&bytes).for_each(|(to, from)| *to = *from);
                Ok(())
            });
        }
    }
}
