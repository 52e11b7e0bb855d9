//! A master key sealed to an organisation's key, so that the organisation can open what a clinic lost: an age file (X25519)
//! with the key's 32 bytes in it.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use age::x25519::{Identity, Recipient};
use zeroize::Zeroizing;

use super::error::KeysError;
use super::master::MasterKey;
use crate::secret::{Secret, wiping_stack};

/// A longer file holds no keys of age's.
const MAX_FILE: u64 = 16 * 1024;

/// Whom master keys are sealed to, by its public key: an age recipient, `age1…`.
#[derive(Clone, PartialEq, Eq)]
pub struct Organisation(Recipient);

impl std::fmt::Debug for Organisation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Organisation").field(&self.name()).finish()
    }
}

impl Organisation {
    /// The one that is written so.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }

    /// How it is written.
    #[must_use]
    pub fn name(&self) -> String {
        self.0.to_string()
    }

    /// What a person can compare with what the organisation says: how its key ends.
    #[must_use]
    pub fn ending(&self) -> String {
        let name = self.name();
        name.chars().skip(name.len().saturating_sub(8)).collect()
    }

    /// Seals a master key to it.
    ///
    /// # Errors
    /// [`KeysError::NoOrganisation`] where that key is of no use.
    pub fn seal(&self, master: &MasterKey) -> Result<Vec<u8>, KeysError> {
        let sealed = wiping_stack(|| age::encrypt(&self.0, master.secret().expose()));
        sealed.map_err(|_| KeysError::NoOrganisation)
    }
}

/// An organisation's private keys.
pub struct OrganisationKeys(Vec<Identity>);

impl std::fmt::Debug for OrganisationKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

impl OrganisationKeys {
    /// Those in a file as `age-keygen` writes it: a key `AGE-SECRET-KEY-1…` a line, and remarks behind `#`.
    ///
    /// # Errors
    /// [`KeysError::NoOrganisation`] where there is no key in it, [`KeysError::Io`].
    pub fn read(file: &Path) -> Result<Self, KeysError> {
        let mut text = Zeroizing::new(Vec::with_capacity(MAX_FILE as usize + 1));
        File::open(file)?.take(MAX_FILE + 1).read_to_end(&mut text)?;
        if text.len() as u64 > MAX_FILE {
            return Err(io::Error::from(io::ErrorKind::InvalidData).into());
        }
        let text = str::from_utf8(&text).map_err(|_| KeysError::NoOrganisation)?;
        let lines = text.lines().map(str::trim).filter(|line| line.starts_with("AGE-"));
        let keys: Vec<_> = lines.filter_map(|line| line.parse().ok()).collect();
        if keys.is_empty() {
            return Err(KeysError::NoOrganisation);
        }
        Ok(Self(keys))
    }

    /// Opens a master key that was sealed to one of them; none where it was sealed to another one, or is damaged.
    #[must_use]
    pub fn open(&self, sealed: &[u8]) -> Option<MasterKey> {
        let opened = wiping_stack(|| {
            let mut opened = self.0.iter().filter_map(|key| age::decrypt(key, sealed).ok());
            opened.next().map(Zeroizing::new)
        });
        let key = opened.and_then(|opened| <[u8; 32]>::try_from(&opened[..]).ok())?;
        Some(MasterKey::from_secret(Secret::new(key)))
    }
}

#[cfg(test)]
mod tests {
    use age::secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn only_the_key_of_the_organisation_opens_what_is_sealed_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.txt");
        let [key, other] = [Identity::generate(), Identity::generate()];
        let organisation = Organisation::parse(&key.to_public().to_string()).unwrap();
        let master = MasterKey::generate().unwrap();
        let mut sealed = organisation.seal(&master).unwrap();
        assert!(!sealed.windows(32).any(|bytes| bytes == master.secret().expose()));
        let write = |keys: &[&Identity]| {
            let lines: Vec<_> = keys
                .iter()
                .map(|key| key.to_string().expose_secret().to_owned())
                .collect();
            std::fs::write(&file, format!("# created: today\n{}\n", lines.join("\r\n"))).unwrap();
        };
        write(&[&other, &key]);
        let opened = OrganisationKeys::read(&file).unwrap().open(&sealed).unwrap();
        assert_eq!(opened.id(), master.id());
        write(&[&other]);
        let others = OrganisationKeys::read(&file).unwrap();
        assert!(others.open(&sealed).is_none());
        assert_eq!(format!("{others:?}"), "[secret]");
        write(&[&key]);
        let last = sealed.len() - 1;
        sealed[last] ^= 1;
        let ours = OrganisationKeys::read(&file).unwrap();
        assert!(ours.open(&sealed).is_none());
        write(&[]);
        assert!(matches!(OrganisationKeys::read(&file), Err(KeysError::NoOrganisation)));
        assert!(Organisation::parse("age1qqq").is_none());
        assert_eq!(organisation.ending().len(), 8);
    }
}
