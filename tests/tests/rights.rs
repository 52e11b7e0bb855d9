//! What each user may write and gets to see, and how a token ends.

use hub_tests::clinic::{Clinic, ClinicSize, DemoUser};
use hub_tests::compare::{Comparison, hub_as_seen_by};
use hub_tests::hub::{Log, TestHub};
use hub_tests::phone::{Database, Generation, Phone};
use hub_tests::schema::schema;
use hub_tests::sight::Sight;
use serde_json::{Value, json};

fn clinic() -> Clinic {
    let size = ClinicSize {
        patients: 24,
        visits: 48,
        events: 96,
    };
    Clinic::generate(13, size)
}

fn user<'a>(clinic: &'a Clinic, name: &str) -> &'a DemoUser {
    clinic.user(&format!("{name}@clinic.example")).unwrap()
}

async fn synced(hub: &TestHub, user: &DemoUser) -> Phone {
    let mut phone = hub.phone(user).await.unwrap().with_app(Generation::V1_5);
    phone.sync().await.unwrap();
    phone
}

async fn push(phone: &mut Phone, changes: &Value) -> Result<Value, Option<u16>> {
    let push = json!({"changes": changes, "lastPulledAt": phone.database.cursor()});
    phone
        .client
        .command("sync_push", push)
        .await
        .map_err(|error| error.status())
}

/// A row as the app pushes it after an edit of these columns.
fn edited(database: &Database, table: &str, id: &str, values: &Value) -> Value {
    let table = schema().table(table).unwrap();
    let row = database.row(&table.name, id).unwrap();
    let changed: Vec<&str> = values.as_object().unwrap().keys().map(String::as_str).collect();
    let mut pushed = json!({"_status": "updated", "_changed": format!("updated_at,{}", changed.join(","))});
    for column in table.phone_columns() {
        pushed[&column.name] = serde_json::to_value(row.get(table, &column.name).unwrap()).unwrap();
    }
    for (column, value) in values.as_object().unwrap() {
        pushed[column] = value.clone();
    }
    pushed
}

/// The first row of a table whose column has that text.
fn row_with(database: &Database, table: &str, column: &str, text: &str) -> String {
    let definition = schema().table(table).unwrap();
    let mut rows = database.rows(table).unwrap();
    let found = rows.find(|(_, row)| row.get(definition, column).and_then(|cell| cell.as_text()) == Some(text));
    found.unwrap().0.to_owned()
}

