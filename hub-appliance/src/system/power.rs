//! The power of the box.

use std::io;
use std::process::Command;

/// Asks the system to shut down and switch the power off. The hub has to be locked before.
///
/// # Errors
/// What the operating system says if it does not.
pub fn off() -> io::Result<()> {
    let status = Command::new("poweroff").status()?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!("poweroff ended with {status}")))
    }
}
