//! What must never be seen outside the envelope, the encrypted files and the panel: names of patients, e-mails,
//! passwords, PIN, recovery code, tokens and keys, through a whole life of the hub at its most verbose.
//!
//! Looked through are everything that it prints, every file below its data folder (temporary ones and the database's
//! log too) while it is open, after a power cut and while it is locked, its command line and environment, and, while it
//! is locked, its memory.

mod backups;
mod board;
#[allow(dead_code, reason = "other tests play more of it")]
#[path = "../board_key/played_mailbox.rs"]
mod played_mailbox;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hub_tests::clinic::{Clinic, ClinicSize, DemoUser};
use hub_tests::hub::{Hub, Log, PIN, TestHub};
use hub_tests::panel_client::{Button, PanelClient, PanelError};
use hub_tests::phone::edit::{AttributeValue, NewAttribute, NewPatient};
use hub_tests::phone::wire::{Curve, KeyPair, Message};
use hub_tests::phone::{Generation, Phone};
use hub_tests::schema::schema;
use serde_json::{Value, json};

const WRONG_PIN: &str = "27182818";
const WRONG_PASSWORD: &str = "wrong-password-η";
const NAMES: [&str; 5] = ["Zoëlle-Quint", "Нескажу Никому", "غير مكتوبة", "不可以看见", "ሚስጥራዊ"];
const HELD: &str = "Held-Back-Name";

/// What must not be found, with a name that may be printed.
#[derive(Default)]
struct Secrets(Vec<(&'static str, Vec<u8>)>);

impl Secrets {
    fn add(&mut self, name: &'static str, secret: impl AsRef<[u8]>) {
        let secret = secret.as_ref();
        assert!(secret.len() >= 6, "{name} is too short to be told from chance");
        self.0.push((name, secret.to_vec()));
    }

    /// A key as bytes, and in the ways in which keys get printed.
    fn add_key(&mut self, name: &'static str, key: &[u8]) {
        self.add(name, key);
        self.add(name, STANDARD.encode(key).trim_end_matches('='));
        self.add(name, URL_SAFE_NO_PAD.encode(key));
        for upper in [false, true] {
            let hex: String = key
                .iter()
                .map(|byte| {
                    if upper {
                        format!("{byte:02X}")
                    } else {
                        format!("{byte:02x}")
                    }
                })
                .collect();
            self.add(name, hex);
        }
        self.add(name, format!("{key:?}").trim_matches(['[', ']']));
    }

    /// The names of what was found.
    fn found_in(&self, bytes: &[u8]) -> Vec<&'static str> {
        let mut found: Vec<_> = (self.0.iter())
            .filter(|(_, secret)| contains(bytes, secret))
            .map(|(name, _)| *name)
            .collect();
        found.dedup();
        found
    }

    fn not_in(&self, place: &str, bytes: &[u8]) {
        let found = self.found_in(bytes);
        assert!(found.is_empty(), "{place} holds: {found:?}");
    }

    fn not_in_files(&self, moment: &str, folder: &Path) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                self.not_in_files(moment, &path);
            } else {
                match fs::read(&path) {
                    Ok(bytes) => self.not_in(&format!("{} {moment}", path.display()), &bytes),
                    // While the master key becomes another one, files come and go.
                    Err(error) => assert_eq!(error.kind(), io::ErrorKind::NotFound, "{}", path.display()),
                }
            }
            let name = entry.file_name();
            self.not_in("a file's name", name.as_encoded_bytes());
        }
    }

    fn not_in_memory(&self, hub: &Hub) {
        let memory = memory_of(hub.pid().unwrap());
        let read = memory.iter().any(|(_, pages)| contains(pages, b"RUST_LOG"));
        assert!(read, "the memory was read");
        let found: Vec<_> = (memory.iter())
            .map(|(place, pages)| (place, self.found_in(pages)))
            .filter(|(_, found)| !found.is_empty())
            .collect();
        assert!(found.is_empty(), "the locked hub's memory holds: {found:#?}");
    }

    fn not_in_process(&self, hub: &Hub) {
        self.not_in("standard output or error", hub.printed().as_bytes());
        let pid = hub.pid().unwrap();
        for file in ["cmdline", "environ"] {
            self.not_in(file, &fs::read(format!("/proc/{pid}/{file}")).unwrap());
        }
    }
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(place) = rest.iter().position(|byte| *byte == wanted[0]) {
        if rest[place..].starts_with(wanted) {
            return true;
        }
        rest = &rest[place + 1..];
    }
    false
}

