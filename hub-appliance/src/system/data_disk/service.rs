//! Works on the data disk for the hub: the only part of the image that holds root's rights over disks.
//!
//! It does what [`DataDisk`] asks for and nothing else, on the disk that it finds itself: the hub can name neither
//! a device nor a folder.

use std::io::{self, BufReader, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use nix::unistd::Uid;

use super::protocol::{Answer, Request, read_line};
use super::{DataDisk, DataDiskError};

/// Answers on `listener`, one client at a time, for as long as it works. Only `user` is answered, and root. When a client
/// goes, the disk is closed.
///
/// # Errors
/// [`io::Error`] if no connection can be taken any more.
pub fn serve(disk: &dyn DataDisk, listener: &UnixListener, user: Uid) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept()?;
        let peer = Uid::from_raw(getsockopt(&stream, PeerCredentials)?.uid());
        if peer != user && !peer.is_root() {
            tracing::warn!(%peer, "somebody else asked for the data disk");
            continue;
        }
        // A hub that starts anew may do so because of another disk.
        if let Err(error) = disk.attach() {
            tracing::error!(%error, "the data disk can't be told of");
        }
        if let Err(error) = converse(disk, &stream) {
            tracing::warn!(%error, "a client of the data disk went away");
        }
        if let Err(error) = disk.close() {
            tracing::error!(%error, "the data disk could not be closed");
        }
    }
}

/// Answers one client until it goes. What it says meanwhile is heard while its disk is worked on.
fn converse(disk: &dyn DataDisk, stream: &UnixStream) -> io::Result<()> {
    let (heard, requests) = sync_channel(1);
    std::thread::scope(|scope| {
        let hears = std::thread::Builder::new().spawn_scoped(scope, move || hear(disk, stream, &heard))?;
        let answered = requests.into_iter().try_for_each(|request| {
            let progress = |permille| {
                // A hub that does not hear this hears no answer either, and that is noticed.
                let _ = send(stream, &Answer::Progress(permille));
            };
            send(
                stream,
                &execute(disk, &request, &progress).unwrap_or_else(Answer::Failed),
            )
        });
        // Where it can't be answered any more, there is nothing to be heard. One that has gone is shut down already.
        let _ = stream.shutdown(Shutdown::Both);
        answered.and(hears.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into())))
    })
}

