use crate::kinds::tests::{change_refused, created, refused, shown, stored, updated};
use expect_test::expect;
use serde_json::json;

#[test]
fn a_driver_gets_its_defaults_and_keeps_how_it_attaches() {
    let driver = created("CSIDriver", json!({"spec": {}}));
    stored(
        &driver,
        "/spec",
        expect![[r#"
        {
          "attachRequired": true,
          "fsGroupPolicy": "ReadWriteOnceWithFSType",
          "podInfoOnMount": false,
          "requiresRepublish": false,
          "seLinuxMount": false,
          "storageCapacity": false,
          "volumeLifecycleModes": [
            "Persistent"
          ]
        }"#]],
    );
    change_refused(
        "CSIDriver",
        &driver,
        |driver| driver["spec"]["attachRequired"] = json!(false),
        expect![[r#"
        spec.attachedRequired: Invalid value: false: field is immutable
    "#]],
    );
    let changed = updated("CSIDriver", &driver, |driver| driver["spec"]["requiresRepublish"] = json!(true));
    assert_eq!(changed["metadata"]["generation"], 1);
    let tokens = json!({"spec": {"tokenRequests": [{"audience": "a"}, {"audience": "b"}]}});
    shown(
        "CSIDriver",
        &[driver, created("CSIDriver", tokens)],
        expect![[r#"
        x | true | false | false | <unset> | false | Persistent | 60m
        x | true | false | false | a,b | false | Persistent | 60m
    "#]],
    );
}

#[test]
fn tokens_and_modes_are_checked() {
    refused(
        "CSIDriver",
        json!({"spec": {
            "fsGroupPolicy": "Odd", "volumeLifecycleModes": ["Odd"], "nodeAllocatableUpdatePeriodSeconds": 9,
            "tokenRequests": [
                {"audience": "a", "expirationSeconds": 599}, {"audience": "a"},
                {"audience": "b", "expirationSeconds": 4_294_967_297_i64},
            ],
        }}),
        expect![[r#"
            spec.fsGroupPolicy: Unsupported value: "Odd": supported values: "File", "None", "ReadWriteOnceWithFSType"
            spec.tokenRequests[0].expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes
            spec.tokenRequests[1].audience: Duplicate value: "a"
            spec.tokenRequests[2].expirationSeconds: Invalid value: 4294967297: may not specify a duration larger than 2^32 seconds
            spec.volumeLifecycleModes: Unsupported value: "Odd": supported values: "Ephemeral", "Persistent"
            spec.nodeAllocatableUpdatePeriodSeconds: Invalid value: 9: must be greater than or equal to 10 seconds
        "#]],
    );
}
