//! `[cloud]` of `hub-setup.toml`: where the records are relayed to. The key in it is a secret that lies in the clear: it is
//! read once, at an unlock, into the vault, and then overwritten in its place.

use std::fs::OpenOptions;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};
use reqwest::Url;
use toml::de::DeTable;

use super::lock::zone_named;
use super::{MAX_BYTES, Reader, SetupFileError, Value};
use crate::relay::{are_certificates, may_be_called};
use crate::secret::SecretText;
use crate::system::owner_file::{self, OwnerFile};

/// What begins a key; 64 hexadecimal digits follow.
const KEY_BEGINS: &str = "hh_";
const KEY_DIGITS: usize = 64;
/// The longest name of a hub, bytes.
const MAX_NAME: usize = 64;
/// The largest file of certificates, bytes.
const MAX_CA: u64 = 64 * 1024;

/// An entry that may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Entry<T> {
    /// It is not there.
    #[default]
    Absent,
    /// It is there and has a mistake: what is known from before stays.
    Mistaken,
    /// What it says.
    Says(T),
}

impl<T> Entry<T> {
    /// What it says, or what was `known` before where that can't be told; empty where it is not there.
    pub fn or_known(self, known: T) -> T
    where
        T: Default,
    {
        match self {
            Self::Absent => T::default(),
            Self::Mistaken => known,
            Self::Says(what) => what,
        }
    }
}

/// What `[cloud]` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudSetup {
    /// The cloud's base URL.
    pub url: String,
    /// The key; none where it was taken out of the file before.
    pub api_key: Option<SecretText>,
    /// What people call this hub.
    pub name: Option<String>,
    /// The zone that the cloud's server is in (IANA).
    pub time_zone: Entry<String>,
    /// More certificates to trust, as PEM: what is in the file that `ca_file` names.
    pub ca: Entry<String>,
}

/// Reads the file of certificates, beside the setup file in `folder`.
fn read_certificates(folder: &Path, name: &Path) -> Result<String, &'static str> {
    const CAN_BE_READ: &str = "a file that can be read, beside hub-setup.toml";
    let path = match owner_file::look_for(&folder.join(name)) {
        Ok(OwnerFile::There(path)) => path,
        Ok(OwnerFile::Absent) => return Err("a file of that name beside hub-setup.toml: there is none"),
        Ok(OwnerFile::Several) => return Err("one file of that name beside hub-setup.toml: leave one of them"),
        Err(_) => return Err(CAN_BE_READ),
    };
    // A pipe of that name would be waited for.
    let mut how = OpenOptions::new();
    let file = how.read(true).custom_flags(O_NONBLOCK).open(path);
    let file = file
        .ok()
        .filter(|file| file.metadata().is_ok_and(|about| about.is_file()));
    let mut bytes = Vec::new();
    file.and_then(|file| file.take(MAX_CA + 1).read_to_end(&mut bytes).ok())
        .ok_or(CAN_BE_READ)?;
    if bytes.len() as u64 > MAX_CA {
        return Err("a file of at most 64 KiB");
    }
    let pem = owner_file::text(bytes).ok().filter(|pem| are_certificates(pem));
    pem.ok_or("a file of certificates in PEM, each from -----BEGIN CERTIFICATE----- on")
}

