//! What is held and why, what is never held, and how held rows go: by themselves, or because a person says so.

use hub_appliance::clock::HubTime;
use hub_appliance::store::StoreError;
use hub_appliance::store::devices::DeviceNumber;
use hub_tests::clinic::{Clinic, DemoUser};
use hub_tests::hub::{Log, TestHub};
use hub_tests::panel_client::Button;
use hub_tests::phone::edit::NewPatient;
use hub_tests::phone::{Database, Generation, Phone};
use hub_tests::schema::schema;
use serde_json::{Value, json};

#[path = "support/opened.rs"]
mod opened;
#[path = "support/pushing.rs"]
mod pushing;

use pushing::{clinic, lists, on_hub, pulled, push, row, row_of, user};

async fn synced(hub: &TestHub, user: &DemoUser) -> Phone {
    let mut phone = hub.phone(user).await.unwrap();
    phone.sync().await.unwrap();
    phone
}

fn new_row(table: &str, id: &str, values: &Value) -> Value {
    row(schema().table(table).unwrap(), id, values)
}

/// Pushes one table's new rows.
async fn create(phone: &mut Phone, table: &str, rows: &[Value]) {
    let changes = json!({table: lists(json!(rows), json!([]), json!([]))});
    assert_eq!(push(phone, &changes).await, Ok(json!({})));
}

/// A live row whose column has that text.
fn row_with(database: &Database, table: &str, column: &str, text: &str) -> String {
    let definition = schema().table(table).unwrap();
    let mut rows = database.rows(table).unwrap();
    let found = rows.find(|(_, row)| {
        !row.is_deleted(definition) && row.get(definition, column).and_then(|cell| cell.as_text()) == Some(text)
    });
    found.unwrap().0.to_owned()
}

/// What the next pull of a phone brings, as it comes.
async fn news(phone: &mut Phone) -> Value {
    let since = phone.database.cursor().clone();
    let mut answer: Value = pulled(phone, &since).await;
    for (_, lists) in answer["changes"].as_object_mut().unwrap() {
        lists.as_object_mut().unwrap().retain(|_, rows| rows != &json!([]));
    }
    answer["changes"]
        .as_object_mut()
        .unwrap()
        .retain(|_, lists| lists != &json!({}));
    answer["changes"].clone()
}

/// What the cloud grants a user in a clinic.
fn grant(user: &DemoUser, clinic: &str, rights: &[&str]) -> Value {
    let mut row = json!({"id": format!("granted-{clinic}"), "user_id": user.id, "clinic_id": clinic,
        "created_at": "2026-11-20T00:00:00Z", "updated_at": "2026-11-26T00:00:00Z"});
    for right in rights {
        row[right] = json!(true);
    }
    json!({"success": true, "timestamp": 1, "changes": {"user_clinic_permissions": lists(json!([row]), json!([]), json!([]))}})
}

struct Place {
    clinic: Clinic,
    hub: TestHub,
}

impl Place {
    async fn new() -> Self {
        let clinic = clinic();
        let hub = TestHub::with_clinic(&clinic, Log::Everything).await.unwrap();
        Self { clinic, hub }
    }

    fn home(&self) -> &str {
        &user(&self.clinic, "nurse").clinic_id
    }

    fn away(&self) -> &str {
        &user(&self.clinic, "doctor.two").clinic_id
    }

    async fn phone(&self, name: &str) -> Phone {
        synced(&self.hub, user(&self.clinic, name)).await
    }
}

