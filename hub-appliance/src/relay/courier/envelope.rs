//! The outside of a bundle: whose it is and its number in the clear, what it holds sealed to its receiver, a signature over
//! all of it.
//!
//! ```text
//! file      = header ‖ payload ‖ signature (64, ECDSA on P-256 with SHA-256)
//! header    = "HKCOURIR" ‖ format 1 (u8) ‖ kind 1 or 2 (u8) ‖ hub id (16) ‖ number (u64) ‖ made at, epoch ms (i64)
//!           ‖ public key of the signer (33, SEC 1, compressed)          numbers are big-endian
//! payload   = an age file (age-encryption.org/v1, one X25519 recipient)
//! signature over "hub courier v1" ‖ SHA-256(header ‖ payload)
//! ```
//!
//! It is read twice: once for the signature, before anything of it is believed, and once to open it, when it has to have the
//! same digest again, for a stick may be more than a disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use age::x25519::{Identity, Recipient};
use age::{DecryptError, Decryptor, Encryptor};
use nix::libc::{O_NOFOLLOW, O_NONBLOCK};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{CourierError, MAX_BYTES};
use crate::atomic_file;
use crate::keys::{PUBLIC_LEN, SIGNATURE_LEN, SigningKey, is_signed_by};
use crate::secret::SecretText;

const MAGIC: &[u8; 8] = b"HKCOURIR";
const FORMAT: u8 = 1;
const LABEL: &[u8] = b"hub courier v1";
/// Bytes of a header.
pub const HEADER_LEN: usize = MAGIC.len() + 2 + 16 + 8 + 8 + PUBLIC_LEN;
const BUFFER: usize = 64 * 1024;

/// Which way a bundle goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// From a hub to the desk.
    Export,
    /// From the desk to a hub.
    Answer,
}

/// What can be read on a bundle without opening it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Which way it goes.
    pub kind: Kind,
    /// The hub that it comes from or goes to.
    pub hub: Uuid,
    /// Its number among those of this kind and hub.
    pub number: u64,
    /// When it was made, epoch ms on the clock of who made it.
    pub at: i64,
    /// Who signed it: a P-256 public key, compressed.
    pub signer: [u8; PUBLIC_LEN],
}

impl Header {
    /// Reads a header from the beginning of a bundle.
    ///
    /// # Errors
    /// [`CourierError::Damaged`], [`CourierError::Version`].
    pub fn parse(bytes: &[u8]) -> Result<Self, CourierError> {
        let mut reader = Reader(bytes);
        if reader.array()? != *MAGIC {
            return Err(CourierError::Damaged);
        }
        let [format, kind] = reader.array()?;
        if format != FORMAT {
            return Err(CourierError::Version);
        }
        Ok(Self {
            kind: match kind {
                1 => Kind::Export,
                2 => Kind::Answer,
                _ => return Err(CourierError::Damaged),
            },
            hub: Uuid::from_bytes(reader.array()?),
            number: u64::from_be_bytes(reader.array()?),
            at: i64::from_be_bytes(reader.array()?),
            signer: reader.array()?,
        })
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let kind = match self.kind {
            Kind::Export => 1,
            Kind::Answer => 2,
        };
        [
            &MAGIC[..],
            &[FORMAT, kind],
            self.hub.as_bytes(),
            &self.number.to_be_bytes(),
            &self.at.to_be_bytes(),
            &self.signer,
        ]
        .concat()
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], CourierError> {
        let (array, rest) = self.0.split_first_chunk().ok_or(CourierError::Damaged)?;
        self.0 = rest;
        Ok(*array)
    }
}

/// What people compare of a public key: 4 groups of 4 hexadecimal digits.
#[must_use]
pub fn fingerprint(public: &[u8; PUBLIC_LEN]) -> String {
    let digest = Sha256::digest(public);
    let groups = digest.chunks(2).take(4);
    let groups: Vec<String> = groups.map(|pair| format!("{:02X}{:02X}", pair[0], pair[1])).collect();
    groups.join("-")
}

pub(super) fn signed(digest: &[u8; 32]) -> Vec<u8> {
    [LABEL, digest].concat()
}

/// Makes a bundle at `path`: `fill` writes what it holds. What was there under this name is replaced, or stays where this
/// fails.
pub(super) fn seal(
    path: &Path,
    header: &Header,
    recipient: &Recipient,
    signer: &SigningKey,
    fill: impl FnOnce(&mut dyn Write) -> Result<(), CourierError>,
) -> Result<(), CourierError> {
    let fresh = path.with_added_extension("new");
    let made = write(&fresh, header, recipient, signer, fill).and_then(|digest| {
        atomic_file::rename(&fresh, path)?;
        // What a stick says that it took is not always what it gives back.
        let there = Sealed::open(path)?;
        (there.digest == digest).then_some(()).ok_or(CourierError::Damaged)
    });
    if made.is_err() {
        // What can't be removed is not whole, and is replaced by the next.
        let _ = fs::remove_file(&fresh);
    }
    made
}

