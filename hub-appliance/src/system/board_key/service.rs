//! Works on the board's key for the hub.

use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use nix::unistd::Uid;

use super::mailbox::MailboxAt;
use super::protocol::{Answer, Request};
use super::{BoardKeyError, BoardKeyState, device_key};
use crate::secret::wiping_stack;

/// How long a client may take to ask: nobody else is answered meanwhile.
const PATIENCE: Duration = Duration::from_secs(5);

/// Answers on `listener`, one client at a time, for as long as it works. Only `user` is answered, and root.
///
/// # Errors
/// [`io::Error`] if no connection can be taken any more.
pub fn serve(mailbox: &MailboxAt, listener: &UnixListener, user: Uid) -> io::Result<()> {
    tracing::info!(%mailbox, "the service of the board's key answers");
    loop {
        let (stream, _) = listener.accept()?;
        let peer = Uid::from_raw(getsockopt(&stream, PeerCredentials)?.uid());
        if peer != user && !peer.is_root() {
            tracing::warn!(%peer, "somebody else asked for the board's key");
            continue;
        }
        if let Err(error) = wiping_stack(|| converse(mailbox, &stream)) {
            tracing::warn!(%error, "a client of the board's key went away");
        }
    }
}

fn converse(mailbox: &MailboxAt, mut stream: &UnixStream) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let request = Request::receive(&mut stream)?;
    answer(mailbox, &request).unwrap_or_else(Answer::Failed).send(stream)
}

fn answer(mailbox: &MailboxAt, request: &Request) -> Result<Answer, BoardKeyError> {
    let mut open = match mailbox.open() {
        Ok(open) => open,
        // A kernel without the device.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return match request {
                Request::State => Ok(Answer::State(BoardKeyState::Unavailable)),
                Request::Hmac(_) => Err(BoardKeyError::NoKey),
                Request::Program => Err(BoardKeyError::NotBlank),
            };
        }
        Err(error) => {
            tracing::warn!(%error, "{mailbox} can't be opened");
            return Err(BoardKeyError::Firmware);
        }
    };
    match request {
        Request::State => device_key::state(&mut open).map(Answer::State),
        Request::Hmac(message) => device_key::hmac(&mut open, message.bytes()).map(Answer::Hmac),
        Request::Program => device_key::program(&mut open).map(|()| Answer::Programmed),
    }
}
