//! Reviews: questions about identities and rights, answered at once and never stored.

use crate::auth::{Attributes, user_info};
use crate::body::{Request, Response};
use crate::identity::Identity;
use crate::registry::timestamp;
use crate::resources::{Asked, read_own};
use crate::respond;
use orchestrator_apimachinery::{ApiError, Kind, meta};
use serde_json::{Value, json};

mod validate;

/// Whether a kind is a review.
pub(crate) fn is_review(kind: &Kind) -> bool {
    matches!(&*kind.group, "authentication.k8s.io" | "authorization.k8s.io")
}

/// Answers the review in a request's body.
pub(crate) async fn create(asked: &Asked<'_>, request: Request) -> Result<Response, ApiError> {
    let mut writing = asked.writing()?;
    let body = read_own(request, asked.kind).await?;
    let mut review = body.value;
    for (field, value) in [("apiVersion", asked.kind.api_version()), ("kind", asked.kind.kind.to_string())] {
        review[field] = json!(value);
    }
    if !review["metadata"].is_object() {
        review["metadata"] = json!({});
    }
    let errors = writing.shape(&mut review, body.duplicates)?;
    writing.invalid_if_any("", errors)?;
    asked.server.registry.caches.fresh().await?;
    let answer = match &*asked.kind.plural {
        "selfsubjectreviews" => {
            review["metadata"]["creationTimestamp"] = json!(timestamp(asked.server.registry.now()));
            review["status"] = json!({"userInfo": user_info(asked.who)});
            review
        }
        "tokenreviews" => token(asked, review).await?,
        "selfsubjectrulesreviews" => rules(asked, review)?,
        plural => access(asked, review, plural).await?,
    };
    let mut response = asked.respond(201, &answer)?;
    respond::warn(response.headers_mut(), &writing.warnings);
    Ok(response)
}

/// What the caller may do in a namespace.
fn rules(asked: &Asked<'_>, mut review: Value) -> Result<Value, ApiError> {
    let namespace = review["spec"]["namespace"].as_str().unwrap_or_default();
    if namespace.is_empty() {
        return Err(ApiError::bad_request("no namespace on request"));
    }
    let found = asked.server.registry.rbac.rules_for(asked.who, namespace);
    review["status"] = json!({
        "resourceRules": found.resources, "nonResourceRules": found.paths, "incomplete": found.incomplete,
    });
    if !found.errors.is_empty() {
        review["status"]["evaluationError"] = json!(found.errors);
    }
    Ok(review)
}

/// Whose token it is.
async fn token(asked: &Asked<'_>, review: Value) -> Result<Value, ApiError> {
    if review["spec"]["token"].as_str().unwrap_or_default().is_empty() {
        return Err(ApiError::bad_request("token is required for TokenReview in authentication"));
    }
    Ok(asked.server.authenticator.token_review(&review).await)
}

/// Whether somebody may do something.
async fn access(asked: &Asked<'_>, mut review: Value, plural: &str) -> Result<Value, ApiError> {
    let local = plural == "localsubjectaccessreviews";
    if local {
        let namespace = &asked.target.namespace;
        match review["metadata"]["namespace"].as_str().unwrap_or_default() {
            "" => review["metadata"]["namespace"] = json!(namespace),
            own if own == namespace => {}
            _ => {
                let why = "the namespace of the provided object does not match the namespace sent on the request";
                return Err(ApiError::bad_request(why));
            }
        }
    }
    let errors = validate::access_review(&review, plural);
    if !errors.is_empty() {
        return Err(ApiError::invalid(&asked.kind.group, &asked.kind.kind, meta::name(&review), &errors));
    }
    let spec = &review["spec"];
    let what = attributes(&spec["resourceAttributes"], &spec["nonResourceAttributes"]);
    let who = if plural == "selfsubjectaccessreviews" { asked.who.clone() } else { subject(spec) };
    let decision = asked.may(&who, &what).await;
    let mut status = json!({"allowed": decision.is_ok()});
    let reason = decision.err().unwrap_or_else(|| asked.server.registry.rbac.reason(&who, &what));
    if !reason.is_empty() {
        status["reason"] = json!(reason);
    }
    review["status"] = status;
    Ok(review)
}

fn attributes(resource: &Value, path: &Value) -> Attributes {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if path.is_object() {
        return Attributes { verb: text(&path["verb"]), path: text(&path["path"]), ..Attributes::default() };
    }
    let field_selector = match resource["fieldSelector"]["rawSelector"].as_str() {
        Some(raw) => raw.to_owned(),
        None => requirements(&resource["fieldSelector"]["requirements"]),
    };
    Attributes {
        field_selector,
        verb: text(&resource["verb"]),
        group: text(&resource["group"]),
        version: text(&resource["version"]),
        resource: text(&resource["resource"]),
        subresource: text(&resource["subresource"]),
        namespace: text(&resource["namespace"]),
        name: text(&resource["name"]),
        ..Attributes::default()
    }
}

/// A field selector of `requirements`; only those are known that a request's own selector can say.
fn requirements(list: &Value) -> String {
    let one = |item: &Value| {
        let operator = match (item["operator"].as_str()?, item["values"].as_array()?.as_slice()) {
            ("In", [value]) => ("=", value),
            ("NotIn", [value]) => ("!=", value),
            _ => return None,
        };
        Some(format!("{}{}{}", item["key"].as_str()?, operator.0, operator.1.as_str()?))
    };
    let parts: Vec<String> = list.as_array().into_iter().flatten().filter_map(one).collect();
    parts.join(",")
}

/// The user that an access review asks about.
fn subject(spec: &Value) -> Identity {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let texts = |value: &Value| -> Vec<String> { value.as_array().into_iter().flatten().map(text).collect() };
    Identity {
        name: text(&spec["user"]),
        uid: text(&spec["uid"]),
        groups: texts(&spec["groups"]),
        extra: spec["extra"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.clone(), texts(value)))
            .collect(),
    }
}