fn write(
    fresh: &Path,
    header: &Header,
    recipient: &Recipient,
    signer: &SigningKey,
    fill: impl FnOnce(&mut dyn Write) -> Result<(), CourierError>,
) -> Result<[u8; 32], CourierError> {
    let _ = fs::remove_file(fresh);
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(fresh)?;
    let mut hashing = Hashing::new(BufWriter::with_capacity(BUFFER, file));
    let hash = Arc::clone(&hashing.hash);
    hashing.write_all(&header.to_bytes())?;
    let recipients = std::iter::once(recipient as &dyn age::Recipient);
    let encryptor = Encryptor::with_recipients(recipients).map_err(|_| CourierError::Key("recipient"))?;
    let mut sealed = encryptor.wrap_output(hashing)?;
    fill(&mut sealed)?;
    let mut file = sealed.finish()?.inner;
    let digest = finished(&hash);
    file.write_all(&signer.sign(&signed(&digest)))?;
    let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    if file.metadata()?.len() > MAX_BYTES {
        return Err(CourierError::TooLarge);
    }
    file.sync_all()?;
    Ok(digest)
}

/// A bundle whose signature is that of the key that it names. Whether that is the right one is for the caller to say.
#[derive(Debug)]
pub struct Sealed {
    /// What stands on it.
    pub header: Header,
    /// Says which bundle this is: SHA-256 of header and payload.
    pub digest: [u8; 32],
    /// All of it, bytes.
    pub bytes: u64,
    file: File,
    payload: u64,
}

impl Sealed {
    /// Opens the file and checks its signature.
    ///
    /// # Errors
    /// [`CourierError`].
    pub fn open(path: &Path) -> Result<Self, CourierError> {
        // A pipe of that name would be waited for, and a link leads anywhere.
        let mut how = OpenOptions::new();
        let mut file = how.read(true).custom_flags(O_NONBLOCK | O_NOFOLLOW).open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(CourierError::Damaged);
        }
        let bytes = metadata.len();
        if bytes > MAX_BYTES {
            return Err(CourierError::TooLarge);
        }
        let around = (HEADER_LEN + SIGNATURE_LEN) as u64;
        let payload = bytes.checked_sub(around).ok_or(CourierError::Damaged)?;
        let mut start = [0; HEADER_LEN];
        file.read_exact(&mut start)?;
        let header = Header::parse(&start)?;
        let mut hash = Sha256::new();
        hash.update(start);
        let mut body = (&mut file).take(payload);
        let mut buffer = vec![0; BUFFER];
        loop {
            let count = body.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            hash.update(&buffer[..count]);
        }
        let digest: [u8; 32] = hash.finalize().into();
        let mut signature = [0; SIGNATURE_LEN];
        file.read_exact(&mut signature)?;
        if !is_signed_by(&header.signer, &signed(&digest), &signature) {
            return Err(CourierError::Damaged);
        }
        Ok(Self {
            header,
            digest,
            bytes,
            file,
            payload,
        })
    }

    /// Opens what is sealed in it with `identity` and hands it to `work`, which has to read all of it. What `work` gives
    /// counts only if this gives it.
    pub(super) fn read<T>(
        mut self,
        identity: &Identity,
        work: impl FnOnce(&mut dyn BufRead) -> Result<T, CourierError>,
    ) -> Result<T, CourierError> {
        self.file.seek(SeekFrom::Start(0))?;
        let mut hashing =
            Hashing::new(BufReader::with_capacity(BUFFER, self.file).take(self.payload + HEADER_LEN as u64));
        let hash = Arc::clone(&hashing.hash);
        hashing.read_exact(&mut [0; HEADER_LEN])?;
        let decryptor = Decryptor::new(hashing).map_err(|error| of_age(&error))?;
        let identities = std::iter::once(identity as &dyn age::Identity);
        let opened = decryptor.decrypt(identities).map_err(|error| of_age(&error))?;
        let mut opened = BufReader::with_capacity(BUFFER, opened);
        let given = work(&mut opened)?;
        if !opened.fill_buf()?.is_empty() || finished(&hash) != self.digest {
            return Err(CourierError::Damaged);
        }
        Ok(given)
    }
}

fn of_age(error: &DecryptError) -> CourierError {
    match error {
        DecryptError::NoMatchingKeys => CourierError::NotForUs,
        _ => CourierError::Damaged,
    }
}

/// The recipient that is written so: `age1…`.
pub(super) fn recipient(text: &str) -> Result<Recipient, CourierError> {
    text.parse().map_err(|_| CourierError::Key("recipient"))
}

/// The identity that is written so.
pub(super) fn identity(text: &SecretText) -> Result<Identity, CourierError> {
    text.expose().parse().map_err(|_| CourierError::Key("identity"))
}

/// What goes through it is hashed.
struct Hashing<I> {
    inner: I,
    hash: Arc<Mutex<Sha256>>,
}

impl<I> Hashing<I> {
    fn new(inner: I) -> Self {
        Self {
            inner,
            hash: Arc::default(),
        }
    }

    fn update(&self, bytes: &[u8]) {
        let mut hash = self.hash.lock().unwrap_or_else(PoisonError::into_inner);
        hash.update(bytes);
    }
}

fn finished(hash: &Mutex<Sha256>) -> [u8; 32] {
    let hash = hash.lock().unwrap_or_else(PoisonError::into_inner);
    hash.clone().finalize().into()
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.update(&buffer[..count]);
        Ok(count)
    }
}
