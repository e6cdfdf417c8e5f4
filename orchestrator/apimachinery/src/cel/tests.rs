use super::*;
use serde_json::json;

mod macros;
mod optional;
mod standard;

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
fn types_are_values() {
    check("type(object.spec.replicas) == int && type(object.spec) == map && type([1]) == list", json!(true));
    check("type(object.metadata.name) == string && type(oldObject) == null_type && type(1.5) == double", json!(true));
    check("type(duration('1s')) == google.protobuf.Duration && type(type(1)) == type", json!(true));
    check("type(1) == type(2) && type(1) != type('1') && type(1u) == uint && type(true) == bool", json!(true));
    check("object.spec.containers.all(list, type(list) == map)", json!(true));
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

/// An object with a text of 10 bytes, a number, a list of 5 such texts and a map.
fn declared() -> Decl {
    let fields = [
        ("name", Decl::text(10)),
        ("count", Decl::scalar(Type::Int)),
        ("share", Decl::scalar(Type::Double)),
        ("on", Decl::scalar(Type::Bool)),
        ("names", Decl::list(Decl::text(10), 5)),
        ("labels", Decl::map(Decl::text(20), 8)),
        ("any", Decl::unknown()),
    ];
    let fields = fields.into_iter().map(|(name, decl)| (name.to_owned(), decl)).collect();
    Decl { kind: Type::Object(Arc::new(fields)), size: SIZE_UNKNOWN }
}

fn checked(source: &str) -> Result<(String, u64), CelError> {
    let checked = Expression::compile(source, &["self"])?.check(&[("self", declared())])?;
    Ok((checked.decl.kind.to_string(), checked.cost))
}

#[test]
fn expressions_have_a_type_and_a_cost_before_they_are_evaluated() {
    let expected = [
        ("self.count <= 5", "bool", 3),
        ("self.name.startsWith('abc')", "bool", 3),
        ("self.name.contains('a')", "bool", 3),
        ("self.names.all(n, n != '')", "bool", 23),
        ("self.names.map(n, n.size())", "list(int)", 83),
        ("self.names.filter(n, n.size() > 2)", "list(string)", 93),
        ("self.labels.all(key, self.labels[key] != 'x')", "bool", 67),
        ("self.?labels[?'a'].orValue('b')", "string", 4),
        ("has(self.any) ? self.any.deep[0] : null", "dyn", 5),
        ("self.name + '!' + string(self.count)", "string", 15),
        ("self.count in [1, 2, 3]", "bool", 15),
        ("{'a': 1}[self.name] == self.count", "bool", 36),
        ("math.greatest(self.count, 1)", "dyn", 3),
    ];
    let found = expected.map(|(source, ..)| (source, checked(source)));
    let expected = expected.map(|(source, kind, cost)| (source, Ok((kind.to_owned(), cost))));
    assert_eq!(found, expected);
}

#[test]
fn what_does_not_fit_together_is_told_with_its_place() {
    for (source, why) in [
        ("self.nothing > 1", "ERROR: <input>:1:5: undefined field 'nothing'\n | self.nothing > 1\n | ....^"),
        ("has(self.nothing)", "undefined field 'nothing'"),
        ("self.count == 'x'", "1:12: found no matching overload for '_==_' applied to '(int, string)'"),
        ("self.count < self.name", "'_<_' applied to '(int, string)'"),
        ("self.share == self.count", "'_==_' applied to '(double, int)'"),
        ("self.count + self.name", "'_+_' applied to '(int, string)'"),
        ("self.on && self.count", "'_&&_' applied to '(bool, int)'"),
        ("!self.count", "'!_' applied to '(int)'"),
        ("self.count in self.names", "'@in' applied to '(int, list(string))'"),
        ("self.names['a']", "'_[_]' applied to '(list(string), string)'"),
        ("self.count == null", "'_==_' applied to '(int, null)'"),
        ("self.names.all(n, n > 3)", "'_>_' applied to '(string, int)'"),
        ("self.count.all(n, true)", "expression of type 'int' cannot be range of a comprehension"),
        ("self.count.startsWith('a')", "'startsWith' applied to 'int.(string)'"),
        ("self.name.frobnicate()", "undeclared reference to 'frobnicate' (in container '')"),
        ("self.name.first == 1", "type 'string' does not support field selection"),
    ] {
        let error = checked(source).unwrap_err().to_string();
        assert!(error.starts_with("compilation failed: ") && error.contains(why), "{source}: {error}");
    }
}
