//! What is left to whoever has broken into the hub's process.

use std::fs;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn every_thread_of_an_open_hub_has_given_up_the_calls_that_it_does_not_need() {
    let clinic = clinic();
    let hub = hub(&clinic).await;
    let mut phone = hub.phone(nurse(&clinic)).await.unwrap();
    phone.sync().await.unwrap();
    let tasks = fs::read_dir(format!("/proc/{}/task", hub.hub.pid().unwrap())).unwrap();
    let mut threads = 0;
    for task in tasks {
        let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("{name} of {status}")).trim().to_owned()
        };
        // A filter (`man 5 proc`), and no way to rights by programs that have them.
        assert_eq!((field("Seccomp:"), field("NoNewPrivs:")), ("2".into(), "1".into()));
        threads += 1;
    }
    assert!(threads > 4, "{threads}");
}
