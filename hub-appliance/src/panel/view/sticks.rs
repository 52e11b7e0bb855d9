//! How it is with USB sticks: records carried by hand, and backups.

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
    pub(in crate::panel) const fn is_at_work(self) -> bool {
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
    pub(in crate::panel) fn trouble(&self) -> Option<BackupTrouble> {
        match self.minutes_ago {
            _ if self.is_failing => Some(BackupTrouble::Failing),
            None => Some(BackupTrouble::NeverMade),
            Some(minutes) => (minutes >= Self::OLD).then_some(BackupTrouble::Old),
        }
    }
}

/// What is the matter with the backups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::panel) enum BackupTrouble {
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
    /// What it calls itself. Comes from outside; drawn as the name of a [`PairedPhone`](super::PairedPhone).
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// Says which stick an answer is about.
    pub token: u64,
}

impl UsbTrouble {
    /// What a person reads out over a telephone, as that of a [`Fault`](super::Fault); none of what a look at the box tells.
    pub(in crate::panel) const fn code(self) -> &'static str {
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
