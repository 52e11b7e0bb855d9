//! HTTPS to the cloud: the only file of the hub that calls anybody.
//!
//! It promises: plain HTTP only to loopback, no redirect to another host, every wait and every answer bounded, no more than
//! 60 requests in a minute, and the key in no error and no log.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::Instant;

use super::registration::Device;
use crate::secret::SecretText;

const CONNECT: Duration = Duration::from_secs(30);
/// The longest that nothing may come; a cloud that reads hundreds of megabytes out of its database is silent for long.
const SILENCE: Duration = Duration::from_secs(180);
/// All of a small request.
const SMALL: Duration = Duration::from_secs(120);
/// All of a push.
const PUSH: Duration = Duration::from_secs(20 * 60);
/// All of a pull: 100 MB by satellite.
const PULL: Duration = Duration::from_secs(6 * 60 * 60);
/// The largest answer to anything but a pull, bytes.
const ANSWER: usize = 256 * 1024;
/// The largest answer to a pull, bytes.
pub(super) const PULLED: u64 = 4 * 1024 * 1024 * 1024;
/// The cloud takes so many requests in a sliding minute.
const RATE: usize = 60;
const MINUTE: Duration = Duration::from_secs(60);
/// The longest that a cloud may ask to be left alone.
const LONGEST_RETRY: Duration = Duration::from_secs(60 * 60);
const HOPS: usize = 3;

/// Why a request came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum CloudError {
    /// Nobody answered, or the connection broke.
    #[error("the cloud can't be reached: {0}")]
    Network(&'static str),
    /// The cloud asks to be left alone for a while.
    #[error("the cloud asks for fewer requests")]
    TooMany(Duration),
    /// The key is not known to the cloud, or not any more.
    #[error("the cloud refuses the key")]
    Refused,
    /// The cloud could not do what it was asked.
    #[error("the cloud answers with status {0}")]
    Status(u16),
    /// It is not what a cloud answers.
    #[error("the cloud's answer makes no sense")]
    Answer,
    /// A row of the request makes the cloud fail.
    #[error("the cloud fails at a row")]
    BadRow,
    /// The address or the certificate is none.
    #[error("the address of the cloud or its certificate can't be used")]
    Settings,
}

/// A cloud and the key to it.
pub(super) struct Cloud {
    client: Client,
    base: Url,
    key: SecretText,
    bearer: HeaderValue,
    calls: Mutex<VecDeque<Instant>>,
}

