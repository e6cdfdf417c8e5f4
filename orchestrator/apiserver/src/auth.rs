//! Authentication and authorization.

use crate::identity::Identity;
use async_trait::async_trait;

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
