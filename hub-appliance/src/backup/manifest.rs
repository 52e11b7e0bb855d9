//! `manifest.json`: what a generation consists of, and what vouches for it.
//!
//! ```json
//! {"version":1,"mac":"…base64url…","body":{"hub_id":"…","firmware":"…","schema":3,"made_at":1700000000000,
//!  "last_change":1700000000000,"audit":{"entry":7,"hash":"…"},"files":[{"name":"hub.db","bytes":4096,"sha256":"…"}]}}
//! mac = HMAC-SHA256(backup key, "hub backup manifest v1" ‖ text of the body as it stands in the file)
//! ```

use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::Mac;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::error::BackupError;
use super::{BackupKeys, DATABASE, KEY_SLOTS, MANIFEST, RECIPIENT, VAULT};
use crate::atomic_file;
use crate::clock::HubTime;
use crate::store::SCHEMA_VERSION;
use crate::store::audit;

const VERSION: u32 = 1;
const LABEL: &[u8] = b"hub backup manifest v1";
/// A longer file is none.
const MAX_BYTES: usize = 64 * 1024;
/// More files no generation has.
const MAX_FILES: usize = 16;

#[derive(Serialize, Deserialize)]
struct Frame<'a> {
    version: u32,
    mac: String,
    #[serde(borrow)]
    body: &'a RawValue,
}

/// What a manifest says. It is to be believed once `verify` said so; before that it only helps to find the
/// backup that is looked for.
#[derive(Clone, Debug)]
pub struct Manifest {
    pub(super) body: Body,
    text: String,
    mac: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    pub(super) hub_id: String,
    pub(super) firmware: String,
    pub(super) schema: i64,
    made_at: i64,
    pub(super) last_change: i64,
    pub(super) audit: Option<Head>,
    pub(super) files: Vec<FileEntry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    entry: i64,
    hash: String,
}

impl From<&audit::Head> for Head {
    fn from(head: &audit::Head) -> Self {
        Self {
            entry: head.number,
            hash: BASE64_URL_SAFE_NO_PAD.encode(head.hash),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileEntry {
    pub(super) name: String,
    pub(super) bytes: u64,
    sha256: String,
}

impl FileEntry {
    pub(super) fn new(name: &str, bytes: u64, sha256: &[u8; 32]) -> Self {
        Self {
            name: name.to_owned(),
            bytes,
            sha256: BASE64_URL_SAFE_NO_PAD.encode(sha256),
        }
    }

    pub(super) fn is(&self, bytes: u64, sha256: &[u8; 32]) -> bool {
        self.bytes == bytes && self.sha256 == BASE64_URL_SAFE_NO_PAD.encode(sha256)
    }
}

impl Body {
    pub(super) fn new(hub_id: &str, firmware: &str, made_at: HubTime, last_change: HubTime) -> Self {
        Self {
            hub_id: hub_id.to_owned(),
            firmware: firmware.to_owned(),
            schema: SCHEMA_VERSION,
            made_at: made_at.millis(),
            last_change: last_change.millis(),
            audit: None,
            files: Vec::new(),
        }
    }
}

impl Manifest {
    /// Writes the manifest of the generation in `folder`.
    pub(super) fn write(body: Body, keys: &BackupKeys, folder: &Path) -> Result<Self, BackupError> {
        let raw = to_raw_value(&body).map_err(|error| BackupError::target(error.into()))?;
        let mac = keys.mac(LABEL)?.chain_update(raw.get()).finalize().into_bytes();
        let frame = Frame {
            version: VERSION,
            mac: BASE64_URL_SAFE_NO_PAD.encode(mac),
            body: &raw,
        };
        let json = serde_json::to_vec(&frame).map_err(|error| BackupError::target(error.into()))?;
        atomic_file::write(&folder.join(MANIFEST), &json).map_err(BackupError::target)?;
        Ok(Self {
            body,
            text: raw.get().to_owned(),
            mac: frame.mac,
        })
    }

    /// Reads the manifest of the generation in `folder`.
    ///
    /// # Errors
    /// [`BackupError::Damaged`], [`BackupError::Newer`], or what the disk reports.
    pub(super) fn read(folder: &Path) -> Result<Self, BackupError> {
        let bytes = atomic_file::read(&folder.join(MANIFEST), MAX_BYTES)
            .map_err(|error| BackupError::reading(MANIFEST, &error))?
            .ok_or_else(damaged)?;
        Self::parse(&bytes)
    }

    /// As `read`, from the file's content.
    ///
    /// # Errors
    /// [`BackupError::Damaged`], [`BackupError::Newer`].
    pub fn parse(bytes: &[u8]) -> Result<Self, BackupError> {
        let frame: Frame<'_> = serde_json::from_slice(bytes).map_err(|_| damaged())?;
        if frame.version > VERSION {
            return Err(BackupError::Newer { needs: None });
        }
        let body: Body = serde_json::from_str(frame.body.get()).map_err(|_| damaged())?;
        let is_known = |file: &FileEntry| [DATABASE, VAULT, KEY_SLOTS, RECIPIENT].contains(&file.name.as_str());
        if body.files.len() > MAX_FILES || !body.files.iter().all(is_known) {
            return Err(damaged());
        }
        Ok(Self {
            text: frame.body.get().to_owned(),
            mac: frame.mac,
            body,
        })
    }

    /// Makes sure that an open hub with these keys wrote it, and that this firmware can open what it made.
    ///
    /// # Errors
    /// [`BackupError::Damaged`], [`BackupError::Newer`].
    pub(super) fn verify(&self, keys: &BackupKeys) -> Result<(), BackupError> {
        let mac = BASE64_URL_SAFE_NO_PAD.decode(&self.mac).map_err(|_| damaged())?;
        let expected = keys.mac(LABEL)?.chain_update(&self.text);
        expected.verify_slice(&mac).map_err(|_| damaged())?;
        self.is_known()
    }

    /// Makes sure that it is of no newer firmware.
    ///
    /// # Errors
    /// [`BackupError::Newer`].
    pub(super) fn is_known(&self) -> Result<(), BackupError> {
        if self.body.schema > SCHEMA_VERSION {
            return Err(BackupError::Newer {
                needs: Some(self.body.firmware.clone()),
            });
        }
        Ok(())
    }

    /// What the first file of the log follows.
    pub(super) fn link(&self) -> &[u8] {
        self.mac.as_bytes()
    }

    /// When it was made, by the hub clock.
    #[must_use]
    pub const fn made_at(&self) -> HubTime {
        HubTime::from_millis(self.body.made_at)
    }
}

fn damaged() -> BackupError {
    BackupError::Damaged { file: MANIFEST.into() }
}