#[tokio::test]
async fn a_held_patient_takes_its_children_along_and_they_go_when_the_right_is_granted() {
    let mut place = Place::new().await;
    let (mut nurse, mut admin) = (place.phone("nurse").await, place.phone("admin").await);
    let away = place.away().to_owned();
    let of_patient = json!({"patient_id": "p"});
    let visit = json!({"patient_id": "p", "clinic_id": away});
    let event = json!({"patient_id": "p", "visit_id": "v"});
    let changes = json!({
        "patients": lists(json!([new_row("patients", "p", &json!({"primary_clinic_id": away}))]), json!([]), json!([])),
        "visits": lists(json!([new_row("visits", "v", &visit)]), json!([]), json!([])),
        "events": lists(json!([new_row("events", "e", &event), new_row("events", "gone", &event)]), json!([]), json!([])),
        "patient_vitals": lists(json!([new_row("patient_vitals", "vital", &of_patient)]), json!([]), json!([])),
    });
    assert_eq!(push(&mut nurse, &changes).await, Ok(json!({})));
    place.hub.held_on_the_panel(5).await.unwrap();
    // The same once more, and the deletion of one of them.
    assert_eq!(push(&mut nurse, &changes).await, Ok(json!({})));
    let deletion = json!({"events": lists(json!([]), json!([]), json!(["gone"]))});
    assert_eq!(push(&mut nurse, &deletion).await, Ok(json!({})));
    place.hub.held_on_the_panel(6).await.unwrap();

    let granted = grant(
        user(&place.clinic, "nurse"),
        &away,
        &["can_register_patients", "can_edit_records", "can_delete_records"],
    );
    place
        .hub
        .take_in(|file| Ok(serde_json::to_writer(file, &granted)?))
        .await
        .unwrap();
    place.hub.held_on_the_panel(0).await.unwrap();
    for (table, id) in [
        ("patients", "p"),
        ("visits", "v"),
        ("events", "e"),
        ("patient_vitals", "vital"),
    ] {
        assert!(on_hub(&mut admin, table, id).await.is_some(), "{table}");
    }
    assert_eq!(on_hub(&mut admin, "events", "gone").await, None);
}

/// As many as made a hub that looked through all of a phone's held rows for each of them outlast every phone's patience.
#[tokio::test]
async fn thousands_of_held_rows_and_the_same_again_are_answered_while_others_go_on() {
    const ROWS: usize = 16_000;
    let place = Place::new().await;
    let (mut nurse, mut doctor) = (place.phone("nurse").await, place.phone("doctor").await);
    let row = |index: usize| {
        new_row(
            "patients",
            &format!("p{index}"),
            &json!({"primary_clinic_id": place.away()}),
        )
    };
    let rows: Vec<_> = (0..ROWS).map(row).collect();
    let changes = json!({"patients": lists(json!(rows), json!([]), json!([]))});
    for _ in 0..2 {
        let (held, patient) = tokio::join!(push(&mut nurse, &changes), async {
            let patient = doctor.register_patient(&NewPatient::default()).unwrap();
            assert_ne!(doctor.sync().await.unwrap().pushed, []);
            patient
        });
        assert_eq!(held, Ok(json!({})));
        assert!(on_hub(&mut doctor, "patients", &patient).await.is_some());
        place.hub.held_on_the_panel(ROWS).await.unwrap();
    }
}

#[tokio::test]
async fn a_row_without_a_place_is_nobodys_until_its_patient_is_there() {
    let place = Place::new().await;
    let (mut nurse, mut doctor, mut admin) = (
        place.phone("nurse").await,
        place.phone("doctor").await,
        place.phone("admin").await,
    );
    let event = json!({"patient_id": "later"});
    let changes = json!({
        "patients": lists(json!([new_row("patients", "nowhere", &json!({"primary_clinic_id": null}))]), json!([]), json!([])),
        "visits": lists(json!([new_row("visits", "nowhere", &json!({"patient_id": null, "clinic_id": ""}))]), json!([]), json!([])),
        "events": lists(json!([new_row("events", "e", &event), new_row("events", "nobody", &json!({"patient_id": null}))]), json!([]), json!([])),
    });
    assert_eq!(push(&mut nurse, &changes).await, Ok(json!({})));
    place.hub.held_on_the_panel(4).await.unwrap();
    assert_eq!(news(&mut admin).await, json!({}));

    create(
        &mut doctor,
        "patients",
        &[new_row(
            "patients",
            "later",
            &json!({"primary_clinic_id": place.home()}),
        )],
    )
    .await;
    place.hub.held_on_the_panel(3).await.unwrap();
    assert!(on_hub(&mut admin, "events", "e").await.is_some());
}

