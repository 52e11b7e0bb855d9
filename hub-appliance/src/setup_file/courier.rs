//! `[courier]` of `hub-setup.toml`: whom the bundles are for that are carried by hand, and who may answer.

use super::{Reader, SetupFileError, Value};
use crate::relay::courier::{is_desk_key, is_recipient};

/// What `[courier]` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CourierSetup {
    /// Whom bundles are sealed to: an age recipient.
    pub recipient: String,
    /// The public key of the desk whose answers are taken; empty: none is.
    pub desk: String,
}

impl<'t> Reader<'t> {
    pub(super) fn courier(&self, section: &Value<'t>) -> Result<CourierSetup, SetupFileError> {
        let (mut recipient, mut desk) = (None, None);
        for (name, value) in self.section(section, "courier")? {
            let text = value.get_ref().as_str().map(str::trim);
            match name.get_ref().as_ref() {
                "recipient" => {
                    let found = text.filter(|text| is_recipient(text));
                    let needs = || "the line that `courier init` printed, age1 and 58 letters and digits".to_owned();
                    recipient = Some(found.ok_or_else(|| self.wrong(value, "recipient", needs()))?);
                }
                "desk" => {
                    let found = text.filter(|text| is_desk_key(text));
                    let needs = || "the line that `courier init` printed, 44 letters and digits".to_owned();
                    desk = Some(found.ok_or_else(|| self.wrong(value, "desk", needs()))?);
                }
                _ => return Err(self.unknown(name, "recipient or desk in [courier]")),
            }
        }
        let needs = || "a recipient in [courier]: see what `courier init` printed".to_owned();
        let recipient = recipient.ok_or_else(|| self.wrong(section, "courier", needs()))?;
        Ok(CourierSetup {
            recipient: recipient.to_owned(),
            desk: desk.unwrap_or_default().to_owned(),
        })
    }
}
