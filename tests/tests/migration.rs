//! A hub whose records were written by an older firmware: this firmware takes them over, and phones that were in the middle
//! of their work go on and miss nothing.
//!
//! `data/schema-1` and `data/schema-2` were written by those firmwares and are never written again: a data folder with
//! [`PIN`], and the phones as they were kept. They, and a full clinic for the measurement, are made by the ignored tests
//! here, with the variable `HUB_TEST_OLDER` naming the older firmware's program (`cargo build -p hub-appliance` at commit
//! 10c82ad for schema 1, at 4ab0e7b for schema 2).

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hub_tests::clinic::{Clinic, ClinicSize, DemoUser};
use hub_tests::compare::{Comparison, hub_as_seen_by};
use hub_tests::hub::{Log, PIN, TestHub, copy_folder};
use hub_tests::phone::edit::{AttributeValue, NewAttribute, NewPatient};
use hub_tests::phone::state::Pairing;
use hub_tests::phone::{Generation, Phone};

/// The fixtures: one an older schema.
const FOLDERS: [&str; 2] = [
    concat!(env!("CARGO_MANIFEST_DIR"), "/data/schema-1"),
    concat!(env!("CARGO_MANIFEST_DIR"), "/data/schema-2"),
];
/// The phones of a fixture, with their apps and users.
const PHONES: [(&str, Generation, &str); 3] = [
    ("waiting", Generation::V1_5, "admin@clinic.example"),
    ("behind", Generation::V1_7, "admin@clinic.example"),
    ("writer", Generation::V1_7, "doctor.two@clinic.example"),
];

fn clinic() -> Clinic {
    let size = ClinicSize {
        patients: 6,
        visits: 12,
        events: 24,
    };
    Clinic::generate(1, size)
}

fn user<'a>(clinic: &'a Clinic, email: &str) -> &'a DemoUser {
    clinic.user(email).unwrap()
}

fn register(phone: &mut Phone, name: &str) -> String {
    let patient = NewPatient {
        given_name: name.to_owned(),
        attributes: vec![NewAttribute {
            attribute_id: "field".to_owned(),
            attribute: "village".to_owned(),
            value: AttributeValue::Text(name.to_owned()),
        }],
        ..NewPatient::default()
    };
    let patient = phone.register_patient(&patient).unwrap();
    phone.open_visit(&patient).unwrap();
    patient
}

fn named<'a>(phone: &'a Phone, name: &str) -> Vec<&'a str> {
    let ids = phone.database.rows("patients").unwrap().map(|(id, _)| id);
    ids.filter(|id| phone.database.cell("patients", id, "given_name") == Some(&name.into()))
        .collect()
}

#[tokio::test]
async fn phones_of_the_first_schema_go_on_and_miss_nothing() {
    phones_go_on_and_miss_nothing(Path::new(FOLDERS[0])).await;
}

#[tokio::test]
async fn phones_of_the_second_schema_go_on_and_miss_nothing() {
    phones_go_on_and_miss_nothing(Path::new(FOLDERS[1])).await;
}