#[tokio::test]
async fn good_rows_land_and_bad_and_forbidden_ones_are_held() {
    let clinic = clinic();
    let hub = TestHub::with_clinic(&clinic, Log::Everything).await.unwrap();
    let (home, away) = (
        &user(&clinic, "nurse").clinic_id,
        &user(&clinic, "doctor.two").clinic_id,
    );
    let mut nurse = synced(&hub, user(&clinic, "nurse")).await;
    let mut admin = synced(&hub, user(&clinic, "admin")).await;
    let before = admin.database.clone();
    let mine = row_with(&before, "patients", "primary_clinic_id", home);
    let theirs = row_with(&before, "patients", "primary_clinic_id", away);
    let event = row_with(&before, "events", "recorded_by_user_id", &user(&clinic, "doctor").id);
    let now = admin.clock.now();
    let patient = |id: &str, clinic: &str| {
        json!({
            "id": id, "_status": "created", "_changed": "", "given_name": "Held?", "surname": "", "date_of_birth": "",
            "citizenship": "", "hometown": "", "phone": "", "sex": "", "camp": "", "additional_data": "{}",
            "metadata": "{}", "photo_url": "", "is_deleted": false, "deleted_at": null, "created_at": now,
            "updated_at": now, "government_id": "", "external_patient_id": "", "primary_clinic_id": clinic,
            "last_modified_by": "",
        })
    };
    let with = |mut row: Value, column: &str, value: Value| {
        row[column] = value;
        row
    };
    let held_patients = [
        json!(5),
        json!("text"),
        json!(null),
        json!([]),
        json!({}),
        with(patient("", home), "given_name", json!("no id")),
        with(patient("x", home), "id", json!(7)),
        with(patient("bad-type", home), "given_name", json!({"a": 1})),
        with(patient("bad-time", home), "created_at", json!("yesterday")),
        with(patient("bad-flag", home), "is_deleted", json!("maybe")),
        patient("of-another-clinic", away),
        edited(&before, "patients", &theirs, &json!({"camp": "X"})),
        edited(&before, "patients", &mine, &json!({"primary_clinic_id": away})),
    ];
    let mut changes = json!({
        "patients": {"created": held_patients, "updated": [], "deleted": [{"id": theirs}]},
        "events": {"created": [], "updated": [edited(&before, "events", &event, &json!({"event_type": "X"}))], "deleted": [{"id": event}]},
        "prescriptions": {"created": [{"id": "p", "patient_id": mine, "created_at": now, "updated_at": now}], "updated": [], "deleted": []},
        "visits": {"created": [{"id": "v", "patient_id": null, "updated_at": now}], "updated": [], "deleted": []},
        "users": {"created": [{"id": "u", "name": "Intruder"}], "updated": [], "deleted": [{"id": user(&clinic, "admin").id}]},
        "clinics": {"created": [], "updated": [], "deleted": [{"id": home}]},
        "user_clinic_permissions": {"created": [{"id": "all"}], "updated": [], "deleted": []},
        "no_such_table": {"created": [1], "updated": [{}], "deleted": ["x"]},
    });
    // Good ones first, in between and last.
    let created = changes["patients"]["created"].as_array_mut().unwrap();
    created.insert(0, patient("good-1", home));
    created.insert(7, patient("good-2", home));
    created.push(patient("good-3", home));
    let camp = edited(&nurse.database, "patients", &mine, &json!({"camp": "Good"}));
    changes["patients"]["updated"] = json!([camp]);
    // Rows that stand in two lists: the last counts, so that the forbidden move is not held; a refused deletion does not
    // take the edit along, so that of the other clinic's patient and of the event both are. Then the prescription and the
    // visit.
    let held = held_patients.len() - 1 + 1 + 2 + 2;

    assert_eq!(push(&mut nurse, &changes).await, Ok(json!({})));
    hub.held_on_the_panel(held).await.unwrap();
    let mut expected = before.clone();
    expected
        .update("patients", &mine, &[("camp", "Good".into())], 0)
        .unwrap();
    admin.sync().await.unwrap();
    for good in ["good-1", "good-2", "good-3"] {
        assert_eq!(
            admin.database.cell("patients", good, "given_name"),
            Some(&"Held?".into())
        );
        let cells: Vec<_> = schema().table("patients").unwrap().phone_columns().collect();
        let row = admin.database.row("patients", good).unwrap();
        let values: Vec<_> = cells
            .iter()
            .map(|column| column.name.as_str())
            .zip(row.cells().iter().cloned())
            .collect();
        expected.create("patients", good, &values, now).unwrap();
    }
    let updated_at = admin.database.cell("patients", &mine, "updated_at").unwrap().clone();
    expected
        .update("patients", &mine, &[("updated_at", updated_at)], 0)
        .unwrap();
    Comparison::of_one_user().compare(&admin.database, &expected).unwrap();

    // Nothing in it stops the next sync, and repeating it changes nothing.
    assert_eq!(push(&mut nurse, &changes).await, Ok(json!({})));
    nurse.edit("patients", &mine, &[("hometown", "After".into())]).unwrap();
    nurse.sync().await.unwrap();
    admin.sync().await.unwrap();
    assert_eq!(
        admin.database.cell("patients", &mine, "hometown"),
        Some(&"After".into())
    );
    hub.held_on_the_panel(held).await.unwrap();

    // A held edit of a row that exists: the phone gets the hub's version back, and the others keep it.
    let visible = row_with(
        &nurse.database,
        "events",
        "recorded_by_user_id",
        &user(&clinic, "doctor").id,
    );
    nurse
        .edit("events", &visible, &[("event_type", "Not mine".into())])
        .unwrap();
    nurse.sync().await.unwrap();
    nurse.sync().await.unwrap();
    assert_eq!(
        nurse.database.cell("events", &visible, "event_type"),
        before.cell("events", &visible, "event_type")
    );
    let seen = hub_as_seen_by(&mut admin).await.unwrap();
    assert_eq!(
        seen.cell("events", &visible, "event_type"),
        before.cell("events", &visible, "event_type")
    );
    hub.held_on_the_panel(held + 1).await.unwrap();

    // Another user of the same clinic may.
    let mut doctor = synced(&hub, user(&clinic, "doctor")).await;
    doctor
        .edit("events", &visible, &[("event_type", "Mine".into())])
        .unwrap();
    doctor.sync().await.unwrap();
    nurse.sync().await.unwrap();
    assert_eq!(
        nurse.database.cell("events", &visible, "event_type"),
        Some(&"Mine".into())
    );
}

