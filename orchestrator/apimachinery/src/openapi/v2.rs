//! OpenAPI v2 of all kinds in one document, made from the parts of v3: for clients that validate
//! with it and for `kubectl explain --output=plaintext-openapiv2`.

mod document;
#[cfg(test)]
mod tests;
mod wire;

use super::{paths, schemas};
use crate::kind::{Catalog, Kind};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The media type that kubectl asks for.
pub const ASKED_TYPE: &str = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
/// The media type of the answer: the asked one is no valid Content-Type (RFC 9110 knows no `@`).
pub const MEDIA_TYPE: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// The document as JSON.
pub fn document(catalog: &Catalog) -> Value {
    let kinds: Vec<&Arc<Kind>> = catalog.all().iter().collect();
    let mut all = Map::new();
    for (group, versions) in catalog.groups() {
        for version in versions {
            let path = super::path_of(&group, &version);
            let own: Vec<&Arc<Kind>> =
                kinds.iter().copied().filter(|kind| kind.group == group && kind.version == version).collect();
            if let Value::Object(own) = paths::of(&own, &path) {
                all.extend(own.into_iter().map(|(path, item)| (path, document::path_item(item))));
            }
        }
    }
    let mut definitions = schemas::of(&kinds);
    document::schema(&mut definitions);
    let name_all = |name: &str, schema: Value| ((*name).to_owned(), schema);
    if let Value::Object(definitions) = &mut definitions {
        let text = |format: Option<&str>| match format {
            Some(format) => json!({"type": "string", "format": format}),
            None => json!({"type": "string"}),
        };
        definitions.extend([
            name_all("io.k8s.apimachinery.pkg.api.resource.Quantity", text(None)),
            name_all("io.k8s.apimachinery.pkg.util.intstr.IntOrString", text(Some("int-or-string"))),
        ]);
    }
    json!({
        "swagger": "2.0", "info": {"title": "Kubernetes", "version": super::VERSION}, "paths": all,
        "definitions": definitions, "security": [{"BearerToken": []}],
        "securityDefinitions": {"BearerToken": {
            "description": "Bearer Token authentication", "type": "apiKey", "name": "authorization", "in": "header",
        }},
    })
}

/// A document as the `openapi.v2.Document` message of gnostic.
pub fn protobuf(document: &Value) -> Bytes {
    Bytes::from(wire::document(document))
}
