//! The device by which Raspberry Pi's kernel hands a message to the firmware, and a socket that stands for it.
#![allow(unsafe_code, reason = "the device takes messages by ioctl")]

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;
use std::{fmt, fs};

/// How long what stands for the firmware may take.
const PATIENCE: Duration = Duration::from_secs(10);

mod device {
    // The number of the device, and of the call: `_IOWR(100, 0, char *)` in `drivers/char/broadcom/vcio.c`.
    nix::ioctl_readwrite!(exchange, 100, 0, *mut u8);
}

/// The firmware's end of property messages.
pub trait Mailbox {
    /// Hands `message` over and puts the answer in its place, which is as long. See `property` for what is in it.
    ///
    /// # Errors
    /// [`io::Error`]; `EINVAL` where the firmware did not take it.
    fn exchange(&mut self, message: &mut [u8]) -> io::Result<()>;
}

/// The mailbox at a path: the device, or on a desk a Unix socket that answers each message by one as long.
#[derive(Clone, Debug)]
pub struct MailboxAt(PathBuf);

impl MailboxAt {
    /// The one at `path`, which need not be there.
    #[must_use]
    pub const fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Opens it.
    ///
    /// # Errors
    /// [`io::Error`]; `NotFound` where there is none.
    pub(super) fn open(&self) -> io::Result<Open> {
        if fs::metadata(&self.0)?.file_type().is_socket() {
            let stream = UnixStream::connect(&self.0)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            Ok(Open::Socket(stream))
        } else {
            Ok(Open::Device(File::open(&self.0)?))
        }
    }
}

/// An open mailbox.
#[derive(Debug)]
pub(super) enum Open {
    Device(File),
    Socket(UnixStream),
}

impl Mailbox for Open {
    fn exchange(&mut self, message: &mut [u8]) -> io::Result<()> {
        match self {
            Self::Device(device) => exchange_by(device, message),
            Self::Socket(stream) => {
                stream.write_all(message)?;
                stream.read_exact(message)
            }
        }
    }
}

fn exchange_by(device: &File, message: &mut [u8]) -> io::Result<()> {
    // The driver believes the length that stands in the message itself.
    let length = message.first_chunk().map(|length| u32::from_le_bytes(*length));
    if length.and_then(|length| usize::try_from(length).ok()) != Some(message.len()) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: the driver reads and writes as many bytes at the address as the message says in its first four, which are
    // exactly those of `message`, borrowed for writing until the call returns.
    unsafe { device::exchange(device.as_raw_fd(), message.as_mut_ptr().cast())? };
    Ok(())
}

impl fmt::Display for MailboxAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_lies_about_its_length_is_not_handed_to_the_kernel() {
        let device = File::open("/dev/null").unwrap();
        for mut message in [vec![], vec![24, 0, 0], vec![25; 24], vec![23, 0, 0, 0]] {
            let error = exchange_by(&device, &mut message).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{message:?}");
        }
        let mut message = [24_u32, 0, 0x0003_008f, 4, 0, 0].map(u32::to_le_bytes).concat();
        let error = exchange_by(&device, &mut message).unwrap_err();
        assert_eq!(
            error.raw_os_error(),
            Some(nix::libc::ENOTTY),
            "another device has no such call"
        );
    }
}
