//! Projected volumes: files from several places in one directory.

use super::source::required;
use super::{validate_downward, validate_file_path, validate_files, validate_mode};
use crate::field::{Errors, Path};
use crate::kinds::fields::{indexed, int, list, text};
use crate::kinds::{names, selector};
use serde_json::Value;
use std::collections::BTreeSet;

const TOKEN_SECONDS_MIN: i64 = 600;
const TOKEN_SECONDS_MAX: i64 = 1 << 32;
const CERTIFICATE_SECONDS_MIN: i64 = 3600;
const CERTIFICATE_SECONDS_MAX: i64 = 91 * 24 * 3600;
const KEY_TYPES: [&str; 6] = ["RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519"];

/// Checks a projected volume.
pub fn validate(source: &Value, path: &Path, errors: &mut Errors) {
    validate_mode(source, "defaultMode", path, errors);
    let mut paths = BTreeSet::new();
    for (index, projection) in indexed(source, "sources") {
        let path = path.child("sources").index(index);
        let mut count = 0;
        for (field, source) in projection.as_object().into_iter().flatten() {
            count += 1;
            let path = path.child(field);
            if count > 1 {
                errors.forbidden(&path, "may not specify more than 1 volume type per source");
                continue;
            }
            match field.as_str() {
                "secret" | "configMap" => {
                    required(source, "name", &path, errors);
                    validate_files(source, &path, errors);
                }
                "downwardAPI" => validate_downward(source, &path, errors),
                "serviceAccountToken" => validate_token(source, &path, errors),
                "clusterTrustBundle" => validate_trust_bundle(source, &path, errors),
                "podCertificate" => validate_certificate(source, &path, errors),
                _ => {}
            }
            for target in targets(source).filter(|target| !target.is_empty()) {
                if !paths.insert(target) {
                    errors.invalid(&path, target, "conflicting duplicate paths");
                }
            }
        }
        if count == 0 {
            errors.required(&path, "must specify a volume type");
        }
    }
}

/// The paths that a source writes, where it names them.
fn targets(source: &Value) -> impl Iterator<Item = &str> {
    let items = list(source, "items").iter().map(|item| text(item, "path"));
    let own = ["path", "credentialBundlePath", "keyPath", "certificateChainPath"];
    items.chain(own.into_iter().map(|field| text(source, field)))
}

fn validate_token(source: &Value, path: &Path, errors: &mut Errors) {
    let at = path.child("expirationSeconds");
    match int(source, "expirationSeconds").unwrap_or(3600) {
        seconds if seconds < TOKEN_SECONDS_MIN => {
            errors.invalid(&at, seconds, "may not specify a duration less than 10 minutes");
        }
        seconds if seconds > TOKEN_SECONDS_MAX => {
            errors.invalid(&at, seconds, "may not specify a duration larger than 2^32 seconds");
        }
        _ => {}
    }
    validate_file_path(source, path, errors);
}

fn validate_trust_bundle(source: &Value, path: &Path, errors: &mut Errors) {
    let (name, signer) = (source["name"].as_str(), source["signerName"].as_str());
    match (name, signer) {
        (Some(_), Some(_)) => errors.invalid_whole(path, "only one of name and signerName may be used"),
        (None, None) => errors.required(path, "either name or signerName must be specified"),
        (Some(_), None) if !source["labelSelector"].is_null() => {
            let wrong = "labelSelector must be unset if name is specified";
            errors.invalid(&path.child("labelSelector"), &source["labelSelector"], wrong);
        }
        (Some(""), None) => errors.required(&path.child("name"), "must specify a name"),
        (None, Some("")) => errors.required(&path.child("signerName"), "must specify a signer name"),
        _ => {}
    }
    selector::validate(&source["labelSelector"], &path.child("labelSelector"), errors);
    validate_file_path(source, path, errors);
}

fn validate_certificate(source: &Value, path: &Path, errors: &mut Errors) {
    let signer = text(source, "signerName");
    let fits = signer.split_once('/').is_some_and(|(domain, name)| {
        names::dns_subdomain(domain).is_empty() && !name.is_empty() && names::dns_subdomain(name).is_empty()
    });
    if signer.is_empty() {
        errors.required(&path.child("signerName"), "");
    } else if !fits {
        let wrong = "must be a fully qualified domain and path of the form 'example.com/signer-name'";
        errors.invalid(&path.child("signerName"), signer, wrong);
    }
    let key = text(source, "keyType");
    if !KEY_TYPES.contains(&key) {
        errors.not_supported(&path.child("keyType"), key, &KEY_TYPES);
    }
    let seconds = int(source, "maxExpirationSeconds").unwrap_or(86_400);
    if !(CERTIFICATE_SECONDS_MIN..=CERTIFICATE_SECONDS_MAX).contains(&seconds) {
        let wrong = format!("must be in the range [{CERTIFICATE_SECONDS_MIN}, {CERTIFICATE_SECONDS_MAX}]");
        errors.invalid(&path.child("maxExpirationSeconds"), seconds, &wrong);
    }
    let own = ["credentialBundlePath", "keyPath", "certificateChainPath"];
    if own.iter().all(|field| text(source, field).is_empty()) {
        errors.required(path, "specify at least one of credentialBundlePath, keyPath, and certificateChainPath");
    }
    for field in own {
        let target = text(source, field);
        super::relative_path(target, &path.child(field), errors);
    }
}
