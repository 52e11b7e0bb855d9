//! A page of the database that is not what was written.

use super::*;

/// Patients whose names take more than a page, so that a part of each stands on pages that hold nothing else.
const PATIENTS: usize = 12;
const PAGE: usize = 4096;

fn long(number: usize) -> String {
    format!("{number:04}").repeat(1500)
}

fn read_all(hub: &Hub) -> Result<Value, StoreError> {
    let mut out = Vec::new();
    let request = request(A, Cursor::default(), &[CLINIC]);
    hub.store.read(|snapshot| snapshot.pull(&request, &mut out))?;
    let mut answer: Value = serde_json::from_slice(&out).unwrap();
    Ok(answer["changes"].take())
}

fn write(hub: &Hub, number: usize, hometown: &str) -> Result<PushSummary, StoreError> {
    let mut row = patient(&format!("p{number}"), &long(number), T + 1, "hometown");
    row["hometown"] = hometown.into();
    let parameters = json!({"changes": updated("patients", json!([row])), "lastPulledAt": i64::MAX / 2}).to_string();
    let push = Push::parse(&parameters).unwrap();
    let author = Author {
        device: A,
        user: Some("user-1".into()),
    };
    let seen = Seen::up_to(hub.store.clock().peek());
    hub.store
        .write(move |tx| push.apply(tx, &parameters, &author, seen, &mut AllowAll, Trial::ByRow))
}

/// Whether all that is read is what was written: names as they were, and hometowns that were acknowledged.
fn is_whole(changes: &Value, hometowns: &[Option<String>]) -> bool {
    let rows = changes["patients"]["created"].as_array().unwrap();
    rows.len() == PATIENTS
        && rows.iter().all(|row| {
            let number: usize = row["id"].as_str().unwrap()[1..].parse().unwrap();
            row["given_name"] == long(number).as_str() && row["hometown"].as_str() == hometowns[number].as_deref()
        })
}

#[test]
fn whichever_page_is_damaged_nothing_is_read_that_was_not_written_and_the_rest_goes_on() {
    let hub = hub();
    let rows: Vec<_> = (0..PATIENTS)
        .map(|number| patient(&format!("p{number}"), &long(number), T, ""))
        .collect();
    hub.push(A, HubTime::ZERO, created("patients", json!(rows)));
    assert!(hub.store.close(Duration::from_secs(5)));
    let path = hub.folder.path().join("hub.db");
    let whole = fs::read(&path).unwrap();

    let (mut refused, mut went_on) = (0, 0);
    for page in 1..whole.len() / PAGE {
        let folder = tempfile::tempdir().unwrap();
        let mut bytes = whole.clone();
        bytes[page * PAGE + PAGE / 2] ^= 1;
        fs::write(folder.path().join("hub.db"), bytes).unwrap();
        let Ok(store) = open_at(folder.path(), 1) else { continue };
        let hub = Hub {
            store: Arc::new(store),
            folder,
        };
        let mut hometowns = vec![None; PATIENTS];
        let mut failed = false;
        // More often than there are readers.
        for _ in 0..6 {
            match read_all(&hub) {
                Ok(changes) => assert!(is_whole(&changes, &hometowns), "page {page}"),
                Err(_) => {
                    assert!(hub.store.is_damaged(), "page {page}");
                    refused += 1;
                }
            }
        }
        for (number, hometown) in hometowns.iter_mut().enumerate() {
            let town = format!("Town {number}");
            if write(&hub, number, &town).is_ok() {
                *hometown = Some(town);
                went_on += usize::from(failed);
            } else {
                failed = true;
            }
        }
        for _ in 0..6 {
            if let Ok(changes) = read_all(&hub) {
                assert!(is_whole(&changes, &hometowns), "page {page}, after writing");
            }
        }
        assert!(!hub.store.disk_has_failed(), "page {page}: it is a page, not the disk");
    }
    assert!(refused > 0 && went_on > 0, "{refused} {went_on}");
}

#[test]
fn a_damaged_page_in_which_there_is_nothing_any_more_costs_nobody_the_others() {
    let hub = hub();
    let free: u32 = hub
        .store
        .write::<_, StoreError>(|tx| {
            let connection = tx.connection();
            connection.execute_batch("CREATE TABLE gone (text TEXT)")?;
            connection.execute("INSERT INTO gone VALUES (?1)", ["x".repeat(40 * PAGE)])?;
            connection.execute_batch("DROP TABLE gone")?;
            Ok(connection.query_row("PRAGMA freelist_count", [], |row| row.get(0))?)
        })
        .unwrap();
    assert!(free > 30, "{free}");
    assert!(hub.store.close(Duration::from_secs(5)));
    let (refused, taken) = with_each_page_damaged(&hub.folder.path().join("hub.db"), |path| {
        let store = open_at(path.parent().unwrap(), 1).unwrap();
        store
            .write::<_, StoreError>(|tx| {
                let connection = tx.connection();
                connection.execute_batch("CREATE TABLE next (text TEXT)")?;
                connection.execute("INSERT INTO next VALUES (?1)", ["y".repeat(30 * PAGE)])?;
                let written: String = connection.query_row("SELECT text FROM next", [], |row| row.get(0))?;
                assert_eq!(written, "y".repeat(30 * PAGE));
                Ok(())
            })
            .unwrap();
        assert!(store.close(Duration::from_secs(5)));
    });
    assert!(
        refused > 0 && (30..=free as usize).contains(&taken),
        "{refused} {taken} {free}"
    );
}

#[test]
fn a_copy_in_which_no_page_is_free_is_refused_whichever_of_its_pages_is_damaged() {
    let hub = hub();
    let free = hub.store.write::<u32, StoreError>(|tx| {
        Ok(tx
            .connection()
            .query_row("PRAGMA freelist_count", [], |row| row.get(0))?)
    });
    assert_eq!(free.unwrap(), 0);
    assert!(hub.store.close(Duration::from_secs(5)));
    let (refused, taken) = with_each_page_damaged(&hub.folder.path().join("hub.db"), |_| {});
    assert!(refused > 0 && taken == 0, "{refused} {taken}");
}

/// How often a copy is refused, and how often it is taken and `uses` shows that nothing is amiss with it.
fn with_each_page_damaged(path: &Path, uses: impl Fn(&Path)) -> (usize, usize) {
    let key = StoreKey::new([1; 32]);
    let (mut refused, mut taken) = (0, 0);
    copies::check(path, &key, || true).unwrap();
    assert!(copies::check(path, &key, || false).is_err(), "it is broken off");
    let whole = fs::read(path).unwrap();
    for page in 0..whole.len() / PAGE {
        let mut bytes = whole.clone();
        bytes[page * PAGE + PAGE / 2] ^= 1;
        fs::write(path, bytes).unwrap();
        match copies::check(path, &key, || true) {
            Err(StoreError::Database(_) | StoreError::WrongKey) => refused += 1,
            Ok(_) => {
                uses(path);
                taken += 1;
            }
            Err(error) => panic!("page {page}: {error}"),
        }
    }
    (refused, taken)
}
