//! A phone's conversation with a hub: handshake, sealed commands and queries, login and logout.
//!
//! Promise: it takes as success exactly what the app takes as success (a 2xx whose payload opens), and keeps what the
//! hub refuses apart from what the hub gets wrong.

use std::time::Duration;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::http::{HttpClient, HttpError, Reply};
use super::wire::{Curve, KeyPair, Message, Session, WireError};

/// Why a call gave no result.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The hub answered with a status of failure.
    #[error("the hub refused: status {status}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// `Retry-After` in seconds, where the answer has it.
        retry_after: Option<u64>,
        /// The generic text of the body; empty where the body is.
        error: String,
    },
    /// No answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// A key or an envelope of the hub's is not usable.
    #[error("the hub's answer: {0}")]
    Wire(#[from] WireError),
    /// A 200 whose body, or whose opened result, is not what the contract says.
    #[error("the hub's answer has another shape than the contract's")]
    Shape(#[source] serde_json::Error),
    /// A 200 that says `"success":false`: the app would take it for data.
    #[error("status 200 with a failure in it")]
    FailureInSuccess,
    /// A result that is no object or array: the app takes a null for a decryption failure.
    #[error("the result is neither an object nor an array")]
    NotAnAnswer,
    /// The hub's key or id is another than the one this phone was paired with.
    #[error("another hub answered")]
    OtherHub,
    /// No handshake was made before the call.
    #[error("no session")]
    NoSession,
}

impl ClientError {
    /// The status that the hub refused with, where it did.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// The answer to a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Heartbeat {
    /// `ok`.
    pub status: String,
    /// Whether the hub is locked.
    pub locked: bool,
    /// Version of the wire contract.
    pub protocol: u32,
}

/// The hub as a handshake shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubIdentity {
    /// The hub's key on this phone's curve, base64url.
    pub hub_public_key: String,
    /// The id that never changes.
    pub hub_id: String,
    /// The name, which may change.
    pub hub_name: String,
}

/// The answer to a login.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the contract's field names, listed there")]
pub struct Login {
    pub token: String,
    pub user_id: String,
    pub clinic_id: String,
    pub role: String,
    pub provider_name: String,
    pub clinic_name: String,
    pub email: String,
}

/// What the app sends to `/rpc/handshake`.
#[derive(Serialize)]
struct HandshakeRequest<'a> {
    client_id: &'a str,
    client_public_key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_name: Option<&'a str>,
}

#[derive(Serialize)]
struct Envelope<'a> {
    client_id: &'a str,
    payload: &'a str,
}

#[derive(Serialize)]
struct Command<'a, T> {
    command: &'a str,
    data: T,
    token: Option<&'a str>,
}

#[derive(Serialize)]
struct Query<'a, T> {
    query: &'a str,
    params: T,
    token: Option<&'a str>,
}

#[derive(Deserialize)]
struct Sealed<'a> {
    payload: &'a str,
    success: bool,
}

#[derive(Deserialize)]
struct Failure {
    error: String,
}

#[derive(Serialize)]
struct Nothing {}

/// One phone's side of the conversation.
#[derive(Debug)]
pub struct HubClient {
    http: HttpClient,
    client_id: String,
    curve: Curve,
    device_name: Option<String>,
    paired_key: Option<String>,
    hub: Option<HubIdentity>,
    session: Option<Session>,
    token: Option<String>,
}

impl HubClient {
    /// A phone of that id that will talk to the hub at `url` (`http://HOST:PORT`), on X25519 as the app does.
    ///
    /// # Errors
    /// [`HttpError::Url`] when the address is of another form.
    pub fn new(url: &str, client_id: &str) -> Result<Self, ClientError> {
        Ok(Self {
            http: HttpClient::new(url)?,
            client_id: client_id.to_owned(),
            curve: Curve::X25519,
            device_name: None,
            paired_key: None,
            hub: None,
            session: None,
            token: None,
        })
    }

    /// Makes its keys on another curve.
    #[must_use]
    pub fn on_curve(mut self, curve: Curve) -> Self {
        self.curve = curve;
        self
    }

    /// Hands shakes on another curve from now on.
    pub fn set_curve(&mut self, curve: Curve) {
        self.curve = curve;
    }

