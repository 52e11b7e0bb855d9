//! The view model: all that the panel may know of the hub. It holds no patient's data, so no screen can show any.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::pin_pad::{PIN_ALONE, PIN_WITH_KEY};
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

/// What a locked hub misses that it was to be opened by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lacks {
    /// Nothing, as far as that is known.
    #[default]
    Nothing,
    /// The stick with the key; without it the PIN is worth nothing.
    Stick,
    /// The box that the disk belongs to, whose key is another's; without it the PIN is worth nothing.
    Box,
    /// The key of the box, which has none or does not answer; without it the PIN is worth nothing.
    BoxKey,
    /// The box in which the disk would open by itself; in this one somebody has to.
    BoxAlone,
}

impl Lacks {
    /// Whether a PIN is not tried, for it could not be enough.
    pub(super) const fn makes_pin_useless(self) -> bool {
        matches!(self, Self::Stick | Self::Box | Self::BoxKey)
    }
}

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

/// How it is with what is carried by hand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsbStatus {
    /// What is being done, or was done last.
    pub standing: UsbStanding,
    /// Rows that no cloud is known to have.
    pub waiting: u32,
    /// What the office compares when it gets the hub's first bundle.
    pub fingerprint: String,
}

/// What is being done about what is carried by hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UsbStanding {
    /// Nobody has named an office.
    #[default]
    NeverSetUp,
    /// Nothing was done since the hub opened.
    Idle,
    /// What the office sent is taken in.
    Taking,
    /// So many rows are on the stick.
    Packing(u32),
    /// A bundle is on the stick.
    Done {
        /// Its number.
        number: u32,
        /// Rows in it.
        rows: u32,
        /// Rows of before that are known to have arrived.
        arrived: u32,
    },
    /// It did not work.
    Trouble(UsbTrouble),
}

impl UsbStanding {
    /// Whether the stick must not be taken out.
    pub(super) const fn is_at_work(self) -> bool {
        matches!(self, Self::Taking | Self::Packing(_))
    }
}

/// What stood in the way of carrying records by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsbTrouble {
    /// There is no stick, but for those with backups or a key.
    NoStick,
    /// There are several.
    SeveralSticks,
    /// The stick can't be read or written.
    StickFailed,
    /// There is no room on it.
    StickFull,
    /// The answer is not as it was sent. What is to be sent was written all the same; so with the next four.
    AnswerDamaged,
    /// The answer is not of the office that the owner named.
    OtherOffice,
    /// The answer is another hub's.
    AnotherHub,
    /// There is something that the hub does not know between what it has and the answer.
    Gap,
    /// The answer is of another cloud than the hub calls.
    OtherCloud,
    /// Something else failed.
    Failed,
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

/// How it is with the backups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackupStatus {
    /// What is being done about them.
    pub standing: BackupStanding,
    /// Whole minutes since all that there was came onto the stick; none where there was no backup yet.
    pub minutes_ago: Option<u32>,
    /// Whether the last that was to come onto a stick did not: it is full, or can't be written.
    pub is_failing: bool,
    /// A stick that a person can make the one for backups.
    pub offered: Option<Box<OfferedStick>>,
}

impl BackupStatus {
    /// Minutes after which a backup is so old that a person is told: a week.
    const OLD: u32 = 7 * 24 * 60;

    /// What somebody has to see to, if anything.
    pub(super) fn trouble(&self) -> Option<BackupTrouble> {
        match self.minutes_ago {
            _ if self.is_failing => Some(BackupTrouble::Failing),
            None => Some(BackupTrouble::NeverMade),
            Some(minutes) => (minutes >= Self::OLD).then_some(BackupTrouble::Old),
        }
    }
}

/// What is the matter with the backups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BackupTrouble {
    /// The stick is full, or can't be written.
    Failing,
    /// There is none.
    NeverMade,
    /// The newest one is old.
    Old,
}

