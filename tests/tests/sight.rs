//! What comes into a phone's sight and goes out of it, on the real hub: rights that come and go, patients that move, users who
//! share a phone, answers that are lost, and phones that were restored or copied.

use hub_tests::clinic::{Clinic, ClinicSize, DemoUser};
use hub_tests::hub::{Log, TestHub};
use hub_tests::phone::cell::Cell;
use hub_tests::phone::database::{Row, Status};
use hub_tests::phone::{Database, Generation, Phone};
use hub_tests::schema::schema;
use hub_tests::sight::Sight;
use serde_json::{Value, json};

fn clinic() -> Clinic {
    let size = ClinicSize {
        patients: 16,
        visits: 24,
        events: 32,
    };
    Clinic::generate(17, size)
}

fn user<'a>(clinic: &'a Clinic, name: &str) -> &'a DemoUser {
    clinic.user(&format!("{name}@clinic.example")).unwrap()
}

async fn hub_with(clinic: &Clinic) -> TestHub {
    TestHub::with_clinic(clinic, Log::Warnings).await.unwrap()
}

async fn synced(hub: &TestHub, user: &DemoUser) -> Phone {
    let mut phone = hub.phone(user).await.unwrap().with_app(Generation::V1_5);
    phone.sync().await.unwrap();
    phone
}

/// The patients of a clinic.
fn patients_of(database: &Database, clinic: &str) -> Vec<String> {
    let table = schema().table("patients").unwrap();
    let rows = database.rows("patients").unwrap();
    rows.filter(|(_, row)| row.get(table, "primary_clinic_id") == Some(&clinic.into()))
        .map(|(id, _)| id.to_owned())
        .collect()
}

/// Whether a phone holds what its user may see of what somebody holds who sees all, and with the same values.
#[track_caller]
fn sees_what_it_may(phone: &Phone, all: &Phone, user: &DemoUser, clinics: &[&str]) {
    let clinics = clinics.iter().map(|clinic| (*clinic).to_owned()).collect();
    let expected = Sight::of(&all.database, &user.id, clinics).rows(&all.database);
    for table in schema()
        .tables()
        .iter()
        .filter(|table| table.phone.pull && table.since.is_none())
    {
        // Everybody has other permissions than the one who sees all.
        if table.name == "user_clinic_permissions" {
            continue;
        }
        for (id, row) in expected.rows(&table.name).unwrap() {
            let Some(seen) = phone.database.row(&table.name, id) else {
                panic!("{}/{id} is missing", table.name);
            };
            // The phone who sees all is app 1.5, which has no newer columns.
            let columns = table.phone_columns().filter(|column| column.since.is_none());
            for column in columns.filter(|column| column.name != "updated_at") {
                let (seen, row) = (seen.get(table, &column.name), row.get(table, &column.name));
                assert_eq!(seen, row, "{}/{id} {}", table.name, column.name);
            }
        }
    }
}

async fn edit(phone: &mut Phone, table: &str, id: &str, values: &[(&str, Cell)]) {
    phone.edit(table, id, values).unwrap();
    phone.sync().await.unwrap();
}

/// What the cloud says of a right to look into a clinic.
async fn grant(hub: &mut TestHub, clinic: &Clinic, user: &DemoUser, at: &str, granted: bool, day: i64) {
    let mut bytes = Vec::new();
    clinic.write_bundle(&mut bytes).unwrap();
    let bundle: Value = serde_json::from_slice(&bytes).unwrap();
    let rows = bundle["changes"]["user_clinic_permissions"]["created"]
        .as_array()
        .unwrap();
    let is_it = |row: &&Value| row["user_id"] == user.id.as_str() && row["clinic_id"] == at;
    let mut row = rows.iter().find(is_it).unwrap().clone();
    row["can_view_history"] = granted.into();
    row["updated_at"] = format!("2026-11-2{day}T00:00:00.000Z").into();
    let changed = json!({"success": true, "timestamp": 1_900_000_000_000_i64 + day, "changes": {
        "user_clinic_permissions": {"created": [], "updated": [row], "deleted": []}}});
    hub.take_in(|file| Ok(serde_json::to_writer(file, &changed)?))
        .await
        .unwrap();
}

