//! The hub's end of the service of the board's key.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use super::protocol::{Answer, Message, Request};
use super::{BoardKey, BoardKeyError, BoardKeyState};
use crate::secret::Secret;

/// How long an answer may take; one takes milliseconds, and may have to wait for somebody else's.
const PATIENCE: Duration = Duration::from_secs(20);

/// The board's key, by the service that listens on a socket.
#[derive(Clone, Debug)]
pub struct Service {
    socket: PathBuf,
}

impl Service {
    /// The service that listens at `socket`.
    #[must_use]
    pub const fn at(socket: PathBuf) -> Self {
        Self { socket }
    }

    fn ask(&self, request: &Request) -> Result<Answer, BoardKeyError> {
        match self.exchange(request) {
            Ok(Answer::Failed(error)) => Err(error),
            Ok(answer) => Ok(answer),
            Err(error) => {
                tracing::warn!(%error, "the service of the board's key does not answer");
                Err(BoardKeyError::Service)
            }
        }
    }

    fn exchange(&self, request: &Request) -> io::Result<Answer> {
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        request.send(&stream)?;
        Answer::receive(&mut stream)
    }
}

impl BoardKey for Service {
    fn state(&self) -> Result<BoardKeyState, BoardKeyError> {
        match self.ask(&Request::State)? {
            Answer::State(state) => Ok(state),
            _ => Err(BoardKeyError::Service),
        }
    }

    fn hmac(&self, message: &[u8]) -> Result<Secret<32>, BoardKeyError> {
        match self.ask(&Request::Hmac(Message::new(message)?))? {
            Answer::Hmac(made) => Ok(made),
            _ => Err(BoardKeyError::Service),
        }
    }

    fn program(&self) -> Result<(), BoardKeyError> {
        match self.ask(&Request::Program)? {
            Answer::Programmed => Ok(()),
            _ => Err(BoardKeyError::Service),
        }
    }
}
