//! The shipping app against the real hub: a day's work, deletes in every form, and cursors that no hub gave.

use hub_tests::clinic::{Clinic, ClinicSize, DemoUser};
use hub_tests::compare::{Comparison, JsonRule, first_pull_of, hub_as_seen_by};
use hub_tests::hub::{Log, TestHub};
use hub_tests::phone::clock::PhoneClock;
use hub_tests::phone::edit::{AttributeValue, NewAttribute, NewPatient};
use hub_tests::phone::pull::PullAnswer;
use hub_tests::phone::{Database, Generation, Phone, SyncError};
use hub_tests::schema::schema;
use serde_json::{Value, json};

const YEAR_MS: i64 = 365 * 86_400_000;

fn clinic() -> Clinic {
    let size = ClinicSize {
        patients: 24,
        visits: 48,
        events: 96,
    };
    Clinic::generate(11, size)
}

fn user<'a>(clinic: &'a Clinic, name: &str) -> &'a DemoUser {
    clinic.user(&format!("{name}@clinic.example")).unwrap()
}

#[tokio::test]
async fn a_day_at_the_clinic_with_app_1_5() {
    a_day_at_the_clinic(Generation::V1_5).await;
}

#[tokio::test]
async fn a_day_at_the_clinic_with_app_1_7() {
    a_day_at_the_clinic(Generation::V1_7).await;
}

async fn a_day_at_the_clinic(app: Generation) {
    let clinic = clinic();
    let hub = TestHub::with_clinic(&clinic, Log::Everything).await.unwrap();
    let doctor = user(&clinic, "doctor");

    let client = hub.pair(|client| client.named("Doctor's phone")).await.unwrap();
    let mut phone = Phone::with_client(client).with_app(app);
    for (email, password) in [
        (doctor.email.as_str(), "no"),
        ("nobody@clinic.example", "no"),
        (&doctor.email, ""),
    ] {
        let refused = phone.log_in(email, password).await.unwrap_err();
        assert_eq!(
            refused.status(),
            Some(401),
            "an error in a 200 would read as a good login"
        );
    }
    assert_eq!(phone.sync().await.unwrap_err().status(), Some(401));
    let login = phone.log_in(&doctor.email, &doctor.password).await.unwrap();
    assert_eq!((&login.user_id, &login.clinic_id), (&doctor.id, &doctor.clinic_id));
    assert_eq!((&login.provider_name, &login.role), (&doctor.name, &doctor.role));

    phone.sync().await.unwrap();
    let same = Comparison::of_one_user().json(JsonRule::Value);
    same.compare(&phone.database, &first_pull_of(&clinic, doctor)).unwrap();

    let patient = work(&mut phone);
    let pushed = phone.sync().await.unwrap().pushed;
    let expected = [
        ("patients", 1),
        ("events", 1),
        ("visits", 1),
        ("patient_additional_attributes", 1),
        ("patient_vitals", 1),
    ];
    assert_eq!(pushed, expected);
    let idle = phone.sync().await.unwrap();
    assert_eq!(idle.pushed, []);
    // What it has just pushed gives app 1.7 away, so now it gets the table that only it has.
    let older = |table: &&str| schema().table(table).is_some_and(|table| table.since.is_none());
    let mut pulled = idle.pulled.iter().filter(|(table, _)| older(table));
    assert!(
        pulled.all(|(_, counts)| *counts == Default::default()),
        "its own rows came back"
    );

    let mut nurse = hub.phone(user(&clinic, "nurse")).await.unwrap().with_app(app);
    nurse.sync().await.unwrap();
    nurse.edit("patients", &patient, &[("camp", "North".into())]).unwrap();
    nurse.sync().await.unwrap();
    phone.sync().await.unwrap();
    assert_eq!(phone.database.cell("patients", &patient, "camp"), Some(&"North".into()));

    for phone in [&mut phone, &mut nurse] {
        let seen = hub_as_seen_by(phone).await.unwrap();
        Comparison::of_one_user().compare(&phone.database, &seen).unwrap();
        match app {
            Generation::V1_5 => drop(phone.force_download().await.unwrap()),
            Generation::V1_7 => assert!(matches!(phone.force_download().await, Err(SyncError::NoButton))),
        }
        Comparison::of_one_user().compare(&phone.database, &seen).unwrap();
    }

    // Without a token 1.5 is stuck until somebody signs in; 1.7 does so by itself, while it runs.
    phone.edit("patients", &patient, &[("camp", "South".into())]).unwrap();
    phone.client.logout().await.unwrap();
    match app {
        Generation::V1_5 => assert_eq!(phone.sync().await.unwrap_err().status(), Some(401)),
        Generation::V1_7 => assert_eq!(phone.sync().await.unwrap().pushed, [("patients", 1)]),
    }
    phone.restart_app();
    phone.client.set_token(None);
    assert_eq!(phone.sync().await.unwrap_err().status(), Some(401));
}

