//! One run: ask who this hub is, pull, push, and pull what came back.

use std::cell::Cell;

use super::Surroundings;
use super::http::{Cloud, CloudError};
use super::outbox::Records;
use super::pull::{self, PullError};
use super::push::Push;
use super::registration::Device;
use super::schedule::Ended;
use super::status::{Progress, RelayState};
use crate::store::relay::{CloudState, Pulled};
use crate::store::{Store, StoreError};

/// A transaction that was open during a pull is missed, so each begins this much earlier, ms.
pub(super) const OVERLAP_MS: i64 = 10 * 60 * 1000;
/// After this the cloud is asked for everything once, ms: some changes are never announced.
pub(super) const WHOLE_MS: i64 = 7 * 24 * 60 * 60 * 1000;
/// A `timestamp` that is earlier than the one before by more than this tells that the cloud's clock was set back, and not
/// that another of its machines answered, ms.
const SET_BACK_MS: i64 = 60 * 1000;

/// What a run is to do beside what there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// A person asked: what is held is tried again.
    pub asked: bool,
    /// Everything is compared.
    pub whole: bool,
}

/// Runs once, and says how it ended and where that leaves the relay.
pub(super) async fn run(
    cloud: &Cloud,
    store: &Store,
    progress: &Progress,
    surroundings: &impl Surroundings,
    wish: Wish,
) -> (Ended, RelayState) {
    let taken = Cell::new(0);
    let met = |device: &Device| surroundings.is_known_as(&device.id, device.name());
    match attempt(cloud, store, progress, &met, wish, &taken).await {
        Ok(None) => (Ended::Done, RelayState::Waiting),
        Ok(Some(state)) => (Ended::Waits, state),
        Err(PullError::Cloud(CloudError::Refused)) => (Ended::Refused, RelayState::Refused),
        Err(error) => {
            tracing::warn!(%error, "the relay to the cloud failed");
            let ended = match error {
                PullError::Cloud(CloudError::TooMany(stay_away)) => Ended::Crowded(stay_away),
                _ if taken.get() > 0 => Ended::CutOff,
                _ => Ended::Failed,
            };
            (ended, RelayState::Failed)
        }
    }
}

async fn attempt(
    cloud: &Cloud,
    store: &Store,
    progress: &Progress,
    met: &dyn Fn(&Device),
    wish: Wish,
    taken: &Cell<usize>,
) -> Result<Option<RelayState>, PullError> {
    progress.is(RelayState::Receiving);
    let device = cloud.verify().await?;
    met(&device);
    if !device.is_active() {
        return Ok(Some(RelayState::Inactive));
    }
    // Without clinics the cloud sends those of all.
    if device.clinics().is_empty() {
        return Ok(Some(RelayState::NoClinic));
    }
    let state = store.read(|snapshot| snapshot.cloud_state())?;
    let now = store.clock().peek().millis();
    // Old rows of a clinic that came are never announced, nor are the rights in one that went.
    let is_whole = wish.whole
        || device.clinics().len() != state.clinics.len()
        || device.clinics().iter().any(|clinic| !state.clinics.contains(clinic))
        || now - state.whole_pull_at.millis() > WHOLE_MS;
    if device.clinics().iter().any(|clinic| !state.clinics.contains(clinic)) {
        store.forget_withdrawn()?;
    }
    let (since, timestamp) = receive(cloud, store, &state, &device, is_whole).await?;
    store.retry_cloud_holds(wish.asked)?;
    let total = store.read(|snapshot| snapshot.cloud_waiting())?;
    if total > 0 {
        progress.is(RelayState::Sending { sent: 0, total });
        let records = Records {
            store,
            clinics: device.clinics(),
            cursor: store.read::<_, StoreError>(|snapshot| Ok(snapshot.cloud_state()?.push_cursor))?,
        };
        let push = Push {
            outbox: &records,
            cloud,
            progress,
            pulled_at: since,
            verified: Cell::new(false),
            taken,
        };
        push.run().await?;
        if taken.get() > 0 {
            progress.is(RelayState::Receiving);
            let since = (timestamp - OVERLAP_MS).max(1);
            let (spool, timestamp) = pull::pull(cloud, since, store.spool()).await?;
            store.apply_answer(&spool, pulled(timestamp, since, device.clinics()))?;
        }
    }
    store.end_cloud_run()?;
    Ok(None)
}

/// Pulls what the cloud has for this hub, and applies it. Gives what the pull began at, and the answer's `timestamp`.
async fn receive(
    cloud: &Cloud,
    store: &Store,
    state: &CloudState,
    device: &Device,
    is_whole: bool,
) -> Result<(i64, i64), PullError> {
    if !is_whole || state.pull_cursor > 0 {
        let mut since = overlapping(state);
        let (mut spool, mut timestamp) = pull::pull(cloud, since, store.spool()).await?;
        if timestamp < state.pull_cursor - SET_BACK_MS {
            // What changed between the two times is told by neither: everything is asked for, with the deletions.
            tracing::warn!("the cloud's clock was set back");
            drop(spool);
            since = 1;
            (spool, timestamp) = pull::pull(cloud, since, store.spool()).await?;
        }
        // A clinic that came counts once its old rows are here.
        let clinics = if is_whole { &state.clinics } else { device.clinics() };
        store.apply_answer(&spool, pulled(timestamp, since, clinics))?;
        if !is_whole {
            return Ok((since, timestamp));
        }
    }
    // From 0 the cloud tells of no deletions: those came just now.
    let (spool, timestamp) = pull::pull(cloud, 0, store.spool()).await?;
    store.apply_answer(&spool, pulled(timestamp, 0, device.clinics()))?;
    Ok((0, timestamp))
}

fn pulled(timestamp: i64, since: i64, clinics: &[String]) -> Pulled {
    Pulled {
        timestamp,
        is_whole: since == 0,
        clinics: clinics.to_vec(),
    }
}

pub(super) fn overlapping(state: &CloudState) -> i64 {
    if state.pull_cursor == 0 {
        0
    } else {
        (state.pull_cursor - OVERLAP_MS).max(1)
    }
}

/// Reads again how much waits and is held.
///
/// # Errors
/// What the store reports.
pub(super) fn look(store: &Store, progress: &Progress) -> Result<(), StoreError> {
    let (done_at, waiting, held) = store.read::<_, StoreError>(|snapshot| {
        Ok((
            snapshot.cloud_state()?.done_at,
            snapshot.cloud_waiting()?,
            snapshot.cloud_held()?,
        ))
    })?;
    progress.set(|status| (status.done_at, status.waiting, status.held) = (done_at, waiting, held));
    Ok(())
}
