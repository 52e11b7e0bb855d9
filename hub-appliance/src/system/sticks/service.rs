//! Opens and closes sticks for the hub.

use std::io::{self, BufReader};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use nix::unistd::Uid;

use super::protocol::{Answer, Request, receive, send};
use super::{Access, Stick, SticksError};

/// What mounts sticks. A stick is open as many times as it was opened and not closed.
pub trait Mounter {
    /// The sticks that are in.
    ///
    /// # Errors
    /// [`SticksError`] if that can't be told.
    fn look(&mut self) -> Result<Vec<Stick>, SticksError>;

    /// Opens one, once more if it is open, and says where it is mounted.
    ///
    /// # Errors
    /// [`SticksError`]; then it is as it was.
    fn open(&mut self, token: u64, access: Access) -> Result<PathBuf, SticksError>;

    /// Closes one that was opened.
    ///
    /// # Errors
    /// [`SticksError`] if what was written may not be on it.
    fn close(&mut self, token: u64) -> Result<(), SticksError>;

    /// Closes all, however often they were opened.
    fn close_all(&mut self);
}

/// Answers on `listener`, one client at a time, for as long as it works. Only `user` is answered, and root. When a client
/// goes, all sticks are closed.
///
/// # Errors
/// [`io::Error`] if no connection can be taken any more.
pub fn serve(sticks: &mut dyn Mounter, listener: &UnixListener, user: Uid) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept()?;
        let peer = Uid::from_raw(getsockopt(&stream, PeerCredentials)?.uid());
        if peer != user && !peer.is_root() {
            tracing::warn!(%peer, "somebody else asked for sticks");
            continue;
        }
        if let Err(error) = converse(sticks, stream) {
            tracing::warn!(%error, "a client of the sticks went away");
        }
        sticks.close_all();
    }
}

fn converse(sticks: &mut dyn Mounter, stream: UnixStream) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(request) = receive(&mut stream)? {
        let answer = match request {
            Request::Look => sticks.look().map(Answer::Sticks),
            Request::Open { token, access } => sticks.open(token, access).map(Answer::Opened),
            Request::Close { token } => sticks.close(token).map(|()| Answer::Done),
        };
        send(stream.get_ref(), &answer.unwrap_or_else(Answer::Failed))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::sync::{Arc, Mutex};

    use super::super::{Service, Sticks};
    use super::*;

    /// The only stick, and what was done with it.
    #[derive(Clone)]
    struct Imagined {
        at: PathBuf,
        done: Arc<Mutex<Vec<String>>>,
    }

    impl Imagined {
        fn note(&self, what: &str) {
            self.done.lock().unwrap().push(what.to_owned());
        }
    }

    fn stick() -> Stick {
        Stick {
            name: "Ultra Fit".into(),
            label: "KEYS".into(),
            bytes: 8 << 30,
            has_files: true,
            token: 9,
        }
    }

    impl Mounter for Imagined {
        fn look(&mut self) -> Result<Vec<Stick>, SticksError> {
            Ok(vec![stick()])
        }

        fn open(&mut self, token: u64, access: Access) -> Result<PathBuf, SticksError> {
            if token != 9 {
                return Err(SticksError::Gone);
            }
            self.note(&format!("open {access:?}"));
            Ok(self.at.clone())
        }

        fn close(&mut self, token: u64) -> Result<(), SticksError> {
            self.note(&format!("close {token}"));
            Ok(())
        }

        fn close_all(&mut self) {
            self.note("close all");
        }
    }

    struct Bench {
        sticks: Imagined,
        folder: tempfile::TempDir,
    }

    impl Bench {
        fn start(user: Uid) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let listener = UnixListener::bind(folder.path().join("sticks")).unwrap();
            let sticks = Imagined {
                at: folder.path().join("9"),
                done: Arc::default(),
            };
            std::fs::create_dir(&sticks.at).unwrap();
            let mut served = sticks.clone();
            std::thread::spawn(move || serve(&mut served, &listener, user));
            Self { sticks, folder }
        }

        fn client(&self) -> Service {
            Service::at(self.folder.path().join("sticks"))
        }

        fn done(&self) -> Vec<String> {
            self.sticks.done.lock().unwrap().clone()
        }
    }

    #[test]
    fn a_stick_is_opened_and_closed_by_hand_or_when_it_is_dropped() {
        let bench = Bench::start(Uid::current());
        let hub = bench.client();
        assert_eq!(hub.look().unwrap(), [stick()]);
        let open = hub.open(&stick(), Access::ReadOnly).unwrap();
        assert_eq!(open.path(), bench.sticks.at);
        open.close().unwrap();
        drop(hub.open(&stick(), Access::ReadWrite).unwrap());
        assert_eq!(bench.done(), ["open ReadOnly", "close 9", "open ReadWrite", "close 9"]);
        let other = Stick { token: 8, ..stick() };
        assert_eq!(hub.open(&other, Access::ReadOnly).unwrap_err(), SticksError::Gone);
    }

    /// The service may not look into it, so the hub has to see to that.
    #[test]
    fn what_the_hub_can_not_see_to_is_not_said_to_be_on_the_stick() {
        let bench = Bench::start(Uid::current());
        // Kept to the end: the service closes all when its hub goes.
        let hub = bench.client();
        let open = hub.open(&stick(), Access::ReadWrite).unwrap();
        std::fs::remove_dir(&bench.sticks.at).unwrap();
        assert!(open.close().is_err());
        assert_eq!(bench.done(), ["open ReadWrite", "close 9"]);
    }

    #[test]
    fn a_hub_that_ends_leaves_all_sticks_closed() {
        let bench = Bench::start(Uid::current());
        let hub = bench.client();
        let open = hub.open(&stick(), Access::ReadWrite).unwrap();
        std::mem::forget(open);
        // The connection goes with the process.
        let mut stream = UnixStream::connect(bench.folder.path().join("sticks")).unwrap();
        hub.0.stream.lock().unwrap().take();
        send(&stream, &Request::Look).unwrap();
        assert!(stream.read(&mut [0; 9]).unwrap() > 0);
        assert_eq!(bench.done(), ["open ReadWrite", "close all"]);
    }

    #[test]
    fn a_line_that_means_nothing_ends_the_conversation() {
        let bench = Bench::start(Uid::current());
        let mut stream = UnixStream::connect(bench.folder.path().join("sticks")).unwrap();
        stream.write_all(b"mount /dev/sda1 /\n").unwrap();
        assert_eq!(stream.read(&mut [0; 9]).unwrap(), 0);
        assert_eq!(bench.client().look().unwrap(), [stick()]);
    }

    #[test]
    fn where_nobody_listens_no_stick_can_be_told_of() {
        let nobody = Service::at("/nonexistent/socket".into());
        assert_eq!(nobody.look(), Err(SticksError::Service));
    }
}
