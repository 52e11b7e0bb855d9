//! The key on a USB stick: 32 random bytes in the file `hub.key`, without which a slot that asks for it does not open.
//!
//! Whoever has the file has the key. It is made once and never written over: another hub may rest on it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};

use super::kdf;
use crate::secret::Secret;

/// The file's name, in the topmost folder of a stick.
pub const USB_KEY_FILE: &str = "hub.key";
/// Bytes of the key, and of the file.
const LEN: usize = 32;

/// The key of a stick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsbKey(Secret<LEN>);

/// Why there is no key on a stick.
#[derive(Debug, thiserror::Error)]
pub enum UsbKeyError {
    /// There is a file of this name that is no key.
    #[error("the stick has a file {USB_KEY_FILE} that is no key")]
    Other,
    /// The operating system gave no random bytes.
    #[error("no random bytes: {0}")]
    Random(#[from] getrandom::Error),
    /// The stick can't be read or written.
    #[error("the stick failed: {0}")]
    Io(#[from] io::Error),
}

impl UsbKey {
    /// The key on the stick whose topmost folder is `stick`, if there is one.
    ///
    /// # Errors
    /// [`UsbKeyError`].
    pub fn read(stick: &Path) -> Result<Option<Self>, UsbKeyError> {
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(O_NOFOLLOW | O_NONBLOCK)
            .open(path(stick));
        let mut file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let found = file.metadata()?;
        if !found.is_file() || found.len() != LEN as u64 {
            return Err(UsbKeyError::Other);
        }
        let mut key = Secret::new([0; LEN]);
        file.read_exact(key.expose_mut())?;
        // Room that a write which was cut short left behind.
        if key == Secret::new([0; LEN]) {
            return Err(UsbKeyError::Other);
        }
        Ok(Some(Self(key)))
    }

    /// The key on the stick whose topmost folder is `stick`; makes one where there is none.
    ///
    /// # Errors
    /// [`UsbKeyError`]; what was there is as it was.
    pub fn read_or_make(stick: &Path) -> Result<Self, UsbKeyError> {
        if let Some(key) = Self::read(stick)? {
            return Ok(key);
        }
        let key = Secret::random()?;
        let path = path(stick);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        let written = file
            .write_all(key.expose())
            .and_then(|()| file.sync_all())
            .and_then(|()| File::open(stick)?.sync_all());
        if let Err(error) = written {
            drop(file);
            // Half a key would be in the way of the next try.
            let _ = fs::remove_file(&path);
            return Err(error.into());
        }
        drop(file);
        match Self::read(stick)? {
            Some(read) if read.0 == key => Ok(read),
            _ => Err(io::Error::from(io::ErrorKind::InvalidData).into()),
        }
    }

    /// What it makes of `message`: HMAC-SHA256.
    pub(super) fn hmac(&self, message: &[u8]) -> Secret<32> {
        kdf::hmac(self.0.expose(), message)
    }
}

fn path(stick: &Path) -> PathBuf {
    stick.join(USB_KEY_FILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_made_once_and_read_back() {
        let stick = tempfile::tempdir().unwrap();
        assert_eq!(UsbKey::read(stick.path()).unwrap(), None);
        let key = UsbKey::read_or_make(stick.path()).unwrap();
        let bytes = fs::read(stick.path().join("hub.key")).unwrap();
        assert_eq!(bytes.len(), 32);
        assert_eq!(UsbKey::read_or_make(stick.path()).unwrap(), key);
        assert_eq!(UsbKey::read(stick.path()).unwrap(), Some(key.clone()));
        assert_eq!(fs::read(stick.path().join("hub.key")).unwrap(), bytes);
        assert_eq!(format!("{key:?}"), "UsbKey([secret])");
        let other = tempfile::tempdir().unwrap();
        assert_ne!(UsbKey::read_or_make(other.path()).unwrap(), key);
    }

    #[test]
    fn nothing_that_is_no_key_is_taken_or_written_over() {
        let stick = tempfile::tempdir().unwrap();
        let path = stick.path().join("hub.key");
        for content in [&b""[..], &[7; 31], &[7; 33], &[0; 32]] {
            fs::write(&path, content).unwrap();
            assert!(matches!(UsbKey::read(stick.path()), Err(UsbKeyError::Other)));
            assert!(matches!(UsbKey::read_or_make(stick.path()), Err(UsbKeyError::Other)));
            assert_eq!(fs::read(&path).unwrap(), content);
        }
        fs::remove_file(&path).unwrap();
        fs::write(stick.path().join("elsewhere"), [7; 32]).unwrap();
        std::os::unix::fs::symlink("elsewhere", &path).unwrap();
        assert!(UsbKey::read(stick.path()).is_err(), "it leads elsewhere");
        fs::remove_file(&path).unwrap();
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(UsbKey::read(stick.path()).is_err(), "nobody waits at a pipe");
    }
}
