//! The audit log: whatever is done to it shows, and what is too old goes without a trace of doubt.

use std::sync::atomic::{AtomicI64, Ordering};

use super::*;
use crate::store::audit::{Break, Dropped};

const DAY: i64 = 24 * 60 * 60 * 1000;

fn write_entries(store: &Store, count: usize) {
    let entry = |number| Entry {
        user: Some(format!("user {number}")),
        role: Some("provider".into()),
        device: A,
        action: "test",
        detail: format!(r#"{{"patients":["p{number}"]}}"#),
        outcome: "ok",
        ..Entry::default()
    };
    store
        .write(move |tx| (0..count).try_for_each(|number| tx.audit(&entry(number))))
        .unwrap();
}

fn alter(store: &Store, sql: &'static str) {
    store
        .write(move |tx| Ok::<_, StoreError>(tx.connection().execute_batch(sql)?))
        .unwrap();
}

#[test]
fn what_is_changed_dropped_reordered_or_put_in_between_is_found_where_it_is() {
    let swap = "UPDATE audit SET seq = -1 WHERE seq = 3; UPDATE audit SET seq = 3 WHERE seq = 4; \
                UPDATE audit SET seq = 4 WHERE seq = -1";
    for (sql, found) in [
        (
            "UPDATE audit SET outcome = 'no' WHERE seq = 3",
            Break::Changed { entry: 3 },
        ),
        (
            "UPDATE audit SET at = at + 1 WHERE seq = 3",
            Break::Changed { entry: 3 },
        ),
        (
            "UPDATE audit SET user_id = '' WHERE seq = 3",
            Break::Changed { entry: 3 },
        ),
        (
            "UPDATE audit SET role = NULL WHERE seq = 3",
            Break::Changed { entry: 3 },
        ),
        (
            "UPDATE audit SET device = 102 WHERE seq = 3",
            Break::Changed { entry: 3 },
        ),
        (
            "UPDATE audit SET address = '10.0.0.1' WHERE seq = 3",
            Break::Changed { entry: 3 },
        ),
        (
            "UPDATE audit SET correlation = '1' WHERE seq = 3",
            Break::Changed { entry: 3 },
        ),
        (
            "UPDATE audit SET action = 'ping' WHERE seq = 3",
            Break::Changed { entry: 3 },
        ),
        (
            "UPDATE audit SET detail = '{}' WHERE seq = 3",
            Break::Changed { entry: 3 },
        ),
        (
            "UPDATE audit SET clock_trusted = 1 - clock_trusted WHERE seq = 3",
            Break::Changed { entry: 3 },
        ),
        (
            "UPDATE audit SET clock_trusted = NULL WHERE seq = 3",
            Break::Changed { entry: 3 },
        ),
        (
            "UPDATE audit SET hash = zeroblob(32) WHERE seq = 3",
            Break::Changed { entry: 3 },
        ),
        ("DELETE FROM audit WHERE seq = 3", Break::Missing { entry: 3 }),
        ("DELETE FROM audit WHERE seq = 1", Break::Missing { entry: 1 }),
        (swap, Break::Changed { entry: 3 }),
        (
            "DELETE FROM audit WHERE seq = 3; UPDATE audit SET seq = seq - 1 WHERE seq > 3",
            Break::Changed { entry: 3 },
        ),
    ] {
        let hub = hub();
        write_entries(&hub.store, 5);
        let whole = hub.store.check_audit().unwrap();
        assert_eq!((whole.entries, whole.broken), (5, None));
        alter(&hub.store, sql);
        assert_eq!(hub.store.check_audit().unwrap().broken, Some(found), "{sql}");
    }
}

#[test]
fn another_key_fits_no_entry() {
    let hub = hub();
    write_entries(&hub.store, 3);
    assert!(hub.store.close(Duration::from_secs(5)));
    let clock = Arc::new(HubClock::new(Box::new(SystemClock), HubTime::ZERO));
    let other = Store::open(
        hub.folder.path(),
        &StoreKey::new([1; 32]),
        AuditKey::new([8; 32]),
        clock,
    )
    .unwrap();
    assert_eq!(other.check_audit().unwrap().broken, Some(Break::Changed { entry: 1 }));
}

#[test]
fn a_break_is_written_down_once_and_remembered() {
    let hub = hub();
    write_entries(&hub.store, 3);
    let note = || {
        hub.store
            .write(|tx| tx.note_audit_break(Break::Missing { entry: 2 }))
            .unwrap()
    };
    assert_eq!(hub.store.audit_broken().unwrap(), None);
    assert!(note());
    assert!(!note());
    assert_eq!(hub.store.audit_broken().unwrap(), Some(2));
    let entries = hub.store.read(|snapshot| snapshot.audit_since(HubTime::ZERO)).unwrap();
    assert_eq!(entries.iter().filter(|entry| entry.outcome == "broken").count(), 1);
}

/// A clock of the test's.
#[derive(Clone)]
struct Set(Arc<AtomicI64>);

impl TimeSource for Set {
    fn millis(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

fn kept_hub() -> (Hub, Set) {
    let clock = Set(Arc::new(AtomicI64::new(1_800_000_000_000)));
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open_with(folder.path(), 1, Box::new(clock.clone())).unwrap());
    (Hub { store, folder }, clock)
}

fn drop_old(store: &Store) -> usize {
    store.write(|tx| tx.drop_old_audit(|_| [7; 64])).unwrap()
}

#[test]
fn what_is_older_than_six_years_goes_and_the_rest_still_verifies() {
    let (hub, clock) = kept_hub();
    write_entries(&hub.store, 2_500);
    let old = hub.store.audit_head().unwrap().unwrap();
    clock.0.fetch_add(5 * 365 * DAY, Ordering::Relaxed);
    write_entries(&hub.store, 10);
    for _ in 0..89 {
        clock.0.fetch_add(DAY, Ordering::Relaxed);
        assert!(hub.store.begin_audit_day().unwrap());
    }
    assert_eq!(drop_old(&hub.store), 0, "nothing is old enough");
    clock.0.fetch_add(365 * DAY, Ordering::Relaxed);
    for day in 0..89 {
        assert!(hub.store.begin_audit_day().unwrap());
        assert!(!hub.store.begin_audit_day().unwrap());
        assert_eq!(
            drop_old(&hub.store),
            0,
            "day {day}: a clock that has just been put forward"
        );
        clock.0.fetch_add(DAY, Ordering::Relaxed);
    }
    hub.store.begin_audit_day().unwrap();
    // In steps, each of which leaves a log that verifies.
    let mut steps = Vec::new();
    loop {
        steps.push(drop_old(&hub.store));
        assert_eq!(hub.store.check_audit().unwrap().broken, None);
        if steps.last() == Some(&0) {
            break;
        }
    }
    assert_eq!(steps, [1000, 1000, 500, 0]);
    let Dropped { through, signature, .. } = hub.store.audit_dropped().unwrap().unwrap();
    assert_eq!((through, signature), (2_500, vec![7; 64]));
    assert!(hub.store.has_audit_entry(&old).unwrap(), "what was signed of it counts");
    alter(&hub.store, "DELETE FROM audit WHERE seq = 2501");
    assert_eq!(
        hub.store.check_audit().unwrap().broken,
        Some(Break::Missing { entry: 2501 })
    );
}

#[test]
fn a_day_is_checked_without_looking_at_what_came_before() {
    let (hub, clock) = kept_hub();
    write_entries(&hub.store, 20);
    clock.0.fetch_add(3 * DAY, Ordering::Relaxed);
    write_entries(&hub.store, 5);
    let since = hub.store.clock().peek().plus_millis(-DAY);
    let checked = hub.store.check_audit_since(since).unwrap();
    assert_eq!((checked.entries, checked.broken), (5, None));
    alter(&hub.store, "UPDATE audit SET outcome = 'no' WHERE seq = 7");
    assert_eq!(hub.store.check_audit_since(since).unwrap().broken, None);
    alter(&hub.store, "UPDATE audit SET outcome = 'no' WHERE seq = 21");
    let found = hub.store.check_audit_since(since).unwrap().broken;
    assert_eq!(
        found,
        Some(Break::Changed { entry: 21 }),
        "the first of the day hangs on the last before"
    );
}

#[test]
fn an_entry_says_whether_the_clock_could_be_trusted() {
    let (hub, clock) = kept_hub();
    write_entries(&hub.store, 1);
    hub.store.clock().observe(HubTime::from_millis(clock.millis() + DAY));
    write_entries(&hub.store, 1);
    let entries = hub.store.read(|snapshot| snapshot.audit_since(HubTime::ZERO)).unwrap();
    let trusted: Vec<_> = entries.iter().map(|entry| entry.clock_trusted).collect();
    assert_eq!(trusted, [Some(true), Some(false)]);
}

/// 8 staff, 60 patients, online mode: for each patient 10 reads and 8 writes by single calls; 20 syncs of each of 8 phones.
#[test]
fn a_clinics_day_costs_the_disk_what_the_readme_says() {
    let hub = hub();
    let bytes = |store: &Store| -> i64 {
        let size = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
        store
            .read(|snapshot| Ok::<_, StoreError>(snapshot.connection()?.query_row(size, [], |row| row.get(0))?))
            .unwrap()
    };
    let id = |number: usize| format!("0197f000-0000-7000-8000-{number:012}");
    let entry = |number: usize, action, detail: Value| Entry {
        user: Some(id(number % 8)),
        role: Some("provider".into()),
        device: DeviceNumber(1 + i64::try_from(number % 8).unwrap()),
        address: Some(std::net::Ipv4Addr::new(192, 168, 1, 20).into()),
        correlation: Some(100_000),
        action,
        detail: detail.to_string(),
        outcome: "ok",
    };
    let mut day = Vec::new();
    for patient in 0..60 {
        for read in 0..10 {
            let detail =
                json!({"prescription_items": [id(read), id(read + 1), id(read + 2)], "patient_id": id(patient)});
            day.push(entry(patient, "prescription_items.by_patient", detail));
        }
        for write in 0..8 {
            let detail = json!({"patient_vitals": [id(write)], "patient_id": id(patient)});
            day.push(entry(patient, "vitals.create", detail));
        }
    }
    for sync in 0..160 {
        day.push(entry(
            sync,
            "sync_pull",
            json!({"patients": 3, "visits": 3, "events": 9, "patient_vitals": 3}),
        ));
        day.push(entry(
            sync,
            "sync_push",
            json!({"written": 4, "unchanged": 0, "held": 0, "skipped": 0}),
        ));
    }
    let entries = day.len();
    let before = bytes(&hub.store);
    hub.store
        .write(move |tx| day.iter().try_for_each(|entry| tx.audit(entry)))
        .unwrap();
    let kib = (bytes(&hub.store) - before) / 1024;
    let told = format!("{entries} entries, {kib} KiB a day");
    let readme = include_str!("../../../../README.md");
    assert!(readme.contains(&told), "{told}");
}
