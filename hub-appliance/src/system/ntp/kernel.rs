//! What the kernel is told of the clock.
#![allow(unsafe_code, reason = "the kernel's view of the clock is a C structure")]

use std::mem::MaybeUninit;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;

/// Says that the clock is right, to within `error`. From now on the kernel writes it to the clock chip, if there is one,
/// every 11 minutes, until the clock is set anew or nobody has said so again for hours (by its own count the error grows by
/// half a millisecond a second, and more than 16 seconds is not right).
///
/// # Errors
/// `EPERM` without the right to set the clock.
pub(super) fn call_right(error: Duration) -> Result<(), Errno> {
    let microseconds = libc::c_long::try_from(error.as_micros()).unwrap_or(libc::c_long::MAX);
    // SAFETY: `timex` is made of integers only, for which zero is a value.
    let mut change: libc::timex = unsafe { MaybeUninit::zeroed().assume_init() };
    change.modes = libc::ADJ_STATUS | libc::ADJ_MAXERROR | libc::ADJ_ESTERROR;
    // Without STA_UNSYNC.
    change.status = 0;
    change.maxerror = microseconds;
    change.esterror = microseconds;
    // SAFETY: `change` is a whole `timex` of ours, which is read and written during the call only.
    let state = unsafe { libc::adjtimex(&raw mut change) };
    Errno::result(state).map(drop)
}
