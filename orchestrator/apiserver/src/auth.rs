//! Authentication and authorization.
//!
//! [`Authenticator`] makes an [`Identity`] of a client certificate or a bearer token;
//! [`impersonate`] puts another one in its place; [`Rbac`] says what it may do;
//! [`check_escalation`] and [`restrict_node`] look at what it writes, as admission does.

mod anonymous;
mod authenticator;
mod bootstrap_token;
mod claims;
mod escalation;
mod impersonation;
mod issuer;
mod limits;
mod node;
mod oidc;
mod rbac;
mod restriction;
mod rule;
mod snapshot;
mod x509;

#[cfg(test)]
pub(crate) mod tests;

pub(crate) use anonymous::may_be_anonymous;
pub use authenticator::Authenticator;
pub(crate) use authenticator::{strip_credentials, user_info};
pub use escalation::check_escalation;
pub use impersonation::impersonate;
pub use issuer::{ISSUER, TokenIssuer};
pub(crate) use oidc::Oidc;
#[cfg(test)]
pub(crate) use oidc::tests::issuer as oidc_issuer;
pub use oidc::{OidcConfig, OidcError};
pub use rbac::Rbac;
pub use restriction::restrict_node;
pub(crate) use rule::Rule;
pub(crate) use x509::{is_signed_by_its_key, request_of_pem};

use crate::identity::Identity;
use crate::registry::reader::ObjectReader;
use async_trait::async_trait;
use orchestrator_apimachinery::ApiError;
use serde_json::Value;

/// Its members may do everything, whatever the roles say.
pub const SUPERUSERS: &str = "system:masters";
/// Every authenticated user is of this group.
pub const AUTHENTICATED: &str = "system:authenticated";

/// What authentication made of a request's credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// Somebody.
    Known(Identity),
    /// No credentials at all.
    Anonymous,
    /// Credentials that are not good: 401. The text is for the log only.
    Refused(String),
}

/// What a request wants to do; authorization decides on this alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`, or the
    /// lower-case HTTP method for paths that are no resource.
    pub verb: String,
    /// API group, "" for the core group.
    pub group: String,
    /// API version.
    pub version: String,
    /// Plural; empty for paths that are no resource.
    pub resource: String,
    /// `status`, `log`, …; empty for the main resource.
    pub subresource: String,
    /// Empty for all namespaces or cluster-wide.
    pub namespace: String,
    /// Empty for collections.
    pub name: String,
    /// The URL's path.
    pub path: String,
    /// The `fieldSelector` of a list, watch or deletecollection, as it stands in the request;
    /// nodes may list Pods only by their own name. When it names one object
    /// (`metadata.name=x`), `name` must hold it too.
    pub field_selector: String,
}

/// Decides.
#[async_trait]
pub trait Authorizer: Send + Sync {
    /// `Ok` to go on; `Err` holds why not, may be empty.
    async fn authorize(&self, who: &Identity, what: &Attributes) -> Result<(), String>;
}

/// The 403 of a request that authorization refused, in upstream's words. `why` is what
/// [`Authorizer::authorize`] answered, may be empty.
pub fn forbidden(who: &Identity, what: &Attributes, why: &str) -> ApiError {
    let denial = denial(who, what);
    let text = if why.is_empty() { denial } else { format!("{denial}: {why}") };
    if what.resource.is_empty() {
        return ApiError::new(403, "Forbidden", format!("forbidden: {text}"));
    }
    ApiError::forbidden(&what.group, &what.resource, &what.name, &text)
}

fn denial(who: &Identity, what: &Attributes) -> String {
    let Attributes { verb, group, resource, subresource, namespace, path, .. } = what;
    let user = &who.name;
    if resource.is_empty() {
        return format!("User {user:?} cannot {verb} path {path:?}");
    }
    let resource = if subresource.is_empty() { resource.clone() } else { format!("{resource}/{subresource}") };
    let place = match namespace.as_str() {
        "" => "at the cluster scope".to_owned(),
        namespace => format!("in the namespace {namespace:?}"),
    };
    format!("User {user:?} cannot {verb} resource {resource:?} in API group {group:?} {place}")
}

/// `(namespace, name)` of a service account's user name.
pub(crate) fn service_account(user: &str) -> Option<(&str, &str)> {
    let (namespace, name) = user.strip_prefix("system:serviceaccount:")?.split_once(':')?;
    let plain = !namespace.is_empty() && !name.is_empty() && !name.contains(':');
    plain.then_some((namespace, name))
}

/// The groups of a service account, `system:authenticated` among them.
pub(crate) fn service_account_groups(namespace: &str) -> Vec<String> {
    vec!["system:serviceaccounts".into(), format!("system:serviceaccounts:{namespace}"), AUTHENTICATED.into()]
}

/// An object as JSON; `None` when it is not there.
pub(crate) fn read(
    objects: &dyn ObjectReader,
    group: &str,
    plural: &str,
    namespace: &str,
    name: &str,
) -> Option<Value> {
    serde_json::from_slice(&objects.get(group, plural, namespace, name)?).ok()
}
