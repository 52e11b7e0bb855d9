//! The way out to the cloud through the box's firewall.
//!
//! The firewall lets the hub out to nobody. The hub has no right over it, and asks one that has: the image's `cloud-way`
//! service, which reads words from a named pipe. So the way is open only while the hub is, and has a cloud to call.

use std::io;
use std::path::Path;

use super::pipe;

/// How it is to be with the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloudWay {
    /// The hub may ask for names, and call by HTTPS.
    Open,
    /// It may call nobody.
    Shut,
}

impl CloudWay {
    const fn word(self) -> &'static str {
        match self {
            Self::Open => "open\n",
            Self::Shut => "shut\n",
        }
    }

    /// Asks for it at `pipe`. Never waits.
    ///
    /// # Errors
    /// [`io::Error`] if there is no such pipe, or nobody who reads from it (`ENXIO`).
    pub fn ask(self, pipe: &Path) -> io::Result<()> {
        pipe::say(pipe, self.word())
    }
}
