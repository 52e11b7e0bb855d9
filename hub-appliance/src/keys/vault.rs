//! The vault: the hub's identity and the secrets it works with, in one sealed file in the encrypted store's folder.
//!
//! ```text
//! file  = version 2 (u8) ‖ nonce (12 bytes, random) ‖ AES-256-GCM(vault key, nonce, plain, AAD = "hub vault" ‖ version)
//! plain = hub id (16) ‖ X25519 private key (32) ‖ P-256 private key (32, big-endian) ‖ current JWT key (32)
//!       ‖ 0 or 1 (u8), with 1: previous JWT key (32)
//!       ‖ hub name (text)
//!       ‖ 0 or 1 (u8), with 1: cloud URL (text) ‖ API key (text) ‖ device id (text)
//!       ‖ 0 or 1 (u8), with 1: audit key (32)
//!       ‖ when the current JWT key was made (i64, epoch ms, big-endian)
//! text  = length in bytes (u16, big-endian) ‖ UTF-8
//! ```
//!
//! Version 1 ends before the audit key. It is kept where there is neither that nor the time after it, so that the firmware of
//! before reads it as long as the records may be put back for that.

use std::io;
use std::path::Path;

use uuid::Uuid;
use zeroize::Zeroizing;

use super::master::VaultKey;
use super::sealing::{self, NONCE_LEN, TAG_LEN};
use crate::atomic_file;
use crate::clock::HubTime;
use crate::secret::{Secret, SecretText};

const VERSION: u8 = 2;
const FIRST_VERSION: u8 = 1;
const AAD: &[u8] = b"hub vault";
const MAX_TEXT: usize = 2048;
/// Above the longest plaintext: six keys and identifiers of 32 bytes at most, four texts.
const MAX_PLAIN: usize = 6 * 32 + 4 * (2 + MAX_TEXT) + 3 + 8;
const MAX_FILE: usize = 1 + NONCE_LEN + MAX_PLAIN + TAG_LEN;

/// What the vault holds.
#[derive(Debug, PartialEq, Eq)]
pub struct Vault {
    /// Made once at set-up, and never changed.
    pub hub_id: Uuid,
    /// What people call this hub, at most 2,048 bytes.
    pub hub_name: String,
    /// The hub's X25519 private key.
    pub x25519: Secret<32>,
    /// The hub's P-256 private key: a scalar from 1 to the group order less one, big-endian.
    pub p256: Secret<32>,
    /// Signs tokens.
    pub jwt_current: Secret<32>,
    /// Still checks tokens that were signed before the last rotation.
    pub jwt_previous: Option<Secret<32>>,
    /// Set once the hub is registered with the cloud.
    pub cloud: Option<CloudAccess>,
    /// Chains the audit log, where that is not by the key that is derived of the master key: it stays the same when another
    /// master key takes its place, for the entries before are chained by it.
    pub audit: Option<Secret<32>>,
    /// When `jwt_current` was made; none where that was not written down.
    pub jwt_made_at: Option<HubTime>,
}

/// How to reach the cloud.
#[derive(Debug)]
pub struct CloudAccess {
    /// The base URL, at most 2,048 bytes.
    pub url: String,
    /// The API key, at most 2,048 bytes.
    pub api_key: SecretText,
    /// The identifier that the cloud gave to this hub, at most 2,048 bytes.
    pub device_id: String,
}

