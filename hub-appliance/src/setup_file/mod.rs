//! `hub-setup.toml`: what the owner of a box settles by a file on its card, before anybody is at the panel.
//!
//! ```toml
//! [panel]
//! profile = "four-buttons"        # what is wired: one of the names of `--panel-profile`
//! language = "fr"                 # en, fr, es or ar, until a person chooses another
//! digits = "latn"                 # in Arabic: "arab" as it is written, or "latn" for 0 to 9
//!
//! [help]
//! phone = "+220 123 4567"         # whom to call: at most 18 characters, shown with every problem
//!
//! [network]                       # without it the router gives an address (DHCP)
//! address = "192.168.1.50/24"     # the hub's own, in a private range, with the bits of its network
//! gateway = "192.168.1.1"         # may be left out, as may dns
//! dns = ["192.168.1.1"]           # at most 3
//!
//! [cloud]                         # without it the records stay here
//! url = "https://cloud.example"
//! api_key = "hh_…"                # taken out of the file at the next unlock
//! name = "Clinic North"           # may be left out, as may the rest
//! time_zone = "Pacific/Auckland"  # of the cloud's server, where that is ahead of UTC by more than 12 hours
//! ca_file = "ca.pem"              # of an organisation with certificates of its own
//!
//! [courier]                       # for records that are carried by hand: what `courier init` printed at the desk
//! recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
//! desk = "A2D-1LolWp0xyWHrdMY1bWjASbiSO2H6bOZpYi5g8p-2"   # without it no answer is taken
//!
//! [backup]                        # for an organisation that can open what a clinic lost
//! recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"     # its public key, of `age-keygen`
//!
//! [signal]                        # a light or a buzzer that tells across the room
//! pin = 12                        # the BCM number of its pin, which is high while it is on
//! kind = "light"                  # or "buzzer"
//!
//! [lock]                          # without it the hub locks by itself never
//! at = "18:00"                    # each day at this time
//! time_zone = "Africa/Banjul"     # of the clinic; `at` needs it
//! idle_hours = 4                  # after so long in which no phone called
//! ```
//!
//! A mistake makes its section void, in `[cloud]` its entry alone, and the rest of the file counts; the error says in which
//! line it is, and what to write instead. Its name may be in other case or end in `.txt`, and its text may be UTF-16, as
//! computers write such files; where there are two, none counts.

mod backup;
mod cloud;
mod courier;
mod lock;
mod signal;

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::net::Ipv4Addr;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub use cloud::{CloudSetup, Entry, forget_cloud_key};
pub use courier::CourierSetup;
pub use lock::LockSetup;

use crate::board::{BeaconSetup, profile_names};
use crate::keys::Organisation;
use crate::panel::{Language, Numerals};
use crate::system::owner_file::{self, OwnerFile};

/// The largest file that is read, in bytes.
pub const MAX_BYTES: u64 = 16 * 1024;
/// The most servers for names: a resolver asks no more (`resolv.conf`).
const MAX_DNS: usize = 3;

/// What a line of the panel has room for beside its icon.
const MAX_PHONE: usize = 18;

/// What the file settles.
#[derive(Debug, Default)]
pub struct SetupFile {
    /// What is wired, one of [`profile_names`].
    pub profile: Option<&'static str>,
    /// What the panel speaks until a person chooses.
    pub language: Option<Language>,
    /// With which digits the panel writes figures.
    pub numerals: Numerals,
    /// The hub's own address; none where the router gives one.
    pub network: Option<StaticNetwork>,
    /// Where the records are relayed to.
    pub cloud: Option<CloudSetup>,
    /// Whom records are carried to by hand.
    pub courier: Option<CourierSetup>,
    /// Which organisation can open the backups.
    pub backup: Option<Organisation>,
    /// The telephone number to call for help.
    pub help: Option<String>,
    /// When the hub locks by itself.
    pub lock: LockSetup,
    /// A light or a buzzer that tells across the room.
    pub signal: Option<BeaconSetup>,
    /// What of the file is not used.
    pub mistakes: Vec<SetupFileError>,
}

