//! The keys that sign tokens, in the life of the box: from time to time another one, first in the vault and then in use.

use std::sync::Arc;

use super::ApplianceError;
use super::vault_file::VaultFile;
use crate::clock::HubTime;
use crate::keys::{Vault, is_token_key_due};
use crate::procedures::TokenKeys;
use crate::store::audit::Entry;
use crate::store::{Store, StoreError};

/// The keys of an open hub, and how old the one is that signs.
pub(super) struct TokenTurn {
    keys: Arc<TokenKeys>,
    made_at: Option<HubTime>,
}

impl TokenTurn {
    pub(super) fn new(keys: Arc<TokenKeys>, vault: &Vault) -> Self {
        Self {
            keys,
            made_at: vault.jwt_made_at,
        }
    }

    /// Whether another key is to sign.
    pub(super) fn is_due(&self, now: HubTime) -> bool {
        is_token_key_due(self.made_at, now)
    }

    /// Works with those of the vault from now on.
    pub(super) fn take(&mut self, vault: &Vault) {
        self.keys.replace(&vault.jwt_current, vault.jwt_previous.as_ref());
        self.made_at = vault.jwt_made_at;
    }
}

/// Has another key sign tokens if that is due, and gives the vault with it; none where all stays as it is. Blocking.
///
/// As long as there is the copy from before an update, the firmware before may have to read the vault, which could not read
/// it with the key's age in it.
///
/// # Errors
/// What vault and store report; the vault then is as it was, or has the other key already.
pub(super) fn turn(vault_file: &VaultFile, store: &Store) -> Result<Option<Vault>, ApplianceError> {
    if store.has_migration_copies() {
        return Ok(None);
    }
    let now = store.clock().peek();
    let mut is_another = false;
    let vault = vault_file.change(|vault| {
        is_another = vault.turn_token_key(now)?;
        Ok(is_another)
    })?;
    if !is_another {
        return Ok(None);
    }
    let entry = Entry {
        action: "tokens.key",
        outcome: "ok",
        ..Entry::default()
    };
    // It is another whether or not that can be written down.
    if let Err(error) = store.write::<_, StoreError>(move |tx| tx.audit(&entry)) {
        tracing::error!(%error, "that another key signs tokens could not be written down");
    }
    Ok(Some(vault))
}
