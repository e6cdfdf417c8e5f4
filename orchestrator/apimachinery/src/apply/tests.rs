use super::*;
use crate::schema::{Schema, builtin};
use serde_json::{Value, json};
use std::sync::Arc;

mod configure;
mod model;
mod own;
mod versions;

const NOW: &str = "2026-11-23T14:00:00Z";
const LATER: &str = "2026-11-23T15:00:00Z";

/// A kind with the operations of several managers on one object.
pub(super) struct Desk {
    pub schema: Arc<Schema>,
    pub api_version: &'static str,
    pub kind: &'static str,
    pub now: &'static str,
}

pub(super) fn desk(type_: &str, api_version: &'static str) -> Desk {
    let kind = type_.rsplit('.').next().unwrap();
    let kind = if kind == "Deployment" { "Deployment" } else { Box::leak(kind.to_owned().into_boxed_str()) };
    Desk { schema: builtin(type_), api_version, kind, now: NOW }
}

pub(super) fn deployments() -> Desk {
    desk("io.k8s.api.apps.v1.Deployment", "apps/v1")
}

pub(super) fn maps() -> Desk {
    desk("io.k8s.api.core.v1.ConfigMap", "v1")
}

impl Desk {
    fn writer<'a>(&'a self, manager: &'a str) -> Writer<'a> {
        Writer { manager, api_version: self.api_version, subresource: "", now: self.now }
    }

    pub fn create(&self, manager: &str, object: Value) -> Value {
        let mut new = self.typed(object);
        track(&self.schema, Realm::WithoutStatus, &self.writer(manager), &nowhere, None, &mut new, None);
        new
    }

    pub fn update(&self, manager: &str, old: &Value, change: impl FnOnce(&mut Value)) -> Value {
        let mut new = old.clone();
        change(&mut new);
        let claimed = take(&mut new);
        track(&self.schema, Realm::WithoutStatus, &self.writer(manager), &nowhere, Some(old), &mut new, claimed);
        new
    }

    pub fn config(&self, object: Value) -> Result<Config, crate::ApiError> {
        let object = self.typed(object);
        Config::new(self.schema.clone(), Realm::WithoutStatus, self.api_version, self.kind, object)
    }

    pub fn typed(&self, mut object: Value) -> Value {
        object["apiVersion"] = json!(self.api_version);
        object["kind"] = json!(self.kind);
        if object["metadata"]["name"].is_null() {
            object["metadata"]["name"] = json!("a");
        }
        object
    }

    pub fn apply(&self, manager: &str, live: Option<&Value>, object: Value) -> Result<Value, crate::ApiError> {
        self.apply_with(manager, live, object, false)
    }

    pub fn apply_with(
        &self,
        manager: &str,
        live: Option<&Value>,
        object: Value,
        force: bool,
    ) -> Result<Value, crate::ApiError> {
        let config = self.config(object)?;
        match live {
            None => Ok(config.created(&self.writer(manager))),
            Some(live) => config.apply(live.clone(), &self.writer(manager), &nowhere, force),
        }
    }
}

/// For kinds of one version.
fn nowhere(_: &str, _: &Value) -> Option<(Arc<Schema>, Value)> {
    None
}

/// What a manager owns, as `fieldsV1`.
#[track_caller]
pub(super) fn owned(object: &Value, manager: &str, operation: &str) -> Value {
    let entries = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    let of = |entry: &&Value| entry["manager"] == manager && entry["operation"] == operation;
    entries.iter().find(of).map_or(Value::Null, |entry| entry["fieldsV1"].clone())
}

fn parse(value: Value) -> FieldSet {
    FieldSet::parse(value).unwrap()
}

