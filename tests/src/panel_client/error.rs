//! Why the panel did not get where it should.

use super::PATIENCE;
use crate::patience::patience;

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
    #[error("still at screen {screen} after {:?}: {lines:?}", patience(PATIENCE))]
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
