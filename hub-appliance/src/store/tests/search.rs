//! Finding patients: by parts of their texts, and by names like theirs.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::store::reads::similar::Name;
use crate::store::reads::{Page, Sight};
use crate::store::search::fold;

fn sight() -> Sight {
    Sight {
        clinics: [CLINIC.to_owned()].into(),
        ..Sight::default()
    }
}

const ALL: Page = Page { limit: 5000, offset: 0 };

impl Hub {
    fn found(&self, filters: &[(&str, &str)]) -> Vec<String> {
        let filters: Vec<_> = filters
            .iter()
            .map(|(key, text)| ((*key).to_owned(), (*text).to_owned()))
            .collect();
        let mut out = Vec::new();
        let shown = self
            .store
            .read(|snapshot| snapshot.search_patients(&sight(), &filters, ALL, &mut out))
            .unwrap();
        let answer: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(ids(&answer["data"]), shown.ids);
        assert_eq!(answer["total"], shown.ids.len());
        let mut ids = shown.ids;
        ids.sort_unstable();
        ids
    }

    fn similar(&self, given: &str, surname: &str, government_id: Option<&str>) -> Vec<String> {
        let name = Name {
            given: given.into(),
            surname: surname.into(),
            government_id: government_id.map(str::to_owned),
        };
        let mut out = Vec::new();
        self.store
            .read(|snapshot| snapshot.similar_patients(&sight(), &name, 10, &mut out))
            .unwrap()
            .ids
    }
}

fn named(id: &str, given: &str, surname: &str) -> Value {
    let mut row = patient(id, given, T, "");
    row["surname"] = surname.into();
    row
}

fn attribute(id: &str, patient: &str, field: &str, text: Option<&str>, number: Option<f64>) -> Value {
    json!({"id": id, "patient_id": patient, "attribute_id": field, "attribute": "x", "string_value": text,
        "number_value": number, "metadata": "{}", "is_deleted": false, "created_at": T, "updated_at": T,
        "last_modified": T, "server_created_at": T})
}

#[test]
fn the_index_follows_every_write_and_no_write_that_failed() {
    let hub = hub();
    hub.push(
        A,
        HubTime::ZERO,
        created(
            "patients",
            json!([named("p1", "Amina", "Hassan"), named("p2", "Amin", "Odinga")]),
        ),
    );
    assert_eq!(hub.found(&[("given_name", "MIN")]), ["p1", "p2"]);
    assert_eq!(hub.found(&[("given_name", "mina")]), ["p1"]);
    assert_eq!(
        hub.found(&[("surname", "mina")]),
        Vec::<String>::new(),
        "each column has its own parts"
    );

    let (_, seen) = hub.pull(A, HubTime::ZERO);
    hub.push(
        A,
        seen,
        updated(
            "patients",
            json!([patient("p1", "Zainab", T + 1, "given_name,updated_at")]),
        ),
    );
    assert_eq!(hub.found(&[("given_name", "mina")]), Vec::<String>::new());
    assert_eq!(hub.found(&[("given_name", "zain")]), ["p1"]);

    let field = "0197f000-0000-7000-8000-000000007010";
    hub.push(
        A,
        HubTime::ZERO,
        created(
            "patient_additional_attributes",
            json!([
                attribute("a1", "p1", field, Some("Madeupville"), None),
                attribute("a2", "p2", field, None, Some(1234.0))
            ]),
        ),
    );
    assert_eq!(hub.found(&[(field, "deupv")]), ["p1"]);
    assert_eq!(hub.found(&[(field, "234")]), ["p2"]);
    assert_eq!(
        hub.found(&[(field, "deupv"), ("given_name", "amin")]),
        Vec::<String>::new()
    );

    let failed = hub.store.write(|tx| {
        tx.connection()
            .execute("UPDATE patients SET given_name = 'Rolled back' WHERE id = 'p1'", [])?;
        Err::<(), _>(StoreError::Defect)
    });
    assert!(failed.is_err());
    hub.push(
        A,
        HubTime::ZERO,
        created("patients", json!([named("p3", "Other", "Person")])),
    );
    assert_eq!(hub.found(&[("given_name", "rolled")]), Vec::<String>::new());
    assert_eq!(hub.found(&[("given_name", "zain")]), ["p1"]);

    hub.push(
        A,
        seen,
        json!({"patients": {"created": [], "updated": [], "deleted": ["p1"]}}),
    );
    assert_eq!(hub.found(&[("given_name", "zain")]), Vec::<String>::new());
    assert_eq!(hub.similar("Zainab", "Hassan", None), Vec::<String>::new());
    let entries: i64 = hub
        .store
        .read(|snapshot| {
            Ok::<_, StoreError>(
                snapshot
                    .connection()?
                    .query_row("SELECT count(*) FROM patient_words", [], |row| row.get(0))?,
            )
        })
        .unwrap();
    assert_eq!(entries, 2, "who is deleted has no entry");
}

