//! Which places a row is in, and was: whose sight it is in now, and as of when a phone's database has it.
//!
//! What hangs on a patient is wherever that patient is in sight, beside the clinic of its own; a patient is in sight at the
//! clinic of its own and where it has a live visit, appointment, prescription or problem (table `sites`). A row that is tied
//! to nothing although its table has a clinic or a patient is in no place (protocol, "What is in sight").

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use rusqlite::{Connection, Row};

use super::cursors::{Place, Reached, places_from_text};
use crate::clock::HubTime;
use crate::store::devices::DeviceNumber;
use crate::store::error::StoreError;
use crate::store::schema::Table;

/// Tables that are no patients' data: every phone gets them all, whatever clinic they name.
const FOR_EVERYBODY: [&str; 2] = ["registration_forms", "clinic_departments"];
/// Tables whose rows list the clinics that they are for, and whether an empty list means all.
const LISTED: [(&str, bool); 2] = [("event_forms", true), ("app_config", false)];
/// How many patients' stays are kept at hand during a pull.
const AT_HAND: usize = 20_000;

/// What ties a row to places, as columns of a query.
#[derive(Clone, Copy)]
pub(super) enum Tie {
    Everybody,
    /// A JSON list of clinics.
    Listed {
        clinics: usize,
        empty_is_all: bool,
    },
    User(usize),
    /// A clinic of its own, a patient, or both.
    Records {
        clinic: Option<usize>,
        patient: Option<usize>,
    },
}

impl Tie {
    /// That of a table's rows; `place` gives the column of a query by its name.
    pub(super) fn of(table: &Table, mut place: impl FnMut(&'static str) -> usize) -> Self {
        if table.name == "user_clinic_permissions" {
            return Self::User(place("user_id"));
        }
        if let Some((_, empty_is_all)) = LISTED.into_iter().find(|(name, _)| *name == table.name) {
            return Self::Listed {
                clinics: place("clinic_ids"),
                empty_is_all,
            };
        }
        if FOR_EVERYBODY.contains(&table.name) {
            return Self::Everybody;
        }
        // A patient is where its own stays are, which know of its clinic.
        let clinic = table.clinic_column.filter(|_| table.name != "patients").map(&mut place);
        let patient = match table.name {
            "patients" => Some(place("id")),
            _ => table.hangs_on_patient().then(|| place("patient_id")),
        };
        match (clinic, patient) {
            (None, None) => Self::Everybody,
            (clinic, patient) => Self::Records { clinic, patient },
        }
    }
}

/// That a row is, or was, in a place.
#[derive(Clone, Debug)]
struct Stay {
    place: Place,
    entered: HubTime,
    /// None: it still is.
    left: Option<HubTime>,
}

/// A row of a query, as far as its places matter.
pub(super) struct Placed<'r> {
    pub(super) table: &'static Table,
    pub(super) id: &'r str,
    pub(super) tie: Tie,
    pub(super) row: &'r Row<'r>,
    /// When it reached the hub.
    pub(super) created_at: HubTime,
}

/// Looks at one database's rows.
pub(super) struct Sight<'a> {
    connection: &'a Connection,
    device: DeviceNumber,
    /// What is in sight of its user.
    places: &'a BTreeSet<Place>,
    /// What it has.
    reached: &'a Reached,
    stays: RefCell<HashMap<String, Rc<Vec<Stay>>>>,
    /// No row ever moved.
    nothing_moved: bool,
}

impl<'a> Sight<'a> {
    pub(super) fn new(
        connection: &'a Connection,
        device: DeviceNumber,
        places: &'a BTreeSet<Place>,
        reached: &'a Reached,
    ) -> Result<Self, StoreError> {
        let nothing_moved = connection
            .prepare_cached("SELECT NOT EXISTS (SELECT 1 FROM moves)")?
            .query_row([], |row| row.get(0))?;
        Ok(Self {
            connection,
            device,
            places,
            reached,
            stays: RefCell::default(),
            nothing_moved,
        })
    }

    /// As of when the database has all that is in sight and can be in a row of this tie; `None`: of some of it, nothing.
    pub(super) fn all_since(&self, tie: Tie, schema: Option<u8>) -> Option<HubTime> {
        let matters = |place: &&Place| match (place, tie) {
            (Place::Everybody, _) | (Place::User(_), Tie::User(_)) => true,
            (Place::Clinic(_), Tie::Records { .. } | Tie::Listed { .. }) => true,
            (Place::Schema(version), _) => schema == Some(*version),
            _ => false,
        };
        let places = self.places.iter().filter(matters);
        places.map(|place| self.reached.of(place)).min().flatten()
    }

