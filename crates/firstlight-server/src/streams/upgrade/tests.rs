//! Which protocol is agreed on, as a table.

use super::{Carrier, EXEC, Offers, PORT_FORWARD, negotiate};
use http::{HeaderMap, HeaderName, HeaderValue};

fn ask(offers: &Offers, headers: &[(&str, &str)]) -> Result<(Carrier, HeaderMap), String> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name = HeaderName::try_from(*name).expect("a name");
        map.append(name, HeaderValue::from_str(value).expect("a value"));
    }
    match negotiate(&map, offers) {
        Ok((carrier, answer)) => {
            assert_eq!(answer.status(), 101);
            Ok((carrier, answer.headers().clone()))
        }
        Err(refusal) => {
            let status = refusal.to_value();
            assert_eq!(status["code"], 400);
            Err(status["message"].as_str().expect("a message").to_owned())
        }
    }
}

fn websocket(offers: &Offers, protocols: &str) -> Result<(Carrier, HeaderMap), String> {
    let headers = [
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "WebSocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-protocol", protocols),
    ];
    ask(offers, &headers)
}

#[test]
fn the_clients_first_choice_that_is_served_is_taken() {
    let carrier = |offers, protocols| websocket(offers, protocols).map(|(carrier, _)| carrier);
    let channels = |closing| Ok(Carrier::Channels { closing });
    assert_eq!(carrier(&EXEC, "v5.channel.k8s.io"), channels(true));
    assert_eq!(carrier(&EXEC, "v4.channel.k8s.io, v5.channel.k8s.io"), channels(false));
    assert_eq!(carrier(&EXEC, "v9.channel.k8s.io,v5.channel.k8s.io,v4.channel.k8s.io"), channels(true));
    assert_eq!(carrier(&PORT_FORWARD, "SPDY/3.1+portforward.k8s.io"), Ok(Carrier::Tunnel));
    assert_eq!(carrier(&PORT_FORWARD, "v5.channel.k8s.io,v4.channel.k8s.io"), channels(false));
}

/// The key and its answer are RFC 6455's own example, section 1.3.
#[test]
fn the_answer_proves_that_the_key_was_read() {
    let (_, headers) = websocket(&EXEC, "v5.channel.k8s.io").expect("agreed");
    assert_eq!(headers["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_eq!(headers["sec-websocket-protocol"], "v5.channel.k8s.io");
    assert_eq!(headers["upgrade"], "websocket");
}

#[test]
fn no_common_protocol_is_a_bad_request() {
    let message = websocket(&EXEC, "base64.channel.k8s.io,channel.k8s.io").expect_err("refused");
    assert_eq!(
        message,
        "unable to upgrade: unable to negotiate protocol: client supports [base64.channel.k8s.io channel.k8s.io], \
         server accepts [v5.channel.k8s.io v4.channel.k8s.io]"
    );
    assert!(websocket(&EXEC, "").is_err());
    assert!(websocket(&EXEC, "SPDY/3.1+portforward.k8s.io").is_err());
    assert!(websocket(&PORT_FORWARD, "v5.channel.k8s.io").is_err());
}

#[test]
fn older_clients_speak_spdy() {
    let spdy = |offers, protocols: &[&str]| {
        let mut headers = vec![("connection", "Upgrade"), ("upgrade", "SPDY/3.1")];
        headers.extend(protocols.iter().map(|protocol| ("x-stream-protocol-version", *protocol)));
        ask(offers, &headers)
    };
    let (carrier, headers) = spdy(&EXEC, &["v4.channel.k8s.io", "v3.channel.k8s.io"]).expect("agreed");
    assert_eq!(
        (carrier, &headers["x-stream-protocol-version"]),
        (Carrier::Spdy, &"v4.channel.k8s.io".parse().expect("a value"))
    );
    assert_eq!(headers["upgrade"], "SPDY/3.1");
    assert!(spdy(&PORT_FORWARD, &["portforward.k8s.io"]).is_ok());
    assert!(spdy(&EXEC, &["v3.channel.k8s.io", "channel.k8s.io"]).is_err());
    assert!(spdy(&EXEC, &[]).is_err());
}

#[test]
fn what_is_no_upgrade_is_told_so() {
    assert_eq!(ask(&EXEC, &[]), Err("Upgrade request required".to_owned()));
    assert_eq!(ask(&EXEC, &[("upgrade", "websocket")]), Err("Upgrade request required".to_owned()));
    let h2c = [("connection", "upgrade"), ("upgrade", "h2c")];
    assert_eq!(ask(&EXEC, &h2c), Err("unable to upgrade: upgrade to websocket or to SPDY/3.1".to_owned()));
    let old = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "8"),
        ("sec-websocket-protocol", "v5.channel.k8s.io"),
    ];
    assert_eq!(ask(&EXEC, &old), Err("unable to upgrade: WebSocket version 13 is needed".to_owned()));
}
