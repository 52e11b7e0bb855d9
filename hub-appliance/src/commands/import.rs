//! `hub-appliance import`: takes a bundle of records in while no hub runs on the data.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use hub_appliance::appliance;
use hub_appliance::relay::courier::{HEADER_LEN, Header};

use super::{CommandError, prompt, say};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Folder of the hub's data
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The bundle, or an answer that a courier brought
    file: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    if is_of_a_courier(&arguments.file) {
        return take_answer(arguments);
    }
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

/// Whether the file begins as what a courier carries does. One that can't be read is told of by who reads it.
fn is_of_a_courier(file: &Path) -> bool {
    let mut start = [0; HEADER_LEN];
    let read = File::open(file).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && Header::parse(&start).is_ok()
}

fn take_answer(arguments: &Arguments) -> Result<(), CommandError> {
    let taken = appliance::courier::take(&arguments.data, &arguments.file, prompt::pin)?;
    let news = taken.summary.map_or_else(
        || "late, all of it is known".to_owned(),
        |told| format!("acknowledged: {}; written: {}", told.acknowledged, told.written),
    );
    say(&format!(
        "answer {} to bundle {}: {news}; refused: {}",
        taken.number, taken.bundle, taken.refused
    ));
    Ok(())
}
