//! A Raspberry Pi's firmware, played behind its mailbox, and the process that works on the board's key with it.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use hmac::{Hmac, KeyInit, Mac};
use hub_tests::hub::binary;
use sha2::Sha256;
use tempfile::TempDir;

const ANSWERED: u32 = 1 << 31;
const FAILED: u32 = 1 << 31;

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Right,
    /// Fewer bytes than were asked with.
    Short,
    /// Not what belongs into an answer.
    Garbage,
    /// An answer whose values are fewer than there have to be.
    Few,
    /// As a firmware that knows none of it.
    Unknown,
}

/// A board.
#[derive(Debug, Clone)]
pub(crate) struct Board {
    /// The rows of its key, in the order of the memory.
    pub(crate) rows: [u32; 8],
    /// Whether the firmware computes with the key.
    pub(crate) has_service: bool,
    /// Whether it keeps the rows to itself.
    pub(crate) is_locked: bool,
    /// Whether it shows zeros then, instead of refusing.
    pub(crate) shows_zeros: bool,
    /// With which error its service fails.
    pub(crate) fails: Option<u32>,
    /// Bits that can't be set any more.
    pub(crate) stuck: u32,
    pub(crate) manner: Manner,
    /// The tags that it was asked, in turn.
    pub(crate) asked: Vec<u32>,
    /// The messages that its service computed with, and what it made of them.
    pub(crate) computed: Vec<(Vec<u8>, [u8; 32])>,
}

impl Board {
    pub(crate) const BLANK: [u32; 8] = [0; 8];

    pub(crate) const fn new(rows: [u32; 8], has_service: bool) -> Self {
        Self {
            rows,
            has_service,
            is_locked: false,
            shows_zeros: false,
            fails: None,
            stuck: 0,
            manner: Manner::Right,
            asked: Vec::new(),
            computed: Vec::new(),
        }
    }

    /// The key that the rows are, as a number written down.
    pub(crate) fn key(&self) -> Vec<u8> {
        self.rows.map(u32::to_be_bytes).concat()
    }

    pub(crate) fn hmac(&self, message: &[u8]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key()).unwrap();
        mac.update(message);
        mac.finalize().into_bytes().into()
    }

    /// What it puts in the place of a question's values; none where it does not know the tag.
    fn values(&mut self, tag: u32, question: &[u8]) -> Option<Vec<u8>> {
        let word = |at: usize| u32::from_le_bytes(question[4 * at..4 * at + 4].try_into().unwrap());
        let is_blank = self.rows == Self::BLANK;
        match tag {
            0x0003_0081 => {
                let shown = match (self.is_locked, self.shows_zeros) {
                    (false, _) => self.rows,
                    (true, true) => Self::BLANK,
                    (true, false) => return None,
                };
                Some([&question[..8], &shown.map(u32::to_le_bytes).concat()].concat())
            }
            0x0003_8081 => {
                assert_eq!((word(0), word(1)), (0, 8), "all of its rows");
                for (at, row) in self.rows.iter_mut().enumerate() {
                    // What was set once stays.
                    *row |= word(2 + at) & !self.stuck;
                }
                Some(Vec::new())
            }
            _ if !self.has_service => None,
            0x0003_008f => Some(1_u32.to_le_bytes().to_vec()),
            0x0003_0090 => {
                let locked = if self.is_locked { 1 << 8 } else { 0 };
                let status = if is_blank { FAILED } else { 1 | locked };
                Some(status.to_le_bytes().to_vec())
            }
            0x0003_0092 => {
                assert_eq!((word(0), word(1)), (0, 1), "no flags, the device key");
                if self.fails.is_some() || is_blank {
                    return Some([FAILED, 0].map(u32::to_le_bytes).concat());
                }
                let length = usize::try_from(word(2)).unwrap();
                let message = &question[12..12 + length];
                let made = self.hmac(message);
                self.computed.push((message.to_vec(), made));
                Some([&[0, 32].map(u32::to_le_bytes).concat()[..], &made].concat())
            }
            0x0003_008e => {
                let code = self.fails.unwrap_or(if is_blank { 6 } else { 0 });
                Some(code.to_le_bytes().to_vec())
            }
            _ => None,
        }
    }

    /// The answer to a message.
    fn answer(&mut self, message: &[u8]) -> Vec<u8> {
        let word = |at: usize| u32::from_le_bytes(message[4 * at..4 * at + 4].try_into().unwrap());
        assert_eq!(word(1), 0, "a question");
        assert_eq!(word(0), word(3) + 24, "room for the values, and the end");
        assert!(word(4) <= word(3));
        assert_eq!(&message[message.len() - 4..], [0; 4], "no second tag");
        self.asked.push(word(2));
        let values = self.values(word(2), &message[20..message.len() - 4]);
        let mut answer = message.to_vec();
        answer[4..8].copy_from_slice(&ANSWERED.to_le_bytes());
        if let Some(values) = values.filter(|_| self.manner != Manner::Unknown) {
            let length = u32::try_from(values.len()).unwrap();
            let told = if self.manner == Manner::Few {
                length.min(3)
            } else {
                length
            };
            answer[16..20].copy_from_slice(&(ANSWERED | told).to_le_bytes());
            answer[20..20 + values.len()].copy_from_slice(&values);
        }
        match self.manner {
            Manner::Short => answer.truncate(answer.len() - 1),
            Manner::Garbage => answer.fill(0xa5),
            Manner::Right | Manner::Few | Manner::Unknown => {}
        }
        answer
    }
}