#[tokio::test]
async fn rights_that_come_and_go_leave_nothing_old_on_the_phone() {
    let clinic = clinic();
    let mut hub = hub_with(&clinic).await;
    let (admin, doctor) = (user(&clinic, "admin"), user(&clinic, "doctor"));
    let away = user(&clinic, "doctor.two").clinic_id.clone();
    let mut all = synced(&hub, admin).await;
    let mut visitor = synced(&hub, admin).await;
    // Those who have nothing here.
    let here = synced(&hub, user(&clinic, "nurse")).await;
    let mut theirs = patients_of(&all.database, &away);
    theirs.retain(|id| here.database.row("patients", id).is_none());
    let events = schema().table("events").unwrap();
    let of_theirs = |row: &Row| {
        let patient = row.get(events, "patient_id").and_then(Cell::as_text);
        patient.is_some_and(|patient| theirs.iter().any(|id| id == patient))
    };
    let mut rows = all.database.rows("events").unwrap();
    let event = rows
        .find(|(_, row)| of_theirs(row))
        .map(|(id, _)| id.to_owned())
        .unwrap();
    drop(rows);

    grant(&mut hub, &clinic, admin, &away, false, 1).await;
    // Who sees all from here on works in both clinics by another account.
    let mut other = synced(&hub, user(&clinic, "doctor.two")).await;
    visitor.sync().await.unwrap();
    edit(&mut other, "patients", &theirs[1], &[("camp", "Unseen".into())]).await;
    other.delete("events", &event).unwrap();
    other.sync().await.unwrap();
    visitor.sync().await.unwrap();
    assert_ne!(
        visitor.database.cell("patients", &theirs[1], "camp"),
        Some(&"Unseen".into())
    );
    grant(&mut hub, &clinic, admin, &away, true, 2).await;
    visitor.sync().await.unwrap();
    all.sync().await.unwrap();
    for phone in [&visitor, &all] {
        assert!(
            phone.database.row("events", &event).is_none(),
            "deleted while it was out of sight"
        );
        assert_eq!(
            phone.database.cell("patients", &theirs[1], "camp"),
            Some(&"Unseen".into())
        );
    }
    let mut fresh = synced(&hub, admin).await;
    fresh.sync().await.unwrap();
    let home = user(&clinic, "nurse").clinic_id.as_str();
    sees_what_it_may(&visitor, &fresh, admin, &[home, away.as_str()]);
    assert_eq!(doctor.clinic_id, home);
}

#[tokio::test]
async fn a_patient_moves_away_and_back_and_brings_everything_along() {
    let clinic = clinic();
    let hub = hub_with(&clinic).await;
    let (nurse, admin) = (user(&clinic, "nurse"), user(&clinic, "admin"));
    let home = nurse.clinic_id.clone();
    let away = user(&clinic, "doctor.two").clinic_id.clone();
    let mut all = synced(&hub, admin).await;
    let mut here = synced(&hub, nurse).await;
    let mine = patients_of(&all.database, &home);
    let theirs = patients_of(&all.database, &away);
    // Rows without a clinic of their own: only `created` makes app 1.5 take them in.
    let now = all.clock.now();
    let hanging = [
        ("patient_id", theirs[0].as_str().into()),
        ("provider_id", admin.id.as_str().into()),
    ];
    all.database
        .create("prescriptions", "rx-without-clinic", &hanging, now)
        .unwrap();
    all.database
        .create("visits", "visit-without-clinic", &hanging[..1], now)
        .unwrap();
    all.sync().await.unwrap();
    here.sync().await.unwrap();

    let to = |clinic: &str| [("primary_clinic_id", Cell::text(clinic))];
    edit(&mut all, "patients", &theirs[0], &to(&home)).await;
    here.sync().await.unwrap();
    for (table, id) in [
        ("prescriptions", "rx-without-clinic"),
        ("visits", "visit-without-clinic"),
    ] {
        assert!(here.database.row(table, id).is_some(), "{table}/{id}");
    }
    sees_what_it_may(&here, &all, nurse, &[&home]);

    // An event that was hung to another patient.
    let events = schema().table("events").unwrap();
    let event = {
        let mut rows = all.database.rows("events").unwrap();
        let of_theirs = |row: &Row| row.get(events, "patient_id") == Some(&theirs[1].as_str().into());
        rows.find(|(_, row)| of_theirs(row)).map(|(id, _)| id.to_owned())
    };
    if let Some(event) = event {
        edit(&mut all, "events", &event, &[("patient_id", mine[1].as_str().into())]).await;
        here.sync().await.unwrap();
        assert!(here.database.row("events", &event).is_some());
    }

    // Away, back, deleted.
    edit(&mut all, "patients", &mine[0], &to(&away)).await;
    here.sync().await.unwrap();
    edit(&mut all, "patients", &mine[0], &to(&home)).await;
    all.delete("patients", &mine[0]).unwrap();
    all.sync().await.unwrap();
    all.sync().await.unwrap();
    here.sync().await.unwrap();
    assert!(here.database.row("patients", &mine[0]).is_none());
    sees_what_it_may(&here, &all, nurse, &[&home]);
}

