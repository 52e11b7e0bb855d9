//! `POST /rpc/handshake`: key agreement with a phone, and its pairing where it is new.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::response::Response;
use tokio::time::Instant;

use super::PairedPhone;
use super::gate::Lease;
use super::places::Guest;
use super::routes::{Front, Origin, must_be_json};
use super::status::{Failure, json};
use super::work::{blocking, wait_open};
use crate::store::devices::Standing;
use crate::wire::message::HandshakeRequest;
use crate::wire::reply::handshake_response;

/// For a known device all of it is done in memory on this thread: the app hands shakes before every single call.
pub(super) async fn handshake(
    State(front): State<Arc<Front>>,
    Extension(origin): Extension<Origin>,
    Extension(guest): Extension<Guest>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    drop(front.gate.enter()?);
    must_be_json(&headers)?;
    let body = front
        .bodies
        .read(body, front.limits.handshake_bytes, &guest, |_| Ok(()))
        .await?;
    let request = HandshakeRequest::parse(&body.bytes)?;

    let hub = front.gate.enter()?;
    let now = Instant::now().into_std();
    let standing = hub.devices.standing(request.client_id);
    match standing {
        Standing::Active(_) => front.known_devices.admit(origin.address, now)?,
        Standing::Unknown => front.new_devices.admit(origin.address, now)?,
        Standing::Revoked => return Err(Failure::DeviceRevoked),
    }
    // Before pairing, so that a key that agrees on nothing leaves nothing behind.
    let agreement = hub.identity.agree(&request.client_public_key)?;
    if standing == Standing::Unknown {
        pair(&front, origin, &hub, &request).await?;
    }
    hub.sessions.insert(request.client_id, &agreement.session_key, now);
    Ok(json(handshake_response(
        &agreement.hub_public_key,
        &hub.hub_id,
        &hub.hub_name,
    )))
}

/// Stores a new phone and tells the appliance, both even if the phone hangs up meanwhile: the place is taken exactly
/// when the phone is stored.
async fn pair(front: &Front, origin: Origin, hub: &Lease, request: &HandshakeRequest) -> Result<(), Failure> {
    let claim = wait_open(hub, front.limits.queue_time, hub.pairing.claim())
        .await?
        .ok_or(Failure::PairingClosed)?;
    let (hub, hooks) = (hub.clone(), Arc::clone(&front.hooks));
    let (client, name) = (request.client_id, request.device_name.clone());
    blocking(Arc::clone(&front.hooks), origin.correlation, move || {
        match hub.devices.standing(client) {
            Standing::Unknown => {}
            // Its first handshake was still being stored when this one, its second, was looked up.
            Standing::Active(_) => return Ok(()),
            Standing::Revoked => return Err(Failure::DeviceRevoked),
        }
        match hub.devices.pair(client, name.clone()) {
            Ok(device) => {
                claim.take();
                hooks.paired(&PairedPhone { client, device, name });
                Ok(())
            }
            Err(error) => {
                hooks.not_paired(&error);
                Err(error.into())
            }
        }
    })
    .await
}
