//! What is in whose sight, and what comes into it and goes out of it.

use super::desk::{OTHER, deleted, desk, event, moved, of, two_clinics, visit};
use super::*;

#[test]
fn what_was_deleted_out_of_sight_does_not_live_on_on_the_phone() {
    let (desk, both, mut here) = two_clinics();
    desk.push(&both, moved(OTHER, "p1", 1));
    desk.pull(&mut here);
    desk.push(&both, moved(CLINIC, "p1", 2));
    desk.push(&both, deleted("patients", "p1"));
    desk.pull(&mut here);
    assert!(
        !here.has("patients", "p1") && !here.has("events", "e1"),
        "moved away, back, deleted"
    );

    here.clinics = &[CLINIC, OTHER];
    desk.pull(&mut here);
    here.clinics = &[CLINIC];
    desk.pull(&mut here);
    desk.push(&both, deleted("patients", "p2"));
    desk.pull(&mut here);
    here.clinics = &[CLINIC, OTHER];
    desk.pull(&mut here);
    assert!(
        !here.has("patients", "p2") && !here.has("events", "e2"),
        "a right withdrawn and given back"
    );
    let nobodys = desk.phone(3, &["clinic-3"]);
    desk.push(&both, created("patients", json!([of(OTHER, "p5")])));
    desk.push(&both, deleted("patients", "p5"));
    assert_eq!(
        desk.ask(&nobodys)["changes"]["patients"]["deleted"],
        json!([]),
        "phones that never had a row are not told of it"
    );
}

#[test]
fn what_comes_back_into_sight_comes_as_it_is_now_and_breaks_nobody() {
    let (desk, mut both, mut here) = two_clinics();
    here.mark("events", "e1");
    desk.push(&both, moved(OTHER, "p1", 1));
    desk.pull(&mut here);
    desk.push(&both, created("patients", json!([of(CLINIC, "p3")])));
    desk.pull(&mut here);
    desk.pull(&mut both);
    desk.push(
        &both,
        updated(
            "patients",
            json!([{"id": "p1", "given_name": "Later", "_changed": "given_name",
        "updated_at": T + 5}]),
        ),
    );
    desk.pull(&mut here);
    assert_eq!(here.name_of("p1"), "Amina", "out of sight");
    desk.push(&both, moved(CLINIC, "p1", 9));
    desk.pull(&mut here);
    assert_eq!(here.name_of("p1"), "Later");
}

#[test]
fn what_comes_into_sight_is_created_however_it_comes() {
    let (desk, mut both, mut here) = two_clinics();
    let prescription = json!({"id": "r1", "patient_id": "p2", "provider_id": "u", "prescribed_at": T, "status": "pending",
        "items": "[]", "notes": "", "metadata": "{}", "is_deleted": false, "created_at": T, "updated_at": T});
    desk.push(
        &both,
        json!({
            "visits": {"created": [visit("v1", "p2", None), visit("v2", "p2", Some(OTHER))]},
            "prescriptions": {"created": [prescription]},
            "events": {"created": [event("e3", "p2")]},
        }),
    );
    desk.pull(&mut both);
    desk.pull(&mut here);
    // By another patient.
    let mut hung = event("e3", "p1");
    hung["_changed"] = "patient_id".into();
    desk.push(&both, updated("events", json!([hung])));
    desk.pull(&mut here);
    assert!(here.has("events", "e3"));
    // By their patient's move, without a clinic of their own, or with one that is out of sight.
    desk.push(&both, moved(CLINIC, "p2", 1));
    desk.pull(&mut here);
    for (table, id) in [
        ("patients", "p2"),
        ("visits", "v1"),
        ("visits", "v2"),
        ("prescriptions", "r1"),
        ("events", "e2"),
    ] {
        assert!(here.has(table, id), "{table}/{id}");
    }
    let idle = desk.pull(&mut here);
    assert!(
        idle.as_object()
            .unwrap()
            .values()
            .all(|lists| lists["created"] == json!([])),
        "once"
    );
}

