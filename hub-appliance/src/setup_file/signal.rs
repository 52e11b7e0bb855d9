//! `[signal]`: a light or a buzzer that tells across the room how it is with the hub.

use super::{Reader, SetupFileError, Value};
use crate::board::{BeaconKind, BeaconSetup};

impl<'t> Reader<'t> {
    pub(super) fn signal(&self, section: &Value<'t>) -> Result<BeaconSetup, SetupFileError> {
        let (mut pin, mut kind) = (None, None);
        for (name, value) in self.section(section, "signal")? {
            match name.get_ref().as_ref() {
                "pin" => {
                    let number = value.get_ref().as_integer();
                    let number = number.and_then(|number| number.as_str().parse().ok());
                    let needs = || "the BCM number of its pin without quotes, from 4 to 27".to_owned();
                    let found = number.filter(|pin| BeaconSetup::PINS.contains(pin));
                    pin = Some(found.ok_or_else(|| self.wrong(value, "pin", needs()))?);
                }
                "kind" => {
                    kind = match value.get_ref().as_str() {
                        Some("light") => Some(BeaconKind::Light),
                        Some("buzzer") => Some(BeaconKind::Buzzer),
                        _ => return Err(self.wrong(value, "kind", r#""light" or "buzzer""#.to_owned())),
                    };
                }
                _ => return Err(self.unknown(name, "pin or kind in [signal]")),
            }
        }
        let needs = || r#"pin and kind in [signal], such as 12 and "light""#.to_owned();
        match (pin, kind) {
            (Some(pin), Some(kind)) => Ok(BeaconSetup { kind, pin }),
            _ => Err(self.wrong(section, "signal", needs())),
        }
    }
}
