//! Attacks on the running hub, and honest days that are as bad: what `wire.md` allows to whom, under the limits of a small
//! board where it is about load.
//!
//! They stay on loopback and in networks that the tests make themselves, and each ends by itself.

#![allow(clippy::print_stderr, reason = "figures for people, and what this machine lacks")]

mod accounts;
mod confined;
mod http;
mod limits;
mod loads;
mod storms;
mod strangers;

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use hub_tests::clinic::{Clinic, ClinicSize, DemoUser};
use hub_tests::hub::{Log, TestHub};
use hub_tests::phone::http::HttpClient;
use hub_tests::phone::wire::{Curve, KeyPair};
use hub_tests::phone::{HubClient, Phone};
use hyper::Method;
use serde_json::json;

const HANDSHAKE: &str = "/rpc/handshake";

fn clinic() -> Clinic {
    let size = ClinicSize {
        patients: 20,
        visits: 40,
        events: 80,
    };
    Clinic::generate(12, size)
}

async fn hub(clinic: &Clinic) -> TestHub {
    TestHub::with_clinic(clinic, Log::Warnings).await.unwrap()
}

fn nurse(clinic: &Clinic) -> &DemoUser {
    clinic.user("nurse@clinic.example").unwrap()
}

/// The body of a handshake of this client with a new key.
fn handshake_of(client: &str) -> String {
    let key = KeyPair::generate(Curve::X25519).unwrap().public_key();
    json!({"client_id": client, "client_public_key": key, "device_name": "Stranger"}).to_string()
}

fn from(url: &str, address: impl Into<IpAddr>) -> HttpClient {
    let mut http = HttpClient::new(url).unwrap();
    http.call_from(address.into());
    http
}