/// Every page that a process can write to, with what the kernel says it is for.
fn memory_of(pid: u32) -> Vec<(String, Vec<u8>)> {
    let memory = File::open(format!("/proc/{pid}/mem")).unwrap();
    let mut found = Vec::new();
    for line in fs::read_to_string(format!("/proc/{pid}/maps")).unwrap().lines() {
        let mut fields = line.split_whitespace();
        let (range, rights) = (fields.next().unwrap(), fields.next().unwrap());
        let (from, to) = range.split_once('-').unwrap();
        let [from, to] = [from, to].map(|address| u64::from_str_radix(address, 16).unwrap());
        if !rights.starts_with("rw") || line.ends_with("[vvar]") {
            continue;
        }
        let mut pages = vec![0; usize::try_from(to - from).unwrap()];
        // A page that went away meanwhile can't hold anything either.
        if memory.read_exact_at(&mut pages, from).is_ok() {
            found.push((line.to_owned(), pages));
        }
    }
    found
}

/// A clinic whose records hold names that are nowhere else, not even in this program's own text.
struct Life {
    clinic: Clinic,
    hub: TestHub,
    secrets: Secrets,
}

impl Life {
    async fn begin() -> Self {
        let size = ClinicSize {
            patients: 60,
            visits: 120,
            events: 240,
        };
        let clinic = Clinic::generate(18, size);
        let hub = TestHub::with_clinic(&clinic, Log::Everything).await.unwrap();
        let mut secrets = Secrets::default();
        secrets.add("the PIN", PIN);
        secrets.add("a wrong PIN", WRONG_PIN);
        for group in hub.recovery.as_ref().unwrap().groups() {
            secrets.add("a group of the recovery code", group);
        }
        for user in clinic.users() {
            secrets.add("an e-mail", &user.email);
            secrets.add("a password", &user.password);
            secrets.add("a user's name", &user.name);
        }
        secrets.add("a wrong password", WRONG_PASSWORD);
        for name in NAMES {
            secrets.add("a new patient's name", name);
        }
        secrets.add("the name in a held row", HELD);
        for column in ["given_name", "surname"] {
            let place = schema().table("patients").unwrap().phone_index(column).unwrap();
            let names = clinic
                .expected("patients")
                .map(|cells| cells[place].as_text().unwrap().to_owned());
            // Short names are found in any heap of random bytes.
            names
                .filter(|name| name.len() >= 6)
                .for_each(|name| secrets.add("a patient's name", name));
        }
        Self { clinic, hub, secrets }
    }

    fn user(&self, name: &str) -> &DemoUser {
        self.clinic.user(&format!("{name}@clinic.example")).unwrap()
    }

    fn look_everywhere(&self, moment: &str) {
        self.secrets.not_in_process(&self.hub.hub);
        self.secrets.not_in_files(moment, &self.hub.data());
    }

