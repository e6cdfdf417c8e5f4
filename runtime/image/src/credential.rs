//! Passwords for registries, as `imagePullSecrets` hold them.

use crate::reference::ImageReference;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;

#[cfg(test)]
mod tests;

/// A user of a registry.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Credential {
    /// `host[:port][/path]`; each label of the host may be a `*` pattern.
    pub registry: String,
    /// The user.
    pub username: String,
    /// The password or token.
    pub password: String,
}

/// A Secret that is no Docker configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// It does not parse.
    #[error("not a Docker configuration: line {line}, column {column}")]
    Json {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// The `auth` of this registry is not base64 of `user:password`.
    #[error("auth of registry {0:?} is not base64 of user:password")]
    Auth(String),
}

#[derive(Deserialize)]
struct DockerConfig {
    auths: BTreeMap<String, Entry>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
}

impl Credential {
    /// Reads the value of `.dockerconfigjson` (a Secret of type kubernetes.io/dockerconfigjson)
    /// or of `.dockercfg` (kubernetes.io/dockercfg). Entries without a user are left out.
    ///
    /// Source: Kubernetes, "Pull an Image from a Private Registry". The error never holds any
    /// part of a password.
    pub fn from_docker_config(json: &[u8]) -> Result<Vec<Credential>, CredentialError> {
        let entries = match serde_json::from_slice::<DockerConfig>(json) {
            Ok(config) => config.auths,
            Err(_) => serde_json::from_slice::<BTreeMap<String, Entry>>(json)
                .map_err(|error| CredentialError::Json { line: error.line(), column: error.column() })?,
        };
        let read = entries.into_iter().filter_map(|(registry, entry)| Self::from_entry(&registry, entry).transpose());
        read.collect()
    }

    fn from_entry(registry: &str, entry: Entry) -> Result<Option<Credential>, CredentialError> {
        let (username, password) = match (entry.username, entry.password, entry.auth) {
            (Some(username), Some(password), _) if !username.is_empty() => (username, password),
            (_, _, Some(auth)) if !auth.is_empty() => {
                let decoded = STANDARD.decode(auth.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
                decoded
                    .as_deref()
                    .and_then(|text| text.split_once(':'))
                    .map(|(username, password)| (username.to_owned(), password.trim_end_matches('\0').to_owned()))
                    .ok_or_else(|| CredentialError::Auth(registry.to_owned()))?
            }
            _ => return Ok(None),
        };
        Ok(Some(Credential { registry: normal(registry), username, password }))
    }

    /// Whether this is for `reference`: the host fits and the path, if any, is a prefix.
    fn fits(&self, reference: &ImageReference) -> bool {
        let Some(wanted) = reference.registry() else { return false };
        let repository = reference.repository();
        let (host, path) = self.registry.split_once('/').unwrap_or((&self.registry, ""));
        let below = repository.strip_prefix(wanted).unwrap_or(&repository).trim_start_matches('/');
        let path_fits =
            path.is_empty() || below.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        path_fits && host_fits(host, wanted)
    }
}

/// Those of `credentials` that are for `reference`, the most particular first.
pub(crate) fn fitting<'a>(credentials: &'a [Credential], reference: &ImageReference) -> Vec<&'a Credential> {
    let mut fitting: Vec<&Credential> = credentials.iter().filter(|one| one.fits(reference)).collect();
    fitting.sort_by_key(|one| std::cmp::Reverse(one.registry.len()));
    let mut seen = std::collections::HashSet::new();
    fitting.retain(|one| seen.insert((&one.username, &one.password)));
    fitting
}

/// `https://index.docker.io/v1/` and its like as `docker.io`.
fn normal(registry: &str) -> String {
    let bare = registry.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/');
    let bare = bare.trim_end_matches("/v1").trim_end_matches("/v2").trim_end_matches('/');
    match bare {
        "index.docker.io" | "registry-1.docker.io" => "docker.io".to_owned(),
        other => other.to_owned(),
    }
}

/// Ports are equal, and so is each label of the host, where `*` stands for any part of a label.
fn host_fits(pattern: &str, host: &str) -> bool {
    let (pattern, pattern_port) = split_port(pattern);
    let (host, port) = split_port(host);
    let (patterns, labels): (Vec<&str>, Vec<&str>) = (pattern.split('.').collect(), host.split('.').collect());
    port == pattern_port
        && patterns.len() == labels.len()
        && patterns.iter().zip(&labels).all(|(pattern, label)| label_fits(pattern, label))
}

fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => (host, Some(port)),
        _ => (host, None),
    }
}

fn label_fits(pattern: &str, label: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == label };
    let Some(mut left) = label.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = left.find(part) else { return false };
        left = &left[at + part.len()..];
    }
    left.ends_with(last)
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("registry", &self.registry).field("username", &self.username).finish()
    }
}
