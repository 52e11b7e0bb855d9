//! A backup brought back by `hub-appliance restore`, as a person on a desk does it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use super::{HubError, binary};

/// Restores the backup in `from` as a new hub in the folder `data`: types the recovery code of its day and the new PIN, and the
/// new code back as a person would. Whether it was restored. Blocking.
///
/// # Errors
/// [`HubError::Io`] when it can't be run.
///
/// # Panics
/// Where the new code is the old one, or not shown.
pub fn restore(from: &Path, data: &Path, code: &str, new_pin: &str) -> Result<bool, HubError> {
    restore_by(from, data, Key::Code(code), new_pin)
}

/// The same by an organisation's key, which is in the file `identity`.
///
/// # Errors
/// As [`restore`].
///
/// # Panics
/// As [`restore`].
pub fn restore_as(from: &Path, data: &Path, identity: &Path, new_pin: &str) -> Result<bool, HubError> {
    restore_by(from, data, Key::Identity(identity), new_pin)
}

enum Key<'a> {
    Code(&'a str),
    Identity(&'a Path),
}

fn restore_by(from: &Path, data: &Path, key: Key<'_>, new_pin: &str) -> Result<bool, HubError> {
    let mut command = Command::new(binary()?);
    command.args(["restore", "--unlock-time", "0", "--from"]).arg(from);
    let code = match key {
        Key::Code(code) => Some(code),
        Key::Identity(identity) => {
            command.arg("--identity").arg(identity);
            None
        }
    };
    let mut child = command
        .arg("--data")
        .arg(data)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let typed = child.stdin.take();
    let shown = child.stdout.take();
    if let (Some(mut typed), Some(shown)) = (typed, shown) {
        let mut shown = BufReader::new(shown).lines();
        if let Some(code) = code {
            writeln!(typed, "{code}")?;
        }
        // It may refuse before it asks for the rest.
        let _ = writeln!(typed, "{new_pin}\n{new_pin}");
        if let Some(Ok(line)) = shown.next() {
            let new = line.split(": ").nth(1).expect("a code");
            assert_ne!(Some(new), code);
            let groups: Vec<_> = new.split('-').collect();
            writeln!(typed, "{}\n{}", groups[2], groups[5])?;
            let _ = shown.next();
        }
    }
    Ok(child.wait()?.success())
}
