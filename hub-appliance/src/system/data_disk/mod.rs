//! The disk that holds the keys and the records.
//!
//! | file | what it does |
//! |---|---|
//! | `list` | which disks there are, from what the kernel shows |
//! | `find` | which of them it is, by names and types in their partition tables |
//! | `content` | what is on a disk beside that |
//! | `choice` | what follows from it, and what a person may be asked for |
//! | `luks` | opens and closes it; needs root |
//! | `volume` | the same for a part of it; needs root |
//! | `format` | makes it; needs root |
//! | `sampling` | whether a disk keeps what is written to it; needs root |
//! | `moving` | moves the data from an old card; needs root |
//! | `rivals` | of several data disks, what a person has to know to choose one; needs root |
//! | `memory` | the card's own note of the disk that the records are on; needs root |
//! | `import_file` | removes the owner's file of records from the system's card; needs root |
//! | `service` | does so for the hub, which has no such rights |
//! | `helper` | the hub's end of that service |
//! | `breaking` | breaks off what works on its keys |
//! | `protocol` | what the two say to each other |
//! | `others` | the disks that are none of the hub's, for [`super::sticks`] |
//!
//! ```text
//! hub (user hub) ── Unix socket ──► hub-appliance data-disk serve (root) ──► sfdisk, mke2fs, cryptsetup, mount(2)
//! ```
//!
//! It promises that nothing is formatted without a person's word for that very disk, that what may hold records is not even
//! asked for, that of two data disks neither is opened unless a person chose it, and that the records are closed when the hub ends, however it ends.

mod breaking;
mod choice;
mod content;
mod find;
mod format;
mod helper;
mod import_file;
mod list;
mod luks;
mod mapping;
mod memory;
mod moving;
mod others;
mod protocol;
mod rivals;
mod sampling;
mod service;
mod tool;
mod volume;

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

pub use helper::Helper;
pub use luks::{Luks, Owner};
pub(in crate::system) use others::{FileSystem, Other, OtherDisks, mounted_devices};
pub(in crate::system) use protocol::read_line;
pub use rivals::{FACTS_FILE, MAX_FACTS};
pub use service::serve;
pub use tool::Tool;
pub(in crate::system) use volume::NOTHING_FROM_IT;

use crate::secret::SecretText;

/// How it is with the data disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiskState {
    /// There is no disk that could hold the data.
    Missing,
    /// There is none, but the card knows of one: the records are on a disk that is not plugged in.
    Away,
    /// There are two or more that could: none is touched.
    Several,
    /// There is nothing better than a disk with something else on it, or the rest of the system's card.
    Foreign,
    /// There is a data disk that does not mount, or a part or a trace of one: it is not touched.
    Damaged,
    /// There is a disk that can't be read.
    Unreadable,
    /// There is a data disk that can't be written.
    WriteProtected,
    /// There is an old card whose records were moved to another disk.
    Moved,
    /// There is nothing but what is left of records on the card that the system runs from, with no table that tells of it.
    Remains,
    /// The disk whose keys or records are mounted was pulled out.
    Gone,
    /// The card that the system runs from was pulled out: no program can be started from it any more.
    SystemGone,
    /// There is an empty disk, or one whose formatting was cut short.
    Blank,
    /// There is a data disk that came after the hub: one that starts anew can read its keys.
    Unmounted,
    /// The keys can be read, the records are closed.
    Closed,
    /// The records can be read.
    Open,
}

impl DiskState {
    /// Whether a hub can start with it: to be set up, or to be unlocked.
    #[must_use]
    pub const fn is_usable(self) -> bool {
        matches!(self, Self::Blank | Self::Unmounted | Self::Closed | Self::Open)
    }
}

