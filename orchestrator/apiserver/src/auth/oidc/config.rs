//! What the cluster is told of an issuer.

use crate::auth::ISSUER;
use crate::outbound::{CallError, Place, Trust};
use jsonwebtoken::Algorithm;
use jsonwebtoken::AlgorithmFamily;
use serde_json::json;
use std::collections::BTreeMap;

/// An OpenID Connect issuer whose ID tokens are believed; the names are those of the upstream flags.
#[derive(Clone, Debug)]
pub struct OidcConfig {
    /// Its https URL, exactly as in `iss`.
    pub issuer_url: String,
    /// What `aud` must hold.
    pub client_id: String,
    /// The claim that is the username; `sub` upstream.
    pub username_claim: String,
    /// What goes before it; `ISSUER#` when not set, but nothing before an email. `-` is nothing.
    pub username_prefix: Option<String>,
    /// The claim that is the groups: a text or a list.
    pub groups_claim: Option<String>,
    /// What goes before each group.
    pub groups_prefix: String,
    /// Claims that a token must have with these values.
    pub required_claims: BTreeMap<String, String>,
    /// PEM certificates of the authority of the issuer; the machine's own when not set.
    pub ca: Option<Vec<u8>>,
    /// What tokens may be signed with, such as `RS256`.
    pub signing_algs: Vec<String>,
}

/// Why an issuer's tokens cannot be believed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct OidcError(String);

/// A configuration that was checked.
#[derive(Debug)]
pub(super) struct Rules {
    pub issuer: String,
    pub client: String,
    pub username_claim: String,
    pub username_prefix: String,
    pub groups_claim: Option<String>,
    pub groups_prefix: String,
    pub required: BTreeMap<String, String>,
    pub algorithms: Vec<Algorithm>,
}

impl OidcConfig {
    /// The rules for tokens, and whom to trust on the way to the issuer.
    pub(super) fn check(self) -> Result<(Rules, Trust), OidcError> {
        let issuer = self.issuer_url;
        Place::of(&json!({"url": issuer})).map_err(|error| {
            OidcError(format!("'oidc-issuer-url' ({issuer:?}) must be a URL with scheme https: {error}"))
        })?;
        if issuer.contains(['?', '#', '@']) {
            return Err(OidcError(format!("'oidc-issuer-url' ({issuer:?}) must have no user, query or fragment")));
        }
        if issuer == ISSUER {
            return Err(OidcError("'oidc-issuer-url' must not be the issuer of service account tokens".into()));
        }
        for (flag, value) in [("oidc-client-id", &self.client_id), ("oidc-username-claim", &self.username_claim)] {
            if value.is_empty() {
                return Err(OidcError(format!("'{flag}' must not be empty")));
            }
        }
        let username_prefix = match self.username_prefix.as_deref() {
            Some("-") => String::new(),
            Some(prefix) if !prefix.is_empty() => prefix.to_owned(),
            _ if self.username_claim == "email" => String::new(),
            _ => format!("{issuer}#"),
        };
        let algorithms = self.signing_algs.iter().map(|name| algorithm(name)).collect::<Result<Vec<_>, _>>()?;
        if algorithms.is_empty() {
            return Err(OidcError("'oidc-signing-algs' must not be empty".into()));
        }
        let trust = Trust { roots: self.ca, ..Trust::default() };
        trust.check().map_err(|error: CallError| OidcError(format!("'oidc-ca-file' cannot be used: {error}")))?;
        let rules = Rules {
            issuer,
            client: self.client_id,
            username_claim: self.username_claim,
            username_prefix,
            groups_claim: self.groups_claim.filter(|claim| !claim.is_empty()),
            groups_prefix: self.groups_prefix,
            required: self.required_claims,
            algorithms,
        };
        Ok((rules, trust))
    }
}

/// Only those whose keys may be published.
fn algorithm(name: &str) -> Result<Algorithm, OidcError> {
    let known = name.parse::<Algorithm>().ok();
    let public = known.filter(|known| matches!(known.family(), AlgorithmFamily::Rsa | AlgorithmFamily::Ec));
    public.ok_or_else(|| OidcError(format!("oidc: unsupported signing alg: {name:?}")))
}
