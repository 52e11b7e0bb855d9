//! The view model: all that the panel may know of the hub. It holds no patient's data, so no screen can show any.

mod cloud;
mod errands;
mod faults;
mod keys;
mod open;
mod phones;
mod sticks;

pub use cloud::{CloudStanding, CloudStatus};
pub use errands::{Errand, ErrandEnd, ErrandStep, StaffFigures};
pub use faults::{Fault, KnownDisk, Lacks, Question};
pub use keys::{PinChange, RecoveryCode, SetUp, Unlocking, Ways};
pub use open::{
    Clock, EmergencyReader, EmergencyStatus, HeldReason, HeldRow, KeyChange, OpenStatus, RecordKind, Supply,
    WithdrawnClinic,
};
pub use phones::{News, Obstacle, PairedPhone, PairingStatus, Phone, PhoneStanding};
pub use sticks::{BackupStanding, BackupStatus, OfferedStick, UsbStanding, UsbStatus, UsbTrouble};

pub(super) use sticks::BackupTrouble;

use std::time::Duration;

use super::script::Numerals;
use super::strings::Language;

/// What the panel shows, handed in at each change.
#[derive(Clone, Debug)]
pub struct Status {
    /// Where the hub is in its life.
    pub phase: Phase,
    /// Which hub this is.
    pub about: About,
    /// What the panel speaks.
    pub language: Language,
    /// With which digits it writes figures.
    pub numerals: Numerals,
    /// What a person has to be told once, at the start or when the hub opens.
    pub notice: Option<Notice>,
    /// How many of the panel's actions the hub has dealt with. It takes them in the order in which they were given, so
    /// whoever gave the tenth knows from the number when its outcome is in here, also if all that was between passed unseen.
    pub answered: u64,
}

impl Status {
    /// What is told across the room.
    #[must_use]
    pub fn beacon(&self) -> Beacon {
        match &self.phase {
            Phase::Starting | Phase::PoweringOff | Phase::Unplug | Phase::Restarting => Beacon::Dark,
            Phase::Fault(_) | Phase::Asking(_) => Beacon::NeedsHelp,
            Phase::Open(open) if open.needs_help() => Beacon::NeedsHelp,
            Phase::Open(_) => Beacon::Open,
            _ => Beacon::Locked,
        }
    }
}

/// How it is with the hub, in as few words as a light has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beacon {
    /// It is off, or starting.
    Dark,
    /// It serves nobody until somebody types the PIN.
    Locked,
    /// It serves.
    Open,
    /// Somebody has to look at the panel.
    NeedsHelp,
}

impl Beacon {
    /// What it is called where there is no light.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Locked => "locked",
            Self::Open => "open",
            Self::NeedsHelp => "needs-help",
        }
    }
}

/// What a person has to be told once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The owner's setup file has a mistake, so nothing of it is used.
    SetupFile {
        /// Its line, from 1; none where the file can't be read at all.
        line: Option<usize>,
    },
    /// The same of one that had none when the program started, told when the hub has opened.
    SetupFileSince {
        /// Its line, from 1; none where the file can't be read at all.
        line: Option<usize>,
    },
    /// There is more than one setup file, so none of them is used.
    SeveralSetupFiles,
    /// How it is with the owner's file of records, told when the hub has opened.
    ImportFile(ImportFile),
    /// The key to the cloud is still in the owner's setup file, readable by anybody.
    CloudKeyLeft,
    /// A disk can be taken out: the records were moved away from it. What it keeps of them stays locked.
    OldDisk {
        /// How much room it has, by which it is told from the other.
        bytes: u64,
    },
}

impl Notice {
    /// Whether it is told when the hub has opened, not at the start.
    pub(super) const fn is_of_opening(&self) -> bool {
        matches!(
            self,
            Self::SetupFileSince { .. } | Self::ImportFile(_) | Self::CloudKeyLeft
        )
    }
}

/// Why a person has to see after the owner's file of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportFile {
    /// It has a mistake, so nothing of it was taken in.
    Mistake {
        /// Its line, from 1; none where the file can't be read at all.
        line: Option<usize>,
    },
    /// It is still on the card, where anybody can read it.
    StillThere,
    /// There is more than one, so none of them was taken in.
    Several,
    /// It was taken in, and two users have one e-mail address by it.
    SameEmail {
        /// Their names.
        names: [String; 2],
    },
}

/// Where the hub is in its life.
#[derive(Clone, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "a panel has one at a time, and most of the time it is the large one"
)]
pub enum Phase {
    /// Looking for what there is.
    Starting,
    /// Never set up: asks how it is to be unlocked, and for a PIN.
    SetUp(SetUp),
    /// Keys are being made and the store is being created.
    SettingUp,
    /// Set up; the recovery code is to be written down.
    Confirming {
        /// The code to show.
        code: RecoveryCode,
        /// Which two groups (0 to 7, two different ones, by chance) are to be typed back.
        ask: [usize; 2],
    },
    /// Asks for the PIN.
    Locked {
        /// Time until the next PIN may be tried; zero if it may be now.
        wait: Duration,
        /// Wrong PINs in a row.
        failures: u32,
        /// Wrong PINs that can still be typed before there is a wait.
        tries_left: u32,
        /// What is missing that it was to be opened by.
        lacks: Lacks,
        /// As many digits a PIN has at least.
        fewest_digits: usize,
    },
    /// Unlocked by the recovery code: asks for a new PIN, then goes on to `Confirming` a new code.
    Renewing,
    /// A backup is to be restored: asks for the recovery code that the hub had when it was made.
    RestoreCode,
    /// The records are being taken out of a backup.
    RestoringBackup {
        /// How far it has come, of 1,000.
        permille: u16,
    },
    /// A PIN or a recovery code is being tried.
    Unlocking,
    /// Serving.
    Open(OpenStatus),
    /// Closing the store and wiping the keys.
    Locking,
    /// Locked, and about to lose power.
    PoweringOff,
    /// Nothing is written any more: the plug may be pulled.
    Unplug,
    /// Locked, and about to start anew.
    Restarting,
    /// The records are being moved from an old card.
    Moving {
        /// How far it has come, of 1,000.
        permille: u16,
    },
    /// The data disk is being repaired.
    Repairing {
        /// How far it has come, of 1,000.
        permille: u16,
    },
    /// A person has to decide something before the hub goes on.
    Asking(Question),
    /// The data disk is being made.
    Formatting {
        /// How far it has come, of 1,000.
        permille: u16,
    },
    /// Stopped by something that a person has to see.
    Fault(Fault),
}

/// How much room a disk has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// Nobody has to do anything.
    Enough,
    /// A person has to see to it.
    Little,
    /// The hub takes no more records.
    None,
}

/// How an image for development is marked, in every language.
pub(super) const DEVELOPMENT: &str = "DEV";

/// Which hub this is.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// The firmware's version.
    pub version: String,
    /// The revision that its image was built from; none on a desk.
    pub revision: Option<String>,
    /// Whether the image is one for development, which nobody's records are safe in.
    pub is_development: bool,
    /// Whom to call for help, if the owner's file says so: a telephone number.
    pub help: Option<String>,
    /// Who the hub is; none before it was set up and while it is locked.
    pub identity: Option<Identity>,
}

/// Who the hub is.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The hub's id, a UUID in text form.
    pub hub_id: String,
    /// The hub's X25519 public key in base64url without padding, as pairing codes carry it.
    pub key: String,
    /// The first 8 bytes of the SHA-256 of the hub's X25519 public key; shown as 4 groups of 4 hex digits.
    pub fingerprint: [u8; 8],
}