    /// A nurse's work on a new phone: wrong password, login, everything pulled, pushed, and a row held.
    async fn work(&mut self) {
        let nurse = self.user("nurse").clone();
        let mut phone = Phone::with_client(self.hub.pair(|client| client.named("Phone of nobody")).await.unwrap())
            .with_app(Generation::V1_5);
        assert!(phone.log_in(&nurse.email, WRONG_PASSWORD).await.is_err());
        phone.log_in(&nurse.email, &nurse.password).await.unwrap();
        self.secrets.add("a token", phone.client.token().unwrap());
        for part in phone.client.token().unwrap().split('.').skip(1) {
            self.secrets.add("a part of a token", part);
        }
        phone.sync().await.unwrap();
        for name in NAMES {
            let patient = NewPatient {
                given_name: name.to_owned(),
                surname: name.to_owned(),
                attributes: vec![NewAttribute {
                    attribute_id: "a".to_owned(),
                    attribute: "village".to_owned(),
                    value: AttributeValue::Text(name.to_owned()),
                }],
                ..NewPatient::default()
            };
            phone.register_patient(&patient).unwrap();
        }
        phone.sync().await.unwrap();
        let held = json!({"id": "held-row", "given_name": HELD, "surname": {"wrong": HELD}});
        let push = json!({"changes": {"patients": {"created": [held]}}, "lastPulledAt": 0});
        phone.client.command::<Value>("sync_push", push).await.unwrap();
        let bad = format!(r#"{{"command":"sync_push","data":{{"changes":"{HELD}"}},"token":null}}"#);
        let refused = phone.client.exchange(
            "/rpc/command",
            Message::Command,
            Message::CommandResponse,
            bad.as_bytes(),
        );
        refused.await.unwrap_err();
        phone.force_download().await.unwrap();
    }
}

async fn wrong_pin(panel: &mut PanelClient) {
    assert!(matches!(panel.unlock(WRONG_PIN).await, Err(PanelError::Refused { .. })));
}

#[tokio::test]
async fn nothing_is_printed_or_written_in_the_clear() {
    let mut life = Life::begin().await;
    life.work().await;
    assert!(
        life.hub.hub.printed().contains("DEBUG") || life.hub.hub.printed().contains("TRACE"),
        "it logs all it can"
    );
    life.look_everywhere("while open");

    life.hub.hub.kill9().await.unwrap();
    life.secrets.not_in_files("after a power cut", &life.hub.data());
    life.hub.start_locked().await.unwrap();
    let mut panel = life.hub.hub.panel().await.unwrap();
    wrong_pin(&mut panel).await;
    panel.unlock(PIN).await.unwrap();
    life.work().await;
    let mut panel = life.hub.hub.panel().await.unwrap();
    panel.lock().await.unwrap();
    life.look_everywhere("while locked");
    life.secrets.not_in_memory(&life.hub.hub);
    wrong_pin(&mut panel).await;
    life.look_everywhere("after a wrong PIN");
    life.secrets.not_in_memory(&life.hub.hub);
    panel.recover(&life.hub.recovery.clone().unwrap(), PIN).await.unwrap();
    life.look_everywhere("after recovery");
    life.hub.hub.terminate().await.unwrap();
    life.secrets
        .not_in("standard output or error", life.hub.hub.printed().as_bytes());
    life.secrets.not_in_files("after the end", &life.hub.data());

    // The search itself works: the same names are where they must be.
    let mut bundle = Vec::new();
    life.clinic.write_bundle(&mut bundle).unwrap();
    assert!(life.secrets.found_in(&bundle).contains(&"a patient's name"));
}

#[tokio::test]
async fn a_locked_hub_keeps_no_key_and_no_record_in_memory() {
    let life = Life::begin().await;
    let nurse = life.user("nurse").clone();
    let mut phone = life.hub.phone(&nurse).await.unwrap();
    phone.sync().await.unwrap();

    // A session whose key is known here: the hub's answer to a known private key.
    let keys = KeyPair::generate(Curve::X25519).unwrap();
    let body = json!({"client_id": phone.client.client_id(), "client_public_key": keys.public_key()});
    let reply = phone
        .client
        .http()
        .post("/rpc/handshake", body.to_string())
        .await
        .unwrap();
    let answer: Value = serde_json::from_slice(&reply.body).unwrap();
    let hub_key = answer["hub_public_key"].as_str().unwrap();
    let session_key = keys.agree_key(hub_key).unwrap();
    phone.client.set_session(Some(keys.agree(hub_key).unwrap()));
    phone.client.ping().await.unwrap();
    phone
        .client
        .query_bytes("sync_pull", json!({"lastPulledAt": 0}))
        .await
        .unwrap();

    let mut session = Secrets::default();
    session.add_key("a session key", &session_key);
    session.not_in_process(&life.hub.hub);
    session.not_in_files("while open", &life.hub.data());
    let mut keys = Secrets::default();
    keys.add("the PIN", PIN);
    keys.add("a token", phone.client.token().unwrap());
    for user in life.clinic.users() {
        keys.add("a password", &user.password);
    }
    keys.not_in_process(&life.hub.hub);
    keys.not_in_files("while open", &life.hub.data());

    let mut panel = life.hub.hub.panel().await.unwrap();
    panel.lock().await.unwrap();
    session.not_in_memory(&life.hub.hub);
    keys.not_in_memory(&life.hub.hub);
    life.secrets.not_in_memory(&life.hub.hub);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_a_stick_is_nowhere_but_on_the_stick() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (data, socket, stick) = (at("data"), at("panel.sock"), at("stick"));
    fs::create_dir(&stick).unwrap();
    let more = [OsStr::new("--usb"), stick.as_os_str()];
    let start = || Hub::start_with(&data, &socket, "127.0.0.1:0", Log::Everything, &more);
    let mut hub = start().await.unwrap();
    let mut panel = hub.panel().await.unwrap();
    panel.set_up(PIN).await.unwrap();
    panel.choose("Keys").await.unwrap();
    panel.wait_for("keys").await.unwrap();
    panel.take("Stick alone").await.unwrap();
    panel.wait_for("key").await.unwrap();
    panel.take("Use it").await.unwrap();
    panel.wait_for("ask-pin").await.unwrap();
    panel.type_digits(PIN).await.unwrap();
    panel.press(Button::Ok).await.unwrap();
    panel.wait_for("errand").await.unwrap();
    let mut secrets = Secrets::default();
    secrets.add_key("the stick's key", &fs::read(stick.join("hub.key")).unwrap());
    secrets.not_in_process(&hub);
    secrets.not_in_files("while open", &data);

    hub.kill9().await.unwrap();
    let hub = start().await.unwrap();
    let mut panel = hub.panel().await.unwrap();
    panel.wait_for("home").await.unwrap();
    secrets.not_in_process(&hub);
    fs::rename(&stick, at("away")).unwrap();
    panel.wait_for("locked").await.unwrap();
    secrets.not_in_memory(&hub);
    secrets.not_in_process(&hub);
    secrets.not_in_files("while locked", &data);
    // The search itself works.
    let on_stick = fs::read(at("away").join("hub.key")).unwrap();
    assert!(secrets.found_in(&on_stick).contains(&"the stick's key"));
}