/// An address that no router gave. Shown as the lines that the image's init reads: `address A/BITS`, then `gateway A` and
/// `dns A` as there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticNetwork {
    /// The hub's address: a private one (RFC 1918), and neither the first nor the last of its network.
    pub address: Ipv4Addr,
    /// Bits of the address that name its network, 8 to 30.
    pub bits: u8,
    /// The way out, another address of the same network.
    pub gateway: Option<Ipv4Addr>,
    /// Servers for names, at most 3.
    pub dns: Vec<Ipv4Addr>,
}

/// What is wrong with the file.
#[derive(Debug, thiserror::Error)]
pub enum SetupFileError {
    /// It is there and can't be read.
    #[error("hub-setup.toml can't be read: {0}")]
    Read(#[from] io::Error),
    /// There is more than one that may be it.
    #[error("hub-setup.toml is there more than once, as hub-setup.toml.txt perhaps: leave one of them")]
    Several,
    /// It is larger than [`MAX_BYTES`].
    #[error("hub-setup.toml is too large: write less than {MAX_BYTES} bytes")]
    TooLarge,
    /// It is neither UTF-8 nor UTF-16.
    #[error("hub-setup.toml, line {line}: not plain text: save it as UTF-8")]
    NotText {
        /// Where, from 1.
        line: usize,
    },
    /// It is not TOML.
    #[error("hub-setup.toml, line {line}: {message}")]
    Syntax {
        /// Where, from 1.
        line: usize,
        /// What the reader of TOML says.
        message: String,
    },
    /// A section or key that is not there.
    #[error("hub-setup.toml, line {line}: {name:?} is not known: write {known}")]
    Unknown {
        /// Where, from 1.
        line: usize,
        /// As it is in the file, its beginning.
        name: String,
        /// What there is.
        known: &'static str,
    },
    /// A value that makes no sense.
    #[error("hub-setup.toml, line {line}: {key} needs {needs}")]
    Value {
        /// Where, from 1.
        line: usize,
        /// The key it is the value of.
        key: &'static str,
        /// What to write.
        needs: String,
    },
}

impl SetupFileError {
    /// The line, from 1, where there is one.
    #[must_use]
    pub const fn line(&self) -> Option<usize> {
        match self {
            Self::Read(_) | Self::Several | Self::TooLarge => None,
            Self::NotText { line }
            | Self::Syntax { line, .. }
            | Self::Unknown { line, .. }
            | Self::Value { line, .. } => Some(*line),
        }
    }
}

impl SetupFile {
    /// Reads the file at `path`; where there is none nothing is settled.
    ///
    /// # Errors
    /// Any [`SetupFileError`] that makes all of it void; others are among the mistakes.
    pub fn read(path: &Path) -> Result<Self, SetupFileError> {
        let path = match owner_file::look_for(path)? {
            OwnerFile::Absent => return Ok(Self::default()),
            OwnerFile::There(path) => path,
            OwnerFile::Several => return Err(SetupFileError::Several),
        };
        let mut bytes = Vec::new();
        let file = File::open(&path)?;
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
        Self::parse(bytes, path.parent().unwrap_or(Path::new("")))
    }

    /// Reads the content of a file that lies in `folder`, and what it names there.
    ///
    /// # Errors
    /// As [`Self::read`], but for [`SetupFileError::Read`].
    pub fn parse(bytes: Vec<u8>, folder: &Path) -> Result<Self, SetupFileError> {
        if bytes.len() as u64 > MAX_BYTES {
            return Err(SetupFileError::TooLarge);
        }
        // No matter how wide a character is, a line ends with one of these bytes.
        let line_feeds: Vec<usize> = bytes
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'\n')
            .map(|(at, _)| at)
            .collect();
        let text = owner_file::text(bytes).map_err(|text| SetupFileError::NotText {
            line: 1 + line_feeds.iter().filter(|at| **at < text).count(),
        })?;
        let reader = Reader { text: &text, folder };
        let table = DeTable::parse(reader.text).map_err(|error| reader.syntax(&error))?;
        let mut file = Self::default();
        for (name, value) in table.get_ref() {
            match name.get_ref().as_ref() {
                "panel" => match reader.panel(value) {
                    Ok(panel) => (file.profile, file.language, file.numerals) = panel,
                    Err(mistake) => file.mistakes.push(mistake),
                },
                "network" => match reader.network(value) {
                    Ok(network) => file.network = Some(network),
                    Err(mistake) => file.mistakes.push(mistake),
                },
                "help" => match reader.help(value) {
                    Ok(phone) => file.help = phone,
                    Err(mistake) => file.mistakes.push(mistake),
                },
                "lock" => match reader.lock(value) {
                    Ok(lock) => file.lock = lock,
                    Err(mistake) => file.mistakes.push(mistake),
                },
                "backup" => match reader.backup(value) {
                    Ok(backup) => file.backup = Some(backup),
                    Err(mistake) => file.mistakes.push(mistake),
                },
                "courier" => match reader.courier(value) {
                    Ok(courier) => file.courier = Some(courier),
                    Err(mistake) => file.mistakes.push(mistake),
                },
                "signal" => match reader.signal(value) {
                    Ok(signal) => file.signal = Some(signal),
                    Err(mistake) => file.mistakes.push(mistake),
                },
                "cloud" => file.cloud = reader.cloud(value, &mut file.mistakes),
                _ => file.mistakes.push(reader.unknown(
                    name,
                    "[panel], [help], [network], [cloud], [courier], [backup], [lock] or [signal]",
                )),
            }
        }
        Ok(file)
    }
}

