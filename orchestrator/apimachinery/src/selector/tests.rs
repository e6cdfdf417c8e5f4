use super::*;
use serde_json::json;

#[track_caller]
fn check(selector: &str, labels: Value, matches: bool) {
    let selector = LabelSelector::parse(selector).unwrap();
    assert_eq!(selector.matches_object(&json!({"metadata": {"labels": labels}})), matches);
}

#[test]
fn label_selectors_match_as_documented() {
    check("", json!({}), true);
    check("a=b", json!({"a": "b"}), true);
    check("a==b", json!({"a": "c"}), false);
    check("a!=b", json!({}), true);
    check("a!=b", json!({"a": "b"}), false);
    check("env in (prod, qa)", json!({"env": "qa"}), true);
    check("env in (prod,qa)", json!({}), false);
    check("env notin (prod)", json!({}), true);
    check("tier", json!({"tier": ""}), true);
    check("!tier", json!({"tier": ""}), false);
    check(" a = b , !c ", json!({"a": "b"}), true);
    check("a=", json!({"a": ""}), true);
    check("n>3", json!({"n": "4"}), true);
    check("n<3", json!({"n": "x"}), false);
    check("in in (in)", json!({"in": "in"}), true);
    check("kubernetes.io/name=x,a in (,b)", json!({"kubernetes.io/name": "x", "a": ""}), true);
}

#[test]
fn bad_label_selectors_are_refused() {
    for text in ["a b", "=b", "a in b", "a in (b", "a,", "a=b=c", "!", "a in ()x", "a=b c", "-a=b", "a=-", "n>x", ","] {
        let error = LabelSelector::parse(text).expect_err(text);
        assert_eq!(error.code, 400, "{text}");
        assert!(error.message.starts_with("unable to parse requirement: "), "{}", error.message);
    }
    assert!(LabelSelector::parse(&"a,".repeat(SELECTOR_BYTES_MAX)).is_err());
}

#[test]
fn selector_objects_select_nothing_everything_or_by_rule() {
    let object = json!({"metadata": {"labels": {"app": "x", "tier": "y"}}});
    assert!(!LabelSelector::from_object(&Value::Null).unwrap().matches_object(&object));
    assert!(LabelSelector::from_object(&json!({})).unwrap().matches_object(&object));
    let selector = json!({"matchLabels": {"app": "x"},
        "matchExpressions": [{"key": "tier", "operator": "In", "values": ["y", "z"]}, {"key": "no", "operator": "DoesNotExist"}]});
    let selector = LabelSelector::from_object(&selector).unwrap();
    assert!(selector.matches_object(&object));
    assert_eq!(selector.to_string(), "app=x,!no,tier in (y,z)");
    let bad = json!({"matchExpressions": [{"key": "a", "operator": "Near"}]});
    assert_eq!(
        LabelSelector::from_object(&bad).unwrap_err().message,
        r#""Near" is not a valid label selector operator"#
    );
}

#[test]
fn field_selectors_compare_texts() {
    let pod = json!({"metadata": {"name": "x"}, "status": {"phase": "Running"}, "spec": {"hostNetwork": true}});
    let get = |path: &str| field_text(&pod, path);
    for (text, matches) in [
        ("", true),
        ("metadata.name=x", true),
        ("metadata.name==x,status.phase!=Failed", true),
        ("status.phase!=Running", false),
        ("spec.nodeName=", true),
        ("spec.hostNetwork=true", true),
        ("spec.unschedulable=false", true),
    ] {
        assert_eq!(FieldSelector::parse(text).unwrap().matches(&get), matches, "{text}");
    }
    let selector = FieldSelector::parse("metadata.name=x,status.phase!=Failed").unwrap();
    assert_eq!(selector.exact("metadata.name"), Some("x"));
    assert_eq!(selector.exact("status.phase"), None);
    assert_eq!(selector.paths(), ["metadata.name", "status.phase"]);
    assert_eq!(FieldSelector::parse(r"a=b\,c\=d").unwrap().exact("a"), Some("b,c=d"));
    for bad in ["x", "a=b=c", r"a=\x", "a!b"] {
        assert_eq!(FieldSelector::parse(bad).unwrap_err().code, 400, "{bad}");
    }
}

#[test]
fn arbitrary_bytes_do_no_harm() {
    for seed in ["a=b,c in (d,e)", "!a,b!=c", r"a=\,b", "\u{0}\u{ff}", "a in (,)", "((((", "n>1,n<2", "a notin (b)"] {
        for end in 0..=seed.len() {
            fuzz(&seed.as_bytes()[..end]);
            fuzz(&seed.as_bytes()[end..]);
        }
    }
}
