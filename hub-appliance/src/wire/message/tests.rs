//! Requests of the app, requests that only look like them, and arbitrary bytes.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const CLIENT: &str = "074d3e90-0123-42a6-8b91-4226c805a24a";
const KEY: &str = "p5nWEOG7WpisgYzzcc870zIl71enM4i7czPVo9yG6FM";

fn handshake(body: &Value) -> Result<HandshakeRequest, Malformed> {
    HandshakeRequest::parse(body.to_string().as_bytes())
}

fn name_of(device_name: impl Into<Value>) -> Option<String> {
    handshake(&json!({"client_id": CLIENT, "client_public_key": KEY, "device_name": device_name.into()}))
        .unwrap()
        .device_name
}

#[test]
fn handshake_of_the_app() {
    let request = handshake(&json!({"client_id": CLIENT, "client_public_key": KEY, "device_name": "Ward 3"})).unwrap();
    assert_eq!(request.client_id, ClientId::parse(CLIENT).unwrap());
    assert_eq!(request.device_name.as_deref(), Some("Ward 3"));
    let request = handshake(&json!({"client_id": CLIENT, "client_public_key": KEY, "more": [{}]})).unwrap();
    assert_eq!(request.device_name, None);
}

#[test]
fn handshakes_that_are_not_the_contract() {
    for body in [
        json!({"client_id": CLIENT}),
        json!({"client_public_key": KEY}),
        json!({"client_id": null, "client_public_key": KEY}),
        json!({"client_id": "", "client_public_key": KEY}),
        json!({"client_id": CLIENT.replace('-', ""), "client_public_key": KEY}),
        json!({"client_id": CLIENT, "client_public_key": 5}),
        json!({"client_id": CLIENT, "client_public_key": ""}),
        json!({"client_id": CLIENT, "client_public_key": KEY, "device_name": 5}),
        json!([CLIENT, KEY, "Ward 3"]),
        json!(null),
    ] {
        assert_eq!(handshake(&body).unwrap_err(), Malformed, "{body}");
    }
}

#[test]
fn a_handshake_over_its_bound_is_refused() {
    let body = |padding: usize| {
        let mut body = json!({"client_id": CLIENT, "client_public_key": KEY}).to_string();
        body.push_str(&" ".repeat(padding - body.len()));
        body
    };
    assert!(HandshakeRequest::parse(body(MAX_HANDSHAKE_BODY).as_bytes()).is_ok());
    assert!(HandshakeRequest::parse(body(MAX_HANDSHAKE_BODY + 1).as_bytes()).is_err());
}

#[test]
fn device_names_are_fit_for_the_panel() {
    assert_eq!(name_of(Value::Null), None);
    assert_eq!(name_of(" \t\n"), None);
    assert_eq!(name_of("\u{202e}\u{200b}\u{feff}\u{0}"), None);
    assert_eq!(name_of("  Dr Kim's phone \u{7f}\r\n"), Some("Dr Kim's phone".into()));
    assert_eq!(name_of("ward\u{202e}3\u{2066}\u{200f}\u{2029}"), Some("ward3".into()));
    assert_eq!(name_of("\u{200b} ward \u{200b}"), Some("ward".into()));
    assert_eq!(name_of("هاتف العيادة"), Some("هاتف العيادة".into()));
    assert_eq!(name_of("é".repeat(65)), Some("é".repeat(64)));
    assert_eq!(name_of(format!("{} b", "a".repeat(63))), Some("a".repeat(63)));
}

