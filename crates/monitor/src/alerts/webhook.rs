//! Hands an alert to a program elsewhere, signed as Standard Webhooks has it.

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Uri, header};
use serde::Serialize;
use vocabulary::Timestamp;

use super::{Alert, Kind};
use crate::outgoing::{Limits, Outgoing};

/// How long it may take, and how much of the answer is read: nothing in it matters.
const LIMITS: Limits = Limits { time: Duration::from_secs(15), bytes: 64 * 1024 };
/// Before the Base64 of a secret.
const PREFIX: &str = "whsec_";
/// How long a secret is, in bytes, as Standard Webhooks has it.
const SECRET: std::ops::RangeInclusive<usize> = 24..=64;

/// Where alerts are handed over.
pub(crate) struct Webhook {
    uri: Uri,
    outgoing: Outgoing,
    key: hmac::Key,
}

#[derive(Serialize)]
struct Payload<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: Timestamp,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    incident: String,
    check: &'a str,
    title: &'a str,
    state: &'static str,
    since: Timestamp,
    until: Option<Timestamp>,
    cause: Option<&'a str>,
}

impl Webhook {
    /// With a secret as it is handed out, `whsec_…`; in words why that is none.
    pub(super) fn new(uri: Uri, outgoing: Outgoing, secret: &str) -> Result<Self, &'static str> {
        let bytes = secret.trim().strip_prefix(PREFIX).and_then(|text| STANDARD.decode(text).ok());
        let bytes = bytes.filter(|bytes| SECRET.contains(&bytes.len()));
        let bytes = bytes.ok_or("holds no secret: whsec_ and the Base64 of 24 to 64 bytes")?;
        Ok(Self { uri, outgoing, key: hmac::Key::new(hmac::HMAC_SHA256, &bytes) })
    }

    /// Done when the other side says that it has it.
    pub(super) async fn hand_over(&self, alert: &Alert, now: Timestamp) -> Result<(), String> {
        let body = payload(alert)?;
        // The same whenever this alert is handed over, so that whoever takes it can tell what came twice.
        let id = format!("msg_{}", alert.id.simple());
        let time = now.seconds().to_string();
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static("guichet"));
        let signature = self.signature(&id, &time, &body);
        for (name, value) in [("webhook-id", id), ("webhook-timestamp", time), ("webhook-signature", signature)] {
            headers.insert(name, HeaderValue::from_str(&value).map_err(|error| error.to_string())?);
        }
        let answer = self.outgoing.post(&self.uri, headers, Bytes::from(body), LIMITS).await;
        match answer.map_err(|silence| silence.to_string())?.status {
            status if status.is_success() => Ok(()),
            status if status.is_redirection() => {
                Err(format!("it answers {} and would lead elsewhere, which is not followed", status.as_u16()))
            }
            status => Err(format!("it answers {}", status.as_u16())),
        }
    }

    fn signature(&self, id: &str, time: &str, body: &[u8]) -> String {
        let mut signed = format!("{id}.{time}.").into_bytes();
        signed.extend_from_slice(body);
        format!("v1,{}", STANDARD.encode(hmac::sign(&self.key, &signed)))
    }
}

fn payload(alert: &Alert) -> Result<Vec<u8>, String> {
    let kind = match alert.kind {
        Kind::Opened => "incident.opened",
        Kind::Reminder => "incident.reminder",
        Kind::Recovered => "incident.recovered",
    };
    let data = Data {
        incident: alert.incident.to_string(),
        check: alert.check.as_str(),
        title: &alert.title,
        state: alert.state.name(),
        since: alert.since,
        until: alert.until,
        cause: alert.cause.as_deref(),
    };
    let payload = Payload { kind, timestamp: alert.made_at, data };
    serde_json::to_vec(&payload).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(secret: &str) -> Result<Webhook, &'static str> {
        let outgoing = Outgoing::over(Some(&http::uri::Scheme::HTTP), None).unwrap();
        Webhook::new(Uri::from_static("http://127.0.0.1/"), outgoing, secret)
    }

    /// The example that the libraries of Standard Webhooks are held to.
    #[test]
    fn signatures_are_those_of_the_published_example() {
        let hook = hook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = hook.signature("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_has_its_form() {
        for wrong in ["", "whsec_", "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_%%%"] {
            assert!(hook(wrong).is_err(), "{wrong}");
        }
    }
}
