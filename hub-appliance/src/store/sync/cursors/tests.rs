//! What a phone's requests tell of the answers that it was given.

use std::convert::Infallible;

use super::*;

const T: fn(i64) -> HubTime = HubTime::from_millis;

fn clinics(names: &[&str]) -> BTreeSet<Place> {
    names.iter().map(|name| Place::Clinic((*name).to_owned())).collect()
}

fn cursor(millis: i64, names: &[&str]) -> Cursor {
    Cursor {
        at: T(millis),
        reached: Reached::all(clinics(names), T(millis)),
    }
}

/// Was given 500 on what it had as of 300, for which it had asked.
fn cursors() -> Cursors {
    Cursors {
        given: cursor(500, &["a", "b"]),
        before: cursor(300, &["a"]),
        asked: Some(T(300)),
        ..Cursors::default()
    }
}

/// The answers that were given before.
fn earlier(at: HubTime) -> Result<Option<Earlier>, Infallible> {
    Ok((at == T(100)).then(|| Earlier::with_all(T(100), clinics(&["old"]))))
}

fn start(cursors: &mut Cursors, asked: f64) -> Start {
    let Ok(start) = cursors.at_pull(asked, earlier);
    start
}

fn seen(cursors: &mut Cursors, named: f64) -> Seen {
    let Ok(seen) = cursors.at_push(named, T(900), earlier, |_| Ok(false));
    seen
}

#[test]
fn a_phone_asks_from_where_the_hub_knows_it_to_be() {
    for (asked, expected) in [
        (500.0, cursor(500, &["a", "b"])),
        (9e15, cursor(500, &["a", "b"])),
        (f64::INFINITY, cursor(500, &["a", "b"])),
        // Its own clock, which is slow: the hub never gave that.
        (400.0, cursor(500, &["a", "b"])),
        (300.7, cursor(300, &["a"])),
        (f64::NAN, Cursor::default()),
        (-5.0, Cursor::default()),
    ] {
        assert_eq!(start(&mut cursors(), asked).cursor, expected, "{asked}");
    }
}

#[test]
fn whoever_asks_the_same_again_did_not_get_the_answer() {
    const OWN_CLOCK: f64 = 450.0;
    let mut lost = cursors();
    let first = start(&mut lost, OWN_CLOCK);
    lost.answered(OWN_CLOCK, first, cursor(600, &["a", "b"]));
    let mut arrived = lost.clone();
    let again = start(&mut lost, OWN_CLOCK);
    assert_eq!((again.lost, again.cursor), (true, cursor(500, &["a", "b"])));
    assert_eq!(start(&mut arrived, 600.0).cursor, cursor(600, &["a", "b"]));
    assert_eq!(arrived.before, arrived.given);
}

#[test]
fn a_forced_upload_after_an_answer_that_the_phone_never_named_casts_doubt_on_it() {
    const OWN_CLOCK: f64 = 9e15;
    let mut given = cursors();
    seen(&mut given, 1.0);
    assert_eq!(start(&mut given, OWN_CLOCK).cursor, cursor(300, &["a"]));
    let mut named = cursors();
    seen(&mut named, 500.0);
    seen(&mut named, 1.0);
    assert_eq!(start(&mut named, OWN_CLOCK).cursor, cursor(500, &["a", "b"]));
}

#[test]
fn a_push_is_based_on_what_its_pull_was_sent_with() {
    assert_eq!(seen(&mut cursors(), 300.0).base, T(300));
    assert_eq!(seen(&mut cursors(), 500.0).base, T(500));
    let mut pushed = cursors();
    seen(&mut pushed, 300.0);
    assert!(!pushed.doubtful, "the app names it after every pull");
}

#[test]
fn a_phone_that_went_back_is_another_database_and_so_is_its_push() {
    let mut restored = cursors();
    let start = start(&mut restored, 100.0);
    assert_eq!((start.another, &start.cursor), (true, &cursor(100, &["old"])));
    restored.answered(100.0, start, cursor(600, &["old"]));
    assert_eq!(restored.alone_since, T(600));

    let seen = seen(&mut cursors(), 100.0);
    assert_eq!((seen.base, seen.alone_since), (T(100), T(900)));
}

#[test]
fn two_copies_that_take_turns_are_told_apart_by_the_answers_they_name() {
    let mut shared = cursors();
    // One has 500; the other still has 100, and is given 600.
    let back = start(&mut shared, 100.0);
    shared.answered(100.0, back, cursor(600, &["old"]));
    let Ok(first) = shared.at_pull(500.0, |at| {
        Ok::<_, Infallible>((at == T(500)).then(|| Earlier::with_all(T(500), clinics(&["a", "b"]))))
    });
    assert_eq!((first.another, first.cursor), (true, cursor(500, &["a", "b"])));
}

#[test]
fn what_older_firmware_gave_is_taken_at_the_phones_word() {
    let mut migrated = Cursors {
        known_since: T(300),
        ..cursors()
    };
    let start = start(&mut migrated, 200.0);
    assert_eq!((start.another, start.cursor), (true, cursor(200, &["a", "b"])));
}

#[test]
fn what_is_written_down_is_read_again_and_so_is_what_schema_1_wrote() {
    let reached =
        Reached::all([Place::Everybody, Place::User("u".into()), Place::Schema(12)], T(7)).with(clinics(&["c"]), T(9));
    assert_eq!(Reached::from_text(&reached.to_text(), T(1)), reached);
    assert_eq!(
        places_from_text(&places_to_text(&reached.places_at(T(9)))),
        clinics(&["c"])
    );

    let old = r#"{"user":"u","clinics":["c"]}"#;
    let places = [Place::Everybody, Place::User("u".into()), Place::Clinic("c".into())];
    assert_eq!(Reached::from_text(old, T(5)), Reached::all(places.clone(), T(5)));
    assert_eq!(places_from_text(old), BTreeSet::from(places));
    assert_eq!(Reached::from_text("", T(5)), Reached::default());
}