    /// Gives its name at every handshake.
    #[must_use]
    pub fn named(mut self, device_name: &str) -> Self {
        self.device_name = Some(device_name.to_owned());
        self
    }

    /// Accepts only the hub with this X25519 key, the `pk` of a QR code.
    #[must_use]
    pub fn paired_with(mut self, key: Option<String>) -> Self {
        self.paired_key = key;
        self
    }

    /// The id that the app chose once.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Expects the hub of an earlier handshake, and no other.
    pub fn remember_hub(&mut self, hub: Option<HubIdentity>) {
        self.hub = hub;
    }

    /// The hub of the last handshake.
    #[must_use]
    pub fn hub(&self) -> Option<&HubIdentity> {
        self.hub.as_ref()
    }

    /// The token of the last login.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Puts another token in the place of the last login's, or none.
    pub fn set_token(&mut self, token: Option<String>) {
        self.token = token;
    }

    /// The session of the last handshake.
    #[must_use]
    pub fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// Puts another session in the place of the last handshake's, or none.
    pub fn set_session(&mut self, session: Option<Session>) {
        self.session = session;
    }

    /// The connection, for its counts of statuses and for requests that no app would send.
    pub fn http(&mut self) -> &mut HttpClient {
        &mut self.http
    }

    /// Asks whether the hub is there.
    ///
    /// # Errors
    /// [`ClientError`], as every call.
    pub async fn heartbeat(&mut self) -> Result<Heartbeat, ClientError> {
        let reply = accepted(self.http.get("/rpc/heartbeat").await?)?;
        serde_json::from_slice(&reply.body).map_err(ClientError::Shape)
    }

    /// Makes a new key pair and a session, as the app does before every sync and every online call.
    ///
    /// # Errors
    /// [`ClientError::OtherHub`] when the hub is not the one paired with; else as every call.
    pub async fn handshake(&mut self) -> Result<&HubIdentity, ClientError> {
        let keys = KeyPair::generate(self.curve)?;
        let request = HandshakeRequest {
            client_id: &self.client_id,
            client_public_key: keys.public_key(),
            device_name: self.device_name.as_deref(),
        };
        let reply = accepted(self.http.post("/rpc/handshake", to_json(&request)?).await?)?;
        let success: Value = serde_json::from_slice(&reply.body).map_err(ClientError::Shape)?;
        if success["success"] != Value::Bool(true) {
            return Err(ClientError::FailureInSuccess);
        }
        let hub = HubIdentity::deserialize(success).map_err(ClientError::Shape)?;
        let other_id = self.hub.as_ref().is_some_and(|known| known.hub_id != hub.hub_id);
        let other_key = self.curve == Curve::X25519
            && self
                .paired_key
                .as_ref()
                .is_some_and(|paired| *paired != hub.hub_public_key);
        if other_id || other_key {
            return Err(ClientError::OtherHub);
        }
        self.session = Some(keys.agree(&hub.hub_public_key)?);
        Ok(self.hub.insert(hub))
    }

    /// As [`HubClient::handshake`], at once when the hub says that it is time: for a test whose phones shake hands more often
    /// than people sync.
    ///
    /// # Errors
    /// As [`HubClient::handshake`].
    pub async fn handshake_in_turn(&mut self) -> Result<(), ClientError> {
        loop {
            match self.handshake().await.map(drop) {
                Err(ClientError::Refused {
                    status: 429,
                    retry_after: Some(seconds),
                    ..
                }) => tokio::time::sleep(Duration::from_secs(seconds)).await,
                other => return other,
            }
        }
    }

    /// Sends a command and reads its result.
    ///
    /// # Errors
    /// [`ClientError`], as every call.
    pub async fn command<R: DeserializeOwned>(&mut self, name: &str, data: impl Serialize) -> Result<R, ClientError> {
        read(&self.command_bytes(name, data).await?)
    }

    /// Sends a query and reads its result.
    ///
    /// # Errors
    /// [`ClientError`], as every call.
    pub async fn query<R: DeserializeOwned>(&mut self, name: &str, params: impl Serialize) -> Result<R, ClientError> {
        read(&self.query_bytes(name, params).await?)
    }

