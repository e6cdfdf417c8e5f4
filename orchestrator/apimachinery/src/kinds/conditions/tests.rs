use super::*;
use expect_test::expect;
use serde_json::json;

#[test]
fn a_condition_needs_all_its_parts() {
    let mut errors = Errors::default();
    let time = "2026-01-01T00:00:00Z";
    let status = json!({"conditions": [
        {"type": "Ready", "status": "True", "lastTransitionTime": time, "reason": "All_good:now"},
        {"type": "Ready", "status": "Maybe", "observedGeneration": -1, "reason": "not good"},
    ]});
    validate(&status, &Path::new("status").child("conditions"), &mut errors);
    let lines: String = errors.0.iter().map(|error| format!("{error}\n")).collect();
    expect![[r#"
        status.conditions[1].type: Duplicate value: "Ready"
        status.conditions[1].status: Unsupported value: "Maybe": supported values: "False", "True", "Unknown"
        status.conditions[1].observedGeneration: Invalid value: -1: must be greater than or equal to zero
        status.conditions[1].lastTransitionTime: Required value: must be set
        status.conditions[1].reason: Invalid value: "not good": a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')
    "#]]
    .assert_eq(&lines);
}
