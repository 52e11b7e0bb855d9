//! `hub-appliance backup`: makes a backup while no hub runs on the data.

use std::path::PathBuf;

use clap::Args;
use hub_appliance::appliance;

use super::{CommandError, prompt, say};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Folder of the hub's data
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Where backups are kept: a stick, say
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// The owner's `hub-setup.toml`, where the organisation in its [backup] is news to the hub
    #[arg(long, value_name = "FILE")]
    setup_file: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let Arguments { data, to, setup_file } = arguments;
    let made = appliance::backup::backup(data, to, setup_file.as_deref(), prompt::pin)?;
    say(&format!(
        "backed up, read back and checked: {}",
        made.generation.display()
    ));
    if let Some(recipient) = made.recipient {
        say(&format!("opens by the recovery code, and by the key of {recipient}"));
    }
    Ok(())
}
