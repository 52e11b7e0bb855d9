//! The paired devices: rows in the store, mirrored in memory so that a known phone's handshake touches no disk.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use serde::{Deserialize, Serialize};

use super::audit::Entry;
use super::error::StoreError;
use super::refusals::{Refusal, Refusals};
use super::sync::generation::Generation;
use super::sync::phone::Asked;
use super::sync::pull::PullSummary;
use super::{Snapshot, Store, WriteTx};
use crate::clock::HubTime;
use crate::ids::ClientId;

/// How many devices there are at most that are not revoked.
pub const MAX_DEVICES: usize = 256;
/// How many revoked ones are remembered, so that they are never let in again by mistake: those heard of last.
pub const MAX_REVOKED: u32 = 256;

/// Number of a device's row; synced rows carry it as the one who wrote them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceNumber(pub i64);

impl DeviceNumber {
    /// The hub itself.
    pub const HUB: Self = Self(0);
    /// The cloud.
    pub const CLOUD: Self = Self(-1);
}

impl Default for DeviceNumber {
    fn default() -> Self {
        Self::HUB
    }
}

/// What the hub knows of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Never paired.
    Unknown,
    /// Paired.
    Active(DeviceNumber),
    /// Revoked: never served.
    Revoked,
}

/// Why a phone could not be paired.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    /// There are [`MAX_DEVICES`] devices already that are not revoked.
    #[error("the device table is full")]
    Full,
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Whose rows a phone was given: a user, and the clinics that the user may see.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// The user's id.
    pub user: String,
    /// Ids of the clinics.
    pub clinics: BTreeSet<String>,
}

/// One device.
#[derive(Clone, Debug)]
pub struct Device {
    /// Its number.
    pub number: DeviceNumber,
    /// The UUID that its app chose.
    pub client: ClientId,
    /// The name that its app gave at pairing, cleaned.
    pub name: Option<String>,
    /// When it was paired.
    pub paired_at: HubTime,
    /// When it was last heard of.
    pub last_seen_at: HubTime,
    /// Whether it was revoked.
    pub revoked: bool,
    /// Pulls in a row that asked from the same point although newer ones had been given.
    pub repeats: u32,
    /// Which generation of the app it runs, as far as it has given that away.
    pub generation: Generation,
}

/// A device that asks from the same point so many times in a row is stuck.
pub const STUCK_AFTER: u32 = 5;

/// The paired devices of an open store.
pub struct Devices {
    store: Arc<Store>,
    refusals: Refusals,
    known: RwLock<HashMap<ClientId, Device>>,
}

impl std::fmt::Debug for Devices {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Devices").finish_non_exhaustive()
    }
}

