//! `hub-appliance sticks`: opens USB sticks for the hub. And where the hub has its sticks from.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use hub_appliance::system::sticks::{Disks, Folder, NoSticks, Service, Sticks, serve};

use super::{CommandError, for_the_hub};

/// Where the hub's USB sticks are.
#[derive(Args)]
pub(crate) struct Source {
    /// Folder that stands for a USB stick, which is in while the folder is there
    #[arg(long, value_name = "DIR")]
    usb: Option<PathBuf>,
    /// Socket of `sticks`, where there are real ones
    #[arg(long, value_name = "SOCKET", conflicts_with = "usb")]
    sticks: Option<PathBuf>,
}

impl Source {
    pub(super) fn sticks(self) -> Arc<dyn Sticks> {
        match (self.usb, self.sticks) {
            (Some(folder), _) => Arc::new(Folder::at(folder)),
            (None, Some(socket)) => Arc::new(Service::at(socket)),
            (None, None) => Arc::new(NoSticks),
        }
    }
}

#[derive(Args)]
pub(crate) struct Arguments {
    /// Socket to listen on, in a folder that only root can write
    #[arg(long, value_name = "SOCKET")]
    socket: PathBuf,
    /// User of the hub
    #[arg(long, value_name = "NAME", default_value = "hub")]
    user: String,
}

pub(super) fn run(Arguments { socket, user }: &Arguments) -> Result<(), CommandError> {
    let owner = for_the_hub::owner(user)?;
    let mut disks = Disks::new(owner);
    let listener = for_the_hub::listen(socket, owner)?;
    serve(&mut disks, &listener, owner.user).map_err(CommandError::Socket)
}
