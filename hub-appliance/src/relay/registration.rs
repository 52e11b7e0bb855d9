//! The cloud's device row: what this hub is to the cloud, read at the start of every run.

use serde::Deserialize;

/// The longest name of a hub, bytes.
const MAX_NAME: usize = 64;
/// The longest id, bytes.
const MAX_ID: usize = 128;

/// What the cloud says of this hub.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(super) struct Device {
    /// The cloud's id of it, which is not the hub's own.
    pub(super) id: String,
    /// What the organisation calls it.
    #[serde(default)]
    name: Option<String>,
    /// `active`, `inactive`, `suspended`, `decommissioned`. The cloud does not enforce it, so the hub does.
    #[serde(default)]
    pub(super) status: String,
    /// The clinics whose records it may have.
    #[serde(default)]
    pub(super) clinic_ids: Option<Vec<String>>,
}

impl Device {
    /// Reads the answer to `verify-key`.
    #[must_use]
    pub(super) fn parse(json: &[u8]) -> Option<Self> {
        let mut device: Self = serde_json::from_slice(json).ok()?;
        if device.id.len() > MAX_ID {
            return None;
        }
        for clinic in device.clinic_ids.iter_mut().flatten() {
            clinic.make_ascii_lowercase();
        }
        Some(device)
    }

    /// Whether records may go to and fro.
    #[must_use]
    pub(super) fn is_active(&self) -> bool {
        self.status == "active"
    }

    /// What the organisation calls it, if that can be shown.
    #[must_use]
    pub(super) fn name(&self) -> Option<&str> {
        let name = self.name.as_deref().map(str::trim);
        name.filter(|name| (1..=MAX_NAME).contains(&name.len()) && !name.contains(char::is_control))
    }

    /// Its clinics.
    #[must_use]
    pub(super) fn clinics(&self) -> &[String] {
        self.clinic_ids.as_deref().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_without_clinics_or_status_is_none_that_may_sync() {
        let device =
            Device::parse(br#"{"id":"d","name":"n","status":"active","clinic_ids":["AB"],"metadata":{}}"#).unwrap();
        assert!(device.is_active() && device.clinics() == ["ab"]);
        let bare = Device::parse(br#"{"id":"d","clinic_ids":null}"#).unwrap();
        assert!(!bare.is_active() && bare.clinics().is_empty());
        assert_eq!(Device::parse(b"[object Object]"), None);
        let long = "d".repeat(MAX_ID + 1);
        assert_eq!(Device::parse(format!(r#"{{"id":"{long}"}}"#).as_bytes()), None);
    }

    #[test]
    fn a_name_that_can_not_be_shown_is_none() {
        let long = "n".repeat(MAX_NAME + 1);
        for (name, shown) in [
            (r#"" North ""#, Some("North")),
            (r#""عيادة""#, Some("عيادة")),
            (r#""a\u0007""#, None),
            (r#""  ""#, None),
            ("null", None),
            (&format!("\"{long}\""), None),
        ] {
            let device = Device::parse(format!(r#"{{"id":"d","name":{name}}}"#).as_bytes()).unwrap();
            assert_eq!(device.name(), shown, "{name}");
        }
    }
}
