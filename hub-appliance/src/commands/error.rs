//! What can go wrong in a command.

use std::io;
use std::path::PathBuf;

use hub_appliance::appliance::ApplianceError;
use hub_appliance::appliance::desk::DeskError;
use hub_appliance::backup::BackupError;
use hub_appliance::board::BoardError;
use hub_appliance::keys::RecoveryError;
use hub_appliance::relay::courier::CourierError;
use hub_appliance::setup_file::SetupFileError;
use hub_appliance::staff_file::StaffFileError;
use hub_appliance::store::audit::Break;
use hub_appliance::system::announce::AnnounceError;
use hub_appliance::system::data_disk::DataDiskError;

/// Why a command did not do what it was to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error("the operating system gave no threads: {0}")]
    Threads(#[source] io::Error),
    #[error("the power stays as it is: {0}")]
    Power(#[source] io::Error),
    #[error("there is no user {0}")]
    NoUser(String),
    #[error("nothing was changed: say by --allow NUMBER which of these is to be made the data disk")]
    NotAllowed,
    #[error("the socket: {0}")]
    Socket(#[source] io::Error),
    #[error("the passphrase: {0}")]
    Passphrase(#[source] io::Error),
    #[error("the log is not whole: {0}")]
    LogBroken(Break),
    #[error("the output: {0}")]
    Output(#[source] io::Error),
    #[error("the two differ; nothing was changed")]
    TypedTwice,
    #[error("that is not what the new recovery code says; nothing was changed")]
    NotWrittenDown,
    #[error(transparent)]
    RecoveryCode(#[from] RecoveryError),
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error(transparent)]
    Courier(#[from] CourierError),
    #[error(transparent)]
    Appliance(#[from] ApplianceError),
    #[error(transparent)]
    Board(#[from] BoardError),
    #[error(transparent)]
    Desk(#[from] DeskError),
    #[error(transparent)]
    Announce(#[from] AnnounceError),
    #[error(transparent)]
    SetupFile(#[from] SetupFileError),
    #[error("{}: {error}", file.display())]
    StaffFile {
        file: PathBuf,
        #[source]
        error: StaffFileError,
    },
    #[error(transparent)]
    DataDisk(#[from] DataDiskError),
}