/// What is being done about the backups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BackupStanding {
    /// The backup stick is not in.
    #[default]
    Away,
    /// All is on the stick, and what is written next goes after it.
    Following,
    /// Everything is being copied: so many of 1,000.
    Copying(u16),
    /// The stick is full.
    Full,
    /// It did not work and is tried again.
    Failed,
    /// Nothing is begun while the board gets too little power, or is too hot.
    WeakPower,
    /// The stick is another hub's.
    AnotherHubs,
    /// There are no files on the stick that can be read.
    Unreadable,
}

/// A stick that could be the one for backups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedStick {
    /// What it calls itself. Comes from outside; drawn as the name of a [`PairedPhone`].
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// Says which stick an answer is about.
    pub token: u64,
}

/// How it is with the cloud.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CloudStatus {
    /// What the relay is doing.
    pub standing: CloudStanding,
    /// Rows that are on their way.
    pub waiting: u32,
    /// Rows that can't go.
    pub held: u32,
}

/// What the relay to the cloud is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CloudStanding {
    /// Nobody has named a cloud.
    #[default]
    NeverSetUp,
    /// It waits for a network.
    NoNetwork,
    /// It has not come to the end of a run yet.
    Waiting,
    /// It came to the end of a run so many minutes ago.
    Done(u32),
    /// It asks the cloud, or takes in what that sent.
    Receiving,
    /// It has sent so many of so many rows.
    Sending(u32, u32),
    /// The cloud refuses the key.
    Refused,
    /// The organisation has stopped this hub.
    Inactive,
    /// The cloud gave the hub no clinic.
    NoClinic,
    /// The time of day is not known.
    NoClock,
    /// It did not work and is tried again.
    Failed,
    /// Address or certificate make no sense.
    Settings,
}

/// What a person does at an open hub that takes the PIN, beside changing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand {
    /// Takes in a file of staff.
    Staff,
    /// Makes a new recovery code.
    NewCode,
    /// Changes how the hub is unlocked.
    Unlocking(Unlocking),
    /// Lets staff read any record for a while.
    Emergency,
    /// Sets the clock by hand.
    Clock,
    /// Moves the records to a larger disk.
    LargerDisk,
    /// Makes the stick of this token, as in [`OfferedStick`], the one for backups.
    BackupStick(u64),
}

/// What a person has chosen of a hub that is set up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetUp {
    /// How it is to be unlocked.
    pub unlocking: Unlocking,
    /// Why it can't be unlocked as was chosen last.
    pub trouble: Option<ErrandEnd>,
    /// Whether the box has a key of its own, or can get one.
    pub box_has_key: bool,
}

impl SetUp {
    /// As many digits its PIN has at least.
    #[must_use]
    pub const fn fewest_digits(&self) -> usize {
        match self.unlocking {
            Unlocking::PinAndStick | Unlocking::PinAndBox => PIN_WITH_KEY,
            Unlocking::Pin | Unlocking::Stick | Unlocking::NoStick | Unlocking::Box | Unlocking::NoBox => PIN_ALONE,
        }
    }

    /// How many ways there are to choose from, the first of [`Ways::ALL`].
    pub(super) const fn offered(&self) -> usize {
        if self.box_has_key {
            Ways::COUNT
        } else {
            Ways::WITHOUT_BOX
        }
    }
}

/// How the hub is to be unlocked from now on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unlocking {
    /// By the PIN, without a stick.
    #[default]
    Pin,
    /// By the PIN, with the stick in.
    PinAndStick,
    /// By the stick too, without a person.
    Stick,
    /// By the stick alone no more.
    NoStick,
    /// By the PIN, in this box only.
    PinAndBox,
    /// In this box too, without a person.
    Box,
    /// By the box alone no more.
    NoBox,
}

/// How the hub is unlocked: by the PIN, and by what else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ways {
    /// The PIN is good only with the stick in.
    pub pin_and_stick: bool,
    /// The stick is enough.
    pub stick: bool,
    /// The PIN is good only in this box.
    pub pin_and_box: bool,
    /// The box is enough.
    pub in_box: bool,
    /// Whether the box has a key of its own, or can get one.
    pub box_has_key: bool,
}