#[tokio::test]
async fn a_row_for_a_deleted_patient_waits_for_a_person_who_administers_the_clinic() {
    let place = Place::new().await;
    let (mut nurse, mut doctor, mut admin) = (
        place.phone("nurse").await,
        place.phone("doctor").await,
        place.phone("admin").await,
    );
    let patient = row_with(&nurse.database, "patients", "primary_clinic_id", place.home());
    let deletion = json!({"patients": lists(json!([]), json!([]), json!([patient]))});
    assert_eq!(push(&mut admin, &deletion).await, Ok(json!({})));
    let of_patient = json!({"patient_id": patient});
    create(
        &mut nurse,
        "events",
        &[
            new_row("events", "kept", &of_patient),
            new_row("events", "dropped", &of_patient),
        ],
    )
    .await;
    place.hub.held_on_the_panel(2).await.unwrap();

    let list = |phone: &mut Phone| {
        let mut client = std::mem::replace(phone, Phone::new("http://127.0.0.1:1").unwrap());
        async move {
            let listed = client.client.query::<Value>("held.list", json!({})).await;
            (client, listed.map_err(|error| error.status()))
        }
    };
    let (back, refused) = list(&mut nurse).await;
    nurse = back;
    assert_eq!(refused, Err(Some(403)));
    let (back, listed) = list(&mut admin).await;
    admin = back;
    let listed = listed.unwrap()["data"].clone();
    let of = |id: &str| {
        listed
            .as_array()
            .unwrap()
            .iter()
            .find(|held| held["row_id"] == id)
            .unwrap()
            .clone()
    };
    assert_eq!(of("kept")["reason"], "its parent: patients");
    assert_eq!(of("kept")["row"]["patient_id"], json!(patient));
    assert_eq!(of("kept")["user_id"], json!(user(&place.clinic, "nurse").id));

    for (name, id, status) in [("held.release", "kept", 403), ("held.drop", "dropped", 403)] {
        let refused = nurse
            .client
            .command::<Value>(name, json!({"id": of(id)["id"]}))
            .await
            .unwrap_err();
        assert_eq!(refused.status(), Some(status));
    }
    admin
        .client
        .command::<Value>("held.release", json!({"id": of("kept")["id"]}))
        .await
        .unwrap();
    admin
        .client
        .command::<Value>("held.drop", json!({"id": of("dropped")["id"]}))
        .await
        .unwrap();
    place.hub.held_on_the_panel(0).await.unwrap();
    let gone = admin
        .client
        .command::<Value>("held.release", json!({"id": of("kept")["id"]}))
        .await
        .unwrap_err();
    assert_eq!(gone.status(), Some(404));
    assert!(on_hub(&mut doctor, "events", "kept").await.is_some());
    assert_eq!(on_hub(&mut doctor, "events", "dropped").await, None);
}

#[tokio::test]
async fn a_forced_upload_of_what_changed_nothing_holds_nothing_and_troubles_nobody() {
    let place = Place::new().await;
    let (mut admin, mut nurse) = (place.phone("admin").await, place.phone("nurse").await);
    let mut pharmacist = place
        .hub
        .phone(user(&place.clinic, "pharmacist"))
        .await
        .unwrap()
        .with_app(Generation::V1_5);
    pharmacist.sync().await.unwrap();
    // Somebody else has edited one of the rows since.
    let patient = row_with(&nurse.database, "patients", "primary_clinic_id", place.home());
    nurse.edit("patients", &patient, &[("camp", "Newer".into())]).unwrap();
    nurse.sync().await.unwrap();
    admin.sync().await.unwrap();
    let event = row_with(
        &pharmacist.database,
        "events",
        "recorded_by_user_id",
        &user(&place.clinic, "doctor").id,
    );
    let before = pharmacist.database.cell("events", &event, "event_type").cloned();
    pharmacist
        .edit("events", &event, &[("event_type", "Not mine".into())])
        .unwrap();
    pharmacist.force_upload(0).await.unwrap();
    place.hub.held_on_the_panel(1).await.unwrap();
    assert_eq!(news(&mut admin).await, json!({}), "others get nothing for it");
    // The phone that sent them gets what it has otherwise, and only that. Its own edit stands until it has pushed it as one.
    pharmacist.sync().await.unwrap();
    pharmacist.sync().await.unwrap();
    assert_eq!(
        pharmacist.database.cell("events", &event, "event_type").cloned(),
        before
    );
    assert_eq!(
        pharmacist.database.cell("patients", &patient, "camp"),
        Some(&"Newer".into())
    );
    pharmacist.sync().await.unwrap();
    assert_eq!(news(&mut pharmacist).await, json!({}));
}

