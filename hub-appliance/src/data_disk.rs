//! `hub-appliance data-disk`: what the image's init asks for, and what a person may.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use hub_appliance::system::data_disk::{self, DataDisk, DataDiskError, DiskState, Luks, Offer, Owner};
use nix::unistd::{User, chown};

use crate::prompt;

#[derive(Subcommand)]
pub(crate) enum Action {
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

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("there is no user {0}")]
    NoUser(String),
    #[error(transparent)]
    Disk(#[from] DataDiskError),
    #[error("nothing was changed: say by --allow NUMBER which of these is to be made the data disk")]
    NotAllowed,
    #[error("the socket: {0}")]
    Socket(#[source] io::Error),
    #[error("the passphrase: {0}")]
    Prompt(#[source] io::Error),
}

/// Does `action` for the hub whose data folder is `data` and whose user is `user`.
pub(crate) fn run(action: &Action, data: &Path, user: &str) -> Result<(), String> {
    execute(action, data, user).map_err(|failure| failure.to_string())
}

fn execute(action: &Action, data: &Path, user: &str) -> Result<(), Failure> {
    let user = User::from_name(user)
        .ok()
        .flatten()
        .ok_or_else(|| Failure::NoUser(user.to_owned()))?;
    let owner = Owner {
        user: user.uid,
        group: user.gid,
    };
    let disk = Luks::new(data, owner);
    let ask = || prompt::secret("Passphrase: ").map_err(Failure::Prompt);
    match action {
        Action::Find => {
            let state = disk.state()?;
            crate::say(&state.to_string());
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
                crate::say(&format!("{token}: {place} {name}, {bytes} bytes"));
            }
            Err(Failure::NotAllowed)
        }
        Action::Format { allow } => Ok(disk.format(&ask()?, *allow, &|_| {})?),
        Action::Serve { socket, import } => {
            let disk = disk.with_import(import.clone());
            let state = disk.attach()?;
            tracing::info!(%state, "data disk");
            let listener = listen(socket, owner).map_err(Failure::Socket)?;
            data_disk::serve(&disk, &listener, owner.user).map_err(Failure::Socket)
        }
    }
}

fn usable(state: DiskState) -> Result<(), Failure> {
    if state.is_usable() {
        Ok(())
    } else {
        Err(DataDiskError::State(state).into())
    }
}

/// Listens at `path`, in place of a stale socket, for the hub's user.
fn listen(path: &Path, owner: Owner) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    chown(path, Some(owner.user), Some(owner.group))?;
    Ok(listener)
}
