//! Values as phones and the cloud write them.

use proptest::prelude::*;

use super::*;
use crate::store::schema::TableId;

fn column(table: &str, name: &str) -> &'static Column {
    let table = TableId::named(table).unwrap().table();
    &table.columns[table.column(name).unwrap()]
}

fn read_as(table: &str, name: &str, json: &str, source: Source) -> Result<Cell, WrongType> {
    read(
        column(table, name),
        &RawValue::from_string(json.into()).unwrap(),
        source,
    )
}

fn phone(table: &str, name: &str, json: &str) -> Result<Cell, WrongType> {
    read_as(table, name, json, Source::Phone)
}

#[test]
fn times_are_taken_in_every_form_that_the_app_and_the_cloud_write() {
    for (json, millis) in [
        ("1760000005000", 1_760_000_005_000),
        ("1760000005000.7", 1_760_000_005_000),
        ("1760000005", 1_760_000_005_000),
        ("\"1760000005000\"", 1_760_000_005_000),
        ("\"2025-10-09T08:53:25.000Z\"", 1_760_000_005_000),
        ("\"2025-10-09T11:53:25+03:00\"", 1_760_000_005_000),
        ("\"2025-10-09T08:53:25\"", 1_760_000_005_000),
        ("\"2025-10-09\"", 1_759_968_000_000),
        ("0", 0),
        ("-315619200000", -315_619_200_000),
    ] {
        assert_eq!(
            phone("visits", "check_in_timestamp", json),
            Ok(Cell::Integer(millis)),
            "{json}"
        );
    }
    for json in ["\"yesterday\"", "\"\"", "true", "{}", "1e300", "\"inf\"", "\"NaN\""] {
        assert_eq!(phone("visits", "check_in_timestamp", json), Err(WrongType), "{json}");
    }
}

#[test]
fn json_is_kept_as_it_is_written() {
    for (json, kept) in [
        (r#""""#, ""),
        (r#""{\"a\":1}""#, r#"{"a":1}"#),
        (r#""\"{}\"""#, r#""{}""#),
        (r#"{"a":[1,2]}"#, r#"{"a":[1,2]}"#),
        ("[]", "[]"),
    ] {
        assert_eq!(phone("events", "form_data", json), Ok(Cell::text(kept)));
    }
    assert_eq!(
        read_as("events", "metadata", r#""text""#, Source::Cloud),
        Ok(Cell::text(r#""text""#))
    );
}

#[test]
fn wrong_types_are_refused() {
    for (table, name, json) in [
        ("patients", "given_name", "1"),
        ("patients", "given_name", "[\"a\"]"),
        ("patients", "is_deleted", "2"),
        ("patients", "is_deleted", "\"true\""),
        ("patient_vitals", "heart_rate", "\"70\""),
        ("patient_vitals", "heart_rate", "1e999"),
        ("appointments", "duration", "1.5"),
        ("drug_catalogue", "sale_price", "\"cheap\""),
    ] {
        assert_eq!(phone(table, name, json), Err(WrongType), "{table}.{name} {json}");
    }
}

#[test]
fn the_clouds_values_are_converted_by_the_columns_type() {
    let cloud = |table, name, json| read_as(table, name, json, Source::Cloud).unwrap();
    assert_eq!(cloud("patient_vitals", "height_cm", "\"170.50\""), Cell::Real(170.5));
    assert_eq!(
        cloud("patients", "date_of_birth", "\"1990-04-30T21:00:00.000Z\""),
        Cell::text("1990-05-01")
    );
    assert_eq!(
        cloud("patients", "date_of_birth", "\"1990-05-01T05:00:00.000Z\""),
        Cell::text("1990-05-01")
    );
    assert_eq!(
        cloud("patients", "date_of_birth", "\"1990-05-01\""),
        Cell::text("1990-05-01")
    );
    assert_eq!(
        cloud("patient_problems", "onset_date", "\"2023-12-31T21:00:00.000Z\""),
        Cell::Integer(1_704_067_200_000)
    );
    assert_eq!(cloud("clinics", "attributes", "[\"a\"]"), Cell::text("[\"a\"]"));
    assert_eq!(cloud("drug_catalogue", "sale_price", "\"1.50\""), Cell::text("1.50"));
}

#[test]
fn null_means_the_columns_empty_value() {
    assert!(Cell::Null.means(&Cell::text("")));
    assert!(Cell::Null.means(&Cell::Integer(0)));
    assert!(!Cell::Null.means(&Cell::text("x")));
    assert!(!Cell::text("a").means(&Cell::text("b")));
}

#[test]
fn is_never_shown() {
    assert!(!format!("{:?}", Cell::text("Amina")).contains("Amina"));
}

proptest! {
    #[test]
    fn any_text_comes_back(text in any::<String>()) {
        let json = serde_json::to_string(&text).unwrap();
        prop_assert_eq!(phone("patients", "surname", &json), Ok(Cell::text(&text)));
    }

    #[test]
    fn any_json_is_taken_or_refused_without_a_panic(json in "[\\[\\]{}\",:0-9eE+.truefalsn-]{0,20}") {
        if let Ok(raw) = RawValue::from_string(json) {
            for table in TableId::all() {
                for column in table.table().columns {
                    let _ = read(column, &raw, Source::Phone);
                    let _ = read(column, &raw, Source::Cloud);
                }
            }
        }
    }
}
