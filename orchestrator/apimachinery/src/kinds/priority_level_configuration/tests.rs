use crate::kinds::tests::{created, refused, shown, stored};
use expect_test::expect;
use serde_json::{Value, json};

const KIND: &str = "PriorityLevelConfiguration";

fn queue(queuing: Value) -> Value {
    json!({"spec": {"type": "Limited", "limited": {"limitResponse": {"type": "Queue", "queuing": queuing}}}})
}

#[test]
fn levels_get_their_defaults() {
    let level = created(KIND, queue(json!({"queues": 128})));
    stored(
        &level,
        "/spec/limited",
        expect![[r#"
        {
          "lendablePercent": 0,
          "limitResponse": {
            "queuing": {
              "handSize": 8,
              "queueLengthLimit": 50,
              "queues": 128
            },
            "type": "Queue"
          },
          "nominalConcurrencyShares": 30
        }"#]],
    );
    let exempt = created(KIND, json!({"spec": {"type": "Exempt", "exempt": {}}}));
    stored(
        &exempt,
        "/spec/exempt",
        expect![[r#"
        {
          "lendablePercent": 0,
          "nominalConcurrencyShares": 0
        }"#]],
    );
    let reject = created(KIND, json!({"spec": {"type": "Limited", "limited": {"limitResponse": {"type": "Reject"}}}}));
    shown(
        KIND,
        &[level, exempt, reject],
        expect![[r#"
        x | Limited | 30 | 128 | 8 | 50 | 60m
        x | Exempt | <none> | <none> | <none> | <none> | 60m
        x | Limited | 30 | <none> | <none> | <none> | 60m
    "#]],
    );
}

#[test]
fn levels_are_checked() {
    refused(
        KIND,
        json!({"spec": {"type": "Odd"}}),
        expect![[r#"
        spec.type: Unsupported value: "Odd": supported values: "Exempt", "Limited"
    "#]],
    );
    refused(
        KIND,
        json!({"spec": {"type": "Exempt", "limited": {}, "exempt": {"lendablePercent": 101}}}),
        expect![[r#"
            spec.type: Invalid value: "Exempt": type must be 'Exempt' if and only if name is 'exempt'
            spec.limited: Forbidden: must be nil if the type is not Limited
            spec.exempt.lendablePercent: Invalid value: 101: must be between 0 and 100, inclusive
        "#]],
    );
    refused(
        KIND,
        json!({"spec": {"type": "Limited", "exempt": {}}}),
        expect![[r#"
        spec.exempt: Forbidden: must be nil if the type is Limited
        spec.limited: Required value: must not be empty when type is Limited
    "#]],
    );
    refused(
        KIND,
        queue(json!({"queues": 10_000_001, "handSize": -1, "queueLengthLimit": -1})),
        expect![[r#"
        spec.limited.limitResponse.queuing.queueLengthLimit: Invalid value: -1: must be positive
        spec.limited.limitResponse.queuing.queues: Invalid value: 10000001: must not be greater than 10000000
        spec.limited.limitResponse.queuing.handSize: Invalid value: -1: must be positive
    "#]],
    );
    refused(
        KIND,
        queue(json!({"queues": 4, "handSize": 5})),
        expect![[r#"
        spec.limited.limitResponse.queuing.handSize: Invalid value: 5: should not be greater than queues (4)
    "#]],
    );
    refused(
        KIND,
        queue(json!({"queues": 10_000, "handSize": 5})),
        expect![[r#"
        spec.limited.limitResponse.queuing.handSize: Invalid value: 5: required entropy bits of deckSize 10000 and handSize 5 should not be greater than 60
    "#]],
    );
    refused(KIND, queue(json!({"queues": 128, "handSize": 6})), expect![[""]]);
    refused(
        KIND,
        queue(Value::Null),
        expect![[r#"
        spec.limited.limitResponse.queuing: Required value: must not be empty if limited.limitResponse.type is Limited
    "#]],
    );
    let reject = json!({"nominalConcurrencyShares": -1, "borrowingLimitPercent": -1,
        "limitResponse": {"type": "Reject", "queuing": {}}});
    refused(
        KIND,
        json!({"spec": {"type": "Limited", "limited": reject}}),
        expect![[r#"
        spec.limited.nominalConcurrencyShares: Invalid value: -1: must be a non-negative integer
        spec.limited.borrowingLimitPercent: Invalid value: -1: must be a non-negative integer
        spec.limited.limitResponse.queuing: Forbidden: must be nil if limited.limitResponse.type is not Limited
    "#]],
    );
}

#[test]
fn the_levels_that_the_server_needs_are_fixed() {
    for name in ["exempt", "catch-all"] {
        let spec = super::mandatory_spec(name).expect("mandatory");
        refused(KIND, json!({"metadata": {"name": name}, "spec": spec}), expect![[""]]);
    }
    let shares = json!({"type": "Exempt", "exempt": {"nominalConcurrencyShares": 7}});
    refused(KIND, json!({"metadata": {"name": "exempt"}, "spec": shares}), expect![[""]]);
    let other = json!({"type": "Limited", "limited": {"limitResponse": {"type": "Reject"}}});
    refused(
        KIND,
        json!({"metadata": {"name": "catch-all"}, "spec": other}),
        expect![[r#"
        spec: Invalid value: {"limited":{"lendablePercent":0,"limitResponse":{"type":"Reject"},"nominalConcurrencyShares":30},"type":"Limited"}: spec of 'catch-all' must equal the fixed value
    "#]],
    );
}