impl<'t> Reader<'t> {
    /// Reads the section as far as it makes sense, and the file beside the setup file that it names; what does not goes to
    /// `mistakes`. Without a URL there is no cloud.
    pub(super) fn cloud(&self, section: &Value<'t>, mistakes: &mut Vec<SetupFileError>) -> Option<CloudSetup> {
        let table: &DeTable<'t> = match self.section(section, "cloud") {
            Ok(table) => table,
            Err(mistake) => {
                mistakes.push(mistake);
                return None;
            }
        };
        let mut url = None;
        let mut setup = CloudSetup {
            url: String::new(),
            api_key: None,
            name: None,
            time_zone: Entry::Absent,
            ca: Entry::Absent,
        };
        for (name, value) in table {
            let text = value.get_ref().as_str();
            let mut wrong = |key, needs: &str| mistakes.push(self.wrong(value, key, needs.to_owned()));
            match name.get_ref().as_ref() {
                "url" => {
                    url = text
                        .map(str::trim)
                        .filter(|text| Url::parse(text).is_ok_and(|url| may_be_called(&url)));
                    if url.is_none() {
                        wrong("url", r#"the cloud's address, such as "https://cloud.example.org""#);
                    }
                }
                "api_key" => {
                    match text.map(str::trim_end) {
                        // What is left of one that was taken out.
                        Some(text) if text.is_empty() || text.starts_with(' ') => {}
                        Some(text) if is_key(text) => setup.api_key = Some(SecretText::new(text.to_owned())),
                        _ => wrong("api_key", "hh_ and 64 hexadecimal digits, as the cloud showed them"),
                    }
                }
                "name" => {
                    let name = text.filter(|name| !name.trim().is_empty() && name.len() <= MAX_NAME);
                    setup.name = name.map(str::to_owned);
                    if name.is_none() {
                        wrong("name", "1 to 64 characters in quotes");
                    }
                }
                "time_zone" => {
                    let zone = text.filter(|zone| zone_named(zone).is_some());
                    setup.time_zone = zone.map_or(Entry::Mistaken, |zone| Entry::Says(zone.to_owned()));
                    if zone.is_none() {
                        wrong(
                            "time_zone",
                            r#"the zone of the cloud's server, such as "Pacific/Auckland""#,
                        );
                    }
                }
                "ca_file" => {
                    let file = text
                        .map(Path::new)
                        .filter(|file| file.file_name() == Some(file.as_os_str()));
                    let read = file
                        .ok_or("the name of a PEM file beside hub-setup.toml")
                        .and_then(|file| read_certificates(self.folder, file));
                    setup.ca = match read {
                        Ok(pem) => Entry::Says(pem),
                        Err(needs) => {
                            wrong("ca_file", needs);
                            Entry::Mistaken
                        }
                    };
                }
                _ => mistakes.push(self.unknown(name, "url, api_key, name, time_zone or ca_file in [cloud]")),
            }
        }
        setup.url = url?.trim_end_matches('/').to_owned();
        Some(setup)
    }
}

fn is_key(text: &str) -> bool {
    let digits = text.strip_prefix(KEY_BEGINS);
    digits.is_some_and(|digits| digits.len() == KEY_DIGITS && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
}

/// Overwrites the key in the file, in its place, with blanks: a power cut leaves it, or a part of it, or nothing, and the
/// rest of the file as it is. Nothing happens where there is none.
///
/// # Errors
/// What the file or its disk report: the key is still there.
pub fn forget_cloud_key(path: &Path) -> io::Result<()> {
    let path = match owner_file::look_for(path)? {
        OwnerFile::Absent => return Ok(()),
        OwnerFile::There(path) => path,
        OwnerFile::Several => return Err(io::ErrorKind::AlreadyExists.into()),
    };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(O_NOFOLLOW)
        .open(path)?;
    let mut bytes = Vec::new();
    (&mut file).take(MAX_BYTES).read_to_end(&mut bytes)?;
    let mark = if bytes.starts_with("\u{feff}".as_bytes()) { 3 } else { 0 };
    // In UTF-16 it is left to a person, who is told.
    let text = std::str::from_utf8(&bytes[mark..]).map_err(|_| io::ErrorKind::InvalidData)?;
    let Ok(table) = DeTable::parse(text) else {
        return Ok(());
    };
    let reader = Reader {
        text,
        folder: Path::new(""),
    };
    let cloud = table
        .get_ref()
        .iter()
        .find(|(name, _)| name.get_ref().as_ref() == "cloud");
    let setup = cloud.and_then(|(_, section)| {
        let section = reader.section(section, "cloud").ok()?;
        section
            .iter()
            .find(|(name, _)| name.get_ref().as_ref() == "api_key")
            .map(|(_, value)| value.span())
    });
    let Some(at) = setup else { return Ok(()) };
    let value = &text[at.clone()];
    let quotes = value.len() - value.trim_start_matches(['"', '\'']).len();
    let inner = (at.start + quotes)..(at.end.saturating_sub(quotes)).max(at.start + quotes);
    if inner.is_empty() || text[inner.clone()].trim().is_empty() {
        return Ok(());
    }
    file.seek(SeekFrom::Start((mark + inner.start) as u64))?;
    file.write_all(&vec![b' '; inner.len()])?;
    file.sync_all()
}
