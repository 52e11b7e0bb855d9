//! Taking a push: row by row, outside a transaction, in the cloud's own order of tables.

use serde_json::Value;

use super::postgres::PostgresError;
use super::tables::{PUSH_ORDER, columns};
use super::{Generation, Pushed, Shared, Switches, iso, lock};

/// What the cloud answers.
pub(super) enum Outcome {
    Success,
    /// A row failed: rows before it are stored, later ones are not looked at.
    Failed,
    /// It ended before it was through.
    Cut,
}

/// Tables whose `updated_at` the cloud stamps itself when it changes a row.
const STAMPED: [&str; 5] = [
    "visits",
    "events",
    "patient_additional_attributes",
    "patient_vitals",
    "dispensing_records",
];
/// Rows that get a visit where they have none.
const NEED_A_VISIT: [&str; 3] = ["events", "appointments", "prescriptions"];

/// Takes the push of that number, of which no more than `most` rows are done.
pub(super) async fn push(shared: &Shared, number: u64, body: &Value, most: usize) -> Result<Outcome, PostgresError> {
    let switches = shared.switches();
    let mut done = 0;
    for table in order(&switches) {
        let lists = &body[table];
        for list in ["created", "updated"] {
            for row in lists[list].as_array().into_iter().flatten() {
                if done == most {
                    return Ok(Outcome::Cut);
                }
                done += 1;
                note(shared, number, table, &row["id"]);
                match take(shared, &switches, table, row).await {
                    Ok(()) => {}
                    Err(error) if switches.generation == Generation::C2 && error.is_of_a_row() => {}
                    Err(error) if error.is_of_a_row() => return Ok(Outcome::Failed),
                    Err(error) => return Err(error),
                }
            }
        }
        for id in lists["deleted"].as_array().into_iter().flatten() {
            done += 1;
            note(shared, number, table, id);
            match super::database::delete(shared, table, id.as_str().unwrap_or_default()).await {
                Ok(()) => {}
                Err(error) if switches.generation == Generation::C2 && error.is_of_a_row() => {}
                Err(error) if error.is_of_a_row() => return Ok(Outcome::Failed),
                Err(error) => return Err(error),
            }
        }
    }
    shared.count(|counts| counts.rows_taken += done as u64);
    Ok(Outcome::Success)
}

fn note(shared: &Shared, number: u64, table: &str, id: &Value) {
    shared.count(|counts| {
        counts.rows_pushed += 1;
        counts.pushed.push(Pushed {
            row: format!("{table}/{}", id.as_str().unwrap_or_default()),
            push: number,
        });
    });
}

/// The newer cloud takes items before the dispensing records that name them, and knows risk profiles.
fn order(switches: &Switches) -> Vec<&'static str> {
    let mut order = PUSH_ORDER.to_vec();
    match switches.generation {
        Generation::C1 => order.retain(|table| *table != "patient_risk_profiles"),
        Generation::C2 => order.swap(9, 10),
    }
    order
}

async fn take(shared: &Shared, switches: &Switches, table: &str, row: &Value) -> Result<(), PostgresError> {
    let mut row = row.clone();
    // A row that carries a clinic which is not the hub's is dropped without a word.
    let clinic = crate::schema::schema()
        .table(table)
        .and_then(|table| table.clinic_column.clone());
    if let Some(clinic) = clinic.and_then(|column| row[&column].as_str().map(str::to_owned))
        && !lock(&shared.clinics).contains(&clinic)
        && switches.drops_silently
    {
        return Ok(());
    }
    if switches.invents_visits && NEED_A_VISIT.contains(&table) {
        let column = if table == "appointments" {
            "current_visit_id"
        } else {
            "visit_id"
        };
        if table != "prescriptions" || switches.generation == Generation::C2 {
            make_sure_of_visit(shared, column, &mut row).await?;
        }
    }
    if switches.poorer_echoes {
        lose(table, &mut row);
    }
    if table == "prescriptions" && switches.generation == Generation::C2 && row["expiration_date"].is_null() {
        let at = row["prescribed_at"]
            .as_str()
            .and_then(|at| at.parse::<jiff::Timestamp>().ok());
        row["expiration_date"] = at.map(|at| iso(at.as_millisecond() + 90 * 86_400_000)).into();
    }
    upsert(shared, switches, table, &row).await
}

