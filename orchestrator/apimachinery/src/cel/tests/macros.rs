use super::{check, checked, fails};
use serde_json::json;

#[test]
fn loops_go_over_indexes_and_values_of_lists() {
    check("[1, 2, 3].all(i, v, v == i + 1)", json!(true));
    check("[1, 2, 4].all(i, v, v == i + 1)", json!(false));
    check("object.spec.containers.exists(i, c, i == 1 && c.name == 'b')", json!(true));
    check("[1, 1, 2].existsOne(i, v, v > i + 1)", json!(false));
    check("[3, 1, 2].existsOne(i, v, v > i)", json!(true));
    check("[1, 2, 3].transformList(i, v, i * v)", json!([0, 2, 6]));
    check("[1, 2, 3].transformList(i, v, i > 0, i * v)", json!([2, 6]));
    check("['a', 'b'].transformMapEntry(i, v, {v: i})", json!({"a": 0, "b": 1}));
    check("['a', 'b'].transformMapEntry(i, v, v != 'a', {v: i})", json!({"b": 1}));
    check("['x', 'y'].transformMap(i, v, v + '!')[1]", json!("y!"));
}

#[test]
fn loops_go_over_keys_and_values_of_maps() {
    check("{'a': 1, 'b': 2}.all(k, v, k.size() == 1 && v > 0)", json!(true));
    check("object.metadata.labels.exists(k, v, k.startsWith('app') && v == 'x')", json!(true));
    check("{'a': 1, 'b': 2}.existsOne(k, v, v == 2)", json!(true));
    check("{'b': 2, 'a': 1}.transformList(k, v, k + string(v))", json!(["a1", "b2"]));
    check("{'a': 1, 'b': 2}.transformMap(k, v, v * 10)", json!({"a": 10, "b": 20}));
    check("{'a': 1, 'b': 2}.transformMap(k, v, k == 'b', v * 10)", json!({"b": 20}));
    check("{'a': 'x', 'b': 'y'}.transformMapEntry(k, v, {v: k})", json!({"x": "a", "y": "b"}));
    check("{}.all(k, v, false) && !{}.exists(k, v, true)", json!(true));
}

#[test]
fn loops_nest_and_hide_outer_names() {
    check("[[1, 2], [3]].transformList(i, l, l.transformList(j, v, i * 10 + v))", json!([[1, 2], [13]]));
    check("[1, 2].transformList(i, v, [5].transformList(i, v, v)[0] + v)", json!([6, 7]));
    check("[1, 2].transformList(object, string, object + string)", json!([1, 3]));
    check("[1, 2].all(int, v, int < v)", json!(true));
}

#[test]
fn errors_of_turns_count_unless_another_turn_decides() {
    check("[0, 1].all(i, v, 1 / v > 1)", json!(false));
    check("[0, 1].exists(i, v, 1 / v == 1)", json!(true));
    fails("[0, 1].all(i, v, 1 / v == 1)", "division by zero");
    fails("[0, 1].transformList(i, v, 1 / v)", "division by zero");
    fails("['a', 'a'].transformMapEntry(i, v, {v: i})", "insert failed: key a already exists");
    fails("1.all(i, v, true)", "no such overload");
    fails("[1].all(i, 2, true)", "argument must be a simple name");
    fails("[1].all(i, i, true)", "duplicate variable name: i");
    fails("[1].all(i, v, nobody == v)", "undeclared reference to 'nobody'");
    fails("[i].all(i, v, true)", "undeclared reference to 'i'");
}

#[test]
fn turns_over_keys_and_values_count_as_any() {
    let list = format!("[{}]", vec!["1"; 120].join(","));
    let inner = format!("{list}.all(c, x, {list}.all(d, y, true))");
    fails(&format!("{list}.all(a, v, {list}.exists(b, w, !{inner}))"), "cost limit exceeded");
    // What is kept weighs too.
    let doubled =
        (0..7).fold("[0]".to_owned(), |kept, _| format!("[1, 2, 3, 4].transformList(i, v, [{kept}, {list}])"));
    fails(&format!("{doubled}.size()"), "cost limit exceeded");
}

#[test]
fn loops_over_keys_and_values_have_a_type_and_a_cost() {
    let expected = [
        ("self.names.all(i, n, n != '')", "bool", 23),
        ("self.names.exists(i, n, n == '')", "bool", 28),
        ("self.labels.existsOne(k, v, v == 'x')", "bool", 36),
        ("self.names.transformList(i, n, n.size() + i)", "list(int)", 93),
        ("self.names.transformList(i, n, i > 0, n)", "list(string)", 88),
        ("self.labels.transformMap(k, v, v.size())", "map(string, int)", 73),
        ("self.names.transformMapEntry(i, n, {n: i})", "map(string, int)", 203),
    ];
    let found = expected.map(|(source, ..)| (source, checked(source)));
    let expected = expected.map(|(source, kind, cost)| (source, Ok((kind.to_owned(), cost))));
    assert_eq!(found, expected);
}

#[test]
fn what_does_not_fit_into_a_loop_is_told() {
    for (source, why) in [
        ("self.count.all(i, v, true)", "expression of type 'int' cannot be range of a comprehension"),
        ("self.names.all(i, v, v > 3)", "'_>_' applied to '(string, int)'"),
        ("self.names.all(i, v, i.startsWith('a'))", "'startsWith' applied to 'int.(string)'"),
        ("self.names.all(i, v, v)", "'_&&_' applied to '(bool, string)'"),
        ("self.names.transformMapEntry(i, v, v)", "'cel.@mapInsert' applied to '(string)'"),
        ("self.names.transformList(i)", "undeclared reference to"),
    ] {
        let error = checked(source).unwrap_err().to_string();
        assert!(error.starts_with("compilation failed: ") && error.contains(why), "{source}: {error}");
    }
}

#[test]
fn deep_nests_of_loops_do_no_harm() {
    for (open, inner) in
        [("[1].all(i, v, ", "true"), ("{'a': 1}.transformMap(k, v, ", "k"), ("optional.of(1).optMap(o, ", "o")]
    {
        for levels in [1, 17, 60, 120] {
            crate::cel::fuzz(format!("{}{inner}{}", open.repeat(levels), ")".repeat(levels)).as_bytes());
        }
    }
}
