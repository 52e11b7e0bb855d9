//! After a change of the PIN the master key becomes another one, in the background, so that an older copy of the keys is worth
//! nothing; whenever the plug is pulled on the way, the hub opens by the PIN before or the new one, and it goes on.
//!
//! `HUB_TEST_KILLS` says how often the plug is pulled (5), `HUB_TEST_SEED` repeats the choices.

#[path = "support/chance.rs"]
mod chance;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chance::Chance;
use hub_appliance::keys::{KeyStore, MasterKey, Pin, Rotation, UnlockError, Vault};
use hub_appliance::store::Store;
use hub_tests::clinic::{Clinic, ClinicSize};
use hub_tests::effort::number;
use hub_tests::hub::{Log, PIN, TestHub};
use hub_tests::panel_client::Button;

const OTHER_PIN: &str = "27182818";
const SLOTS: [&str; 2] = ["keyslots.json", "keyslots.previous.json"];
/// The plug is pulled within this time after the new PIN is typed.
const CUT_WITHIN: Duration = Duration::from_millis(1500);

fn clinic() -> Clinic {
    let size = ClinicSize {
        patients: 400,
        visits: 1200,
        events: 2400,
    };
    Clinic::generate(1, size)
}

fn keys(data: &Path) -> PathBuf {
    data.join("keys")
}

/// The files of the slots, as somebody copies them.
fn copied(data: &Path) -> [Vec<u8>; 2] {
    SLOTS.map(|name| fs::read(keys(data).join(name)).unwrap())
}

fn put_back(data: &Path, slots: &[Vec<u8>; 2]) {
    for (name, content) in SLOTS.into_iter().zip(slots) {
        fs::write(keys(data).join(name), content).unwrap();
    }
}

fn rotation(data: &Path) -> Rotation {
    KeyStore::at(keys(data)).rotation().unwrap()
}

/// Waits until nothing is to be done about the master key.
async fn settled(data: &Path) {
    for _ in 0..1200 {
        if rotation(data) == Rotation::Settled {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the master key is the one before still");
}

/// What these slots and this PIN open; none where the PIN is not theirs.
fn unlocked(slots: &[Vec<u8>; 2], digits: &str) -> Option<MasterKey> {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in SLOTS.into_iter().zip(slots) {
        fs::write(folder.path().join(name), content).unwrap();
    }
    let store = KeyStore::at(folder.path().to_owned());
    store.serve_wait(Duration::from_hours(1)).unwrap();
    match store.unlock_with_pin(&Pin::parse(digits).unwrap()) {
        Ok(master) => Some(master),
        Err(UnlockError::Wrong { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}

/// Whether records or vault on the disk open by one of these keys.
fn opens(data: &Path, master: &MasterKey) -> bool {
    let store = data.join("store");
    master.each().any(|master| {
        Store::opens_with(&store, &master.store_key()) || Vault::load(&store.join("vault"), &master.vault_key()).is_ok()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_copy_of_the_keys_opens_nothing_once_the_pin_was_changed_and_no_phone_notices() {
    let clinic = clinic();
    let mut hub = TestHub::with_clinic(&clinic, Log::Warnings).await.unwrap();
    let mut phone = hub.phone(clinic.user("doctor@clinic.example").unwrap()).await.unwrap();
    phone.sync().await.unwrap();
    let (data, before) = (hub.data(), copied(&hub.data()));
    let mut panel = hub.hub.panel().await.unwrap();
    panel.change_pin(PIN, OTHER_PIN).await.unwrap();
    phone.sync().await.unwrap();
    settled(&data).await;
    phone.sync().await.unwrap();
    panel.lock().await.unwrap();
    panel.unlock(OTHER_PIN).await.unwrap();
    phone.sync().await.unwrap();

    hub.hub.terminate().await.unwrap();
    let now = copied(&data);
    let old = unlocked(&before, PIN).expect("its own slots open");
    assert!(!opens(&data, &old));
    assert!(opens(&data, &unlocked(&now, OTHER_PIN).unwrap()));
    put_back(&data, &before);
    hub.start_locked().await.unwrap();
    let mut panel = hub.hub.panel().await.unwrap();
    panel.unlock(PIN).await.unwrap_err();
    let said = panel.wait_for("error").await.unwrap().lines.join(" ");
    assert!(said.contains("P02"), "{said}");

    hub.hub.terminate().await.unwrap();
    put_back(&data, &now);
    hub.start_locked().await.unwrap();
    hub.hub.panel().await.unwrap().unlock(OTHER_PIN).await.unwrap();
    phone.sync().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whenever_the_plug_is_pulled_one_of_the_two_pins_opens_and_it_goes_on() {
    let mut chance = Chance::from_environment().split();
    let clinic = clinic();
    let mut hub = TestHub::with_clinic(&clinic, Log::Warnings).await.unwrap();
    let mut phone = hub.phone(clinic.user("doctor@clinic.example").unwrap()).await.unwrap();
    phone.sync().await.unwrap();
    let data = hub.data();
    let (mut present, mut next) = (PIN, OTHER_PIN);
    let mut older = Vec::new();
    for _ in 0..number("HUB_TEST_KILLS", 5) {
        older.push((copied(&data), present));
        let mut panel = hub.hub.panel().await.unwrap();
        panel.begin_pin_change(present, next).await.unwrap();
        panel.press(Button::Ok).await.unwrap();
        tokio::time::sleep(chance.time_below(CUT_WITHIN)).await;
        hub.hub.kill9().await.unwrap();
        if unlocked(&copied(&data), next).is_some() {
            (present, next) = (next, present);
        }
        hub.start_locked().await.unwrap();
        hub.hub.panel().await.unwrap().unlock(present).await.unwrap();
        phone.sync().await.unwrap();
    }
    let mut panel = hub.hub.panel().await.unwrap();
    panel.change_pin(present, next).await.unwrap();
    settled(&data).await;
    phone.sync().await.unwrap();
    assert!(hub.hub.terminate().await.unwrap().success());
    for (slots, pin) in older {
        assert!(!opens(&data, &unlocked(&slots, pin).unwrap()));
    }
    let names = fs::read_dir(data.join("store")).unwrap();
    let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["hub.db", "vault"], "nothing is left beside the records");
    let master = unlocked(&copied(&data), next).unwrap();
    let checked = hub_appliance::store::copies::check(&data.join("store/hub.db"), &master.store_key(), || true);
    checked.expect("each page is what was written");
}