impl Devices {
    /// Reads the devices of a store.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn load(store: Arc<Store>) -> Result<Self, StoreError> {
        let known = store
            .read(|snapshot| snapshot.devices())?
            .into_iter()
            .map(|device| (device.client, device))
            .collect();
        Ok(Self {
            store,
            refusals: Refusals::default(),
            known: RwLock::new(known),
        })
    }

    /// Looks a client up in memory.
    #[must_use]
    pub fn standing(&self, client: ClientId) -> Standing {
        match self.read(|known| known.get(&client).map(|device| (device.number, device.revoked))) {
            None => Standing::Unknown,
            Some((number, false)) => Standing::Active(number),
            Some((_, true)) => Standing::Revoked,
        }
    }

    /// Every device, in the order of pairing.
    #[must_use]
    pub fn list(&self) -> Vec<Device> {
        let mut devices: Vec<_> = self.read(|known| known.values().cloned().collect());
        devices.sort_by_key(|device: &Device| device.number);
        devices
    }

    /// How many devices may call.
    #[must_use]
    pub fn in_use(&self) -> u32 {
        let in_use = self.read(|known| known.values().filter(|device| !device.revoked).count());
        u32::try_from(in_use).unwrap_or(u32::MAX)
    }

    /// How many devices were heard of since `since`.
    #[must_use]
    pub fn seen_since(&self, since: HubTime) -> u32 {
        let seen = self.read(|known| known.values().filter(|device| device.last_seen_at >= since).count());
        u32::try_from(seen).unwrap_or(u32::MAX)
    }

    /// When any device was heard of last; [`HubTime::ZERO`] where there is none.
    #[must_use]
    pub fn last_call(&self) -> HubTime {
        let last = self.read(|known| known.values().map(|device| device.last_seen_at).max());
        last.unwrap_or_default()
    }

    /// Stores a new device; durable when it returns. A client that is known already keeps its number.
    ///
    /// # Errors
    /// [`PairError::Full`], or what the store reports; then nothing was changed.
    pub fn pair(&self, client: ClientId, name: Option<String>) -> Result<DeviceNumber, PairError> {
        if let Standing::Active(number) = self.standing(client) {
            return Ok(number);
        }
        let stored_name = name.clone();
        let (number, at, forgotten) = self.store.write(move |tx| {
            let devices: i64 = tx
                .connection()
                .query_row("SELECT count(*) FROM devices WHERE revoked_at IS NULL", [], |row| {
                    row.get(0)
                })
                .map_err(StoreError::from)?;
            if usize::try_from(devices).unwrap_or(usize::MAX) >= MAX_DEVICES {
                return Err(PairError::Full);
            }
            let forgotten = forget_revoked(tx)?;
            let now = tx.now();
            tx.connection()
                .execute(
                    "INSERT INTO devices (client_id, name, paired_at, last_seen_at) VALUES (?1, ?2, ?3, ?3)",
                    (client.to_string(), stored_name, now.millis()),
                )
                .map_err(StoreError::from)?;
            let number = DeviceNumber(tx.connection().last_insert_rowid());
            tx.audit(&Entry {
                device: number,
                action: "device.pair",
                outcome: "ok",
                ..Entry::default()
            })?;
            Ok((number, now, forgotten))
        })?;
        let device = Device {
            number,
            client,
            name,
            paired_at: at,
            last_seen_at: at,
            revoked: false,
            repeats: 0,
            generation: Generation::default(),
        };
        self.write(|known| {
            known.retain(|_, device| !forgotten.contains(&device.number.0));
            known.insert(client, device);
        });
        Ok(number)
    }

    /// Takes a pairing back, as if it had not been; the client may pair again. Its tokens end with it.
    ///
    /// # Errors
    /// What the store reports.
    pub fn unpair(&self, number: DeviceNumber) -> Result<(), StoreError> {
        self.store.write(move |tx| {
            tx.connection()
                .execute("DELETE FROM devices WHERE number = ?1", [number.0])?;
            tx.connection()
                .execute("DELETE FROM resends WHERE device = ?1", [number.0])?;
            tx.connection()
                .execute("DELETE FROM resent_with WHERE device = ?1", [number.0])?;
            tx.connection()
                .execute("DELETE FROM answers WHERE device = ?1", [number.0])?;
            tx.audit(&Entry {
                device: number,
                action: "device.unpair",
                outcome: "ok",
                ..Entry::default()
            })
        })?;
        self.write(|known| known.retain(|_, device| device.number != number));
        Ok(())
    }

    /// Revokes a device for good. Its tokens end with it.
    ///
    /// # Errors
    /// What the store reports.
    pub fn revoke(&self, number: DeviceNumber) -> Result<(), StoreError> {
        self.store.write(move |tx| {
            let now = tx.now();
            tx.connection().execute(
                "UPDATE devices SET revoked_at = ?1 WHERE number = ?2",
                (now.millis(), number.0),
            )?;
            tx.connection()
                .execute("DELETE FROM tokens WHERE device = ?1", [number.0])?;
            tx.audit(&Entry {
                device: number,
                action: "device.revoke",
                outcome: "ok",
                ..Entry::default()
            })
        })?;
        self.update(number, |device| device.revoked = true);
        Ok(())
    }

    /// Refuses a device in memory alone, where [`Self::revoke`] could not be written: until the store is closed.
    pub fn refuse(&self, number: DeviceNumber) {
        self.update(number, |device| device.revoked = true);
    }

    /// Notes in memory that the device was just heard of.
    pub fn seen(&self, number: DeviceNumber) {
        let now = self.store.clock().peek();
        self.update(number, |device| device.last_seen_at = now);
    }

    /// Writes down when each device was last heard of: called now and then, and before the store closes.
    ///
    /// # Errors
    /// What the store reports.
    pub fn save_last_seen(&self) -> Result<(), StoreError> {
        let seen: Vec<_> = self.read(|known| {
            known
                .values()
                .map(|device| (device.number.0, device.last_seen_at.millis()))
                .collect()
        });
        self.store.write(move |tx| {
            let mut update = tx
                .connection()
                .prepare_cached("UPDATE devices SET last_seen_at = ?2 WHERE number = ?1 AND last_seen_at < ?2")?;
            for seen in seen {
                update.execute(seen)?;
            }
            Ok(())
        })
    }

    /// Which generation of the app a device runs.
    #[must_use]
    pub fn generation(&self, number: DeviceNumber) -> Generation {
        self.read(|known| {
            let device = known.values().find(|device| device.number == number);
            device.map(|device| device.generation)
        })
        .unwrap_or_default()
    }

    /// Takes notice of a sign of which generation of the app a device runs: the latest counts. Written only where it is
    /// news.
    ///
    /// # Errors
    /// What the store reports.
    pub fn learn_generation(&self, number: DeviceNumber, sign: Generation) -> Result<(), StoreError> {
        if self.generation(number) == sign {
            return Ok(());
        }
        self.store.write(move |tx| {
            let generation = (number.0, sign.to_number());
            tx.connection()
                .execute("UPDATE devices SET generation = ?2 WHERE number = ?1", generation)?;
            Ok::<_, StoreError>(())
        })?;
        self.update(number, |device| device.generation = sign);
        Ok(())
    }

    /// Counts a request that was refused, for the audit log; `client` is unknown, revoked or paired.
    pub fn refused(&self, refusal: Refusal, client: Option<ClientId>, address: IpAddr) {
        let known = |client| self.read(|known| known.get(&client).map(|device| device.number));
        let device = client.and_then(known).unwrap_or_default();
        self.refusals.note(refusal, device, address, self.store.clock().peek());
    }

    /// Writes down what was refused: called now and then, and before the store closes.
    ///
    /// # Errors
    /// What the store reports.
    pub fn save_refusals(&self) -> Result<(), StoreError> {
        self.refusals.write(&self.store)
    }

    /// A pull of a device with this `lastPulledAt`, for a user of this scope.
    #[must_use]
    pub fn asked(&self, device: DeviceNumber, scope: Scope, last_pulled_at: f64) -> Asked {
        Asked {
            device,
            generation: self.generation(device),
            scope,
            last_pulled_at,
            at_most: usize::MAX,
        }
    }

    /// Answers a pull as [`Store::pull`] does, and takes notice of a device that asks from the same point again and again
    /// although it was given newer ones.
    ///
    /// # Errors
    /// What the store reports.
    pub fn pull(
        &self,
        asked: &Asked,
        message: Option<&[u8]>,
        out: &mut Vec<u8>,
        entry: impl FnOnce(&PullSummary) -> Option<Entry>,
    ) -> Result<Option<PullSummary>, StoreError> {
        let Some(answered) = self.store.pull(asked, message, out, entry)? else {
            return Ok(None);
        };
        self.update(asked.device, |device| {
            device.repeats = if answered.repeated { device.repeats + 1 } else { 0 };
        });
        Ok(Some(answered.summary))
    }

    fn read<T>(&self, look: impl FnOnce(&HashMap<ClientId, Device>) -> T) -> T {
        look(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, change: impl FnOnce(&mut HashMap<ClientId, Device>) -> T) -> T {
        change(&mut self.known.write().unwrap_or_else(PoisonError::into_inner))
    }

    fn update(&self, number: DeviceNumber, change: impl FnOnce(&mut Device)) {
        self.write(|known| {
            if let Some(device) = known.values_mut().find(|device| device.number == number) {
                change(device);
            }
        });
    }
}

