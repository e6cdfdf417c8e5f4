//! The claims of a service account token (KEP-1205), and whether they still hold.

use super::limits::DELETION_LEEWAY;
use super::{read, service_account_groups};
use crate::identity::Identity;
use crate::registry::reader::ObjectReader;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An object by name and uid.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub(super) struct Bound {
    pub name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uid: String,
}

/// The `kubernetes.io` claim.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Private {
    pub namespace: String,
    pub serviceaccount: Bound,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<Bound>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Bound>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<Bound>,
}

/// All claims.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Claims {
    pub iss: String,
    pub sub: String,
    pub aud: Vec<String>,
    pub exp: i64,
    pub iat: i64,
    pub nbf: i64,
    #[serde(default)]
    pub jti: String,
    #[serde(rename = "kubernetes.io")]
    pub private: Private,
}

impl Claims {
    /// Whose token it is, if its time (`now`, seconds since 1970), its issuer and every object
    /// that it is bound to still stand. The error is for the log.
    pub(super) fn identify(&self, issuer: &str, now: i64, objects: &dyn ObjectReader) -> Result<Identity, String> {
        let Private { namespace, serviceaccount, pod, secret, node } = &self.private;
        if self.iss != issuer {
            return Err("token of another issuer".into());
        }
        if now >= self.exp {
            return Err("service account token has expired".into());
        }
        if now < self.nbf {
            return Err("service account token is not valid yet".into());
        }
        let user = format!("system:serviceaccount:{namespace}:{}", serviceaccount.name);
        if self.sub != user || super::service_account(&user).is_none() {
            return Err("the token's subject is not its service account".into());
        }
        let alive = |plural: &str, namespace: &str, bound: &Bound| standing(objects, plural, namespace, bound, now);
        alive("serviceaccounts", namespace, serviceaccount)?;
        for (plural, bound) in [("pods", pod), ("secrets", secret)] {
            bound.iter().try_for_each(|bound| alive(plural, namespace, bound))?;
        }
        // A Pod's token names the Pod's node too, for information; only a token bound to the
        // node itself ends with it.
        if pod.is_none() && secret.is_none() {
            node.iter().try_for_each(|bound| alive("nodes", "", bound))?;
        }
        Ok(Identity {
            name: user,
            uid: serviceaccount.uid.clone(),
            groups: service_account_groups(namespace),
            extra: self.extra(),
        })
    }

    fn extra(&self) -> BTreeMap<String, Vec<String>> {
        let mut extra = BTreeMap::new();
        let mut put = |key: &str, value: &str| {
            if !value.is_empty() {
                extra.insert(format!("authentication.kubernetes.io/{key}"), vec![value.to_owned()]);
            }
        };
        for (kind, bound) in [("pod", &self.private.pod), ("node", &self.private.node)] {
            if let Some(bound) = bound {
                put(&format!("{kind}-name"), &bound.name);
                put(&format!("{kind}-uid"), &bound.uid);
            }
        }
        if !self.jti.is_empty() {
            put("credential-id", &format!("JTI={}", self.jti));
        }
        extra
    }
}

/// Whether the object of a claim is there, the same one, and not long deleted.
fn standing(objects: &dyn ObjectReader, plural: &str, namespace: &str, bound: &Bound, now: i64) -> Result<(), String> {
    let Bound { name, uid } = bound;
    let object = read(objects, "", plural, namespace, name).ok_or_else(|| format!("{plural} {name:?} is gone"))?;
    if object["metadata"]["uid"] != uid.as_str() {
        return Err(format!("{plural} {name:?} is another one than the token's"));
    }
    let deleted =
        object["metadata"]["deletionTimestamp"].as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    match deleted {
        Some(when) if now > when.as_second() + DELETION_LEEWAY.as_secs() as i64 => {
            Err(format!("{plural} {name:?} is being deleted"))
        }
        _ => Ok(()),
    }
}
