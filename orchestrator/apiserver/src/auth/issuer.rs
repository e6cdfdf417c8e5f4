//! Makes service account tokens, and publishes the key that checks them.

use super::claims::{Bound, Claims, Private};
use super::limits::{
    TOKEN_AUDIENCES_MAX, TOKEN_BYTES_MAX, TOKEN_SECONDS_ASKED_MAX, TOKEN_SECONDS_DEFAULT, TOKEN_SECONDS_MAX,
    TOKEN_SECONDS_MIN, TOKENS_VERIFIED_MAX,
};
use super::read;
use crate::pki::Pki;
use crate::registry::reader::ObjectReader;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use orchestrator_apimachinery::ApiError;
use orchestrator_apimachinery::field::{Errors, Path};
use orchestrator_apimachinery::meta;
use runtime_base::{Clock, Rng};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// The issuer of this cluster's tokens, and their default audience.
pub const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// Signs and checks service account tokens (ES256).
pub struct TokenIssuer {
    signing: EncodingKey,
    checking: DecodingKey,
    /// The key's id: the hash of its public half, as upstream's.
    key_id: String,
    /// The public point: 0x04, x, y.
    point: Vec<u8>,
    clock: Clock,
    rng: Rng,
    /// Claims of tokens whose signature was found good, by the token's hash.
    verified: Mutex<HashMap<[u8; 32], Claims>>,
}

impl TokenIssuer {
    /// With the service account key of `pki`.
    pub fn new(pki: &Pki, clock: Clock, rng: Rng) -> Self {
        let key = pki.service_account_key();
        let point = key.public_key_raw().to_vec();
        use rcgen::PublicKeyData;
        TokenIssuer {
            signing: EncodingKey::from_ec_der(&key.serialize_der()),
            checking: DecodingKey::from_ec_der(&point),
            key_id: BASE64.encode(Sha256::digest(key.subject_public_key_info())),
            point,
            clock,
            rng,
            verified: Mutex::default(),
        }
    }

    /// Seconds since 1970.
    fn now(&self) -> i64 {
        self.clock.now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
    }

    /// Answers `POST serviceaccounts/NAME/token`: `account` is the ServiceAccount, `request` the
    /// TokenRequest. The answer is the TokenRequest with its status, which holds a secret.
    pub fn token_request(
        &self,
        objects: &dyn ObjectReader,
        account: &Value,
        request: &Value,
    ) -> Result<Value, ApiError> {
        let (name, namespace) = (meta::name(account), meta::namespace(account));
        let spec = &request["spec"];
        let asked = match &spec["expirationSeconds"] {
            Value::Null => TOKEN_SECONDS_DEFAULT,
            seconds => seconds.as_i64().unwrap_or(0),
        };
        let audiences: Vec<String> =
            spec["audiences"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        check_request(request, asked, audiences.len())?;
        for (field, own) in [("name", name), ("namespace", namespace)] {
            let given = meta::text(request, field);
            if !given.is_empty() && given != own {
                let text = format!("the {field} of the provided object does not match the {field} sent on the request");
                return Err(ApiError::bad_request(text));
            }
        }
        let mut private = Private {
            namespace: namespace.into(),
            serviceaccount: Bound { name: name.into(), uid: meta::uid(account).into() },
            pod: None,
            secret: None,
            node: None,
        };
        if spec["boundObjectRef"].is_object() {
            bind(objects, &mut private, &spec["boundObjectRef"])?;
        }
        let audiences = if audiences.is_empty() { vec![ISSUER.to_owned()] } else { audiences };
        let (token, expires) = self.sign(private, audiences.clone(), asked.min(TOKEN_SECONDS_MAX))?;
        let mut answer = request.clone();
        let time = |seconds: i64| jiff::Timestamp::from_second(seconds).unwrap_or_default().to_string();
        answer["apiVersion"] = json!("authentication.k8s.io/v1");
        answer["kind"] = json!("TokenRequest");
        answer["metadata"] = json!({"name": name, "namespace": namespace, "creationTimestamp": time(self.now())});
        answer["spec"]["audiences"] = json!(audiences);
        answer["spec"]["expirationSeconds"] = json!(asked);
        answer["status"] = json!({"token": token, "expirationTimestamp": time(expires)});
        Ok(answer)
    }

    fn sign(&self, private: Private, aud: Vec<String>, seconds: i64) -> Result<(String, i64), ApiError> {
        let now = self.now();
        let claims = Claims {
            iss: ISSUER.into(),
            sub: format!("system:serviceaccount:{}:{}", private.namespace, private.serviceaccount.name),
            aud,
            exp: now + seconds,
            iat: now,
            nbf: now,
            jti: self.rng.uid(),
            private,
        };
        let mut header = Header::new(Algorithm::ES256);
        (header.kid, header.typ) = (Some(self.key_id.clone()), None);
        let token = jsonwebtoken::encode(&header, &claims, &self.signing).map_err(ApiError::internal)?;
        Ok((token, claims.exp))
    }

    /// The claims of `token` if this issuer signed it. Says nothing about time, audience or bound objects.
    pub(super) fn verify(&self, token: &str) -> Result<Claims, String> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err("token is too long".into());
        }
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        if let Some(claims) = self.remembered().get(&hash) {
            return Ok(claims.clone());
        }
        let header = jsonwebtoken::decode_header(token).map_err(|error| error.to_string())?;
        if header.alg != Algorithm::ES256 || header.kid.as_ref() != Some(&self.key_id) {
            return Err("token was not signed by this cluster's key".into());
        }
        let mut rules = Validation::new(Algorithm::ES256);
        // Times are compared with our own clock, audience and issuer by the caller.
        (rules.validate_exp, rules.validate_nbf, rules.validate_aud) = (false, false, false);
        rules.required_spec_claims.clear();
        let claims =
            jsonwebtoken::decode::<Claims>(token, &self.checking, &rules).map_err(|error| error.to_string())?.claims;
        let mut remembered = self.remembered();
        if remembered.len() >= TOKENS_VERIFIED_MAX {
            remembered.clear();
        }
        remembered.insert(hash, claims.clone());
        Ok(claims)
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], Claims>> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `GET /openid/v1/jwks`; its type is `application/jwk-set+json`.
    pub fn jwks(&self) -> Value {
        let half = |from: usize| BASE64.encode(&self.point[from..from + 32]);
        json!({"keys": [{
            "use": "sig", "kty": "EC", "kid": self.key_id, "alg": "ES256", "crv": "P-256", "x": half(1), "y": half(33),
        }]})
    }

    /// `GET /.well-known/openid-configuration`.
    pub fn openid_configuration(&self) -> Value {
        json!({
            "issuer": ISSUER,
            "jwks_uri": format!("{ISSUER}/openid/v1/jwks"),
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        })
    }
}

