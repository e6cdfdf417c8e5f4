use crate::crd::structural;
use crate::field::{Errors, Path};
use serde_json::{Value, json};

/// Judges a schema whose spec is this.
#[track_caller]
fn check(spec: Value, expected: &[&str]) {
    let mut errors = Errors::default();
    structural::check(&json!({"type": "object", "properties": {"spec": spec}}), &Path::new("schema"), &mut errors);
    let found: Vec<String> =
        errors.0.iter().map(|error| error.to_string().replace("schema.properties[spec]", "spec")).collect();
    assert_eq!(found, expected);
}

fn with(rule: &str, name: &str, schema: Value) -> Value {
    json!({"type": "object", "properties": {name: schema}, "x-kubernetes-validations": [{"rule": rule}]})
}

const ADVICE: &str = "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, \
                      and strings are declared)";

#[test]
fn rules_fit_their_schema() {
    let wrong = |rule: &str, why: &str| {
        let value = json!({"rule": rule});
        let text = format!("spec.x-kubernetes-validations[0].rule: Invalid value: {value}: {why}");
        check(with(rule, "bar", json!({"type": "integer"})), &[&text]);
    };
    wrong("self.foo > 1", "compilation failed: ERROR: <input>:1:5: undefined field 'foo'\n | self.foo > 1\n | ....^");
    wrong(
        "self.bar == 'x'",
        "compilation failed: ERROR: <input>:1:10: found no matching overload for '_==_' applied to '(int, string)'\n | \
         self.bar == 'x'\n | .........^",
    );
    wrong("self.bar", "cel expression must evaluate to a bool");
    wrong(
        "self.bar =",
        "compilation failed: ERROR: <input>:1:10: Syntax error: token recognition error at: '='\n | self.bar =\n | \
         .........^",
    );
}