#[tokio::test]
async fn a_move_to_a_clinic_without_rights_holds_that_column_alone() {
    let mut place = Place::new().await;
    let (mut nurse, mut admin) = (place.phone("nurse").await, place.phone("admin").await);
    let away = place.away().to_owned();
    let patient = row_with(&nurse.database, "patients", "primary_clinic_id", place.home());
    let home = place.home().to_owned();
    nurse
        .edit(
            "patients",
            &patient,
            &[("primary_clinic_id", away.as_str().into()), ("camp", "Both".into())],
        )
        .unwrap();
    nurse.sync().await.unwrap();
    place.hub.held_on_the_panel(1).await.unwrap();
    let stored = on_hub(&mut admin, "patients", &patient).await.unwrap();
    assert_eq!(
        (&stored["camp"], &stored["primary_clinic_id"]),
        (&json!("Both"), &json!(home))
    );
    nurse.sync().await.unwrap();
    assert_eq!(
        nurse.database.cell("patients", &patient, "primary_clinic_id"),
        Some(&home.as_str().into())
    );

    let granted = grant(user(&place.clinic, "nurse"), &away, &["can_edit_records"]);
    place
        .hub
        .take_in(|file| Ok(serde_json::to_writer(file, &granted)?))
        .await
        .unwrap();
    place.hub.held_on_the_panel(0).await.unwrap();
    let stored = on_hub(&mut admin, "patients", &patient).await.unwrap();
    assert_eq!(stored["primary_clinic_id"], json!(away));
}

#[tokio::test]
async fn a_move_to_a_patient_who_is_deleted_or_not_here_holds_that_column_alone() {
    let place = Place::new().await;
    let mut admin = place.phone("admin").await;
    let patient = |id: &str| new_row("patients", id, &json!({"primary_clinic_id": place.home()}));
    create(&mut admin, "patients", &[patient("p"), patient("gone")]).await;
    let deletion = json!({"patients": lists(json!([]), json!([]), json!(["gone"]))});
    assert_eq!(push(&mut admin, &deletion).await, Ok(json!({})));
    let of_p = json!({"patient_id": "p", "clinic_id": place.home()});
    let (visits, events) = (["v1"], ["e1", "e2"]);
    create(&mut admin, "visits", &visits.map(|id| new_row("visits", id, &of_p))).await;
    create(&mut admin, "events", &events.map(|id| new_row("events", id, &of_p))).await;
    let moved = |id: &str, to: &str, column: &str| {
        json!({"id": id, "patient_id": to, column: "Edited", "_changed": format!("patient_id,{column}"),
            "updated_at": 1_760_000_009_000_i64})
    };
    let edits = json!({
        "visits": lists(json!([]), json!([moved("v1", "gone", "provider_name")]), json!([])),
        "events": lists(json!([]), json!([moved("e1", "gone", "event_type"), moved("e2", "later", "event_type")]), json!([])),
    });
    for _ in 0..2 {
        assert_eq!(push(&mut admin, &edits).await, Ok(json!({})));
    }
    place.hub.held_on_the_panel(3).await.unwrap();
    for (table, id, column) in [
        ("visits", "v1", "provider_name"),
        ("events", "e1", "event_type"),
        ("events", "e2", "event_type"),
    ] {
        let row = on_hub(&mut admin, table, id).await.unwrap();
        assert_eq!(
            (&row["patient_id"], &row[column]),
            (&json!("p"), &json!("Edited")),
            "{id}"
        );
    }

    // The one goes when its patient comes, the others when a person who administers the clinic says what is to be.
    create(&mut admin, "patients", &[patient("later")]).await;
    place.hub.held_on_the_panel(2).await.unwrap();
    assert_eq!(on_hub(&mut admin, "events", "e2").await.unwrap()["patient_id"], "later");
    let listed: Value = admin.client.query("held.list", json!({})).await.unwrap();
    for (held, what) in listed["data"]
        .as_array()
        .unwrap()
        .iter()
        .zip(["held.release", "held.drop"])
    {
        assert_eq!(held["reason"], "its parent: patients");
        let id = json!({"id": held["id"]});
        admin.client.command::<Value>(what, id).await.unwrap();
    }
    place.hub.held_on_the_panel(0).await.unwrap();
}

