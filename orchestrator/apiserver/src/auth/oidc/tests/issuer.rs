//! An issuer on loopback, and those who sign.

use crate::auth::OidcConfig;
use crate::auth::tests::world::START;
use crate::pki::tests::loopback::{Answer, https};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use runtime_base::Tasks;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// A key of tests only; the crates at hand make no RSA keys.
const RSA: &[u8] = include_bytes!("signing.pem");

/// A key with its id.
pub struct Signer {
    id: &'static str,
    algorithm: Algorithm,
    key: EncodingKey,
}

impl Signer {
    pub fn rsa(id: &'static str) -> Self {
        Signer { id, algorithm: Algorithm::RS256, key: EncodingKey::from_rsa_pem(RSA).unwrap() }
    }

    /// Each is another one.
    pub fn elliptic(id: &'static str) -> Self {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        Signer { id, algorithm: Algorithm::ES256, key: EncodingKey::from_ec_der(&key.serialize_der()) }
    }

    fn sign_as(&self, id: Option<&str>, claims: &Value) -> String {
        let mut header = Header::new(self.algorithm);
        header.kid = id.map(str::to_owned);
        jsonwebtoken::encode(&header, claims, &self.key).unwrap()
    }

    pub fn sign(&self, claims: &Value) -> String {
        self.sign_as(Some(self.id), claims)
    }

    pub fn sign_nameless(&self, claims: &Value) -> String {
        self.sign_as(None, claims)
    }

    /// With the public half as the secret of an HMAC.
    pub fn sign_with_published_key(&self, claims: &Value) -> String {
        let secret = EncodingKey::from_secret(self.jwk().to_string().as_bytes());
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(self.id.into());
        jsonwebtoken::encode(&header, claims, &secret).unwrap()
    }

    fn jwk(&self) -> Value {
        let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&self.key, self.algorithm).unwrap()).unwrap();
        jwk["kid"] = json!(self.id);
        jwk["use"] = json!("sig");
        jwk
    }
}

/// What it answers, and how often it was asked for its keys.
struct State {
    name: String,
    keys: Vec<Value>,
    fetches: usize,
}

pub struct Issuer {
    pub url: String,
    /// PEM.
    pub ca: Vec<u8>,
    pub signer: Signer,
    state: Arc<Mutex<State>>,
}

impl Issuer {
    /// Serves discovery and the keys of `signer` over HTTPS until the test ends.
    pub async fn start(signer: Signer) -> Self {
        let state = Arc::new(Mutex::new(State { name: String::new(), keys: Vec::new(), fetches: 0 }));
        let shared = state.clone();
        let answer: Answer = Arc::new(move |path, _, _| respond(&shared, path));
        let (port, certificate) = https(&Tasks::new(), answer).await;
        let url = format!("https://127.0.0.1:{port}/tenant");
        state.lock().unwrap().name.clone_from(&url);
        let issuer = Issuer { url, ca: certificate.into_bytes(), signer, state };
        issuer.publish(&[&issuer.signer]);
        issuer
    }

    pub fn publish(&self, signers: &[&Signer]) {
        let odd = json!({"kty": "new", "kid": "k1", "use": "sig"});
        self.state.lock().unwrap().keys = [odd].into_iter().chain(signers.iter().map(|one| one.jwk())).collect();
    }

    /// In its discovery document.
    pub fn call_itself(&self, name: &str) {
        self.state.lock().unwrap().name = name.into();
    }

    /// How often its keys were fetched.
    pub fn fetches(&self) -> usize {
        self.state.lock().unwrap().fetches
    }
}

fn respond(state: &Mutex<State>, path: &str) -> (u16, Value) {
    let mut state = state.lock().unwrap();
    match path {
        "/tenant/.well-known/openid-configuration" => {
            let base = &state.name;
            (200, json!({"issuer": base, "jwks_uri": format!("{base}/keys")}))
        }
        "/tenant/keys" => {
            state.fetches += 1;
            (200, json!({"keys": state.keys}))
        }
        _ => (404, json!({"error": "not found"})),
    }
}

/// Claims that are good on the day of [`START`].
pub fn claims(issuer: &Issuer) -> Value {
    json!({"iss": issuer.url, "aud": "coracle", "sub": "jane", "iat": START, "exp": START + 600})
}

/// As upstream's defaults.
pub fn config(issuer: &Issuer) -> OidcConfig {
    OidcConfig {
        issuer_url: issuer.url.clone(),
        client_id: "coracle".into(),
        username_claim: "sub".into(),
        username_prefix: None,
        groups_claim: None,
        groups_prefix: String::new(),
        required_claims: BTreeMap::new(),
        ca: Some(issuer.ca.clone()),
        signing_algs: vec!["RS256".into()],
    }
}
