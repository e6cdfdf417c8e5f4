//! ID tokens of an OpenID Connect issuer (`--oidc-*` of the upstream API server).

mod config;
mod keys;

#[cfg(test)]
pub(crate) mod tests;

pub use config::{OidcConfig, OidcError};

use self::config::Rules;
use self::keys::{Keys, Verdict};
use super::AUTHENTICATED;
use super::limits::{OIDC_NOT_BEFORE_LEEWAY, TOKEN_BYTES_MAX};
use crate::identity::Identity;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use jsonwebtoken::{DecodingKey, Validation};
use runtime_base::{Clock, Tasks};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Makes identities of an issuer's ID tokens.
pub(crate) struct Oidc {
    rules: Rules,
    keys: Arc<Keys>,
}

impl Oidc {
    /// Asks the issuer for nothing until its first token comes; it may be away, or in the cluster.
    pub fn new(config: OidcConfig, clock: Clock, tasks: Tasks) -> Result<Arc<Self>, OidcError> {
        let (rules, trust) = config.check()?;
        let keys = Keys::new(rules.issuer.clone(), trust, clock, tasks);
        Ok(Arc::new(Oidc { rules, keys }))
    }

    /// Whether a token says that it comes from the issuer; nothing of it is believed yet.
    pub fn issued(&self, token: &str) -> bool {
        unproven(token).is_some_and(|claims| claims["iss"] == self.rules.issuer.as_str())
    }

    /// Whose token it is at `now` (seconds since 1970). The error is for the log.
    pub async fn identify(&self, token: &str, now: i64) -> Result<Identity, String> {
        let claims = self.verified(token).await?;
        self.rules.identify(&claims, now)
    }

    /// The claims of a token that a key of the issuer signed.
    async fn verified(&self, token: &str) -> Result<Map<String, Value>, String> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err("token is too long".into());
        }
        let header = jsonwebtoken::decode_header(token).map_err(|error| error.to_string())?;
        if !self.rules.algorithms.contains(&header.alg) {
            return Err(format!("oidc: ID tokens may not be signed with {:?}", header.alg));
        }
        let mut validation = Validation::new(header.alg);
        // Times are compared with our own clock, issuer and audience by the rules.
        (validation.validate_exp, validation.validate_nbf, validation.validate_aud) = (false, false, false);
        validation.required_spec_claims.clear();
        let check = |key: &DecodingKey| {
            let decoded = jsonwebtoken::decode::<Map<String, Value>>(token, key, &validation);
            decoded.map(|decoded| decoded.claims).map_err(|error| error.to_string())
        };
        let kid = header.kid.as_deref();
        match self.keys.judge(kid, check) {
            Verdict::Good(claims) => return Ok(claims),
            Verdict::Bad(why) => return Err(format!("oidc: {why}")),
            Verdict::NoSuchKey => self.keys.refresh().await,
        }
        match self.keys.judge(kid, check) {
            Verdict::Good(claims) => Ok(claims),
            Verdict::Bad(why) => Err(format!("oidc: {why}")),
            Verdict::NoSuchKey => Err("oidc: the issuer has no key that the token is signed with".into()),
        }
    }
}

/// The claims of a token as they stand, whoever wrote them.
fn unproven(token: &str) -> Option<Value> {
    if token.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let mut parts = token.split('.');
    let (Some(_), Some(payload), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return None;
    };
    serde_json::from_slice(&BASE64.decode(payload).ok()?).ok()
}

impl Rules {
    /// Whom the proven claims of a token name, if they are for us and in their time.
    fn identify(&self, claims: &Map<String, Value>, now: i64) -> Result<Identity, String> {
        if claims.get("iss").and_then(Value::as_str) != Some(&self.issuer) {
            return Err("oidc: token of another issuer".into());
        }
        let audiences = claims.get("aud").and_then(texts).unwrap_or_default();
        if !audiences.contains(&self.client.as_str()) {
            return Err(format!("oidc: expected audience {:?} got {audiences:?}", self.client));
        }
        let expires = seconds(claims, "exp")?.ok_or("oidc: token without an expiry")?;
        if now as f64 >= expires {
            return Err("oidc: token is expired".into());
        }
        let leeway = OIDC_NOT_BEFORE_LEEWAY.as_secs_f64();
        if seconds(claims, "nbf")?.is_some_and(|begins| now as f64 + leeway < begins) {
            return Err("oidc: token is not valid yet".into());
        }
        for (claim, wanted) in &self.required {
            let value =
                claims.get(claim).ok_or_else(|| format!("oidc: required claim {claim} not present in ID token"))?;
            if value.as_str() != Some(wanted) {
                return Err(format!("oidc: required claim {claim} value does not match, want = {wanted}"));
            }
        }
        let name = format!("{}{}", self.username_prefix, self.username(claims)?);
        if self.username_prefix.is_empty() && name.starts_with("system:") {
            return Err(format!("oidc: username {name:?} is the system's own, set a prefix"));
        }
        let mut groups = self.groups(claims)?;
        groups.push(AUTHENTICATED.into());
        Ok(Identity { name, groups, ..Identity::default() })
    }

    fn username<'a>(&self, claims: &'a Map<String, Value>) -> Result<&'a str, String> {
        let claim = &self.username_claim;
        let missing = || format!("oidc: parse username claims {claim:?}: claim not present");
        let value = claims.get(claim).ok_or_else(missing)?;
        // Upstream takes a token that does not say whether its address is verified.
        if claim == "email" && !matches!(claims.get("email_verified"), None | Some(Value::Bool(true))) {
            return Err("oidc: email not verified".into());
        }
        let name = value.as_str().filter(|name| !name.is_empty());
        name.ok_or_else(|| format!("oidc: parse username claims {claim:?}: no text"))
    }

    fn groups(&self, claims: &Map<String, Value>) -> Result<Vec<String>, String> {
        let Some(claim) = &self.groups_claim else { return Ok(Vec::new()) };
        let Some(value) = claims.get(claim) else { return Ok(Vec::new()) };
        let names =
            texts(value).ok_or_else(|| format!("oidc: parse groups claim {claim:?}: neither text nor a list"))?;
        Ok(names.iter().map(|name| format!("{}{name}", self.groups_prefix)).collect())
    }
}

/// A text, or a list of texts.
fn texts(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(text) => Some(vec![text]),
        Value::Array(items) => items.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

/// A NumericDate, which may have a fraction.
fn seconds(claims: &Map<String, Value>, claim: &str) -> Result<Option<f64>, String> {
    match claims.get(claim) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_f64().map(Some).ok_or_else(|| format!("oidc: claim {claim:?} is no number")),
    }
}