impl Ways {
    /// As many digits a PIN has at least: fewer are enough where it is good only with the stick in, or in this box.
    #[must_use]
    pub const fn fewest_digits(self) -> usize {
        if self.pin_and_stick || self.pin_and_box {
            PIN_WITH_KEY
        } else {
            PIN_ALONE
        }
    }

    /// How many ways there are to choose from.
    pub(super) const COUNT: usize = 5;
    /// They, by their places.
    pub(super) const ALL: [Unlocking; Self::COUNT] = [
        Unlocking::Pin,
        Unlocking::PinAndStick,
        Unlocking::Stick,
        Unlocking::PinAndBox,
        Unlocking::Box,
    ];
    /// How many of them, from the first, take nothing of the box.
    const WITHOUT_BOX: usize = 3;

    /// Whether the way at this place (the PIN alone, PIN and stick, the stick alone, PIN and box, the box alone) opens the hub.
    pub(super) const fn has(self, at: usize) -> bool {
        match at {
            0 => !self.pin_and_stick && !self.pin_and_box,
            1 => self.pin_and_stick,
            2 => self.stick,
            3 => self.pin_and_box,
            _ => self.in_box,
        }
    }

    /// What a person can wish for of the way at this place. A PIN there always is.
    pub(super) const fn wish(self, at: usize) -> Option<Unlocking> {
        match (at, self.has(at)) {
            (0, false) => Some(Unlocking::Pin),
            (1, false) => Some(Unlocking::PinAndStick),
            (2, false) => Some(Unlocking::Stick),
            (2, true) => Some(Unlocking::NoStick),
            (3, false) if self.box_has_key => Some(Unlocking::PinAndBox),
            (4, false) if self.box_has_key => Some(Unlocking::Box),
            (4, true) => Some(Unlocking::NoBox),
            _ => None,
        }
    }

    /// Whether the way at this place can't be chosen, for the box has no key.
    pub(super) const fn lacks_key(self, at: usize) -> bool {
        at >= 3 && !self.has(at) && !self.box_has_key
    }
}

/// How far an errand has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrandStep {
    /// Asks for the PIN: whoever walks up to an open hub must not be able to do it.
    Ask {
        /// Time until the next PIN may be tried; zero if it may be now.
        wait: Duration,
        /// Wrong PINs that can still be typed before there is a wait.
        tries_left: u32,
    },
    /// The PIN is being tried.
    Checking,
    /// The hub looks for what it needs, or writes.
    AtWork,
    /// What the file of staff would change; a person decides.
    Staff(StaffFigures),
    /// The new recovery code is to be written down.
    Code {
        /// The code to show.
        code: RecoveryCode,
        /// Which two groups are to be typed back, as in [`Phase::Confirming`].
        ask: [usize; 2],
    },
    /// The date and time are to be set, from what the hub takes the time to be, epoch ms.
    Clock(i64),
    /// A person has to decide this.
    Decide(Question),
    /// It is over.
    Ended(ErrandEnd),
}

/// What a file of staff would change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StaffFigures {
    /// New users.
    pub joins: u32,
    /// Users who are to be users no more.
    pub leaves: u32,
    /// New passwords.
    pub passwords: u32,
    /// Users of whom something else changes.
    pub others: u32,
    /// Rows that are about something else than staff.
    pub rows: u32,
}