#[tokio::test]
async fn two_users_share_a_phone_answers_are_lost_and_the_hub_is_killed() {
    let clinic = clinic();
    let mut hub = hub_with(&clinic).await;
    let (nurse, doctor_two, admin) = (
        user(&clinic, "nurse"),
        user(&clinic, "doctor.two"),
        user(&clinic, "admin"),
    );
    let (home, away) = (nurse.clinic_id.clone(), doctor_two.clinic_id.clone());
    let mut all = synced(&hub, admin).await;
    let mut shared = synced(&hub, nurse).await;
    let mine = patients_of(&all.database, &home);
    // Marked on the phone: the hub never hears of it.
    shared.database.mark_deleted("patients", &mine[0]).unwrap();

    shared.log_in(&doctor_two.email, &doctor_two.password).await.unwrap();
    shared.pull_bytes().await.unwrap();
    hub.hub.kill9().await.unwrap();
    hub.start_again().await.unwrap();
    shared.sync().await.unwrap();
    all.sync().await.unwrap();
    sees_what_it_may(&shared, &all, doctor_two, &[&away]);

    edit(&mut all, "patients", &mine[0], &[("camp", "Meanwhile".into())]).await;
    edit(&mut all, "patients", &mine[1], &[("camp", "Meanwhile".into())]).await;
    shared.sync().await.unwrap();
    shared.log_in(&nurse.email, &nurse.password).await.unwrap();
    shared.pull_bytes().await.unwrap();
    hub.hub.kill9().await.unwrap();
    hub.start_again().await.unwrap();
    shared.sync().await.unwrap();
    let marked = shared.database.row("patients", &mine[0]).unwrap();
    assert_eq!(
        marked.status(),
        Status::Deleted,
        "nothing has failed, and nothing has come back"
    );
    assert_eq!(
        shared.database.cell("patients", &mine[1], "camp"),
        Some(&"Meanwhile".into())
    );
}

#[tokio::test]
async fn restored_and_copied_phones_get_all_that_their_id_has_written() {
    for app in [Generation::V1_5, Generation::V1_7] {
        let clinic = clinic();
        let mut hub = hub_with(&clinic).await;
        let (nurse, admin) = (user(&clinic, "nurse"), user(&clinic, "admin"));
        let home = nurse.clinic_id.clone();
        let mut all = synced(&hub, admin).await;
        let mut phone = hub.phone(nurse).await.unwrap().with_app(app);
        phone.sync().await.unwrap();
        phone.sync().await.unwrap();

        let backup = phone.database.clone();
        let mine = patients_of(&backup, &home);
        let now = phone.clock.now();
        let values = [
            ("primary_clinic_id", home.as_str().into()),
            ("given_name", "After the backup".into()),
        ];
        phone
            .database
            .create("patients", "after-the-backup", &values, now)
            .unwrap();
        edit(&mut phone, "patients", &mine[0], &[("camp", "After".into())]).await;
        phone.sync().await.unwrap();
        phone.sync().await.unwrap();
        phone.database = backup.clone();
        // The hub may have been started anew since.
        hub.hub.kill9().await.unwrap();
        hub.start_again().await.unwrap();
        phone.sync().await.unwrap();
        assert!(phone.database.row("patients", "after-the-backup").is_some(), "{app:?}");
        assert_eq!(phone.database.cell("patients", &mine[0], "camp"), Some(&"After".into()));

        // Two copies take turns, and somebody else writes too.
        let mut copies = [phone.database.clone(), phone.database.clone()];
        for turn in 0..6 {
            std::mem::swap(&mut phone.database, &mut copies[turn % 2]);
            let now = phone.clock.now();
            phone
                .database
                .create("patients", &format!("turn-{turn}"), &values, now)
                .unwrap();
            phone.sync().await.unwrap();
            phone.sync().await.unwrap();
            std::mem::swap(&mut phone.database, &mut copies[turn % 2]);
            edit(
                &mut all,
                "patients",
                &mine[turn % mine.len()],
                &[("hometown", Cell::text(&format!("turn {turn}")))],
            )
            .await;
        }
        all.sync().await.unwrap();
        for copy in copies {
            phone.database = copy;
            phone.sync().await.unwrap();
            phone.sync().await.unwrap();
            sees_what_it_may(&phone, &all, nurse, &[&home]);
        }
    }
}

