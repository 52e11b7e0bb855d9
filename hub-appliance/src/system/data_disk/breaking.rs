//! Breaking off what works on the keys of a disk, from another thread: who locks can't wait for a program that takes its time.
//!
//! A program that is killed leaves what a power cut leaves, and each step of a change of keys can be gone again.

use std::io;
use std::process::{Child, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

use super::DataDiskError;

/// Breaks off a piece of work that runs programs one after the other.
#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<Work>);

#[derive(Debug, Default)]
struct Work {
    is_under_way: bool,
    is_broken: bool,
    /// The program that runs, as long as its number is no other's.
    program: Option<Pid>,
}

impl Breaker {
    fn work(&self) -> MutexGuard<'_, Work> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does a piece of work that can be broken off. One at a time.
    pub(super) fn run<T>(&self, work: impl FnOnce() -> Result<T, DataDiskError>) -> Result<T, DataDiskError> {
        *self.work() = Work {
            is_under_way: true,
            ..Work::default()
        };
        let done = work();
        *self.work() = Work::default();
        done
    }

    /// Has the piece of work that is under way end: its program is killed, and none is begun any more.
    pub(super) fn break_off(&self) {
        let mut work = self.work();
        if !work.is_under_way {
            return;
        }
        work.is_broken = true;
        if let Some(program) = work.program
            && let Err(error) = kill(program, Signal::SIGKILL)
        {
            tracing::error!(%error, "a program that works on the data disk can't be broken off");
        }
    }

    /// Begins a program.
    ///
    /// # Errors
    /// [`DataDiskError::Stopped`] after the end of it all, or why it does not begin.
    pub(super) fn start(&self, begin: impl FnOnce() -> Result<Child, DataDiskError>) -> Result<Child, DataDiskError> {
        let mut work = self.work();
        if work.is_broken {
            return Err(DataDiskError::Stopped);
        }
        let child = begin()?;
        work.program = i32::try_from(child.id()).ok().map(Pid::from_raw);
        Ok(child)
    }

    /// Waits for the end of the program that was begun last.
    ///
    /// # Errors
    /// [`DataDiskError::Stopped`] if it was broken off, or what the operating system reports.
    pub(super) fn wait(&self, child: &mut Child) -> Result<ExitStatus, DataDiskError> {
        let program = self.work().program;
        if let Some(program) = program {
            // Without taking its number away, which could be another's before it is forgotten here.
            while waitid(Id::Pid(program), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) == Err(Errno::EINTR) {}
        }
        let mut work = self.work();
        work.program = None;
        let status: io::Result<ExitStatus> = child.wait();
        if work.is_broken {
            return Err(DataDiskError::Stopped);
        }
        Ok(status?)
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::sync::Arc;

    use super::*;

    /// A program that ends when its standard input does.
    fn cat() -> Result<Child, DataDiskError> {
        Ok(Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?)
    }

    #[test]
    fn a_program_is_killed_and_none_is_begun_after_it_until_the_work_is_another() {
        let breaker = Arc::new(Breaker::default());
        let (begun, is_begun) = std::sync::mpsc::channel();
        let works = Arc::clone(&breaker);
        let work = std::thread::spawn(move || {
            let mut next = None;
            let ended = works.run(|| {
                let mut child = works.start(cat)?;
                begun.send(()).unwrap();
                // Nobody ever closes what it reads.
                let ended = works.wait(&mut child);
                next = Some(works.start(cat).map(|_| ()));
                ended
            });
            (ended.map(|_| ()), next)
        });
        is_begun.recv().unwrap();
        breaker.break_off();
        let stopped = Err(DataDiskError::Stopped);
        assert_eq!(work.join().unwrap(), (stopped, Some(stopped)));

        let ended = breaker.run(|| {
            let mut child = breaker.start(cat)?;
            drop(child.stdin.take());
            breaker.wait(&mut child)
        });
        assert!(ended.unwrap().success());
    }

    #[test]
    fn what_is_not_under_way_is_not_broken_off() {
        let breaker = Breaker::default();
        breaker.break_off();
        let ended = breaker.run(|| {
            let mut child = breaker.start(cat)?;
            drop(child.stdin.take());
            breaker.wait(&mut child)
        });
        assert!(ended.unwrap().success());
    }
}
