//! What there is to see of a hub that serves.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use super::{
    BackupStatus, CloudStatus, Errand, ErrandStep, News, PairedPhone, PairingStatus, Phone, PinChange, Room, UsbStatus,
    Ways,
};

/// What an open hub has to say of itself.
#[derive(Clone, Debug, Default)]
pub struct OpenStatus {
    /// Where phones reach the hub; none without a network.
    pub address: Option<SocketAddrV4>,
    /// The address that some paired phones still know, if it is another than now.
    pub previous_address: Option<Ipv4Addr>,
    /// Different phones that called in the last 24 hours.
    pub phones_in_24_h: u32,
    /// Rows that phones sent and the hub could not take; none where the store does not tell.
    pub held_rows: Option<u32>,
    /// The oldest of them.
    pub held: Arc<[HeldRow]>,
    /// What the hub takes the time to be, epoch ms.
    pub time_ms: i64,
    /// Where that comes from.
    pub clock: Clock,
    /// How full the data disk is, 0 to 100; none where it does not tell.
    pub disk_used_percent: Option<u8>,
    /// Whether it is so full that the hub takes no more records.
    pub disk_is_full: bool,
    /// How the board is supplied.
    pub supply: Supply,
    /// Set while new phones may pair.
    pub pairing: Option<PairingStatus>,
    /// A phone that paired, until a person (or the time-out) kept or undid it.
    pub paired: Option<PairedPhone>,
    /// What a person has to be told of phones, until they have seen it.
    pub news: Option<News>,
    /// Every phone that the hub knows, in the order of pairing.
    pub phones: Arc<[Phone]>,
    /// Set while a person changes the PIN.
    pub pin_change: Option<PinChange>,
    /// Set while a person is about something else that takes the PIN.
    pub errand: Option<(Errand, ErrandStep)>,
    /// How it is unlocked.
    pub ways: Ways,
    /// Whether there is nobody yet who could log in.
    pub has_no_staff: bool,
    /// How it is with emergency access; none where there was none, or a person has seen who read by it.
    pub emergency: Option<EmergencyStatus>,
    /// How it is with the cloud.
    pub cloud: CloudStatus,
    /// How it is with the backups.
    pub backup: BackupStatus,
    /// What a person has to know of the master key.
    pub key_change: Option<KeyChange>,
    /// The owner's file names another cloud, or another key: a person has to allow it first. The cloud's host.
    pub other_cloud: Option<String>,
    /// How it is with what is carried by hand.
    pub usb: UsbStatus,
    /// The owner's file names another office to carry records to: a person has to allow it first. How its key ends.
    pub other_office: Option<String>,
    /// The owner's file names another organisation that can open the backups: a person has to allow it first. How its key ends.
    pub other_organisation: Option<String>,
    /// The disk was opened by the key of another box before, and could be by that of this one.
    pub offers_box: bool,
    /// The cloud has taken a clinic away from the hub: a person has to allow that its records go.
    pub withdrawn: Option<WithdrawnClinic>,
}

/// A clinic that is not the hub's any more, and all of whose records the cloud has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WithdrawnClinic {
    /// Its name. Comes from outside; drawn as the name of a [`PairedPhone`].
    pub name: String,
    /// How many patients go with it.
    pub patients: u32,
}

/// Where the time of day comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clock {
    /// From nowhere.
    #[default]
    NotSet,
    /// From a person.
    ByHand,
    /// From the network or a clock chip.
    Right,
}

/// How the board is supplied, the worst of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Supply {
    /// As it should be, as far as that is known.
    #[default]
    Good,
    /// It gets too little power.
    Weak,
    /// It is so hot that it slows down.
    Hot,
}

/// How it is with emergency access.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EmergencyStatus {
    /// Staff may read any record.
    Open {
        /// Seconds until it ends.
        seconds_left: u32,
    },
    /// It is over: who read by it, most first.
    Over(Arc<[EmergencyReader]>),
}