/// Hears a client out. Who goes waits for nothing any more.
fn hear(disk: &dyn DataDisk, stream: &UnixStream, requests: &SyncSender<Request>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let heard = loop {
        match read_line(&mut stream).map(|line| line.map(|line| Request::parse(&line))) {
            Ok(Some(Some(Request::BreakOff))) => disk.break_off(),
            Ok(Some(Some(request))) => {
                if requests.send(request).is_err() {
                    break Ok(());
                }
            }
            Ok(Some(None)) => break Err(io::ErrorKind::InvalidData.into()),
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    disk.break_off();
    heard
}

fn send(mut stream: &UnixStream, answer: &Answer) -> io::Result<()> {
    let mut json = serde_json::to_vec(answer)?;
    json.push(b'\n');
    stream.write_all(&json)
}

fn execute(disk: &dyn DataDisk, request: &Request, progress: &dyn Fn(u16)) -> Result<Answer, DataDiskError> {
    match request {
        Request::State => return Ok(Answer::State(disk.state()?)),
        Request::Offers => return Ok(Answer::Offers(disk.offers()?)),
        Request::Roomier => return Ok(Answer::Offers(disk.roomier()?)),
        Request::Rivals => return Ok(Answer::Rivals(disk.rivals()?)),
        Request::Choose(token) => disk.choose(*token)?,
        Request::Movable => return Ok(Answer::Movable(disk.movable()?)),
        Request::LeftBehind => return Ok(Answer::LeftBehind(disk.left_behind()?)),
        Request::Close => disk.close()?,
        Request::Format(passphrase, allowed) => disk.format(passphrase, *allowed, progress)?,
        Request::Open(passphrase) => disk.open(passphrase)?,
        Request::Repair(passphrase) => disk.repair(passphrase, progress)?,
        Request::AddKey(present, new) => disk.add_key(present, new)?,
        Request::KeepKey(passphrase) => disk.keep_key(passphrase)?,
        Request::Copy(passphrase, allowed) => disk.copy(passphrase, *allowed, progress)?,
        Request::OpenCopy(passphrase) => disk.open_copy(passphrase)?,
        Request::FinishMove => disk.finish_move()?,
        Request::ForgetImport => disk.forget_import()?,
        // Which file that is, the service knows for itself.
        Request::ForgetKey => disk.forget_cloud_key(Path::new(""))?,
        // Heard while something else is done; it has no answer.
        Request::BreakOff => disk.break_off(),
    }
    // And nothing more: to look at all disks may take long where one fails, and who locks can't wait for that.
    Ok(Answer::Done)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::Receiver;
    use std::sync::{Arc, Mutex};

    use super::super::{DiskState, Helper, Offer, Place};
    use super::*;
    use crate::secret::SecretText;

    const PASSPHRASE: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    /// A disk that is nothing but its state.
    #[derive(Debug, Clone)]
    struct Imagined(Arc<Mutex<DiskState>>, Arc<AtomicUsize>, Arc<Keys>);

    /// How it gets a key: not before that is broken off.
    #[derive(Debug)]
    struct Keys {
        begun: SyncSender<()>,
        is_begun: Mutex<Receiver<()>>,
        broken: SyncSender<()>,
        is_broken: Mutex<Receiver<()>>,
    }

    impl Keys {
        fn new() -> Self {
            let ((begun, is_begun), (broken, is_broken)) = (sync_channel(1), sync_channel(1));
            Self {
                begun,
                is_begun: Mutex::new(is_begun),
                broken,
                is_broken: Mutex::new(is_broken),
            }
        }
    }

    impl Imagined {
        fn turn(&self, from: DiskState, to: DiskState) -> Result<(), DataDiskError> {
            let mut state = self.0.lock().unwrap();
            if *state != from {
                return Err(DataDiskError::State(*state));
            }
            *state = to;
            Ok(())
        }
    }

    impl DataDisk for Imagined {
        fn state(&self) -> Result<DiskState, DataDiskError> {
            self.1.fetch_add(1, Ordering::Relaxed);
            Ok(*self.0.lock().unwrap())
        }

        fn offers(&self) -> Result<Vec<Offer>, DataDiskError> {
            Ok(vec![offer()])
        }

        fn format(&self, _: &SecretText, allowed: Option<u64>, progress: &dyn Fn(u16)) -> Result<(), DataDiskError> {
            progress(500);
            if allowed == Some(offer().token) {
                self.turn(DiskState::Blank, DiskState::Closed)
            } else {
                Err(DataDiskError::State(self.state()?))
            }
        }

        fn open(&self, _: &SecretText) -> Result<(), DataDiskError> {
            self.turn(DiskState::Closed, DiskState::Open)
        }

        fn add_key(&self, _: &SecretText, _: &SecretText) -> Result<(), DataDiskError> {
            self.2.begun.send(()).unwrap();
            self.2.is_broken.lock().unwrap().recv().unwrap();
            Err(DataDiskError::Stopped)
        }

        fn break_off(&self) {
            // Once is enough.
            let _ = self.2.broken.try_send(());
        }

        fn close(&self) -> Result<(), DataDiskError> {
            *self.0.lock().unwrap() = DiskState::Closed;
            Ok(())
        }

        /// A card whose import can be forgotten once.
        fn forget_import(&self) -> Result<(), DataDiskError> {
            self.turn(DiskState::Open, DiskState::Closed)
        }
    }

    struct Bench {
        disk: Imagined,
        folder: tempfile::TempDir,
    }

    impl Bench {
        fn start(user: Uid) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let listener = UnixListener::bind(folder.path().join("disk")).unwrap();
            let disk = Imagined(
                Arc::new(Mutex::new(DiskState::Blank)),
                Arc::default(),
                Arc::new(Keys::new()),
            );
            let served = disk.clone();
            std::thread::spawn(move || serve(&served, &listener, user));
            Self { disk, folder }
        }

        fn helper(&self) -> Helper {
            Helper::at(self.folder.path().join("disk"))
        }
    }

    fn offer() -> Offer {
        Offer {
            place: Place::Card,
            name: String::new(),
            bytes: 29 << 30,
            token: 4,
        }
    }

    fn format(hub: &Helper, allowed: Option<u64>) -> Result<(), DataDiskError> {
        hub.format(&secret(), allowed, &|_| {})
    }

    fn secret() -> SecretText {
        SecretText::new(PASSPHRASE.to_owned())
    }

    #[test]
    fn does_what_the_hub_asks_for_and_says_what_it_can_not() {
        let bench = Bench::start(Uid::current());
        let hub = bench.helper();
        assert_eq!(hub.state(), Ok(DiskState::Blank));
        assert_eq!(hub.open(&secret()), Err(DataDiskError::State(DiskState::Blank)));
        let steps = std::cell::RefCell::new(Vec::new());
        hub.format(&secret(), Some(4), &|step| steps.borrow_mut().push(step))
            .unwrap();
        assert_eq!(steps.into_inner(), [500]);
        assert_eq!(format(&hub, Some(4)), Err(DataDiskError::State(DiskState::Closed)));
        hub.open(&secret()).unwrap();
        assert_eq!(hub.state(), Ok(DiskState::Open));
        hub.close().unwrap();
        assert_eq!(hub.state(), Ok(DiskState::Closed));
    }

    #[test]
    fn the_import_is_forgotten_or_it_says_that_it_is_not() {
        let bench = Bench::start(Uid::current());
        let hub = bench.helper();
        format(&hub, Some(offer().token)).unwrap();
        hub.open(&secret()).unwrap();
        hub.forget_import().unwrap();
        assert_eq!(hub.forget_import(), Err(DataDiskError::State(DiskState::Closed)));
    }

    #[test]
    fn what_a_person_allowed_is_formatted_and_nothing_else() {
        let bench = Bench::start(Uid::current());
        let hub = bench.helper();
        assert_eq!(hub.offers(), Ok(vec![offer()]));
        for refused in [None, Some(5)] {
            assert_eq!(format(&hub, refused), Err(DataDiskError::State(DiskState::Blank)));
        }
        format(&hub, Some(4)).unwrap();
    }

    #[test]
    fn whoever_closes_the_disk_waits_for_no_look_at_the_others() {
        let bench = Bench::start(Uid::current());
        let hub = bench.helper();
        format(&hub, Some(4)).unwrap();
        hub.open(&secret()).unwrap();
        let looks = bench.disk.1.load(Ordering::Relaxed);
        hub.close().unwrap();
        assert_eq!(bench.disk.1.load(Ordering::Relaxed), looks);
    }

    #[test]
    fn a_change_of_keys_is_broken_off_while_it_is_waited_for_and_the_disk_closes_then() {
        let bench = Bench::start(Uid::current());
        let hub = bench.helper();
        format(&hub, Some(4)).unwrap();
        hub.open(&secret()).unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| hub.add_key(&secret(), &secret()));
            bench.disk.2.is_begun.lock().unwrap().recv().unwrap();
            hub.break_off();
            assert_eq!(waiting.join().unwrap(), Err(DataDiskError::Stopped));
        });
        hub.close().unwrap();
        assert_eq!(hub.state(), Ok(DiskState::Closed));
    }

    #[test]
    fn a_hub_that_ends_in_a_change_of_keys_leaves_the_disk_closed() {
        let bench = Bench::start(Uid::current());
        let mut stream = UnixStream::connect(bench.folder.path().join("disk")).unwrap();
        stream
            .write_all(Request::AddKey(secret(), secret()).to_line().as_bytes())
            .unwrap();
        bench.disk.2.is_begun.lock().unwrap().recv().unwrap();
        drop(stream);
        assert_eq!(bench.helper().state(), Ok(DiskState::Closed));
    }

    #[test]
    fn a_hub_that_ends_leaves_the_disk_closed() {
        let bench = Bench::start(Uid::current());
        let hub = bench.helper();
        format(&hub, Some(4)).unwrap();
        hub.open(&secret()).unwrap();
        drop(hub);
        // The next client is served only after the last one's disk is closed.
        assert_eq!(bench.helper().state(), Ok(DiskState::Closed));
    }

    #[test]
    fn a_line_that_means_nothing_ends_the_conversation() {
        let bench = Bench::start(Uid::current());
        let mut stream = UnixStream::connect(bench.folder.path().join("disk")).unwrap();
        stream.write_all(b"mount /dev/sda1 /\n").unwrap();
        let mut answer = String::new();
        assert_eq!(io::Read::read_to_string(&mut stream, &mut answer).unwrap(), 0);
        assert_eq!(bench.helper().state(), Ok(DiskState::Closed));
        assert_eq!(*bench.disk.0.lock().unwrap(), DiskState::Closed);
    }

    #[test]
    fn where_nobody_listens_the_disk_can_not_be_told_of() {
        let nobody = Helper::at("/nonexistent/socket".into());
        assert_eq!(nobody.state(), Err(DataDiskError::Service));
    }
}