impl std::fmt::Display for DiskState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Missing => "missing",
            Self::Away => "not plugged in",
            Self::Several => "several",
            Self::Foreign => "foreign",
            Self::Damaged => "damaged",
            Self::Unreadable => "unreadable",
            Self::WriteProtected => "write-protected",
            Self::Moved => "moved",
            Self::Remains => "in pieces",
            Self::Gone => "gone",
            Self::SystemGone => "without the system's card",
            Self::Blank => "blank",
            Self::Unmounted => "unmounted",
            Self::Closed => "closed",
            Self::Open => "open",
        })
    }
}

/// Where the data could go if a person allows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// A disk with nothing on it, or with nothing more than what we began to make there.
    New,
    /// A disk with something else on it, all of which is lost then.
    Disk,
    /// The rest of the card that the system runs from.
    Card,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::New => "a disk with nothing on it,",
            Self::Disk => "a disk with something on it,",
            Self::Card => "the rest of the system's card",
        })
    }
}

/// What could become the data disk if a person allows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// What kind of place it is.
    pub place: Place,
    /// What the disk calls itself, or its device's name.
    pub name: String,
    /// How much room it has.
    pub bytes: u64,
    /// What to allow: nothing else has this number before the next start.
    pub token: u64,
}

impl Offer {
    /// The kernel's number for the disk of this place.
    #[must_use]
    pub const fn disk(&self) -> u64 {
        self.token / PLACES
    }
}

/// More kinds of places than there are, by which tokens are counted.
const PLACES: u64 = 4;

/// Records on an old card in a reader, or on a disk that is being moved from, and where they can go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// The size of all of the old card or disk.
    pub bytes: u64,
    /// Where they go.
    pub to: Offer,
    /// Whether this was begun by a person at a hub with a disk of its own, and was cut short.
    #[serde(default)]
    pub goes_on: bool,
}

/// One of several data disks, as a person has to know it to choose. What it says of its hub was written by whoever had it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rival {
    /// Whether it is the rest of the card that the system runs from.
    pub is_card: bool,
    /// How much room it has.
    pub bytes: u64,
    /// What its hub is called.
    pub hub: Option<String>,
    /// How many phones its hub knows.
    pub phones: Option<u32>,
    /// When it was used last, epoch ms by that hub's clock.
    pub used_at: Option<i64>,
    /// What to choose: nothing else has this number before the next start.
    pub token: u64,
}

/// Why the data disk did not do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum DataDiskError {
    /// The data does not fit where it is to be moved to.
    #[error("there is too little room for the data")]
    NoRoom,
    /// The disk is not in a state in which this can be done; nothing was changed.
    #[error("the data disk is {0}")]
    State(DiskState),
    /// The passphrase does not open the records.
    #[error("the data disk has another key")]
    Passphrase,
    /// A file system has faults that are not mended without a person.
    #[error("the data disk is damaged")]
    Damaged,
    /// The disk loses what is written to a part of the room that it claims.
    #[error("the disk does not keep what is written to it")]
    Fake,
    /// A program failed.
    #[error("{0} failed on the data disk")]
    Tool(Tool),
    /// The operating system refused: its `errno`.
    #[error("the data disk: {}", Errno::from_raw(*.0))]
    System(i32),
    /// It was broken off ([`DataDisk::break_off`]), and can be begun again.
    #[error("it was broken off")]
    Stopped,
    /// The service that works on the disk does not answer, or not in our words.
    #[error("the data disk's service does not answer")]
    Service,
}

impl From<Errno> for DataDiskError {
    fn from(errno: Errno) -> Self {
        Self::System(errno as i32)
    }
}

impl From<std::io::Error> for DataDiskError {
    fn from(error: std::io::Error) -> Self {
        Self::System(error.raw_os_error().unwrap_or(Errno::EIO as i32))
    }
}

/// The data disk, as the life of the box sees it. All calls block, formatting for a minute on a slow disk.
pub trait DataDisk: std::fmt::Debug + Send + Sync {
    /// How it is with the disk now.
    ///
    /// # Errors
    /// [`DataDiskError`] if that can't be told.
    fn state(&self) -> Result<DiskState, DataDiskError>;

