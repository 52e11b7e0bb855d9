//! What goes over the panel's socket: inputs, screens, and the code that is in a picture.

use serde::{Deserialize, Serialize};

use super::error::PanelError;
use super::frame::Frame;

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
pub(super) enum Input<'a> {
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
    /// What is told across the room, where something is wired for that.
    pub signal: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawMessage {
    Screen {
        screen: String,
        frame: String,
        lines: Vec<String>,
        signal: Option<String>,
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

/// Reads a line of the hub's.
pub(super) fn read_message(line: &str) -> Result<Screen, PanelError> {
    match serde_json::from_str(line).map_err(PanelError::Message)? {
        RawMessage::Screen {
            screen,
            frame,
            lines,
            signal,
        } => {
            let frame = Frame::from_base64(&frame).ok_or(PanelError::Picture)?;
            Ok(Screen {
                name: screen,
                lines,
                frame,
                signal,
            })
        }
        RawMessage::NotTaken { error } => Err(PanelError::NotTaken(error)),
    }
}
