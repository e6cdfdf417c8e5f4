//! Where a webhook is reached.

use crate::field::{Errors, Path};
use crate::kinds::fields::{int, text};
use crate::kinds::names;
use serde_json::Value;

const FORM: &str = "; desired format: https://host[/path]";

/// Checks the URL of a webhook.
pub fn validate_url(url: &str, path: &Path, errors: &mut Errors) {
    let (rest, fragment) = url.split_once('#').unwrap_or((url, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (scheme, rest) = rest.split_once(':').unwrap_or(("", rest));
    let authority = rest.strip_prefix("//").map_or("", |rest| rest.split('/').next().unwrap_or(""));
    let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
    if url.bytes().any(|byte| byte.is_ascii_control()) {
        let wrong = format!("url must be a valid URL: parse {url:?}: net/url: invalid control character in URL{FORM}");
        errors.required(path, &wrong);
        return;
    }
    if scheme != "https" {
        errors.invalid(path, scheme, &format!("'https' is the only allowed URL scheme{FORM}"));
    }
    if host.is_empty() {
        errors.invalid(path, host, &format!("host must be specified{FORM}"));
    }
    if let Some(user) = user {
        errors.invalid(path, user, "user information is not permitted in the URL");
    }
    if !fragment.is_empty() {
        errors.invalid(path, fragment, "fragments are not permitted in the URL");
    }
    if !query.is_empty() {
        errors.invalid(path, query, "query parameters are not permitted in the URL");
    }
}

/// Checks the Service of a webhook.
pub fn validate_service(service: &Value, path: &Path, errors: &mut Errors) {
    for field in ["name", "namespace"] {
        if text(service, field).is_empty() {
            errors.required(&path.child(field), "");
        }
    }
    let port = int(service, "port").unwrap_or(0);
    let wrong = names::port_number(port);
    if !wrong.is_empty() {
        errors.invalid(&path.child("port"), port, &format!("port is not valid: {}", wrong.join(", ")));
    }
    let (url_path, at) = (text(service, "path"), path.child("path"));
    match url_path {
        "" | "/" => return,
        "//" => {
            errors.invalid(&at, url_path, "segment[0] may not be empty");
            return;
        }
        _ => {}
    }
    if !url_path.starts_with('/') {
        errors.invalid(&at, url_path, "must start with a '/'");
    }
    let steps = url_path.strip_prefix('/').unwrap_or(url_path);
    for (index, step) in steps.strip_suffix('/').unwrap_or(steps).split('/').enumerate() {
        if step.is_empty() {
            errors.invalid(&at, url_path, &format!("segment[{index}] may not be empty"));
            continue;
        }
        for wrong in names::dns_subdomain(step) {
            errors.invalid(&at, url_path, &format!("segment[{index}]: {wrong}"));
        }
    }
}