    /// What a person may allow while there is no data disk ([`DiskState::Blank`], [`DiskState::Foreign`]), the most natural
    /// first.
    ///
    /// # Errors
    /// [`DataDiskError`] if that can't be told.
    fn offers(&self) -> Result<Vec<Offer>, DataDiskError> {
        Ok(Vec::new())
    }

    /// The data disks among which a person may choose, where there are several ([`DiskState::Several`]); none where nobody can.
    ///
    /// # Errors
    /// [`DataDiskError`] if that can't be told.
    fn rivals(&self) -> Result<Vec<Rival>, DataDiskError> {
        Ok(Vec::new())
    }

    /// Makes one of the rivals the data disk, by its token. Nothing is changed on any of them; a hub that starts then finds
    /// this one.
    ///
    /// # Errors
    /// [`DataDiskError::State`] if it is not among them any more.
    fn choose(&self, _token: u64) -> Result<(), DataDiskError> {
        Err(DataDiskError::State(DiskState::Missing))
    }

    /// Makes the disk: afterwards its part for the keys is mounted, and `passphrase` opens the part for the records.
    /// `allowed` is the token of the offer that a person took, where one was made; `progress` is told how far it has
    /// come, of 1,000.
    ///
    /// # Errors
    /// [`DataDiskError::State`], with nothing changed, unless what was allowed still is among the offers; else what failed.
    fn format(
        &self,
        passphrase: &SecretText,
        allowed: Option<u64>,
        progress: &dyn Fn(u16),
    ) -> Result<(), DataDiskError>;

    /// Makes ready what a locked hub reads. To be called when a hub starts, before it reads anything.
    ///
    /// # Errors
    /// [`DataDiskError`] if it can't be told how it is with the disk.
    fn attach(&self) -> Result<DiskState, DataDiskError> {
        self.state()
    }

    /// Has what was written to the mounted part for the keys stand where whoever looks at the disk without opening it reads
    /// it: not in the journal alone, as a power cut would leave it. `keys` is a folder there; nothing but the right to
    /// read that is needed. Does nothing where there is no disk of the hub's own.
    ///
    /// # Errors
    /// [`DataDiskError::System`]; what was written is safe all the same.
    fn settle(&self, _keys: &std::path::Path) -> Result<(), DataDiskError> {
        Ok(())
    }

    /// Where the records of the open disk could be moved to, those with nothing on them first; only where there is room for
    /// them. [`Self::copy`] takes the token, once the disk is closed.
    ///
    /// # Errors
    /// [`DataDiskError`] if that can't be told.
    fn roomier(&self) -> Result<Vec<Offer>, DataDiskError> {
        Ok(Vec::new())
    }

    /// Whether the data lies on an old card in a reader and can be moved to where it belongs, or a move was cut short.
    ///
    /// # Errors
    /// [`DataDiskError`] if that can't be told.
    fn movable(&self) -> Result<Option<Move>, DataDiskError> {
        Ok(None)
    }

    /// How many bytes of room a disk has that can be taken out, for the records were moved away from it; none where no such
    /// disk is there, or the data disk is not closed.
    ///
    /// # Errors
    /// [`DataDiskError`] if that can't be told.
    fn left_behind(&self) -> Result<Option<u64>, DataDiskError> {
        Ok(None)
    }

    /// Copies the closed records to where they can be moved, or goes on with that after a power cut. `allowed` is the token
    /// of that place; `progress` is told how far it has come, of 1,000.
    ///
    /// # Errors
    /// [`DataDiskError::NoRoom`], or what failed. The original is untouched.
    fn copy(&self, _passphrase: &SecretText, _allowed: u64, _progress: &dyn Fn(u16)) -> Result<(), DataDiskError> {
        Err(DataDiskError::State(DiskState::Missing))
    }

    /// Opens the copy in the place of the original, to be compared; [`Self::close`] closes it.
    ///
    /// # Errors
    /// [`DataDiskError`]; then it is closed.
    fn open_copy(&self, _passphrase: &SecretText) -> Result<(), DataDiskError> {
        Err(DataDiskError::State(DiskState::Missing))
    }

