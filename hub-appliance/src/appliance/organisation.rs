//! The organisation that can open this hub's backups: whom the owner's file names, and whom a person has allowed.
//!
//! Which one counts is kept in the store's folder, signed by the hub's identity key, so that nobody who can only write to a
//! card or a disk has backups sealed to a key of their own:
//!
//! ```text
//! backup-recipient.json = {"version":1,"recipient":"age1…","since":1790000000000,"signature":"<base64url>"}
//! signed = "hub backup recipient v1" ‖ hub id (16 bytes) ‖ since (i64, little-endian) ‖ recipient (text)
//! ```
//!
//! The first that the owner's file ever names counts at once; another one after a person at the panel said so. What is not
//! in the file any more goes on counting, as cards are exchanged.

use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::audit::AuditSeal;
use super::{ApplianceError, Config};
use crate::atomic_file;
use crate::backup::Recipient;
use crate::clock::HubTime;
use crate::keys::Organisation;
use crate::setup_file::SetupFile;
use crate::store::audit::Entry;
use crate::store::{Store, StoreError};

const FILE: &str = "backup-recipient.json";
const VERSION: u32 = 1;
/// A longer file is not ours.
const MAX_FILE: usize = 4096;
const LABEL: &[u8] = b"hub backup recipient v1";

#[derive(Serialize, Deserialize)]
struct Allowed {
    version: u32,
    recipient: String,
    since: i64,
    signature: String,
}

/// Whom backups are for beside the recovery code.
#[derive(Debug, Default)]
pub(super) struct Organisations {
    /// The one that counts.
    pub(super) counts: Option<Recipient>,
    /// Another that the owner's file names: nothing that is written is for it before a person allowed it.
    pub(super) offered: Option<Organisation>,
}

/// Reads which organisation counts, and whom the owner's file names.
///
/// # Errors
/// What the disk or the store report.
pub(super) fn take_in(config: &Config, seal: &AuditSeal, store: &Store) -> Result<Organisations, ApplianceError> {
    let folder = config.store_folder();
    let settled = config.setup_file.as_deref().and_then(|file| SetupFile::read(file).ok());
    let named = settled.and_then(|settled| settled.backup);
    let (counts, is_first) = match known(&folder, seal)? {
        Known::None => (None, true),
        Known::NotOurs => {
            tracing::error!("who can open the backups was written by somebody else, and does not count");
            (None, false)
        }
        Known::Of(recipient) => (Some(recipient), false),
    };
    let named = named.filter(|named| counts.as_ref().is_none_or(|known| known.organisation != *named));
    Ok(match named {
        Some(named) if is_first => Organisations {
            counts: Some(accept(&folder, seal, store, named)?),
            offered: None,
        },
        offered => Organisations { counts, offered },
    })
}

/// The organisation that counts for the hub whose store is in `folder`.
///
/// # Errors
/// What the disk reports.
pub(super) fn that_counts(folder: &Path, seal: &AuditSeal) -> Result<Option<Recipient>, ApplianceError> {
    Ok(match known(folder, seal)? {
        Known::Of(recipient) => Some(recipient),
        Known::None | Known::NotOurs => None,
    })
}

/// Has an organisation count from now on.
///
/// # Errors
/// What the disk or the store report; then all is as it was.
pub(super) fn accept(
    folder: &Path,
    seal: &AuditSeal,
    store: &Store,
    organisation: Organisation,
) -> Result<Recipient, ApplianceError> {
    let (recipient, since) = (organisation.name(), store.clock().now());
    let signature = seal.key().sign(&signed(seal, since, &recipient));
    let allowed = Allowed {
        version: VERSION,
        since: since.millis(),
        signature: BASE64.encode(signature),
        recipient,
    };
    let bytes = serde_json::to_vec(&allowed).map_err(|error| ApplianceError::System(error.into()))?;
    let entry = Entry {
        action: "backup.recipient",
        detail: json!({"recipient": allowed.recipient}).to_string(),
        outcome: "ok",
        ..Entry::default()
    };
    store.write::<_, StoreError>(move |tx| tx.audit(&entry))?;
    atomic_file::write(&folder.join(FILE), &bytes).map_err(ApplianceError::System)?;
    Ok(Recipient { organisation, since })
}

enum Known {
    None,
    /// There is one that this hub did not write.
    NotOurs,
    Of(Recipient),
}

fn known(folder: &Path, seal: &AuditSeal) -> Result<Known, ApplianceError> {
    let bytes = match atomic_file::read(&folder.join(FILE), MAX_FILE) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(Known::None),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => return Ok(Known::NotOurs),
        Err(error) => return Err(ApplianceError::System(error)),
    };
    let recipient = serde_json::from_slice::<Allowed>(&bytes).ok().and_then(|allowed| {
        let since = HubTime::from_millis(allowed.since);
        let signature = BASE64.decode(&allowed.signature).ok()?;
        let is_ours = seal
            .key()
            .has_signed(&signed(seal, since, &allowed.recipient), &signature);
        let organisation = Organisation::parse(&allowed.recipient)?;
        (is_ours && allowed.version == VERSION).then_some(Recipient { organisation, since })
    });
    Ok(recipient.map_or(Known::NotOurs, Known::Of))
}

fn signed(seal: &AuditSeal, since: HubTime, recipient: &str) -> Vec<u8> {
    [
        LABEL,
        seal.hub().as_bytes(),
        &since.millis().to_le_bytes(),
        recipient.as_bytes(),
    ]
    .concat()
}
