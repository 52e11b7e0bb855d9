//! `hub-appliance export`: packs what no cloud has acknowledged for a courier, while no hub runs on the data.

use std::path::PathBuf;

use clap::Args;
use hub_appliance::appliance;

use super::{CommandError, prompt, say};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Folder of the hub's data
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The stick's topmost folder
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// The owner's `hub-setup.toml`, where its [courier] is news to the hub
    #[arg(long, value_name = "FILE")]
    setup_file: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let Arguments { data, to, setup_file } = arguments;
    let packed = appliance::courier::export(data, to, setup_file.as_deref(), prompt::pin)?;
    say(&format!(
        "bundle {}: {} rows: {}",
        packed.number,
        packed.rows,
        packed.file.display()
    ));
    Ok(())
}
