use super::*;
use crate::field::Errors;

fn definition(schema: Value) -> Value {
    json!({
        "metadata": {"name": "crontabs.stable.example.com"},
        "spec": {
            "group": "stable.example.com", "scope": "Namespaced",
            "names": {"plural": "crontabs", "singular": "crontab", "kind": "CronTab", "listKind": "CronTabList"},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema},
                "subresources": {"status": {}},
                "additionalPrinterColumns": [
                    {"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status"},
                    {"name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas", "priority": 1},
                    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
                ],
            }],
        },
    })
}

fn kind_of(spec: Value) -> Kind {
    let schema = json!({"type": "object", "properties": {"spec": spec, "status": {
        "type": "object", "x-kubernetes-preserve-unknown-fields": true,
    }}});
    kinds(&definition(schema)).remove(0)
}

/// The errors of an object whose spec is this.
#[track_caller]
fn check(schema: Value, spec: Value, expected: &[&str]) {
    check_change(schema, spec, None, expected);
}

#[track_caller]
fn check_change(schema: Value, spec: Value, old: Option<Value>, expected: &[&str]) {
    let kind = kind_of(schema);
    let object = |spec: Value| json!({"apiVersion": "stable.example.com/v1", "kind": "CronTab", "metadata": {"name": "a"}, "spec": spec});
    let mut errors = Errors::default();
    match old {
        Some(old) => kind.validate_change(&object(spec), &object(old), &mut errors),
        None => kind.validate(&object(spec), &mut errors),
    }
    let found: Vec<String> = errors.0.iter().map(ToString::to_string).collect();
    assert_eq!(found, expected);
}

fn of(name: &str, schema: Value) -> Value {
    json!({"type": "object", "properties": {name: schema}})
}

#[test]
fn values_are_judged_with_upstreams_words() {
    let replicas = || of("replicas", json!({"type": "integer", "minimum": 1, "maximum": 10}));
    check(replicas(), json!({"replicas": 5}), &[]);
    check(
        replicas(),
        json!({"replicas": 0}),
        &["spec.replicas: Invalid value: 0: spec.replicas in body should be greater than or equal to 1"],
    );
    check(
        replicas(),
        json!({"replicas": "x"}),
        &["spec.replicas: Invalid value: \"string\": spec.replicas in body must be of type integer: \"string\""],
    );
    check(
        of("a", json!({"type": "string", "enum": ["x", "y"]})),
        json!({"a": "z"}),
        &["spec.a: Unsupported value: \"z\": supported values: \"x\", \"y\""],
    );
    check(
        of("a", json!({"type": "string", "pattern": "^[0-9]+$"})),
        json!({"a": "z"}),
        &["spec.a: Invalid value: \"z\": spec.a in body should match '^[0-9]+$'"],
    );
    check(
        of("a", json!({"type": "string", "maxLength": 1})),
        json!({"a": "zz"}),
        &["spec.a: Too long: may not be more than 1 bytes"],
    );
    check(
        of("a", json!({"type": "string", "format": "date-time"})),
        json!({"a": "zz"}),
        &["spec.a: Invalid value: \"zz\": spec.a in body must be of type date-time: \"zz\""],
    );
    check(json!({"type": "object", "required": ["a"]}), json!({}), &["spec.a: Required value"]);
    check(
        of("a", json!({"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"})),
        json!({"a": ["x", "x"]}),
        &["spec.a[1]: Duplicate value: \"x\""],
    );
    check(
        of("a", json!({"type": "array", "maxItems": 1, "items": {"type": "string"}})),
        json!({"a": ["x", "y"]}),
        &["spec.a: Too many: 2: must have at most 1 items"],
    );
    check(of("a", json!({"x-kubernetes-int-or-string": true})), json!({"a": "50%"}), &[]);
    check(
        json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
               "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}),
        json!({}),
        &[
            "<nil>: Invalid value: \"\": \"spec\" must validate one and only one schema (oneOf). Found none valid",
            "spec.a: Required value",
        ],
    );
}

#[test]
fn what_did_not_change_is_not_judged_again() {
    let schema =
        || json!({"type": "object", "properties": {"a": {"type": "string", "maxLength": 1}, "b": {"type": "string"}}});
    check_change(schema(), json!({"a": "long", "b": "1"}), Some(json!({"a": "long", "b": "0"})), &[]);
    check_change(
        schema(),
        json!({"a": "longer"}),
        Some(json!({"a": "long"})),
        &["spec.a: Too long: may not be more than 1 bytes"],
    );
}

