//! What the lines go over: a socket that is listened on, or a device that is opened.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use uuid::Uuid;

use crate::board::BoardError;

/// Where lines come from.
#[derive(Debug)]
pub(super) enum Endpoint {
    /// A socket of ours that clients connect to.
    Socket(Socket),
    /// A character device, open for as long as it works.
    Device(Device),
}

impl Endpoint {
    pub(super) fn open(path: &Path) -> Result<Self, BoardError> {
        match fs::metadata(path) {
            Ok(found) if found.file_type().is_char_device() => {
                let device = Device { path: path.to_owned() };
                device.open().map_err(BoardError::io("device"))?;
                Ok(Self::Device(device))
            }
            Ok(found) if !found.file_type().is_socket() => Err(BoardError::WrongFile(path.to_owned())),
            Ok(_) if UnixStream::connect(path).is_ok() => Err(BoardError::InUse(path.to_owned())),
            Ok(_) => Socket::bind(path).map(Self::Socket).map_err(BoardError::io("socket")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Socket::bind(path).map(Self::Socket).map_err(BoardError::io("socket"))
            }
            Err(error) => Err(BoardError::Io {
                what: "path",
                source: error,
            }),
        }
    }
}

/// A listening socket; its file is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) listener: UnixListener,
    path: PathBuf,
    /// Device and inode of the file, so that a successor's is left alone.
    file: (u64, u64),
}

impl Socket {
    /// Listens at `path`. The socket is made in a folder that only its owner can enter and then moved: at no moment
    /// can somebody else connect, and a stale socket is replaced in one step.
    fn bind(path: &Path) -> io::Result<Self> {
        let mut folder = path.as_os_str().to_owned();
        folder.push(format!(".{:08x}", Uuid::new_v4().as_fields().0));
        let folder = PathBuf::from(folder);
        DirBuilder::new().mode(0o700).create(&folder)?;
        let made = folder.join("s");
        let bound = Self::bind_and_move(&made, path);
        if bound.is_err() {
            // What is reported is why it did not work; a leftover is harmless.
            let _ = fs::remove_file(&made);
        }
        fs::remove_dir(&folder)?;
        bound
    }

    fn bind_and_move(made: &Path, path: &Path) -> io::Result<Self> {
        let listener = UnixListener::bind(made)?;
        listener.set_nonblocking(true)?;
        fs::set_permissions(made, Permissions::from_mode(0o600))?;
        fs::rename(made, path)?;
        Ok(Self {
            listener,
            path: path.to_owned(),
            file: identity(path)?,
        })
    }

    /// The next client that waits, if any.
    pub(super) fn accept(&self) -> io::Result<File> {
        let (stream, _) = self.listener.accept()?;
        stream.set_nonblocking(true)?;
        Ok(File::from(std::os::fd::OwnedFd::from(stream)))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|file| file == self.file) {
            // Nobody is left to tell; the next start replaces a stale socket.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}

/// A character device.
#[derive(Debug)]
pub(super) struct Device {
    path: PathBuf,
}

impl Device {
    /// Opens the device; a terminal line is set to pass bytes as they are, without echo.
    pub(super) fn open(&self) -> io::Result<File> {
        let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(flags.bits())
            .open(&self.path)?;
        // What is no terminal line (a virtual machine's port, say) needs no settings.
        if let Ok(mut settings) = tcgetattr(&file) {
            cfmakeraw(&mut settings);
            tcsetattr(&file, SetArg::TCSANOW, &settings)?;
        }
        Ok(file)
    }
}