#[tokio::test]
async fn everybody_sees_and_writes_what_is_theirs() {
    let clinic = clinic();
    let hub = TestHub::with_clinic(&clinic, Log::Everything).await.unwrap();
    let mut admin = synced(&hub, user(&clinic, "admin")).await;

    let mut viewer = synced(&hub, user(&clinic, "viewer")).await;
    let patient = row_with(
        &viewer.database,
        "patients",
        "primary_clinic_id",
        &user(&clinic, "viewer").clinic_id,
    );
    viewer.edit("patients", &patient, &[("camp", "X".into())]).unwrap();
    assert_eq!(viewer.sync().await.unwrap_err().status(), Some(403));
    assert_eq!(
        push(&mut viewer, &json!({"patients": {"deleted": [patient]}})).await,
        Err(Some(403))
    );
    assert_eq!(push(&mut viewer, &json!({})).await, Err(Some(403)));
    let seen = hub_as_seen_by(&mut admin).await.unwrap();
    Comparison::of_one_user().compare(&admin.database, &seen).unwrap();

    for name in ["doctor", "nurse", "pharmacist", "admin", "doctor.two", "viewer"] {
        let user = user(&clinic, name);
        let mut phone = hub.phone(user).await.unwrap();
        let answer: Value = serde_json::from_slice(&phone.pull_bytes().await.unwrap()).unwrap();
        assert!(answer["changes"].get("users").is_none(), "{name}");
        phone.sync().await.unwrap();
        sees_exactly_its_clinics(&phone.database, &admin.database, user);
    }
}

fn sees_exactly_its_clinics(seen: &Database, all: &Database, user: &DemoUser) {
    let looks_into = user
        .rights
        .iter()
        .filter(|(_, rights)| rights.contains(&"can_view_history"));
    let clinics = looks_into.map(|(clinic, _)| clinic.clone()).collect();
    let expected = Sight::of(all, &user.id, clinics).rows(all);
    for table in schema().tables().iter().filter(|table| table.phone.pull) {
        if table.name == "user_clinic_permissions" {
            let ids = seen.rows(&table.name).unwrap();
            assert_eq!(ids.len(), user.rights.len(), "{}", user.name);
            for (id, row) in seen.rows(&table.name).unwrap() {
                assert_eq!(row.get(table, "user_id"), Some(&user.id.as_str().into()), "{id}");
            }
            continue;
        }
        let ids = |database: &Database| -> Vec<String> {
            let rows = database.rows(&table.name).unwrap();
            rows.map(|(id, _)| id.to_owned()).collect()
        };
        assert_eq!(ids(seen), ids(&expected), "{} of {}", table.name, user.name);
    }
}

#[tokio::test]
async fn forms_of_another_clinic_reach_every_phone() {
    let clinic = clinic();
    let mut hub = TestHub::with_clinic(&clinic, Log::Warnings).await.unwrap();
    let nurse = user(&clinic, "nurse");
    let mut phone = synced(&hub, nurse).await;
    let away = user(&clinic, "doctor.two").clinic_id.clone();
    let times = json!({"metadata": {}, "is_deleted": false, "created_at": "2026-11-20T00:00:00Z",
        "updated_at": "2026-11-20T00:00:00Z", "last_modified": "2026-11-20T00:00:00Z"});
    let row = |id: &str, values: Value| {
        let mut row = times.clone();
        row["id"] = json!(id);
        row.as_object_mut().unwrap().extend(values.as_object().unwrap().clone());
        json!({"created": [row], "updated": [], "deleted": []})
    };
    let bundle = json!({"success": true, "timestamp": 1, "changes": {
        "registration_forms": row("form", json!({"clinic_id": away, "name": "Theirs", "fields": []})),
        "clinic_departments": row("department", json!({"clinic_id": away, "name": "Theirs"})),
    }});
    hub.take_in(|file| Ok(serde_json::to_writer(file, &bundle)?))
        .await
        .unwrap();
    phone.sync().await.unwrap();
    for (table, id) in [("registration_forms", "form"), ("clinic_departments", "department")] {
        assert!(phone.database.row(table, id).is_some(), "{table}");
    }
}

