//! A hand on the panel of a hub with the board `serial`, and an eye: newline-delimited JSON over a Unix socket.
//!
//! Promise: every wait is for a message of the hub's and has one deadline for all of it; nothing is waited for by time.
//! What is pressed follows from what the screen says, never from how long something takes.

mod frame;
mod set_up;

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

pub use frame::{Frame, HEIGHT, WIDTH};
pub use set_up::RecoveryCode;

/// How long one helper may wait: setting up derives keys for a second or two, a loaded machine takes more.
const PATIENCE: Duration = Duration::from_secs(60);

/// Screens of a hub that is not open: no button leads from them to the menu.
const CLOSED: [&str; 17] = [
    "splash",
    "setup-pin",
    "setup-recovery",
    "setting-up",
    "locked",
    "wait",
    "recovery",
    "unlocking",
    "locking",
    "off",
    "error",
    "erase-disk",
    "use-card",
    "put-back",
    "formatting",
    "move-data",
    "moving",
];

/// Why the panel did not get where it should.
#[derive(Debug, thiserror::Error)]
pub enum PanelError {
    /// The socket can't be reached or broke.
    #[error("the panel's socket")]
    Socket(#[from] std::io::Error),
    /// The hub closed the socket.
    #[error("the panel closed at screen {0}")]
    Closed(String),
    /// A message that is not the JSON of the interface.
    #[error("a message of another shape")]
    Message(#[source] serde_json::Error),
    /// The hub did not take what was sent.
    #[error("the panel says: {0}")]
    NotTaken(String),
    /// A picture that is not 1,024 bytes in base64.
    #[error("a picture of another shape")]
    Picture,
    /// The screen that was waited for did not come in time.
    #[error("still at screen {screen} after {PATIENCE:?}: {lines:?}")]
    Deadline {
        /// The screen's name.
        screen: String,
        /// The text on it.
        lines: Vec<String>,
    },
    /// The hub showed another screen than the one this leads to: a refused PIN, a fault.
    #[error("the hub shows {screen}: {lines:?}")]
    Refused {
        /// The screen's name.
        screen: String,
        /// The text on it.
        lines: Vec<String>,
    },
    /// The pairing screen's picture has no QR code that can be read.
    #[error("no QR code in the picture")]
    NoCode,
    /// The QR code holds something else than a pairing code.
    #[error("no pairing code")]
    NotPairing,
}

/// A button of the panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names of the buttons")]
pub enum Button {
    Up,
    Down,
    Left,
    Right,
    Ok,
    Back,
}

/// What goes to the hub.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Input<'a> {
    Press(Button),
    Hold(Button),
    Type(&'a str),
}

/// What is on the panel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Screen {
    /// Its name, `pair` for example.
    pub name: String,
    /// The text on it.
    pub lines: Vec<String>,
    /// The picture.
    pub frame: Frame,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawMessage {
    Screen {
        screen: String,
        frame: String,
        lines: Vec<String>,
    },
    NotTaken {
        error: String,
    },
}

/// What the QR code of the panel says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PairingCode {
    /// `http://HOST:PORT`.
    pub url: String,
    /// The hub's id, on panels large enough for the full code.
    pub id: Option<String>,
    /// The hub's X25519 key, base64url, on panels large enough for the full code.
    #[serde(rename = "pk")]
    pub key: Option<String>,
}

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
        let (read, hand) = UnixStream::connect(socket).await?.into_split();
        let (seen, mut messages) = unbounded_channel();
        tokio::spawn(watch(read, seen));
        let first = tokio::time::timeout(PATIENCE, messages.recv()).await.ok().flatten();
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
        let deadline = Instant::now() + PATIENCE;
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

    /// Unlocks with the PIN.
    ///
    /// # Errors
    /// [`PanelError::Refused`] when the hub does not open: a wrong PIN, a wait.
    pub async fn unlock(&mut self, pin: &str) -> Result<(), PanelError> {
        self.look()?;
        if self.screen.name == "splash" {
            self.press(Button::Ok).await?;
        }
        self.wait_until(|screen| matches!(screen.name.as_str(), "locked" | "wait"))
            .await?;
        if self.screen.name == "wait" {
            return Err(self.refused());
        }
        self.type_digits(pin).await?;
        self.press(Button::Ok).await?;
        self.wait_until(|screen| screen.name != "locked").await?;
        self.wait_until(|screen| screen.name != "unlocking").await?;
        self.expect("home")
    }

    /// Opens pairing from anywhere in the open hub and gives what the QR code says.
    ///
    /// # Errors
    /// [`PanelError::NoCode`] or [`PanelError::NotPairing`] when the picture can't be read; else as
    /// [`PanelClient::wait_until`].
    pub async fn open_pairing(&mut self) -> Result<PairingCode, PanelError> {
        self.wake().await?;
        if self.screen.name != "pair" {
            self.choose("Pair a phone").await?;
            self.wait_until(|screen| screen.name != "menu").await?;
            self.expect("pair")?;
        }
        self.pairing_code()
    }

    /// Reads the QR code out of the picture.
    ///
    /// # Errors
    /// As [`PanelClient::open_pairing`].
    pub fn pairing_code(&self) -> Result<PairingCode, PanelError> {
        let text = self.screen.frame.qr_text().ok_or(PanelError::NoCode)?;
        let code: Value = serde_json::from_str(&text).map_err(|_| PanelError::NotPairing)?;
        if code["type"] != "sync_hub" {
            return Err(PanelError::NotPairing);
        }
        PairingCode::deserialize(code).map_err(|_| PanelError::NotPairing)
    }

