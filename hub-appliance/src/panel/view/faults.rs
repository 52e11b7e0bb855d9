//! What keeps the hub from serving, and what a person has to decide first.

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
    pub(in crate::panel) const fn makes_pin_useless(self) -> bool {
        matches!(self, Self::Stick | Self::Box | Self::BoxKey)
    }
}

/// What a person has to decide. Left alone, nothing is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// There is a disk with nothing on it: are the records to be kept there?
    NewDisk {
        /// What the disk calls itself. Comes from outside; drawn as the name of a [`PairedPhone`](super::PairedPhone).
        name: String,
        /// Its size.
        bytes: u64,
    },
    /// The only disk that could hold the records is not empty: is all of it to be erased?
    EraseDisk {
        /// What the disk calls itself. Comes from outside; drawn as the name of a [`PairedPhone`](super::PairedPhone).
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
        /// The cloud's host. Comes from outside; drawn as the name of a [`PairedPhone`](super::PairedPhone).
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
        /// The clinic's name. Comes from outside; drawn as the name of a [`PairedPhone`](super::PairedPhone).
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
    /// What its hub is called. Comes from outside; drawn as the name of a [`PairedPhone`](super::PairedPhone).
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
        /// The version that is needed, as far as that is known.
        needs: Option<String>,
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
    pub(in crate::panel) const fn code(&self) -> &'static str {
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