/// Of the revoked devices, forgets those not heard of for longest above [`MAX_REVOKED`], and says which they are.
fn forget_revoked(tx: &WriteTx<'_>) -> Result<Vec<i64>, StoreError> {
    let mut forget = tx.connection().prepare_cached(
        "DELETE FROM devices WHERE number IN (SELECT number FROM devices WHERE revoked_at IS NOT NULL \
         ORDER BY last_seen_at DESC, number DESC LIMIT -1 OFFSET ?1) RETURNING number",
    )?;
    let forgotten = forget.query_map([MAX_REVOKED], |row| row.get(0))?;
    Ok(forgotten.collect::<Result<_, _>>()?)
}

impl Device {
    /// Whether it asks from the same point again and again.
    #[must_use]
    pub const fn is_stuck(&self) -> bool {
        self.repeats + 1 >= STUCK_AFTER
    }
}

impl Snapshot<'_> {
    fn devices(&self) -> Result<Vec<Device>, StoreError> {
        let mut statement = self.connection()?.prepare(
            "SELECT number, client_id, name, paired_at, last_seen_at, revoked_at IS NOT NULL, \
             generation FROM devices",
        )?;
        let mut rows = statement.query([])?;
        let mut devices = Vec::new();
        while let Some(row) = rows.next()? {
            let Some(client) = ClientId::parse(&row.get::<_, String>(1)?) else {
                continue;
            };
            devices.push(Device {
                number: DeviceNumber(row.get(0)?),
                client,
                name: row.get(2)?,
                paired_at: HubTime::from_millis(row.get(3)?),
                last_seen_at: HubTime::from_millis(row.get(4)?),
                revoked: row.get(5)?,
                repeats: 0,
                generation: Generation::from_number(row.get(6)?),
            });
        }
        Ok(devices)
    }
}