#[test]
fn a_store_from_before_the_index_and_a_compacted_copy_find_the_same() {
    let hub = hub();
    let rows: Vec<_> = (0..50)
        .map(|number| named(&format!("p{number}"), &format!("Name{number:03}"), "X"))
        .collect();
    hub.push(A, HubTime::ZERO, created("patients", json!(rows)));
    hub.push(
        A,
        HubTime::ZERO,
        json!({"patients": {"created": [], "updated": [], "deleted": ["p3", "p7"]}}),
    );
    hub.store.write(|tx| {
        tx.connection().execute_batch("DELETE FROM patients WHERE id = 'p3'; DELETE FROM patients WHERE id = 'p7'; \
            INSERT INTO patient_words (patient_words) VALUES ('delete-all'); UPDATE patient_words_version SET version = 0;")?;
        Ok::<_, StoreError>(())
    }).unwrap();
    let folder = hub.folder;
    assert!(hub.store.close(Duration::from_secs(9)));
    drop(hub.store);
    let store = open_at(folder.path(), 1).unwrap();
    let hub = Hub {
        store: Arc::new(store),
        folder,
    };
    assert_eq!(hub.found(&[("given_name", "name042")]), ["p42"]);

    let (copy, folder) = (tempfile::tempdir().unwrap(), hub.folder);
    assert!(hub.store.close(Duration::from_secs(9)));
    drop(hub.store);
    let connection = connection::open(&database(folder.path()), &StoreKey::new([1; 32]), Purpose::Write).unwrap();
    connection.execute_batch("VACUUM").unwrap();
    connection
        .execute("VACUUM INTO ?1", [copy.path().join("hub.db").to_str().unwrap()])
        .unwrap();
    drop(connection);
    for folder in [folder, copy] {
        let store = open_at(folder.path(), 1).unwrap();
        let hub = Hub {
            store: Arc::new(store),
            folder,
        };
        for number in [0, 4, 42, 49] {
            assert_eq!(
                hub.found(&[("given_name", &format!("name{number:03}"))]),
                [format!("p{number}")]
            );
        }
    }
}

#[test]
fn names_are_found_however_they_were_written_down() {
    let hub = hub();
    let mut registered = named("p1", "Samplea", "Inventa");
    registered["government_id"] = "GOV-1".into();
    let rows = json!([
        registered,
        named("p2", "محمد", "الأمين"),
        named("p3", "فاطمة", "مصطفى"),
        named("p4", "Zoë", "Nuñez"),
        named("p5", "Amna", "Ali"),
        named("p6", "Unlike", "Anybody"),
        named("p7", "Maria del Carmen", "Lopez")
    ]);
    hub.push(A, HubTime::ZERO, created("patients", rows));
    for (given, surname, found) in [
        ("Samplea", "Inventa", "p1"),
        ("Smaplea", "Inventa", "p1"),
        ("Samplea", "Ivnenta", "p1"),
        ("Smaplea", "Ivnenta", "p1"),
        ("Sampla", "Inventa", "p1"),
        ("Sample", "Invent", "p1"),
        ("Sampplea", "Inventa", "p1"),
        ("Samplea", "", "p1"),
        ("", "Inventa", "p1"),
        ("Inventa", "Samplea", "p1"),
        ("inventa", "sampela", "p1"),
        ("SAMPLÉA", "ïnventa", "p1"),
        ("مُحَمَّد", "الامين", "p2"),
        ("محمـــد", "الإمين", "p2"),
        ("الامين", "محمد", "p2"),
        ("فاطمه", "مصطفي", "p3"),
        ("Zoe", "Nunez", "p4"),
        ("Anma", "Ali", "p5"),
        ("Amna", "Ail", "p5"),
        ("Maria", "Lopes", "p7"),
    ] {
        assert_eq!(
            hub.similar(given, surname, None).first().map(String::as_str),
            Some(found),
            "{given} {surname}"
        );
    }
    assert_eq!(hub.similar("Quite", "Different", None), Vec::<String>::new());
    assert_eq!(
        hub.similar("Amna", "Ali", Some("GOV-1")),
        ["p1", "p5"],
        "the same id comes first"
    );
    assert_eq!(hub.similar("", "", None), Vec::<String>::new());
}

