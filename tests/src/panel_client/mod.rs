//! A hand on the panel of a hub with the board `serial`, and an eye: newline-delimited JSON over a Unix socket.
//!
//! Promise: every wait is for a message of the hub's and has one deadline for all of it; nothing is waited for by time.
//! What is pressed follows from what the screen says, never from how long something takes.

mod backups;
mod error;
mod frame;
mod message;
mod set_up;
mod tasks;

use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

pub use error::PanelError;
pub use frame::{Frame, WIDTH};
pub use message::{Button, PairingCode, Screen};
pub use set_up::RecoveryCode;

use crate::patience::patience;

use message::{Input, read_message};

/// How long one helper may wait: setting up derives keys for a second or two, a loaded machine takes more.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a box may take from power-on until its panel speaks: an emulated one on a loaded machine takes minutes.
const BOOT: Duration = Duration::from_secs(300);
/// How often a socket that is not there yet is tried.
const TRY_AGAIN: Duration = Duration::from_millis(200);

/// A connection to the panel. A task reads all the while, for the hub drops who does not read.
#[derive(Debug)]
pub struct PanelClient {
    messages: UnboundedReceiver<Result<Screen, PanelError>>,
    hand: OwnedWriteHalf,
    screen: Screen,
}

impl PanelClient {
    /// Connects and looks at the screen.
    ///
    /// # Errors
    /// [`PanelError`] when there is no panel at `socket`.
    pub async fn connect(socket: &Path) -> Result<Self, PanelError> {
        Self::of(UnixStream::connect(socket).await?, Instant::now() + patience(PATIENCE)).await
    }

    /// Connects to a box that was just switched on: waits for the socket, and for the first screen.
    ///
    /// # Errors
    /// [`PanelError`] when the box has not started after some minutes.
    pub async fn connect_at_power_on(socket: &Path) -> Result<Self, PanelError> {
        let deadline = Instant::now() + patience(BOOT);
        loop {
            match UnixStream::connect(socket).await {
                Ok(stream) => return Self::of(stream, deadline).await,
                Err(error) if Instant::now() >= deadline => return Err(error.into()),
                Err(_) => tokio::time::sleep(TRY_AGAIN).await,
            }
        }
    }

    async fn of(stream: UnixStream, deadline: Instant) -> Result<Self, PanelError> {
        let (read, hand) = stream.into_split();
        let (seen, mut messages) = unbounded_channel();
        tokio::spawn(watch(read, seen));
        let first = tokio::time::timeout_at(deadline, messages.recv()).await.ok().flatten();
        let screen = first.unwrap_or_else(|| Err(PanelError::Closed(String::new())))?;
        Ok(Self { messages, hand, screen })
    }

    /// What was on the panel at its last message.
    #[must_use]
    pub fn screen(&self) -> &Screen {
        &self.screen
    }

    /// Presses a button.
    ///
    /// # Errors
    /// [`PanelError::Socket`].
    pub async fn press(&mut self, button: Button) -> Result<(), PanelError> {
        self.send(&Input::Press(button)).await
    }

    /// Holds a button.
    ///
    /// # Errors
    /// [`PanelError::Socket`].
    pub async fn hold(&mut self, button: Button) -> Result<(), PanelError> {
        self.send(&Input::Hold(button)).await
    }

    /// Types digits into the field that has the focus.
    ///
    /// # Errors
    /// [`PanelError::Socket`].
    pub async fn type_digits(&mut self, digits: &str) -> Result<(), PanelError> {
        self.send(&Input::Type(digits)).await
    }

    /// Waits until the screen is as wanted; the one that is up counts.
    ///
    /// # Errors
    /// [`PanelError::Deadline`] or a broken socket.
    pub async fn wait_until(&mut self, wanted: impl Fn(&Screen) -> bool) -> Result<&Screen, PanelError> {
        let deadline = Instant::now() + patience(PATIENCE);
        while !wanted(&self.screen) {
            match tokio::time::timeout_at(deadline, self.messages.recv()).await {
                Ok(Some(message)) => self.screen = message?,
                Ok(None) => return Err(PanelError::Closed(self.screen.name.clone())),
                Err(_) => {
                    let Screen { name, lines, .. } = self.screen.clone();
                    return Err(PanelError::Deadline { screen: name, lines });
                }
            }
        }
        Ok(&self.screen)
    }

    /// Waits for a screen by name; the one that is up counts.
    ///
    /// # Errors
    /// As [`PanelClient::wait_until`].
    pub async fn wait_for(&mut self, name: &str) -> Result<&Screen, PanelError> {
        self.wait_until(|screen| screen.name == name).await
    }

    /// Looks at what is on the panel now, past everything that was on it since the last look.
    ///
    /// # Errors
    /// As [`PanelClient::wait_until`].
    pub fn look(&mut self) -> Result<&Screen, PanelError> {
        while let Ok(message) = self.messages.try_recv() {
            self.screen = message?;
        }
        Ok(&self.screen)
    }

    async fn send(&mut self, input: &Input<'_>) -> Result<(), PanelError> {
        let mut line = serde_json::to_vec(input).map_err(PanelError::Message)?;
        line.push(b'\n');
        Ok(self.hand.write_all(&line).await?)
    }
}

/// Reads messages until the hub closes or one can't be read.
async fn watch(read: OwnedReadHalf, seen: UnboundedSender<Result<Screen, PanelError>>) {
    let mut lines = BufReader::new(read).lines();
    loop {
        let message = match lines.next_line().await {
            // The end of a line that was said before somebody was at this end of a serial line.
            Ok(Some(line)) if line.is_empty() => continue,
            Ok(Some(line)) => read_message(&line),
            Ok(None) => return,
            Err(error) => Err(error.into()),
        };
        let broken = matches!(message, Err(PanelError::Socket(_)));
        if seen.send(message).is_err() || broken {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
