//! The panel as lines of JSON, over a Unix socket or a character device.
//!
//! In, one object a line: `{"press":"up"|"down"|"left"|"right"|"ok"|"back"}`, `{"hold":"ok"|"back"}`,
//! `{"type":"12345678"}`. Out, at connection and on every change:
//! `{"screen":"<name>","frame":"<base64 of the frame's 1,024 or 2,048 bytes>","lines":["…"]}`; and `{"error":"…"}` to the one
//! whose line was not understood. Where a light or a buzzer is wired by the owner's file, `"signal"` beside the lines is
//! `"dark"`, `"locked"`, `"open"` or `"needs-help"`. On a dark display the frame is dark, while name and lines stay.
//!
//! A socket is for its owner alone (mode 0600), takes several clients at once and is removed at the end. Who does not
//! read is dropped: nothing here waits for a client.

mod line;
mod link;
mod service;

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use self::line::Line;
pub use self::line::{Refusal, parse as parse_line};
use self::link::Endpoint;
use self::service::{Outgoing, Service};
use super::queue::{Queue, Signal};
use super::{BeaconSetup, Board, BoardError, Event, Picture, Waker};
use crate::panel::Resolution;

/// The serial board.
#[derive(Debug)]
pub struct Serial {
    resolution: Resolution,
    queue: Queue,
    outgoing: Arc<Outgoing>,
    /// Written to when there is something in `outgoing`.
    bell: UnixStream,
    shown: Option<Line>,
    /// Whether there would be a light or a buzzer.
    is_wired: bool,
    service: Option<JoinHandle<()>>,
}

impl Serial {
    /// Opens the character device at `path`, or listens on a socket there: a new one, or in place of a stale one. What it
    /// sends are pictures of `resolution`.
    ///
    /// # Errors
    /// [`BoardError::WrongFile`], [`BoardError::InUse`] or [`BoardError::Io`].
    pub fn open(path: &Path, resolution: Resolution) -> Result<Self, BoardError> {
        let endpoint = Endpoint::open(path)?;
        let (bell, ear) = UnixStream::pair().map_err(BoardError::io("line"))?;
        bell.set_nonblocking(true).map_err(BoardError::io("line"))?;
        ear.set_nonblocking(true).map_err(BoardError::io("line"))?;
        let queue = Queue::new();
        let outgoing = Arc::new(Outgoing::default());
        let service = Service::new(endpoint, ear, Arc::clone(&outgoing), queue.sender());
        let service = std::thread::Builder::new()
            .name("panel-serial".into())
            .spawn(move || service.run())
            .map_err(BoardError::io("line"))?;
        Ok(Self {
            resolution,
            queue,
            outgoing,
            bell,
            shown: None,
            is_wired: false,
            service: Some(service),
        })
    }

    fn ring(&self) -> io::Result<()> {
        match (&self.bell).write(&[1]) {
            // A bell that is full of rings has been heard.
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }
}

impl Board for Serial {
    fn resolution(&self) -> Resolution {
        self.resolution
    }

    fn show(&mut self, picture: &Picture<'_>) -> Result<(), BoardError> {
        let line = Line::of_picture(picture, self.is_wired);
        if self.shown.as_ref() != Some(&line) {
            self.outgoing.put(line.clone());
            self.shown = Some(line);
            self.ring().map_err(BoardError::io("line"))?;
        }
        Ok(())
    }

    fn wire(&mut self, _: BeaconSetup) {
        self.is_wired = true;
    }

    fn next_event(&mut self, timeout: Option<Duration>) -> Result<Option<Event>, BoardError> {
        Ok(match self.queue.next(timeout) {
            Some(Signal::Event(event)) => Some(event),
            Some(Signal::Redraw | Signal::Woken) | None => None,
        })
    }

    fn waker(&self) -> Waker {
        Waker(self.queue.sender())
    }
}

impl Drop for Serial {
    fn drop(&mut self) {
        self.outgoing.close();
        let rung = self.ring();
        if let Some(service) = self.service.take().filter(|_| rung.is_ok()) {
            // A service that panicked has nothing left to tidy up.
            let _ = service.join();
        }
    }
}

#[cfg(test)]
mod tests;
