use super::{check, checked, fails};
use serde_json::json;

#[test]
fn what_may_be_missing_is_selected_and_replaced() {
    check("object.?spec.replicas.orValue(1)", json!(3));
    check("object.?status.replicas.orValue(1)", json!(1));
    check("object.?status.?a.?b.hasValue()", json!(false));
    check("object.?spec.containers[0].name.value()", json!("a"));
    check("object.spec.containers[?7].hasValue()", json!(false));
    check("object.spec.containers[?1].name.orValue('none')", json!("b"));
    check("object.spec.?__namespace__.orValue('none')", json!("n"));
    check("has(object.?spec.replicas) && !has(object.?spec.nothing) && !has(object.?status.a)", json!(true));
    check("oldObject.?metadata.name.orValue('new')", json!("new"));
    check("object.?status.a.or(object.?spec.replicas).or(optional.of(9)).value()", json!(3));
    // What is not needed is not evaluated.
    check("object.?spec.replicas.orValue(1 / 0) + optional.of(1).or(optional.of(1 / 0)).value()", json!(4));
}

#[test]
fn optional_values_are_made_mapped_and_compared() {
    check("optional.of(5).optMap(n, n + 1).orValue(0)", json!(6));
    check("optional.none().optMap(n, n + 1).orValue(0)", json!(0));
    check("object.?spec.optFlatMap(s, s.?replicas).optMap(n, n * 2).value()", json!(6));
    check("object.?spec.optFlatMap(s, s.?nothing).hasValue()", json!(false));
    let zeros = "['', 'a'].map(t, optional.ofNonZeroValue(t).hasValue())";
    check(zeros, json!([false, true]));
    check("optional.ofNonZeroValue(0).hasValue() || optional.ofNonZeroValue(null).hasValue()", json!(false));
    check("optional.of(1) == optional.of(1) && optional.of(1) != optional.none()", json!(true));
    check("optional.none() == object.?nothing", json!(true));
    check("type(optional.of(1)) == optional_type", json!(true));
}

#[test]
fn optional_values_stay_optional_in_lists_and_loops() {
    check("[optional.of(1), optional.none()].map(o, o.orValue(0))", json!([1, 0]));
    check("object.spec.containers.map(c, c.?tag).filter(t, t.hasValue()).size()", json!(0));
    check("[?object.?spec.replicas, ?object.?nothing, 7]", json!([3, 7]));
    check("{?'a': object.?spec.replicas, ?'b': object.?nothing}", json!({"a": 3}));
    check("Object{spec: Object.spec{?replicas: object.?spec.replicas}}", json!({"spec": {"replicas": 3}}));
}

#[test]
fn what_is_missing_cannot_be_taken() {
    fails("optional.none().value()", "optional.none() dereference");
    fails("object.?nothing.a.value()", "optional.none() dereference");
    fails("object.spec.replicas.hasValue()", "no such overload");
    fails("object.?spec.optFlatMap(s, s.replicas)", "no such overload");
    fails("optional.of(1).optMap('a', 1)", "argument must be a simple name");
}

#[test]
fn optional_values_have_a_type_and_a_cost() {
    let expected = [
        ("self.?count", "optional_type(int)", 2),
        ("self.?count.optMap(c, c + 1).orValue(0)", "int", 20),
        ("self.?labels.optFlatMap(l, l[?'a'])", "optional_type(string)", 18),
        ("optional.of(self.count).or(optional.none()).value()", "int", 6),
        ("optional.none().orValue(self.name)", "string", 4),
        ("self.names[?0].optMap(n, n.size()).hasValue()", "bool", 22),
        ("[?self.?count, 2]", "list(int)", 12),
    ];
    let found = expected.map(|(source, ..)| (source, checked(source)));
    let expected = expected.map(|(source, kind, cost)| (source, Ok((kind.to_owned(), cost))));
    assert_eq!(found, expected);
}

#[test]
fn misused_optional_values_are_told_when_an_expression_is_checked() {
    for (source, why) in [
        ("self.count.hasValue()", "found no matching overload for 'hasValue' applied to 'int.()'"),
        ("self.name.orValue('a')", "'orValue' applied to 'string.(string)'"),
        ("self.count.optMap(c, c)", "found no matching overload for 'optMap'"),
        ("self.?count.optFlatMap(c, c)", "found no matching overload for 'optFlatMap'"),
        ("self.?nothing", "undefined field 'nothing'"),
        ("self.?count.optMap(c, c.startsWith('a'))", "'startsWith' applied to 'int.(string)'"),
        ("[?self.count]", "expected type 'optional_type(int)' but found 'int'"),
    ] {
        let error = checked(source).unwrap_err().to_string();
        assert!(error.starts_with("compilation failed: ") && error.contains(why), "{source}: {error}");
    }
}
