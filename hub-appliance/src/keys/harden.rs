//! Keeps the memory of the process, keys included, out of core dumps, other processes and swap.

use nix::errno::Errno;
use nix::libc::MCL_ONFAULT;
use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::prctl;
use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};

/// What [`harden_process`] achieved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hardening {
    /// Whether all memory is locked, so that none of it is ever swapped out.
    pub memory_locked: bool,
}

/// Switches core dumps and tracing by other processes of the same user off (`prctl(2)`, `PR_SET_DUMPABLE`;
/// `RLIMIT_CORE`), and locks the memory if that is permitted (`mlockall(2)`).
///
/// Pages are locked as they are first touched (`MCL_ONFAULT`), for the stacks of idle threads would fill a small board.
/// They are locked only where the limit on locked memory can be lifted: under a limit, a locked process gets no more
/// memory once it is reached. The image has no swap, so memory that is not locked is no fault there.
///
/// # Errors
/// [`Errno`] if core dumps could not be switched off.
pub fn harden_process() -> Result<Hardening, Errno> {
    prctl::set_dumpable(false)?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    let locked = setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY).and_then(|()| {
        mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE | MlockAllFlags::from_bits_retain(MCL_ONFAULT))
    });
    Ok(Hardening {
        memory_locked: locked.is_ok(),
    })
}

#[cfg(test)]
mod tests {
    use nix::sys::resource::getrlimit;

    use super::*;

    #[test]
    fn switches_core_dumps_off() {
        harden_process().unwrap();
        assert!(!prctl::get_dumpable().unwrap());
        assert_eq!(getrlimit(Resource::RLIMIT_CORE).unwrap(), (0, 0));
    }
}
