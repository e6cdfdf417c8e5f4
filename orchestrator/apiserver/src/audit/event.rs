//! One request in the audit log: its stages, one after the other.

use super::policy::Decision;
use super::{Audit, Level};
use crate::auth::{Attributes, user_info};
use crate::body::{Body, Request, Response, full};
use crate::identity::Identity;
use crate::limits::{AUDIT_BODY_BYTES_MAX, AUDIT_SOURCES_MAX};
use bytes::Bytes;
use futures::FutureExt;
use http::StatusCode;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, USER_AGENT};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Frame};
use orchestrator_apimachinery::codec::{self, Format};
use orchestrator_apimachinery::{meta, schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

/// How far a request is.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub(super) enum Stage {
    RequestReceived,
    ResponseStarted,
    ResponseComplete,
    Panic,
}

/// What was read of a request's body.
type Captured = Arc<Mutex<Vec<u8>>>;

/// A request that is written down.
pub(crate) struct Trail {
    audit: Arc<Audit>,
    decision: Decision,
    event: Value,
    sent: Captured,
    /// The Content-Type of what is sent.
    sent_as: Option<String>,
    hold: Hold,
}

/// Keeps the trail of a request open as long as the connection lives that it was upgraded to;
/// whoever serves that holds one. It comes with the request, and is empty when nothing is written down.
#[derive(Clone, Default)]
pub(crate) struct Hold(Option<Arc<Held>>);

#[derive(Default)]
struct Held(Mutex<Option<Trail>>);

impl Hold {
    /// That of a request.
    pub fn of(request: &Request) -> Self {
        request.extensions().get::<Hold>().cloned().unwrap_or_default()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(mut trail) = self.0.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            trail.write(Stage::ResponseComplete);
        }
    }
}

impl Trail {
    /// Begins to write a request down; `None` when the policy does not want it. `original` is who
    /// sent it, `who` whom they impersonate, when that is another.
    pub fn begin(
        audit: &Arc<Audit>,
        id: &str,
        (original, who): (&Identity, &Identity),
        what: &Attributes,
        request: &mut Request,
    ) -> Option<Self> {
        let decision = audit.policy.decide(original, what);
        if decision.level == Level::None {
            return None;
        }
        let uri = request.uri().path_and_query().map_or_else(String::new, ToString::to_string);
        let agent = request.headers().get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let received = audit.now();
        let mut event = json!({
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": decision.level.as_str(), "auditID": id,
            "requestURI": uri, "verb": what.verb, "user": user_info(original), "userAgent": agent,
            "requestReceivedTimestamp": received, "stageTimestamp": received,
        });
        if original != who {
            event["impersonatedUser"] = user_info(who);
        }
        let sources = sources(request);
        if !sources.is_empty() {
            event["sourceIPs"] = json!(sources);
        }
        if !what.resource.is_empty() {
            event["objectRef"] = object_ref(what);
        }
        let hold = Hold(Some(Arc::default()));
        request.extensions_mut().insert(hold.clone());
        let sent_as = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let sent = Captured::default();
        let mut trail = Trail { audit: audit.clone(), decision, event, sent, sent_as, hold };
        trail.write(Stage::RequestReceived);
        let writes = matches!(&*what.verb, "create" | "update" | "patch" | "delete" | "deletecollection");
        if trail.decision.level >= Level::Request && writes && !what.resource.is_empty() {
            capture(request, &trail.sent);
        }
        Some(trail)
    }

    /// What authorization decided, and why, and what admission notes; of two of a key the first stays.
    pub fn annotate(&mut self, key: &str, value: &str) {
        let place = &mut self.event["annotations"][key];
        if place.is_null() {
            *place = json!(value);
        }
    }

    fn write(&mut self, stage: Stage) {
        if self.decision.omit_stages.contains(&stage) {
            return;
        }
        self.event["stage"] = json!(stage);
        if stage != Stage::RequestReceived {
            self.event["stageTimestamp"] = json!(self.audit.now());
        }
        self.audit.write(&self.event, self.decision.level);
    }

    /// Ends the trail of a request whose handler failed.
    pub fn panicked(mut self) {
        self.event["responseStatus"] = json!({
            "metadata": {}, "status": "Failure", "reason": "InternalError", "code": 500,
            "message": "APIServer panic'd while handling the request",
        });
        self.write(Stage::Panic);
    }

