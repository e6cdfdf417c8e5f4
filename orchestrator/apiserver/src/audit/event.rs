//! One request in the audit log: its stages, one after the other.

use super::policy::Decision;
use super::{Audit, Level};
use crate::auth::{Attributes, user_info};
use crate::body::{Body, Request, Response, full};
use crate::identity::Identity;
use crate::limits::AUDIT_BODY_BYTES_MAX;
use bytes::Bytes;
use futures::FutureExt;
use http::header::USER_AGENT;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Frame};
use orchestrator_apimachinery::meta;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::net::SocketAddr;
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
        if let Some(peer) = request.extensions().get::<SocketAddr>() {
            event["sourceIPs"] = json!([peer.ip().to_string()]);
        }
        if !what.resource.is_empty() {
            event["objectRef"] = object_ref(what);
        }
        let trail = Trail { audit: audit.clone(), decision, event, sent: Captured::default() };
        trail.write(Stage::RequestReceived);
        if trail.decision.level >= Level::Request && matches!(&*what.verb, "create" | "update" | "patch" | "delete") {
            capture(request, &trail.sent);
        }
        Some(trail)
    }

    /// What authorization decided, and why.
    pub fn annotate(&mut self, key: &str, value: &str) {
        self.event["annotations"][key] = json!(value);
    }

    fn write(&self, stage: Stage) {
        if self.decision.omit_stages.contains(&stage) {
            return;
        }
        let mut event = self.event.clone();
        event["stage"] = json!(stage);
        if stage != Stage::RequestReceived {
            event["stageTimestamp"] = json!(self.audit.now());
        }
        self.audit.write(&event);
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
            let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
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
        let object: Option<Value> = serde_json::from_slice(&sent).ok();
        let Some(object) = object.filter(|object| !object.is_null()) else { return };
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
        if let Some(trail) = self.trail.take() {
            trail.write(Stage::ResponseComplete);
        }
    }
}
