//! Bootstrap tokens: `ID.SECRET`, a Secret of type `bootstrap.kubernetes.io/token` in `kube-system`.

use super::{AUTHENTICATED, read};
use crate::identity::Identity;
use crate::registry::reader::ObjectReader;
use base64::Engine;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

const TYPE: &str = "bootstrap.kubernetes.io/token";
/// Everybody with such a token is of this group; further ones start with it.
const BOOTSTRAPPERS: &str = "system:bootstrappers";

/// The id and the secret of a token that looks like one.
pub(super) fn parse(token: &str) -> Option<(&str, &str)> {
    let (id, secret) = token.split_once('.')?;
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    (id.len() == 6 && secret.len() == 16 && plain(id) && plain(secret)).then_some((id, secret))
}

/// Whose token it is at `now` (seconds since 1970). The error is for the log.
pub(super) fn identify(id: &str, secret: &str, now: i64, objects: &dyn ObjectReader) -> Result<Identity, String> {
    let name = format!("bootstrap-token-{id}");
    let refused = |why: &str| format!("bootstrap token {id:?}: {why}");
    let object = read(objects, "", "secrets", "kube-system", &name).ok_or_else(|| refused("there is none"))?;
    let data = |key: &str| text(&object["data"][key]);
    if object["type"] != TYPE {
        return Err(refused("its Secret has another type"));
    }
    if !object["metadata"]["deletionTimestamp"].is_null() {
        return Err(refused("it is being deleted"));
    }
    let known = data("token-secret").unwrap_or_default();
    // The digests tell nothing of the secret, however long their comparison takes.
    let same = Sha256::digest(&known).iter().zip(Sha256::digest(secret)).fold(0, |found, (a, b)| found | (a ^ b)) == 0;
    if known.is_empty() || !same {
        return Err(refused("the secret is another one"));
    }
    if data("token-id").as_deref() != Some(id) {
        return Err(refused("its Secret holds another id"));
    }
    if let Some(expiration) = data("expiration") {
        let end: jiff::Timestamp = expiration.parse().map_err(|_| refused("its expiration is no time"))?;
        if now >= end.as_second() {
            return Err(refused("it has expired"));
        }
    }
    if data("usage-bootstrap-authentication").as_deref() != Some("true") {
        return Err(refused("it is not for authentication"));
    }
    let mut groups = BTreeSet::from([BOOTSTRAPPERS.to_owned()]);
    let extra = data("auth-extra-groups").unwrap_or_default();
    for group in extra.split(',').map(str::trim).filter(|group| !group.is_empty()) {
        if !is_extra_group(group) {
            return Err(refused("an extra group is not one of system:bootstrappers:"));
        }
        groups.insert(group.to_owned());
    }
    groups.insert(AUTHENTICATED.to_owned());
    Ok(Identity { name: format!("system:bootstrap:{id}"), groups: groups.into_iter().collect(), ..Identity::default() })
}

/// Upstream's `\Asystem:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]\z`.
fn is_extra_group(group: &str) -> bool {
    let Some(rest) = group.strip_prefix("system:bootstrappers:") else { return false };
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let fits = rest.bytes().all(|byte| letter(byte) || matches!(byte, b':' | b'-'));
    rest.len() <= 256 && fits && rest.bytes().last().is_some_and(letter)
}

fn text(value: &Value) -> Option<String> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(value.as_str()?).ok()?;
    String::from_utf8(bytes).ok().filter(|text| !text.is_empty())
}
