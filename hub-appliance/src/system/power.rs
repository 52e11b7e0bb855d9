//! The power of the box.
//!
//! The hub has no right to switch it off, and asks one that has: the image's `power` service, which reads words from a
//! named pipe.

use std::io;
use std::path::Path;

use super::pipe;

/// What can be done with the power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// Shut down and switch off.
    Off,
    /// Shut down and start anew.
    Restart,
}

impl Power {
    const fn word(self) -> &'static str {
        match self {
            Self::Off => "off\n",
            Self::Restart => "restart\n",
        }
    }

    /// Asks for it at `pipe`. The hub has to be locked before. Never waits.
    ///
    /// # Errors
    /// [`io::Error`] if there is no such pipe, or nobody who reads from it (`ENXIO`).
    pub fn ask(self, pipe: &Path) -> io::Result<()> {
        pipe::say(pipe, self.word())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Read;
    use std::os::unix::fs::OpenOptionsExt;
    use std::path::PathBuf;

    use nix::libc::O_NONBLOCK;
    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::*;

    fn pipe(folder: &tempfile::TempDir) -> PathBuf {
        let path = folder.path().join("power");
        mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
        path
    }

    #[test]
    fn the_service_gets_the_word() {
        for (power, word) in [(Power::Off, "off\n"), (Power::Restart, "restart\n")] {
            let folder = tempfile::tempdir().unwrap();
            let path = pipe(&folder);
            let mut service = OpenOptions::new()
                .read(true)
                .custom_flags(O_NONBLOCK)
                .open(&path)
                .unwrap();
            power.ask(&path).unwrap();
            let mut heard = String::new();
            service.read_to_string(&mut heard).unwrap();
            assert_eq!(heard, word);
        }
    }

    #[test]
    fn where_nobody_reads_it_fails_at_once() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Power::Off.ask(&pipe(&folder)).is_err());
        assert!(Power::Off.ask(&folder.path().join("nothing")).is_err());
    }
}
