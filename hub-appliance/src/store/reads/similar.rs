//! Patients with about the same name: for spotting that somebody is registered already.
//!
//! The index names those whose names have a part in common with the one that is asked for; only these are compared, by
//! how many letters have to be put in, left out, changed or swapped.

use rusqlite::{Connection, params_from_iter};

use super::glance::Glances;
use super::{Listing, Page, Shown, Sight, write_numbered};
use crate::store::error::StoreError;
use crate::store::search::{Terms, fold};
use crate::store::snapshot::Snapshot;
use crate::store::value::Cell;

/// So many who share one name of several are compared at most, the last registered first: beyond that a name is so common
/// that it tells nothing.
const MAX_WITH_ONE_NAME: u32 = 2000;
/// Characters of a name that are compared: the longest names have fewer.
const COMPARED: usize = 200;
/// Given name and surname the other way round are this far apart.
const SWAPPED: usize = 1;

/// Whom to look for.
#[derive(Debug, Default)]
pub struct Name {
    /// Given name.
    pub given: String,
    /// Surname.
    pub surname: String,
    /// An id of the government's: who has it comes first.
    pub government_id: Option<String>,
}

struct Candidate {
    number: i64,
    has_id: bool,
    distance: usize,
}

/// A name folded, as far as it is compared: how long that takes grows with the product of the lengths.
fn compared(name: &str) -> String {
    let end = name.char_indices().nth(COMPARED).map_or(name.len(), |(end, _)| end);
    fold(&name[..end])
}

impl Snapshot<'_> {
    /// Writes at most `limit` patients with a name like this, the closest first.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn similar_patients(
        &self,
        sight: &Sight,
        name: &Name,
        limit: u32,
        out: &mut Vec<u8>,
    ) -> Result<Shown, StoreError> {
        let connection = self.connection()?;
        let (given, surname) = (compared(&name.given), compared(&name.surname));
        let (given, surname) = (given.trim(), surname.trim());
        let (all, any) = Terms::for_names(&format!("{given} {surname}"));
        let mut found: Vec<Candidate> = Vec::new();
        let mut compare = |candidates: Vec<Names>, has_id: bool| {
            for (number, their_given, their_surname) in candidates {
                let distance = distance((given, surname), (&their_given, &their_surname));
                let is_close = distance <= allowed(given, surname);
                if (has_id || is_close) && !found.iter().any(|known| known.number == number) {
                    found.push(Candidate {
                        number,
                        has_id,
                        distance,
                    });
                }
            }
        };
        if let Some(id) = name.government_id.as_deref().filter(|id| !id.is_empty()) {
            let listing = Listing::of("patients", sight)?.and("t.government_id = ?", [Cell::text(id)]);
            compare(with_government_id(connection, &listing)?, true);
        }
        for (terms, most) in [(all, u32::MAX), (any, MAX_WITH_ONE_NAME)] {
            let Some(question) = terms.question() else { continue };
            let order = format!("g.number DESC LIMIT {most}");
            let names = ["given_name", "surname"].map(|name| format!("substr(coalesce(g.{name}, ''), 1, {COMPARED})"));
            let names = format!("g.number, {}", names.join(", "));
            let candidates =
                Glances::of(sight, Some(question))
                    .in_sight()
                    .read(connection, (&names, &order), |row| {
                        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                    })?;
            compare(candidates, false);
        }
        found.sort_by_key(|candidate| (!candidate.has_id, candidate.distance, candidate.number));
        found.truncate(limit as usize);
        let numbers: Vec<i64> = found.iter().map(|candidate| candidate.number).collect();
        let total = u64::try_from(numbers.len()).unwrap_or(u64::MAX);
        let patients = Listing::of("patients", sight)?.table;
        let (page, out) = (Page { limit, offset: 0 }, (sight.at_most, out));
        write_numbered(connection, patients, (&numbers, total), page, out)
    }
}

/// A patient's number, and given name and surname, folded.
type Names = (i64, String, String);

fn with_government_id(connection: &Connection, listing: &Listing) -> Result<Vec<Names>, StoreError> {
    let sql = format!(
        "SELECT t.rowid, substr(coalesce(t.given_name, ''), 1, {COMPARED}), substr(coalesce(t.surname, ''), 1, {COMPARED}) {} \
         LIMIT {MAX_WITH_ONE_NAME}",
        listing.body()
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(listing.parameters()), |row| {
        let (given, surname): (String, String) = (row.get(1)?, row.get(2)?);
        Ok((row.get(0)?, fold(&given), fold(&surname)))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many letters two names are apart.
fn distance((given, surname): (&str, &str), (their_given, their_surname): (&str, &str)) -> usize {
    let straight = apart(given, their_given) + apart(surname, their_surname);
    let swapped = apart(given, their_surname) + apart(surname, their_given) + SWAPPED;
    straight.min(swapped)
}

/// How many letters one name is apart from another, or from those words of it that fit best: many have more names than
/// are told.
fn apart(one: &str, other: &str) -> usize {
    // Who does not know a name says nothing about it.
    if one.is_empty() {
        return 0;
    }
    let words: Vec<&str> = other.split_whitespace().collect();
    let closest = |word: &str| words.iter().map(|other| strsim::osa_distance(word, other)).min();
    let by_word: Option<usize> = one.split_whitespace().map(closest).sum();
    let left_over = words.len().saturating_sub(one.split_whitespace().count());
    let whole = strsim::osa_distance(one, other.trim());
    by_word.map_or(whole, |apart| whole.min(apart + left_over))
}

/// How far a name may be apart to be shown at all: half of its letters.
fn allowed(given: &str, surname: &str) -> usize {
    (given.chars().count() + surname.chars().count())
        .div_ceil(2)
        .max(SWAPPED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_name_without_end_the_beginning_is_compared() {
        assert_eq!(compared("\u{c9}va"), "eva");
        assert_eq!(compared(&"\u{c9}".repeat(1_000_000)), "e".repeat(COMPARED));
    }

    #[test]
    fn closeness_is_counted_in_letters() {
        let apart = |one, other| distance(one, other);
        assert_eq!(apart(("amina", "hassan"), ("amina", "hassan")), 0);
        assert_eq!(apart(("amina", "hassan"), ("hassan", "amina")), SWAPPED);
        assert_eq!(apart(("amina", "hassan"), ("anima", "hasan")), 3);
        assert_eq!(apart(("maira", ""), ("maria", "anything")), 1);
        assert_eq!(apart(("maria", "lopez"), ("maria del carmen", "lopez")), 2);
    }
}