/// How an errand ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrandEnd {
    /// The staff are as in the file, and the file is gone.
    StaffTaken,
    /// The same, but the file is still where it was, readable by anybody.
    StaffFileLeft,
    /// The same, and two users have one e-mail address.
    SameEmail {
        /// Their names.
        names: [String; 2],
    },
    /// There is no file of staff.
    NoStaffFile,
    /// There is more than one: only a person knows which counts.
    SeveralStaffFiles,
    /// It has a mistake, and nothing of it was taken in.
    StaffMistake {
        /// Its line, from 1; none where the file can't be read at all.
        line: Option<usize>,
    },
    /// There is nothing new in it.
    StaffUnchanged,
    /// The staff are the cloud's, which would not know of it.
    StaffOfCloud,
    /// Only the new recovery code is good.
    CodeRenewed,
    /// The hub is unlocked so from now on.
    Unlocking(Unlocking),
    /// There is no stick, or none with files.
    NoStick,
    /// There are several sticks.
    SeveralSticks,
    /// The stick has a file of the key's name that is no key.
    OtherKeyFile,
    /// The stick can't be read or written.
    StickFailed,
    /// The PIN is too short to be all that is asked for; it stays with the stick.
    PinTooShort,
    /// The key of the box does not answer as it should.
    BoxFailed,
    /// Staff may read any record for half an hour.
    EmergencyOpen,
    /// There is no other disk that the records could be moved to.
    NoLargerDisk,
    /// The clock was set.
    ClockSet,
    /// The clock knows the time without a person.
    ClockKnown,
    /// The clock was not set: the hub has seen that time before.
    ClockBack,
    /// The stick is the one for backups from now on.
    BackupStick,
    /// It was not done; all is as it was.
    Failed,
}

impl ErrandStep {
    pub(super) const fn is_at_work(&self) -> bool {
        matches!(self, Self::Checking | Self::AtWork)
    }
}

impl OpenStatus {
    /// Whole minutes for which emergency access is still open, and the one that has begun.
    pub(super) fn emergency_minutes(&self) -> Option<u32> {
        match self.emergency {
            Some(EmergencyStatus::Open { seconds_left }) => Some(seconds_left.div_ceil(60)),
            _ => None,
        }
    }

    /// Who read by emergency access that is over and that nobody has seen yet.
    pub(super) fn emergency_readers(&self) -> Option<&[EmergencyReader]> {
        match &self.emergency {
            Some(EmergencyStatus::Over(readers)) => Some(readers),
            _ => None,
        }
    }

    /// Whether somebody has to look at the panel: phones are not served as they should be, or records wait for a person.
    fn needs_help(&self) -> bool {
        let is_bad = |news: News| {
            matches!(
                news,
                News::Damaged | News::Repaired | News::LogBroken | News::NoRoomForKeys | News::KeysNotChanged
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
    pub(super) fn is_at_work(&self) -> bool {
        self.pin_change.is_some_and(PinChange::is_at_work)
            || self.errand.as_ref().is_some_and(|(_, step)| step.is_at_work())
    }

    /// The part of the disk, in percent, from which on a person is told, long before it is full.
    const NEARLY_FULL: u8 = 90;

    /// How much room the disk has.
    pub(super) fn room(&self) -> Room {
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

/// A phone that the hub knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phone {
    /// The hub's number for it.
    pub number: u32,
    /// What the phone calls itself; drawn as that of a [`PairedPhone`].
    pub name: Option<String>,
    /// Whole minutes since the hub last heard of it.
    pub seen_minutes_ago: u32,
    /// Whether it works.
    pub standing: PhoneStanding,
}

/// Whether a phone works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhoneStanding {
    /// It may call, and gets on.
    Good,
    /// It asks for the same records again and again, and does not get on.
    Stuck,
    /// It has sent, or has among the held rows, all that one phone may.
    Full,
    /// It got more from the hub before that was restored from a backup than the backup has, and has not sent it yet.
    Ahead,
    /// A person revoked it: it is refused.
    Revoked,
}

/// How far a change of the PIN has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinChange {
    /// Asks for the present PIN: whoever walks up to an open hub must not be able to change it.
    Ask {
        /// Time until the next PIN may be tried; zero if it may be now.
        wait: Duration,
        /// Wrong PINs in a row.
        failures: u32,
        /// Wrong PINs that can still be typed before there is a wait.
        tries_left: u32,
    },
    /// The present PIN is being tried.
    Checking,
    /// It was right: asks for the new one.
    Choose,
    /// The new one is being written.
    Changing,
    /// Done; only the new PIN is good.
    Changed,
    /// Not done; the old PIN is still good.
    Failed,
}

impl PinChange {
    pub(super) const fn is_at_work(self) -> bool {
        matches!(self, Self::Checking | Self::Changing)
    }
}

/// Pairing while it is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PairingStatus {
    /// Seconds until it closes.
    pub seconds_left: u32,
    /// Whether it stays open after the next phone and past its time.
    pub keep_open: bool,
}

/// A phone that has just paired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairedPhone {
    /// The hub's number for it; says which phone an answer is about.
    pub number: u32,
    /// What the phone calls itself. Comes from outside: only printable ASCII of it is drawn, and no more than fits.
    pub name: Option<String>,
}

