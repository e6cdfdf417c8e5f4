//! The documents of what is not a group version: discovery, the version, the issuer of tokens.

use super::paths::json_answer;
use crate::kind::Catalog;
use serde_json::{Value, json};

/// The documents that are always there.
pub(super) const PATHS: [&str; 5] = [".well-known/openid-configuration", "api", "apis", "openid/v1/jwks", "version"];

const GROUP: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.APIGroup";

/// Paths and schemas of one of those documents, or of a group's.
pub(super) fn of(catalog: &Catalog, path: &str) -> Option<(Value, Value)> {
    let (id, tag, what, schema) = match path {
        "api" => ("getCoreAPIVersions", "core", "get available API versions", api_versions()),
        "apis" => ("getAPIVersions", "apis", "get available API versions", group_list()),
        "version" => ("getCodeVersion", "version", "get the version information for this server", version()),
        ".well-known/openid-configuration" => {
            let what = "get service account issuer OpenID configuration, also known as the 'OIDC discovery doc'";
            ("getServiceAccountIssuerOpenIDConfiguration", "WellKnown", what, json!({"type": "object"}))
        }
        "openid/v1/jwks" => {
            let what = "get service account issuer OpenID JSON Web Key Set (contains public token verification keys)";
            ("getServiceAccountIssuerOpenIDKeyset", "openid", what, json!({"type": "object"}))
        }
        path => {
            let group = path.strip_prefix("apis/").filter(|group| !group.contains('/'))?;
            catalog.groups().iter().find(|(name, _)| name == group)?;
            ("getAPIGroup", group, "get information of a group", group_schema())
        }
    };
    let discovery = matches!(path, "api" | "apis") || path.starts_with("apis/");
    let full = if discovery || path == "version" { format!("/{path}/") } else { format!("/{path}") };
    let mut answer = json_answer("OK", schema);
    if path == "openid/v1/jwks" {
        let schema = answer["content"]["application/json"].take();
        answer["content"] = json!({"application/jwk-set+json": schema});
    }
    let operation = json!({
        "tags": [tag], "description": what, "operationId": id,
        "responses": {"200": answer, "401": {"description": "Unauthorized"}},
    });
    Some((json!({full: {"get": operation}}), json!({GROUP: group_schema()})))
}

fn texts(names: &[&str]) -> Value {
    names.iter().map(|name| ((*name).to_owned(), json!({"type": "string"}))).collect::<serde_json::Map<_, _>>().into()
}

fn version() -> Value {
    let names =
        ["major", "minor", "gitVersion", "gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler", "platform"];
    json!({"type": "object", "required": names, "properties": texts(&names)})
}

fn api_versions() -> Value {
    let versions = json!({"type": "array", "items": {"type": "string"}});
    let properties = json!({
        "kind": {"type": "string"}, "versions": versions,
        "serverAddressByClientCIDRs": {"type": "array", "items": {"type": "object"}},
    });
    json!({"type": "object", "required": ["versions", "serverAddressByClientCIDRs"], "properties": properties})
}

fn group_schema() -> Value {
    let version = json!({"type": "object", "properties": texts(&["groupVersion", "version"])});
    let properties = json!({
        "apiVersion": {"type": "string"}, "kind": {"type": "string"}, "name": {"type": "string"},
        "preferredVersion": version, "versions": {"type": "array", "items": version},
    });
    json!({"type": "object", "required": ["name", "versions"], "properties": properties})
}

fn group_list() -> Value {
    let groups = json!({"type": "array", "items": group_schema()});
    let properties = json!({"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "groups": groups});
    json!({"type": "object", "required": ["groups"], "properties": properties})
}