#[test]
fn a_patient_is_in_sight_where_it_has_something_live() {
    let (desk, mut both, mut here) = two_clinics();
    desk.push(&both, created("visits", json!([visit("v1", "p2", Some(CLINIC))])));
    desk.pull(&mut here);
    assert!(here.has("patients", "p2") && here.has("events", "e2") && here.has("visits", "v1"));
    desk.pull(&mut both);
    desk.push(&both, deleted("visits", "v1"));
    desk.pull(&mut here);
    assert!(!here.has("visits", "v1"));
    let renamed = json!({"id": "p2", "given_name": "Unseen", "_changed": "given_name", "updated_at": T + 7});
    desk.push(&both, updated("patients", json!([renamed])));
    desk.pull(&mut here);
    assert_eq!(here.name_of("p2"), "Amina", "nothing of it is live here any more");
    assert!(!desk.phone(3, &[CLINIC]).has("patients", "p2"));

    let appointment = json!({"id": "a1", "clinic_id": CLINIC, "patient_id": "p2", "user_id": "u", "current_visit_id": "",
        "timestamp": T, "reason": "", "notes": "", "is_walk_in": false, "departments": "[]", "status": "pending",
        "metadata": "{}", "is_deleted": false, "created_at": T, "updated_at": T});
    desk.push(&both, created("appointments", json!([appointment])));
    desk.pull(&mut here);
    assert_eq!(here.name_of("p2"), "Unseen");
}

#[test]
fn a_row_without_a_place_is_nobodys() {
    let (desk, both, mut here) = two_clinics();
    let mut nowhere = of(CLINIC, "p3");
    nowhere["primary_clinic_id"] = Value::Null;
    desk.push(&both, created("patients", json!([nowhere])));
    desk.push(
        &both,
        created("events", json!([event("e3", "p3"), event("e4", "stranger")])),
    );
    desk.pull(&mut here);
    let fresh = desk.phone(3, &[CLINIC, OTHER]);
    for phone in [&here, &fresh] {
        for (table, id) in [("patients", "p3"), ("events", "e3"), ("events", "e4")] {
            assert!(!phone.has(table, id), "{table}/{id}");
        }
    }
}

#[test]
fn forms_and_configuration_go_to_those_they_are_for() {
    let desk = desk();
    let form = |id: &str, clinics: Value| json!({"id": id, "name": id, "language": "en", "form_fields": [], "metadata": {}, "clinic_ids": clinics});
    let config = |id: &str, clinics: Value| json!({"id": id, "namespace": "n", "key": id, "data_type": "string", "clinic_ids": clinics});
    let bundle = json!({"changes": {
        "registration_forms": {"created": [{"id": "r", "clinic_id": OTHER, "name": "r", "fields": [], "metadata": {}}]},
        "clinic_departments": {"created": [{"id": "d", "clinic_id": OTHER, "name": "d", "metadata": {}}]},
        "event_forms": {"created": [form("all", json!(null)), form("empty", json!([])), form("here", json!([CLINIC])),
            form("there", json!([OTHER]))]},
        "app_config": {"created": [config("all", json!(null)), config("none", json!([])), config("here", json!([CLINIC])),
            config("there", json!([OTHER]))]},
    }})
    .to_string();
    let apply = |bundle: String| {
        desk.hub
            .store
            .write(move |tx| Bundle::parse(&bundle)?.apply(tx))
            .unwrap()
    };
    apply(bundle);
    let mut here = desk.phone(1, &[CLINIC]);
    let rows: Vec<_> = here.rows.keys().map(|(table, id)| format!("{table}/{id}")).collect();
    assert_eq!(
        rows,
        [
            "app_config/all",
            "app_config/here",
            "clinic_departments/d",
            "event_forms/all",
            "event_forms/empty",
            "event_forms/here",
            "registration_forms/r"
        ]
    );
    let wider = json!({"changes": {"event_forms": {"updated": [form("there", json!([OTHER, CLINIC]))]}}});
    apply(wider.to_string());
    desk.pull(&mut here);
    assert!(here.has("event_forms", "there"));
}

#[test]
fn a_table_of_newer_apps_goes_to_them_alone_and_whole() {
    let (desk, both, mut here) = two_clinics();
    let profile = json!({"id": "risk", "patient_id": "p1", "kind": "k", "source": "s", "version": "1", "value_type": "number", "last_modified": T, "server_created_at": T,
        "is_deleted": false, "created_at": T, "updated_at": T});
    desk.push(&both, created("patient_risk_profiles", json!([profile])));
    assert!(desk.pull(&mut here).get("patient_risk_profiles").is_none());
    desk.devices.learn_generation(here.number, Generation::V17).unwrap();
    let lost = desk.ask(&here);
    assert_eq!(ids(&lost["changes"]["patient_risk_profiles"]["created"]), ["risk"]);
    let desk = desk.restart();
    desk.pull(&mut here);
    assert!(here.has("patient_risk_profiles", "risk"));
    assert_eq!(
        desk.pull(&mut here)["patient_risk_profiles"]["created"],
        json!([]),
        "once"
    );
    desk.devices.learn_generation(here.number, Generation::V15).unwrap();
    assert!(desk.pull(&mut here).get("patient_risk_profiles").is_none());
}
