//! Takes an open volume out of the kernel, and its key with it, by the kernel's own call: the program that does the same lies
//! on the card, and with the card pulled out it may be nowhere.
#![allow(unsafe_code, reason = "device-mapper takes its calls by ioctl")]

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

use nix::errno::Errno;
use nix::libc::c_char;

const FOLDER: &str = "/dev/mapper";
/// Bytes of a name, with the zero behind it.
const NAME_SIZE: usize = 128;

/// What every call of device-mapper takes (Linux, `include/uapi/linux/dm-ioctl.h`).
#[repr(C)]
#[derive(Debug)]
pub(super) struct Call {
    version: [u32; 3],
    data_size: u32,
    data_start: u32,
    target_count: u32,
    open_count: i32,
    flags: u32,
    event_nr: u32,
    padding: u32,
    dev: u64,
    name: [c_char; NAME_SIZE],
    uuid: [c_char; 129],
    data: [c_char; 7],
}

mod device {
    nix::ioctl_readwrite!(remove, 0xfd, 4, super::Call);
}

/// Removes the mapping of this name, and its file below `/dev/mapper`.
///
/// # Errors
/// `EBUSY` while somebody uses it, `ENXIO` where there is none; then nothing was changed.
pub(super) fn remove(name: &str) -> Result<(), Errno> {
    let folder = Path::new(FOLDER);
    remove_by(&folder.join("control"), name)?;
    match fs::remove_file(folder.join(name)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(errno(&error)),
        _ => Ok(()),
    }
}

fn remove_by(control: &Path, name: &str) -> Result<(), Errno> {
    if name.is_empty() || name.len() >= NAME_SIZE {
        return Err(Errno::EINVAL);
    }
    let mut call = Call {
        version: [4, 0, 0],
        data_size: size_of::<Call>().try_into().map_err(|_| Errno::EINVAL)?,
        data_start: 0,
        target_count: 0,
        open_count: 0,
        flags: 0,
        event_nr: 0,
        padding: 0,
        dev: 0,
        name: [0; NAME_SIZE],
        uuid: [0; 129],
        data: [0; 7],
    };
    for (to, from) in call.name.iter_mut().zip(name.bytes()) {
        *to = c_char::from_ne_bytes([from]);
    }
    let control = File::options()
        .read(true)
        .write(true)
        .open(control)
        .map_err(|error| errno(&error))?;
    // SAFETY: `Call` is laid out as the kernel's `struct dm_ioctl` and says its own size, which is all that the kernel reads
    // and writes; it is borrowed for writing until the call returns.
    unsafe { device::remove(control.as_raw_fd(), &raw mut call)? };
    Ok(())
}

fn errno(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_call_is_as_long_as_the_kernels() {
        assert_eq!(size_of::<Call>(), 312);
        assert_eq!(std::mem::offset_of!(Call, name), 48);
    }

    #[test]
    fn a_name_that_no_mapping_can_have_does_not_come_to_the_kernel() {
        for name in ["", &"n".repeat(128)] {
            assert_eq!(remove_by(Path::new("/dev/null"), name), Err(Errno::EINVAL));
        }
        let longest = "n".repeat(127);
        assert_eq!(
            remove_by(Path::new("/dev/null"), &longest),
            Err(Errno::ENOTTY),
            "another device has no such call"
        );
    }
}