/// What a person has to be told of phones: something did not come about, or came to an end by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// A phone could not be paired.
    NotPaired(Obstacle),
    /// A phone was refused by a person, and will not be any more after the hub has locked: it could not be written down.
    RefusedForNow(Obstacle),
    /// Pairing that a person kept open was closed, because it had been open long enough.
    PairingEnded,
    /// There are records that can't be read any more; the others are served.
    Damaged,
    /// The disk was repaired, and what could not be saved is lost.
    Repaired,
    /// The audit log is not whole: entries were changed, or are missing.
    LogBroken,
    /// The disk is too full for another master key: an older copy of the keys still opens the records.
    NoRoomForKeys,
    /// Another master key did not take the place of the present one for another reason, with the same outcome.
    KeysNotChanged,
    /// All records that asked for help were taken.
    AllTaken,
    /// Some records that asked for help still do.
    SomeLeft,
    /// The hub was restored from a backup: the one before it must not run again.
    Restored,
}

/// What stood in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The data disk is full.
    DiskFull,
    /// The hub knows as many phones as it can.
    TooManyPhones,
    /// The data disk or the store did not take it.
    NotWritten,
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

/// What a person has to decide. Left alone, nothing is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// There is a disk with nothing on it: are the records to be kept there?
    NewDisk {
        /// What the disk calls itself. Comes from outside; drawn as the name of a [`PairedPhone`].
        name: String,
        /// Its size.
        bytes: u64,
    },
    /// The only disk that could hold the records is not empty: is all of it to be erased?
    EraseDisk {
        /// What the disk calls itself. Comes from outside; drawn as the name of a [`PairedPhone`].
        name: String,
        /// Its size.
        bytes: u64,
    },
    /// The disk with the records is not plugged in: does a person want to go on without it?
    DiskAway,
    /// Is a new, empty hub to be begun beside it?
    BeginAnew,
    /// There are several data disks: is this the one that is to be used? After a no the next is asked about. Nothing is
    /// changed on any of them by that.
    WhichDisk(KnownDisk),
    /// There is no disk for the records: are they to be kept on the memory card?
    UseCard {
        /// What is free there.
        bytes: u64,
    },
    /// The records are on an old card in a reader: are they to be moved to where this hub keeps its own?
    MoveData {
        /// The size of the old card.
        bytes: u64,
    },
    /// Are the records to be moved to a larger disk? Phones have to wait meanwhile.
    LargerDisk,
    /// Moving the records to another disk was cut short: is that to go on?
    GoOnMoving,
    /// The file system that the records are in has faults that are not mended without a person: is it to be repaired, though
    /// what can't be saved is lost then?
    Repair,
    /// The owner's file names another cloud, or another key to it: are the records to go there from now on?
    OtherCloud {
        /// The cloud's host. Comes from outside; drawn as the name of a [`PairedPhone`].
        host: String,
    },
    /// The owner's file names another office to carry records to: are they for that one from now on?
    OtherOffice {
        /// How the office's key ends.
        ending: String,
    },
    /// Is the box to get a key of its own, which stays in it for ever? Asked twice.
    BoxKey {
        /// Whether it is the second time.
        again: bool,
    },
    /// The disk was opened by the key of another box: is it to be by that of this one?
    NewBox,
    /// The cloud has taken a clinic away from this hub, and has all of its records: are they to be deleted here?
    Withdrawn {
        /// The clinic's name. Comes from outside; drawn as the name of a [`PairedPhone`].
        clinic: String,
        /// How many patients go with it.
        patients: u32,
    },
    /// The owner's file names another organisation that can open the backups: is it to be that one from now on?
    OtherOrganisation {
        /// How its key ends.
        ending: String,
    },
    /// There is no hub yet, and a stick with backups is in: is this one of them to be restored?
    Restore {
        /// When it was made, epoch ms, as it says itself.
        made_at: i64,
    },
    /// The records did not open after this firmware had migrated them: is the copy from before to be put back?
    PutBack {
        /// The version of the firmware that wrote the copy.
        firmware: String,
    },
}

