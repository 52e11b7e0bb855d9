//! Public facts beside the key slots: what a locked hub has to know, and nothing that is secret.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ApplianceError;
use crate::atomic_file;
use crate::clock::HubTime;
use crate::panel::Language;

/// A file that is longer is not ours.
const MAX_BYTES: usize = 4096;

/// The facts. A file that is missing or cannot be read counts as an empty one: none of them is needed to unlock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Facts {
    /// The version of the firmware that opened the store last.
    pub(super) firmware: Option<String>,
    /// A time that the hub clock has shown, epoch ms.
    pub(super) clock: i64,
    /// The address that the phones know.
    pub(super) address: Option<Ipv4Addr>,
    /// The code of the language that the panel speaks, if a person chose one.
    pub(super) language: Option<String>,
}

impl Facts {
    pub(super) fn load(keys_folder: &Path) -> Self {
        let bytes = atomic_file::read(&path(keys_folder), MAX_BYTES).ok().flatten();
        bytes
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default()
    }

    pub(super) fn save(&self, keys_folder: &Path) -> Result<(), ApplianceError> {
        let json = serde_json::to_vec(self).map_err(|error| ApplianceError::System(error.into()))?;
        atomic_file::write(&path(keys_folder), &json).map_err(ApplianceError::System)
    }

    /// The language that a person chose, if this firmware speaks it.
    pub(super) fn language(&self) -> Option<Language> {
        self.language.as_deref().and_then(Language::of_code)
    }

    pub(super) const fn clock(&self) -> HubTime {
        HubTime::from_millis(self.clock)
    }
}

fn path(keys_folder: &Path) -> PathBuf {
    keys_folder.join("facts.json")
}
