use super::*;
use serde_json::json;

fn scope() -> Scope {
    let mut scope = Scope::new();
    let object = json!({"metadata": {"name": "web", "labels": {"app.kubernetes.io/name": "x"}},
        "spec": {"replicas": 3, "namespace": "n", "containers": [{"name": "a", "image": "x:1"}, {"name": "b", "image": "y:2"}]}});
    scope.set("object", &object);
    scope.set("oldObject", &Value::Null);
    scope.set_authorizer(
        Arc::new(|check| if check.verb == "get" && check.group == "apps" { Ok(()) } else { Err("no".into()) }),
        Check { resource: "pods".into(), ..Check::default() },
    );
    scope
}

const DECLARED: [&str; 3] = ["object", "oldObject", "authorizer"];

#[track_caller]
fn check(source: &str, expected: Value) {
    let expression = Expression::compile(source, &DECLARED).unwrap();
    assert_eq!(scope().evaluate(&expression), Ok(expected), "{source}");
}

#[test]
fn expressions_have_the_value_that_kubernetes_gives_them() {
    check("object.spec.replicas <= 5 && object.metadata.name.startsWith('w')", json!(true));
    check("has(object.spec.paused) || oldObject == null", json!(true));
    check("object.spec.containers.all(c, c.image.contains(':'))", json!(true));
    check("object.spec.containers.exists(c, c.name == 'z')", json!(false));
    check("object.spec.containers.map(c, c.name)", json!(["a", "b"]));
    check("object.spec.containers.filter(c, c.name == 'b').size()", json!(1));
    check("object.metadata.labels['app.kubernetes.io/name']", json!("x"));
    check("object.metadata.?annotations[?'a'].orValue('none')", json!("none"));
    check("object.spec.__namespace__", json!("n"));
    check("quantity('1Gi').isGreaterThan(quantity('500Mi'))", json!(true));
    check("'a,b'.split(',')", json!(["a", "b"]));
    check("string(object.spec.replicas) + '!'", json!("3!"));
    check(&format!("{}1", "1+".repeat(150)), json!(151));
}

#[test]
fn structures_become_objects() {
    check("Object{spec: Object.spec{replicas: 1, paused: true}}", json!({"spec": {"replicas": 1, "paused": true}}));
    check(
        "[JSONPatch{op: 'add', path: '/metadata/labels/' + jsonpatch.escapeKey('a/b'), value: 'c'}]",
        json!([{"op": "add", "path": "/metadata/labels/a~1b", "value": "c"}]),
    );
    check("[1, 2].map(n, Object{spec: Object.spec{n: n}})", json!([{"spec": {"n": 1}}, {"spec": {"n": 2}}]));
}

#[test]
fn the_authorizer_is_asked() {
    check("authorizer.group('apps').resource('deployments').namespace('x').check('get').allowed()", json!(true));
    check("authorizer.group('').resource('pods').check('get').allowed()", json!(false));
    check("authorizer.path('/healthz').check('get').reason()", json!("no"));
    check("authorizer.requestResource.check('delete').allowed()", json!(false));
}

#[track_caller]
fn fails(source: &str, expected: &str) {
    let error = match Expression::compile(source, &DECLARED) {
        Ok(expression) => scope().evaluate(&expression).unwrap_err(),
        Err(error) => error,
    };
    assert!(error.to_string().contains(expected), "{source}: {error}");
}

#[test]
fn failures_say_what_is_wrong() {
    fails("object.spec.nothing == 1", "no such key: nothing");
    fails("objekt.spec", "undeclared reference to 'objekt'");
    fails("object.spec.replicas +", "compilation failed");
    fails("Pod{spec: 1}", "undeclared reference to 'Pod'");
    fails("1 / 0", "division by zero");
    let long = format!("'{}'", "a".repeat(CEL_EXPRESSION_BYTES_MAX));
    fails(&long, "over");
}

#[test]
fn loops_end_at_a_limit() {
    let list = format!("[{}]", vec!["1"; 120].join(","));
    let source = format!("{list}.all(a, {list}.all(b, {list}.all(c, {list}.all(d, true))))");
    fails(&source, "cost limit exceeded");
}

#[test]
fn a_condition_is_true_or_false() {
    let expression = Expression::compile("object.metadata.name", &DECLARED).unwrap();
    assert!(scope().condition(&expression).unwrap_err().to_string().contains("does not evaluate to bool"));
    assert!(expression.uses("object") && !expression.uses("oldObject"));
}

#[test]
fn arbitrary_text_does_no_harm() {
    for text in [
        "",
        "(((((",
        "a.b.c{",
        "\"",
        "1u / 0u",
        "object.a[5]",
        "{1: 2}",
        "[1][-1]",
        "dyn(object)",
        "x ? y : z",
        "b\"a\"",
    ] {
        fuzz(text.as_bytes());
    }
    let deep = [
        "(".repeat(5000),
        "!".repeat(5000),
        "1+".repeat(7000),
        format!("{}1", "1+".repeat(60)),
        format!("{}1{}", "(".repeat(100), ")".repeat(100)),
        format!("object{}", ".a".repeat(5000)),
        format!("object{}", ".a()".repeat(3000)),
        format!("true{}", " && true".repeat(1500)),
        format!("true{}", " == true".repeat(1500)),
        "a ? b : ".repeat(1500),
        "[".repeat(90) + &"]".repeat(90),
    ];
    deep.iter().for_each(|text| fuzz(text.as_bytes()));
}