    /// Goes on with the answer: writes it down now, or when a stream ends.
    pub fn answer(mut self, response: Response) -> Response {
        let (head, body) = response.into_parts();
        self.event["responseStatus"] = json!({"metadata": {}, "code": head.status.as_u16()});
        self.take_request();
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            self.write(Stage::ResponseStarted);
            if let Hold(Some(held)) = std::mem::take(&mut self.hold) {
                *held.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(self);
            }
            return Response::from_parts(head, body);
        }
        if body.size_hint().exact().is_none() {
            self.write(Stage::ResponseStarted);
            let body = Ending { body, trail: Some(self) };
            return Response::from_parts(head, body.boxed_unsync());
        }
        // All of it is at hand.
        let bytes = body.collect().now_or_never().and_then(Result::ok).map(http_body_util::Collected::to_bytes);
        let bytes: Bytes = bytes.unwrap_or_default();
        let failed = head.status.is_client_error() || head.status.is_server_error();
        if failed || self.decision.level == Level::RequestResponse {
            let answer = answered(&head.headers, &bytes);
            if failed && answer["kind"] == "Status" {
                self.event["responseStatus"] = answer.clone();
                strip(&mut self.event["responseStatus"]);
            }
            if self.decision.level == Level::RequestResponse && answer.is_object() {
                self.event["responseObject"] = self.trimmed(answer);
            }
        }
        self.write(Stage::ResponseComplete);
        Response::from_parts(head, full(bytes))
    }

    /// Puts what was sent into the event.
    fn take_request(&mut self) {
        let sent = std::mem::take(&mut *self.sent.lock().unwrap_or_else(PoisonError::into_inner));
        if sent.is_empty() {
            return;
        }
        let Some(object) = decoded(self.sent_as.as_deref(), &sent) else { return };
        if self.event["verb"] == "create"
            && self.event["objectRef"]["name"].is_null()
            && !meta::name(&object).is_empty()
        {
            self.event["objectRef"]["name"] = json!(meta::name(&object));
        }
        self.event["requestObject"] = self.trimmed(object);
    }

    fn trimmed(&self, mut object: Value) -> Value {
        if self.decision.omit_managed_fields {
            let remove = |object: &mut Value| {
                if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
                    metadata.remove("managedFields");
                }
            };
            remove(&mut object);
            object.get_mut("items").and_then(Value::as_array_mut).into_iter().flatten().for_each(remove);
        }
        object
    }
}

/// A body as JSON, whatever its media type; `None` when it cannot be read.
fn decoded(content_type: Option<&str>, bytes: &[u8]) -> Option<Value> {
    let format = match content_type.map(|type_| type_.split(';').next().unwrap_or_default().trim()) {
        Some("application/apply-patch+yaml") => Format::Yaml,
        Some(type_) if type_.ends_with("-patch+json") => Format::Json,
        _ => Format::from_content_type(content_type).ok()?,
    };
    let decoded = codec::decode(format, bytes, &|api_version, kind| schema::of_kind(api_version, kind)).ok()?;
    Some(decoded.value).filter(|value| !value.is_null())
}

/// An answer as JSON; null when it is no object.
fn answered(headers: &HeaderMap, bytes: &[u8]) -> Value {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let mut unpacked = Vec::new();
    let bytes = if text(CONTENT_ENCODING) == Some("gzip") {
        let packed = flate2::read::GzDecoder::new(bytes).take(AUDIT_BODY_BYTES_MAX as u64);
        // What is too long is cut, and then no JSON.
        let _ = { packed }.read_to_end(&mut unpacked);
        &unpacked
    } else {
        bytes
    };
    if bytes.len() > AUDIT_BODY_BYTES_MAX {
        return Value::Null;
    }
    decoded(text(CONTENT_TYPE), bytes).filter(Value::is_object).unwrap_or_default()
}

/// Where a request comes from, by its own account and by its connection; all but the last can be made up.
fn sources(request: &Request) -> Vec<String> {
    let told = [HeaderName::from_static("x-forwarded-for"), HeaderName::from_static("x-real-ip")];
    let told = told.iter().filter_map(|name| request.headers().get(name)?.to_str().ok());
    let told = told.flat_map(|text| text.split(',')).filter_map(|text| text.trim().parse::<IpAddr>().ok());
    let peer = request.extensions().get::<SocketAddr>().map(SocketAddr::ip);
    let mut sources: Vec<String> = told.take(AUDIT_SOURCES_MAX).map(|ip| ip.to_string()).collect();
    sources.extend(peer.map(|ip| ip.to_string()));
    sources.dedup();
    sources
}

fn strip(status: &mut Value) {
    if let Some(fields) = status.as_object_mut() {
        fields.remove("kind");
        fields.remove("apiVersion");
    }
}

fn object_ref(what: &Attributes) -> Value {
    let mut reference = json!({"resource": what.resource, "apiVersion": what.version});
    let fields = [
        ("namespace", &what.namespace),
        ("name", &what.name),
        ("apiGroup", &what.group),
        ("subresource", &what.subresource),
    ];
    for (field, text) in fields {
        if !text.is_empty() {
            reference[field] = json!(text);
        }
    }
    reference
}

/// Copies a request's body as it is read.
fn capture(request: &mut Request, into: &Captured) {
    let body = std::mem::replace(request.body_mut(), full(Bytes::new()));
    let into = into.clone();
    *request.body_mut() = body
        .map_frame(move |frame| {
            if let Some(data) = frame.data_ref() {
                let mut seen = into.lock().unwrap_or_else(PoisonError::into_inner);
                if seen.len() + data.len() <= AUDIT_BODY_BYTES_MAX {
                    seen.extend_from_slice(data);
                }
            }
            frame
        })
        .boxed_unsync();
}

/// A streamed answer; the trail ends with it, however that is.
struct Ending {
    body: Body,
    trail: Option<Trail>,
}

impl hyper::body::Body for Ending {
    type Data = Bytes;
    type Error = crate::body::BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if let Some(mut trail) = self.trail.take() {
            trail.write(Stage::ResponseComplete);
        }
    }
}