/// Why the vault could not be made, read or written.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// There is no vault at this path.
    #[error("there is no vault")]
    Missing,
    /// The file does not open under this key: it is damaged, or belongs to another master key.
    #[error("the vault does not open under this key")]
    Damaged,
    /// The vault was written by newer firmware.
    #[error("the vault has version {found}, this firmware knows {VERSION}")]
    NewerVersion {
        /// The version of the file.
        found: u8,
    },
    /// A text is longer than the vault takes; nothing was written.
    #[error("a text is longer than {MAX_TEXT} bytes")]
    TextTooLong,
    /// The operating system gave no random bytes.
    #[error("no random bytes: {0}")]
    Random(#[from] getrandom::Error),
    /// The disk failed, or refused.
    #[error("the vault's disk failed: {0}")]
    Io(#[from] io::Error),
}

impl Vault {
    /// A vault with new keys, made now, and no cloud. Nothing is written.
    ///
    /// # Errors
    /// [`VaultError::Random`].
    pub fn create(hub_id: Uuid, hub_name: String, now: HubTime) -> Result<Self, VaultError> {
        Ok(Self {
            hub_id,
            hub_name,
            x25519: Secret::random()?,
            p256: p256_scalar()?,
            jwt_current: Secret::random()?,
            jwt_previous: None,
            cloud: None,
            audit: None,
            jwt_made_at: Some(now),
        })
    }

    /// Reads the vault at `path`.
    ///
    /// # Errors
    /// [`VaultError`], all but [`VaultError::TextTooLong`].
    pub fn load(path: &Path, key: &VaultKey) -> Result<Self, VaultError> {
        let file = atomic_file::read(path, MAX_FILE).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => VaultError::Damaged,
            _ => error.into(),
        })?;
        let mut file = Zeroizing::new(file.ok_or(VaultError::Missing)?);
        let version = match file.first() {
            Some(&version @ FIRST_VERSION..=VERSION) => version,
            Some(&found) if found > VERSION => return Err(VaultError::NewerVersion { found }),
            _ => return Err(VaultError::Damaged),
        };
        open(&mut file[1..], version, key)
            .and_then(|plain| Reader(plain).vault(version))
            .ok_or(VaultError::Damaged)
    }

    /// Replaces the vault at `path`, under a new nonce.
    ///
    /// # Errors
    /// [`VaultError::TextTooLong`], [`VaultError::Random`], [`VaultError::Io`].
    pub fn save(&self, path: &Path, key: &VaultKey) -> Result<(), VaultError> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce)?;
        let (mut plain, version) = (self.to_plain()?, self.version());
        let tag = sealing::seal(key.secret(), nonce, &aad(version), &mut plain);
        atomic_file::write(path, &[&[version], &nonce[..], &plain, &tag].concat())?;
        Ok(())
    }

    /// The first version that can hold this.
    const fn version(&self) -> u8 {
        if self.audit.is_some() || self.jwt_made_at.is_some() {
            VERSION
        } else {
            FIRST_VERSION
        }
    }

    fn to_plain(&self) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        // All of the capacity at once: growing would leave copies behind.
        let mut plain = Zeroizing::new(Vec::with_capacity(MAX_PLAIN));
        plain.extend(self.hub_id.as_bytes());
        for key in [&self.x25519, &self.p256, &self.jwt_current] {
            plain.extend(key.expose());
        }
        plain.push(u8::from(self.jwt_previous.is_some()));
        if let Some(key) = &self.jwt_previous {
            plain.extend(key.expose());
        }
        put_text(&mut plain, &self.hub_name)?;
        plain.push(u8::from(self.cloud.is_some()));
        if let Some(cloud) = &self.cloud {
            put_text(&mut plain, &cloud.url)?;
            put_text(&mut plain, cloud.api_key.expose())?;
            put_text(&mut plain, &cloud.device_id)?;
        }
        if self.version() > FIRST_VERSION {
            plain.push(u8::from(self.audit.is_some()));
            if let Some(key) = &self.audit {
                plain.extend(key.expose());
            }
            plain.extend(self.jwt_made_at.map_or(0, HubTime::millis).to_be_bytes());
        }
        Ok(plain)
    }
}

impl PartialEq for CloudAccess {
    fn eq(&self, other: &Self) -> bool {
        use subtle::ConstantTimeEq;
        let same_key = self
            .api_key
            .expose()
            .as_bytes()
            .ct_eq(other.api_key.expose().as_bytes());
        self.url == other.url && self.device_id == other.device_id && same_key.into()
    }
}

impl Eq for CloudAccess {}

