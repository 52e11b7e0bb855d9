//! `hub-appliance restore`: a hub's data out of its newest backup.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use hub_appliance::appliance::ApplianceError;
use hub_appliance::appliance::restore::Restoring;
use hub_appliance::backup::Found;
use hub_appliance::keys::OrganisationKeys;
use hub_appliance::secret::wiping_stack;

use super::{CommandError, complain, prompt, say};

/// Groups of the new recovery code that have to be typed back, counted from 1.
const TYPED_BACK: [usize; 2] = [3, 6];

#[derive(Args)]
pub(crate) struct Arguments {
    /// Where backups are kept, or the folder of one of them
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// Folder of the hub's data; there must be no hub in it
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// File with an organisation's private key, as age-keygen makes it, in the place of the recovery code
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// Milliseconds of the processor that checking the new PIN is to take
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    unlock_time: u64,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let found = Found::newest(&arguments.from)?;
    let master = wiping_stack(|| match &arguments.identity {
        Some(file) => {
            let keys = OrganisationKeys::read(file).map_err(ApplianceError::from)?;
            Ok::<_, CommandError>(found.unlock_as(&keys)?)
        }
        None => Ok(found.unlock(&prompt::recovery_code()?)?),
    })?;
    let pin = prompt::new_pin()?;
    let unlock_time = Duration::from_millis(arguments.unlock_time);
    let restoring = Restoring::begin(&arguments.data, &found, master, &pin, unlock_time)?;
    let groups = restoring.recovery();
    let code: Vec<_> = groups.iter().map(hub_appliance::secret::SecretText::expose).collect();
    say(&format!("new recovery code, write it down: {}", code.join("-")));
    for number in TYPED_BACK {
        let typed = prompt::secret(&format!("Group {number} of it: ")).map_err(ApplianceError::Console)?;
        if typed != groups[number - 1] {
            return Err(CommandError::NotWrittenDown);
        }
    }
    restoring.finish()?;
    say("restored: the hub opens with the new PIN");
    complain("never start the old hub again: phones would mix the two up");
    Ok(())
}
