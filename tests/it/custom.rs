//! Custom resources by kubectl 1.35 and 1.32: a definition with all that definitions can say, and
//! everything that kubectl does with its objects.

use crate::matrix::Rows;
use serde_json::{Value, json};

const DEFINITION: &str = include_str!("custom/foo.yaml");

#[test]
fn kubectl_1_35_works_with_custom_resources() {
    rows(&Rows::start(false));
}

#[test]
fn kubectl_1_32_works_with_custom_resources() {
    rows(&Rows::start(true));
}

fn rows(rows: &Rows) {
    refused_definitions(rows);
    rows.ok_with("apply -f -", DEFINITION, &["customresourcedefinition.apiextensions.k8s.io/foos.example.com created"]);
    rows.ok("wait --for=condition=Established crd/foos.example.com --timeout=20s", &["condition met"]);
    rows.ok("get crd", &["NAME", "CREATED AT", "foos.example.com"]);
    rows.ok("describe crd foos.example.com", &["Stored Versions:", "InitialNamesAccepted", "Short Names:"]);
    reads(rows);
    explains(rows);
    refused_objects(rows);
    changes(rows);
    scales(rows);
    server_side(rows);
    ends(rows);
}

/// `a`, with more in its spec.
fn foo(name: &str, more: Value) -> String {
    let mut object = json!({
        "apiVersion": "example.com/v1", "kind": "Foo", "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"image": "img:1", "ports": [{"port": 80}], "tags": ["x", "w"]},
    });
    for (field, value) in more.as_object().into_iter().flatten() {
        object["spec"][field] = value.clone();
    }
    object.to_string()
}

fn reads(rows: &Rows) {
    rows.ok_with("create -f -", &foo("a", json!({})), &["foo.example.com/a created"]);
    rows.ok("get fo", &["NAME", "IMAGE", "REPLICAS", "READY", "AGE", "img:1", "1"]);
    rows.ok("get things -o wide", &["MODE", "Fast"]);
    rows.ok("get all", &["foo.example.com/a"]);
    rows.ok("get foos -l app=a -o name", &["foo.example.com/a"]);
    rows.ok("get foos -l app=b", &["No resources found"]);
    rows.ok("get foos --field-selector=metadata.name=a -o jsonpath={.items[0].spec.ports[0].protocol}", &["TCP"]);
    rows.ok("get foos.v1beta1.example.com", &["Warning: example.com/v1beta1 Foo is old; use v1", "a"]);
    rows.ok("get foos.v1beta1.example.com a -o yaml", &["apiVersion: example.com/v1beta1", "mode: Fast"]);
    rows.ok("get foos -w --request-timeout=2s", &["a"]);
    rows.ok("describe foo a", &["API Version:  example.com/v1", "Protocol:  TCP", "Events:  <none>"]);
    rows.ok("api-resources --api-group=example.com", &["foos", "fo", "example.com/v1", "true", "Foo"]);
    rows.ok("api-versions", &["example.com/v1", "example.com/v1beta1"]);
    rows.fails("get foo b", 1, &["Error from server (NotFound): foos.example.com \"b\" not found"]);
    rows.fails(
        "get foos --field-selector=spec.image=x",
        1,
        &["is not a known field selector: only \"metadata.name\", \"metadata.namespace\""],
    );
}

fn explains(rows: &Rows) {
    rows.ok("explain foo", &["KIND:       Foo", "VERSION:    v1", "Foo is a thing.", "spec\t<Object> -required-"]);
    rows.ok(
        "explain foo --recursive",
        &["image\t<string> -required-", "where\t<map[string]string>", "enum: Fast, Slow"],
    );
    rows.ok("explain foo.spec.mode", &["ENUM:", "Fast", "Slow", "How."]);
    rows.ok("explain foo --api-version=example.com/v1beta1", &["VERSION:    v1beta1"]);
}

