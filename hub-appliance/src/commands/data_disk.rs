//! `hub-appliance data-disk`: what the image's init asks for, and what a person may.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use hub_appliance::system::data_disk::{self, DataDisk, DataDiskError, DiskState, Luks, Offer};

use super::{CommandError, for_the_hub, prompt, say};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Folder of the hub's data
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// User of the hub
    #[arg(long, value_name = "NAME", default_value = "hub")]
    user: String,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Say how it is with the disk; fails unless a hub could start with it
    Find,
    /// Unlock and mount the part for the records; asks for its passphrase
    Open,
    /// Unmount and lock the part for the records
    Close,
    /// Make a data disk; asks for its passphrase. Without --allow it says what can be made one, and changes nothing
    Format {
        /// Number of the disk that this is allowed for: all on it is lost
        #[arg(long, value_name = "NUMBER")]
        allow: Option<u64>,
    },
    /// Mount the part for the keys, and do the other things for the hub
    Serve {
        /// Socket to listen on, in a folder that only root can write
        #[arg(long, value_name = "SOCKET")]
        socket: PathBuf,
        /// File of records on the system's card that is removed when the hub has taken it in
        #[arg(long, value_name = "FILE")]
        import: Option<PathBuf>,
    },
}

pub(super) fn run(Arguments { data, user, action }: &Arguments) -> Result<(), CommandError> {
    let owner = for_the_hub::owner(user)?;
    let disk = Luks::new(data, owner);
    let ask = || prompt::secret("Passphrase: ").map_err(CommandError::Passphrase);
    match action {
        Action::Find => {
            let state = disk.state()?;
            say(&state.to_string());
            usable(state)
        }
        Action::Open => Ok(disk.open(&ask()?)?),
        Action::Close => Ok(disk.close()?),
        Action::Format { allow: None } => {
            for Offer {
                place,
                name,
                bytes,
                token,
            } in disk.offers()?
            {
                say(&format!("{token}: {place} {name}, {bytes} bytes"));
            }
            Err(CommandError::NotAllowed)
        }
        Action::Format { allow } => Ok(disk.format(&ask()?, *allow, &|_| {})?),
        Action::Serve { socket, import } => {
            let disk = disk.with_import(import.clone());
            let state = disk.attach()?;
            tracing::info!(%state, "data disk");
            let listener = for_the_hub::listen(socket, owner)?;
            data_disk::serve(&disk, &listener, owner.user).map_err(CommandError::Socket)
        }
    }
}

fn usable(state: DiskState) -> Result<(), CommandError> {
    if state.is_usable() {
        Ok(())
    } else {
        Err(DataDiskError::State(state).into())
    }
}