#[tokio::test]
async fn what_was_edited_before_a_right_went_waits_until_it_is_back() {
    let mut place = Place::new().await;
    let (mut nurse, mut admin) = (place.phone("nurse").await, place.phone("admin").await);
    let home = place.home().to_owned();
    let patient = row_with(&nurse.database, "patients", "primary_clinic_id", &home);
    let visit = row_with(&nurse.database, "visits", "clinic_id", &home);
    let before = on_hub(&mut admin, "patients", &patient).await.unwrap();
    nurse.edit("patients", &patient, &[("camp", "Mine".into())]).unwrap();
    nurse
        .edit("visits", &visit, &[("provider_name", "Mine".into())])
        .unwrap();
    let registered = nurse
        .register_patient(&NewPatient {
            given_name: "New".into(),
            ..NewPatient::default()
        })
        .unwrap();
    nurse.open_visit(&registered).unwrap();
    nurse.pull().await.unwrap();

    // Between its pull and its push.
    let hour = 3_600_000;
    let now = nurse.clock.now();
    let take_in = async |place: &mut Place, rights: &[&str], at: i64| {
        let mut granted = grant(user(&place.clinic, "nurse"), place.home(), rights);
        granted["changes"]["user_clinic_permissions"]["created"][0]["updated_at"] = json!(at);
        let taken_in = place.hub.take_in(|file| Ok(serde_json::to_writer(file, &granted)?));
        taken_in.await.unwrap();
    };
    take_in(
        &mut place,
        &["can_register_patients", "can_view_history"],
        now - 2 * hour,
    )
    .await;
    nurse.client.handshake().await.unwrap();
    nurse.push().await.unwrap();
    place.hub.held_on_the_panel(3).await.unwrap();
    assert!(on_hub(&mut admin, "patients", &registered).await.is_some());
    assert_eq!(
        on_hub(&mut admin, "patients", &patient).await.unwrap()["camp"],
        before["camp"]
    );
    nurse.sync().await.unwrap();
    let camp = nurse.database.cell("patients", &patient, "camp").unwrap();
    assert_eq!(json!(camp), before["camp"], "its phone has the hub's again");

    let rights = ["can_register_patients", "can_view_history", "can_edit_records"];
    take_in(&mut place, &rights, now - hour).await;
    place.hub.held_on_the_panel(0).await.unwrap();
    for phone in [&mut nurse, &mut admin] {
        phone.sync().await.unwrap();
        assert_eq!(phone.database.cell("patients", &patient, "camp"), Some(&"Mine".into()));
        assert_eq!(
            phone.database.cell("visits", &visit, "provider_name"),
            Some(&"Mine".into())
        );
    }
}