#[test]
fn sets_are_read_in_one_spelling() {
    #[track_caller]
    fn check(text: Value, canonical: Option<Value>) {
        assert_eq!(FieldSet::parse(text).map(FieldSet::into_value), canonical);
    }
    check(json!({}), Some(json!({})));
    check(json!({".": {}}), Some(json!({})));
    check(json!({"f:a": {".": {}}}), Some(json!({"f:a": {}})));
    check(json!({"f:a": {".": {}, "f:b": {}}}), Some(json!({"f:a": {".": {}, "f:b": {}}})));
    check(
        json!({"f:l": {r#"k:{ "b": 1, "a": "x" }"#: {"f:a": {}}}}),
        Some(json!({"f:l": {r#"k:{"a":"x","b":1}"#: {"f:a": {}}}})),
    );
    check(json!({"f:s": {r#"v: "x""#: {}, "i:3": {}}}), Some(json!({"f:s": {r#"v:"x""#: {}, "i:3": {}}})));
    for wrong in [
        json!([]),
        json!({"a": {}}),
        json!({"f:a": 1}),
        json!({"x:a": {}}),
        json!({"k:a": {}}),
        json!({"i:-1": {}}),
        json!({".": {"f:a": {}}}),
    ] {
        check(wrong, None);
    }
}

#[test]
fn sets_are_joined_cut_and_subtracted() {
    let one = json!({"f:a": {".": {}, "f:x": {}}, "f:b": {}, "f:c": {"f:y": {}}});
    let two = json!({"f:a": {}, "f:c": {"f:y": {"f:z": {}}}, "f:d": {}});
    let mut union = parse(one.clone());
    union.union(parse(two.clone()));
    assert_eq!(
        union.into_value(),
        json!({"f:a": {".": {}, "f:x": {}}, "f:b": {}, "f:c": {"f:y": {".": {}, "f:z": {}}}, "f:d": {}})
    );
    let mut rest = parse(one.clone());
    rest.subtract(&parse(two.clone()));
    assert_eq!(rest.into_value(), json!({"f:a": {"f:x": {}}, "f:b": {}, "f:c": {"f:y": {}}}));
    assert_eq!(parse(one.clone()).intersection(&parse(two)).into_value(), json!({"f:a": {}}));
    let one = parse(one);
    assert!(one.contains(&["f:a"]) && one.contains(&["f:a", "f:x"]));
    assert!(!one.contains(&["f:c"]) && !one.contains(&["f:d"]) && !one.contains(&[]));
}

#[test]
fn paths_are_shown_as_upstream_shows_them() {
    let set = parse(json!({
        "f:b": {}, "f:a": {"f:c": {}},
        "f:l": {r#"k:{"port":80,"protocol":"TCP"}"#: {".": {}, "f:x": {}}, r#"v:"x""#: {}, "i:2": {}},
    }));
    let paths = [".b", ".a.c", ".l[2]", ".l[port=80,protocol=\"TCP\"]", ".l[=\"x\"]", ".l[port=80,protocol=\"TCP\"].x"];
    assert_eq!(set.paths(), paths);
}

#[test]
fn managers_are_named_by_parameter_or_agent() {
    #[track_caller]
    fn check(agent: &str, manager: &str) {
        assert_eq!(manager_of_agent(agent), manager);
    }
    check("kubectl/v1.35.2 (linux/amd64) kubernetes/8cc5116", "kubectl");
    check("my agent", "my agent");
    check("", "unknown");
    check("/x", "unknown");
    check("a\u{7}b\u{200b}c", "abc");
    check(&"ä".repeat(100), &"ä".repeat(64));
    let wrong = |name: &str| {
        let mut errors = crate::field::Errors::default();
        check_manager(name, &mut errors);
        errors.0.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert!(wrong("").is_empty() && wrong(&"x".repeat(128)).is_empty());
    assert_eq!(wrong(&"x".repeat(129)), ["fieldManager: Too long: may not be more than 128 bytes"]);
    assert!(wrong("a\nb")[0].contains("invalid character U+000A (at position 1)"), "{:?}", wrong("a\nb"));
}

#[test]
fn times_alone_are_no_difference() {
    let entry = |manager: &str, time: &str, fields: Value| {
        json!({"manager": manager, "operation": "Apply", "apiVersion": "v1", "time": time, "fieldsType": "FieldsV1",
            "fieldsV1": fields})
    };
    let one = json!([entry("a", NOW, json!({"f:x": {}})), entry("b", NOW, json!({}))]);
    let two = json!([entry("b", NOW, json!({})), entry("a", LATER, json!({"f:x": {}}))]);
    assert!(same_but_times(&one, &two) && same_but_times(&one, &one));
    assert!(!same_but_times(&one, &json!([one[0]])));
    let other = json!([entry("a", NOW, json!({"f:y": {}})), one[1]]);
    assert!(!same_but_times(&one, &other));
    assert!(same_but_times(&Value::Null, &Value::Null) && !same_but_times(&one, &Value::Null));
}