/// Registers a patient and everything that hangs on one visit; gives the patient's id.
fn work(phone: &mut Phone) -> String {
    let patient = NewPatient {
        given_name: "Zoë 漢".to_owned(),
        surname: "O'Neill \"Ñ\"".to_owned(),
        date_of_birth: "2001-02-28".to_owned(),
        sex: "female".to_owned(),
        attributes: vec![NewAttribute {
            attribute_id: "village-field".to_owned(),
            attribute: "village".to_owned(),
            value: AttributeValue::Text("قرية".to_owned()),
        }],
        ..NewPatient::default()
    };
    let patient = phone.register_patient(&patient).unwrap();
    let visit = phone.open_visit(&patient).unwrap();
    let (form, name) = {
        let mut forms = phone.database.rows("event_forms").unwrap();
        let (id, row) = forms.next().unwrap();
        let table = schema().table("event_forms").unwrap();
        (
            id.to_owned(),
            row.get(table, "name").unwrap().as_text().unwrap().to_owned(),
        )
    };
    let answers = json!([{"fieldId": "a", "value": "made up ü"}]);
    phone.record_event(&patient, &visit, (&form, &name), &answers).unwrap();
    let measured = [("systolic_bp", 120.5.into()), ("pain_level", 0_i64.into())];
    phone.record_vitals(&patient, &visit, &measured).unwrap();
    patient
}

#[tokio::test]
async fn deletes_in_every_form() {
    let clinic = clinic();
    let hub = TestHub::with_clinic(&clinic, Log::Everything).await.unwrap();
    let admin = user(&clinic, "admin");
    let (mut phone, mut witness) = (hub.phone(admin).await.unwrap(), hub.phone(admin).await.unwrap());
    phone.sync().await.unwrap();
    witness.sync().await.unwrap();
    let patients: Vec<String> = ids(&phone.database, "patients");

    let row = |id: &str| pushed_row(&phone.database, id, false);
    let flagged = |id: &str| pushed_row(&phone.database, id, true);
    let [a, b, c, d, e, f, g, h] = std::array::from_fn(|place| patients[place].as_str());
    let forms = [
        (a, json!({"created": [], "updated": [], "deleted": [a]})),
        (b, json!({"created": [], "updated": [], "deleted": [row(b)]})),
        (c, json!({"created": [], "updated": [], "deleted": [{"id": c}]})),
        (d, json!({"created": [], "updated": [flagged(d)], "deleted": []})),
        (e, json!({"created": [flagged(e)], "updated": [], "deleted": []})),
        (
            f,
            json!({"created": [flagged(f)], "updated": [flagged(f)], "deleted": [flagged(f)]}),
        ),
        (g, json!({"created": [row(g)], "updated": [row(g)], "deleted": [g]})),
        (h, json!({"created": [flagged(h)], "updated": [row(h)], "deleted": []})),
    ];
    let cursor = phone.database.cursor().clone();
    for (id, lists) in &forms {
        let push = json!({"changes": {"patients": lists}, "lastPulledAt": cursor});
        assert!(witness.database.row("patients", id).is_some());
        assert_eq!(
            phone.client.command::<Value>("sync_push", &push).await.unwrap(),
            json!({})
        );
        witness.sync().await.unwrap();
        gone_with_all_that_hangs_on(&witness.database, id);
        // Sent again, as an app does whose answer was lost.
        phone.client.command::<Value>("sync_push", push).await.unwrap();
    }

    // Nothing brings them back: as new, as changed, later than all that was, from either phone.
    let later = witness.clock.now() + 60_000;
    for (list, (id, _)) in ["created", "updated"].into_iter().cycle().zip(&forms) {
        let mut back = row(id);
        back["updated_at"] = json!(later);
        back["_changed"] = json!("updated_at,given_name");
        back["given_name"] = json!("Back");
        let mut lists = json!({"created": [], "updated": [], "deleted": []});
        lists[list] = json!([back]);
        let push = json!({"changes": {"patients": lists}, "lastPulledAt": witness.database.cursor()});
        witness.client.command::<Value>("sync_push", &push).await.unwrap();
    }
    let unknown = json!({"patients": {"created": [], "updated": [], "deleted": ["never-was", {"id": "nor-this"}]}});
    let push = json!({"changes": unknown, "lastPulledAt": witness.database.cursor()});
    assert_eq!(
        witness.client.command::<Value>("sync_push", push).await.unwrap(),
        json!({})
    );

    let answer = witness.pull_bytes().await.unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let told = answer["changes"]["patients"]["deleted"].as_array().unwrap();
    for (id, _) in &forms {
        assert!(
            told.contains(&json!({"id": id})) && told.contains(&json!(id)),
            "a phone that still has the row is told of the deletion again, in both forms"
        );
    }
    // What was pushed by hand has not passed through this phone's own database.
    phone.database.set_cursor(0);
    for phone in [&mut phone, &mut witness] {
        phone.sync().await.unwrap();
        let seen = hub_as_seen_by(phone).await.unwrap();
        for (id, _) in &forms {
            gone_with_all_that_hangs_on(&seen, id);
            gone_with_all_that_hangs_on(&phone.database, id);
        }
        Comparison::of_one_user().compare(&phone.database, &seen).unwrap();
    }
    assert_eq!(ids(&phone.database, "patients").len(), patients.len() - forms.len());
}