#[tokio::test]
async fn a_deletion_takes_along_what_its_right_reaches() {
    let mut place = Place::new().await;
    let (home, away) = (place.home().to_owned(), place.away().to_owned());
    let nurse_of = user(&place.clinic, "nurse").clone();
    let mut granted = grant(
        &nurse_of,
        &home,
        &[
            "can_register_patients",
            "can_view_history",
            "can_edit_records",
            "can_delete_patient_records",
            "can_delete_patient_visits",
        ],
    );
    granted["changes"]["user_clinic_permissions"]["created"][0]["updated_at"] = json!("2030-01-01T00:00:00Z");
    place
        .hub
        .take_in(|file| Ok(serde_json::to_writer(file, &granted)?))
        .await
        .unwrap();
    let (mut nurse, mut admin) = (place.phone("nurse").await, place.phone("admin").await);
    let rows = json!({
        "patients": lists(json!([new_row("patients", "p", &json!({"primary_clinic_id": home}))]), json!([]), json!([])),
        "visits": lists(json!([
            new_row("visits", "here", &json!({"patient_id": "p", "clinic_id": home})),
            new_row("visits", "there", &json!({"patient_id": "p", "clinic_id": away})),
        ]), json!([]), json!([])),
        "events": lists(json!([new_row("events", "e", &json!({"patient_id": "p"}))]), json!([]), json!([])),
    });
    assert_eq!(push(&mut admin, &rows).await, Ok(json!({})));
    nurse.sync().await.unwrap();
    let deletion = json!({"patients": lists(json!([]), json!([]), json!(["p"]))});
    assert_eq!(push(&mut nurse, &deletion).await, Ok(json!({})));
    let answer: Value = pulled(&mut admin, &json!(0)).await;
    for (table, id, is_there) in [
        ("patients", "p", false),
        ("visits", "here", false),
        ("events", "e", false),
        ("visits", "there", true),
    ] {
        assert_eq!(row_of(&answer, table, id).is_some(), is_there, "{table} {id}");
    }
    place.hub.held_on_the_panel(0).await.unwrap();

    // A visit of the nurse's clinic, of a patient of the other site: its events are that site's.
    let guest = row_with(&admin.database, "patients", "primary_clinic_id", &away);
    let rows = json!({
        "visits": lists(json!([new_row("visits", "guest", &json!({"patient_id": guest, "clinic_id": home}))]), json!([]), json!([])),
        "events": lists(json!([new_row("events", "theirs", &json!({"patient_id": guest, "visit_id": "guest"}))]), json!([]), json!([])),
    });
    assert_eq!(push(&mut admin, &rows).await, Ok(json!({})));
    let deletion = json!({"visits": lists(json!([]), json!([]), json!(["guest"]))});
    assert_eq!(push(&mut nurse, &deletion).await, Ok(json!({})));
    assert!(on_hub(&mut admin, "events", "theirs").await.is_some());
    assert_eq!(on_hub(&mut admin, "visits", "guest").await, None);
    place.hub.held_on_the_panel(0).await.unwrap();

    // What the hub never had is nothing to hold.
    let gone = new_row(
        "patients",
        "never",
        &json!({"primary_clinic_id": away, "is_deleted": true}),
    );
    let deletions = json!({"patients": lists(json!([gone]), json!([]), json!(["never", "neither"]))});
    assert_eq!(push(&mut nurse, &deletions).await, Ok(json!({})));
    place.hub.held_on_the_panel(0).await.unwrap();
}

#[tokio::test]
async fn what_was_written_otherwise_comes_back_to_its_sender_alone() {
    let place = Place::new().await;
    let (mut nurse, mut admin) = (place.phone("nurse").await, place.phone("admin").await);
    let visit = row_with(&nurse.database, "visits", "clinic_id", place.home());
    let at = nurse
        .database
        .cell("visits", &visit, "check_in_timestamp")
        .and_then(|cell| cell.as_integer())
        .unwrap();
    let edit = json!({"id": visit, "_status": "updated", "_changed": "check_in_timestamp", "check_in_timestamp": at.to_string()});
    let changes = json!({"visits": lists(json!([]), json!([edit]), json!([]))});
    assert_eq!(push(&mut nurse, &changes).await, Ok(json!({})));
    assert_eq!(news(&mut admin).await, json!({}));
    let back = news(&mut nurse).await;
    assert_eq!(back["visits"]["updated"][0]["check_in_timestamp"], json!(at));
    assert_eq!(back.as_object().unwrap().len(), 1);
}

