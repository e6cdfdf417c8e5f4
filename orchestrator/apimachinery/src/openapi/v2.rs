//! The part of OpenAPI v2 that kubectl still asks for: which PATCH takes which query parameters.
//!
//! kubectl validates with v3, but for a `kind: List` it falls back to v2, which it accepts only as
//! protobuf (the `openapi.v2.Document` message of gnostic). Paths alone are enough: definitions
//! are left out.

use crate::kind::{Catalog, Kind, Scope, Verb};
use bytes::Bytes;
use serde_json::json;

/// The media type that kubectl asks for.
pub const ASKED_TYPE: &str = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
/// The media type of the answer: the asked one is no valid Content-Type (RFC 9110 knows no `@`).
pub const MEDIA_TYPE: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

const PARAMETERS: [&str; 4] = ["dryRun", "fieldManager", "fieldValidation", "force"];

/// A protobuf message under construction.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push((value as u8 & 0x7f) | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    fn text(self, field: u64, text: &str) -> Self {
        self.bytes(field, text.as_bytes())
    }

    fn message(self, field: u64, message: Message) -> Self {
        self.bytes(field, &message.0)
    }
}

/// The document of the kinds that can be patched.
pub fn document(catalog: &Catalog) -> Bytes {
    let paths =
        catalog.all().iter().filter(|kind| kind.verbs.contains(&Verb::Patch)).fold(Message::default(), |all, kind| {
            let item = Message::default().message(8, patch(kind));
            all.message(2, Message::default().text(1, &path(kind)).message(2, item))
        });
    let info = Message::default().text(1, "Kubernetes").text(2, "v1.36.0");
    Bytes::from(Message::default().text(1, "2.0").message(2, info).message(8, paths).0)
}

fn path(kind: &Kind) -> String {
    let namespace = if kind.scope == Scope::Namespaced { "{namespace}" } else { "" };
    format!("{}/{{name}}", kind.collection_path(namespace))
}

/// The Operation of PATCH, with its parameters and its kind.
fn patch(kind: &Kind) -> Message {
    let parameters = PARAMETERS.iter().fold(Message::default(), |operation, name| {
        let query = Message::default().text(2, "query").text(4, name).text(6, "string");
        // ParametersItem ▸ Parameter ▸ NonBodyParameter ▸ QueryParameterSubSchema
        let parameter = Message::default().message(2, Message::default().message(3, query));
        operation.message(8, Message::default().message(1, parameter))
    });
    let gvk = json!({"group": kind.group, "kind": kind.kind, "version": kind.version}).to_string();
    let any = Message::default().text(2, &gvk);
    parameters.message(13, Message::default().text(1, "x-kubernetes-group-version-kind").message(2, any))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_tags_nest() {
        let inner = Message::default().text(1, "ab");
        assert_eq!(Message::default().message(13, inner).0, [13 << 3 | 2, 4, 1 << 3 | 2, 2, b'a', b'b']);
        let long = Message::default().text(1, &"x".repeat(300));
        assert_eq!(long.0[..3], [10, 0xac, 0x02]);
    }

    #[test]
    fn each_kind_that_can_be_patched_has_a_path() {
        let document = document(&Catalog::builtin());
        let text = String::from_utf8_lossy(&document);
        for expected in ["/api/v1/namespaces/{name}", "/apis/apps/v1/namespaces/{namespace}/deployments/{name}"] {
            assert!(text.contains(expected), "{expected}");
        }
        assert!(!text.contains("selfsubjectaccessreviews"));
    }
}