    /// Keeps pairing open after the next phone.
    ///
    /// # Errors
    /// As [`PanelClient::wait_until`].
    pub async fn keep_pairing_open(&mut self) -> Result<(), PanelError> {
        self.look()?;
        self.expect("pair")?;
        let stays = |screen: &Screen| screen.lines.iter().any(|line| line == "Stays open");
        if !stays(&self.screen) {
            self.press(Button::Ok).await?;
            self.wait_until(stays).await?;
        }
        Ok(())
    }

    /// Waits for the next phone that pairs and keeps it.
    ///
    /// # Errors
    /// As [`PanelClient::wait_until`].
    pub async fn keep(&mut self) -> Result<(), PanelError> {
        self.look()?;
        self.wait_for("paired").await?;
        let shown = self.screen.lines.clone();
        self.press(Button::Ok).await?;
        self.wait_until(|screen| screen.name != "paired" || screen.lines != shown)
            .await?;
        Ok(())
    }

    /// Waits for the next phone that pairs and sends it away.
    ///
    /// # Errors
    /// As [`PanelClient::wait_until`].
    pub async fn undo(&mut self) -> Result<(), PanelError> {
        self.look()?;
        self.wait_for("paired").await?;
        self.press(Button::Down).await?;
        self.press(Button::Ok).await?;
        self.wait_until(|screen| screen.name != "paired").await?;
        Ok(())
    }

    /// Answers what the hub asks on the screen of this name.
    ///
    /// # Errors
    /// As [`PanelClient::wait_until`].
    pub async fn answer(&mut self, name: &str, yes: bool) -> Result<(), PanelError> {
        self.look()?;
        if self.screen.name == "splash" {
            self.press(Button::Ok).await?;
        }
        self.wait_for(name).await?;
        if yes {
            // No is chosen until a person chooses otherwise.
            let before = self.screen.lines.clone();
            self.press(Button::Up).await?;
            self.wait_until(|screen| screen.lines != before).await?;
        }
        self.press(Button::Ok).await?;
        self.wait_until(|screen| screen.name != name).await?;
        Ok(())
    }

    /// Locks from anywhere in the open hub.
    ///
    /// # Errors
    /// As [`PanelClient::wait_until`].
    pub async fn lock(&mut self) -> Result<(), PanelError> {
        self.wake().await?;
        self.choose("Lock now").await?;
        self.wait_for("lock").await?;
        self.press(Button::Ok).await?;
        self.wait_for("locked").await?;
        Ok(())
    }

    /// Goes to the menu and takes an entry.
    async fn choose(&mut self, entry: &str) -> Result<(), PanelError> {
        while self.screen.name != "menu" {
            if CLOSED.contains(&self.screen.name.as_str()) {
                return Err(self.refused());
            }
            let before = self.screen.name.clone();
            let way = if before == "home" { Button::Ok } else { Button::Back };
            self.press(way).await?;
            self.wait_until(|screen| screen.name != before).await?;
        }
        while !marks(&self.screen, entry) {
            let before = self.screen.lines.clone();
            self.press(Button::Down).await?;
            self.wait_until(|screen| screen.lines != before).await?;
        }
        self.press(Button::Ok).await
    }

    /// A sleeping panel takes the first press for itself.
    async fn wake(&mut self) -> Result<(), PanelError> {
        self.look()?;
        if self.screen.frame.is_dark() {
            self.press(Button::Up).await?;
            self.wait_until(|screen| !screen.frame.is_dark()).await?;
        }
        Ok(())
    }

    fn expect(&self, name: &str) -> Result<(), PanelError> {
        if self.screen.name == name {
            Ok(())
        } else {
            Err(self.refused())
        }
    }

    fn refused(&self) -> PanelError {
        PanelError::Refused {
            screen: self.screen.name.clone(),
            lines: self.screen.lines.clone(),
        }
    }

    async fn send(&mut self, input: &Input<'_>) -> Result<(), PanelError> {
        let mut line = serde_json::to_vec(input).map_err(PanelError::Message)?;
        line.push(b'\n');
        Ok(self.hand.write_all(&line).await?)
    }
}

/// Whether the chosen entry of a list is this one.
fn marks(screen: &Screen, entry: &str) -> bool {
    screen
        .lines
        .iter()
        .any(|line| line.strip_prefix('>').is_some_and(|marked| marked.trim() == entry))
}

/// Reads messages until the hub closes or one can't be read.
async fn watch(read: OwnedReadHalf, seen: UnboundedSender<Result<Screen, PanelError>>) {
    let mut lines = BufReader::new(read).lines();
    loop {
        let message = match lines.next_line().await {
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

fn read_message(line: &str) -> Result<Screen, PanelError> {
    match serde_json::from_str(line).map_err(PanelError::Message)? {
        RawMessage::Screen { screen, frame, lines } => {
            let frame = Frame::from_base64(&frame).ok_or(PanelError::Picture)?;
            Ok(Screen {
                name: screen,
                lines,
                frame,
            })
        }
        RawMessage::NotTaken { error } => Err(PanelError::NotTaken(error)),
    }
}

#[cfg(test)]
mod tests;
