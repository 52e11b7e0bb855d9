//! Phones: those that are paired, and what comes of pairing one.

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
    /// What a person agreed to could not be taken over: another cloud, another office, another organisation's key.
    NotTakenOver,
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
