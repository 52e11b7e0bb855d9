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
    .map(|read| read.cell)
}

fn phone(table: &str, name: &str, json: &str) -> Result<Cell, WrongType> {
    read_as(table, name, json, Source::Phone)
}

#[test]
fn times_are_taken_in_every_form_that_the_app_and_the_cloud_write() {
    for (json, millis) in [
        ("1760000005000", 1_760_000_005_000),
        ("1760000005000.7", 1_760_000_005_000),
        ("1760000005", 1_760_000_005),
        ("5097600000", 5_097_600_000),
        ("\"5097600000\"", 5_097_600_000),
        ("-1", -1),
        ("\"1969-12-31T23:59:59.999Z\"", -1),
        ("\"9999-12-31T23:59:59.999Z\"", 253_402_300_799_999),
        ("\"2025-10-09T08:53:25.0009Z\"", 1_760_000_005_000),
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
    for json in [
        "\"yesterday\"",
        "\"\"",
        "true",
        "{}",
        "1e300",
        "\"inf\"",
        "\"NaN\"",
        "8640000000000001",
        "\"+999999-01-01T00:00:00Z\"",
        "\"-009999-01-01T00:00:00+25:00\"",
        "\"infinity\"",
    ] {
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
fn every_reckoning_with_the_clouds_dates_is_checked() {
    let date = |table, name, json| read_as(table, name, json, Source::Cloud);
    for (json, day) in [
        ("\"9999-12-30T22:00:00Z\"", Ok("9999-12-31")),
        ("\"9999-12-30 22:00:00+00\"", Ok("9999-12-31")),
        ("\"9999-12-31\"", Ok("9999-12-31")),
        ("\"9999-12-31T12:00:00Z\"", Err(WrongType)),
        ("\"-009999-01-01T00:00:00+13:00\"", Err(WrongType)),
        ("\"0001-12-31T20:00:00Z\"", Ok("0002-01-01")),
        ("\"31/12/1985\"", Err(WrongType)),
        ("\"1980?\"", Err(WrongType)),
        ("\"May 1972\"", Err(WrongType)),
        ("1980", Err(WrongType)),
    ] {
        assert_eq!(date("patients", "date_of_birth", json), day.map(Cell::text), "{json}");
    }
    assert_eq!(
        date("clinic_inventory", "batch_expiry_date", "\"9999-12-31T05:00:00Z\""),
        Ok(Cell::Integer(253_402_214_400_000))
    );
}

#[test]
fn half_an_emoji_is_taken_and_its_sender_is_to_know() {
    let read = |table, name, json: &str| {
        let raw = RawValue::from_string(json.into()).unwrap();
        let read = read(column(table, name), &raw, Source::Phone).unwrap();
        (read.cell, read.converted)
    };
    assert_eq!(
        read("patients", "camp", r#""Camp B \ud83d""#),
        (Cell::text("Camp B \u{fffd}"), true)
    );
    for json in [r#"{"a":"\ud83d"}"#, r#""{\"a\":\"\\ud83d\"}""#] {
        let mended = Cell::text(r#"{"a":"\ufffd"}"#);
        assert_eq!(read("patients", "additional_data", json), (mended, true), "{json}");
    }
    let no_json = r#""half: \\ud83d""#;
    assert_eq!(
        read("patients", "additional_data", no_json),
        (Cell::text(r"half: \ud83d"), false)
    );
}

#[test]
fn what_the_hub_writes_otherwise_than_its_sender_is_marked() {
    let is_converted = |table, name, json: &str| {
        let raw = RawValue::from_string(json.into()).unwrap();
        read(column(table, name), &raw, Source::Phone).unwrap().converted
    };
    for (json, converted) in [
        ("1760000005000", false),
        ("1.760000005e12", false),
        ("null", false),
        ("1760000005000.7", true),
        ("\"1760000005000\"", true),
        ("\"2025-10-09\"", true),
    ] {
        assert_eq!(is_converted("visits", "check_in_timestamp", json), converted, "{json}");
    }
    assert!(!is_converted("patients", "is_deleted", "true"));
    assert!(!is_converted("events", "form_data", r#"[{"a": 1}]"#));
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
    fn any_date_is_taken_or_refused_without_a_panic(
        year in -9999_i32..=9999, month in 0_u8..14, day in 0_u8..33, hour in 0_u8..26, offset in "(Z|[+-][0-9]{2}:[0-9]{2})?",
    ) {
        let sign = if year < 0 { "-00" } else { "" };
        let json = format!("\"{sign}{:04}-{month:02}-{day:02}T{hour:02}:00:00{offset}\"", year.abs());
        let raw = RawValue::from_string(json).unwrap();
        for (table, name) in [("patients", "date_of_birth"), ("patient_problems", "onset_date"), ("visits", "created_at")] {
            let _ = read(column(table, name), &raw, Source::Cloud);
        }
    }

    #[test]
    fn any_json_is_taken_or_refused_without_a_panic(json in "[\\[\\]{}\",:0-9eE+.T/Ztruefalsnud\\\\-]{0,26}") {
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
