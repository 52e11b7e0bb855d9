//! `[backup]` of `hub-setup.toml`: which organisation can open this hub's backups.

use super::{Reader, SetupFileError, Value};
use crate::keys::Organisation;

impl<'t> Reader<'t> {
    pub(super) fn backup(&self, section: &Value<'t>) -> Result<Organisation, SetupFileError> {
        let mut recipient = None;
        for (name, value) in self.section(section, "backup")? {
            if name.get_ref().as_ref() != "recipient" {
                return Err(self.unknown(name, "recipient in [backup]"));
            }
            let found = value
                .get_ref()
                .as_str()
                .and_then(|text| Organisation::parse(text.trim()));
            let needs = || "a public key as age-keygen prints it, age1 and 58 letters and digits".to_owned();
            recipient = Some(found.ok_or_else(|| self.wrong(value, "recipient", needs()))?);
        }
        let needs = || "a recipient in [backup]: a public key as age-keygen prints it".to_owned();
        recipient.ok_or_else(|| self.wrong(section, "backup", needs()))
    }
}
