//! Words to a service with rights that the hub does not have, through a named pipe that the service reads.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::libc::O_NONBLOCK;

/// Says `word`, which ends with a line feed, to whoever reads from `pipe`. Never waits.
///
/// # Errors
/// [`io::Error`] if there is no such pipe, or nobody who reads from it (`ENXIO`).
pub(super) fn say(pipe: &Path, word: &str) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .custom_flags(O_NONBLOCK)
        .open(pipe)?
        .write_all(word.as_bytes())
}