/// Who read records by emergency access.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmergencyReader {
    /// The user's name; drawn as that of a [`PairedPhone`].
    pub name: String,
    /// How many calls showed records.
    pub calls: u32,
}

/// Something that a phone sent and the hub could not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldRow {
    /// What it is.
    pub kind: RecordKind,
    /// Why it was not taken.
    pub reason: HeldReason,
    /// Who sent it, by name; drawn as that of a [`PairedPhone`].
    pub user: Option<String>,
    /// The hub's number for the phone that sent it.
    pub phone: u32,
    /// Whole minutes since it came.
    pub minutes_ago: u32,
}

/// What a record is, in a nurse's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// A patient, or what is known of one beside the name.
    Patient,
    /// A visit.
    Visit,
    /// A form that was filled in.
    Form,
    /// Vital signs.
    Vitals,
    /// A diagnosis.
    Problem,
    /// An appointment.
    Appointment,
    /// A prescription, or a medicine in one.
    Prescription,
    /// A medicine that was handed out.
    Dispensed,
    /// Something else.
    Other,
}

/// Why a record was not taken, in a nurse's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldReason {
    /// Its user may not write it.
    NoRight,
    /// What it belongs to is not there, or was deleted.
    BelongsToNothing,
    /// The hub can't read it.
    Unreadable,
}

/// What a person has to know of the master key, of which nobody has to know that there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyChange {
    /// Another one is being put in its place, so far in permille: until then an older copy of the keys opens the records.
    AtWork(u16),
    /// That waits for a new recovery code.
    NeedsCode,
    /// The disk has no room for the records a second time, which it takes.
    NoRoom,
    /// It did not work for another reason, and is tried again.
    Failed,
}

impl OpenStatus {
    /// Whole minutes for which emergency access is still open, and the one that has begun.
    pub(in crate::panel) fn emergency_minutes(&self) -> Option<u32> {
        match self.emergency {
            Some(EmergencyStatus::Open { seconds_left }) => Some(seconds_left.div_ceil(60)),
            _ => None,
        }
    }

    /// Who read by emergency access that is over and that nobody has seen yet.
    pub(in crate::panel) fn emergency_readers(&self) -> Option<&[EmergencyReader]> {
        match &self.emergency {
            Some(EmergencyStatus::Over(readers)) => Some(readers),
            _ => None,
        }
    }

    /// Whether somebody has to look at the panel: phones are not served as they should be, or records wait for a person.
    pub(super) fn needs_help(&self) -> bool {
        let is_bad = |news: News| {
            matches!(
                news,
                News::Damaged
                    | News::Repaired
                    | News::LogBroken
                    | News::NoRoomForKeys
                    | News::KeysNotChanged
                    | News::NotTakenOver
            )
        };
        self.address.is_none()
            || self.held_rows.is_some_and(|held| held > 0)
            || self.cloud.held > 0
            || self.room() == Room::None
            || self.supply != Supply::Good
            || self.other_cloud.is_some()
            || self.other_office.is_some()
            || self.other_organisation.is_some()
            || self.withdrawn.is_some()
            || self.news.is_some_and(is_bad)
    }

    /// Whether the hub is at work on what a person asked for behind the PIN.
    pub(in crate::panel) fn is_at_work(&self) -> bool {
        self.pin_change.is_some_and(PinChange::is_at_work)
            || self.errand.as_ref().is_some_and(|(_, step)| step.is_at_work())
    }

    /// The part of the disk, in percent, from which on a person is told, long before it is full.
    const NEARLY_FULL: u8 = 90;

    /// How much room the disk has.
    pub(in crate::panel) fn room(&self) -> Room {
        if self.disk_is_full {
            Room::None
        } else if self
            .disk_used_percent
            .is_some_and(|percent| percent >= Self::NEARLY_FULL)
        {
            Room::Little
        } else {
            Room::Enough
        }
    }
}
