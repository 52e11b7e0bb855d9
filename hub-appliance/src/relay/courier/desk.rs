//! The organisation's desk: its keys, and what it knows of each hub, in a folder that nobody else may read.
//!
//! | file | what it is |
//! |---|---|
//! | `desk-keys.json` | the age identity that bundles are sealed to, and the key that signs answers |
//! | `HUB-ID.json` | the hub's key as it was first seen and compared, which bundle was taken last, where its cursor is |

use std::path::{Path, PathBuf};

use age::secrecy::ExposeSecret;
use age::x25519::Identity;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::CourierError;
use super::envelope::identity;
use crate::atomic_file;
use crate::keys::SigningKey;
use crate::secret::{Secret, SecretText};

const KEYS: &str = "desk-keys.json";
const VERSION: u32 = 1;
/// A longer file is not ours.
const MAX_KEYS: usize = 4096;
const MAX_HUB: usize = 1024 * 1024;

/// The desk.
pub struct CourierDesk {
    pub(super) folder: PathBuf,
    pub(super) identity: Identity,
    pub(super) key: SigningKey,
}

impl std::fmt::Debug for CourierDesk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CourierDesk")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct Keys {
    version: u32,
    identity: String,
    key: String,
}

/// What the desk knows of a hub.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KnownHub {
    pub(super) name: String,
    /// Its public key, base64url.
    pub(super) key: String,
    /// The newest bundle that was begun to be delivered: when its hub made it, its number, its digest (base64url).
    pub(super) at: i64,
    pub(super) number: u64,
    pub(super) digest: String,
    /// Where the hub's cursor was then, its clinics, and whom answers are sealed to.
    pub(super) since: i64,
    pub(super) clinics: Vec<String>,
    pub(super) answer_to: String,
    /// The number of the last answer.
    pub(super) answers: u64,
    /// The cloud that the last answer was of, and which device the hub is there.
    pub(super) cloud: String,
    pub(super) device: String,
}

impl CourierDesk {
    /// Makes a desk with new keys in `folder`.
    ///
    /// # Errors
    /// [`CourierError::DeskThere`] if there is one; nothing is changed then. [`CourierError::Disk`].
    pub fn make(folder: &Path) -> Result<Self, CourierError> {
        let path = folder.join(KEYS);
        if path.try_exists()? {
            return Err(CourierError::DeskThere);
        }
        atomic_file::private_folder(folder)?;
        let (_, scalar) = SigningKey::generate().map_err(|_| CourierError::Random)?;
        let keys = Keys {
            version: VERSION,
            identity: Identity::generate().to_string().expose_secret().to_owned(),
            key: BASE64.encode(scalar.expose()),
        };
        let json = serde_json::to_vec(&keys).map_err(|error| CourierError::Disk(error.into()))?;
        atomic_file::write(&path, &Zeroizing::new(json))?;
        Self::open(folder)
    }

    /// The desk in `folder`.
    ///
    /// # Errors
    /// [`CourierError::Disk`] if there is none, [`CourierError::Key`] if its keys make no sense.
    pub fn open(folder: &Path) -> Result<Self, CourierError> {
        let missing = || CourierError::Disk(std::io::ErrorKind::NotFound.into());
        let json = Zeroizing::new(atomic_file::read(&folder.join(KEYS), MAX_KEYS)?.ok_or_else(missing)?);
        let keys: Keys = serde_json::from_slice(&json).map_err(|_| CourierError::Key(KEYS))?;
        if keys.version != VERSION {
            return Err(CourierError::Version);
        }
        let scalar = Zeroizing::new(BASE64.decode(&keys.key).map_err(|_| CourierError::Key(KEYS))?);
        let scalar: [u8; 32] = scalar[..].try_into().map_err(|_| CourierError::Key(KEYS))?;
        Ok(Self {
            folder: folder.to_owned(),
            identity: identity(&SecretText::new(keys.identity.clone()))?,
            key: SigningKey::new(&Secret::new(scalar)).map_err(|_| CourierError::Key(KEYS))?,
        })
    }

    /// What `[courier]` of a hub's `hub-setup.toml` says of this desk.
    #[must_use]
    pub fn setup(&self) -> String {
        format!(
            "[courier]\nrecipient = \"{}\"\ndesk = \"{}\"\n",
            self.identity.to_public(),
            BASE64.encode(self.key.public())
        )
    }

    fn path_of(&self, hub: Uuid) -> PathBuf {
        self.folder.join(format!("{hub}.json"))
    }

    /// What is known of a hub.
    pub(super) fn hub(&self, hub: Uuid) -> Result<Option<KnownHub>, CourierError> {
        let json = atomic_file::read(&self.path_of(hub), MAX_HUB)?;
        let read = json.map(|json| serde_json::from_slice(&json).map_err(|_| CourierError::Damaged));
        read.transpose()
    }

    /// Whether another hub than `hub` is this device of that cloud.
    pub(super) fn has_device(&self, device: &str, cloud: &str, hub: Uuid) -> Result<bool, CourierError> {
        for entry in std::fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            let other = stem.and_then(|stem| stem.parse::<Uuid>().ok());
            let Some(other) = other.filter(|other| *other != hub) else {
                continue;
            };
            let known = self.hub(other)?.unwrap_or_default();
            if known.device == device && known.cloud == cloud {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Writes down what is known of a hub.
    pub(super) fn save(&self, hub: Uuid, known: &KnownHub) -> Result<(), CourierError> {
        let json = serde_json::to_vec_pretty(known).map_err(|error| CourierError::Disk(error.into()))?;
        Ok(atomic_file::write(&self.path_of(hub), &json)?)
    }
}