/// One of several data disks, as it is told from the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownDisk {
    /// Which of how many it is, from 1.
    pub place: (u32, u32),
    /// What its hub is called. Comes from outside; drawn as the name of a [`PairedPhone`].
    pub hub: Option<String>,
    /// How many phones its hub knows.
    pub phones: Option<u32>,
    /// When it was used last, epoch ms.
    pub used_at: Option<i64>,
    /// Whether it is the memory card that the box runs from.
    pub is_card: bool,
    /// Its size.
    pub bytes: u64,
}

/// What stopped the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The key slots can't be read or make no sense.
    Keys,
    /// The store does not open.
    Store,
    /// The store was written by newer firmware.
    NewerStore {
        /// The version that is needed.
        needs: String,
    },
    /// The copy from before an update was put back, which an older firmware has to open.
    WasPutBack {
        /// The version that is needed.
        needs: String,
    },
    /// The data disk can't be written.
    Disk,
    /// The data disk does not mount, or there is only a part of it; nothing was changed.
    Damaged,
    /// A disk can't be read.
    Unreadable,
    /// The data disk has a lock, which is on.
    WriteProtected,
    /// The records were moved from this card to another disk.
    Moved,
    /// The card that the system runs from holds records that are not in its table any more.
    OldRecords,
    /// The data disk has not even the room that a hub needs that takes no more records.
    DiskFull,
    /// The data disk failed to read or write while the hub was open; the hub has locked itself.
    DiskFailed,
    /// The data disk has too little room for what this firmware makes of the records; nothing was changed.
    NoRoomToUpdate,
    /// The records do not fit where they are to be moved to; nothing was moved.
    NoRoom,
    /// The records could not be moved; they are where they were.
    NotMoved,
    /// There is no data disk, and nothing that could become one.
    NoDisk,
    /// The disk loses what is written to a part of the room that it claims: it was not taken.
    FakeDisk,
    /// There are two data disks or more: none is touched.
    SeveralDisks,
    /// There is only a disk that a person did not want to be erased.
    DiskKept,
    /// The data disk was pulled out; the hub has locked itself.
    DiskGone,
    /// The card that the system runs from was pulled out; the hub has locked itself.
    CardGone,
    /// The board gets too little power, or is too hot, for what was to be begun; nothing was changed.
    WeakPower,
    /// The card was made for another board than this.
    WrongBoard,
    /// The port for the phones is taken or not allowed.
    Port,
    /// The hub failed several times in short order and stays locked.
    Restarts,
    /// A failure inside the hub.
    Internal,
    /// A backup that was to be restored can't be read, or is not what a hub wrote; nothing was taken from it.
    Backup {
        /// The file at fault, if it is one.
        file: Option<String>,
    },
}

