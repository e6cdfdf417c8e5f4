//! What names with a domain may look like: hosts, drivers, signers, attributes.

use super::checks::fits;
use super::names;
use crate::field::{Errors, Path};

const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
/// Longest name of a storage or device driver.
pub const DRIVER_BYTES_MAX: usize = 63;
/// What a path after a domain is made of besides letters and digits.
const PATH_SIGNS: &[u8] = b"/-._~%!$&'()*+,;=:";

/// `*.example.com`
pub fn wildcard(host: &str) -> Vec<String> {
    let fits = host.strip_prefix("*.").is_some_and(|rest| names::dns_subdomain(rest).is_empty());
    if fits && host.len() <= names::SUBDOMAIN_BYTES_MAX {
        return Vec::new();
    }
    let message = "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must \
                   consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character";
    let regex = format!(r"\*\.{LABEL}(\.{LABEL})*");
    vec![format!("{message} (e.g. '*.example.com', regex used for validation is '{regex}')")]
}

/// A host, perhaps with a wildcard.
pub fn host(host: &str) -> Vec<String> {
    if host.contains('*') { wildcard(host) } else { names::dns_subdomain(host) }
}

/// A path segment, as a rule of names.
pub fn segment(name: &str) -> Vec<String> {
    names::path_segment(name, false)
}

/// An identifier of the C language.
pub fn c_identifier(name: &str) -> Vec<String> {
    let bytes = name.as_bytes();
    let starts = bytes.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_');
    if starts && bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_') {
        return Vec::new();
    }
    let message = "a valid C identifier must start with alphabetic character or '_', followed by a string of \
                   alphanumeric characters or '_'";
    let examples = "e.g. 'my_name',  or 'MY_NAME',  or 'MyName'";
    vec![format!("{message} ({examples}, regex used for validation is '[A-Za-z_][A-Za-z0-9_]*')")]
}

/// Checks the name of a driver, which is required.
pub fn driver(name: &str, path: &Path, errors: &mut Errors) {
    if name.is_empty() {
        errors.required(path, "");
        return;
    }
    if name.len() > DRIVER_BYTES_MAX {
        errors.too_long(path, DRIVER_BYTES_MAX);
    }
    fits(names::dns_subdomain(&name.to_lowercase()), name, path, errors);
}

/// Checks a name of three or more parts, such as that of a webhook.
pub fn fully_qualified(name: &str, path: &Path, errors: &mut Errors) {
    if name.is_empty() {
        errors.required(path, "");
        return;
    }
    let wrong = names::dns_subdomain(name);
    if !wrong.is_empty() {
        errors.invalid(path, name, &wrong.join(","));
    } else if name.split('.').count() < 3 {
        errors.invalid(path, name, "should be a domain with at least three segments separated by dots");
    }
}

/// Checks a name such as `acme.io/foo`, which is required.
pub fn prefixed_path(name: &str, path: &Path, errors: &mut Errors) {
    if name.is_empty() {
        errors.required(path, "");
        return;
    }
    let Some((domain, rest)) = name.split_once('/').filter(|(domain, rest)| !domain.is_empty() && !rest.is_empty())
    else {
        errors.invalid(path, name, "must be a domain-prefixed path (such as \"acme.io/foo\")");
        return;
    };
    fits(names::dns_subdomain(domain), domain, path, errors);
    if !rest.bytes().all(|b| b.is_ascii_alphanumeric() || PATH_SIGNS.contains(&b)) {
        let regex = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+";
        errors.invalid(path, rest, &format!("Invalid path (regex used for validation is '{regex}')"));
    }
}

/// Checks the name of a signer of certificates, which is required.
pub fn signer(name: &str, path: &Path, errors: &mut Errors) {
    const BYTES_MAX: usize = 2 * names::SUBDOMAIN_BYTES_MAX + names::LABEL_BYTES_MAX + 2;
    if name.is_empty() {
        errors.required(path, "");
        return;
    }
    let Some((domain, rest)) = name.split_once('/').filter(|(_, rest)| !rest.contains('/')) else {
        let wrong = "must be a fully qualified domain and path of the form 'example.com/signer-name'";
        errors.invalid(path, name, wrong);
        return;
    };
    if domain.len() > names::SUBDOMAIN_BYTES_MAX {
        errors.too_long(path, names::SUBDOMAIN_BYTES_MAX);
    }
    for label in domain.split('.') {
        if let [first, ..] = names::dns_label(label).as_slice() {
            errors.invalid(path, domain, &format!("validating label {label:?}: {first}"));
            break;
        }
    }
    if domain.split('.').count() < 2 {
        errors.invalid(path, domain, "should be a domain with at least two segments separated by dots");
    }
    for part in rest.split('.') {
        if let [first, ..] = names::dns_subdomain(part).as_slice() {
            errors.invalid(path, rest, &format!("validating label {part:?}: {first}"));
            break;
        }
    }
    if name.len() > BYTES_MAX {
        errors.too_long(path, BYTES_MAX);
    }
}

#[cfg(test)]
mod tests;