fn check_request(request: &Value, seconds: i64, audiences: usize) -> Result<(), ApiError> {
    let mut errors = Errors::default();
    let given = &request["spec"]["expirationSeconds"];
    let path = Path::new("spec").child("expirationSeconds");
    if seconds < TOKEN_SECONDS_MIN {
        errors.invalid(&path, given, "may not specify a duration less than 10 minutes");
    }
    if seconds > TOKEN_SECONDS_ASKED_MAX {
        errors.invalid(&path, given, "may not specify a duration larger than 2^32 seconds");
    }
    if audiences > TOKEN_AUDIENCES_MAX {
        errors.invalid(&Path::new("spec").child("audiences"), audiences, "must have at most 64 items");
    }
    if errors.is_empty() {
        return Ok(());
    }
    Err(ApiError::invalid("authentication.k8s.io", "TokenRequest", meta::name(request), &errors))
}

/// Puts the object that the request names into the claims.
fn bind(objects: &dyn ObjectReader, private: &mut Private, reference: &Value) -> Result<(), ApiError> {
    let text = |field: &str| reference[field].as_str().unwrap_or("");
    let (name, uid) = (text("name"), text("uid"));
    let (namespace, account) = (private.namespace.clone(), private.serviceaccount.name.clone());
    let plural = match (text("apiVersion"), text("kind")) {
        ("v1", "Pod") => "pods",
        ("v1", "Secret") => "secrets",
        ("v1", "Node") => "nodes",
        (version, kind) => {
            let text = format!("cannot bind token to object of type {version}, Kind={kind}");
            return Err(ApiError::bad_request(text));
        }
    };
    let place = if plural == "nodes" { "" } else { namespace.as_str() };
    let object = read(objects, "", plural, place, name).ok_or_else(|| ApiError::not_found("", plural, name))?;
    if !uid.is_empty() && uid != meta::uid(&object) {
        let why = format!(
            "the UID in the bound object reference ({uid}) does not match the UID in record. \
             The object might have been deleted and then recreated"
        );
        return Err(ApiError::conflict("", plural, name, &why));
    }
    let bound = Some(Bound { name: name.into(), uid: meta::uid(&object).into() });
    match plural {
        "secrets" => private.secret = bound,
        "nodes" => private.node = bound,
        _ => {
            if object["spec"]["serviceAccountName"].as_str().unwrap_or("default") != account {
                return Err(ApiError::bad_request(format!(
                    "cannot bind token for serviceaccount {account:?} to pod running with different serviceaccount name."
                )));
            }
            private.pod = bound;
            if let Some(node) = object["spec"]["nodeName"].as_str().filter(|node| !node.is_empty()) {
                let uid = read(objects, "", "nodes", "", node).map(|node| meta::uid(&node).to_owned());
                private.node = Some(Bound { name: node.into(), uid: uid.unwrap_or_default() });
            }
        }
    }
    Ok(())
}