fn ids(database: &Database, table: &str) -> Vec<String> {
    database.rows(table).unwrap().map(|(id, _)| id.to_owned()).collect()
}

/// A patient as the app pushes it, unchanged or with the flag.
fn pushed_row(database: &Database, id: &str, deleted: bool) -> Value {
    let table = schema().table("patients").unwrap();
    let row = database.row("patients", id).unwrap();
    let mut pushed = json!({"_status": "updated", "_changed": "updated_at,is_deleted"});
    for column in table.phone_columns() {
        pushed[&column.name] = serde_json::to_value(row.get(table, &column.name).unwrap()).unwrap();
    }
    pushed["is_deleted"] = json!(deleted);
    pushed
}

fn gone_with_all_that_hangs_on(database: &Database, patient: &str) {
    assert!(database.row("patients", patient).is_none());
    for table in schema()
        .tables()
        .iter()
        .filter(|table| table.phone_index("patient_id").is_some())
    {
        for (id, row) in database.rows(&table.name).unwrap() {
            let hangs_on = row.get(table, "patient_id").and_then(|cell| cell.as_text());
            assert_ne!(hangs_on, Some(patient), "{}/{id}", table.name);
        }
    }
}

#[tokio::test]
async fn cursors_that_the_hub_never_gave() {
    let clinic = clinic();
    let hub = TestHub::with_clinic(&clinic, Log::Everything).await.unwrap();
    let admin = user(&clinic, "admin");
    let mut phone = hub.phone(admin).await.unwrap().with_app(Generation::V1_5);
    let mut other = hub.phone(admin).await.unwrap();
    phone.sync().await.unwrap();
    other.sync().await.unwrap();
    let everything = pulled(&mut phone, &json!({"lastPulledAt": 0})).await;
    let given = phone.database.cursor().as_i64().unwrap();
    let patient = ids(&other.database, "patients").remove(0);

    other.edit("patients", &patient, &[("camp", "A".into())]).unwrap();
    other.sync().await.unwrap();
    #[expect(clippy::cast_precision_loss, reason = "a time in ms is far below 2^53")]
    let fraction = given as f64 + 0.25;
    let iso = jiff::Timestamp::from_millisecond(given).unwrap().to_string();
    for start in [json!(given), json!(fraction), json!(given.to_string()), json!(iso)] {
        assert_eq!(pulled(&mut phone, &json!({"lastPulledAt": start})).await, 1, "{start}");
        assert_eq!(
            pulled(&mut phone, &json!({"last_pulled_at": start})).await,
            1,
            "{start}"
        );
    }
    for start in [
        json!(-1),
        json!(0),
        json!(null),
        json!("soon"),
        json!(""),
        json!({}),
        json!([1]),
        json!(true),
        json!(-1e300),
    ] {
        assert_eq!(
            pulled(&mut phone, &json!({"lastPulledAt": start})).await,
            everything,
            "{start}"
        );
    }
    assert_eq!(pulled(&mut phone, &json!({})).await, everything);

    // In the future: what was given last counts, so nothing that came since is missed.
    for ahead in [given + YEAR_MS, i64::MAX] {
        phone.sync().await.unwrap();
        other
            .edit("patients", &patient, &[("camp", ahead.to_string().into())])
            .unwrap();
        other.sync().await.unwrap();
        assert_eq!(pulled(&mut phone, &json!({"lastPulledAt": ahead})).await, 1, "{ahead}");
    }

    // A forced upload leaves the phone's own time as its cursor: right, fast, and slow by a year.
    for error in [0, YEAR_MS, -YEAR_MS] {
        phone.clock = PhoneClock::wrong_by(error);
        phone.sync().await.unwrap();
        phone.force_upload(given - 3 * YEAR_MS).await.unwrap();
        let before = phone.database.cursor().clone();
        other.sync().await.unwrap();
        other
            .edit("patients", &patient, &[("camp", format!("C{error}").into())])
            .unwrap();
        other.sync().await.unwrap();
        phone.sync().await.unwrap();
        assert_ne!(
            *phone.database.cursor(),
            before,
            "the hub gives a cursor of its own again"
        );
        let seen = hub_as_seen_by(&mut phone).await.unwrap();
        assert_eq!(
            phone.database.cell("patients", &patient, "camp"),
            seen.cell("patients", &patient, "camp")
        );
        Comparison::of_one_user().compare(&phone.database, &seen).unwrap();
    }
}

