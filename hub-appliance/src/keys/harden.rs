//! Keeps the memory of the process, keys included, out of core dumps, other processes and swap, and the program in memory.

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
/// What the process was started with, its program and its libraries, is read in as a whole, for the card that these are on
/// may be pulled out: a process that touches a page of them only then is killed (`SIGBUS`), and a locked hub has to go on
/// saying so. To be called before other threads run. What comes later is locked as it is first touched (`MCL_ONFAULT`), for
/// the stacks of idle threads would fill a small board.
///
/// Pages are locked only where the limit on locked memory can be lifted: under a limit, a locked process gets no more
/// memory once it is reached. The image has no swap, so memory that is not locked is no fault there.
///
/// # Errors
/// [`Errno`] if core dumps could not be switched off.
pub fn harden_process() -> Result<Hardening, Errno> {
    prctl::set_dumpable(false)?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    let from_now_on =
        MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE | MlockAllFlags::from_bits_retain(MCL_ONFAULT);
    let locked = setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY)
        .and_then(|()| mlockall(MlockAllFlags::MCL_CURRENT))
        .and_then(|()| mlockall(from_now_on));
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

    /// Where memory can't be locked, which is told, none of it is promised.
    #[test]
    fn has_all_of_the_program_in_memory() {
        let is_locked = harden_process().unwrap().memory_locked;
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut programs = Vec::new();
        let mut is_program = false;
        for line in maps.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                [_, rights, _, _, _, path] => is_program = *rights == "r-xp" && path.starts_with('/'),
                ["Size:", size, _] if is_program => programs.push((*size, "")),
                ["Rss:", resident, _] if is_program => programs.last_mut().unwrap().1 = resident,
                _ => {}
            }
        }
        assert!(programs.len() >= 2, "program and libraries: {programs:?}");
        assert!(
            !is_locked || programs.iter().all(|(size, resident)| size == resident),
            "{programs:?}"
        );
    }
}