pub(super) fn p256_scalar() -> Result<Secret<32>, getrandom::Error> {
    loop {
        let candidate = Secret::random()?;
        // Zero, or not below the group order: one in 2^32 is refused.
        if p256::SecretKey::from_slice(candidate.expose()).is_ok() {
            return Ok(candidate);
        }
    }
}

fn put_text(plain: &mut Vec<u8>, text: &str) -> Result<(), VaultError> {
    if text.len() > MAX_TEXT {
        return Err(VaultError::TextTooLong);
    }
    let length = u16::try_from(text.len()).map_err(|_| VaultError::TextTooLong)?;
    plain.extend(length.to_be_bytes());
    plain.extend(text.as_bytes());
    Ok(())
}

/// Decrypts nonce ‖ ciphertext ‖ tag in place.
fn open<'a>(sealed: &'a mut [u8], version: u8, key: &VaultKey) -> Option<&'a [u8]> {
    let (nonce, rest) = sealed.split_first_chunk_mut()?;
    let (plain, tag) = rest.split_last_chunk_mut()?;
    sealing::open(key.secret(), *nonce, &aad(version), plain, *tag)?;
    Some(plain)
}

fn aad(version: u8) -> Vec<u8> {
    [AAD, &[version]].concat()
}

/// Takes the plaintext apart from its start.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn vault(mut self, version: u8) -> Option<Vault> {
        let mut vault = Vault {
            hub_id: Uuid::from_bytes(*self.array()?),
            x25519: self.key()?,
            p256: self.key()?,
            jwt_current: self.key()?,
            jwt_previous: if self.flag()? { Some(self.key()?) } else { None },
            hub_name: self.text()?.to_owned(),
            cloud: if self.flag()? { Some(self.cloud()?) } else { None },
            audit: None,
            jwt_made_at: None,
        };
        if version > FIRST_VERSION {
            vault.audit = if self.flag()? { Some(self.key()?) } else { None };
            let made_at = i64::from_be_bytes(*self.array()?);
            vault.jwt_made_at = (made_at != 0).then(|| HubTime::from_millis(made_at));
        }
        self.0.is_empty().then_some(vault)
    }

    fn cloud(&mut self) -> Option<CloudAccess> {
        Some(CloudAccess {
            url: self.text()?.to_owned(),
            api_key: SecretText::new(self.text()?.to_owned()),
            device_id: self.text()?.to_owned(),
        })
    }

    fn array<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(array)
    }

    fn key(&mut self) -> Option<Secret<32>> {
        self.array().copied().map(Secret::new)
    }

    fn flag(&mut self) -> Option<bool> {
        match self.array()? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = usize::from(u16::from_be_bytes(*self.array()?));
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;
    use crate::keys::master::MasterKey;

    fn key(byte: u8) -> VaultKey {
        MasterKey::from_secret(Secret::new([byte; 32])).vault_key()
    }

    fn new(id: u128, name: &str) -> Vault {
        Vault::create(
            Uuid::from_u128(id),
            name.into(),
            HubTime::from_millis(1_700_000_000_000),
        )
        .unwrap()
    }

    /// One of before there was more than the first version holds.
    fn registered() -> Vault {
        Vault {
            jwt_made_at: None,
            jwt_previous: Some(Secret::new([9; 32])),
            cloud: Some(CloudAccess {
                url: "https://cloud.example".into(),
                api_key: SecretText::new("hush-hush".into()),
                device_id: "hub-7".into(),
            }),
            ..new(7, "Clinic")
        }
    }

    /// One with all that there can be.
    fn exchanged() -> Vault {
        Vault {
            audit: Some(Secret::new([8; 32])),
            jwt_made_at: Some(HubTime::from_millis(1_700_000_000_000)),
            ..registered()
        }
    }

    #[test]
    fn is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault");
        let plain = Vault {
            jwt_made_at: None,
            ..new(7, "")
        };
        for (vault, version) in [(plain, 1), (registered(), 1), (new(7, ""), 2), (exchanged(), 2)] {
            vault.save(&path, &key(1)).unwrap();
            assert_eq!(Vault::load(&path, &key(1)).unwrap(), vault);
            assert_eq!(fs::read(&path).unwrap()[0], version, "older firmware reads what it can");
        }
    }

    #[test]
    fn new_vaults_have_keys_of_their_own_that_are_valid() {
        let [one, other] = [1, 2].map(|id| new(id, "Clinic"));
        let all: Vec<_> = [&one, &other]
            .iter()
            .flat_map(|vault| [&vault.x25519, &vault.p256, &vault.jwt_current])
            .collect();
        for (at, key) in all.iter().enumerate() {
            assert!(!all[..at].contains(key));
        }
        assert!(p256::SecretKey::from_slice(one.p256.expose()).is_ok());
    }

    #[test]
    fn the_same_vault_is_never_sealed_alike() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault");
        let vault = registered();
        let [one, other] = [(); 2].map(|()| {
            vault.save(&path, &key(1)).unwrap();
            fs::read(&path).unwrap()
        });
        assert_ne!(one[1..=NONCE_LEN], other[1..=NONCE_LEN]);
        for secret in [&b"hush-hush"[..], &[9; 32]] {
            assert!(!one.windows(secret.len()).any(|window| window == secret));
        }
    }

    #[test]
    fn opens_under_its_own_key_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault");
        assert!(matches!(Vault::load(&path, &key(1)), Err(VaultError::Missing)));
        registered().save(&path, &key(1)).unwrap();
        assert!(matches!(Vault::load(&path, &key(2)), Err(VaultError::Damaged)));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault");
        exchanged().save(&path, &key(1)).unwrap();
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            fs::write(&path, &good[..at]).unwrap();
            assert!(matches!(Vault::load(&path, &key(1)), Err(VaultError::Damaged)));
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                fs::write(&path, &bad).unwrap();
                let result = Vault::load(&path, &key(1));
                match at {
                    0 => assert!(matches!(
                        result,
                        Err(VaultError::Damaged | VaultError::NewerVersion { .. })
                    )),
                    _ => assert!(matches!(result, Err(VaultError::Damaged))),
                }
            }
        }
        fs::write(&path, vec![VERSION; MAX_FILE + 1]).unwrap();
        assert!(matches!(Vault::load(&path, &key(1)), Err(VaultError::Damaged)));
    }

    #[test]
    fn a_newer_version_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault");
        fs::write(&path, [3; 200]).unwrap();
        assert!(matches!(
            Vault::load(&path, &key(1)),
            Err(VaultError::NewerVersion { found: 3 })
        ));
    }

    #[test]
    fn the_longest_texts_fit_and_longer_ones_change_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault");
        let longest = "é".repeat(MAX_TEXT / 2);
        let vault = Vault {
            hub_name: longest.clone(),
            cloud: Some(CloudAccess {
                url: longest.clone(),
                api_key: SecretText::new(longest.clone()),
                device_id: longest.clone(),
            }),
            ..exchanged()
        };
        assert!(vault.to_plain().unwrap().len() <= MAX_PLAIN);
        vault.save(&path, &key(1)).unwrap();
        let too_long = Vault {
            hub_name: longest + "!",
            ..registered()
        };
        assert!(matches!(too_long.save(&path, &key(1)), Err(VaultError::TextTooLong)));
        assert_eq!(Vault::load(&path, &key(1)).unwrap(), vault);
    }

    #[test]
    fn prints_no_secret() {
        let text = format!("{:?}", registered());
        assert!(text.contains("Clinic") && text.contains("[secret]"));
        assert!(!text.contains("hush") && !text.contains("9, 9"));
    }

    proptest! {
        #[test]
        fn a_plaintext_of_another_shape_is_refused(cut in 1_usize..60, extra: Vec<u8>) {
            for vault in [registered(), exchanged()] {
                let (good, version) = (vault.to_plain().unwrap(), vault.version());
                prop_assert!(Reader(&good).vault(version).is_some());
                prop_assert!(Reader(&good[..good.len() - cut]).vault(version).is_none());
                let long = [&good[..], &extra].concat();
                prop_assert_eq!(Reader(&long).vault(version).is_some(), extra.is_empty());
            }
        }
    }
}
