use crate::kinds::tests::{created, refused, shown, template, updated};
use expect_test::expect;
use serde_json::json;

#[test]
fn a_pod_template_counts_its_changes() {
    let object = created("PodTemplate", json!({"template": template()}));
    assert_eq!(object["template"]["spec"]["dnsPolicy"], "ClusterFirst");
    assert_eq!(object["metadata"]["generation"], 1);
    let changed = updated("PodTemplate", &object, |object| object["template"]["spec"]["hostname"] = json!("h"));
    assert_eq!(changed["metadata"]["generation"], 2);
    shown(
        "PodTemplate",
        &[object],
        expect![[r#"
        x | c | hello:1 | app=x
    "#]],
    );
}

#[test]
fn its_spec_is_checked() {
    refused(
        "PodTemplate",
        json!({"template": {"spec": {"containers": []}}}),
        expect![[r#"
        template.spec.containers: Required value
    "#]],
    );
}
