//! Which of the two generations of the app a device runs: nothing names it, so it is learned from what the device does.
//!
//! It promises: pure; a push tells by itself what it gives away, the latest sign counts (protocol, "Two generations of
//! the app").

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;

use super::lists::Lists;
use crate::store::schema::Table;

/// The version of the phone's schema that app 1.7 brought: whoever has its tables and columns runs it.
const SCHEMA_OF_V17: u8 = 12;
/// A field that a forced upload has in rows of every table, and that nothing else sends.
pub(super) const OF_FORCED_UPLOAD: &str = "image_timestamp";

/// A generation of the app.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Generation {
    /// The device has not given it away yet.
    #[default]
    Unknown,
    /// App 1.5, phone schema 9.
    V15,
    /// App 1.7, phone schema 12.
    V17,
}

impl Generation {
    /// As it is written down.
    #[must_use]
    pub const fn to_number(self) -> i64 {
        match self {
            Self::Unknown => 0,
            Self::V15 => 15,
            Self::V17 => 17,
        }
    }

    /// From what was written down.
    #[must_use]
    pub const fn from_number(number: i64) -> Self {
        match number {
            15 => Self::V15,
            17 => Self::V17,
            _ => Self::Unknown,
        }
    }

    /// Whether it may be sent a table that came with this version of the phone's schema; the others throw.
    #[must_use]
    pub fn has_table_since(self, since: Option<u8>) -> bool {
        self == Self::V17 || since.is_none_or(|since| since < SCHEMA_OF_V17)
    }
}

/// What the lists of one table of a push give away, if anything. `table` is none where the hub does not know it.
pub(super) fn sign(table: Option<&'static Table>, lists: &Lists<'_>) -> Option<Generation> {
    let table = table?;
    let all = [&lists.created, &lists.updated, &lists.deleted];
    if is_newer(table.since) && all.into_iter().flatten().any(|rows| !rows.is_empty()) {
        return Some(Generation::V17);
    }
    let deleted = lists.deleted.iter().flatten();
    let of_deleted = |raw: &&RawValue| match raw.get().as_bytes().first() {
        Some(b'"') => Some(Generation::V17),
        Some(b'{') => Some(Generation::V15),
        _ => None,
    };
    let rows = [&lists.created, &lists.updated].into_iter().flatten().flatten();
    deleted
        .filter_map(of_deleted)
        .chain(rows.filter_map(|raw| of_row(table, raw.get())))
        .next()
}

fn of_row(table: &Table, json: &str) -> Option<Generation> {
    let newer = || table.columns.iter().filter(|column| is_newer(column.since));
    // Most rows can give nothing away, so they are not read for it.
    if table.name != "events" && newer().next().is_none() && !json.contains(OF_FORCED_UPLOAD) {
        return None;
    }
    let fields: HashMap<Cow<'_, str>, &RawValue> = serde_json::from_str(json).ok()?;
    if fields.contains_key(OF_FORCED_UPLOAD) {
        return Some(Generation::V15);
    }
    let recorder = fields.get("recorded_by_user_id");
    let anonymous = table.name == "events" && recorder.is_some_and(|recorder| recorder.get() == "null");
    (anonymous || newer().any(|column| fields.contains_key(column.name))).then_some(Generation::V17)
}

fn is_newer(since: Option<u8>) -> bool {
    since >= Some(SCHEMA_OF_V17)
}

#[cfg(test)]
mod tests {
    use super::super::push::Push;
    use super::*;

    fn sign_of(changes: &str) -> Option<Generation> {
        let push = Push::parse(&format!("{{\"changes\":{changes},\"lastPulledAt\":1}}")).unwrap();
        push.sign()
    }

    #[test]
    fn a_push_gives_its_app_away_or_nothing() {
        use Generation::{V15, V17};
        for (changes, sign) in [
            (r#"{"patients":{"deleted":["p"]}}"#, Some(V17)),
            (r#"{"patients":{"deleted":[{"id":"p"}]}}"#, Some(V15)),
            (r#"{"patients":{"deleted":[]}}"#, None),
            (r#"{"patient_risk_profiles":{"created":[{"id":"r"}]}}"#, Some(V17)),
            (r#"{"patient_risk_profiles":{"created":[]}}"#, None),
            (
                r#"{"events":{"updated":[{"id":"e","recorded_by_user_id":null}]}}"#,
                Some(V17),
            ),
            (r#"{"events":{"updated":[{"id":"e","recorded_by_user_id":""}]}}"#, None),
            (
                r#"{"events":{"updated":[{"id":"e","metadata":{"recorded_by_user_id":null}}]}}"#,
                None,
            ),
            (r#"{"events":{"created":[{"id":"e"}]}}"#, None),
            // Both generations push what a nurse left empty elsewhere.
            (
                r#"{"patient_vitals":{"created":[{"id":"v","recorded_by_user_id":null}]}}"#,
                None,
            ),
            (r#"{"visits":{"updated":[{"id":"v","image_timestamp":0}]}}"#, Some(V15)),
            (
                r#"{"visits":{"updated":[{"id":"v","metadata":"\"image_timestamp\""}]}}"#,
                None,
            ),
            // Columns of schema 10 and 11 are in apps between the two.
            (r#"{"clinics":{"updated":[{"id":"c","city":"X"}]}}"#, None),
            (
                r#"{"no_such_table":{"created":[{"id":"x"}]},"visits":{"created":[5,"x",null]}}"#,
                None,
            ),
        ] {
            assert_eq!(sign_of(changes), sign, "{changes}");
        }
    }
}
