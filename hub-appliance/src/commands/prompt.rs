//! Asking for a secret: on the terminal without showing it, or as a line of standard input where that is no terminal.

use std::io::{self, BufRead, IsTerminal, Write, stderr, stdin};

use hub_appliance::appliance::ApplianceError;
use hub_appliance::keys::{Pin, RecoveryCode};
use hub_appliance::secret::SecretText;
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::CommandError;

/// A line longer than this is no secret of ours.
const MAX_LENGTH: u64 = 256;

/// Asks with `question`.
///
/// # Errors
/// What the terminal reports.
pub(super) fn secret(question: &str) -> io::Result<SecretText> {
    let hidden = if stdin().is_terminal() {
        write!(stderr(), "{question}")?;
        Some(HiddenInput::begin()?)
    } else {
        None
    };
    let mut line = Zeroizing::new(String::new());
    io::Read::take(stdin().lock(), MAX_LENGTH).read_line(&mut line)?;
    drop(hidden);
    Ok(SecretText::new(line.trim().to_owned()))
}

/// Asks for a recovery code: its groups in one line.
///
/// # Errors
/// What the terminal reports, or what is wrong with the code.
pub(super) fn recovery_code() -> Result<RecoveryCode, CommandError> {
    let typed = secret("Recovery code of the backup, 8 groups: ").map_err(ApplianceError::Console)?;
    let groups = typed.expose().split(|c: char| !c.is_ascii_digit());
    Ok(RecoveryCode::parse(groups.filter(|group| !group.is_empty()))?)
}

/// Asks for the hub's PIN.
///
/// # Errors
/// [`ApplianceError::Console`], or [`ApplianceError::Pin`] if what was typed is none.
pub(super) fn pin() -> Result<Pin, ApplianceError> {
    pin_of("PIN: ")
}

/// Asks for a new PIN, twice.
///
/// # Errors
/// As [`pin`], or [`CommandError::TypedTwice`].
pub(super) fn new_pin() -> Result<Pin, CommandError> {
    let pin = pin_of("New PIN: ")?;
    if pin == pin_of("New PIN, once more: ")? {
        Ok(pin)
    } else {
        Err(CommandError::TypedTwice)
    }
}

fn pin_of(question: &str) -> Result<Pin, ApplianceError> {
    let typed = secret(question).map_err(ApplianceError::Console)?;
    Pin::parse(typed.expose()).map_err(|_| ApplianceError::Pin)
}

/// What is typed is not shown, until this is dropped.
struct HiddenInput(Termios);

impl HiddenInput {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(stdin())?;
        let mut hidden = before.clone();
        hidden.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(stdin(), SetArg::TCSANOW, &hidden)?;
        Ok(Self(before))
    }
}

impl Drop for HiddenInput {
    fn drop(&mut self) {
        // There is nothing better to do with a terminal that does not take its settings back.
        let _ = tcsetattr(stdin(), SetArg::TCSANOW, &self.0);
        let _ = writeln!(stderr());
    }
}
