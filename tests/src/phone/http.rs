//! One kept-alive HTTP/1.1 connection to a hub, as the app's runtime keeps it.
//!
//! Promise: light enough that a test's load comes from the hub, not from here; every answered status is counted; a
//! request that the hub has surely not seen (an idle connection that it closed) is sent again once, no other is.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpSocket, TcpStream};

/// Longest wait for one answer: the hub lets a first pull wait for its turn for four minutes.
const DEADLINE: Duration = Duration::from_secs(300);

/// Why no answer came.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The address is not of the form `http://HOST:PORT`.
    #[error("not of the form http://HOST:PORT")]
    Url,
    /// The path or a header can't stand in an HTTP request.
    #[error("not a valid request")]
    Request(#[from] hyper::http::Error),
    /// The hub can't be reached.
    #[error("cannot connect to the hub")]
    Connect(#[source] io::Error),
    /// The connection broke before the answer was whole.
    #[error("the connection broke")]
    Broken(#[from] hyper::Error),
    /// No answer within five minutes.
    #[error("no answer in time")]
    Deadline,
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After` in seconds, where the answer has it.
    pub retry_after: Option<u64>,
    /// The whole body.
    pub body: Bytes,
}

/// A connection to one hub, opened when first needed and kept.
#[derive(Debug)]
pub struct HttpClient {
    authority: String,
    source: Option<IpAddr>,
    sender: Option<SendRequest<Full<Bytes>>>,
    statuses: BTreeMap<u16, u64>,
}

impl HttpClient {
    /// A client of the hub at `http://HOST:PORT`; nothing is sent yet.
    ///
    /// # Errors
    /// [`HttpError::Url`] for any other form.
    pub fn new(url: &str) -> Result<Self, HttpError> {
        let authority = url.strip_prefix("http://").ok_or(HttpError::Url)?.trim_end_matches('/');
        let valid = authority
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        if !valid || authority.contains('/') {
            return Err(HttpError::Url);
        }
        Ok(Self {
            authority: authority.to_owned(),
            source: None,
            sender: None,
            statuses: BTreeMap::new(),
        })
    }

    /// Calls from `source` from now on, one of this machine's addresses: the whole of 127.0.0.0/8 is, so that each of
    /// many phones on one machine can have its own, as they do in a clinic.
    pub fn call_from(&mut self, source: IpAddr) {
        self.source = Some(source);
        self.disconnect();
    }

    /// How often each status was answered.
    #[must_use]
    pub fn statuses(&self) -> &BTreeMap<u16, u64> {
        &self.statuses
    }

    /// Closes the connection; the next request opens a new one.
    pub fn disconnect(&mut self) {
        self.sender = None;
    }

    /// Asks with GET.
    ///
    /// # Errors
    /// [`HttpError`] when no whole answer came; a status of failure is no error here.
    pub async fn get(&mut self, path: &str) -> Result<Reply, HttpError> {
        self.send(Method::GET, path, Bytes::new()).await
    }

    /// Sends a JSON body with POST.
    ///
    /// # Errors
    /// As [`HttpClient::get`].
    pub async fn post(&mut self, path: &str, body: impl Into<Bytes>) -> Result<Reply, HttpError> {
        self.send(Method::POST, path, body.into()).await
    }

    /// Sends any request, also one that no app would send.
    ///
    /// # Errors
    /// As [`HttpClient::get`].
    pub async fn send(&mut self, method: Method, path: &str, body: Bytes) -> Result<Reply, HttpError> {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        self.send_with(method, path, headers, body).await
    }

    /// Sends any request with these headers; `Host` and `Content-Length` are set to what they have to be.
    ///
    /// # Errors
    /// As [`HttpClient::get`].
    pub async fn send_with(
        &mut self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Reply, HttpError> {
        let mut request = Request::builder().method(method).uri(path).body(Full::new(body))?;
        *request.headers_mut() = headers;
        let host = HeaderValue::from_str(&self.authority).map_err(hyper::http::Error::from)?;
        request.headers_mut().insert(HOST, host);
        request.headers_mut().remove(CONTENT_LENGTH);
        let reply = tokio::time::timeout(DEADLINE, self.exchange(request)).await;
        let reply = reply.unwrap_or(Err(HttpError::Deadline));
        match &reply {
            Ok(reply) => *self.statuses.entry(reply.status).or_default() += 1,
            Err(_) => self.disconnect(),
        }
        reply
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<Reply, HttpError> {
        let first = self.sender().await?.try_send_request(request).await;
        let response = match first {
            Ok(response) => response,
            Err(mut unsent) => match unsent.take_message() {
                Some(request) => {
                    self.disconnect();
                    self.sender().await?.send_request(request).await?
                }
                None => return Err(unsent.into_error().into()),
            },
        };
        let status = response.status().as_u16();
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse().ok());
        let body = response.into_body().collect().await?.to_bytes();
        Ok(Reply {
            status,
            retry_after,
            body,
        })
    }

    /// The open connection; it is opened if there is none or the hub closed it.
    async fn sender(&mut self) -> Result<&mut SendRequest<Full<Bytes>>, HttpError> {
        let mut kept = self.sender.take();
        if let Some(sender) = &mut kept
            && sender.ready().await.is_err()
        {
            kept = None;
        }
        let open = match kept {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        Ok(self.sender.insert(open))
    }

    async fn open(&self) -> io::Result<TcpStream> {
        let Some(source) = self.source else {
            return TcpStream::connect(&self.authority).await;
        };
        let mut addresses = tokio::net::lookup_host(&self.authority).await?;
        let hub = addresses.find(|address| address.is_ipv4() == source.is_ipv4());
        let hub = hub.ok_or(io::ErrorKind::AddrNotAvailable)?;
        let socket = if source.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        socket.bind((source, 0).into())?;
        socket.connect(hub).await
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, HttpError> {
        let stream = self.open().await.map_err(HttpError::Connect)?;
        stream.set_nodelay(true).map_err(HttpError::Connect)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // The task ends when the sender is dropped or the hub closes; whoever waits for an answer gets the error.
        tokio::spawn(connection);
        Ok(sender)
    }
}
