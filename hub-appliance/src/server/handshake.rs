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
    let answered = shake(&front, origin, &hub, &request).await;
    if let Err(refusal) = answered.as_ref().map_err(|failure| failure.refusal())
        && let Some(refusal) = refusal
    {
        hub.devices.refused(refusal, Some(request.client_id), origin.address);
    }
    answered
}

async fn shake(front: &Front, origin: Origin, hub: &Lease, request: &HandshakeRequest) -> Result<Response, Failure> {
    let now = Instant::now().into_std();
    let client = request.client_id;
    let standing = hub.devices.standing(client);
    match standing {
        Standing::Active(_) => front.known_devices.admit((client, origin.address), now)?,
        Standing::Unknown => front.new_devices.admit(origin.address, now)?,
        Standing::Revoked => return Err(Failure::DeviceRevoked),
    }
    // Before pairing, so that a key that agrees on nothing leaves nothing behind.
    let agreement = hub.identity.agree(&request.client_public_key)?;
    if standing == Standing::Unknown {
        pair(front, origin, hub, request).await?;
        hub.sessions
            .insert_paired(client, &agreement.session_key, origin.address, now);
    } else {
        hub.sessions.insert(client, &agreement.session_key, origin.address, now);
    }
    Ok(json(handshake_response(
        &agreement.hub_public_key,
        &hub.hub_id,
        &hub.hub_name,
    )))
}

/// Stores a new phone and tells the appliance, both even if the phone hangs up meanwhile: the place is taken exactly
/// when the phone is stored.
async fn pair(front: &Front, origin: Origin, hub: &Lease, request: &HandshakeRequest) -> Result<(), Failure> {
    let client = request.client_id;
    let is_known = || hub.devices.standing(client) != Standing::Unknown;
    let claim = wait_open(
        hub,
        front.limits.queue_time,
        hub.pairing.claim(origin.address, is_known),
    )
    .await??;
    let Some(claim) = claim else {
        // Its first handshake was still being stored when this one, its second, was looked up.
        return match hub.devices.standing(client) {
            Standing::Active(_) => Ok(()),
            _ => Err(Failure::DeviceRevoked),
        };
    };
    let (hub, hooks) = (hub.clone(), Arc::clone(&front.hooks));
    let name = request.device_name.clone();
    blocking(Arc::clone(&front.hooks), origin.correlation, move || {
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
