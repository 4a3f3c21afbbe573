//! Which protocol a streaming request speaks, and the answer that switches to it.
//!
//! | the request says | exec, attach | port-forward |
//! | --- | --- | --- |
//! | `Upgrade: websocket`, a sub-protocol | `v5.channel.k8s.io`, `v4.channel.k8s.io` | `SPDY/3.1+portforward.k8s.io`, `v4.channel.k8s.io` |
//! | `Upgrade: SPDY/3.1`, `X-Stream-Protocol-Version` | `v4.channel.k8s.io` | `portforward.k8s.io` |
//!
//! A log is told over WebSocket as well, as `binary.k8s.io`.
//!
//! The client's first choice that is served is taken; if none is, the request is refused: to go on without a
//! sub-protocol, as some WebSocket libraries do, makes clients misread everything after it.

use crate::body::{Body, empty};
use firstlight_api::status_error::StatusError;
use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// The header by which SPDY's clients name sub-protocols.
const STREAM_PROTOCOL: HeaderName = HeaderName::from_static("x-stream-protocol-version");

/// How a session is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carrier {
    /// WebSocket messages with a channel number; in version 5 channels can be closed.
    Channels { closing: bool },
    /// SPDY inside a WebSocket's binary messages.
    Tunnel,
    /// SPDY.
    Spdy,
}

/// A sub-protocol, and what it means.
pub(super) type Offer = (&'static str, Carrier);

/// Logs over WebSocket: text in binary messages, as WebSocket clients read them (upstream
/// `k8s.io/apimachinery/pkg/util/httpstream/wsstream`, `NewDefaultReaderProtocols`).
pub(super) const LOG: &str = "binary.k8s.io";

/// What exec and attach speak.
pub(super) const EXEC: Offers = Offers {
    websocket: &[
        ("v5.channel.k8s.io", Carrier::Channels { closing: true }),
        ("v4.channel.k8s.io", Carrier::Channels { closing: false }),
    ],
    spdy: &[("v4.channel.k8s.io", Carrier::Spdy)],
};

/// What port-forward speaks.
pub(super) const PORT_FORWARD: Offers = Offers {
    websocket: &[
        ("SPDY/3.1+portforward.k8s.io", Carrier::Tunnel),
        ("v4.channel.k8s.io", Carrier::Channels { closing: false }),
    ],
    spdy: &[("portforward.k8s.io", Carrier::Spdy)],
};

/// What one subresource speaks.
pub(super) struct Offers {
    websocket: &'static [Offer],
    spdy: &'static [Offer],
}

/// The carrier the request asks for, and the answer with which it begins.
pub(super) fn negotiate(headers: &HeaderMap, offers: &Offers) -> Result<(Carrier, Response<Body>), StatusError> {
    if !words(headers, &CONNECTION).any(|word| word.eq_ignore_ascii_case("upgrade")) {
        return Err(StatusError::bad_request("Upgrade request required"));
    }
    if words(headers, &UPGRADE).any(|word| word.eq_ignore_ascii_case("websocket")) {
        let (name, carrier) = choose(headers, &SEC_WEBSOCKET_PROTOCOL, offers.websocket)?;
        return Ok((carrier, websocket_answer(headers, name)?));
    }
    if words(headers, &UPGRADE).any(|word| word.eq_ignore_ascii_case("SPDY/3.1")) {
        let (name, carrier) = choose(headers, &STREAM_PROTOCOL, offers.spdy)?;
        return Ok((carrier, switching("SPDY/3.1", &STREAM_PROTOCOL, name)));
    }
    Err(StatusError::bad_request("unable to upgrade: upgrade to websocket or to SPDY/3.1"))
}

/// Whether a log is asked for over WebSocket; the answer with which it begins.
pub(super) fn log_over_websocket(headers: &HeaderMap) -> Result<Option<Response<Body>>, StatusError> {
    let asked = words(headers, &UPGRADE).any(|word| word.eq_ignore_ascii_case("websocket"));
    if !asked {
        return Ok(None);
    }
    let offers = [(LOG, Carrier::Channels { closing: false })];
    let (name, _) = choose(headers, &SEC_WEBSOCKET_PROTOCOL, &offers)?;
    websocket_answer(headers, name).map(Some)
}

fn choose(headers: &HeaderMap, header: &HeaderName, offers: &[Offer]) -> Result<Offer, StatusError> {
    let mut asked = words(headers, header);
    asked.find_map(|word| offers.iter().find(|(name, _)| *name == word).copied()).ok_or_else(|| {
        let client: Vec<&str> = words(headers, header).collect();
        let server: Vec<&str> = offers.iter().map(|(name, _)| *name).collect();
        StatusError::bad_request(format!(
            "unable to upgrade: unable to negotiate protocol: client supports [{}], server accepts [{}]",
            client.join(" "),
            server.join(" ")
        ))
    })
}

/// RFC 6455, section 4.2.
fn websocket_answer(headers: &HeaderMap, protocol: &'static str) -> Result<Response<Body>, StatusError> {
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(StatusError::bad_request("unable to upgrade: WebSocket version 13 is needed"));
    }
    let key = headers
        .get(SEC_WEBSOCKET_KEY)
        .ok_or_else(|| StatusError::bad_request("unable to upgrade: no Sec-WebSocket-Key"))?;
    let accept = HeaderValue::try_from(derive_accept_key(key.as_bytes())).map_err(StatusError::internal)?;
    let mut answer = switching("websocket", &SEC_WEBSOCKET_PROTOCOL, protocol);
    answer.headers_mut().insert(SEC_WEBSOCKET_ACCEPT, accept);
    Ok(answer)
}

fn switching(to: &'static str, header: &HeaderName, protocol: &'static str) -> Response<Body> {
    let mut answer = Response::new(empty());
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    answer.headers_mut().insert(UPGRADE, HeaderValue::from_static(to));
    answer.headers_mut().insert(header, HeaderValue::from_static(protocol));
    answer
}

/// The words of a header whose values are lists, in order.
fn words<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests;
