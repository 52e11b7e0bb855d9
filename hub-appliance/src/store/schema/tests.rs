//! The definition against the protocol's own.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Protocol {
    tables: BTreeMap<String, ProtocolTable>,
}

#[derive(Deserialize)]
struct ProtocolTable {
    phone: ProtocolTravel,
    cloud: ProtocolTravel,
    clinic_column: Option<String>,
    since: Option<u8>,
    columns: serde_json::Map<String, serde_json::Value>,
}

#[derive(Deserialize)]
struct ProtocolTravel {
    pull: bool,
    push: bool,
}

fn protocol() -> Protocol {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/protocol/tables.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn kind(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Text => "text",
        ColumnType::Json | ColumnType::JsonList => "json",
        ColumnType::Integer => "integer",
        ColumnType::Real => "real",
        ColumnType::Decimal => "decimal",
        ColumnType::Boolean => "boolean",
        ColumnType::EpochMs => "epoch_ms",
    }
}

fn cloud(cloud: CloudType) -> String {
    match cloud {
        CloudType::Uuid => "uuid".into(),
        CloudType::Text => "text".into(),
        CloudType::Varchar(length) => format!("varchar({length})"),
        CloudType::Date => "date".into(),
        CloudType::Jsonb => "jsonb".into(),
        CloudType::TextArray => "text[]".into(),
        CloudType::Boolean => "boolean".into(),
        CloudType::Timestamptz => "timestamptz".into(),
        CloudType::Int2 => "int2".into(),
        CloudType::Integer => "integer".into(),
        CloudType::Float8 => "float8".into(),
        CloudType::ProfileValueType => "profile_value_type".into(),
        CloudType::Numeric(precision, scale) => format!("numeric({precision},{scale})"),
    }
}

/// A column as the protocol writes it.
fn as_protocol(column: &Column) -> serde_json::Value {
    let mut entry = serde_json::Map::new();
    entry.insert("type".into(), kind(column.kind).into());
    entry.insert("cloud".into(), cloud(column.cloud).into());
    for (name, set) in [
        ("required", column.required),
        ("phone", column.on_phone),
        ("cloud_required", column.cloud_required),
    ] {
        if set {
            entry.insert(name.into(), true.into());
        }
    }
    if let Some(table) = column.cloud_ref {
        entry.insert("cloud_ref".into(), table.into());
    }
    if let Some(version) = column.since {
        entry.insert("since".into(), version.into());
    }
    entry.into()
}

#[test]
fn is_the_protocols_definition() {
    let mut protocol = protocol();
    assert_eq!(protocol.tables.len(), TABLES.len());
    for table in &TABLES {
        let theirs = protocol.tables.remove(table.name).unwrap();
        assert_eq!(
            (table.phone.pulls(), table.phone.pushes()),
            (theirs.phone.pull, theirs.phone.push)
        );
        assert_eq!(
            (table.cloud.pulls(), table.cloud.pushes()),
            (theirs.cloud.pull, theirs.cloud.push)
        );
        assert_eq!(table.clinic_column, theirs.clinic_column.as_deref(), "{}", table.name);
        assert_eq!(table.since, theirs.since, "{}", table.name);
        let names: Vec<_> = table.columns.iter().map(|column| column.name).collect();
        assert_eq!(names.len(), theirs.columns.len(), "{}", table.name);
        for column in table.columns {
            let mut theirs = theirs.columns[column.name].clone();
            // A varchar without a length is a text.
            if theirs["cloud"] == "varchar" {
                theirs["cloud"] = "text".into();
            }
            assert_eq!(as_protocol(column), theirs, "{}.{}", table.name, column.name);
        }
    }
}

#[test]
fn tables_keep_the_promises_that_others_rely_on() {
    for id in TableId::all() {
        let table = id.table();
        assert_eq!(table.columns[0].name, "id");
        assert!(table.columns.len() <= 64, "a column set has 64 bits");
        assert_eq!(TableId::named(table.name), Some(id));
        for (index, column) in table.columns.iter().enumerate() {
            for hint in 0..=table.columns.len() {
                assert_eq!(table.column_near(column.name, hint), Some(index));
            }
        }
    }
}

#[test]
fn parents_come_before_children() {
    let order: Vec<_> = TABLES.iter().map(|table| table.name).collect();
    let place = |name: &str| order.iter().position(|table| *table == name);
    for table in &TABLES {
        for column in table
            .columns
            .iter()
            .filter(|column| !matches!(column.name, "created_by" | "last_modified_by"))
        {
            if let Some(parent) = column.cloud_ref.and_then(place) {
                let later = matches!((table.name, column.name), ("patient_vitals", "event_id"));
                assert!(
                    parent < place(table.name).unwrap() || later,
                    "{}.{}",
                    table.name,
                    column.name
                );
            }
        }
    }
}
