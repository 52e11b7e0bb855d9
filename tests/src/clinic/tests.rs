//! The demo clinic: the same every time, as large as promised, with the cloud's columns and types and no loose ends.

use std::collections::{BTreeMap, HashSet};
use std::sync::LazyLock;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::*;
use crate::schema::Kind;

static DEMO: LazyLock<Clinic> = LazyLock::new(Clinic::demo);
static DEMO_BUNDLE: LazyLock<Value> = LazyLock::new(|| bundle(&DEMO));

fn bundle(clinic: &Clinic) -> Value {
    let mut json = Vec::new();
    clinic.write_bundle(&mut json).unwrap();
    serde_json::from_slice(&json).unwrap()
}

/// The first bytes of the bundle's SHA-256.
fn hash(clinic: &Clinic) -> [u8; 4] {
    let mut json = Vec::new();
    clinic.write_bundle(&mut json).unwrap();
    let digest = Sha256::digest(&json);
    std::array::from_fn(|place| digest[place])
}

fn count(clinic: &Clinic, table: &str) -> usize {
    clinic.counts().into_iter().find(|(name, _)| *name == table).unwrap().1
}

#[test]
fn the_same_seed_gives_the_same_bundle() {
    let size = ClinicSize {
        patients: 20,
        visits: 40,
        events: 80,
    };
    assert_eq!(hash(&Clinic::generate(7, size)), [0x7e, 0x7a, 0xad, 0x49]);
    assert_ne!(hash(&Clinic::generate(8, size)), hash(&Clinic::generate(7, size)));
}

#[test]
fn the_demo_is_as_large_as_promised() {
    let clinic = &*DEMO;
    let promised = [
        ("clinics", 2),
        ("users", 6),
        ("patients", 500),
        ("visits", 2_000),
        ("events", 6_000),
        ("registration_forms", 1),
    ];
    for (table, rows) in promised {
        assert_eq!(count(clinic, table), rows, "{table}");
    }
    let counts = clinic.counts();
    assert!(counts.iter().all(|(_, rows)| *rows > 0), "{counts:?}");
    let rows: usize = clinic.counts().iter().map(|(_, rows)| rows).sum();
    let sized = ClinicSize::about_rows(rows);
    assert!(sized.patients.abs_diff(500) < 25, "{rows} rows, {sized:?}");
}

#[test]
fn an_empty_clinic_has_its_furniture() {
    let clinic = Clinic::generate(1, ClinicSize::EMPTY);
    assert_eq!(count(&clinic, "patients") + count(&clinic, "visits"), 0);
    assert!(count(&clinic, "drug_catalogue") > 0);
}

#[test]
fn users_can_log_in_and_differ_in_rights() {
    let (clinic, bundle) = (&*DEMO, &*DEMO_BUNDLE);
    let stored = bundle["changes"]["users"]["created"].as_array().unwrap();
    for user in clinic.users() {
        let row = stored.iter().find(|row| row["email"] == *user.email).unwrap();
        assert!(bcrypt::verify(&user.password, row["hashed_password"].as_str().unwrap()).unwrap());
        assert!(!user.rights.is_empty());
    }
    let rights: HashSet<Vec<&str>> = clinic.users().iter().map(|user| user.rights[0].1.clone()).collect();
    assert_eq!(rights.len(), clinic.users().len());
}

/// Whether a value is what PostgreSQL's driver makes of a column of that type.
fn fits(cloud: &str, value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    match cloud {
        "uuid" => uuid::Uuid::try_parse(text).is_ok() && text == text.to_lowercase(),
        "timestamptz" => text.len() == 24 && text.ends_with('Z'),
        "date" => text.ends_with("T21:00:00.000Z"),
        "boolean" => value.is_boolean(),
        "jsonb" => value.is_array() || value.is_object(),
        "text[]" => value.is_array(),
        "float8" => value.is_number(),
        "integer" | "int2" => value.is_i64(),
        numeric if numeric.starts_with("numeric") => text.parse::<f64>().is_ok(),
        sized if sized.starts_with("varchar(") => {
            let limit: usize = sized
                .trim_start_matches("varchar(")
                .trim_end_matches(')')
                .parse()
                .unwrap();
            value.is_string() && text.chars().count() <= limit
        }
        _ => value.is_string(),
    }
}