#[tokio::test]
async fn how_a_token_ends() {
    let clinic = clinic();
    let mut hub = TestHub::with_clinic(&clinic, Log::Everything).await.unwrap();
    let [nurse, doctor, pharmacist] = ["nurse", "doctor", "pharmacist"].map(|name| user(&clinic, name));

    let mut phone = synced(&hub, nurse).await;
    let token = phone.client.token().map(str::to_owned).unwrap();
    let mut thief = Phone::with_client(hub.pair(|client| client).await.unwrap());
    for token in [
        Some(token.clone()),
        Some(format!("{token}x")),
        Some(String::new()),
        Some("a.b.c".repeat(600)),
        None,
    ] {
        thief.client.set_token(token);
        assert_eq!(thief.pull().await.unwrap_err().status(), Some(401));
    }
    let (head, signature) = token.rsplit_once('.').unwrap();
    let (_, claims) = head.split_once('.').unwrap();
    // {"alg":"none","typ":"JWT"}
    let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{claims}.");
    phone.client.set_token(Some(unsigned));
    assert_eq!(phone.sync().await.unwrap_err().status(), Some(401));
    phone
        .client
        .set_token(Some(format!("{head}.{}", signature.chars().rev().collect::<String>())));
    assert_eq!(phone.sync().await.unwrap_err().status(), Some(401));
    phone.client.set_token(Some(token.clone()));
    phone.sync().await.unwrap();

    let mut second = synced(&hub, nurse).await;
    phone.client.logout().await.unwrap();
    phone.client.set_token(Some(token.clone()));
    assert_eq!(phone.sync().await.unwrap_err().status(), Some(401));
    assert_eq!(phone.client.logout().await.unwrap_err().status(), Some(401));
    second.sync().await.unwrap();
    phone.log_in(&nurse.email, &nurse.password).await.unwrap();
    // The same call at once after signing in would be what only app 1.7 does.
    assert_eq!(push(&mut phone, &json!({})).await, Ok(json!({})));

    let (mut doctors, mut pharmacists) = (synced(&hub, doctor).await, synced(&hub, pharmacist).await);
    // A restart alone ends none.
    hub.hub.terminate().await.unwrap();
    hub.start_again().await.unwrap();
    for phone in [&mut phone, &mut second, &mut doctors, &mut pharmacists] {
        phone.sync().await.unwrap();
    }
    phone.client.set_token(Some(token));
    assert_eq!(
        phone.sync().await.unwrap_err().status(),
        Some(401),
        "logged out before the restart"
    );

    // The cloud says: another password for the nurse, no right any more for the doctor, no pharmacist.
    let bundle = changed(&clinic);
    hub.take_in(|file| Ok(serde_json::to_writer(file, &bundle)?))
        .await
        .unwrap();
    for phone in [&mut second, &mut doctors, &mut pharmacists] {
        assert_eq!(phone.sync().await.unwrap_err().status(), Some(401));
    }
    assert_eq!(
        second.log_in(&nurse.email, &nurse.password).await.unwrap_err().status(),
        Some(401)
    );
    second.log_in(&nurse.email, "another password").await.unwrap();
    assert_eq!(push(&mut second, &json!({})).await, Ok(json!({})));
    second.sync().await.unwrap();
    assert_eq!(
        doctors
            .log_in(&doctor.email, &doctor.password)
            .await
            .unwrap_err()
            .status(),
        Some(403)
    );
    let refused = pharmacists
        .log_in(&pharmacist.email, &pharmacist.password)
        .await
        .unwrap_err();
    assert_eq!(refused.status(), Some(401));
}

/// What the cloud sends later.
fn changed(clinic: &Clinic) -> Value {
    let mut bytes = Vec::new();
    clinic.write_bundle(&mut bytes).unwrap();
    let bundle: Value = serde_json::from_slice(&bytes).unwrap();
    let rows = |table: &str| bundle["changes"][table]["created"].as_array().unwrap().clone();
    let mut nurse = rows("users")
        .into_iter()
        .find(|row| row["id"] == user(clinic, "nurse").id.as_str())
        .unwrap();
    nurse["hashed_password"] = json!(bcrypt::hash("another password", 10).unwrap());
    nurse["updated_at"] = json!("2026-11-21T00:00:00.000Z");
    let doctor = user(clinic, "doctor").id.as_str();
    let permissions = rows("user_clinic_permissions")
        .into_iter()
        .filter(|row| row["user_id"] == doctor);
    let permissions: Vec<Value> = permissions.map(|row| row["id"].clone()).collect();
    json!({
        "success": true,
        "changes": {
            "users": {"created": [], "updated": [nurse], "deleted": [user(clinic, "pharmacist").id]},
            "user_clinic_permissions": {"created": [], "updated": [], "deleted": permissions},
        },
        "timestamp": 0,
    })
}