/// The firmware of a board that can be changed meanwhile.
#[derive(Debug, Clone)]
pub(crate) struct Firmware(Arc<Mutex<Board>>);

impl Firmware {
    pub(crate) fn listen(socket: &Path, board: Board) -> Self {
        let firmware = Self(Arc::new(Mutex::new(board)));
        let listener = UnixListener::bind(socket).unwrap();
        let played = firmware.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (played, stream) = (played.clone(), stream.unwrap());
                std::thread::spawn(move || played.converse(stream));
            }
        });
        firmware
    }

    pub(crate) fn board(&self) -> Board {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn set(&self, change: impl FnOnce(&mut Board)) {
        change(&mut self.0.lock().unwrap());
    }

    fn converse(&self, mut stream: UnixStream) {
        let mut size = [0; 4];
        while stream.read_exact(&mut size).is_ok() {
            let length = usize::try_from(u32::from_le_bytes(size)).unwrap();
            let mut message = vec![0; length];
            message[..4].copy_from_slice(&size);
            stream.read_exact(&mut message[4..]).unwrap();
            let answer = self.0.lock().unwrap().answer(&message);
            if stream.write_all(&answer).is_err() || answer.len() < length {
                return;
            }
        }
    }
}

/// `hub-appliance board-key` beside a played firmware.
pub(crate) struct Bench {
    pub(crate) firmware: Firmware,
    process: Child,
    folder: TempDir,
}

impl Bench {
    pub(crate) fn start(board: Board) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mailbox = folder.path().join("mailbox");
        let firmware = Firmware::listen(&mailbox, board);
        Self {
            process: start(&folder.path().join("socket"), &mailbox),
            firmware,
            folder,
        }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts the process, and waits until it answers.
pub(crate) fn start(socket: &Path, mailbox: &Path) -> Child {
    let user = nix::unistd::User::from_uid(nix::unistd::Uid::current())
        .unwrap()
        .unwrap();
    let mut process = Command::new(binary().unwrap())
        .args(["board-key", "--user", &user.name, "--socket"])
        .arg(socket)
        .arg("--mailbox")
        .arg(mailbox)
        .env("RUST_LOG", "info")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(process.stderr.take().unwrap()).lines();
    let answers = said.any(|line| line.unwrap().contains("the service of the board's key answers"));
    assert!(answers, "it ended");
    // What it says later is read too, so that it never waits for a reader.
    std::thread::spawn(move || said.count());
    process
}