async fn phones_go_on_and_miss_nothing(fixture: &Path) {
    let clinic = clinic();
    let mut hub = TestHub::on_copy_of(&fixture.join("data"), Log::Everything)
        .await
        .unwrap();
    hub.hub.panel().await.unwrap().unlock(PIN).await.unwrap();

    let folder = tempfile::tempdir().unwrap();
    let mut phones = Vec::new();
    for (number, (name, _, email)) in PHONES.iter().enumerate() {
        let (mut phone, before) = phone_at(&hub, &fixture.join(format!("{name}.json")), folder.path());
        let last = u8::try_from(number + 1).unwrap();
        phone.client.http().call_from([127, 0, 2, last].into());
        // The token may have ended since; whoever holds the phone signs in, and no more.
        let user = user(&clinic, email);
        phone.log_in(&user.email, &user.password).await.unwrap();
        assert!(before.url.starts_with("http://"));
        phones.push(phone);
    }
    let [waiting, behind, writer] = phones.as_mut_slice() else {
        unreachable!("there are three");
    };
    assert!(named(behind, "Pushed later").is_empty() && named(waiting, "Pushed later").is_empty());
    assert!(!waiting.database.local_changes().is_empty());
    let cursors = [&*waiting, &*behind].map(|phone| phone.database.cursor().clone());
    assert!(cursors.iter().all(|cursor| cursor.as_i64() > Some(0)));

    // What they pull is what came since, not everything again.
    let all = hub_as_seen_by(&mut pair(&hub, user(&clinic, "admin@clinic.example")).await)
        .await
        .unwrap();
    let all: usize = all.counts().iter().map(|(_, rows)| rows).sum();
    let pulled = behind.pull().await.unwrap();
    let pulled: usize = pulled.iter().map(|(_, counts)| counts.inserted + counts.merged).sum();
    assert!(0 < pulled && pulled < all / 2, "{pulled} of {all} rows");

    for _ in 0..2 {
        for phone in [&mut *waiting, &mut *behind, &mut *writer] {
            phone.sync().await.unwrap();
        }
    }
    assert_eq!(named(waiting, "Pushed later").len(), 1);
    assert_eq!(named(behind, "Not pushed yet").len(), 1);
    let seen = waiting.database.cell("patients", &edited(&clinic), "camp");
    assert_eq!(seen, Some(&"edited by the writer".into()));
    let seen = behind.database.cell("patients", &edited(&clinic), "hometown");
    assert_eq!(seen, Some(&"edited on the waiting phone".into()));

    // After a lock and a start, too.
    hub.hub.terminate().await.unwrap();
    hub.start_again().await.unwrap();
    behind
        .edit("patients", &edited(&clinic), &[("phone", "1".into())])
        .unwrap();
    behind.sync().await.unwrap();
    for phone in [waiting, behind, writer] {
        phone.sync().await.unwrap();
        let mut hub = hub_as_seen_by(phone).await.unwrap();
        // What is new to an app that was updated comes to it with the next change of a row.
        hub.update_app(Generation::V1_5);
        Comparison::of_one_user().compare(&phone.database, &hub).unwrap();
        let number = phone.database.cell("patients", &edited(&clinic), "phone");
        assert_eq!(number, Some(&"1".into()));
    }
}

/// The patient that two phones edit: the first, who belongs to the second clinic where the last user sees it.
fn edited(clinic: &Clinic) -> String {
    let of_second = user(clinic, "doctor.two@clinic.example").clinic_id.clone();
    let table = hub_tests::schema::schema().table("patients").unwrap();
    let place = table.phone_index("primary_clinic_id").unwrap();
    let found = clinic
        .expected("patients")
        .find(|cells| cells[place].as_text() == Some(&of_second));
    found.expect("a patient of the second clinic")[0]
        .as_text()
        .unwrap()
        .to_owned()
}

async fn pair(hub: &TestHub, user: &DemoUser) -> Phone {
    hub.phone(user).await.unwrap()
}

/// A phone of the fixture, which will find the hub where it is now.
fn phone_at(hub: &TestHub, kept: &Path, folder: &Path) -> (Phone, Pairing) {
    let name = kept.file_name().unwrap();
    let kept = fs::read_to_string(kept).unwrap();
    let mut kept: serde_json::Value = serde_json::from_str(&kept).unwrap();
    kept["url"] = serde_json::json!(hub.hub.url());
    let file = folder.join(name);
    fs::write(&file, kept.to_string()).unwrap();
    Phone::load(&file).unwrap()
}

/// The older firmware's program.
fn older_firmware() -> PathBuf {
    std::env::var_os("HUB_TEST_OLDER")
        .map(PathBuf::from)
        .expect("HUB_TEST_OLDER names an older firmware's program")
}

