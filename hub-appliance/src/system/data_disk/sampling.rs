//! Whether a disk keeps what is written to it, over all the room that it claims. For root only.
//!
//! Sticks and cards are sold that claim more room than they have. They work until that is full, weeks after the set-up; what
//! is written from there on is lost, or comes to lie over what was written before, because the upper part of an address is
//! ignored. So before records go to a disk, samples are written all over it, and are read when the last one is written:
//! at random places, against what is lost; and at places that are powers of two from each other, against what comes to lie
//! over another (the documentation of F3, <https://fight-flash-fraud.readthedocs.io>, describes both kinds).

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use nix::libc::{O_DIRECT, O_DSYNC};

/// Bytes of a sample, and what its place is a multiple of: a sector of any disk.
const BLOCK: usize = 4096;
/// Samples at random places, one in each of as many equal parts of the room.
const SPREAD: u64 = 96;
/// The room is told apart in at most twice as many steps of a power of two.
const STEPS: u64 = 32;
/// Addresses below this are never ignored: no disk is so small.
const SMALLEST: u64 = 1 << 20;

/// Where samples go.
trait Medium {
    fn write(&mut self, at: u64, sample: &[u8; BLOCK]) -> io::Result<()>;
    fn read(&mut self, at: u64, sample: &mut [u8; BLOCK]) -> io::Result<()>;
}

/// A disk, past this machine's memory: what is read is the disk's own. Its buffer lies where such access wants it.
struct Direct {
    file: File,
    buffer: Vec<u8>,
    aligned: Range<usize>,
}

impl Direct {
    fn open(device: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .write(true)
            .custom_flags(O_DIRECT | O_DSYNC)
            .open(device)?;
        let buffer = vec![0; 2 * BLOCK];
        let start = buffer.as_ptr().align_offset(BLOCK);
        Ok(Self {
            file,
            buffer,
            aligned: start..start + BLOCK,
        })
    }
}

impl Medium for Direct {
    fn write(&mut self, at: u64, sample: &[u8; BLOCK]) -> io::Result<()> {
        let buffer = &mut self.buffer[self.aligned.clone()];
        buffer.copy_from_slice(sample);
        self.file.write_all_at(buffer, at)
    }

    fn read(&mut self, at: u64, sample: &mut [u8; BLOCK]) -> io::Result<()> {
        let buffer = &mut self.buffer[self.aligned.clone()];
        self.file.read_exact_at(buffer, at)?;
        sample.copy_from_slice(buffer);
        Ok(())
    }
}

/// Whether `device` keeps what is written to `room`, in bytes. What was there is lost in part, except for its first MiB, so
/// that a table is still there. `progress` is told how far it has come, of 1,000.
///
/// # Errors
/// What the operating system reports; a disk that fails where it claims to have room is one that does not keep what is
/// written.
pub(super) fn keeps_what_is_written(device: &Path, room: &Range<u64>, progress: &dyn Fn(u16)) -> io::Result<bool> {
    check(
        &mut Direct::open(device)?,
        &places(room, random()?),
        random()?,
        progress,
    )
}

fn random() -> io::Result<u64> {
    Ok(getrandom::u64()?)
}

/// Where samples go in `room`, in rising order.
fn places(room: &Range<u64>, seed: u64) -> Vec<u64> {
    let block = BLOCK as u64;
    let (first, end) = (room.start.next_multiple_of(block) + SMALLEST, room.end / block * block);
    let Some(blocks) = end
        .checked_sub(first)
        .map(|bytes| bytes / block)
        .filter(|blocks| *blocks > 0)
    else {
        return Vec::new();
    };
    let part = (blocks / SPREAD).max(1);
    // Any numbers will do that nobody knew when the disk was made.
    let spread = (0..SPREAD.min(blocks)).map(|number| number * part + seed.rotate_left(number as u32) % part);
    // From a place in the first step on, so that each power of two above is the distance of some two places.
    let step = (blocks / STEPS).max(1).next_power_of_two();
    let start = seed % step.min(SMALLEST / block);
    let steps = (0..=blocks / step).map(|number| start + number * step);
    let powers = (SMALLEST / block).ilog2()..=blocks.ilog2();
    let doubled = powers.map(|power| start + (1 << power));
    let all = spread.chain(steps).chain(doubled).chain([blocks - 1]);
    let mut places: Vec<_> = all
        .filter(|number| *number < blocks)
        .map(|number| first + number * block)
        .collect();
    places.sort_unstable();
    places.dedup();
    places
}

fn check(medium: &mut impl Medium, places: &[u64], seed: u64, progress: &dyn Fn(u16)) -> io::Result<bool> {
    let share = |done: usize| u16::try_from(done * 500 / places.len().max(1)).unwrap_or(500);
    for (done, place) in places.iter().enumerate() {
        match medium.write(*place, &sample(*place, seed)) {
            Ok(()) => progress(share(done)),
            Err(error) => return refused(error),
        }
    }
    let mut read = [0; BLOCK];
    for (done, place) in places.iter().enumerate() {
        match medium.read(*place, &mut read) {
            Ok(()) if read != sample(*place, seed) => return Ok(false),
            Ok(()) => progress(500 + share(done)),
            Err(error) => return refused(error),
        }
    }
    Ok(true)
}