#[test]
fn rules_see_of_metadata_only_the_names() {
    let root = |rule: &str| {
        let mut errors = Errors::default();
        let schema = json!({"type": "object", "x-kubernetes-validations": [{"rule": rule}]});
        structural::check(&schema, &Path::new("schema"), &mut errors);
        errors.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(root("self.metadata.name.startsWith('a') && self.kind == 'Foo'"), "");
    assert!(root("has(self.metadata.labels)").contains("undefined field 'labels'"));
}

#[test]
fn messages_are_texts() {
    let message = |expression: &str, why: &str| {
        let rule = json!({"rule": "self.bar > 1", "messageExpression": expression});
        let mut spec = with("", "bar", json!({"type": "integer"}));
        spec["x-kubernetes-validations"] = json!([rule]);
        let text = format!("spec.x-kubernetes-validations[0].messageExpression: Invalid value: {rule}: {why}");
        let expected = [text.as_str()];
        check(spec, if why.is_empty() { &[] } else { &expected });
    };
    message("'over ' + string(self.bar)", "");
    message("self.bar", "messageExpression must evaluate to a string");
}

#[test]
fn rules_cost_what_the_largest_object_makes_them_cost() {
    let list = json!({"type": "array", "items": {"type": "string"}});
    let quadratic = "self.list.all(a, self.list.all(b, a != b))";
    let over = |factor: &str| {
        format!(
            "spec.x-kubernetes-validations[0].rule: Forbidden: estimated rule cost exceeds budget by factor of {factor} \
             {ADVICE}"
        )
    };
    let total = format!(
        "schema: Forbidden: x-kubernetes-validations estimated rule & messageExpression cost total for entire OpenAPIv3 \
         schema exceeds budget by factor of more than 100x {ADVICE}"
    );
    let contributed = "spec.x-kubernetes-validations[0].rule: Forbidden: contributed to estimated rule & \
                       messageExpression cost total exceeding cost limit for entire OpenAPIv3 schema";
    check(with(quadratic, "list", list), &[&over("more than 100x"), contributed, &total]);
    let bounded = |items: u64, length: u64| json!({"type": "array", "maxItems": items, "items": {"type": "string", "maxLength": length}});
    check(with(quadratic, "list", bounded(100, 100)), &[]);
    check(with(quadratic, "list", bounded(1000, 64)), &[&over("3.1x")]);
    // A plain look at an unbounded list costs little enough.
    check(with("self.list.size() < 5", "list", json!({"type": "array", "items": {"type": "string"}})), &[]);
    check(with("self.name.matches('^[a-z]+$')", "name", json!({"type": "string"})), &[]);
}

#[test]
fn rules_of_items_count_for_each_item() {
    let item =
        json!({"type": "string", "maxLength": 253, "x-kubernetes-validations": [{"rule": "self.contains('a')"}]});
    check(
        json!({"type": "object", "properties": {"list": {"type": "array", "items": item}}}),
        &[
            &format!(
                "spec.properties[list].items.x-kubernetes-validations[0].rule: Forbidden: estimated rule cost exceeds budget by \
         factor of 10.8x {ADVICE}"
            ),
            "spec.properties[list].items.x-kubernetes-validations[0].rule: Forbidden: contributed to estimated rule & \
             messageExpression cost total exceeding cost limit for entire OpenAPIv3 schema",
            &format!(
                "schema: Forbidden: x-kubernetes-validations estimated rule & messageExpression cost total for entire OpenAPIv3 \
         schema exceeds budget by factor of 1.080033x {ADVICE}"
            ),
        ],
    );
    check(json!({"type": "object", "properties": {"list": {"type": "array", "maxItems": 1000, "items": item}}}), &[]);
}

#[test]
fn changes_are_judged_only_where_old_and_new_are_the_same_thing() {
    let spec = |list_type: &str| {
        let item = json!({"type": "object", "required": ["name"], "properties": {"name": {"type": "string", "maxLength": 9}},
            "x-kubernetes-map-type": "atomic", "x-kubernetes-validations": [{"rule": "self == oldSelf"}]});
        let mut list = json!({"type": "array", "maxItems": 9, "items": item, "x-kubernetes-list-type": list_type});
        if list_type == "map" {
            list["x-kubernetes-list-map-keys"] = json!(["name"]);
        }
        json!({"type": "object", "properties": {"list": list}})
    };
    let refused = "spec.properties[list].items.x-kubernetes-validations[0].rule: Invalid value: \"self == oldSelf\": oldSelf \
                   cannot be used on the uncorrelatable portion of the schema within spec.properties[list]";
    check(spec("atomic"), &[refused]);
    check(spec("set"), &[refused]);
    check(spec("map"), &[]);
}

#[test]
fn rules_that_people_write_are_taken() {
    let text = || json!({"type": "string", "maxLength": 63});
    let spec = |rule: &str| {
        json!({"type": "object", "x-kubernetes-validations": [{"rule": rule}], "properties": {
            "type": {"type": "string", "enum": ["A", "B"]}, "name": text(), "count": {"type": "integer"},
            "share": {"type": "number"}, "port": {"x-kubernetes-int-or-string": true}, "on": {"type": "boolean"},
            "start": {"type": "string", "format": "date-time"}, "wait": {"type": "string", "format": "duration"},
            "labels": {"type": "object", "maxProperties": 16, "additionalProperties": text()},
            "list": {"type": "array", "maxItems": 16, "items": {"type": "object", "properties": {
                "name": text(), "kind": text(), "weight": {"type": "integer"},
            }}},
            "child": {"type": "object", "properties": {"name": text()}}, "namespace": text(),
        }})
    };
    for rule in [
        "self.type == 'A' ? has(self.name) : !has(self.name)",
        "has(self.name) == has(self.child)",
        "self.list.all(one, self.list.exists_one(other, one.name == other.name && has(one.kind) == has(other.kind)))",
        "self.list.filter(one, one.kind == 'x').size() <= 1 || size(self.list) == 0",
        "self.list.map(one, one.weight).sum() == 100 && self.list.map(one, one.name).all(name, name != '')",
        "self.list[0].name in ['a', 'b'] && self.list[size(self.list) - 1].weight > -1",
        "self.labels.all(key, key.startsWith('a') && self.labels[key] != '') && 'a' in self.labels",
        "type(self.port) == int ? self.port > 0 : self.port.endsWith('%')",
        "self.port == 80 || self.port == '80' || string(self.count).matches('^[0-9]+$')",
        "self.start < timestamp('2030-01-01T00:00:00Z') && self.wait <= duration('1h')",
        "self.?child.?name.orValue('') == '' && self.child.?name.hasValue()",
        "self.share >= 0.5 && self.share > self.count && int(self.name) + self.count % 2 == 3",
        "self.name.split('.')[0].lowerAscii() == self.name && self.name + self.type != 'x'",
        "quantity(self.name).isLessThan(quantity('1Gi')) && quantity(self.name).compareTo(quantity('1')) >= 0",
        "isURL(self.name) && url(self.name).getScheme() in ['http', 'https']",
        "cidr(self.name).containsIP(ip(self.type)) || ip(self.name).family() == 4",
        "sets.contains(self.list.map(one, one.name), ['a']) && dyn(self.count) == 1",
        "self.child == oldSelf.child && (self.on || !oldSelf.on) && self.__namespace__ != ''",
        "self.list.map(one, one.weight).isSorted() || self.name.find('[a-z]+') != '' || self.name.replace('a', 'b') == self.name",
    ] {
        check(spec(rule), &[]);
    }
}