fn refused_objects(rows: &Rows) {
    let refused = |more: Value, expected: &[&str]| {
        rows.fails_with("create --validate=warn -f -", &foo("b", more), 1, expected);
    };
    refused(
        json!({"replicas": 11, "max": 3}),
        &[
            "The Foo \"b\" is invalid:",
            "* spec: Invalid value: \"object\": replicas must not exceed max",
            "* spec.replicas: Invalid value: \"integer\": at most 10, not 11",
        ],
    );
    refused(
        json!({"mode": "Odd"}),
        &["The Foo \"b\" is invalid: spec.mode: Unsupported value: \"Odd\": supported values: \"Fast\", \"Slow\""],
    );
    refused(
        json!({"image": 5}),
        &[
            "spec.image: Invalid value: \"integer\": spec.image in body must be of type string: \"integer\"",
            "<nil>: Invalid value: \"null\": some validation rules were not checked",
        ],
    );
    refused(json!({"image": "i".repeat(50)}), &["spec.image: Too long: may not be more than 40 bytes"]);
    refused(json!({"tags": ["x", "x"]}), &["spec.tags[1]: Duplicate value: \"x\""]);
    refused(
        json!({"ports": [{"port": 1}, {"port": 1, "protocol": "TCP"}]}),
        &["spec.ports[1]: Duplicate value: {\"port\":1,\"protocol\":\"TCP\"}"],
    );
    let unknown = || foo("b", json!({"unknown": 1, "free": {"any": [1]}}));
    let strict =
        "Foo in version \"v1\" cannot be handled as a Foo: strict decoding error: unknown field \"spec.unknown\"";
    rows.fails_with("create -f -", &unknown(), 1, &["Error from server (BadRequest)", strict]);
    rows.fails_with("create --validate=strict -f -", &unknown(), 1, &[strict]);
    rows.ok_with("create --validate=warn -f -", &unknown(), &["Warning: unknown field \"spec.unknown\"", "created"]);
    let left = rows.ok("get foo b -o jsonpath={.spec.unknown}{.spec.free}", &[]);
    assert_eq!(left.trim(), r#"{"any":[1]}"#);
    rows.ok("delete foo b", &["foo.example.com \"b\" deleted"]);
}

fn changes(rows: &Rows) {
    rows.ok_with("apply -f -", &foo("c", json!({"args": ["1"]})), &["foo.example.com/c created"]);
    rows.ok_with("apply -f -", &foo("c", json!({"max": 9})), &["foo.example.com/c configured"]);
    let left = rows.ok("get foo c -o jsonpath={.spec.args}{.spec.max}", &[]);
    assert_eq!(left.trim(), "9", "what the manifest no longer says goes");
    rows.fails_with(
        "apply -f -",
        &foo("c", json!({"image": "img:2"})),
        1,
        &["The Foo \"c\" is invalid: spec.image: Invalid value: \"object\": image is immutable"],
    );
    rows.fails_with("diff -f -", &foo("c", json!({"max": 7})), 1, &["-  max: 9", "+  max: 7"]);
    rows.fails(
        r#"patch foo c -p {"spec":{"max":7}}"#,
        1,
        &[
            "application/strategic-merge-patch+json is not supported by example.com/v1, Kind=Foo",
            "application/json-patch+json",
        ],
    );
    rows.ok(r#"patch foo c --type=merge -p {"spec":{"max":7}}"#, &["foo.example.com/c patched"]);
    rows.ok(r#"patch foo c --type=merge -p {"spec":{"max":7}}"#, &["patched (no change)"]);
    rows.ok(r#"patch foo c --type=merge -p {"spec":{"unknown":7}}"#, &["Warning: unknown field \"spec.unknown\""]);
    rows.ok(r#"patch foo c --type=json -p [{"op":"add","path":"/spec/args","value":["q"]}]"#, &["patched"]);
    rows.ok(r#"patch foo c --type=merge --subresource=status -p {"status":{"conditions":[{"type":"Ready","status":"True"}]}}"#, &["patched"]);
    rows.ok("wait --for=condition=Ready foo/c --timeout=5s", &["foo.example.com/c condition met"]);
    rows.ok("get foo c", &["True"]);
    rows.ok("get foo c --subresource=status", &["True"]);
    rows.ok("label foo c x=y", &["foo.example.com/c labeled"]);
    rows.fails("label foo c x=z", 1, &["already has a value (y)"]);
    rows.ok("annotate foo c x=y", &["foo.example.com/c annotated"]);
    rows.ok("annotate foo c x-", &["foo.example.com/c annotated"]);
    let mut edit = rows.kubectl.command(&["edit", "foo", "c"]);
    edit.env("KUBE_EDITOR", "sed -i s/Fast/Slow/");
    assert!(edit.output().unwrap().status.success());
    rows.ok("get foo c -o wide", &["Slow"]);
    rows.ok_with("replace -f -", &foo("c", json!({"max": 6})), &["foo.example.com/c replaced"]);
}

fn scales(rows: &Rows) {
    rows.ok("scale foo a --replicas=3", &["foo.example.com/a scaled"]);
    rows.ok("get foo a -o jsonpath={.spec.replicas}", &["3"]);
    rows.fails(
        "scale foo a --replicas=30",
        1,
        &["The Foo \"a\" is invalid", "spec.replicas: Invalid value: \"integer\""],
    );
    rows.fails("scale foo a --replicas=4 --current-replicas=7", 1, &["Expected replicas to be 7, was 3"]);
    rows.ok("get foo a --subresource=scale -o yaml", &["kind: Scale", "apiVersion: autoscaling/v1", "replicas: 3"]);
    rows.ok("autoscale foo a --min=1 --max=5 --cpu-percent=50", &["autoscaled"]);
}

fn server_side(rows: &Rows) {
    let apply = "apply --server-side -f -";
    rows.ok_with(apply, &foo("d", json!({})), &["foo.example.com/d serverside-applied"]);
    rows.ok_with(apply, &foo("d", json!({})), &["foo.example.com/d serverside-applied"]);
    let named = || foo("d", json!({"ports": [{"port": 80, "name": "web"}, {"port": 81}], "tags": ["w", "v"]}));
    rows.ok_with("apply --server-side --field-manager=other -f -", &named(), &["serverside-applied"]);
    let spec = rows.ok("get foo d -o jsonpath={.spec.ports}{.spec.tags}", &[]);
    let ports = r#"[{"name":"web","port":80,"protocol":"TCP"},{"port":81,"protocol":"TCP"}]"#;
    assert_eq!(spec.trim(), format!(r#"{ports}["x","w","v"]"#));
    rows.fails_with(
        "apply --server-side --field-manager=third -f -",
        &foo("d", json!({"ports": [{"port": 80, "name": "other"}]})),
        1,
        &["conflict with \"other\"", ".spec.ports[port=80,protocol=\"TCP\"].name"],
    );
    rows.ok_with(
        "apply --server-side --field-manager=third --force-conflicts -f -",
        &foo("d", json!({"ports": [{"port": 80, "name": "other"}]})),
        &["serverside-applied"],
    );
    rows.ok(
        "get foo d -o yaml --show-managed-fields",
        &["manager: third", "k:{\"port\":80,\"protocol\":\"TCP\"}:", "v:\"x\": {}"],
    );
    // Without port 81 and the tag v, which nobody else has.
    rows.ok_with("apply --server-side --field-manager=other -f -", &foo("d", json!({"tags": ["w"]})), &["applied"]);
    let spec = rows.ok("get foo d -o jsonpath={.spec.ports}{.spec.tags}", &[]);
    assert_eq!(spec.trim(), r#"[{"name":"other","port":80,"protocol":"TCP"}]["x","w"]"#);
}

fn ends(rows: &Rows) {
    rows.ok_with("delete -f -", &foo("c", json!({})), &["foo.example.com \"c\" deleted"]);
    rows.ok("delete crd foos.example.com", &["\"foos.example.com\" deleted"]);
    rows.fails("get --raw /apis/example.com/v1/foos", 1, &["the server could not find the requested resource"]);
    rows.fails("get crd foos.example.com", 1, &["NotFound"]);
    rows.ok_with("apply -f -", DEFINITION, &["created"]);
    rows.ok("wait --for=condition=Established crd/foos.example.com --timeout=20s", &["condition met"]);
    rows.ok("get foos", &["No resources found"]);
}

fn refused_definitions(rows: &Rows) {
    let refused = |schema: Value, expected: &[&str]| {
        let definition = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "bars.example.com"},
            "spec": {
                "group": "example.com", "scope": "Namespaced", "names": {"plural": "bars", "kind": "Bar"},
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": schema}],
            },
        });
        let text = rows.fails_with("create -f -", &definition.to_string(), 1, expected);
        assert!(text.starts_with("The CustomResourceDefinition \"bars.example.com\" is invalid:"), "{text}");
    };
    let of = |spec: Value| json!({"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}});
    let schema = "spec.validation.openAPIV3Schema";
    let rule = format!("{schema}.properties[spec].x-kubernetes-validations[0].rule");
    refused(json!({}), &["spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required"]);
    refused(
        json!({"openAPIV3Schema": {}}),
        &[&format!("{schema}.type: Required value: must not be empty at the root")],
    );
    refused(
        of(json!({"properties": {"a": {"type": "string"}}})),
        &[&format!("{schema}.properties[spec].type: Required value: must not be empty for specified object fields")],
    );
    refused(
        of(json!({"type": "array"})),
        &[&format!("{schema}.properties[spec].items: Required value: must be specified")],
    );
    let ruled = |text: &str| {
        of(json!({
            "type": "object", "x-kubernetes-validations": [{"rule": text}],
            "properties": {"bar": {"type": "integer"}, "list": {"type": "array", "items": {"type": "string"}}},
        }))
    };
    refused(ruled("self.bar ="), &[&rule, "compilation failed: ERROR: <input>:1:10: Syntax error"]);
    refused(ruled("self.baz > 1"), &[&rule, "undefined field 'baz'"]);
    refused(ruled("self.bar == 'x'"), &[&rule, "found no matching overload for '_==_' applied to '(int, string)'"]);
    refused(ruled("self.bar"), &[&rule, "cel expression must evaluate to a bool"]);
    refused(
        ruled("self.list.all(a, self.list.all(b, a != b))"),
        &[&rule, "Forbidden: estimated rule cost exceeds budget by factor of more than 100x (try simplifying the rule"],
    );
}
