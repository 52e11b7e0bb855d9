//! `hub-appliance import`: takes a bundle of records in while no hub runs on the data.

use std::path::PathBuf;

use clap::Args;
use hub_appliance::appliance;

use super::{CommandError, prompt, say};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Folder of the hub's data
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The bundle
    file: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let summary = appliance::import::import(&arguments.data, &arguments.file, prompt::pin)?;
    for [one, other] in &summary.same_email {
        say(&format!(
            "one e-mail address for two users, {one} and {other}: give each their own"
        ));
    }
    say(&format!(
        "imported: {}; already there: {}; of other clinics: {}; held: {}",
        summary.written.iter().map(|(_, rows)| rows).sum::<usize>(),
        summary.unchanged,
        summary.foreign,
        summary.held
    ));
    Ok(())
}
