//! Carrying records by hand, for clinics that are never online: a hub packs what no cloud has acknowledged into a bundle, a
//! courier takes it to the organisation's desk, the desk pushes it with the relay's own code and sends an answer back.
//!
//! | file | what it does |
//! |---|---|
//! | `envelope` | the outside of a bundle: whose, its number, sealed to its receiver, signed |
//! | `contents` | the inside: one JSON record a line |
//! | `places` | where on a stick bundles lie |
//! | `packing` | at the hub: everything that no cloud has acknowledged |
//! | `taking` | at the hub: an answer |
//! | `desk` | at the desk: its keys, and what it knows of each hub |
//! | `parcel` | at the desk: a bundle as an outbox of the relay's push |
//! | `delivering` | at the desk: pull, push what is news, pull again, answer |
//!
//! It promises that a bundle taken twice, late, out of order, damaged, or of another hub does no harm, and that a stick which
//! is lost costs nothing but its way: a row is acknowledged by the cloud showing it, as online, and packed again until then.
//! So each bundle holds all that its hub has to send, and the desk takes none that is older than one it has taken. An answer
//! begins where the hub's own cursor was, so it makes every answer before it needless.

mod contents;
mod delivering;
mod desk;
mod envelope;
mod packing;
mod parcel;
mod places;
mod taking;

#[cfg(test)]
mod tests;

use std::io;

use age::secrecy::ExposeSecret;
use age::x25519::Identity;

pub use contents::{Record, read_contents};
pub use delivering::{Delivery, Request, deliver, fetch};
pub use desk::CourierDesk;
pub use envelope::{HEADER_LEN, Header, Kind, Sealed, fingerprint};
pub use packing::{Packed, Sender, pack};
pub use places::{answers_in, folder_of_hub};
pub use taking::{Taken, take_answer};

use super::http::CloudError;
use super::pull::PullError;
use crate::secret::SecretText;
use crate::store::StoreError;

/// The largest bundle, bytes.
pub const MAX_BYTES: u64 = 2 * 1024 * 1024 * 1024;
/// The most rows of an export, of which the desk holds in memory which they are.
const MAX_ROWS: u64 = 1_000_000;
/// The most bytes of an export's rows; what is left over goes with the next one.
const MAX_ROW_BYTES: u64 = 512 * 1024 * 1024;
/// The version of what is in a bundle.
const FORMAT: u32 = 1;

/// Why a bundle was not made or not taken.
#[derive(Debug, thiserror::Error)]
pub enum CourierError {
    /// Nobody has named a receiver.
    #[error("hub-setup.toml names no [courier] recipient")]
    NoRecipient,
    /// Nobody has named the desk.
    #[error("hub-setup.toml names no [courier] desk")]
    NoDesk,
    /// What is named is no key.
    #[error("that is no key: {0}")]
    Key(&'static str),
    /// It was changed on its way, or is not whole, or never was a bundle.
    #[error("the bundle is damaged")]
    Damaged,
    /// It was made by newer firmware, or by older with other columns.
    #[error("the bundle was made by another version of this program")]
    Version,
    /// It is larger than any bundle.
    #[error("the bundle is too large")]
    TooLarge,
    /// It is a bundle of the other kind: an export where an answer is taken, or the other way round.
    #[error("the bundle goes the other way")]
    OtherKind,
    /// It belongs to another hub.
    #[error("the bundle is another hub's")]
    AnotherHub,
    /// It is sealed to somebody else.
    #[error("the bundle is sealed to another receiver")]
    NotForUs,
    /// Not the desk that the owner named has signed it, or not the hub that the desk knows.
    #[error("the bundle is not signed by whom it should be")]
    OtherSigner,
    /// A hub that the desk does not know.
    #[error(
        "this is the first bundle of the hub {name:?}: compare {fingerprint} with what its panel shows under USB, and say --new-hub {fingerprint} if it is the same"
    )]
    NewHub {
        /// What people call it, as far as it can be printed.
        name: String,
        /// Of its key.
        fingerprint: String,
    },
    /// A newer one was taken: all that this one holds was in that one.
    #[error("bundle {number} is older than bundle {last}, which has been taken: nothing is missing")]
    Older {
        /// Its number.
        number: u64,
        /// That of the newest that was taken.
        last: u64,
    },
    /// The answer begins after what the hub has: the hub was restored from a backup meanwhile.
    #[error("the answer does not go on where this hub is: make a new bundle, and bring its answer")]
    Gap,
    /// The answer is of another cloud than the hub is relayed to.
    #[error("the answer is of another cloud than this hub is relayed to")]
    OtherCloud,
    /// The desk does not know this hub.
    #[error("no bundle of this hub has been delivered yet")]
    UnknownHub,
    /// The key to the cloud is that of another hub.
    #[error("the API key is another hub's in the cloud")]
    OtherDevice,
    /// The organisation has stopped this hub.
    #[error("the cloud says that this hub is not active")]
    Inactive,
    /// The cloud gave the hub no clinic.
    #[error("the cloud has given this hub no clinic")]
    NoClinic,
    /// The cloud failed.
    #[error("{0}")]
    Cloud(String),
    /// There are keys of a desk here.
    #[error("there is a desk in this folder")]
    DeskThere,
    /// The stick is full.
    #[error("there is no room for the bundle")]
    Full,
    /// It was told to stop.
    #[error("stopped")]
    Stopped,
    /// A disk or a stick failed.
    #[error("the disk: {0}")]
    Disk(#[source] io::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The random source failed.
    #[error("the random source failed")]
    Random,
}

/// Whether this is a receiver that bundles can be sealed to.
#[must_use]
pub fn is_recipient(text: &str) -> bool {
    envelope::recipient(text).is_ok()
}

/// Whether this is the public key of a desk.
#[must_use]
pub fn is_desk_key(text: &str) -> bool {
    taking::desk_key(text).is_ok_and(|key| matches!(key[0], 2 | 3))
}

/// A key that answers can be sealed to.
#[must_use]
pub fn new_identity() -> SecretText {
    SecretText::new(Identity::generate().to_string().expose_secret().to_owned())
}

impl From<io::Error> for CourierError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            // What decrypts says of bytes that are not what was sealed.
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Self::Damaged,
            _ => Self::Disk(error),
        }
    }
}

impl From<CloudError> for CourierError {
    fn from(error: CloudError) -> Self {
        Self::Cloud(error.to_string())
    }
}

impl From<PullError> for CourierError {
    fn from(error: PullError) -> Self {
        match error {
            PullError::Cloud(error) => error.into(),
            PullError::Store(error) => error.into(),
        }
    }
}
