//! `hub-appliance courier`: the organisation's desk, where what hubs packed is delivered to the cloud and answered.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use hub_appliance::relay::Access;
use hub_appliance::relay::courier::{self, CourierDesk, CourierError, Delivery, Kind, Request, Sealed, fingerprint};
use hub_appliance::secret::SecretText;
use zeroize::Zeroizing;

use super::{CommandError, say};

/// A longer file is no key, and no certificates.
const MAX_KEY: u64 = 4096;
const MAX_CA: u64 = 64 * 1024;

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Make the desk's keys, and print what every hub's `hub-setup.toml` has to say of it
    Init(Place),
    /// Print once more what `hub-setup.toml` has to say of this desk
    Setup(Place),
    /// Say whose bundle a file is, and its number; it need not be for this desk
    Show {
        /// The file
        #[arg(long, value_name = "FILE")]
        bundle: PathBuf,
    },
    /// Push a hub's bundle to the cloud, and write the answer for it
    Deliver {
        /// The bundle: hikma-courier/HUB/export-NUMBER.hkc on the stick
        #[arg(long, value_name = "FILE")]
        bundle: PathBuf,
        /// What the hub's panel shows under USB, for its first bundle
        #[arg(long, value_name = "FINGERPRINT")]
        new_hub: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// Write an answer without a bundle, for a hub that has sent one before
    Fetch {
        /// The hub's id
        #[arg(long, value_name = "ID")]
        hub: uuid::Uuid,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Args)]
struct Place {
    /// Folder of the desk: its keys, and what it knows of each hub
    #[arg(long, value_name = "DIR")]
    desk: PathBuf,
}

#[derive(Args)]
struct Common {
    #[command(flatten)]
    place: Place,
    /// The cloud's address
    #[arg(long, value_name = "URL")]
    cloud: String,
    /// File with the hub's own API key, `hh_…`
    #[arg(long, value_name = "FILE")]
    api_key_file: PathBuf,
    /// PEM file of more certificates to trust
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// The topmost folder of the stick that the answer goes to
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    match &arguments.action {
        Action::Init(place) => say(CourierDesk::make(&place.desk)?.setup().trim_end()),
        Action::Setup(place) => say(CourierDesk::open(&place.desk)?.setup().trim_end()),
        Action::Show { bundle } => show(bundle)?,
        Action::Deliver {
            bundle,
            new_hub,
            common,
        } => {
            let desk = CourierDesk::open(&common.place.desk)?;
            let access = access(common)?;
            let request = Request { access, to: &common.to };
            told(&wait(courier::deliver(&desk, bundle, new_hub.as_deref(), &request))?);
        }
        Action::Fetch { hub, common } => {
            let desk = CourierDesk::open(&common.place.desk)?;
            let access = access(common)?;
            let request = Request { access, to: &common.to };
            told(&wait(courier::fetch(&desk, *hub, &request))?);
        }
    }
    Ok(())
}

fn show(bundle: &Path) -> Result<(), CommandError> {
    let sealed = Sealed::open(bundle)?;
    let header = &sealed.header;
    let way = match header.kind {
        Kind::Export => "from",
        Kind::Answer => "for",
    };
    say(&format!(
        "bundle {} {way} hub {}, {} bytes, whole, signed by {}",
        header.number,
        header.hub,
        sealed.bytes,
        fingerprint(&header.signer)
    ));
    Ok(())
}

fn told(done: &Delivery) {
    if done.bundle > 0 {
        say(&format!(
            "bundle {} of {}: taken {}, there already {}, refused {}, later {}",
            done.bundle, done.hub, done.taken, done.there, done.refused, done.later
        ));
    }
    say(&format!("answer with {} rows: {}", done.told, done.answer.display()));
}

fn access(common: &Common) -> Result<Access, CommandError> {
    let key = read(&common.api_key_file, MAX_KEY)?;
    let ca = common.ca_file.as_deref().map(|file| read(file, MAX_CA)).transpose()?;
    Ok(Access {
        url: common.cloud.clone(),
        key: SecretText::new(key.trim().to_owned()),
        ca: ca.map(|text| text.to_string()).unwrap_or_default(),
    })
}

fn read(file: &Path, most: u64) -> Result<Zeroizing<String>, CourierError> {
    let mut text = Zeroizing::new(String::new());
    File::open(file)
        .and_then(|file| file.take(most).read_to_string(&mut text))
        .map_err(CourierError::Disk)?;
    Ok(text)
}

fn wait<T>(work: impl Future<Output = Result<T, CourierError>>) -> Result<T, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.map_err(CommandError::Threads)?.block_on(work)?)
}
