//! How much phones may send: the promises of the protocol ("Sync") in numbers.

const MIB: usize = 1024 * 1024;

/// Rows of one push: more than a busy clinic makes in a month, few enough to be read into memory.
pub(super) const MAX_ROWS: usize = 50_000;
/// Different tables of one push: newer apps bring some, nobody hundreds.
pub(super) const MAX_TABLES: usize = 256;
/// Bytes of a row.
pub(super) const MAX_ROW: usize = MIB;
/// Bytes of a patient with a photo.
pub(super) const MAX_ROW_WITH_PHOTO: usize = 8 * MIB;
/// Bytes of the rows that are held of one device, so that nobody fills the disk with what nobody looks at.
pub(super) const MAX_HELD: u64 = 64 * MIB as u64;
/// Bytes that one device writes in a day, with what the history grows by.
pub(super) const MAX_A_DAY: u64 = 512 * MIB as u64;