#[tokio::test]
async fn answers_that_are_lost_around_a_forced_upload_are_given_again_by_a_hub_that_was_killed() {
    let clinic = clinic();
    let mut hub = TestHub::with_clinic(&clinic, Log::Everything).await.unwrap();
    let admin = user(&clinic, "admin");
    let mut other = hub.phone(admin).await.unwrap();
    other.sync().await.unwrap();
    let patient = ids(&other.database, "patients").remove(0);
    // Fast and slow clocks; the answer is lost after the upload, and before it.
    for (number, (error, lost_first)) in [(-YEAR_MS, false), (YEAR_MS, false), (-YEAR_MS, true), (YEAR_MS, true)]
        .into_iter()
        .enumerate()
    {
        let mut phone = hub.phone(admin).await.unwrap().with_app(Generation::V1_5);
        phone.clock = PhoneClock::wrong_by(error);
        phone.sync().await.unwrap();
        let camp = format!("Camp {number}");
        other
            .edit("patients", &patient, &[("camp", camp.as_str().into())])
            .unwrap();
        other.sync().await.unwrap();
        if lost_first {
            phone.pull_bytes().await.unwrap();
        }
        let now = phone.clock.now();
        phone.force_upload(now).await.unwrap();
        if !lost_first {
            phone.pull_bytes().await.unwrap();
        }
        hub.hub.kill9().await.unwrap();
        hub.start_again().await.unwrap();
        phone.sync().await.unwrap();
        let seen = phone.database.cell("patients", &patient, "camp");
        assert_eq!(seen, Some(&camp.into()), "wrong by {error}, lost first: {lost_first}");
        other.sync().await.unwrap();
    }
}

/// How many rows and deletes a pull with these parameters brings; the phone takes no notice of it.
async fn pulled(phone: &mut Phone, parameters: &Value) -> usize {
    let answer = phone.client.query_bytes("sync_pull", parameters).await.unwrap();
    PullAnswer::read(&answer, Generation::V1_5).unwrap().len()
}