impl fmt::Display for StaticNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "address {}/{}", self.address, self.bits)?;
        if let Some(gateway) = self.gateway {
            writeln!(f, "gateway {gateway}")?;
        }
        self.dns.iter().try_for_each(|dns| writeln!(f, "dns {dns}"))
    }
}

impl StaticNetwork {
    /// Whether `other` can be another member of this network.
    fn has_member(&self, other: Ipv4Addr) -> bool {
        let host = u32::MAX >> self.bits;
        let same = (self.address.to_bits() ^ other.to_bits()) & !host == 0;
        same && !matches!(other.to_bits() & host, 0) && other.to_bits() & host != host
    }
}

/// What `[panel]` settles: profile, language and digits.
type Panel = (Option<&'static str>, Option<Language>, Numerals);

/// A value of the file, and where it is.
type Value<'t> = Spanned<DeValue<'t>>;

/// Reads parts of the text and knows which line they are in.
struct Reader<'t> {
    text: &'t str,
    /// Where the file is.
    folder: &'t Path,
}

impl<'t> Reader<'t> {
    fn panel(&self, section: &Value<'t>) -> Result<Panel, SetupFileError> {
        let (mut chosen, mut spoken, mut numerals) = (None, None, Numerals::default());
        for (name, value) in self.section(section, "panel")? {
            match name.get_ref().as_ref() {
                "profile" => {
                    let found = value.get_ref().as_str();
                    let profile = found.and_then(|name| profile_names().find(|known| *known == name));
                    let known = || profile_names().collect::<Vec<_>>().join(", ");
                    let needs = || format!("one of these, in quotes: {}", known());
                    chosen = Some(profile.ok_or_else(|| self.wrong(value, "profile", needs()))?);
                }
                "language" => {
                    let language = value.get_ref().as_str().and_then(Language::of_code);
                    let needs = || r#""en", "fr", "es" or "ar""#.to_owned();
                    spoken = Some(language.ok_or_else(|| self.wrong(value, "language", needs()))?);
                }
                "digits" => {
                    numerals = match value.get_ref().as_str() {
                        Some("arab") => Numerals::Own,
                        Some("latn") => Numerals::European,
                        _ => return Err(self.wrong(value, "digits", r#""arab" or "latn""#.to_owned())),
                    };
                }
                _ => return Err(self.unknown(name, "profile, language or digits in [panel]")),
            }
        }
        Ok((chosen, spoken, numerals))
    }

    fn help(&self, section: &Value<'t>) -> Result<Option<String>, SetupFileError> {
        let mut phone = None;
        for (name, value) in self.section(section, "help")? {
            match name.get_ref().as_ref() {
                "phone" => {
                    let fits = |text: &&str| {
                        let is_part = |letter: char| letter.is_ascii_digit() || "+-/(). ".contains(letter);
                        (3..=MAX_PHONE).contains(&text.len()) && text.chars().all(is_part)
                    };
                    let found = value.get_ref().as_str().map(str::trim).filter(fits);
                    let needs = || format!("a telephone number in quotes, at most {MAX_PHONE} characters");
                    phone = Some(found.ok_or_else(|| self.wrong(value, "phone", needs()))?.to_owned());
                }
                _ => return Err(self.unknown(name, "phone in [help]")),
            }
        }
        Ok(phone)
    }

    fn network(&self, section: &Value<'t>) -> Result<StaticNetwork, SetupFileError> {
        let (mut own, mut gateway, mut dns) = (None, None, Vec::new());
        for (name, value) in self.section(section, "network")? {
            match name.get_ref().as_ref() {
                "address" => own = Some(self.address(value)?),
                "gateway" => gateway = Some(value),
                "dns" => dns = self.dns(value)?,
                _ => return Err(self.unknown(name, "address, gateway or dns in [network]")),
            }
        }
        let needs = || r#"an address in [network], such as "192.168.1.50/24""#.to_owned();
        let mut network = own.ok_or_else(|| self.wrong(section, "network", needs()))?;
        network.gateway = gateway.map(|value| self.gateway(value, &network)).transpose()?;
        network.dns = dns;
        Ok(network)
    }

    fn address(&self, value: &Value<'t>) -> Result<StaticNetwork, SetupFileError> {
        let parse = |text: &str| {
            let (address, bits) = text.split_once('/')?;
            let network = StaticNetwork {
                address: address.parse().ok().filter(Ipv4Addr::is_private)?,
                bits: bits.parse().ok().filter(|bits| (8..=30).contains(bits))?,
                gateway: None,
                dns: Vec::new(),
            };
            network.has_member(network.address).then_some(network)
        };
        let needs = || r#"a private address with the bits of its network, such as "192.168.1.50/24""#.to_owned();
        let found = value.get_ref().as_str().and_then(parse);
        found.ok_or_else(|| self.wrong(value, "address", needs()))
    }

    fn gateway(&self, value: &Value<'t>, network: &StaticNetwork) -> Result<Ipv4Addr, SetupFileError> {
        let found = value.get_ref().as_str().and_then(|text| text.parse().ok());
        let found = found.filter(|gateway| *gateway != network.address && network.has_member(*gateway));
        let needs = || {
            let StaticNetwork { address, bits, .. } = network;
            format!("the router's address, another one in the network of {address}/{bits}")
        };
        found.ok_or_else(|| self.wrong(value, "gateway", needs()))
    }

    fn dns(&self, value: &Value<'t>) -> Result<Vec<Ipv4Addr>, SetupFileError> {
        let servers = value.get_ref().as_array().filter(|servers| servers.len() <= MAX_DNS);
        let usable =
            |address: &Ipv4Addr| !address.is_unspecified() && !address.is_multicast() && !address.is_broadcast();
        let read = |server: &Value<'_>| server.get_ref().as_str()?.parse().ok().filter(usable);
        let needs = || format!(r#"a list of at most {MAX_DNS} addresses, such as ["192.168.1.1"]"#);
        servers
            .and_then(|servers| servers.iter().map(read).collect())
            .ok_or_else(|| self.wrong(value, "dns", needs()))
    }

    fn section<'v>(&self, value: &'v Value<'t>, key: &'static str) -> Result<&'v DeTable<'t>, SetupFileError> {
        let needs = || format!("a line [{key}] of its own above its keys");
        value
            .get_ref()
            .as_table()
            .ok_or_else(|| self.wrong(value, key, needs()))
    }

    fn unknown(&self, name: &Spanned<impl AsRef<str>>, known: &'static str) -> SetupFileError {
        SetupFileError::Unknown {
            line: self.line(&name.span()),
            name: name.get_ref().as_ref().chars().take(32).collect(),
            known,
        }
    }

    fn wrong(&self, value: &Value<'t>, key: &'static str, needs: String) -> SetupFileError {
        let line = self.line(&value.span());
        SetupFileError::Value { line, key, needs }
    }

    fn syntax(&self, error: &toml::de::Error) -> SetupFileError {
        SetupFileError::Syntax {
            line: error.span().map_or(1, |span| self.line(&span)),
            message: error.message().replace('\n', ", "),
        }
    }

    fn line(&self, span: &Range<usize>) -> usize {
        line_at(self.text.as_bytes(), span.start)
    }
}

/// The number, from 1, of the line that the byte `at` is in.
fn line_at(bytes: &[u8], at: usize) -> usize {
    let before = bytes.iter().take(at).filter(|byte| **byte == b'\n');
    1 + before.count()
}

#[cfg(test)]
mod tests;
