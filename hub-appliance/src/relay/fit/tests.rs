//! What is sent of a row, and what is held.

use super::*;
use crate::clock::HubTime;
use crate::store::relay::CloudEntry;

const ID: &str = "0195c0de-0000-7000-8000-000000000001";
const PATIENT: &str = "0195c0de-0000-7000-8000-000000000002";
const VISIT: &str = "0195c0de-0000-7000-8000-000000000003";
const CLINIC: &str = "0195c0de-0000-7000-8000-000000000004";
const NOWHERE: &str = "0195c0de-0000-7000-8000-000000000005";
const NOT_YET: &str = "0195c0de-0000-7000-8000-000000000006";

struct Cloud;

impl References for Cloud {
    fn named(&self, _: TableId, id: &str) -> Result<Option<bool>, StoreError> {
        Ok(match id {
            NOWHERE => None,
            NOT_YET => Some(false),
            _ => Some(true),
        })
    }

    fn knows_batch(&self, batch: &str) -> Result<bool, StoreError> {
        Ok(batch != NOWHERE)
    }

    fn is_own_clinic(&self, clinic: &str) -> bool {
        clinic == CLINIC
    }
}

fn row(table: &str, values: &[(&str, Cell)]) -> Outgoing {
    let table = TableId::named(table).unwrap();
    let columns = table.table().columns;
    let mut cells: Vec<Cell> = columns
        .iter()
        .map(|column| {
            if column.required {
                Cell::empty(column.kind)
            } else {
                Cell::Null
            }
        })
        .collect();
    cells[0] = Cell::text(ID);
    for (name, cell) in values {
        cells[table.table().column(name).unwrap()] = cell.clone();
    }
    Outgoing {
        number: 1,
        table,
        id: cells[0].as_text().unwrap().into(),
        version: HubTime::from_millis(5),
        deleted: false,
        cells,
        entry: CloudEntry::default(),
    }
}

fn sent(row: &Outgoing) -> Result<serde_json::Value, CloudReason> {
    fit(row, &Cloud)
        .unwrap()
        .map(|fitted| serde_json::from_str(&fitted.json).unwrap())
}

