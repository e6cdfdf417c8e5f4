use crate::kinds::tests::{change_refused, created, refused};
use expect_test::expect;
use serde_json::json;

#[test]
fn a_template_is_fixed_and_holds_a_good_claim() {
    let spec = json!({"spec": {"devices": {"requests": [{"name": "a", "exactly": {"deviceClassName": "c"}}]}}});
    let template = created("ResourceClaimTemplate", json!({"spec": spec}));
    change_refused(
        "ResourceClaimTemplate",
        &template,
        |template| template["spec"]["metadata"] = json!({"labels": {"a": "b"}}),
        expect![[r#"
            spec: Invalid value: {"metadata":{"labels":{"a":"b"}},"spec":{"devices":{"requests":[{"exactly":{"allocationMode":"ExactCount","count":1,"deviceClassName":"c"},"name":"a"}]}}}: field is immutable
        "#]],
    );
    refused(
        "ResourceClaimTemplate",
        json!({"spec": {"metadata": {"labels": {"-": "b"}}, "spec": {"devices": {"requests": [{"name": "a"}]}}}}),
        expect![[r#"
            spec.metadata.labels: Invalid value: "-": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
            spec.spec.devices.requests[0]: Required value: exactly one of `exactly` or `firstAvailable` is required
        "#]],
    );
}
