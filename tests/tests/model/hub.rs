//! A hub in this process: the real store, devices and procedures, behind sealed messages but without a socket.
//!
//! Promise: what a phone asks goes the way that it goes in the box from the envelope on, so that cursors, rights, tokens
//! and what is learned of a device are the hub's own doing. It can be locked, killed, and its clock be set.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hub_appliance::clock::{HubClock, HubTime, TimeSource};
use hub_appliance::ids::ClientId;
use hub_appliance::procedures::{Caller, ProcedureError, Procedures, Request, TokenKeys, TokenPolicy};
use hub_appliance::secret::Secret;
use hub_appliance::store::audit::AuditKey;
use hub_appliance::store::cloud::Bundle;
use hub_appliance::store::devices::{Devices, Standing};
use hub_appliance::store::{Store, StoreKey};
use hub_appliance::wire::envelope::Outgoing;
use hub_appliance::wire::message::Kind;
use hub_appliance::wire::session::{SessionLimits, SessionTable};
use hub_tests::phone::wire::{Message, Session};
use serde::Serialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

/// Time that moves by a millisecond at each look, from wherever it was set.
struct Ticking(Arc<AtomicI64>);

impl TimeSource for Ticking {
    fn millis(&self) -> i64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

/// The hub.
pub(crate) struct Hub {
    pub(crate) store: Arc<Store>,
    devices: Arc<Devices>,
    procedures: Procedures,
    sessions: SessionTable,
    time: Arc<AtomicI64>,
    folder: TempDir,
}

/// What a phone asks for.
#[derive(Clone, Copy)]
pub(crate) struct Ask<'a, T> {
    pub(crate) kind: Kind,
    pub(crate) name: &'a str,
    pub(crate) data: T,
    pub(crate) token: Option<&'a str>,
}

impl Hub {
    /// Opens the store in a folder, or makes one there.
    pub(crate) fn open(folder: TempDir, time: i64) -> Self {
        let time = Arc::new(AtomicI64::new(time));
        let clock = Arc::new(HubClock::new(Box::new(Ticking(Arc::clone(&time))), HubTime::ZERO));
        let store = Store::open(folder.path(), &StoreKey::new([1; 32]), AuditKey::new([2; 32]), clock).unwrap();
        let store = Arc::new(store);
        let devices = Arc::new(Devices::load(Arc::clone(&store)).unwrap());
        let keys = TokenKeys::new("hub-1", &Secret::new([3; 32]), None);
        let procedures = Procedures::new(Arc::clone(&store), Arc::clone(&devices), keys, TokenPolicy::default());
        Self {
            store,
            devices,
            procedures: procedures.unwrap(),
            sessions: SessionTable::new(SessionLimits::default()),
            time,
            folder,
        }
    }

    /// Opens a copy of a store that nobody has open.
    pub(crate) fn copy_of(template: &Path, time: i64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(template.join("hub.db"), folder.path().join("hub.db")).unwrap();
        Self::open(folder, time)
    }

    /// Closes the store, as at a lock; gives its folder.
    pub(crate) fn close(self) -> TempDir {
        assert!(self.store.close(Duration::from_secs(10)));
        self.folder
    }

    /// Locks and unlocks.
    pub(crate) fn locked_and_unlocked(self) -> Self {
        let time = self.time.load(Ordering::Relaxed);
        Self::open(self.close(), time)
    }

    /// Goes on with what a power cut would have left on the disk.
    pub(crate) fn killed(self) -> Self {
        let left = tempfile::tempdir().unwrap();
        for file in std::fs::read_dir(self.folder.path()).unwrap() {
            let file = file.unwrap();
            // The index of the log is memory that the next process makes anew.
            if file.file_name() != "hub.db-shm" && file.file_type().unwrap().is_file() {
                std::fs::copy(file.path(), left.path().join(file.file_name())).unwrap();
            }
        }
        let time = self.time.load(Ordering::Relaxed);
        drop(self.close());
        Self::open(left, time)
    }

    /// Sets the clock that the hub looks at, ahead or back by so many ms.
    pub(crate) fn set_clock(&self, by: i64) {
        self.time.fetch_add(by, Ordering::Relaxed);
    }

    pub(crate) fn time(&self) -> i64 {
        self.time.load(Ordering::Relaxed)
    }

    /// Pairs a device; one that is known stays what it is.
    pub(crate) fn pair(&self, client: Uuid) {
        self.devices.pair(client.into(), None).unwrap();
    }

    /// Takes a bundle of the cloud's in.
    pub(crate) fn import(&self, bundle: &Value) {
        let bundle = bundle.to_string();
        let taken = self.store.write(move |tx| Bundle::parse(&bundle)?.apply(tx));
        taken.unwrap();
    }

    /// Logs in; gives the token.
    pub(crate) fn log_in(&self, client: Uuid, email: &str, password: &str) -> String {
        let login = Ask {
            kind: Kind::Command,
            name: "login",
            data: json!({"email": email, "password": password}),
            token: None,
        };
        let answer: Value = serde_json::from_slice(&self.call(client, login).unwrap()).unwrap();
        answer["token"].as_str().unwrap().to_owned()
    }

    /// Makes a call of a device under a key of its own; gives the opened result.
    pub(crate) fn call(&self, client: Uuid, ask: Ask<'_, impl Serialize>) -> Result<Vec<u8>, ProcedureError> {
        let (name, data, message) = match ask.kind {
            Kind::Command => ("command", "data", Message::Command),
            Kind::Query => ("query", "params", Message::Query),
        };
        let data_json = serde_json::to_string(&ask.data).unwrap();
        let token = json!(ask.token);
        let plaintext = format!(r#"{{"{name}":"{}","{data}":{data_json},"token":{token}}}"#, ask.name);

        let mut key = [0; 32];
        getrandom::fill(&mut key).unwrap();
        let payload = Session::from_key(&key).seal(message, plaintext.as_bytes()).unwrap();
        let payload = URL_SAFE_NO_PAD.decode(payload).unwrap();
        let id = ClientId::from(client);
        let now = Instant::now();
        self.sessions
            .insert(id, &Secret::new(key), std::net::Ipv4Addr::LOCALHOST.into(), now);
        let opened = self
            .sessions
            .open(
                id,
                std::net::Ipv4Addr::LOCALHOST.into(),
                ask.kind.direction(),
                payload,
                now,
            )
            .unwrap();
        let (plaintext, replier) = opened.split();
        let Standing::Active(device) = self.devices.standing(id) else {
            panic!("the device is not paired");
        };
        let caller = Caller {
            client: id,
            device,
            address: [127, 0, 0, 1].into(),
            message: replier.message(),
            correlation: 1,
        };
        let mut answer = Outgoing::new();
        let request = Request::parse(ask.kind, plaintext)?;
        self.procedures.call(&caller, &request, &mut answer)?;
        Ok(answer.plaintext().to_vec())
    }
}