#[test]
fn rules_see_the_value_and_what_it_was() {
    let ruled = |rules: Value| {
        json!({"type": "object", "properties": {"min": {"type": "integer"}, "max": {"type": "integer"},
               "since": {"type": "string", "format": "date-time"}}, "x-kubernetes-validations": rules})
    };
    let limits = || ruled(json!([{"rule": "self.min <= self.max", "message": "min is over max"}]));
    check(limits(), json!({"min": 1, "max": 2}), &[]);
    check(limits(), json!({"min": 3, "max": 2}), &["spec: Invalid value: \"object\": min is over max"]);
    check(
        ruled(json!([{"rule": "self.min <= self.max"}])),
        json!({"min": 3, "max": 2}),
        &["spec: Invalid value: \"object\": failed rule: self.min <= self.max"],
    );
    check(
        ruled(json!([{"rule": "self.min <= self.max", "messageExpression": "'at most ' + string(self.max)",
                      "reason": "FieldValueForbidden", "fieldPath": ".min"}])),
        json!({"min": 3, "max": 2}),
        &["spec.min: Forbidden: at most 2"],
    );
    check(
        limits(),
        json!({"min": 3}),
        &["spec: Invalid value: \"object\": no such key: max evaluating rule: min is over max"],
    );
    let frozen = || ruled(json!([{"rule": "self.min == oldSelf.min", "message": "min is frozen"}]));
    check(frozen(), json!({"min": 3}), &[]);
    check_change(
        frozen(),
        json!({"min": 4}),
        Some(json!({"min": 3})),
        &["spec: Invalid value: \"object\": min is frozen"],
    );
    let once = || {
        ruled(
            json!([{"rule": "oldSelf.hasValue() || self.min == 0", "optionalOldSelf": true, "message": "starts at 0"}]),
        )
    };
    check(once(), json!({"min": 3}), &["spec: Invalid value: \"object\": starts at 0"]);
    check_change(once(), json!({"min": 3}), Some(json!({"min": 0})), &[]);
    check(
        ruled(json!([{"rule": "self.since > timestamp('2020-01-01T00:00:00Z')", "message": "too old"}])),
        json!({"since": "2019-01-01T00:00:00Z"}),
        &["spec: Invalid value: \"object\": too old"],
    );
}

#[test]
fn unknown_fields_are_pruned_and_defaults_filled_in() {
    let kind = kind_of(json!({"type": "object", "properties": {
        "a": {"type": "string", "default": "x"}, "b": {"type": "string"}, "c": {"type": "string", "nullable": true},
        "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        "map": {"type": "object", "additionalProperties": {"type": "object", "properties": {"k": {"type": "string", "default": "v"}}}},
    }}));
    let mut object = json!({
        "apiVersion": "stable.example.com/v1", "kind": "CronTab", "metadata": {"name": "a", "wrong": 1},
        "spec": {"a": null, "b": null, "c": null, "d": 1, "open": {"any": 1}, "map": {"one": {"z": 1}}},
    });
    let unknown = kind.prune(&mut object);
    let expected = ["unknown field \"metadata.wrong\"", "unknown field \"spec.d\"", "unknown field \"spec.map.one.z\""];
    assert_eq!(unknown, expected);
    kind.default(&mut object);
    assert_eq!(object["spec"], json!({"a": "x", "c": null, "open": {"any": 1}, "map": {"one": {"k": "v"}}}));
}

#[test]
fn columns_show_what_their_paths_find() {
    let kind = kind_of(json!({"type": "object"}));
    let object = json!({
        "metadata": {"name": "a", "creationTimestamp": "1970-01-01T00:00:00Z"}, "spec": {"replicas": 3},
        "status": {"conditions": [{"type": "Synced", "status": "False"}, {"type": "Ready", "status": "True"}]},
    });
    assert_eq!(kind.cells(&object, 60), [json!("a"), json!("True"), json!(3), json!("60s")]);
    assert_eq!(
        kind.cells(&json!({"metadata": {"name": "a"}}), 60),
        [json!("a"), Value::Null, Value::Null, Value::Null]
    );
    let names: Vec<&str> = kind.columns.iter().map(|column| &*column.name).collect();
    assert_eq!(names, ["Name", "Ready", "Replicas", "Age"]);
}

#[test]
fn generation_counts_changes_of_content() {
    let kind = kind_of(json!({"type": "object"}));
    let old = json!({"metadata": {"generation": 2, "labels": {}}, "spec": {"a": 1}, "status": {"x": 1}});
    let mut new = json!({"metadata": {"generation": 2, "labels": {"a": "b"}}, "spec": {"a": 1}, "status": {"x": 2}});
    kind.prepare_update(&mut new, &old);
    assert_eq!((&new["metadata"]["generation"], &new["status"]), (&json!(2), &json!({"x": 1})));
    new["spec"]["a"] = json!(2);
    kind.prepare_update(&mut new, &old);
    assert_eq!(new["metadata"]["generation"], 3);
    let mut status = json!({"metadata": {"generation": 9}, "spec": {"a": 7}, "status": {"x": 3}});
    kind.prepare_status_update(&mut status, &old);
    assert_eq!(status, json!({"metadata": {"generation": 2, "labels": {}}, "spec": {"a": 1}, "status": {"x": 3}}));
}

#[test]
fn versions_are_ordered_by_stability() {
    let mut versions = vec!["foo1", "v1alpha1", "v10", "v1beta2", "v2", "v1", "v1beta1", "v11alpha2", "foo10"];
    versions.sort_by(|one, other| version::compare(one, other));
    assert_eq!(versions, ["v10", "v2", "v1", "v1beta2", "v1beta1", "v11alpha2", "v1alpha1", "foo1", "foo10"]);
}

#[test]
fn taken_names_are_found() {
    let others = [json!({"plural": "crontabs", "kind": "Other", "listKind": "OtherList", "shortNames": ["ct"]})];
    let found = name_conflict(&definition(json!({})), &others);
    assert_eq!(found, Some(("PluralConflict", "\"crontabs\" is already in use".to_owned())));
    assert_eq!(name_conflict(&definition(json!({})), &[]), None);
}