impl Fault {
    /// What a person reads out over a telephone; the README has a table of them. A number is never given to another fault.
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::Keys => "P01",
            Self::Store => "P02",
            Self::NewerStore { .. } => "P03",
            Self::WasPutBack { .. } => "P04",
            Self::Disk => "P05",
            Self::Damaged => "P06",
            Self::Unreadable => "P07",
            Self::WriteProtected => "P08",
            Self::Moved => "P09",
            Self::OldRecords => "P10",
            Self::DiskFull => "P11",
            Self::DiskFailed => "P12",
            Self::NoRoomToUpdate => "P13",
            Self::NoRoom => "P14",
            Self::NotMoved => "P15",
            Self::NoDisk => "P16",
            Self::FakeDisk => "P17",
            Self::SeveralDisks => "P18",
            Self::DiskKept => "P19",
            Self::DiskGone => "P20",
            Self::CardGone => "P21",
            Self::WeakPower => "P22",
            Self::WrongBoard => "P23",
            Self::Port => "P24",
            Self::Restarts => "P25",
            Self::Internal => "P26",
            Self::Backup { .. } => "P27",
        }
    }
}

impl UsbTrouble {
    /// What a person reads out over a telephone, as that of a [`Fault`]; none of what a look at the box tells.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::NoStick | Self::SeveralSticks => "",
            Self::StickFailed => "P41",
            Self::StickFull => "P42",
            Self::AnswerDamaged => "P43",
            Self::OtherOffice => "P44",
            Self::AnotherHub => "P45",
            Self::Gap => "P46",
            Self::OtherCloud => "P47",
            Self::Failed => "P48",
        }
    }
}

/// A recovery code: 8 groups, each a 16-bit number shown as its 11-fold in 6 digits. Wiped when dropped, printed as
/// `[secret]`.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct RecoveryCode([u16; Self::GROUPS]);

impl RecoveryCode {
    /// Groups of a code.
    pub const GROUPS: usize = 8;
    /// Digits of a group.
    pub const GROUP_DIGITS: usize = 6;

    /// A code of these 16-bit numbers, in the order in which it is written down.
    #[must_use]
    pub const fn new(numbers: [u16; Self::GROUPS]) -> Self {
        Self(numbers)
    }

    /// The 16-bit numbers.
    #[must_use]
    pub const fn numbers(&self) -> &[u16; Self::GROUPS] {
        &self.0
    }

    /// Group `index` (0 to 7) as the 6 digits on paper.
    #[must_use]
    pub fn group(&self, index: usize) -> String {
        format!("{:06}", u32::from(self.0[index % Self::GROUPS]) * 11)
    }

    /// Reads one group as it is on paper: exactly 6 digits, a multiple of 11 of at most 65,535 × 11. A group with one
    /// wrong digit or two neighbours swapped is no such number.
    #[must_use]
    pub fn parse_group(digits: &[u8]) -> Option<u16> {
        if digits.len() != Self::GROUP_DIGITS || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let value = digits
            .iter()
            .fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
        if value % 11 == 0 {
            u16::try_from(value / 11).ok()
        } else {
            None
        }
    }
}

impl std::fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn groups_read_back(numbers: [u16; 8], index in 0..8_usize) {
            let code = RecoveryCode::new(numbers);
            prop_assert_eq!(RecoveryCode::parse_group(code.group(index).as_bytes()), Some(numbers[index]));
        }

        #[test]
        fn one_wrong_digit_is_told(number: u16, place in 0..6_usize, by in 1..10_u8) {
            let mut digits = RecoveryCode::new([number; 8]).group(0).into_bytes();
            digits[place] = b'0' + (digits[place] - b'0' + by) % 10;
            prop_assert_eq!(RecoveryCode::parse_group(&digits), None);
        }

        #[test]
        fn other_input_is_refused(digits: Vec<u8>) {
            prop_assume!(digits.len() != 6 || !digits.iter().all(u8::is_ascii_digit));
            prop_assert_eq!(RecoveryCode::parse_group(&digits), None);
        }
    }

    #[test]
    fn largest_group_is_the_largest_number() {
        assert_eq!(RecoveryCode::parse_group(b"720885"), Some(u16::MAX));
        assert_eq!(RecoveryCode::parse_group(b"720896"), None);
        assert_eq!(format!("{:?}", RecoveryCode::new([7; 8])), "[secret]");
    }
}