#[test]
fn envelope_of_the_app() {
    let request = EnvelopeRequest::parse(format!(r#"{{"client_id":"{CLIENT}","payload":"_-8"}}"#).as_bytes()).unwrap();
    assert_eq!(request.client_id, ClientId::parse(CLIENT).unwrap());
    assert_eq!(request.payload, [0xff, 0xef]);
}

#[test]
fn a_client_id_may_be_escaped_but_a_payload_may_not() {
    let escaped = format!("\\u00{:02x}{}", CLIENT.as_bytes()[0], &CLIENT[1..]);
    let request = EnvelopeRequest::parse(format!(r#"{{"client_id":"{escaped}","payload":"AAAA"}}"#).as_bytes());
    assert_eq!(request.unwrap().client_id, ClientId::parse(CLIENT).unwrap());
    let request = EnvelopeRequest::parse(format!(r#"{{"client_id":"{CLIENT}","payload":"\u0041AAA"}}"#).as_bytes());
    assert_eq!(request.unwrap_err(), Malformed);
}

#[test]
fn envelopes_that_are_not_the_contract() {
    for body in [
        String::new(),
        "null".into(),
        format!(r#"["{CLIENT}","AAAA"]"#),
        format!(r#"{{"client_id":"{CLIENT}"}}"#),
        format!(r#"{{"client_id":"{CLIENT}","payload":null}}"#),
        format!(r#"{{"client_id":"{CLIENT}","payload":"AAAA""#),
        format!(r#"{{"client_id":"{CLIENT}","payload":"AAAA"}} x"#),
        format!(r#"{{"client_id":"{CLIENT}","payload":"AAA="}}"#),
        format!(r#"{{"client_id":"{CLIENT}","payload":"AA+/"}}"#),
        format!(r#"{{"client_id":"{CLIENT}","payload":"AAAA","payload":"AAAA"}}"#),
        format!(r#"{{"client_id":"{CLIENT}","client_id":"{CLIENT}","payload":"AAAA"}}"#),
        r#"{"client_id":"none","payload":"AAAA"}"#.into(),
    ] {
        assert_eq!(
            EnvelopeRequest::parse(body.as_bytes()).unwrap_err(),
            Malformed,
            "{body}"
        );
    }
    assert!(EnvelopeRequest::parse(b"{\"client_id\":\"\xff\",\"payload\":\"AAAA\"}").is_err());
}

#[test]
fn calls_of_the_app() {
    let call = Call::parse(
        Kind::Command,
        br#"{"command":"login","data":{"email":"a"},"token":null}"#,
    )
    .unwrap();
    assert_eq!(
        (call.name.as_ref(), call.params.get(), call.token),
        ("login", r#"{"email":"a"}"#, None)
    );
    let call = Call::parse(
        Kind::Query,
        br#" {"query":"sync_pull" , "params": {"a":[1,{}]} ,"token":"a.b.c","x":1}"#,
    );
    let call = call.unwrap();
    assert_eq!(
        (call.name.as_ref(), call.params.get()),
        ("sync_pull", r#"{"a":[1,{}]}"#)
    );
    assert!(matches!(call.token, Some(Cow::Borrowed("a.b.c"))));
}

#[test]
fn parameters_and_token_may_be_missing_or_null() {
    for plaintext in [
        r#"{"query":"ping"}"#,
        r#"{"query":"ping","params":null,"token":null}"#,
        r#"{"query":"ping","data":{"a":1}}"#,
    ] {
        let call = Call::parse(Kind::Query, plaintext.as_bytes()).unwrap();
        assert_eq!((call.params.get(), call.token), ("{}", None), "{plaintext}");
    }
}

#[test]
fn calls_that_are_not_the_contract() {
    for plaintext in [
        "",
        "null",
        "[\"ping\",{},null]",
        r#"{"query":"ping"}"#,
        r#"{"command":null}"#,
        r#"{"command":"ping","data":[]}"#,
        r#"{"command":"ping","data":"{}"}"#,
        r#"{"command":"ping","data":{]}"#,
        r#"{"command":"ping","token":5}"#,
        r#"{"command":"ping","command":"login"}"#,
        r#"{"command":"ping","data":{},"data":{}}"#,
        r#"{"command":"ping","token":"a","token":"b"}"#,
        r#"{"command":"ping"}{}"#,
    ] {
        assert_eq!(
            Call::parse(Kind::Command, plaintext.as_bytes()).unwrap_err(),
            Malformed,
            "{plaintext}"
        );
    }
}

#[test]
fn a_call_prints_neither_parameters_nor_token() {
    let plaintext = br#"{"command":"login","data":{"password":"hidden"},"token":"hidden"}"#;
    let printed = format!("{:?}", Call::parse(Kind::Command, plaintext).unwrap());
    assert!(printed.contains("login") && !printed.contains("hidden"), "{printed}");
}

#[test]
fn deep_nesting_is_left_unparsed() {
    let deep = format!(
        r#"{{"query":"ping","params":{{"a":{}{}}}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    assert!(Call::parse(Kind::Query, deep.as_bytes()).is_ok());
    assert!(Call::parse(Kind::Query, deep.replace("params", "unknown").as_bytes()).is_ok());
}

/// Bytes that are near enough to the contract to get past the first check.
fn near_json() -> impl Strategy<Value = Vec<u8>> {
    let token = proptest::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "null",
        "1e9",
        " ",
        "\\u00",
        "\"client_id\"",
        "\"payload\"",
        "\"command\"",
        "\"query\"",
        "\"data\"",
        "\"params\"",
        "\"token\"",
        "\"client_public_key\"",
        "\"AAAA\"",
        "\u{e9}",
    ]);
    proptest::collection::vec(token, 0..20).prop_map(|tokens| format!("{{{}", tokens.concat()).into_bytes())
}

fn parse_all(bytes: &[u8]) {
    let _ = HandshakeRequest::parse(bytes);
    let _ = EnvelopeRequest::parse(bytes);
    for kind in [Kind::Command, Kind::Query] {
        if let Ok(call) = Call::parse(kind, bytes) {
            assert!(serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok());
            assert!(call.params.get().starts_with('{'));
        }
    }
}

#[test]
fn whose_envelope_it_is_shows_before_the_payload() {
    let client = ClientId::parse(CLIENT);
    for head in [
        format!(r#"{{"client_id":"{CLIENT}","payload":"AAA"#),
        format!("{{ \"other\": 1, \"client_id\" :\n \"{CLIENT}\""),
    ] {
        assert_eq!(client_in(head.as_bytes()), client, "{head}");
    }
    for head in [
        String::new(),
        "{\"client_id\"".into(),
        "{\"client_id\":".into(),
        "{\"client_id\":7".into(),
        format!("{{\"client_id\":\"{CLIENT}"),
        format!("{{\"payload\":\"{CLIENT}\""),
        "{\"client_id\":\"\"".into(),
    ] {
        assert_eq!(client_in(head.as_bytes()), None, "{head}");
    }
    assert_eq!(client_in(b"\"client_id\":\"\xff\""), None);
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        parse_all(&bytes);
    }

    #[test]
    fn nothing_near_json_panics(bytes in near_json()) {
        parse_all(&bytes);
    }

    #[test]
    fn any_payload_arrives(payload in proptest::collection::vec(any::<u8>(), 0..500)) {
        let body = json!({"payload": base64url::encode(&payload), "client_id": CLIENT}).to_string();
        prop_assert_eq!(EnvelopeRequest::parse(body.as_bytes()).unwrap().payload, payload);
    }

    #[test]
    fn any_call_arrives(name in ".{0,40}", token in proptest::option::of(".{0,40}"), value in ".{0,40}") {
        let params = json!({"key": value});
        let plaintext = json!({"command": name, "data": params, "token": token}).to_string();
        let call = Call::parse(Kind::Command, plaintext.as_bytes()).unwrap();
        prop_assert_eq!(call.name.as_ref(), name);
        prop_assert_eq!(call.token.as_deref(), token.as_deref());
        prop_assert_eq!(serde_json::from_str::<Value>(call.params.get()).unwrap(), params);
    }

    #[test]
    fn any_device_name_is_fit_for_the_panel(name in any::<String>()) {
        if let Some(name) = name_of(name) {
            prop_assert!(!name.is_empty() && name.trim() == name);
            prop_assert!(name.chars().count() <= MAX_DEVICE_NAME);
            prop_assert!(!name.chars().any(|c| c.is_control() || is_format(c)));
        }
    }
}
