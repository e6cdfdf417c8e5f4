use super::*;
use expect_test::expect;
use serde_json::json;

#[track_caller]
fn check(text: &str, value: Value) {
    let documents = parse_all(text).unwrap();
    assert_eq!(documents.into_iter().map(|one| one.value).collect::<Vec<_>>(), vec![value]);
}

#[test]
fn scalars_are_read_as_kubectl_reads_them() {
    check("a: on", json!({"a": true}));
    check("a: yes", json!({"a": true}));
    check("a: \"on\"", json!({"a": "on"}));
    check("a: 0644", json!({"a": 420}));
    check("a: 0x10", json!({"a": 16}));
    check("a: 0o17", json!({"a": 15}));
    check("a: 1.5", json!({"a": 1.5}));
    check("a: 100m", json!({"a": "100m"}));
    check("a: ~", json!({"a": null}));
    check("a: 12:30", json!({"a": "12:30"}));
    check("a: 1e3", json!({"a": 1000.0}));
    check("a: |\n  x\n  y\n", json!({"a": "x\ny\n"}));
    check("a: &x {b: 1}\nc: *x\n", json!({"a": {"b": 1}, "c": {"b": 1}}));
    check("a: 2020-01-01", json!({"a": "2020-01-01"}));
    check("{\"a\": \"\\u00e9\",\n\t\"b\": [1, 2]}", json!({"a": "é", "b": [1, 2]}));
}

#[test]
fn documents_carry_their_lines() {
    let text = "# head\n---\n# note\n\na: 1\n--- # next\n---\nb:\n  c: 2\n...\n--- {d: 3}\n";
    let found: Vec<_> = parse_all(text).unwrap().into_iter().map(|one| (one.index, one.line, one.value)).collect();
    assert_eq!(found, [(1, 5, json!({"a": 1})), (2, 8, json!({"b": {"c": 2}})), (3, 11, json!({"d": 3}))]);
    let text = "{\"a\": 1}\n\n{\"b\": 2}\n";
    let found: Vec<_> = parse_all(text).unwrap().into_iter().map(|one| (one.index, one.line)).collect();
    assert_eq!(found, [(1, 1), (2, 3)]);
    assert_eq!(parse_all("").unwrap(), []);
    assert_eq!(parse_all("# only a comment\n---\n").unwrap(), []);
}

#[track_caller]
fn refuses(text: &str, expected: expect_test::Expect) {
    expected.assert_eq(&parse_all(text).unwrap_err().to_string());
}

#[test]
fn errors_name_document_and_line() {
    refuses("a: 1\n---\nb: 2\nc: [1\nd: 3\n", expect!["document 2, line 5: illegal placement of ':' indicator"]);
    refuses("a: 1\nb: 2\na: 3\n", expect![[r#"document 1, line 3: duplicate key "a""#]]);
    refuses("a:\n\t- b\n", expect!["document 1, line 2: tabs disallowed within this context (block indentation)"]);
    refuses("{\"a\": 1, \"a\": 2}", expect![[r#"document 1, line 1: duplicate key "a""#]]);
    refuses("a: .nan", expect!["document 1, line 1: non-finite float `.nan` rejected"]);
    assert!(parse_all(&"[".repeat(100_000)).is_err());
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
                d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n\
                g: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n";
    assert!(parse_all(bomb).is_err());
}

#[test]
fn field_paths_are_found_in_the_text() {
    let text = "kind: A\n---\nkind: Pod\nmetadata:\n  labels:\n    app.k8s.io/name: x\nspec:\n  containers:\n  - name: a\n    image: b\n  - name: c\n    ports:\n    - containerPort: 1\n";
    for (path, line) in [
        ("kind", 3),
        ("metadata.labels[app.k8s.io/name]", 6),
        ("spec.containers[0].image", 10),
        ("spec.containers[1]", 11),
        ("spec.containers[1].image", 11),
        ("spec.containers[1].ports[0].containerPort", 13),
        ("spec.restartPolicy", 7),
    ] {
        assert_eq!(line_of(text, 3, path), Some(line), "{path}");
    }
    assert_eq!(line_of(text, 3, "status"), None);
    assert_eq!(line_of(text, 2, "kind"), None);
    assert_eq!(line_of("{\"a\": {\n \"b\": 1}}", 1, "a.b"), Some(2));
}

#[test]
fn what_is_written_is_read_back() {
    let value = json!({"a": "on", "b": "0644", "c": "12:30", "d": "x\ny\n", "e": [], "f": {}, "g": [{"h": 1, "i": [1, 2]}],
        "j": "", "k": null, "l": " x", "m": "# no", "n": "1e3", "o": true, "p": "~", "q": "a: b", "y": 1.0, "z": "- x"});
    let text = to_string(&value);
    check(&text, value);
    expect![[r#"
        spec:
          containers:
          - args:
            - a
            - "on"
            image: x
          empty: {}
    "#]]
    .assert_eq(&to_string(&json!({"spec": {"containers": [{"image": "x", "args": ["a", "on"]}], "empty": {}}})));
}

#[test]
fn arbitrary_bytes_do_no_harm() {
    let seeds =
        ["a: [1, {b: c}]\n---\nd: |\n  x\n", "{\"a\": [1, null]}", "- &a b\n- *a\n", "? a\n: b\n", "\u{feff}a: 1\n"];
    for seed in seeds {
        for end in 0..=seed.len() {
            fuzz(&seed.as_bytes()[..end]);
            fuzz(&seed.as_bytes()[end..]);
        }
    }
}

#[test]
fn documents_are_bounded_in_bytes_and_depth() {
    let long = format!("a: {}\n", "x".repeat(YAML_DOCUMENT_BYTES_MAX));
    assert!(parse_all(&long).unwrap_err().message.contains("longer than"));
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse_all(&nested(YAML_DEPTH_MAX - 1)).is_ok());
    assert!(parse_all(&nested(YAML_DEPTH_MAX + 1)).is_err());
}