/// Writes a fixture into a new folder that `HUB_TEST_FIXTURE` names.
#[tokio::test]
#[ignore = "writes the fixture anew, with an older firmware's program"]
async fn write_the_fixture() {
    let to = PathBuf::from(std::env::var_os("HUB_TEST_FIXTURE").expect("HUB_TEST_FIXTURE names a folder"));
    let clinic = clinic();
    let mut hub = TestHub::empty_of(&older_firmware(), tempfile::tempdir().unwrap(), Log::Warnings)
        .await
        .unwrap();
    hub.take_in(|file| clinic.write_bundle(file)).await.unwrap();
    let _ = fs::remove_dir_all(&to);
    fs::create_dir_all(&to).unwrap();
    let mut phones = Vec::new();
    for (name, app, email) in PHONES {
        let mut phone = pair(&hub, user(&clinic, email)).await.with_app(app);
        // The first firmware's answers are what app 1.5 takes: both pulled them before one of them was updated.
        phone.database.update_app(Generation::V1_5);
        phone.sync().await.unwrap();
        phone.sync().await.unwrap();
        phones.push((name, app, phone));
    }
    let patient = edited(&clinic);
    {
        let [(_, _, waiting), _, (_, _, writer)] = phones.as_mut_slice() else {
            unreachable!("there are three");
        };
        waiting
            .edit(
                "patients",
                &patient,
                &[("hometown", "edited on the waiting phone".into())],
            )
            .unwrap();
        register(waiting, "Not pushed yet");
        writer
            .edit("patients", &patient, &[("camp", "edited by the writer".into())])
            .unwrap();
        register(writer, "Pushed later");
        writer.sync().await.unwrap();
    }
    for (name, app, phone) in &mut phones {
        phone.database.update_app(*app);
        let pairing = Pairing {
            url: hub.hub.url().to_owned(),
            key: None,
        };
        phone.save(&to.join(format!("{name}.json")), &pairing).unwrap();
    }
    hub.hub.terminate().await.unwrap();
    copy_folder(&hub.data(), &to.join("data")).unwrap();
}

/// Prints how long the first unlock after the update takes on a full clinic, and what room it needs.
#[tokio::test]
#[ignore = "minutes long, with an older firmware's program"]
#[allow(clippy::print_stdout, reason = "the figures are its result")]
async fn how_long_a_full_clinic_takes() {
    let clinic = Clinic::generate(Clinic::DEMO_SEED, ClinicSize::about_rows(100_000));
    let mut hub = TestHub::empty_of(&older_firmware(), tempfile::tempdir().unwrap(), Log::Warnings)
        .await
        .unwrap();
    hub.take_in(|file| clinic.write_bundle(file)).await.unwrap();
    hub.hub.terminate().await.unwrap();
    // One unlock without and one with a migration: the difference is the migration's.
    hub.start_locked().await.unwrap();
    let plain = unlock(&hub).await;
    hub.hub.terminate().await.unwrap();
    let store = hub.data().join("store");
    let before = size_of(&store);

    hub.start_locked_by(&hub_tests::hub::binary().unwrap()).await.unwrap();
    let (mut highest, mut unlocked) = (0, None);
    {
        let unlocking = unlock(&hub);
        tokio::pin!(unlocking);
        while unlocked.is_none() {
            tokio::select! {
                time = &mut unlocking => unlocked = Some(time),
                () = tokio::time::sleep(Duration::from_millis(20)) => highest = highest.max(size_of(&store)),
            }
        }
    }
    let time = unlocked.unwrap();
    println!(
        "unlock by the older firmware {plain:.1?}, with the migration {time:.1?}; \
         store {} MiB before, {} MiB at most, {} MiB after",
        mib(before),
        mib(highest),
        mib(size_of(&store)),
    );
    let admin = user(&clinic, "admin@clinic.example");
    let mut phone = pair(&hub, admin).await;
    phone.sync().await.unwrap();
    assert!(phone.database.rows("patients").unwrap().len() > 3_000);
}

async fn unlock(hub: &TestHub) -> Duration {
    let mut panel = hub.hub.panel().await.unwrap();
    let start = Instant::now();
    panel.unlock(PIN).await.unwrap();
    start.elapsed()
}

fn mib(bytes: u64) -> u64 {
    bytes.div_ceil(1024 * 1024)
}

fn size_of(folder: &Path) -> u64 {
    let files = fs::read_dir(folder).unwrap().flatten();
    let database = files.filter(|file| {
        file.path()
            .file_name()
            .is_some_and(|name| name != OsStr::new("hub.lock"))
    });
    database.filter_map(|file| Some(file.metadata().ok()?.len())).sum()
}
