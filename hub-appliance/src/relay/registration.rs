//! The cloud's device row: what this hub is to the cloud, read at the start of every run.

use serde::Deserialize;

/// What the cloud says of this hub.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(super) struct Device {
    /// The cloud's id of it, which is not the hub's own.
    pub(super) id: String,
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
    }
}
