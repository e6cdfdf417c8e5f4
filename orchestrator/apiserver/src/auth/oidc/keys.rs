//! The keys that an issuer publishes: fetched when first needed, and anew when a token names another.

use crate::auth::limits::{OIDC_FETCH_INTERVAL_MIN, OIDC_FETCH_TIME_MAX, OIDC_KEYS_MAX};
use crate::outbound::{Trust, get_json};
use arc_swap::ArcSwap;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, PublicKeyUse};
use runtime_base::{Clock, Tasks};
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tracing::{info, warn};

struct Key {
    id: Option<String>,
    key: DecodingKey,
}

/// What the keys at hand say of a token.
pub(super) enum Verdict<T> {
    /// One of them signed it.
    Good(T),
    /// The one that it names did not sign it.
    Bad(String),
    /// It may be signed with a key that is not at hand.
    NoSuchKey,
}

pub(super) struct Keys {
    issuer: String,
    trust: Trust,
    clock: Clock,
    tasks: Tasks,
    known: ArcSwap<Vec<Key>>,
    /// When the last fetch ended, whatever came of it. Held while one runs.
    fetched: Arc<Mutex<Option<Instant>>>,
}

impl Keys {
    pub fn new(issuer: String, trust: Trust, clock: Clock, tasks: Tasks) -> Arc<Self> {
        Arc::new(Keys { issuer, trust, clock, tasks, known: ArcSwap::default(), fetched: Arc::default() })
    }

    /// Tries `check` with each key that is called `kid`, or with all when the token names none.
    pub fn judge<T>(&self, kid: Option<&str>, check: impl Fn(&DecodingKey) -> Result<T, String>) -> Verdict<T> {
        let known = self.known.load();
        let mut verdict = Verdict::NoSuchKey;
        for key in known.iter().filter(|key| kid.is_none() || key.id.as_deref() == kid) {
            match check(&key.key) {
                Ok(good) => return Verdict::Good(good),
                Err(why) if kid.is_some() => verdict = Verdict::Bad(why),
                Err(_) => {}
            }
        }
        verdict
    }

    /// Fetches the keys, unless they were fetched a moment ago; whoever comes meanwhile waits for the same fetch.
    pub async fn refresh(self: &Arc<Self>) {
        let mut turn = self.fetched.clone().lock_owned().await;
        let recent = |last: Instant| self.clock.monotonic().duration_since(last) < OIDC_FETCH_INTERVAL_MIN;
        if turn.is_some_and(recent) {
            return;
        }
        let keys = self.clone();
        // On its own, so that a client that hangs up does not end what others wait for.
        self.tasks.spawn("oidc keys", async move {
            match keys.fetch().await {
                Ok(found) => {
                    info!(issuer = keys.issuer, keys = found.len(), "fetched the keys of the OpenID Connect issuer");
                    keys.known.store(Arc::new(found));
                }
                Err(why) => warn!(issuer = keys.issuer, why, "cannot fetch the keys of the OpenID Connect issuer"),
            }
            *turn = Some(keys.clock.monotonic());
        });
        drop(self.fetched.lock().await);
    }

    async fn fetch(&self) -> Result<Vec<Key>, String> {
        let get = async |url: &str| {
            let answer = get_json(&self.tasks, url, &self.trust, OIDC_FETCH_TIME_MAX).await;
            answer.map_err(|error| format!("{url}: {error}"))
        };
        let document = get(&format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'))).await?;
        if document["issuer"] != self.issuer.as_str() {
            return Err(format!("issuer did not match the issuer returned by provider, got {}", document["issuer"]));
        }
        let set = get(document["jwks_uri"].as_str().ok_or("the issuer's document has no jwks_uri")?).await?;
        let keys = set["keys"].as_array().ok_or("the issuer's key set has no keys")?;
        // A kind of key that is new to us must not take away those that are not.
        Ok(keys.iter().filter_map(usable).take(OIDC_KEYS_MAX).collect())
    }
}

/// A key that signatures can be checked with.
fn usable(value: &Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(value.clone()).ok()?;
    let signs = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
    let public = matches!(jwk.algorithm, AlgorithmParameters::RSA(_) | AlgorithmParameters::EllipticCurve(_));
    let key = DecodingKey::from_jwk(&jwk).ok().filter(|_| signs && public)?;
    Some(Key { id: jwk.common.key_id, key })
}
