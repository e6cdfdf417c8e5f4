use super::*;
use serde_json::json;

#[test]
fn content_types_name_formats() {
    for (text, format) in [
        (None, Format::Json),
        (Some("application/json; charset=utf-8"), Format::Json),
        (Some("application/YAML"), Format::Yaml),
        (Some("application/vnd.kubernetes.protobuf"), Format::Protobuf),
    ] {
        assert_eq!(Format::from_content_type(text), Ok(format));
    }
    for text in ["application/cbor", "text/plain", "application/apply-patch+yaml"] {
        assert_eq!(Format::from_content_type(Some(text)).unwrap_err().code, 415);
    }
}

#[test]
fn duplicate_fields_are_told_with_their_paths() {
    let body = br#"{"spec": {"x": 1, "x": 2, "list": [{}, {"a": 1, "a": {}}]}, "kind": "A", "kind": "B"}"#;
    let decoded = decode(Format::Json, body, &|_, _| None).unwrap();
    assert_eq!(decoded.value, json!({"spec": {"x": 2, "list": [{}, {"a": {}}]}, "kind": "B"}));
    let expected = ["duplicate field \"spec.x\"", "duplicate field \"spec.list[1].a\"", "duplicate field \"kind\""];
    assert_eq!(decoded.duplicates, expected);
}

#[test]
fn bad_bodies_are_refused() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    for body in ["", "{", "{} x", "\u{1}", "{\"a\": 1e999}", deep.as_str()] {
        assert_eq!(decode(Format::Json, body.as_bytes(), &|_, _| None).unwrap_err().code, 400, "{body}");
    }
    for body in ["", "a: 1\n---\nb: 2\n", "a: 1\na: 2\n", "a: [", deep.as_str()] {
        assert_eq!(decode(Format::Yaml, body.as_bytes(), &|_, _| None).unwrap_err().code, 400, "{body}");
    }
}

#[test]
fn yaml_bodies_are_read() {
    assert_eq!(decode(Format::Yaml, b"a: 0644\n", &|_, _| None).unwrap().value, json!({"a": 420}));
}

#[test]
fn arbitrary_bytes_do_no_harm() {
    for seed in [r#"{"a": [1, -2.5e3, "x\u00e9", null, true], "a": {}}"#, "a: 1\nb: [x]\n", "k8s\u{0}\n\u{5}"] {
        for end in 0..=seed.len() {
            fuzz(&seed.as_bytes()[..end]);
            fuzz(&seed.as_bytes()[end..]);
        }
    }
}

#[test]
fn reports_of_duplicates_are_bounded() {
    let body = format!("{{{}\"a\": 1}}", "\"a\": 1, ".repeat(2 * crate::limits::FIELD_REPORTS_MAX));
    let decoded = decode(Format::Json, body.as_bytes(), &|_, _| None).unwrap();
    assert_eq!(decoded.duplicates.len(), crate::limits::FIELD_REPORTS_MAX);
}
