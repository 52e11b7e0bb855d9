//! The hub's end of the data disk's service.
//!
//! One connection for the hub's whole life: when it breaks, however the hub ended, the service closes the disk.

use std::fs::File;
use std::io::{self, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::unistd::syncfs;

use super::protocol::{Answer, Request, read_line};
use super::{DataDisk, DataDiskError, DiskState, Move, Offer, Rival};
use crate::secret::SecretText;

/// How long an answer may take: a large, slow stick is formatted in less.
const PATIENCE: Duration = Duration::from_secs(300);

/// The data disk, worked on by the service that listens on a socket.
#[derive(Debug)]
pub struct Helper {
    socket: PathBuf,
    connection: Mutex<Option<BufReader<UnixStream>>>,
    /// The same connection, for what is said while an answer is waited for. Held while a line is written.
    saying: Mutex<Option<UnixStream>>,
}

impl Helper {
    /// The data disk whose service listens at `socket`. Connects when it is first asked for something.
    #[must_use]
    pub const fn at(socket: PathBuf) -> Self {
        Self {
            socket,
            connection: Mutex::new(None),
            saying: Mutex::new(None),
        }
    }

    /// Has something done.
    fn order(&self, request: &Request, progress: &dyn Fn(u16)) -> Result<(), DataDiskError> {
        match self.exchange(request, progress)? {
            Answer::Done => Ok(()),
            other => Err(failure(other)),
        }
    }

    fn exchange(&self, request: &Request, progress: &dyn Fn(u16)) -> Result<Answer, DataDiskError> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stream = match connection.take() {
            Some(stream) => stream,
            None => self.connect().map_err(|_| DataDiskError::Service)?,
        };
        // One that failed is not put back: what comes out of it next would answer something else.
        let answer = self.say(request).and_then(|()| answer(&mut stream, progress));
        let answer = answer.map_err(|_| {
            *self.saying() = None;
            DataDiskError::Service
        })?;
        *connection = Some(stream);
        Ok(answer)
    }

    fn saying(&self) -> MutexGuard<'_, Option<UnixStream>> {
        self.saying.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says a line.
    fn say(&self, request: &Request) -> io::Result<()> {
        let saying = self.saying();
        let mut stream = saying.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        stream.write_all(request.to_line().as_bytes())
    }

    fn connect(&self) -> io::Result<BufReader<UnixStream>> {
        let stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        *self.saying() = Some(stream.try_clone()?);
        Ok(BufReader::new(stream))
    }
}

/// Why an answer is not the one that was asked for.
fn failure(answer: Answer) -> DataDiskError {
    match answer {
        Answer::Failed(error) => error,
        _ => DataDiskError::Service,
    }
}

fn answer(stream: &mut BufReader<UnixStream>, progress: &dyn Fn(u16)) -> io::Result<Answer> {
    loop {
        let line = read_line(stream)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        match serde_json::from_str(&line)? {
            Answer::Progress(permille) => progress(permille),
            answer => return Ok(answer),
        }
    }
}

impl DataDisk for Helper {
    fn state(&self) -> Result<DiskState, DataDiskError> {
        match self.exchange(&Request::State, &|_| {})? {
            Answer::State(state) => Ok(state),
            other => Err(failure(other)),
        }
    }

    fn offers(&self) -> Result<Vec<Offer>, DataDiskError> {
        match self.exchange(&Request::Offers, &|_| {})? {
            Answer::Offers(offers) => Ok(offers),
            other => Err(failure(other)),
        }
    }

    fn format(
        &self,
        passphrase: &SecretText,
        allowed: Option<u64>,
        progress: &dyn Fn(u16),
    ) -> Result<(), DataDiskError> {
        self.order(&Request::Format(passphrase.clone(), allowed), progress)
    }

    fn settle(&self, keys: &Path) -> Result<(), DataDiskError> {
        Ok(syncfs(File::open(keys)?)?)
    }

    fn roomier(&self) -> Result<Vec<Offer>, DataDiskError> {
        match self.exchange(&Request::Roomier, &|_| {})? {
            Answer::Offers(offers) => Ok(offers),
            other => Err(failure(other)),
        }
    }

    fn rivals(&self) -> Result<Vec<Rival>, DataDiskError> {
        match self.exchange(&Request::Rivals, &|_| {})? {
            Answer::Rivals(rivals) => Ok(rivals),
            other => Err(failure(other)),
        }
    }

    fn choose(&self, token: u64) -> Result<(), DataDiskError> {
        self.order(&Request::Choose(token), &|_| {})
    }

    fn movable(&self) -> Result<Option<Move>, DataDiskError> {
        match self.exchange(&Request::Movable, &|_| {})? {
            Answer::Movable(movable) => Ok(movable),
            other => Err(failure(other)),
        }
    }

    fn left_behind(&self) -> Result<Option<u64>, DataDiskError> {
        match self.exchange(&Request::LeftBehind, &|_| {})? {
            Answer::LeftBehind(bytes) => Ok(bytes),
            other => Err(failure(other)),
        }
    }

    fn copy(&self, passphrase: &SecretText, allowed: u64, progress: &dyn Fn(u16)) -> Result<(), DataDiskError> {
        self.order(&Request::Copy(passphrase.clone(), allowed), progress)
    }

    fn open_copy(&self, passphrase: &SecretText) -> Result<(), DataDiskError> {
        self.order(&Request::OpenCopy(passphrase.clone()), &|_| {})
    }

    fn finish_move(&self) -> Result<(), DataDiskError> {
        self.order(&Request::FinishMove, &|_| {})
    }

    fn forget_import(&self) -> Result<(), DataDiskError> {
        self.order(&Request::ForgetImport, &|_| {})
    }

    fn forget_cloud_key(&self, _: &Path) -> Result<(), DataDiskError> {
        self.order(&Request::ForgetKey, &|_| {})
    }

    fn open(&self, passphrase: &SecretText) -> Result<(), DataDiskError> {
        self.order(&Request::Open(passphrase.clone()), &|_| {})
    }

    fn repair(&self, passphrase: &SecretText, progress: &dyn Fn(u16)) -> Result<(), DataDiskError> {
        self.order(&Request::Repair(passphrase.clone()), progress)
    }

    fn add_key(&self, present: &SecretText, new: &SecretText) -> Result<(), DataDiskError> {
        self.order(&Request::AddKey(present.clone(), new.clone()), &|_| {})
    }

    fn keep_key(&self, passphrase: &SecretText) -> Result<(), DataDiskError> {
        self.order(&Request::KeepKey(passphrase.clone()), &|_| {})
    }

    fn break_off(&self) {
        // Where there is no service to tell, nothing of it is waited for either.
        let _ = self.say(&Request::BreakOff);
    }

    fn close(&self) -> Result<(), DataDiskError> {
        self.order(&Request::Close, &|_| {})
    }
}
