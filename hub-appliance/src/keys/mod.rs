//! Keys: how the hub is unlocked, and what is derived from it.
//!
//! ```text
//! PIN or recovery code ─► Argon2id ─(key of a USB stick or of the board)─► key slot ─► master key ─► LUKS · SQLCipher · vault
//! ```
//!
//! | file | what it holds |
//! |---|---|
//! | `key_store` | the key disk as a whole: set up, unlock, change |
//! | `pin`, `recovery` | what people type |
//! | `kdf`, `sealing` | Argon2id, HKDF; AES-GCM |
//! | `slot`, `slots_file` | one slot, and the file of all slots |
//! | `sealed_master`, `rotation` | the master key sealed to a slot, and another one in its place |
//! | `ways`, `usb_key`, `board_key` | the ways to unlock, the key on a USB stick, and that of the board |
//! | `attempts` | the back-off after wrong attempts |
//! | `signing` | the hub's signature |
//! | `spare` | the slots that go with a backup |
//! | `master` | the master key and its derivations |
//! | `vault`, `token_key` | the hub's identity and other secrets; when another key signs tokens |
//! | `harden` | keeps key memory out of swap and core dumps |
//! | `checked_file` | files that tell when they are damaged |
//!
//! It promises that a wrong PIN costs an attempt even if the plug is pulled, that a power cut never leaves the hub
//! without a way to unlock it, that what was taken away opens nothing once the master key is another, and that nothing
//! secret is printed.
#![forbid(unsafe_code)]

mod attempts;
mod board_key;
mod checked_file;
mod error;
mod harden;
mod kdf;
mod key_store;
mod master;
mod organisation;
mod pin;
mod recovery;
mod rotation;
mod sealed_master;
mod sealing;
mod signing;
mod slot;
mod slots_file;
mod spare;
mod token_key;
mod usb_key;
mod vault;
mod ways;

pub use board_key::BoardKey;
pub use error::{KeysError, UnlockError};
pub use harden::{Hardening, harden_process};
pub use kdf::{KdfCost, KdfError};
pub use key_store::{KeyStore, Prepared, Renewal};
pub use master::{MasterId, MasterKey, VaultKey};
pub use organisation::{Organisation, OrganisationKeys};
pub use pin::{Pin, PinError};
pub use recovery::{RecoveryCode, RecoveryError};
pub use rotation::{InHand, Rotation};
pub use signing::{PUBLIC_LEN, SIGNATURE_LEN, SigningKey, is_signed_by};
pub use slots_file::count_slots;
pub use spare::unlock_spare;
pub use token_key::is_token_key_due;
pub use usb_key::{USB_KEY_FILE, UsbKey, UsbKeyError};
pub use vault::{CloudAccess, Vault, VaultError};
pub use ways::{Held, Way};

#[cfg(test)]
mod tests;
