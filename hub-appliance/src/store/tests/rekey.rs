//! Another key for an open database, while it is read and written.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

fn key(byte: u8) -> StoreKey {
    StoreKey::new([byte; 32])
}

fn push_patients(hub: &Hub, ids: std::ops::Range<usize>) {
    let rows: Vec<_> = ids
        .map(|number| patient(&format!("p{number}"), &"Amina".repeat(200), T, ""))
        .collect();
    hub.push(A, HubTime::ZERO, created("patients", json!(rows)));
}

fn patients(hub: &Hub) -> i64 {
    let count = |snapshot: &Snapshot<'_>| {
        let mut statement = snapshot.connection()?.prepare_cached("SELECT count(*) FROM patients")?;
        Ok::<i64, StoreError>(statement.query_row([], |row| row.get(0))?)
    };
    hub.store.read(count).unwrap()
}

fn names(hub: &Hub) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(hub.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("hub.db"))
        .collect();
    names.sort();
    names
}

#[test]
fn all_of_it_comes_under_the_other_key_while_it_is_read_and_written() {
    let hub = Arc::new(hub());
    push_patients(&hub, 0..2000);
    let stops = Arc::new(AtomicBool::new(false));
    let writing = {
        let (hub, stops) = (Arc::clone(&hub), Arc::clone(&stops));
        std::thread::spawn(move || {
            let mut next = 2000;
            while !stops.load(Ordering::Relaxed) {
                push_patients(&hub, next..next + 5);
                next += 5;
            }
            next
        })
    };
    let reading = {
        let (hub, stops) = (Arc::clone(&hub), Arc::clone(&stops));
        std::thread::spawn(move || {
            let mut last = 0;
            while !stops.load(Ordering::Relaxed) {
                let now = patients(&hub);
                assert!(now >= last && now % 5 == 0, "{last}, {now}");
                last = now;
            }
        })
    };
    let told = std::cell::RefCell::new(Vec::new());
    let goes_on = |permille| {
        told.borrow_mut().push(permille);
        true
    };
    for turn in [2, 3] {
        assert!(!hub.store.is_under(&key(turn)));
        hub.store.rekey(&key(turn), &goes_on).unwrap();
        assert!(hub.store.is_under(&key(turn)));
    }
    let told = told.into_inner();
    assert!(told.iter().any(|permille| (1..1000).contains(permille)), "{told:?}");
    stops.store(true, Ordering::Relaxed);
    let written = writing.join().unwrap();
    reading.join().unwrap();
    assert_eq!(patients(&hub), written as i64);
    assert_eq!(hub.store.check_audit().unwrap().broken, None);
    assert!(hub.store.close(Duration::from_secs(5)));
    assert_eq!(names(&hub), ["hub.db"]);
    for old in [1, 2] {
        assert!(!Store::opens_with(hub.folder.path(), &key(old)));
        assert!(matches!(open_at(hub.folder.path(), old), Err(StoreError::WrongKey)));
    }
    let checked = copies::check(&hub.folder.path().join("hub.db"), &key(3), || true).unwrap();
    assert_eq!(checked.schema, SCHEMA_VERSION);
    let hub = Hub {
        store: Arc::new(open_at(hub.folder.path(), 3).unwrap()),
        folder: Arc::into_inner(hub).unwrap().folder,
    };
    assert_eq!(patients(&hub), written as i64);
}

#[test]
fn what_is_broken_off_leaves_the_database_as_it_was_and_its_room() {
    let hub = hub();
    push_patients(&hub, 0..2000);
    let broken_off = hub.store.rekey(&key(2), &|permille| permille < 200);
    assert!(matches!(broken_off, Err(StoreError::Stopped)));
    assert!(!names(&hub).contains(&"hub.db.next".to_owned()));
    assert_eq!(patients(&hub), 2000);
    push_patients(&hub, 2000..2001);
    assert!(hub.store.close(Duration::from_secs(5)));
    // What a power cut leaves is removed.
    fs::write(hub.folder.path().join("hub.db.next"), "half").unwrap();
    let store = Arc::new(open_at(hub.folder.path(), 1).unwrap());
    let hub = Hub { store, ..hub };
    assert!(!names(&hub).contains(&"hub.db.next".to_owned()));
    assert_eq!(patients(&hub), 2001);
    hub.store.rekey(&key(2), &|_| true).unwrap();
    assert_eq!(patients(&hub), 2001);
}

#[test]
fn a_store_that_is_closed_meanwhile_closes_in_time() {
    let hub = Arc::new(hub());
    push_patients(&hub, 0..2000);
    let (begun, has_begun) = std::sync::mpsc::channel();
    let at_work = {
        let hub = Arc::clone(&hub);
        std::thread::spawn(move || {
            hub.store.rekey(&key(2), &|permille| {
                if permille > 0 {
                    let _ = begun.send(());
                }
                true
            })
        })
    };
    let _ = has_begun.recv();
    assert!(hub.store.close(Duration::from_secs(5)));
    let ended = at_work.join().unwrap();
    let opens = if ended.is_ok() { 2 } else { 1 };
    let store = Arc::new(open_at(hub.folder.path(), opens).unwrap());
    let hub = Hub {
        store,
        folder: Arc::into_inner(hub).unwrap().folder,
    };
    assert_eq!(patients(&hub), 2000);
}

#[test]
fn who_follows_the_log_begins_anew() {
    let hub = hub();
    push_patients(&hub, 0..10);
    let (mut held, _) = hub.store.hold_log().unwrap();
    hub.store.rekey(&key(2), &|_| true).unwrap();
    push_patients(&hub, 10..20);
    assert!(matches!(held.changed().map(|_| ()), Err(StoreError::Overrun)));
    drop(held);
    let (_, pages) = hub.store.hold_log().unwrap();
    assert!(pages.count() > 0);
}

#[test]
fn a_read_that_does_not_end_is_waited_for_and_nobody_is_kept_from_the_records() {
    let hub = Arc::new(hub());
    push_patients(&hub, 0..10);
    let (is_over, ends) = std::sync::mpsc::channel::<()>();
    let (has_begun, begun) = std::sync::mpsc::channel();
    let long = {
        let hub = Arc::clone(&hub);
        std::thread::spawn(move || {
            hub.store.read(|snapshot| {
                has_begun.send(()).unwrap();
                let _ = ends.recv();
                let mut statement = snapshot.connection()?.prepare_cached("SELECT count(*) FROM patients")?;
                Ok::<i64, StoreError>(statement.query_row([], |row| row.get(0))?)
            })
        })
    };
    begun.recv().unwrap();
    let at_work = {
        let hub = Arc::clone(&hub);
        std::thread::spawn(move || hub.store.rekey(&key(2), &|_| true))
    };
    // Both are answered while it waits.
    push_patients(&hub, 10..20);
    assert_eq!(patients(&hub), 20);
    assert!(!at_work.is_finished());
    drop(is_over);
    assert_eq!(long.join().unwrap().unwrap(), 10, "as of when it began");
    at_work.join().unwrap().unwrap();
    assert_eq!(patients(&hub), 20);
}