#[test]
fn the_bundle_has_the_clouds_columns_and_types() {
    let bundle = &*DEMO_BUNDLE;
    assert_eq!(bundle["success"], Value::Bool(true));
    for table in schema().tables() {
        for row in bundle["changes"][&table.name]["created"].as_array().unwrap() {
            let row = row.as_object().unwrap();
            assert_eq!(row.len(), table.columns.len(), "{}", table.name);
            for column in &table.columns {
                let value = &row[&column.name];
                let good = if value.is_null() {
                    !column.required
                } else {
                    fits(&column.cloud, value)
                };
                assert!(good, "{}.{}: {value} is no {}", table.name, column.name, column.cloud);
            }
        }
    }
}

#[test]
fn references_lead_somewhere() {
    let bundle = &*DEMO_BUNDLE;
    let rows = |table: &str| bundle["changes"][table]["created"].as_array().unwrap().iter();
    let ids: BTreeMap<&str, HashSet<&str>> = schema()
        .tables()
        .iter()
        .map(|table| {
            (
                table.name.as_str(),
                rows(&table.name).map(|row| row["id"].as_str().unwrap()).collect(),
            )
        })
        .collect();
    let references = [
        ("patient_id", "patients"),
        ("visit_id", "visits"),
        ("form_id", "event_forms"),
        ("clinic_id", "clinics"),
        ("user_id", "users"),
        ("drug_id", "drug_catalogue"),
        ("prescription_id", "prescriptions"),
        ("prescription_item_id", "prescription_items"),
    ];
    for table in schema().tables() {
        for (column, target) in references.iter().filter(|(column, _)| table.column(column).is_some()) {
            for id in rows(&table.name).filter_map(|row| row[*column].as_str()) {
                assert!(ids[target].contains(id), "{}.{column}", table.name);
            }
        }
        assert_eq!(
            ids[table.name.as_str()].len(),
            rows(&table.name).len(),
            "ids of {} are unique",
            table.name
        );
    }
}

#[test]
fn ids_are_in_the_order_of_time() {
    let clinic = &*DEMO;
    for table in ["patients", "visits"] {
        let ids: Vec<Vec<Cell>> = clinic.expected(table).collect();
        assert!(ids.iter().map(|row| row[0].as_text().unwrap()).is_sorted(), "{table}");
    }
}

#[test]
fn expected_rows_are_the_bundles_rows_in_a_phones_types() {
    let (clinic, bundle) = (&*DEMO, &*DEMO_BUNDLE);
    let patients = schema().table("patients").unwrap();
    let born = patients.phone_index("date_of_birth").unwrap();
    for (expected, cloud) in clinic
        .expected("patients")
        .zip(bundle["changes"]["patients"]["created"].as_array().unwrap())
    {
        let local_midnight: jiff::Timestamp = cloud["date_of_birth"].as_str().unwrap().parse().unwrap();
        let day = (local_midnight.as_millisecond() + 12 * 3_600_000).div_euclid(86_400_000) * 86_400_000;
        let day = jiff::Timestamp::from_millisecond(day).unwrap().to_string();
        assert_eq!(expected[born].as_text().unwrap(), &day[..10]);
    }
    for table in schema().tables() {
        for row in clinic.expected(&table.name) {
            for (column, cell) in table.phone_columns().zip(&row) {
                let fits = match (cell, column.kind) {
                    (Cell::Null, _) => !column.required,
                    (Cell::Text(_), kind) => matches!(kind, Kind::Text | Kind::Json | Kind::Decimal),
                    (Cell::Boolean(_), kind) => kind == Kind::Boolean,
                    (Cell::Integer(_), kind) => matches!(kind, Kind::Integer | Kind::Real | Kind::EpochMs),
                    (Cell::Real(_), kind) => kind == Kind::Real,
                };
                assert!(fits, "{}.{}: {cell}", table.name, column.name);
            }
        }
    }
}
