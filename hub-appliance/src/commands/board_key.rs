//! `hub-appliance board-key`: works on the board's own key for the hub. And where the hub has that from.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use hub_appliance::system::board_key::{BoardKey, MailboxAt, NoBoardKey, Service, serve};

use super::{CommandError, for_the_hub};

/// Where the board's key is. Its group has a name of its own, as that of the sticks stands beside it.
#[derive(Args)]
#[group(id = "board-key-source")]
pub(crate) struct Source {
    /// Socket of `board-key`, where the board may have a key of its own
    #[arg(long, value_name = "SOCKET")]
    board_key: Option<PathBuf>,
}

impl Source {
    pub(super) fn board_key(self) -> Arc<dyn BoardKey> {
        match self.board_key {
            Some(socket) => Arc::new(Service::at(socket)),
            None => Arc::new(NoBoardKey),
        }
    }
}

#[derive(Args)]
pub(crate) struct Arguments {
    /// Socket to listen on, in a folder that only this user can write, and only the hub's group can search
    #[arg(long, value_name = "SOCKET")]
    socket: PathBuf,
    /// The firmware's mailbox; a socket stands for it on a desk
    #[arg(long, value_name = "PATH", default_value = "/dev/vcio")]
    mailbox: PathBuf,
    /// User of the hub
    #[arg(long, value_name = "NAME", default_value = "hub")]
    user: String,
}

pub(super) fn run(Arguments { socket, mailbox, user }: &Arguments) -> Result<(), CommandError> {
    let owner = for_the_hub::owner(user)?;
    let listener = for_the_hub::listen_in_folder(socket)?;
    serve(&MailboxAt::new(mailbox.clone()), &listener, owner.user).map_err(CommandError::Socket)
}