/// What a disk says to a sample that it has no room for, told apart from one that is gone or may not be written.
fn refused(error: io::Error) -> io::Result<bool> {
    match error.raw_os_error().map(nix::errno::Errno::from_raw) {
        Some(nix::errno::Errno::EIO | nix::errno::Errno::ENOSPC | nix::errno::Errno::EREMOTEIO) => Ok(false),
        _ if error.kind() == io::ErrorKind::UnexpectedEof || error.kind() == io::ErrorKind::WriteZero => Ok(false),
        _ => Err(error),
    }
}

/// A sample that tells of its place.
fn sample(place: u64, seed: u64) -> [u8; BLOCK] {
    let mut sample = [0; BLOCK];
    for (number, word) in (0_u32..).zip(sample.chunks_exact_mut(8)) {
        word.copy_from_slice(
            &(place ^ seed.rotate_left(number))
                .wrapping_add(u64::from(number))
                .to_le_bytes(),
        );
    }
    sample
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    /// A disk that claims any room and has so much, and what it does with what is beyond.
    struct Fake {
        real: u64,
        beyond: Beyond,
        blocks: HashMap<u64, [u8; BLOCK]>,
    }

    #[derive(Clone, Copy, Debug)]
    enum Beyond {
        Lost,
        Wraps,
        Fails,
    }

    impl Fake {
        fn place(&self, at: u64) -> io::Result<Option<u64>> {
            match self.beyond {
                _ if at < self.real => Ok(Some(at)),
                Beyond::Lost => Ok(None),
                Beyond::Wraps => Ok(Some(at % self.real)),
                Beyond::Fails => Err(io::Error::from_raw_os_error(nix::libc::EIO)),
            }
        }
    }

    impl Medium for Fake {
        fn write(&mut self, at: u64, sample: &[u8; BLOCK]) -> io::Result<()> {
            if let Some(place) = self.place(at)? {
                self.blocks.insert(place, *sample);
            }
            Ok(())
        }

        fn read(&mut self, at: u64, sample: &mut [u8; BLOCK]) -> io::Result<()> {
            let kept = self.place(at)?.and_then(|place| self.blocks.get(&place));
            *sample = kept.copied().unwrap_or([0; BLOCK]);
            Ok(())
        }
    }

    fn keeps(real: u64, claimed: Range<u64>, beyond: Beyond, seed: u64) -> bool {
        let mut disk = Fake {
            real,
            beyond,
            blocks: HashMap::new(),
        };
        let said = Cell::new(0);
        let progress = |permille| {
            assert!(permille >= said.get() && permille <= 1000);
            said.set(permille);
        };
        check(&mut disk, &places(&claimed, seed), seed, &progress).unwrap()
    }

    proptest! {
        #[test]
        fn an_honest_disk_of_any_size_is_one(bytes in (4_u64 << 20)..(2 << 40), start in 0_u64..(1 << 20), seed: u64) {
            prop_assert!(keeps(bytes, start..bytes, Beyond::Fails, seed));
        }

        #[test]
        fn a_disk_that_has_a_power_of_two_and_begins_anew_behind_it_is_found(
            power in 26_u32..38, times in 2_u64..32, less in 0_u64..(1 << 20), seed: u64,
        ) {
            let real = 1 << power;
            prop_assert!(!keeps(real, 0..real * times - less, Beyond::Wraps, seed));
        }

        #[test]
        fn a_disk_that_has_a_part_of_its_room_is_found(
            claimed in (1_u64 << 30)..(1 << 40), percent in 1_u64..97, seed: u64,
        ) {
            for beyond in [Beyond::Lost, Beyond::Fails] {
                prop_assert!(!keeps(claimed / 100 * percent, 0..claimed, beyond, seed));
            }
        }

        #[test]
        fn samples_lie_in_the_room_and_are_few(start in 0_u64..(1 << 30), bytes in 0_u64..(2 << 40), seed: u64) {
            let room = start..start + bytes;
            let places = places(&room, seed);
            prop_assert!(places.len() < 300);
            for place in places {
                prop_assert!(place >= start + SMALLEST && place + BLOCK as u64 <= room.end);
                prop_assert_eq!(place % BLOCK as u64, 0);
            }
        }
    }

    #[test]
    fn a_file_keeps_what_is_written_and_one_that_ends_early_does_not() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(64 << 20).unwrap();
        match keeps_what_is_written(file.path(), &(0..64 << 20), &|_| {}) {
            Ok(keeps) => assert!(keeps),
            // Not every file system gives its files past the memory.
            Err(error) => assert_eq!(error.raw_os_error(), Some(nix::libc::EINVAL)),
        }
    }

    #[test]
    fn a_disk_that_is_gone_is_not_called_a_fake() {
        struct Gone;
        impl Medium for Gone {
            fn write(&mut self, _: u64, _: &[u8; BLOCK]) -> io::Result<()> {
                Err(io::Error::from_raw_os_error(nix::libc::ENODEV))
            }
            fn read(&mut self, _: u64, _: &mut [u8; BLOCK]) -> io::Result<()> {
                Err(io::Error::from_raw_os_error(nix::libc::ENODEV))
            }
        }
        assert!(check(&mut Gone, &places(&(0..1 << 30), 1), 1, &|_| {}).is_err());
    }
}