#[test]
fn values_are_spelled_as_postgresql_takes_them() {
    let patient = sent(&row(
        "patients",
        &[
            ("given_name", Cell::text("A\0\"é")),
            ("date_of_birth", Cell::text("1990")),
            ("primary_clinic_id", Cell::text(&CLINIC.to_uppercase())),
            ("last_modified_by", Cell::text("")),
            ("additional_data", Cell::text(r#"{"a":"b\u0000"}"#)),
            ("created_at", Cell::Integer(1_000)),
            ("image_timestamp", Cell::Integer(0)),
            ("is_deleted", Cell::Null),
        ],
    ))
    .unwrap();
    assert_eq!(patient["given_name"], "A\"é");
    assert!(patient["date_of_birth"].is_null() && patient["last_modified_by"].is_null());
    assert_eq!(
        patient["additional_data"],
        serde_json::json!({"a": "b", "date_of_birth_text": "1990"})
    );
    assert_eq!(patient["created_at"], "1970-01-01T00:00:01.000Z");
    assert_eq!(patient["primary_clinic_id"], CLINIC);
    assert!(patient["image_timestamp"].is_null());
    assert_eq!(patient["is_deleted"], false);
    assert!(patient.get("last_modified").is_none() && patient.get("server_created_at").is_none());

    let vitals = [
        ("patient_id", Cell::text(PATIENT)),
        ("timestamp", Cell::Integer(1_700_000_000_000)),
        ("systolic_bp", Cell::Real(119.6)),
        ("temperature_celsius", Cell::Real(36.666)),
        ("bmi", Cell::Real(123.4)),
        ("visit_id", Cell::text(NOWHERE)),
    ];
    let vitals = sent(&row("patient_vitals", &vitals)).unwrap();
    assert_eq!(
        (&vitals["systolic_bp"], &vitals["temperature_celsius"]),
        (&120.into(), &36.67.into())
    );
    assert_eq!(vitals["bmi"], 123.4, "the newer cloud takes it");
    assert!(vitals["visit_id"].is_null(), "a reference that the hub does not hold");

    let problem = [
        ("patient_id", Cell::text(PATIENT)),
        ("onset_date", Cell::Integer(86_400_000)),
    ];
    assert_eq!(
        sent(&row("patient_problems", &problem)).unwrap()["onset_date"],
        "1970-01-02"
    );
}

#[test]
fn where_the_cloud_has_no_room_for_a_body_mass_index_it_goes_as_text() {
    let vitals = |bmi, metadata: &str| {
        let values = [
            ("patient_id", Cell::text(PATIENT)),
            ("timestamp", Cell::Integer(1_700_000_000_000)),
            ("weight_kg", Cell::Real(310.5)),
            ("bmi", Cell::Real(bmi)),
            ("metadata", Cell::text(metadata)),
        ];
        fit(&row("patient_vitals", &values), &Cloud).unwrap().unwrap()
    };
    let fitted = vitals(123.456, r#"{"by":"scale"}"#);
    let (json, digests) = fitted.instead.unwrap();
    let instead: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(instead["bmi"].is_null());
    assert_eq!(instead["metadata"], serde_json::json!({"by": "scale", "bmi": "123.46"}));
    assert_eq!(instead["weight_kg"], 310.5);
    assert_ne!(digests, fitted.digests);
    assert!(vitals(99.99, "{}").instead.is_none(), "there is room");
    assert!(vitals(123.4, "[1]").instead.is_none(), "there is no place for it");
}

#[test]
fn a_day_of_the_year_0_is_none() {
    let patient = row("patients", &[("date_of_birth", Cell::text("0000-05-01"))]);
    let sent = sent(&patient).unwrap();
    assert!(sent["date_of_birth"].is_null());
    assert_eq!(sent["additional_data"]["date_of_birth_text"], "0000-05-01");
}

#[test]
fn what_does_not_fit_is_held_and_never_cut() {
    let patient = ("patient_id", Cell::text(PATIENT));
    let visit = ("visit_id", Cell::text(VISIT));
    let at = ("timestamp", Cell::Integer(1_700_000_000_000));
    let vitals = |name, value| {
        row(
            "patient_vitals",
            &[patient.clone(), at.clone(), (name, Cell::Real(value))],
        )
    };
    for (row, reason) in [
        (
            row("patients", &[("camp", Cell::text(&"é".repeat(51)))]),
            CloudReason::DoesNotFit("camp"),
        ),
        (
            row("patients", &[("additional_data", Cell::text("{"))]),
            CloudReason::DoesNotFit("additional_data"),
        ),
        (
            row("patients", &[("id", Cell::text("patient-1"))]),
            CloudReason::NotAnId,
        ),
        (
            row("patients", &[("id", Cell::text(&ID.to_uppercase()))]),
            CloudReason::NotAnId,
        ),
        (
            row("patients", &[("primary_clinic_id", Cell::text(NOWHERE))]),
            CloudReason::OtherClinic,
        ),
        (
            vitals("temperature_celsius", 100.0),
            CloudReason::DoesNotFit("temperature_celsius"),
        ),
        (vitals("weight_kg", 999.999), CloudReason::DoesNotFit("weight_kg")),
        (vitals("bmi", 10_000.0), CloudReason::DoesNotFit("bmi")),
        (
            row("events", std::slice::from_ref(&patient)),
            CloudReason::Missing("visit_id"),
        ),
        (
            row("events", &[patient.clone(), ("visit_id", Cell::text(NOWHERE))]),
            CloudReason::Missing("visit_id"),
        ),
        (
            row("events", &[patient.clone(), ("visit_id", Cell::text(NOT_YET))]),
            CloudReason::Parent("visit_id"),
        ),
        (
            row("events", &[visit.clone(), ("patient_id", Cell::text(NOT_YET))]),
            CloudReason::Parent("patient_id"),
        ),
        (
            row("appointments", &[patient.clone(), at.clone()]),
            CloudReason::Missing("clinic_id"),
        ),
    ] {
        assert_eq!(sent(&row), Err(reason));
    }
}

#[test]
fn a_batch_of_another_pharmacy_and_a_time_before_the_clouds_own_are_put_right() {
    let mut record = row(
        "dispensing_records",
        &[
            ("clinic_id", Cell::text(CLINIC)),
            ("patient_id", Cell::text(PATIENT)),
            ("drug_id", Cell::text(VISIT)),
            ("dispensed_by", Cell::text(VISIT)),
            ("batch_id", Cell::text(NOWHERE)),
            ("updated_at", Cell::Integer(1_000)),
        ],
    );
    record.entry.cloud_updated_at = 5_000;
    let sent = sent(&record).unwrap();
    assert!(sent["batch_id"].is_null());
    assert_eq!(sent["metadata"]["batch_id"], NOWHERE);
    assert_eq!(sent["updated_at"], "1970-01-01T00:00:05.001Z");
}
