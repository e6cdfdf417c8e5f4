//! Acting as somebody else: the `Impersonate-*` headers, allowed by the verb `impersonate`.

use super::limits::IMPERSONATION_VALUES_MAX;
use super::{AUTHENTICATED, Attributes, Authorizer, forbidden, service_account, service_account_groups};
use crate::identity::Identity;
use http::HeaderMap;
use orchestrator_apimachinery::ApiError;
use std::collections::BTreeMap;

const EXTRA: &str = "impersonate-extra-";

/// Who the request is to be treated as: `who`, or the identity in its `Impersonate-*` headers if
/// `who` may impersonate each part of it. The headers must not be looked at again.
pub async fn impersonate(
    who: Identity,
    headers: &HeaderMap,
    authorizer: &dyn Authorizer,
) -> Result<Identity, ApiError> {
    let Some(wanted) = wanted(headers)? else { return Ok(who) };
    let mut asked = Vec::new();
    match service_account(&wanted.name) {
        Some((namespace, name)) => asked.push(attributes("", "serviceaccounts", "", namespace, name)),
        None => asked.push(attributes("", "users", "", "", &wanted.name)),
    }
    asked.extend(wanted.groups.iter().map(|group| attributes("", "groups", "", "", group)));
    for (key, values) in &wanted.extra {
        let each = values.iter().map(|value| attributes("authentication.k8s.io", "userextras", key, "", value));
        asked.extend(each);
    }
    if !wanted.uid.is_empty() {
        asked.push(attributes("authentication.k8s.io", "uids", "", "", &wanted.uid));
    }
    for what in asked {
        authorizer.authorize(&who, &what).await.map_err(|why| forbidden(&who, &what, &why))?;
    }
    Ok(complete(wanted))
}

fn attributes(group: &str, resource: &str, subresource: &str, namespace: &str, name: &str) -> Attributes {
    Attributes {
        verb: "impersonate".into(),
        group: group.into(),
        version: "v1".into(),
        resource: resource.into(),
        subresource: subresource.into(),
        namespace: namespace.into(),
        name: name.into(),
        ..Attributes::default()
    }
}

/// The identity that the headers ask for; `None` when there are none of them.
fn wanted(headers: &HeaderMap) -> Result<Option<Identity>, ApiError> {
    let mut identity = Identity::default();
    let mut count = 0;
    for (header, value) in headers {
        let header = header.as_str();
        if !header.starts_with("impersonate-") {
            continue;
        }
        count += 1;
        let value = value.to_str().map_err(|_| ApiError::bad_request(format!("header {header} is not text")))?;
        match header {
            "impersonate-user" => identity.name = value.into(),
            "impersonate-group" => identity.groups.push(value.into()),
            "impersonate-uid" => identity.uid = value.into(),
            _ => match header.strip_prefix(EXTRA) {
                Some(key) => identity.extra.entry(unescape(key)).or_default().push(value.into()),
                None => return Err(ApiError::bad_request(format!("unknown header {header}"))),
            },
        }
    }
    if count > IMPERSONATION_VALUES_MAX {
        let text = format!("at most {IMPERSONATION_VALUES_MAX} impersonation headers are accepted");
        return Err(ApiError::bad_request(text));
    }
    if count > 0 && identity.name.is_empty() {
        let text = "requested impersonation of groups, a uid or extra values without impersonating a user";
        return Err(ApiError::bad_request(text));
    }
    Ok((count > 0).then_some(identity))
}

/// `acme.com%2fproject` is `acme.com/project`; what is not an escape stays.
fn unescape(key: &str) -> String {
    let bytes = key.as_bytes();
    let (mut out, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%').then(|| bytes.get(at + 1..at + 3)).flatten();
        match escaped.and_then(|digits| hex::decode(digits).ok()) {
            Some(byte) => (out.extend(byte), at += 3).1,
            None => (out.push(bytes[at]), at += 1).1,
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| key.to_owned())
}

/// Adds the groups that everybody of a sort belongs to.
fn complete(mut identity: Identity) -> Identity {
    if let Some((namespace, _)) = service_account(&identity.name)
        && identity.groups.is_empty()
    {
        identity.groups = service_account_groups(namespace);
    }
    let everybody = if identity.name == "system:anonymous" { "system:unauthenticated" } else { AUTHENTICATED };
    if !identity.groups.iter().any(|group| group == everybody) {
        identity.groups.push(everybody.into());
    }
    let extra: BTreeMap<String, Vec<String>> = std::mem::take(&mut identity.extra);
    identity.extra = extra.into_iter().map(|(key, values)| (key.to_lowercase(), values)).collect();
    identity
}
