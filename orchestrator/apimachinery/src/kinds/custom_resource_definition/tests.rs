use super::*;

/// A good definition; `change` makes it another.
fn definition(change: impl FnOnce(&mut Value)) -> Value {
    let mut object = json!({
        "metadata": {"name": "crontabs.stable.example.com"},
        "spec": {
            "group": "stable.example.com", "scope": "Namespaced",
            "names": {"plural": "crontabs", "kind": "CronTab", "shortNames": ["ct"]},
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": {"type": "object", "properties": {
                        "cronSpec": {"type": "string"}, "replicas": {"type": "integer"},
                    }},
                }}},
            }],
        },
    });
    fill(&mut object);
    change(&mut object);
    object
}

#[track_caller]
fn check(change: impl FnOnce(&mut Value), expected: &[&str]) {
    let mut errors = Errors::default();
    validate(&definition(change), &mut errors);
    let found: Vec<String> = errors.0.iter().map(ToString::to_string).collect();
    assert_eq!(found, expected);
}

#[test]
fn names_are_filled_in() {
    let object = definition(|_| {});
    assert_eq!(object["spec"]["names"]["singular"], "crontab");
    assert_eq!(object["spec"]["names"]["listKind"], "CronTabList");
    assert_eq!(object["spec"]["conversion"], json!({"strategy": "None"}));
    check(|_| {}, &[]);
}

#[test]
fn the_name_is_made_of_plural_and_group() {
    let expected = "metadata.name: Invalid value: \"x.example.com\": must be spec.names.plural+\".\"+spec.group";
    check(|object| object["metadata"]["name"] = json!("x.example.com"), &[expected]);
}

#[test]
fn one_version_is_stored() {
    let versions =
        json!([{"name": "v1", "served": true, "storage": false, "schema": {"openAPIV3Schema": {"type": "object"}}}]);
    let expected =
        format!("spec.versions: Invalid value: {versions}: must have exactly one version marked as storage version");
    check(|object| object["spec"]["versions"] = versions, &[&expected]);
}

#[test]
fn schemas_are_structural() {
    let schema = |object: &mut Value, schema: Value| {
        object["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"] = schema;
    };
    let path = "spec.validation.openAPIV3Schema.properties[spec]";
    check(
        |object| schema(object, json!({"properties": {"a": {"type": "string"}}})),
        &[&format!("{path}.type: Required value: must not be empty for specified object fields")],
    );
    check(
        |object| schema(object, json!({"type": "array"})),
        &[&format!("{path}.items: Required value: must be specified")],
    );
    check(
        |object| schema(object, json!({"type": "object", "anyOf": [{"properties": {"a": {"minimum": 1}}}]})),
        &[&format!("{path}.properties[a]: Required value: because it is defined in {path}.anyOf[0].properties[a]")],
    );
    check(
        |object| schema(object, json!({"type": "string", "anyOf": [{"type": "string"}]})),
        &[&format!("{path}.anyOf[0].type: Forbidden: must be empty to be structural")],
    );
    check(
        |object| {
            let items = json!({"type": "object", "properties": {"name": {"type": "string"}}});
            schema(
                object,
                json!({
                    "type": "array", "items": items, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                }),
            );
        },
        &[&format!(
            "{path}.items.properties[name].default: Required value: this property is in x-kubernetes-list-map-keys, so it \
             must have a default or be a required property"
        )],
    );
    check(
        |object| schema(object, json!({"type": "integer", "default": "x"})),
        &[&format!(
            "{path}.default: Invalid value: \"string\": {path}.default in body must be of type integer: \"string\""
        )],
    );
    check(
        |object| {
            schema(
                object,
                json!({"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}]}),
            )
        },
        &[],
    );
}

#[test]
fn rules_compile() {
    let mut errors = Errors::default();
    let object = definition(|object| {
        object["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["x-kubernetes-validations"] =
            json!([{"rule": "self.spec.replicas <= other"}]);
    });
    validate(&object, &mut errors);
    assert_eq!(errors.0.len(), 1);
    assert_eq!(errors.0[0].field, "spec.validation.openAPIV3Schema.x-kubernetes-validations[0].rule");
    assert!(errors.0[0].message.contains("undeclared reference to 'other'"), "{}", errors.0[0].message);
}

#[test]
fn what_is_stored_does_not_move() {
    let old = definition(|object| {
        object["status"] = json!({"conditions": [{"type": "Established", "status": "True"}]});
    });
    let mut new = old.clone();
    new["spec"]["scope"] = json!("Cluster");
    let mut errors = Errors::default();
    validate_update(&new, &old, &mut errors);
    assert_eq!(errors.0[0].to_string(), "spec.scope: Invalid value: \"Cluster\": field is immutable");
}

#[test]
fn groups_of_kubernetes_need_approval() {
    let mut errors = Errors::default();
    validate(
        &definition(|object| {
            object["spec"]["group"] = json!("stable.k8s.io");
            object["metadata"]["name"] = json!("crontabs.stable.k8s.io");
        }),
        &mut errors,
    );
    assert_eq!(errors.0[0].field, "metadata.annotations[api-approved.kubernetes.io]");
}
