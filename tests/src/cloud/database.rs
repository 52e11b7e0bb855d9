//! What is in the cloud's database, from the side of those who work there.

use serde_json::Value;

use super::postgres::PostgresError;
use super::tables::{TABLES, columns};
use super::{Shared, iso};
use crate::clinic::Clinic;

/// One row of a table, as JSON by column.
pub type CloudRow = serde_json::Map<String, Value>;

/// Puts a clinic in, so many days ago.
pub(super) async fn fill(shared: &Shared, clinic: &Clinic, days: u32) -> Result<(), PostgresError> {
    let mut bundle = Vec::new();
    clinic.write_bundle(&mut bundle)?;
    let bundle: Value = serde_json::from_slice(&bundle).unwrap_or_default();
    // The clinic's rows name each other in no order that PostgreSQL would take them in.
    shared
        .client
        .batch_execute("SET session_replication_role = replica")
        .await?;
    for table in TABLES.keys() {
        let rows = &bundle["changes"][table]["created"];
        let mut rows = rows.as_array().cloned().unwrap_or_default();
        for row in &mut rows {
            real_dates(table, row);
        }
        for some in rows.chunks(2000) {
            let sql = format!(
                "INSERT INTO {table} SELECT * FROM jsonb_populate_recordset(null::{table}, $1::text::jsonb) ON CONFLICT DO NOTHING"
            );
            shared
                .client
                .execute(&sql, &[&Value::from(some.to_vec()).to_string()])
                .await?;
        }
        let stamp = format!(
            "UPDATE {table} SET last_modified = coalesce(last_modified, now() - interval '{days} days'), server_created_at = coalesce(server_created_at, now() - interval '{days} days'), is_deleted = coalesce(is_deleted, false) \
             WHERE last_modified IS NULL OR server_created_at IS NULL OR is_deleted IS NULL"
        );
        shared.client.execute(&stamp, &[]).await?;
    }
    let batches = "INSERT INTO drug_batches SELECT DISTINCT batch_id FROM clinic_inventory ON CONFLICT DO NOTHING";
    shared.client.execute(batches, &[]).await?;
    shared
        .client
        .batch_execute("SET session_replication_role = DEFAULT")
        .await?;
    Ok(())
}

/// The bundle tells days as the cloud would, and the database keeps them as days.
fn real_dates(table: &str, row: &mut Value) {
    for column in columns(table).iter().filter(|column| column.kind == "date") {
        let Some(text) = row[&column.name].as_str() else {
            continue;
        };
        if let Ok(at) = text.parse::<jiff::Timestamp>() {
            let day = iso(at.as_millisecond() + 12 * 3_600_000);
            row[&column.name] = day[..10].into();
        }
    }
}

pub(super) async fn ids(shared: &Shared, table: &str) -> Result<Vec<String>, PostgresError> {
    let rows = shared
        .client
        .query(&format!("SELECT id::text FROM {table} ORDER BY id"), &[])
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

pub(super) async fn rows(shared: &Shared, table: &str) -> Result<Vec<CloudRow>, PostgresError> {
    let sql = format!("SELECT to_jsonb(t)::text FROM {table} AS t WHERE NOT coalesce(is_deleted, false) ORDER BY id");
    let rows = shared.client.query(&sql, &[]).await?;
    let parse = |row: &tokio_postgres::Row| serde_json::from_str(row.get(0)).unwrap_or_default();
    Ok(rows.iter().map(parse).collect())
}

/// Gives columns of a row new values.
pub(super) async fn change(shared: &Shared, table: &str, id: &str, row: &Value) -> Result<(), PostgresError> {
    let known =
        |name: &&String| columns(table).iter().any(|column| column.name == **name) || name.as_str() == "last_modified";
    let names: Vec<&String> = row
        .as_object()
        .into_iter()
        .flat_map(|row| row.keys())
        .filter(known)
        .collect();
    let sets: Vec<String> = names
        .iter()
        .map(|name| format!("\"{name}\" = new.\"{name}\""))
        .collect();
    let sql = format!(
        "UPDATE {table} AS t SET {} FROM jsonb_populate_record(null::{table}, $1::text::jsonb) AS new WHERE t.id = $2::text::uuid",
        sets.join(", ")
    );
    shared.client.execute(&sql, &[&row.to_string(), &id]).await?;
    Ok(())
}

pub(super) async fn delete(shared: &Shared, table: &str, id: &str) -> Result<(), PostgresError> {
    let now = iso(shared.now());
    let hard = matches!(table, "user_clinic_permissions" | "prescription_items");
    let sql = if hard {
        format!("DELETE FROM {table} WHERE id = $1::text::uuid AND $2::text <> ''")
    } else {
        format!(
            "UPDATE {table} SET is_deleted = true, deleted_at = $2::text::timestamptz, last_modified = $2::text::timestamptz \
             WHERE id = $1::text::uuid"
        )
    };
    shared.client.execute(&sql, &[&id, &now]).await?;
    Ok(())
}
