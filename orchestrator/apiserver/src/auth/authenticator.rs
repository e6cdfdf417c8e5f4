//! Who sent a request: a client certificate or a bearer token says it.

use super::issuer::{ISSUER, TokenIssuer};
use super::oidc::Oidc;
use super::x509::Certificates;
use super::{Authentication, bootstrap_token};
use crate::identity::Identity;
use crate::pki::{Pki, PkiError};
use crate::registry::reader::ObjectReader;
use base64::Engine;
use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use runtime_base::Clock;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::SystemTime;

/// A browser cannot set headers on a WebSocket; it sends its token as a subprotocol of this prefix.
const WEBSOCKET_TOKEN: &str = "base64url.bearer.authorization.k8s.io.";

const ELSEWHERE: &str = "token is meant for another audience";

/// Finds out who sends a request.
pub struct Authenticator {
    certificates: Certificates,
    tokens: Arc<TokenIssuer>,
    oidc: Option<Arc<Oidc>>,
    objects: Arc<dyn ObjectReader>,
    clock: Clock,
}

impl Authenticator {
    /// Believes client certificates of the CA of `pki` and tokens of `tokens`, whose objects it
    /// looks up in `objects`.
    pub fn new(
        pki: &Pki,
        tokens: Arc<TokenIssuer>,
        objects: Arc<dyn ObjectReader>,
        clock: Clock,
    ) -> Result<Self, PkiError> {
        let certificates = Certificates::new(pki.roots()?)
            .map_err(|error| PkiError::Tls("ca.crt".into(), rustls::Error::General(error.to_string())))?;
        Ok(Authenticator { certificates, tokens, oidc: None, objects, clock })
    }

    /// Believes ID tokens of an OpenID Connect issuer too.
    pub(crate) fn with_oidc(mut self, oidc: Option<Arc<Oidc>>) -> Self {
        self.oidc = oidc;
        self
    }

    /// Who sent these headers over a connection with this client certificate chain (DER, the leaf first).
    ///
    /// A good certificate wins, as upstream; a token is asked when there is none, or a bad one.
    /// Anonymous is only who showed nothing. Other headers (`X-Remote-User` and the like) are not believed.
    pub async fn authenticate(&self, headers: &HeaderMap, client_certificates: &[Vec<u8>]) -> Authentication {
        let mut refusals = Vec::new();
        if !client_certificates.is_empty() {
            match self.certificates.identify(client_certificates, self.clock.now()) {
                Ok(identity) => return Authentication::Known(identity),
                Err(why) => refusals.push(why),
            }
        }
        match bearer_token(headers) {
            Some(Ok(token)) => match self.identify(&token, &[ISSUER.to_owned()]).await {
                Ok((identity, _)) => return Authentication::Known(identity),
                Err(why) => refusals.push(why),
            },
            Some(Err(why)) => refusals.push(why.into()),
            None => {}
        }
        if refusals.is_empty() { Authentication::Anonymous } else { Authentication::Refused(refusals.join("; ")) }
    }

    /// The owner of a token, with those of `audiences` that it is meant for.
    async fn identify(&self, token: &str, audiences: &[String]) -> Result<(Identity, Vec<String>), String> {
        let now = self.clock.now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
        if let Some((id, secret)) = bootstrap_token::parse(token) {
            let identity = bootstrap_token::identify(id, secret, now, &*self.objects)?;
            return Ok((identity, own(audiences)?));
        }
        if let Some(oidc) = self.oidc.as_ref().filter(|oidc| oidc.issued(token)) {
            let identity = oidc.identify(token, now).await?;
            return Ok((identity, own(audiences)?));
        }
        let claims = self.tokens.verify(token)?;
        let identity = claims.identify(ISSUER, now, &*self.objects)?;
        let meant: Vec<String> = audiences.iter().filter(|name| claims.aud.contains(name)).cloned().collect();
        if meant.is_empty() {
            return Err(ELSEWHERE.into());
        }
        Ok((identity, meant))
    }

    /// Answers a TokenReview (`POST authentication.k8s.io/v1 tokenreviews`): the same object with its status.
    pub async fn token_review(&self, review: &Value) -> Value {
        let spec = &review["spec"];
        let mut audiences: Vec<String> =
            spec["audiences"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        if audiences.is_empty() {
            audiences.push(ISSUER.into());
        }
        let status = match self.identify(spec["token"].as_str().unwrap_or(""), &audiences).await {
            Ok((identity, audiences)) => {
                json!({"authenticated": true, "user": user_info(&identity), "audiences": audiences})
            }
            Err(why) => json!({"user": {}, "error": why}),
        };
        let mut answer = review.clone();
        answer["status"] = status;
        answer
    }
}

/// Those audiences that a token without an audience of ours is meant for: the server itself.
fn own(audiences: &[String]) -> Result<Vec<String>, String> {
    let own: Vec<String> = audiences.iter().filter(|name| *name == ISSUER).cloned().collect();
    if own.is_empty() { Err(ELSEWHERE.into()) } else { Ok(own) }
}

/// An identity as `authentication.k8s.io/v1 UserInfo`, also for SelfSubjectReview's `status.userInfo`.
pub(crate) fn user_info(identity: &Identity) -> Value {
    let mut info = json!({"username": identity.name, "groups": identity.groups});
    if !identity.uid.is_empty() {
        info["uid"] = json!(identity.uid);
    }
    if !identity.extra.is_empty() {
        info["extra"] = json!(identity.extra);
    }
    info
}

/// Takes a request's credentials out of its headers, before it is sent on to somebody else.
pub(crate) fn strip_credentials(headers: &mut HeaderMap) {
    headers.remove(AUTHORIZATION);
    let offered = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    let offered = offered.flat_map(|line| line.split(',')).map(str::trim);
    let kept: Vec<&str> = offered.filter(|name| !name.is_empty() && !name.starts_with(WEBSOCKET_TOKEN)).collect();
    let kept = HeaderValue::from_str(&kept.join(", ")).ok().filter(|value| !value.is_empty());
    headers.remove(SEC_WEBSOCKET_PROTOCOL);
    if let Some(kept) = kept {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, kept);
    }
}

/// The bearer token of a request. Another scheme or an unreadable header is an error; no credentials, `None`.
fn bearer_token(headers: &HeaderMap) -> Option<Result<String, &'static str>> {
    if let Some(value) = headers.get(AUTHORIZATION) {
        let Ok(text) = value.to_str() else { return Some(Err("Authorization header is not text")) };
        let mut words = text.split_ascii_whitespace();
        return Some(match (words.next(), words.next(), words.next()) {
            (Some(scheme), Some(token), None) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.to_owned()),
            _ => Err("Authorization header is no bearer token"),
        });
    }
    let mut protocols = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    let encoded =
        protocols.find_map(|list| list.split(',').find_map(|name| name.trim().strip_prefix(WEBSOCKET_TOKEN)))?;
    let decoded = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(encoded.trim_end_matches('='));
    Some(decoded.ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or("WebSocket token is not base64url"))
}