    /// Whether the user may see the row.
    pub(super) fn sees(&self, placed: &Placed<'_>) -> Result<bool, StoreError> {
        let text = |column: usize| text_of(placed.row, column);
        let clinic = |id: &str| self.places.contains(&Place::Clinic(id.to_owned()));
        Ok(match placed.tie {
            Tie::Everybody => true,
            Tie::Listed { clinics, empty_is_all } => {
                let listed = listed(text(clinics)?, empty_is_all);
                listed.is_none_or(|listed| listed.iter().any(|id| clinic(id)))
            }
            Tie::User(user) => self.places.contains(&Place::User(text(user)?.to_owned())),
            Tie::Records { clinic: own, patient } => {
                if let Some(own) = own
                    && clinic(text(own)?)
                {
                    return Ok(true);
                }
                let Some(patient) = patient else { return Ok(false) };
                let stays = self.stays_of_patient(text(patient)?)?;
                let mut open = stays.iter().filter(|stay| stay.left.is_none());
                open.any(|stay| self.places.contains(&stay.place))
            }
        })
    }

    /// As of when the database has the row, if it does.
    pub(super) fn had(&self, placed: &Placed<'_>) -> Result<Option<HubTime>, StoreError> {
        if let Tie::Listed { clinics, empty_is_all } = placed.tie {
            // Where a row was listed before is not known. Phones do not delete such rows, so `created` suits them always.
            let listed = listed(text_of(placed.row, clinics)?, empty_is_all);
            let of = |clinic: String| self.reached.of(&Place::Clinic(clinic));
            return Ok(match listed {
                None => self.reached.of(&Place::Everybody),
                Some(listed) => listed.into_iter().filter_map(of).max(),
            });
        }
        let mut had = None;
        for stay in self.stays(placed)? {
            let Some(reached) = self.reached.of(&stay.place) else {
                continue;
            };
            let as_of = match stay.left {
                None => (stay.entered <= reached).then_some(reached),
                Some(left) if reached < left => (stay.entered <= reached).then_some(reached),
                Some(left) => self.given_within(&stay.place, stay.entered, left, reached)?,
            };
            had = had.max(as_of);
        }
        Ok(match placed.table.since {
            // Without its table it had none of them.
            Some(version) => had.min(self.reached.of(&Place::Schema(version))),
            None => had,
        })
    }

    /// Whether a database that has `at_most` this may have the row, however long ago it came out of sight.
    pub(super) fn may_have(&self, placed: &Placed<'_>, at_most: &Reached) -> Result<bool, StoreError> {
        if let Tie::Listed { .. } = placed.tie {
            return Ok(true);
        }
        let stays = self.stays(placed)?;
        let mut reached = stays.iter().map(|stay| (stay, at_most.of(&stay.place)));
        Ok(reached.any(|(stay, reached)| reached.is_some_and(|reached| stay.entered <= reached)))
    }

    /// Whether the row is, or was, in a place that is in sight.
    pub(super) fn ever_saw(&self, placed: &Placed<'_>) -> Result<bool, StoreError> {
        if let Tie::Listed { .. } = placed.tie {
            return Ok(true);
        }
        let stays = self.stays(placed)?;
        Ok(stays.iter().any(|stay| self.places.contains(&stay.place)))
    }

