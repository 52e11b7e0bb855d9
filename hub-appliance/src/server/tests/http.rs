//! A small HTTP client on a bare socket, and what holds for every request, whatever it asks.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::{Hub, paired};
use crate::server::places::Places;
use crate::server::routes::{Front, Site};
use crate::server::{Gate, Limits};

pub(super) struct Client(pub(super) BufReader<TcpStream>);

#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) headers: HashMap<String, String>,
    pub(super) body: Vec<u8>,
}

impl Response {
    pub(super) fn json(&self) -> Value {
        assert_eq!(self.headers["content-type"], "application/json");
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Asserts that this is the failure of the contract and nothing else.
    pub(super) fn assert_failure(&self, status: u16, text: &str) {
        assert_eq!(self.json(), json!({"payload": "", "success": false, "error": text}));
        assert_eq!(self.status, status);
        assert_eq!(self.headers.contains_key("retry-after"), status == 429);
    }
}

impl Client {
    pub(super) async fn connect(address: SocketAddr) -> Self {
        Self(BufReader::new(TcpStream::connect(address).await.unwrap()))
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    pub(super) async fn send_post(&mut self, path: &str, body: &[u8]) {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.send(&[head.as_bytes(), body].concat()).await;
    }

    pub(super) async fn post(&mut self, path: &str, body: &[u8]) -> Response {
        self.send_post(path, body).await;
        self.response().await
    }

    pub(super) async fn request(&mut self, method: &str, path: &str) -> Response {
        self.send(format!("{method} {path} HTTP/1.1\r\nHost: hub\r\nContent-Length: 0\r\n\r\n").as_bytes())
            .await;
        self.response_to(method).await
    }

    pub(super) async fn response(&mut self) -> Response {
        self.response_to("POST").await
    }

    async fn response_to(&mut self, method: &str) -> Response {
        let line = self.line().await;
        let status = line.split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = HashMap::new();
        loop {
            let line = self.line().await;
            let Some((name, value)) = line.split_once(": ") else {
                break;
            };
            headers.insert(name.to_lowercase(), value.to_owned());
        }
        let length = match method {
            "HEAD" => 0,
            _ => headers["content-length"].parse().unwrap(),
        };
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.unwrap();
        Response { status, headers, body }
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).await.unwrap();
        assert!(line.ends_with("\r\n"), "the connection was closed");
        line.trim_end().to_owned()
    }

