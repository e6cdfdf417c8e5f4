//! Reviews: questions about identities and rights, answered at once and never stored.

use crate::auth::{Attributes, user_info};
use crate::body::{Request, Response};
use crate::identity::Identity;
use crate::registry::timestamp;
use crate::resources::{Asked, read_object};
use crate::respond;
use orchestrator_apimachinery::field::{Errors, Path};
use orchestrator_apimachinery::{ApiError, Kind, meta};
use serde_json::{Value, json};

/// Whether a kind is a review.
pub(crate) fn is_review(kind: &Kind) -> bool {
    matches!(&*kind.group, "authentication.k8s.io" | "authorization.k8s.io")
}

/// Answers the review in a request's body.
pub(crate) async fn create(asked: &Asked<'_>, request: Request) -> Result<Response, ApiError> {
    let mut writing = asked.writing()?;
    let body = read_object(request).await?;
    let mut review = body.value;
    if !review.is_object() {
        return Err(ApiError::bad_request("the body must be an object"));
    }
    for (field, value) in [("apiVersion", asked.kind.api_version()), ("kind", asked.kind.kind.to_string())] {
        match review[field].as_str().unwrap_or_default() {
            found if found == value => {}
            "" => review[field] = json!(value),
            found => return Err(ApiError::bad_request(format!("the body must be a {}, not {found}", asked.kind.kind))),
        }
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
        "tokenreviews" => asked.server.authenticator.token_review(&review).await,
        "selfsubjectrulesreviews" => rules(asked, review)?,
        plural => access(asked, review, plural).await?,
    };
    let mut response = asked.respond(201, &answer)?;
    respond::warn(response.headers_mut(), &writing.warnings);
    Ok(response)
}

fn rules(asked: &Asked<'_>, mut review: Value) -> Result<Value, ApiError> {
    let namespace = review["spec"]["namespace"].as_str().unwrap_or_default();
    if namespace.is_empty() {
        return Err(ApiError::bad_request("no namespace on request"));
    }
    let (resources, paths) = asked.server.registry.rbac.rules_for(asked.who, namespace);
    review["status"] = json!({"resourceRules": resources, "nonResourceRules": paths, "incomplete": false});
    Ok(review)
}

async fn access(asked: &Asked<'_>, mut review: Value, plural: &str) -> Result<Value, ApiError> {
    let spec = &review["spec"];
    let (resource, path) = (&spec["resourceAttributes"], &spec["nonResourceAttributes"]);
    let field = Path::new("spec");
    let mut errors = Errors::default();
    if resource.is_object() == path.is_object() {
        let why = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
        errors.invalid(&field.child("resourceAttributes"), resource, why);
    }
    let what = attributes(resource, path);
    let who = match plural {
        "selfsubjectaccessreviews" => asked.who.clone(),
        _ => {
            let who = subject(spec);
            if who.name.is_empty() && who.groups.is_empty() {
                errors.invalid(&field.child("user"), "", "at least one of user or group must be specified");
            }
            who
        }
    };
    if plural == "localsubjectaccessreviews" {
        let namespace = &asked.target.namespace;
        if what.namespace != *namespace {
            let why = format!("must match metadata.namespace ({namespace})");
            errors.invalid(&field.child("resourceAttributes").child("namespace"), &what.namespace, &why);
        }
    }
    if !errors.is_empty() {
        return Err(ApiError::invalid(&asked.kind.group, &asked.kind.kind, meta::name(&review), &errors));
    }
    let mut status = json!({"allowed": true});
    if let Err(why) = asked.may(&who, &what).await {
        status["allowed"] = json!(false);
        if !why.is_empty() {
            status["reason"] = json!(why);
        }
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
