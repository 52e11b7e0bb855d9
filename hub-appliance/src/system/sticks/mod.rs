//! USB sticks that are not the data disk: for a key, for backups, for what an organisation sends.
//!
//! | file | what it does |
//! |---|---|
//! | `folder` | one stick that is a folder, as on a desk |
//! | `client` | the hub's end of the service below |
//! | `service` | opens and closes sticks for the hub, which may mount nothing |
//! | `disks` | finds and mounts them; needs root |
//! | `protocol` | what hub and service say to each other |
//!
//! ```text
//! hub (user hub) ── Unix socket ──► hub-appliance sticks (root) ──► blkid, mount(2)
//! ```
//!
//! A process of its own beside that of the data disk: a stick that answers slowly must never keep the hub from locking. It
//! promises that the data disk, the system's card, an old card and whatever bears a trace of these is never mounted by it,
//! that nothing on a stick gives rights, is run or leads elsewhere, and that no stick is mounted without being asked for.

mod client;
mod disks;
mod folder;
mod protocol;
mod service;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

pub use client::Service;
pub use disks::Disks;
pub use folder::Folder;
pub use service::serve;

/// What systems put on a stick by themselves.
const OF_SYSTEMS: [&str; 6] = [
    "lost+found",
    "System Volume Information",
    "$RECYCLE.BIN",
    ".Trashes",
    ".Spotlight-V100",
    ".fseventsd",
];

/// A USB stick, or another disk that is not the hub's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Stick {
    /// What it calls itself, at most 32 printable characters; may be empty.
    pub name: String,
    /// The label of its file system, likewise.
    pub label: String,
    /// The size of all of it.
    pub bytes: u64,
    /// Whether it has a file system that can be opened.
    pub has_files: bool,
    /// The kernel's number for it: no other stick has it before the next start, nor this one once it was pulled out.
    pub token: u64,
}

/// What is to be done with a stick.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Nothing is changed on it.
    ReadOnly,
    /// Files are written.
    ReadWrite,
}

/// Why a stick could not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum SticksError {
    /// It was pulled out.
    #[error("the stick was pulled out")]
    Gone,
    /// It has no file system, or none that this system knows.
    #[error("there are no files on the stick that can be read")]
    NoFileSystem,
    /// It can't be written.
    #[error("the stick is write-protected")]
    WriteProtected,
    /// Its file system does not mount.
    #[error("the stick is damaged")]
    Damaged,
    /// The operating system refused: its `errno`.
    #[error("the stick: {}", Errno::from_raw(*.0))]
    System(i32),
    /// The service that works on sticks does not answer, or not in our words.
    #[error("the sticks' service does not answer")]
    Service,
}

impl From<Errno> for SticksError {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::ENXIO | Errno::ENOMEDIUM => Self::Gone,
            Errno::EROFS | Errno::EACCES => Self::WriteProtected,
            Errno::EUCLEAN | Errno::EINVAL => Self::Damaged,
            Errno::ENODEV => Self::NoFileSystem,
            errno => Self::System(errno as i32),
        }
    }
}

impl From<io::Error> for SticksError {
    fn from(error: io::Error) -> Self {
        Errno::from_raw(error.raw_os_error().unwrap_or(Errno::EIO as i32)).into()
    }
}

/// The sticks, as the life of the box sees them. All calls but [`Sticks::is_there`] block.
pub trait Sticks: fmt::Debug + Send + Sync {
    /// The sticks that are in. None of them is mounted for that.
    ///
    /// # Errors
    /// [`SticksError`] if that can't be told.
    fn look(&self) -> Result<Vec<Stick>, SticksError>;

    /// Whether the stick is still in. Quick, and asks nobody: for who watches it.
    fn is_there(&self, stick: &Stick) -> bool;

    /// Opens a stick. It can be open several times at once.
    ///
    /// # Errors
    /// [`SticksError`]; then it is as it was.
    fn open(&self, stick: &Stick, access: Access) -> Result<Mounted, SticksError>;
}

/// An open stick; closed when dropped.
pub struct Mounted {
    path: PathBuf,
    close: Option<Box<dyn FnOnce() -> Result<(), SticksError> + Send + Sync>>,
}

impl Mounted {
    fn new(path: PathBuf, close: impl FnOnce() -> Result<(), SticksError> + Send + Sync + 'static) -> Self {
        Self {
            path,
            close: Some(Box::new(close)),
        }
    }

    /// The stick's topmost folder. The hub's user may read there, and write if that was asked for.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is nothing on it but what systems put there by themselves.
    ///
    /// # Errors
    /// [`io::Error`] if it can't be read.
    pub fn is_empty(&self) -> io::Result<bool> {
        for entry in fs::read_dir(&self.path)? {
            let name = entry?.file_name();
            if !OF_SYSTEMS.iter().any(|system| name.eq_ignore_ascii_case(system)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Closes it: what was written is on it then.
    ///
    /// # Errors
    /// [`SticksError`] if that is not sure.
    pub fn close(mut self) -> Result<(), SticksError> {
        self.close.take().map_or(Ok(()), |close| close())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Some(close) = self.close.take()
            && let Err(error) = close()
        {
            tracing::warn!(%error, "a stick could not be closed");
        }
    }
}

impl fmt::Debug for Mounted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mounted")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// No sticks at all: a hub that can't reach any.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSticks;

impl Sticks for NoSticks {
    fn look(&self) -> Result<Vec<Stick>, SticksError> {
        Ok(Vec::new())
    }

    fn is_there(&self, _: &Stick) -> bool {
        false
    }

    fn open(&self, _: &Stick, _: Access) -> Result<Mounted, SticksError> {
        Err(SticksError::Gone)
    }
}
