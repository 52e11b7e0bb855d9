//! The answer to a pull.

use std::fmt::Write as _;

use super::postgres::PostgresError;
use super::tables::{CloudColumn, TABLES, columns};
use super::{Generation, Shared, Switches, iso, lock};
use crate::schema::schema;

/// The zone of the cloud's server.
const ZONE: &str = "Africa/Nairobi";
/// Tables that the newer cloud tells whole each time.
const TOLD_WHOLE: [&str; 2] = ["users", "clinics"];
const DAY_MS: i64 = 86_400_000;

/// What the hub is told that asks since then; also how many rows that is.
pub(super) async fn pull(shared: &Shared, since: i64) -> Result<(String, u64), PostgresError> {
    let switches = shared.switches();
    let clinics = lock(&shared.clinics).clone();
    // Before the queries: what is committed meanwhile comes next time too.
    let timestamp = shared.now();
    let mut answer = String::from(
        "{\"success\":true,\"changes\":{\"undefined\":{\"created\":[{\"id\":\"another hub\",\"key_hash\":\"x\"}],\"updated\":[],\"deleted\":[]}",
    );
    let mut told = 0;
    for table in TABLES.keys() {
        let definition = schema().table(table);
        if !definition.is_some_and(|table| table.cloud.pull) {
            continue;
        }
        let scope = scope(
            table,
            definition.and_then(|table| table.clinic_column.as_deref()),
            &clinics,
        );
        let scope = match switches.history_days {
            Some(days) if !TOLD_WHOLE.contains(&table.as_str()) && definition.is_some_and(|table| table.cloud.push) => {
                format!(
                    "{scope} AND created_at > '{}'::timestamptz",
                    iso(timestamp - days * DAY_MS)
                )
            }
            _ => scope,
        };
        let lists = lists(shared, &switches, table, &scope, since).await?;
        let _ = write!(answer, ",\"{table}\":{{");
        for (index, (name, rows)) in lists.iter().enumerate() {
            told += rows.len() as u64;
            let _ = write!(
                answer,
                "{}\"{name}\":[{}]",
                if index > 0 { "," } else { "" },
                rows.join(",")
            );
        }
        answer.push('}');
    }
    let _ = write!(answer, "}},\"timestamp\":{timestamp}}}");
    Ok((answer, told))
}

/// Which rows of a table the hub may have.
fn scope(table: &str, clinic_column: Option<&str>, clinics: &[String]) -> String {
    // Without clinics the cloud tells everything.
    if clinics.is_empty() {
        return "true".into();
    }
    let list: Vec<String> = clinics.iter().map(|clinic| format!("'{clinic}'")).collect();
    let list = list.join(", ");
    match (table, clinic_column) {
        ("clinics", _) => format!("id IN ({list})"),
        (_, Some(column)) => format!("{column} IN ({list})"),
        // Events and the like come from all clinics.
        (_, None) => "true".into(),
    }
}

async fn lists(
    shared: &Shared,
    switches: &Switches,
    table: &str,
    scope: &str,
    since: i64,
) -> Result<Vec<(&'static str, Vec<String>)>, PostgresError> {
    let row = row(table, switches);
    let at = iso(since);
    let live = "NOT coalesce(is_deleted, false)";
    let whole = switches.generation == Generation::C2 && TOLD_WHOLE.contains(&table);
    let (created, updated, deleted) = if whole {
        ("false".into(), live.into(), "coalesce(is_deleted, false)".into())
    } else {
        (
            format!("{live} AND server_created_at >= '{at}'"),
            format!("{live} AND server_created_at < '{at}' AND last_modified > '{at}'"),
            // With 0 none are told.
            format!(
                "coalesce(is_deleted, false) AND last_modified > '{at}' AND {}",
                since > 0
            ),
        )
    };
    let mut lists = Vec::new();
    for (name, what, condition) in [
        ("created", &row, created),
        ("updated", &row, updated),
        ("deleted", &"to_jsonb(id::text)::text".to_owned(), deleted),
    ] {
        let sql =
            format!("SELECT {what} FROM {table} WHERE ({scope}) AND ({condition}) ORDER BY server_created_at, id");
        let rows = shared.client.query(&sql, &[]).await?;
        let mut rows: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        if name == "created"
            && table == "visits"
            && !rows.is_empty()
            && shared.fault(|fault| *fault == super::Fault::MissNewest).is_some()
        {
            rows.pop();
        }
        lists.push((name, rows));
    }
    Ok(lists)
}

/// A row as the cloud's program spells PostgreSQL's values.
fn row(table: &str, switches: &Switches) -> String {
    let fields: Vec<String> = columns(table)
        .iter()
        .map(|column| format!("'{}', {}", column.name, value(table, column, switches)))
        .collect();
    format!("json_build_object({})::text", fields.join(", "))
}

fn value(table: &str, column: &CloudColumn, switches: &Switches) -> String {
    let name = format!("\"{}\"", column.name);
    match column.kind.as_str() {
        "timestamptz" => format!(r#"to_char({name} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"#),
        "date" if !switches.local_midnight || (switches.generation == Generation::C2 && table == "patients") => {
            format!("to_char({name}, 'YYYY-MM-DD')")
        }
        "date" => format!(
            r#"to_char(({name}::timestamp AT TIME ZONE '{ZONE}') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"#
        ),
        kind if kind.starts_with("numeric") => format!("{name}::text"),
        _ => name,
    }
}
