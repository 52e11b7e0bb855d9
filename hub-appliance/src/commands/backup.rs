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
}

pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let generation = appliance::backup::backup(&arguments.data, &arguments.to, prompt::pin)?;
    say(&format!("backed up, read back and checked: {}", generation.display()));
    Ok(())
}