    /// Returns what still comes until the server closes the connection, in whichever way.
    pub(super) async fn until_closed(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let _ = self.0.read_to_end(&mut rest).await;
        rest
    }
}

#[tokio::test]
async fn the_heartbeat_answers_in_every_state() {
    let hub = Hub::closed(Limits::default()).await;
    let mut client = hub.connect().await;
    let locked = json!({"status": "ok", "locked": true, "protocol": 1});

    let response = client.request("GET", "/rpc/heartbeat").await;
    assert_eq!((response.status, response.json()), (200, locked.clone()), "not set up");
    assert!(hub.gate.lock().is_none());
    assert_eq!(client.request("GET", "/rpc/heartbeat").await.json(), locked, "locked");
    hub.unlock();
    assert_eq!(
        client.request("GET", "/rpc/heartbeat").await.json(),
        json!({"status": "ok", "locked": false, "protocol": 1})
    );
}

#[tokio::test]
async fn other_paths_and_methods_get_an_empty_answer() {
    let hub = Hub::closed(Limits::default()).await;
    let mut client = hub.connect().await;
    for path in [
        "/",
        "/rpc",
        "/rpc/",
        "/rpc/heartbeat/",
        "/RPC/heartbeat",
        "/rpc/other",
        "//rpc/query",
        "/rpc/%71uery",
    ] {
        for method in ["GET", "POST", "HEAD"] {
            let response = client.request(method, path).await;
            assert_eq!((response.status, response.body.len()), (404, 0), "{method} {path}");
            assert!(!response.headers.contains_key("content-type"));
        }
    }
    let wrong = [
        ("/rpc/heartbeat", ["HEAD", "POST", "PUT", "OPTIONS"]),
        ("/rpc/handshake", ["HEAD", "GET", "DELETE", "OPTIONS"]),
        ("/rpc/command", ["HEAD", "GET", "PUT", "PATCH"]),
        ("/rpc/query", ["HEAD", "GET", "PUT", "TRACE"]),
    ];
    for (path, methods) in wrong {
        for method in methods {
            let response = client.request(method, path).await;
            assert_eq!((response.status, response.body.len()), (405, 0), "{method} {path}");
            assert!(!response.headers.contains_key("content-type"));
        }
    }
}

#[tokio::test]
async fn a_closed_gate_refuses_all_but_the_heartbeat() {
    let hub = Hub::closed(Limits::default()).await;
    let mut client = hub.connect().await;
    for path in ["/rpc/handshake", "/rpc/command", "/rpc/query"] {
        client.post(path, b"{}").await.assert_failure(503, "hub not set up");
    }
    hub.gate.lock();
    for path in ["/rpc/handshake", "/rpc/command", "/rpc/query"] {
        client.post(path, b"{}").await.assert_failure(423, "hub locked");
    }
}

#[tokio::test]
async fn what_a_page_of_another_site_can_make_a_browser_send_is_not_read() {
    let hub = Hub::open(Limits::default()).await;
    let mut phone = paired(&hub).await;
    let types = [
        "",
        "Content-Type: text/plain\r\n",
        "Content-Type: text/plain; application/json\r\n",
        "Content-Type: application/x-www-form-urlencoded\r\n",
        "Content-Type: multipart/form-data; boundary=x\r\n",
        "Content-Type: application/jsonp\r\n",
        "Content-Type: application/json\r\nContent-Type: text/plain\r\n",
    ];
    for kind in types {
        for path in ["/rpc/handshake", "/rpc/command", "/rpc/query"] {
            // Its body never comes, and is not waited for.
            let head = format!("POST {path} HTTP/1.1\r\nHost: hub\r\n{kind}Content-Length: 9000\r\n\r\n");
            let mut page = hub.connect().await;
            page.send(head.as_bytes()).await;
            page.response().await.assert_failure(400, "malformed request");
        }
    }
    for kind in [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
    ] {
        let body = phone.envelope("query", br#"{"query":"ping"}"#);
        let head = format!(
            "POST /rpc/query HTTP/1.1\r\nHost: hub\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        phone.client.send(&[head.as_bytes(), &body].concat()).await;
        assert_eq!(phone.client.response().await.status, 200, "{kind}");
    }
}

#[tokio::test]
async fn one_connection_takes_many_requests() {
    let hub = Hub::closed(Limits::default()).await;
    let mut client = hub.connect().await;
    for _ in 0..500 {
        assert_eq!(client.request("GET", "/rpc/heartbeat").await.status, 200);
    }
}

#[tokio::test]
async fn a_public_address_is_refused_on_every_path() {
    let hub = Hub::closed(Limits::default()).await;
    let front = Front::new(Arc::new(Gate::new()), Arc::new(Limits::default()), hub.told.clone());
    let site = Arc::new(Site::new(front));
    let public: IpAddr = "203.0.113.9".parse().unwrap();
    for path in ["/rpc/heartbeat", "/rpc/handshake", "/rpc/command", "/rpc/query", "/"] {
        let request = Request::post(path)
            .header("x-forwarded-for", "192.168.1.2")
            .body(Body::empty())
            .unwrap();
        let guest = Places::new(&Limits::default()).take(public).guest();
        let response = Arc::clone(&site).answer(public, guest, request).await.unwrap();
        assert_eq!(response.status(), 403);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            body,
            json!({"payload": "", "success": false, "error": "local network only"})
        );
    }
}