#[tokio::test]
async fn columns_and_tables_of_a_newer_app_are_kept() {
    let mut place = Place::new().await;
    let (mut newer, mut admin, mut older) = (
        place.phone("nurse").await,
        place.phone("admin").await,
        place.phone("doctor").await,
    );
    let patient = row_with(&newer.database, "patients", "primary_clinic_id", place.home());
    let start = admin.database.cursor().clone();
    let edit = |columns: &Value, at: i64| {
        let mut row = json!({"id": patient, "_status": "updated", "updated_at": at});
        row.as_object_mut()
            .unwrap()
            .extend(columns.as_object().unwrap().clone());
        let names: Vec<_> = columns.as_object().unwrap().keys().map(String::as_str).collect();
        row["_changed"] = json!(names.join(","));
        json!({
            "patients": lists(json!([]), json!([row]), json!([])),
            "referrals": lists(json!([{"id": "r", "patient_id": patient, "to": "Elsewhere"}]), json!([]), json!(["s"])),
        })
    };
    let now = newer.clock.now();
    let first = edit(&json!({"blood_group": "A\u{2212}", "siblings": {"count": 3}}), now);
    assert_eq!(push(&mut newer, &first).await, Ok(json!({})));
    place.hub.held_on_the_panel(0).await.unwrap();
    let row = row_of(&pulled(&mut admin, &start).await, "patients", &patient).unwrap();
    assert_eq!(
        (&row["blood_group"], &row["siblings"]),
        (&json!("A\u{2212}"), &json!({"count": 3}))
    );
    // An app that lacks them keeps them, and one edit loses against a later one of another phone.
    let camp = json!({"id": patient, "_status": "updated", "_changed": "camp", "camp": "Older", "updated_at": now + 1});
    let changes = json!({"patients": lists(json!([]), json!([camp]), json!([]))});
    assert_eq!(push(&mut older, &changes).await, Ok(json!({})));
    assert_eq!(
        push(&mut admin, &edit(&json!({"blood_group": "B"}), now + 20_000)).await,
        Ok(json!({}))
    );
    assert_eq!(
        push(&mut newer, &edit(&json!({"blood_group": "0"}), now + 10_000)).await,
        Ok(json!({}))
    );
    // Over a restart too.
    place.hub.hub.terminate().await.unwrap();
    place.hub.start_again().await.unwrap();
    let row = on_hub(&mut older, "patients", &patient).await.unwrap();
    assert_eq!(
        (&row["blood_group"], &row["siblings"], &row["camp"]),
        (&json!("B"), &json!({"count": 3}), &json!("Older"))
    );
    admin.client.handshake().await.unwrap();
    let listed: Value = admin.client.query("held.list", json!({"limit": 5000})).await.unwrap();
    let referrals: Vec<_> = listed["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|held| held["table"] == "referrals")
        .collect();
    assert_eq!(referrals.len(), 4, "each phone's once, however often it sends them");
    assert_eq!(referrals[0]["reason"], "unknown table");
    place.hub.held_on_the_panel(0).await.unwrap();

    // What no reader of an answer could follow goes to nobody.
    let nested = (0..200).fold(json!(1), |inner, _| json!([inner]));
    let deep = edit(&json!({"siblings": nested}), now + 30_000);
    assert_eq!(push(&mut admin, &deep).await, Ok(json!({})));
    place.hub.held_on_the_panel(1).await.unwrap();
    let row = on_hub(&mut older, "patients", &patient).await.unwrap();
    assert_eq!(row["siblings"], json!({"count": 3}));
}

#[tokio::test]
async fn a_push_and_a_phone_have_their_bounds() {
    let place = Place::new().await;
    let (mut nurse, mut admin) = (place.phone("nurse").await, place.phone("admin").await);
    let many = json!({"visits": lists(json!(vec![0; 30_000]), json!(vec![0; 20_001]), json!([]))});
    assert_eq!(push(&mut nurse, &many).await, Err(Some(413)));
    place.hub.held_on_the_panel(0).await.unwrap();

    // A row that is too long is held, the others land; a photo may be longer.
    let photo = "x".repeat(3 << 20);
    let patient = |id: &str, column: &str| {
        new_row(
            "patients",
            id,
            &json!({"primary_clinic_id": place.home(), column: photo}),
        )
    };
    create(
        &mut nurse,
        "patients",
        &[
            patient("long", "camp"),
            patient("photo", "photo_url"),
            new_row("patients", "short", &json!({"primary_clinic_id": place.home()})),
        ],
    )
    .await;
    place.hub.held_on_the_panel(1).await.unwrap();
    assert!(on_hub(&mut admin, "patients", "photo").await.is_some());
    assert!(on_hub(&mut admin, "patients", "short").await.is_some());

    // 64 MiB of held rows are all that one phone may have.
    let heavy = "x".repeat(1_000_000);
    let away = |number: usize| {
        new_row(
            "patients",
            &format!("h{number}"),
            &json!({"primary_clinic_id": place.away(), "camp": heavy}),
        )
    };
    let held = |from: usize| (from..from + 22).map(away).collect::<Vec<_>>();
    create(&mut nurse, "patients", &held(0)).await;
    create(&mut nurse, "patients", &held(22)).await;
    place.hub.held_on_the_panel(45).await.unwrap();
    let more = json!({"patients": lists(json!(held(44)), json!([]), json!([]))});
    assert_eq!(push(&mut nurse, &more).await, Err(Some(413)));
    place.hub.held_on_the_panel(45).await.unwrap();
    says_that_it_is_full(&place.hub, true).await;
    // Others go on, and room comes back when held rows are dropped.
    admin.sync().await.unwrap();
    let listed: Value = admin.client.query("held.list", json!({"limit": 10})).await.unwrap();
    for held in listed["data"].as_array().unwrap() {
        admin
            .client
            .command::<Value>("held.drop", json!({"id": held["id"]}))
            .await
            .unwrap();
    }
    place.hub.held_on_the_panel(35).await.unwrap();
    assert_eq!(push(&mut nurse, &more).await, Ok(json!({})));
    place.hub.held_on_the_panel(57).await.unwrap();
    says_that_it_is_full(&place.hub, false).await;
}

#[tokio::test]
async fn a_phone_writes_so_much_a_day_and_has_room_again_the_next() {
    let mut place = Place::new().await;
    let nurse = user(&place.clinic, "nurse");
    let client = place.hub.pair(|client| client.named("Amina's phone")).await.unwrap();
    let mut phone = Phone::with_client(client);
    phone.log_in(&nurse.email, &nurse.password).await.unwrap();
    phone.sync().await.unwrap();
    let mut admin = place.phone("admin").await;
    // Of the day's 512 MiB it has 8 left.
    place.hub.hub.terminate().await.unwrap();
    let store = opened::open(&place.hub.data(), HubTime::ZERO);
    let number = DeviceNumber(1);
    let written = store.write(move |tx| tx.within_quota(number, 504 << 20, |_| Ok::<_, StoreError>(())));
    written.unwrap();
    assert!(store.close(std::time::Duration::from_secs(60)));
    drop(store);
    place.hub.start_again().await.unwrap();
    let home = place.home().to_owned();
    // Each brings 3 MB, and each but the first as much more of what it replaces.
    let photo = |round: usize| format!("{round}{}", "x".repeat(3_000_000));
    let rows = |round: usize| {
        let edited_at = 1_760_000_005_000_i64 + i64::try_from(round).unwrap();
        let values = json!({"primary_clinic_id": home, "photo_url": photo(round), "updated_at": edited_at});
        json!({"patients": lists(json!([new_row("patients", "photo", &values)]), json!([]), json!([]))})
    };
    assert_eq!(push(&mut phone, &rows(0)).await, Ok(json!({})));
    assert_eq!(push(&mut phone, &rows(1)).await, Err(Some(413)));
    // By single calls neither.
    let registration = json!({"patient": {"given_name": "Late", "surname": "Comer", "photo_url": "x".repeat(6_000_000)}, "additional_attributes": []});
    let call = phone.client.command::<Value>("register_patient", &registration).await;
    assert_eq!(call.unwrap_err().status(), Some(413));
    let told = says_that_it_is_full(&place.hub, true).await;
    assert!(told.iter().any(|line| line.contains("Amina's phone")), "{told:?}");
    admin.client.handshake().await.unwrap();
    admin
        .client
        .command::<Value>("register_patient", &registration)
        .await
        .unwrap();

    place.hub.hub.terminate().await.unwrap();
    let tomorrow = HubTime::from_millis(jiff::Timestamp::now().as_millisecond() + 24 * 60 * 60 * 1000);
    let store = opened::open(&place.hub.data(), tomorrow);
    let dated = store.write(|tx| {
        tx.change_time();
        Ok::<_, StoreError>(())
    });
    dated.unwrap();
    assert!(store.close(std::time::Duration::from_secs(60)));
    drop(store);
    place.hub.start_again().await.unwrap();
    assert_eq!(push(&mut phone, &rows(1)).await, Ok(json!({})));
    says_that_it_is_full(&place.hub, false).await;
}

/// Waits until the panel says of the first phone that it has too much, or no longer does; gives what it says.
async fn says_that_it_is_full(hub: &TestHub, is_full: bool) -> Vec<String> {
    let mut panel = hub.hub.panel().await.unwrap();
    panel.choose("Phones").await.unwrap();
    panel.wait_for("phones").await.unwrap();
    panel.press(Button::Ok).await.unwrap();
    let says = |screen: &hub_tests::panel_client::Screen| {
        screen.name == "phone" && screen.lines.iter().any(|line| line.contains("Sent too much")) == is_full
    };
    panel.wait_until(says).await.unwrap();
    let told = panel.screen().lines.clone();
    panel.press(Button::Back).await.unwrap();
    panel.press(Button::Back).await.unwrap();
    panel.press(Button::Back).await.unwrap();
    told
}
