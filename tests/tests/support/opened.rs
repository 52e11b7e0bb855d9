//! The store of a hub that has ended, opened with the PIN by the hub's own reader.

use std::path::Path;
use std::sync::Arc;

use hub_appliance::appliance::OpenStore;
use hub_appliance::clock::{HubClock, HubTime, SystemClock};
use hub_appliance::keys::{KeyStore, Pin};
use hub_appliance::store::Store;
use hub_tests::hub::PIN;

/// Opens the store under a data folder, with a hub clock that shows no time before `floor`; the audit chain is verified on
/// the way.
pub(crate) fn open(data: &Path, floor: HubTime) -> Arc<Store> {
    let pin = Pin::parse(PIN).expect("the PIN of these tests is one");
    let master = KeyStore::at(data.join("keys"))
        .unlock_with_pin(&pin)
        .expect("the PIN opens the hub");
    let clock = Arc::new(HubClock::new(Box::new(SystemClock), floor));
    let store = OpenStore::open(&data.join("store"), &master, clock, true)
        .expect("the store opens")
        .store;
    assert_eq!(store.check_audit().expect("the store answers").broken, None);
    store
}
