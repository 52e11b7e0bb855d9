//! The cloud's tables, made from `tables.json`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;

use crate::schema::{TABLES_JSON, schema};

/// The order in which the cloud works through a push, whatever the order of its body.
pub(super) const PUSH_ORDER: [&str; 11] = [
    "patients",
    "patient_additional_attributes",
    "visits",
    "events",
    "appointments",
    "prescriptions",
    "patient_vitals",
    "patient_problems",
    "patient_risk_profiles",
    "dispensing_records",
    "prescription_items",
];

/// What `tables.json` says of a column's place in the cloud.
#[derive(Debug)]
pub(super) struct CloudColumn {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) required: bool,
    pub(super) reference: Option<String>,
}

/// Every table's columns in the cloud.
pub(super) static TABLES: LazyLock<BTreeMap<String, Vec<CloudColumn>>> = LazyLock::new(|| {
    let json: Value = serde_json::from_str(TABLES_JSON).expect("protocol/tables.json is part of this crate");
    let tables = schema().tables().iter().map(|table| {
        let of = |name: &str| &json["tables"][&table.name]["columns"][name];
        let columns = table.columns.iter().map(|column| CloudColumn {
            name: column.name.clone(),
            kind: column.cloud.clone(),
            required: of(&column.name)["cloud_required"] == true,
            reference: of(&column.name)["cloud_ref"].as_str().map(str::to_owned),
        });
        (table.name.clone(), columns.collect())
    });
    tables.collect()
});

/// The columns of a table.
pub(super) fn columns(table: &str) -> &'static [CloudColumn] {
    TABLES.get(table).map(Vec::as_slice).unwrap_or_default()
}

/// Makes all tables. References are checked at the end of each statement, as PostgreSQL does.
pub(super) fn definition() -> String {
    let mut sql = String::from(
        "CREATE TYPE profile_value_type AS ENUM ('string', 'boolean', 'number', 'numeric', 'numerical', 'datetime', 'json');\n\
         CREATE TABLE drug_batches (id uuid PRIMARY KEY);\n",
    );
    let mut references = String::new();
    for (table, columns) in TABLES.iter() {
        let mut parts: Vec<String> = columns.iter().map(|column| define(table, column)).collect();
        // Not every table of the contract tells of them; the cloud keeps them all the same.
        for (name, kind) in [
            ("is_deleted", "boolean DEFAULT false"),
            ("deleted_at", "timestamptz"),
            ("last_modified", "timestamptz DEFAULT now()"),
            ("server_created_at", "timestamptz DEFAULT now()"),
        ] {
            if columns.iter().all(|column| column.name != name) {
                parts.push(format!("\"{name}\" {kind}"));
            }
        }
        if table == "patient_additional_attributes" {
            parts.push("UNIQUE (patient_id, attribute_id)".into());
        }
        sql += &format!("CREATE TABLE {table} ({});\n", parts.join(", "));
        for column in columns.iter().filter(|column| column.name != "id") {
            if let Some(to) = &column.reference {
                references += &format!(
                    "ALTER TABLE {table} ADD FOREIGN KEY (\"{}\") REFERENCES {to} (id);\n",
                    column.name
                );
            }
        }
    }
    sql + &references
}

fn define(table: &str, column: &CloudColumn) -> String {
    let rest = match (column.name.as_str(), column.required) {
        ("id", _) => "PRIMARY KEY",
        ("is_deleted", _) => "DEFAULT false",
        ("last_modified" | "server_created_at" | "created_at" | "updated_at", false) => "DEFAULT now()",
        // Needed by the handlers, not by the table, and the cloud does not come without them.
        ("duration" | "reason" | "notes" | "status" | "is_walk_in", _) if table == "appointments" => "NOT NULL",
        ("status", _) if table == "prescriptions" => "NOT NULL",
        ("metadata", _) if table == "dispensing_records" => "NOT NULL",
        (_, true) => "NOT NULL",
        _ => "",
    };
    // The older cloud's is narrower: see its pushes.
    let kind = match column.name.as_str() {
        "bmi" => "numeric(6,2)",
        _ => &column.kind,
    };
    format!("\"{}\" {kind} {rest}", column.name)
}