impl Cloud {
    /// For the cloud at `url`; `ca` holds more certificates to trust, as PEM.
    ///
    /// # Errors
    /// [`CloudError::Settings`].
    pub(super) fn new(url: &str, key: SecretText, ca: &str) -> Result<Self, CloudError> {
        let mut base = Url::parse(url).map_err(|_| CloudError::Settings)?;
        if !may_be_called(&base) {
            return Err(CloudError::Settings);
        }
        if !base.path().ends_with('/') {
            let path = format!("{}/", base.path());
            base.set_path(&path);
        }
        let mut bearer =
            HeaderValue::from_str(&format!("Bearer {}", key.expose())).map_err(|_| CloudError::Settings)?;
        bearer.set_sensitive(true);
        let client = Client::builder()
            .tls_backend_preconfigured(tls(ca)?)
            .user_agent(concat!("hikma-hub/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .redirect(same_host())
            .no_proxy()
            .build()
            .map_err(|_| CloudError::Settings)?;
        Ok(Self {
            client,
            base,
            key,
            bearer,
            calls: Mutex::default(),
        })
    }

    /// Asks who this hub is to the cloud.
    pub(super) async fn verify(&self) -> Result<Device, CloudError> {
        let body = serde_json::json!({"api_key": self.key.expose()}).to_string();
        let request = self
            .client
            .post(self.url("api/hub/verify-key")?)
            .header(CONTENT_TYPE, "application/json")
            .body(body)
            .timeout(SMALL);
        let response = request.send().await.map_err(network)?;
        let status = response.status();
        if status == StatusCode::UNAUTHORIZED {
            return Err(CloudError::Refused);
        }
        if let Some(error) = unwell(&response) {
            return Err(error);
        }
        Device::parse(&bounded(response).await?).ok_or(CloudError::Answer)
    }

    /// Begins a pull; its body comes in pieces.
    pub(super) async fn pull(&self, since: i64) -> Result<Response, CloudError> {
        self.take_turn().await;
        let request = self
            .client
            .get(self.sync_url(since)?)
            .header(AUTHORIZATION, self.bearer.clone())
            .timeout(PULL);
        let response = request.send().await.map_err(network)?;
        if response.status() == StatusCode::UNAUTHORIZED {
            return Err(CloudError::Refused);
        }
        unwell(&response).map_or(Ok(response), Err)
    }

    /// Pushes. Done only when the cloud says so in so many words. A 401 is the cloud's word for some bad rows too: what it
    /// means is for `verify` to say.
    pub(super) async fn push(&self, pulled_at: i64, body: String) -> Result<(), CloudError> {
        self.take_turn().await;
        let request = self
            .client
            .post(self.sync_url(pulled_at)?)
            .header(AUTHORIZATION, self.bearer.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(body)
            .timeout(PUSH);
        let response = request.send().await.map_err(network)?;
        let status = response.status();
        if status == StatusCode::TOO_MANY_REQUESTS {
            return Err(unwell(&response).unwrap_or(CloudError::Answer));
        }
        let answer = bounded(response).await?;
        match status {
            StatusCode::OK if is_success(&answer) => Ok(()),
            StatusCode::OK if answer.starts_with(b"[object Object]") => Err(CloudError::BadRow),
            StatusCode::UNAUTHORIZED => Err(CloudError::Refused),
            StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => Err(CloudError::BadRow),
            StatusCode::INTERNAL_SERVER_ERROR if is_about_a_row(&answer) => Err(CloudError::BadRow),
            StatusCode::OK => Err(CloudError::Answer),
            status => Err(CloudError::Status(status.as_u16())),
        }
    }

    fn url(&self, path: &str) -> Result<Url, CloudError> {
        self.base.join(path).map_err(|_| CloudError::Settings)
    }

    fn sync_url(&self, since: i64) -> Result<Url, CloudError> {
        self.url(&format!("api/v2/sync?last_pulled_at={since}&peerType=sync_hub"))
    }

    /// Waits until another request is within the rate.
    async fn take_turn(&self) {
        loop {
            let now = Instant::now();
            let until = {
                let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
                while calls.front().is_some_and(|call| *call + MINUTE <= now) {
                    calls.pop_front();
                }
                match calls.front() {
                    Some(first) if calls.len() >= RATE => *first + MINUTE,
                    _ => {
                        calls.push_back(now);
                        return;
                    }
                }
            };
            tokio::time::sleep_until(until).await;
        }
    }
}

/// HTTPS, or HTTP to this very machine; no name and password in it.
pub fn may_be_called(url: &Url) -> bool {
    let is_loopback = match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => return false,
    };
    let scheme = url.scheme() == "https" || (url.scheme() == "http" && is_loopback);
    scheme && url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none()
}

fn same_host() -> Policy {
    Policy::custom(|attempt| {
        let origin = attempt.previous().first().map(Url::origin);
        if attempt.previous().len() > HOPS || origin != Some(attempt.url().origin()) {
            attempt.stop()
        } else {
            attempt.follow()
        }
    })
}

/// Whether this text has certificates, as PEM, and all of them can be trusted in.
#[must_use]
pub fn are_certificates(text: &str) -> bool {
    add_certificates(&mut RootCertStore::empty(), text).is_ok_and(|added| added > 0)
}

/// Adds the certificates of a text, and says how many.
fn add_certificates(roots: &mut RootCertStore, text: &str) -> Result<usize, CloudError> {
    let mut added = 0;
    for certificate in CertificateDer::pem_slice_iter(text.as_bytes()) {
        let certificate = certificate.map_err(|_| CloudError::Settings)?;
        roots.add(certificate).map_err(|_| CloudError::Settings)?;
        added += 1;
    }
    Ok(added)
}

fn tls(ca: &str) -> Result<ClientConfig, CloudError> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    add_certificates(&mut roots, ca)?;
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| CloudError::Settings)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// What kind of failure it was; the rest of the error may hold an address.
pub(super) fn network(error: reqwest::Error) -> CloudError {
    CloudError::Network(match error {
        error if error.is_timeout() => "it took too long",
        error if error.is_connect() => "no connection",
        _ => "the connection broke",
    })
}

/// What a status says that is none of success.
fn unwell(response: &Response) -> Option<CloudError> {
    match response.status() {
        StatusCode::OK => None,
        StatusCode::TOO_MANY_REQUESTS => {
            let header = response.headers().get(RETRY_AFTER);
            let seconds = header.and_then(|value| value.to_str().ok()?.trim().parse().ok());
            let asked = Duration::from_secs(seconds.unwrap_or(60));
            Some(CloudError::TooMany(asked.clamp(Duration::from_secs(1), LONGEST_RETRY)))
        }
        status => Some(CloudError::Status(status.as_u16())),
    }
}

async fn bounded(mut response: Response) -> Result<Vec<u8>, CloudError> {
    let mut answer = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(network)? {
        if answer.len() + piece.len() > ANSWER {
            return Err(CloudError::Answer);
        }
        answer.extend_from_slice(&piece);
    }
    Ok(answer)
}

/// The next piece of a body.
pub(super) async fn next_piece(response: &mut Response) -> Result<Option<Bytes>, CloudError> {
    response.chunk().await.map_err(network)
}

fn is_success(answer: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(answer).is_ok_and(|answer| answer["success"] == true)
}

/// The older cloud's mute error, or the newer one's: what else comes with a 500 is not the cloud's program.
fn is_about_a_row(answer: &[u8]) -> bool {
    let answer: serde_json::Value = serde_json::from_slice(answer).unwrap_or_default();
    (answer["unhandled"] == true && answer["status"] == 500) || answer["error"].is_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cloud_is_left_alone_for_as_long_as_it_asks_and_for_an_hour_at_most() {
        let waits = |header: Option<&str>| {
            let mut answer = axum::http::Response::builder().status(429);
            if let Some(seconds) = header {
                answer = answer.header(RETRY_AFTER, seconds);
            }
            let answer = answer.body(String::new()).unwrap();
            match unwell(&answer.into()) {
                Some(CloudError::TooMany(wait)) => wait.as_secs(),
                other => panic!("{other:?}"),
            }
        };
        for (header, seconds) in [
            (Some("1"), 1),
            (Some(" 47 "), 47),
            (Some("0"), 1),
            (Some("3600"), 3600),
            (Some("86400"), 3600),
            (Some("18446744073709551615"), 3600),
            // None of the cloud's: a minute, after which its bucket has room again.
            (Some("-5"), 60),
            (Some("Wed, 21 Oct 2026 07:28:00 GMT"), 60),
            (Some(""), 60),
            (None, 60),
        ] {
            assert_eq!(waits(header), seconds, "{header:?}");
        }
    }
}
