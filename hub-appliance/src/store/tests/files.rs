//! What is on the disk, and who else may be at it.

use super::*;

#[test]
fn another_key_opens_nothing_and_another_process_is_kept_out() {
    let hub = hub();
    assert!(hub.store.close(Duration::from_secs(5)));
    assert!(matches!(hub.store.snapshot().map(|_| ()), Err(StoreError::Closed)));
    assert!(matches!(
        hub.store.write(|_| Ok::<_, StoreError>(())),
        Err(StoreError::Closed)
    ));
    assert!(matches!(open_at(hub.folder.path(), 2), Err(StoreError::WrongKey)));
    let lock = StoreLock::take(hub.folder.path()).unwrap();
    assert!(matches!(StoreLock::take(hub.folder.path()), Err(StoreError::InUse)));
    drop(lock);
    StoreLock::take(hub.folder.path()).unwrap();
}

#[test]
fn nothing_is_on_the_disk_in_the_clear() {
    let hub = hub();
    let rows: Vec<_> = (0..300)
        .map(|number| patient(&format!("p{number}"), "Wilhelmina-Zebra", T, ""))
        .collect();
    hub.push(A, HubTime::ZERO, created("patients", json!(rows)));
    hub.push(
        B,
        HubTime::ZERO,
        updated("patients", json!([{"id": "p1", "given_name": ["Wilhelmina-Zebra"]}])),
    );
    for entry in fs::read_dir(hub.folder.path()).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        for secret in [&b"Wilhelmina"[..], &b"CREATE TABLE"[..], &b"SQLite format"[..]] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret));
        }
    }
}

#[test]
fn time_never_goes_back_over_a_restart() {
    struct Fixed(i64);
    impl TimeSource for Fixed {
        fn millis(&self) -> i64 {
            self.0
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let late = Arc::new(open_with(folder.path(), 1, Box::new(Fixed(2_000_000_000_000))).unwrap());
    let hub = Hub { store: late, folder };
    hub.push(
        A,
        HubTime::ZERO,
        created("patients", json!([patient("p1", "Amina", T, "")])),
    );
    let (_, before) = hub.pull(B, HubTime::ZERO);
    assert!(hub.store.close(Duration::from_secs(5)));
    let early = Arc::new(open_with(hub.folder.path(), 1, Box::new(Fixed(1_000_000_000_000))).unwrap());
    let hub = Hub {
        store: early,
        folder: hub.folder,
    };
    hub.push(A, before, created("patients", json!([patient("p2", "Bilal", T, "")])));
    let (changes, after) = hub.pull(B, before);
    assert!(after > before);
    assert_eq!(ids(&changes["patients"]["created"]), ["p2"]);
}

#[test]
fn a_folder_that_was_opened_to_the_world_is_closed_again() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    fs::create_dir(&keys).unwrap();
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o777)).unwrap();
    let _lock = StoreLock::take(&keys).unwrap();
    assert_eq!(fs::metadata(&keys).unwrap().permissions().mode() & 0o777, 0o700);
}
