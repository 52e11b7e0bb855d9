//! What a person asked for that needs the PIN, as far as it has come.

use std::time::Duration;

use super::{Question, RecoveryCode, Unlocking};

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
    /// Makes the stick of this token, as in [`OfferedStick`](super::OfferedStick), the one for backups.
    BackupStick(u64),
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
        /// Which two groups are to be typed back, as in [`Phase::Confirming`](super::Phase::Confirming).
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
    pub(in crate::panel) const fn is_at_work(&self) -> bool {
        matches!(self, Self::Checking | Self::AtWork)
    }
}
