//! Which of the sticks that are in can be used, and what for by what is on them, so that nothing else is done with one that
//! the hub needs.

use std::path::Path;

use crate::backup::Folder;
use crate::keys::UsbKey;
use crate::system::sticks::{Stick, Sticks, SticksError};

/// The sticks that are in.
#[derive(Debug)]
pub(super) struct Present {
    /// Those with files on them that this system can read.
    pub(super) usable: Vec<Stick>,
    /// Whether there is another: one that is new, that was written for another kind of computer, or that does not answer.
    pub(super) has_unreadable: bool,
}

/// Why there is no stick for what it is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lacking {
    /// None is in.
    Stick,
    /// One is in that can't be read: whoever put it in is told that, and not to put one in.
    Readable,
}

impl Present {
    /// Looks for them. Blocking.
    ///
    /// # Errors
    /// [`SticksError`] if that can't be told.
    pub(super) fn look(sticks: &dyn Sticks) -> Result<Self, SticksError> {
        let (usable, others): (Vec<_>, Vec<_>) = sticks.look()?.into_iter().partition(|stick| stick.has_files);
        Ok(Self {
            usable,
            has_unreadable: !others.is_empty(),
        })
    }

    /// What to say where none of them is the one that is wanted.
    pub(super) const fn lacking(&self) -> Lacking {
        if self.has_unreadable {
            Lacking::Readable
        } else {
            Lacking::Stick
        }
    }
}

/// Whether a key or backups are on a stick, or may be: it stays with the hub, and nothing is written over it.
pub(super) fn stays_with_hub(stick: &Path) -> bool {
    !matches!(UsbKey::read(stick), Ok(None)) || !matches!(Folder::within(stick).mark(), Ok(None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::sticks::{Access, Mounted};

    /// Sticks by whether there are files on them.
    #[derive(Debug)]
    struct In(&'static [bool]);

    impl Sticks for In {
        fn look(&self) -> Result<Vec<Stick>, SticksError> {
            let stick = |(token, has_files): (u64, &bool)| Stick {
                name: String::new(),
                label: String::new(),
                bytes: 1 << 30,
                has_files: *has_files,
                token,
            };
            Ok((0..).zip(self.0).map(stick).collect())
        }

        fn is_there(&self, _: &Stick) -> bool {
            true
        }

        fn open(&self, _: &Stick, _: Access) -> Result<Mounted, SticksError> {
            Err(SticksError::NoFileSystem)
        }
    }

    #[test]
    fn a_stick_that_can_not_be_read_is_told_from_none() {
        for (sticks, usable, lacking) in [
            (&[][..], &[][..], Lacking::Stick),
            (&[true], &[0], Lacking::Stick),
            (&[false], &[], Lacking::Readable),
            (&[false, true], &[1], Lacking::Readable),
        ] {
            let present = Present::look(&In(sticks)).unwrap();
            let tokens: Vec<u64> = present.usable.iter().map(|stick| stick.token).collect();
            assert_eq!((&tokens[..], present.lacking()), (usable, lacking), "{sticks:?}");
        }
    }
}