    /// The newest answer that the database was given while the row was in this place.
    fn given_within(
        &self,
        place: &Place,
        entered: HubTime,
        left: HubTime,
        until: HubTime,
    ) -> Result<Option<HubTime>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT at, answer_places.places FROM answers JOIN answer_places ON answer_places.id = answers.places \
             WHERE device = ?1 AND at >= ?2 AND at < ?3 AND at <= ?4 AND lost = 0 ORDER BY at DESC",
        )?;
        let mut rows = statement.query((self.device.0, entered.millis(), left.millis(), until.millis()))?;
        while let Some(row) = rows.next()? {
            if places_from_text(row.get_ref(1)?.as_str().unwrap_or_default()).contains(place) {
                return Ok(Some(HubTime::from_millis(row.get(0)?)));
            }
        }
        Ok(None)
    }

    /// Every place that the row is or was in.
    fn stays(&self, placed: &Placed<'_>) -> Result<Vec<Stay>, StoreError> {
        let always = |place| Stay {
            place,
            entered: placed.created_at,
            left: None,
        };
        match placed.tie {
            Tie::Everybody | Tie::Listed { .. } => Ok(vec![always(Place::Everybody)]),
            Tie::User(user) => Ok(vec![always(Place::User(text_of(placed.row, user)?.to_owned()))]),
            Tie::Records { clinic, patient } => {
                let text = |column: Option<usize>| column.map_or(Ok(""), |column| text_of(placed.row, column));
                let mut stays = Vec::new();
                let mut since = placed.created_at;
                for (moved_at, clinic, patient) in self.moves(placed)? {
                    self.stays_tied(&clinic, &patient, (since, Some(moved_at)), &mut stays)?;
                    since = moved_at;
                }
                self.stays_tied(text(clinic)?, text(patient)?, (since, None), &mut stays)?;
                Ok(stays)
            }
        }
    }

    /// Adds where a row was while it was tied to this clinic and this patient.
    fn stays_tied(
        &self,
        clinic: &str,
        patient: &str,
        (since, until): (HubTime, Option<HubTime>),
        stays: &mut Vec<Stay>,
    ) -> Result<(), StoreError> {
        let ends = |one: Option<HubTime>, other: Option<HubTime>| match (one, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        let mut add = |place: &Place, entered: HubTime, left| {
            let entered = entered.max(since);
            let left = ends(left, until);
            if left.is_none_or(|left| entered < left) {
                let place = place.clone();
                stays.push(Stay { place, entered, left });
            }
        };
        if !clinic.is_empty() {
            add(&Place::Clinic(clinic.to_owned()), since, None);
        }
        if !patient.is_empty() {
            for stay in self.stays_of_patient(patient)?.iter() {
                add(&stay.place, stay.entered, stay.left);
            }
        }
        Ok(())
    }

    /// When the row moved, and what it had been tied to until then, oldest first.
    fn moves(&self, placed: &Placed<'_>) -> Result<Vec<(HubTime, String, String)>, StoreError> {
        if self.nothing_moved {
            return Ok(Vec::new());
        }
        let mut statement = self.connection.prepare_cached(
            "SELECT moved_at, coalesce(clinic_id, ''), coalesce(patient_id, '') FROM moves \
             WHERE table_name = ?1 AND row_id = ?2 ORDER BY moved_at",
        )?;
        let moves = statement.query_map((placed.table.name, placed.id), |row| {
            Ok((HubTime::from_millis(row.get(0)?), row.get(1)?, row.get(2)?))
        })?;
        Ok(moves.collect::<Result<_, _>>()?)
    }

    fn stays_of_patient(&self, patient: &str) -> Result<Rc<Vec<Stay>>, StoreError> {
        if let Some(known) = self.stays.borrow().get(patient) {
            return Ok(Rc::clone(known));
        }
        let mut statement = self
            .connection
            .prepare_cached("SELECT clinic_id, entered_at, left_at FROM sites WHERE patient_id = ?1")?;
        let stays = statement.query_map([patient], |row| {
            Ok(Stay {
                place: Place::Clinic(row.get(0)?),
                entered: HubTime::from_millis(row.get(1)?),
                left: row.get::<_, Option<i64>>(2)?.map(HubTime::from_millis),
            })
        })?;
        let stays = Rc::new(stays.collect::<Result<Vec<_>, _>>()?);
        let mut at_hand = self.stays.borrow_mut();
        if at_hand.len() >= AT_HAND {
            at_hand.clear();
        }
        at_hand.insert(patient.to_owned(), Rc::clone(&stays));
        Ok(stays)
    }

    /// The patients who came into a place in sight after the database had that place.
    pub(super) fn patients_who_came(&self) -> Result<BTreeSet<String>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT patient_id FROM sites WHERE clinic_id = ?1 AND entered_at > ?2 AND left_at IS NULL",
        )?;
        let mut patients = BTreeSet::new();
        for place in self.places {
            let (Place::Clinic(clinic), Some(reached)) = (place, self.reached.of(place)) else {
                continue;
            };
            let mut rows = statement.query((clinic, reached.millis()))?;
            while let Some(row) = rows.next()? {
                patients.insert(row.get(0)?);
            }
        }
        Ok(patients)
    }
}

/// A text column; null is empty.
pub(super) fn text_of<'r>(row: &'r Row<'_>, column: usize) -> Result<&'r str, StoreError> {
    Ok(row.get_ref(column)?.as_str().unwrap_or_default())
}

/// The clinics of a list; `None`: all of them, which is also what is no list.
fn listed(json: &str, empty_is_all: bool) -> Option<Vec<String>> {
    let clinics: Option<Vec<String>> = serde_json::from_str(json).ok();
    clinics.filter(|clinics| !(empty_is_all && clinics.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_clinics_names_them_or_all() {
        let both = Some(vec!["a".to_owned(), "b".to_owned()]);
        for empty_is_all in [false, true] {
            assert_eq!(listed(r#"["a","b"]"#, empty_is_all), both);
            assert_eq!(listed("", empty_is_all), None, "null");
            assert_eq!(listed("null", empty_is_all), None);
        }
        assert_eq!(listed("[]", true), None);
        assert_eq!(listed("[]", false), Some(Vec::new()));
        assert_eq!(listed("{}", false), None);
    }
}