#[test]
fn the_closest_name_comes_first_among_many() {
    let hub = hub();
    let rows: Vec<_> = (0..300)
        .map(|number| named(&format!("p{number:03}"), "Mohamed", &format!("Family{number}")))
        .collect();
    hub.push(A, HubTime::ZERO, created("patients", json!(rows)));
    let found = hub.similar("Mohammed", "Family77", None);
    assert_eq!((found.len(), &*found[0]), (10, "p077"));
}

#[test]
fn who_is_of_another_clinic_is_found_only_where_something_ties_them_here() {
    let hub = hub();
    hub.push(
        A,
        HubTime::ZERO,
        created("patients", json!([named("p1", "Amina", "Hassan")])),
    );
    let found = |hub: &Hub| {
        (
            hub.found(&[("given_name", "min")]),
            hub.similar("Amina", "Hassan", None),
        )
    };
    let move_to = |hub: &Hub, clinic: Option<&'static str>| {
        let moved = hub.store.write(move |tx| {
            tx.connection()
                .execute("UPDATE patients SET primary_clinic_id = ?1", [clinic])?;
            Ok::<_, StoreError>(())
        });
        moved.unwrap();
    };
    let (nobody, one) = (Vec::<String>::new(), vec!["p1".to_owned()]);
    move_to(&hub, Some("elsewhere"));
    assert_eq!(found(&hub), (nobody.clone(), nobody.clone()));
    hub.push(
        A,
        HubTime::ZERO,
        created("visits", json!([super::desk::visit("v1", "p1", Some(CLINIC))])),
    );
    assert_eq!(found(&hub), (one.clone(), one.clone()), "by the visit");
    hub.store
        .write(|tx| {
            tx.connection().execute("DELETE FROM visits", [])?;
            Ok::<_, StoreError>(())
        })
        .unwrap();
    assert_eq!(found(&hub), (nobody.clone(), nobody));
    for clinic in [Some(CLINIC), Some(""), None] {
        move_to(&hub, clinic);
        assert_eq!(found(&hub), (one.clone(), one.clone()), "{clinic:?}");
    }
}

/// What each patient holds, by key.
type People = Vec<BTreeMap<&'static str, String>>;

const KEYS: [&str; 6] = ["given_name", "surname", "phone", "photo_url", "field-1", "field-2"];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[aAbB]{0,7}",
        "[aáÁ%_ '\\\\\"]{0,6}",
        "[بةهىيأا١1ـَ]{0,7}",
        "[0-9.]{0,5}",
        (190_usize..210).prop_map(|length| "ab".repeat(length / 2) + "tail"),
    ]
}

fn people() -> impl Strategy<Value = People> {
    let person = proptest::collection::btree_map(proptest::sample::select(&KEYS[..]), text(), 0..KEYS.len());
    proptest::collection::vec(person, 1..12)
}

fn filters() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    proptest::collection::vec(
        (
            proptest::sample::select(&KEYS[..]),
            text().prop_map(|text| text.chars().rev().take(6).collect::<String>().chars().rev().collect()),
        ),
        1..3,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn a_search_finds_what_looking_at_every_row_finds(people in people(), asked in proptest::collection::vec(filters(), 1..12)) {
        let hub = hub();
        let (mut rows, mut attributes) = (Vec::new(), Vec::new());
        for (number, person) in people.iter().enumerate() {
            let id = format!("p{number:02}");
            let mut row = patient(&id, "", T, "");
            for (key, text) in person {
                if key.starts_with("field") {
                    attributes.push(attribute(&format!("{id}-{key}"), &id, key, Some(text), None));
                } else {
                    row[*key] = text.as_str().into();
                }
            }
            rows.push(row);
        }
        hub.push(A, HubTime::ZERO, created("patients", json!(rows)));
        hub.push(A, HubTime::ZERO, created("patient_additional_attributes", json!(attributes)));
        for filters in asked {
            let fits = |person: &BTreeMap<&str, String>| filters.iter().all(|(key, term)| {
                let term = fold(term);
                term.is_empty() || person.get(key).is_some_and(|text| fold(text).contains(&term))
            });
            let expected: Vec<String> = people.iter().enumerate().filter(|(_, person)| fits(person))
                .map(|(number, _)| format!("p{number:02}")).collect();
            let filters: Vec<_> = filters.iter().map(|(key, text)| (*key, text.as_str())).collect();
            prop_assert_eq!(hub.found(&filters), expected, "{:?}", filters);
        }
    }
}