    /// Makes the copy the data disk and marks the original as moved. A hub that starts then finds the copy.
    ///
    /// # Errors
    /// [`DataDiskError`]; then the original is the data disk.
    fn finish_move(&self) -> Result<(), DataDiskError> {
        Err(DataDiskError::State(DiskState::Missing))
    }

    /// Removes the owner's file of records from the system's card, where it lies in the clear. To be called when it was
    /// taken in. Does nothing where there is none, or no card.
    ///
    /// # Errors
    /// [`DataDiskError`] if it may still be there.
    fn forget_import(&self) -> Result<(), DataDiskError> {
        Ok(())
    }

    /// Takes the key to the cloud out of the owner's `hub-setup.toml`. To be called when the vault has it. Does nothing where
    /// there is none.
    ///
    /// # Errors
    /// [`DataDiskError`] if it may still be there.
    fn forget_cloud_key(&self, file: &std::path::Path) -> Result<(), DataDiskError> {
        Ok(crate::setup_file::forget_cloud_key(file)?)
    }

    /// Opens and mounts the part for the records. Does nothing if it is open.
    ///
    /// # Errors
    /// [`DataDiskError`]; then it is closed.
    fn open(&self, passphrase: &SecretText) -> Result<(), DataDiskError>;

    /// Mends the file system of the closed records as far as it can be mended. To be called when [`Self::open`] found it
    /// [`DataDiskError::Damaged`] and a person wants it: what can't be saved is lost then. The records stay closed.
    /// `progress` is told how far it has come, of 1,000.
    ///
    /// # Errors
    /// [`DataDiskError::Damaged`] if it can't be mended; else what failed.
    fn repair(&self, _passphrase: &SecretText, _progress: &dyn Fn(u16)) -> Result<(), DataDiskError> {
        Err(DataDiskError::Damaged)
    }

    /// Has `new` open the part for the records too, which `present` opens; it may be open. Does nothing where it does so
    /// already, or where there is no disk of the hub's own.
    ///
    /// # Errors
    /// [`DataDiskError::Passphrase`], or what failed; `present` opens it as before.
    fn add_key(&self, _present: &SecretText, _new: &SecretText) -> Result<(), DataDiskError> {
        Ok(())
    }

    /// Has nothing but `passphrase` open the part for the records.
    ///
    /// # Errors
    /// [`DataDiskError::Passphrase`] if it does not open it, or what failed.
    fn keep_key(&self, _passphrase: &SecretText) -> Result<(), DataDiskError> {
        Ok(())
    }

    /// Has [`Self::add_key`] or [`Self::keep_key`], where one is under way in another thread, come to its end at once, by
    /// [`DataDiskError::Stopped`]: what it has done until then opens the part for the records as before, and it can be begun
    /// again. Does not wait for that. To be called again where one may have been about to begin.
    fn break_off(&self) {}

    /// Unmounts and closes the part for the records, and with that wipes its key. Does nothing if it is closed.
    ///
    /// # Errors
    /// [`DataDiskError`] if it is still in use.
    fn close(&self) -> Result<(), DataDiskError>;
}

/// No disk of its own: the data lies in a folder of a system that looks after itself, as on a desk.
#[derive(Clone, Copy, Debug, Default)]
pub struct Folder;

impl DataDisk for Folder {
    fn state(&self) -> Result<DiskState, DataDiskError> {
        Ok(DiskState::Open)
    }

    fn format(
        &self,
        _passphrase: &SecretText,
        _allowed: Option<u64>,
        _progress: &dyn Fn(u16),
    ) -> Result<(), DataDiskError> {
        Ok(())
    }

    fn open(&self, _passphrase: &SecretText) -> Result<(), DataDiskError> {
        Ok(())
    }

    fn close(&self) -> Result<(), DataDiskError> {
        Ok(())
    }
}