#[tokio::test]
async fn a_patient_of_the_other_site_is_seen_where_it_has_something_and_one_without_a_place_by_nobody() {
    let clinic = clinic();
    let hub = hub_with(&clinic).await;
    let (nurse, admin) = (user(&clinic, "nurse"), user(&clinic, "admin"));
    let home = nurse.clinic_id.clone();
    let away = user(&clinic, "doctor.two").clinic_id.clone();
    let mut all = synced(&hub, admin).await;
    let mut here = synced(&hub, nurse).await;
    sees_what_it_may(&here, &all, nurse, &[&home]);
    let unseen = patients_of(&all.database, &away);
    let guest = unseen
        .iter()
        .find(|id| here.database.row("patients", id).is_none())
        .unwrap();

    let now = all.clock.now();
    let values = [
        ("patient_id", guest.as_str().into()),
        ("provider_id", admin.id.as_str().into()),
        ("pickup_clinic_id", home.as_str().into()),
    ];
    all.database
        .create("prescriptions", "to-fill-here", &values, now)
        .unwrap();
    all.database
        .create("patients", "nobodys", &[("given_name", "X".into())], now)
        .unwrap();
    all.database
        .create(
            "events",
            "of-nobody",
            &[("patient_id", "nobodys".into()), ("form_data", "[]".into())],
            now,
        )
        .unwrap();
    all.database
        .create(
            "events",
            "of-a-stranger",
            &[("patient_id", "stranger".into()), ("form_data", "[]".into())],
            now,
        )
        .unwrap();
    all.sync().await.unwrap();
    here.sync().await.unwrap();
    assert!(here.database.row("prescriptions", "to-fill-here").is_some());
    assert!(here.database.row("patients", guest).is_some());
    sees_what_it_may(&here, &all, nurse, &[&home]);
    let fresh = synced(&hub, nurse).await;
    for phone in [&here, &fresh] {
        for (table, id) in [
            ("patients", "nobodys"),
            ("events", "of-nobody"),
            ("events", "of-a-stranger"),
        ] {
            assert!(phone.database.row(table, id).is_none(), "{table}/{id}");
        }
    }
}

#[tokio::test]
async fn what_only_newer_apps_have_goes_to_those_that_are_known_to_be_newer() {
    let clinic = clinic();
    let hub = hub_with(&clinic).await;
    let admin = user(&clinic, "admin");
    let mut writer = hub.phone(admin).await.unwrap().with_app(Generation::V1_7);
    writer.sync().await.unwrap();
    let patient = patients_of(&writer.database, &admin.clinic_id)[0].clone();
    let risk = writer.record_risk(&patient, "falls", "3").unwrap();
    writer.sync().await.unwrap();

    let mut reader = hub.phone(admin).await.unwrap().with_app(Generation::V1_7);
    let mut older = synced(&hub, admin).await;
    reader.sync().await.unwrap();
    assert!(
        reader.database.row("patient_risk_profiles", &risk).is_none(),
        "nobody knows yet what it is"
    );
    // A refused token, a login, and the same call again: this is what gives it away.
    reader.client.set_token(Some("worthless".to_owned()));
    reader.sync().await.unwrap();
    reader.sync().await.unwrap();
    assert!(reader.database.row("patient_risk_profiles", &risk).is_some());
    older.sync().await.unwrap();
}