    /// Sends a command and gives its opened result as it came.
    ///
    /// # Errors
    /// [`ClientError`], as every call.
    pub async fn command_bytes(&mut self, name: &str, data: impl Serialize) -> Result<Vec<u8>, ClientError> {
        let plaintext = to_json(&Command {
            command: name,
            data,
            token: self.token.as_deref(),
        })?;
        self.exchange("/rpc/command", Message::Command, Message::CommandResponse, &plaintext)
            .await
    }

    /// Sends a query and gives its opened result as it came.
    ///
    /// # Errors
    /// [`ClientError`], as every call.
    pub async fn query_bytes(&mut self, name: &str, params: impl Serialize) -> Result<Vec<u8>, ClientError> {
        let plaintext = to_json(&Query {
            query: name,
            params,
            token: self.token.as_deref(),
        })?;
        self.exchange("/rpc/query", Message::Query, Message::QueryResponse, &plaintext)
            .await
    }

    /// Logs in and keeps the token.
    ///
    /// # Errors
    /// A status of 401 for wrong credentials, 429 while backed off; else as every call.
    pub async fn login(&mut self, email: &str, password: &str) -> Result<Login, ClientError> {
        self.token = None;
        let login: Login = self
            .command("login", serde_json::json!({"email": email, "password": password}))
            .await?;
        self.token = Some(login.token.clone());
        Ok(login)
    }

    /// Ends the token.
    ///
    /// # Errors
    /// [`ClientError`], as every call.
    pub async fn logout(&mut self) -> Result<(), ClientError> {
        self.command_bytes("logout", Nothing {}).await?;
        self.token = None;
        Ok(())
    }

    /// Sends the command `ping`.
    ///
    /// # Errors
    /// [`ClientError`], as every call.
    pub async fn ping(&mut self) -> Result<(), ClientError> {
        self.command_bytes("ping", Nothing {}).await.map(drop)
    }

    /// Seals a plaintext, also one that no app would send, posts it and opens the answer.
    ///
    /// # Errors
    /// [`ClientError`], as every call.
    pub async fn exchange(
        &mut self,
        path: &str,
        request: Message,
        response: Message,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, ClientError> {
        let payload = self
            .session
            .as_ref()
            .ok_or(ClientError::NoSession)?
            .seal(request, plaintext)?;
        self.exchange_sealed(path, response, &payload).await
    }

    /// Posts a payload that was sealed before, a replayed one for example, and opens the answer.
    ///
    /// # Errors
    /// [`ClientError`], as every call.
    pub async fn exchange_sealed(
        &mut self,
        path: &str,
        response: Message,
        payload: &str,
    ) -> Result<Vec<u8>, ClientError> {
        let body = to_json(&Envelope {
            client_id: &self.client_id,
            payload,
        })?;
        let reply = accepted(self.http.post(path, body).await?)?;
        let sealed: Sealed<'_> = serde_json::from_slice(&reply.body).map_err(ClientError::Shape)?;
        if !sealed.success {
            return Err(ClientError::FailureInSuccess);
        }
        let result = self
            .session
            .as_ref()
            .ok_or(ClientError::NoSession)?
            .open(response, sealed.payload)?;
        match result.first() {
            Some(b'{' | b'[') => Ok(result),
            _ => Err(ClientError::NotAnAnswer),
        }
    }
}

fn accepted(reply: Reply) -> Result<Reply, ClientError> {
    if (200..300).contains(&reply.status) {
        return Ok(reply);
    }
    let error = serde_json::from_slice(&reply.body)
        .map(|failure: Failure| failure.error)
        .unwrap_or_default();
    Err(ClientError::Refused {
        status: reply.status,
        retry_after: reply.retry_after,
        error,
    })
}

fn to_json(value: &impl Serialize) -> Result<Bytes, ClientError> {
    serde_json::to_vec(value).map(Bytes::from).map_err(ClientError::Shape)
}

fn read<R: DeserializeOwned>(bytes: &[u8]) -> Result<R, ClientError> {
    serde_json::from_slice(bytes).map_err(ClientError::Shape)
}

#[cfg(test)]
mod tests;
