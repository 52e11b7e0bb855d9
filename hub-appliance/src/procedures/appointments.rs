//! Appointments.

use serde_json::{Value, json};

use super::fields::Fields;
use super::reading::Reading;
use super::writing::Writing;
use super::{Answer, ProcedureError};
use crate::store::reads::Shown;
use crate::store::reads::appointments::Filter;
use crate::store::value::Cell;

const TABLE: &str = "appointments";
const A_DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// All midnights of the world fall on a quarter of an hour.
const QUARTER_MS: i64 = 15 * 60 * 1000;

const EDITABLE: [&str; 11] = [
    "provider_id",
    "fulfilled_visit_id",
    "timestamp",
    "duration",
    "reason",
    "notes",
    "is_walk_in",
    "departments",
    "status",
    "metadata",
    "updated_at",
];

/// The day that a time means: the one that begins with it where it can be a midnight somewhere, as phones send the days
/// that they show; else the one that it lies in.
pub(super) fn day_of(time: Option<i64>) -> (Option<i64>, Option<i64>) {
    let begin = time.map(|time| {
        if time.rem_euclid(QUARTER_MS) == 0 {
            time
        } else {
            time - time.rem_euclid(A_DAY_MS)
        }
    });
    (begin, begin.map(|begin| begin.saturating_add(A_DAY_MS)))
}

pub(super) fn list(reading: &mut Reading<'_>, fields: &Fields<'_>) -> Result<Shown, ProcedureError> {
    let filter = Filter {
        clinic: fields.text("clinic_id")?,
        status: fields.texts("status")?,
        // The last day's end is the last moment that is asked for.
        between: (
            fields.time("start_date")?,
            fields.time("end_date")?.map(|end| end.saturating_add(1)),
        ),
        ..Filter::default()
    };
    Ok(reading
        .snapshot
        .appointments(&reading.sight, &filter, fields.page()?, reading.out)?)
}

pub(super) fn get(reading: &mut Reading<'_>, fields: &Fields<'_>) -> Result<Shown, ProcedureError> {
    reading.one(TABLE, &fields.required("id")?)
}

pub(super) fn by_patient(reading: &mut Reading<'_>, fields: &Fields<'_>) -> Result<Shown, ProcedureError> {
    reading.data_of_patient(TABLE, &fields.required("patient_id")?)
}

pub(super) fn search(reading: &mut Reading<'_>, fields: &Fields<'_>) -> Result<Shown, ProcedureError> {
    let filter = Filter {
        text: fields.text("search_query")?,
        clinic: fields.text("clinic_id")?,
        departments: fields.texts("department_ids")?,
        status: fields.texts("status")?,
        between: day_of(fields.time("date")?),
    };
    Ok(reading
        .snapshot
        .appointments(&reading.sight, &filter, fields.page()?, reading.out)?)
}

pub(super) fn create(writing: &mut Writing<'_, '_>, fields: &Fields<'_>) -> Result<Value, ProcedureError> {
    let id = writing.create(TABLE, fields, &[])?;
    Ok(json!({"appointment_id": id}))
}

pub(super) fn update(writing: &mut Writing<'_, '_>, fields: &Fields<'_>) -> Result<Answer, ProcedureError> {
    writing.update(TABLE, fields, Some(&EDITABLE))
}

pub(super) fn cancel(writing: &mut Writing<'_, '_>, fields: &Fields<'_>) -> Result<Value, ProcedureError> {
    writing.set(TABLE, &fields.required("id")?, &[("status", Cell::text("cancelled"))])?;
    Ok(json!({"cancelled": true}))
}

pub(super) fn complete(writing: &mut Writing<'_, '_>, fields: &Fields<'_>) -> Result<Value, ProcedureError> {
    let mut cells = vec![("status", Cell::text("completed"))];
    if let Some(visit) = fields.text("visit_id")? {
        writing.stored("visits", &visit)?;
        cells.push(("fulfilled_visit_id", Cell::text(&visit)));
    }
    fields.text("user_id")?;
    writing.set(TABLE, &fields.required("id")?, &cells)?;
    Ok(json!({"completed": true}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_where_a_phone_says_or_around_the_moment() {
        let midnight = 1_760_000_000_000 - 1_760_000_000_000 % A_DAY_MS;
        let of = |begin: i64| (Some(begin), Some(begin + A_DAY_MS));
        assert_eq!(day_of(Some(midnight)), of(midnight));
        let in_kathmandu = midnight - (5 * 60 + 45) * 60_000;
        assert_eq!(day_of(Some(in_kathmandu)), of(in_kathmandu));
        assert_eq!(day_of(Some(midnight + 12_345_678)), of(midnight));
        assert_eq!(day_of(None), (None, None));
    }
}