/// What the cloud does not keep.
fn lose(table: &str, row: &mut Value) {
    match table {
        "prescriptions" => {
            row["items"] = Value::Array(Vec::new());
            row["metadata"] = serde_json::json!({});
        }
        "patient_vitals" => row["event_id"] = Value::Null,
        "prescription_items" => {
            row["metadata"] = serde_json::json!({});
            row["recorded_by_user_id"] = Value::Null;
        }
        "patient_additional_attributes" => {
            for column in ["number_value", "string_value", "boolean_value"] {
                let value = &row[column];
                if *value == 0 || *value == 0.0 || *value == false || *value == "" {
                    row[column] = Value::Null;
                }
            }
        }
        _ => {}
    }
}

async fn make_sure_of_visit(shared: &Shared, column: &str, row: &mut Value) -> Result<(), PostgresError> {
    let visit = row[column].as_str().unwrap_or_default().to_owned();
    if uuid::Uuid::try_parse(&visit).is_ok() {
        let ask = shared
            .prepared("SELECT EXISTS (SELECT 1 FROM visits WHERE id = $1::text::uuid)")
            .await?;
        if shared.client.query_one(&ask, &[&visit]).await?.get(0) {
            return Ok(());
        }
    }
    let clinic = lock(&shared.clinics).first().cloned().unwrap_or_default();
    let patient = row["patient_id"].as_str().unwrap_or_default().to_owned();
    let made = shared
        .client
        .query_one(
            "INSERT INTO visits (id, patient_id, clinic_id, provider_id, provider_name, check_in_timestamp, metadata) \
             SELECT gen_random_uuid(), $1::text::uuid, $2::text::uuid, (SELECT id FROM users ORDER BY id LIMIT 1), 'invented', now(), '{}' \
             RETURNING id::text",
            &[&patient, &clinic],
        )
        .await?;
    row[column] = made.get::<_, String>(0).into();
    Ok(())
}

/// Inserts, or changes the row that is there unless that is not older.
async fn upsert(shared: &Shared, switches: &Switches, table: &str, row: &Value) -> Result<(), PostgresError> {
    let ignored = ["is_deleted", "deleted_at", "last_modified", "server_created_at"];
    let names: Vec<&str> = columns(table)
        .iter()
        .map(|column| column.name.as_str())
        .filter(|name| !ignored.contains(name) && row.get(*name).is_some())
        .collect();
    let list: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    let news = names.iter().map(|name| match *name {
        // As wide as the older cloud's column is.
        "bmi" if switches.generation == Generation::C1 => "new.bmi::numeric(4,2)".to_owned(),
        name => format!("new.\"{name}\""),
    });
    let news: Vec<String> = news.collect();
    let stamps = switches.stamps && STAMPED.contains(&table);
    let sets: Vec<String> = names
        .iter()
        .filter(|name| !matches!(**name, "id" | "created_at"))
        .map(|name| match *name {
            "updated_at" if stamps => "\"updated_at\" = $2::text::timestamptz".to_owned(),
            name => format!("\"{name}\" = excluded.\"{name}\""),
        })
        .collect();
    let key = match table {
        "patient_additional_attributes" => "(patient_id, attribute_id)",
        _ => "(id)",
    };
    let later = if switches.drops_silently && table != "patient_problems" {
        format!("AND {table}.updated_at < excluded.updated_at")
    } else {
        String::new()
    };
    let conflict = if table == "patient_risk_profiles" {
        format!("ON CONFLICT {key} DO NOTHING")
    } else {
        // A row that was deleted stays so.
        format!(
            "ON CONFLICT {key} DO UPDATE SET {}, last_modified = $2::text::timestamptz WHERE NOT coalesce({table}.is_deleted, false) {later}",
            sets.join(", ")
        )
    };
    let sql = format!(
        "INSERT INTO {table} ({}, last_modified, server_created_at) SELECT {}, $2::text::timestamptz, $2::text::timestamptz \
         FROM jsonb_populate_record(null::{table}, $1::text::jsonb) AS new {conflict}",
        list.join(", "),
        news.join(", ")
    );
    let now = iso(shared.now());
    let statement = shared.prepared(&sql).await?;
    shared.client.execute(&statement, &[&row.to_string(), &now]).await?;
    Ok(())
}

impl PostgresError {
    /// Whether a row broke a rule of the database (classes 22 and 23 of its codes).
    fn is_of_a_row(&self) -> bool {
        match self {
            Self::Database(error) => {
                let code = error.code().map(|code| code.code().to_owned()).unwrap_or_default();
                code.starts_with("22") || code.starts_with("23")
            }
            _ => false,
        }
    }
}
