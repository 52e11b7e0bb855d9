//! The hub's end of the sticks' service.
//!
//! One connection: when it breaks, however the hub ended, the service closes all sticks.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::unistd::syncfs;

use super::protocol::{Answer, Request, receive, send};
use super::{Access, Mounted, Stick, Sticks, SticksError};

/// How long an answer may take: a slow stick takes in what was written to it before it is closed.
const PATIENCE: Duration = Duration::from_secs(120);
const SYS_BLOCK: &str = "/sys/block";

/// The sticks, opened by the service that listens on a socket.
#[derive(Debug)]
pub struct Service(pub(super) Arc<Connection>);

#[derive(Debug)]
pub(super) struct Connection {
    socket: PathBuf,
    pub(super) stream: Mutex<Option<BufReader<UnixStream>>>,
}

impl Service {
    /// The service that listens at `socket`. Connects when it is first asked for something.
    #[must_use]
    pub fn at(socket: PathBuf) -> Self {
        Self(Arc::new(Connection {
            socket,
            stream: Mutex::new(None),
        }))
    }
}

impl Connection {
    fn ask(&self, request: &Request) -> Result<Answer, SticksError> {
        let mut kept = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stream = match kept.take() {
            Some(stream) => stream,
            None => connect(&self.socket).map_err(|_| SticksError::Service)?,
        };
        // One that failed is not put back: what comes out of it next would answer something else.
        let answer = exchange(&mut stream, request).map_err(|_| SticksError::Service)?;
        *kept = Some(stream);
        match answer {
            Answer::Failed(error) => Err(error),
            answer => Ok(answer),
        }
    }
}

fn connect(socket: &Path) -> io::Result<BufReader<UnixStream>> {
    let stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(BufReader::new(stream))
}

fn exchange(stream: &mut BufReader<UnixStream>, request: &Request) -> io::Result<Answer> {
    send(stream.get_ref(), request)?;
    receive(stream)?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

impl Sticks for Service {
    fn look(&self) -> Result<Vec<Stick>, SticksError> {
        match self.0.ask(&Request::Look)? {
            Answer::Sticks(sticks) => Ok(sticks),
            _ => Err(SticksError::Service),
        }
    }

    fn is_there(&self, stick: &Stick) -> bool {
        has_disk(Path::new(SYS_BLOCK), stick.token)
    }

    fn open(&self, stick: &Stick, access: Access) -> Result<Mounted, SticksError> {
        let token = stick.token;
        let Answer::Opened(path) = self.0.ask(&Request::Open { token, access })? else {
            return Err(SticksError::Service);
        };
        let (connection, folder) = (Arc::clone(&self.0), path.clone());
        Ok(Mounted::new(path, move || {
            // The service may not: the topmost folder is its owner's alone.
            let synced = File::open(&folder).and_then(|folder| Ok(syncfs(&folder)?));
            match connection.ask(&Request::Close { token })? {
                Answer::Done => Ok(synced?),
                _ => Err(SticksError::Service),
            }
        }))
    }
}

/// Whether the kernel shows a disk with this number in `sys_block`.
fn has_disk(sys_block: &Path, sequence: u64) -> bool {
    let number = |folder: &Path| {
        fs::read_to_string(folder.join("diskseq"))
            .ok()?
            .trim()
            .parse::<u64>()
            .ok()
    };
    fs::read_dir(sys_block).is_ok_and(|disks| {
        disks
            .filter_map(Result::ok)
            .any(|disk| number(&disk.path()) == Some(sequence))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stick_is_there_for_as_long_as_the_kernel_shows_it() {
        let sys = tempfile::tempdir().unwrap();
        fs::create_dir(sys.path().join("sda")).unwrap();
        assert!(!has_disk(sys.path(), 7));
        fs::write(sys.path().join("sda/diskseq"), "7\n").unwrap();
        assert!(has_disk(sys.path(), 7));
        assert!(!has_disk(sys.path(), 8), "put back it is another one");
        assert!(!has_disk(Path::new("/nonexistent"), 7));
    }
}
