use crate::kinds::tests::{change_refused, created, kind, refused, shown};
use expect_test::expect;
use serde_json::json;

#[test]
fn get_events_shows_what_happened_to_what() {
    let old = created(
        "Event",
        json!({
            "metadata": {"name": "web.1"}, "involvedObject": {"kind": "Pod", "name": "web", "namespace": "default", "fieldPath": "spec.containers{c}"},
            "type": "Warning", "reason": "BackOff", "message": "back-off \n", "source": {"component": "kubelet", "host": "n1"},
            "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:59:30Z", "count": 7,
        }),
    );
    let new = created(
        "Event",
        json!({
            "involvedObject": {"kind": "Node", "namespace": "default"}, "eventTime": "2026-01-01T00:50:00.123456Z",
            "reportingComponent": "scheduler", "reportingInstance": "s-1",
            "series": {"count": 3, "lastObservedTime": "2026-01-01T00:59:50.000000Z"},
        }),
    );
    assert_eq!(kind("Event").field_text(&old, "source"), "kubelet");
    assert_eq!(kind("Event").field_text(&old, "involvedObject.name"), "web");
    shown(
        "Event",
        &[old, new, created("Event", json!({"involvedObject": {}}))],
        expect![[r#"
        30s | Warning | BackOff | pod/web | spec.containers{c} | kubelet, n1 | back-off | 60m | 7 | web.1
        10s |  |  | node |  | scheduler, s-1 |  | 10m | 3 | x
        <unknown> |  |  |  |  |  |  | <unknown> | 1 | x
    "#]],
    );
}

#[test]
fn an_event_lives_beside_what_it_is_about() {
    refused(
        "Event",
        json!({"metadata": {"namespace": "a"}, "involvedObject": {"namespace": "b"}}),
        expect![[r#"
        involvedObject.namespace: Invalid value: "b": does not match event.namespace
    "#]],
    );
    refused("Event", json!({"metadata": {"namespace": "default"}, "involvedObject": {"kind": "Node"}}), expect![""]);
}

const V1: &str = "events.k8s.io/v1 Event";

#[test]
fn an_event_of_the_new_group_is_one_of_the_core_group() {
    let event = json!({
        "metadata": {"name": "e"}, "note": "hello", "regarding": {"kind": "Pod", "name": "p"}, "deprecatedCount": 3,
        "reportingController": "c", "deprecatedSource": {"component": "k"}, "reason": "Started",
        "deprecatedFirstTimestamp": "2026-01-01T00:00:00Z", "deprecatedLastTimestamp": "2026-01-01T00:00:01Z",
    });
    let mut core = event.clone();
    super::v1::to_core(&mut core);
    expect![[r#"
        {
          "count": 3,
          "firstTimestamp": "2026-01-01T00:00:00Z",
          "involvedObject": {
            "kind": "Pod",
            "name": "p"
          },
          "lastTimestamp": "2026-01-01T00:00:01Z",
          "message": "hello",
          "metadata": {
            "name": "e"
          },
          "reason": "Started",
          "reportingComponent": "c",
          "source": {
            "component": "k"
          }
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&core).expect("JSON"));
    assert_eq!(kind(V1).field_text(&core, "regarding.name"), "p");
    assert_eq!(kind(V1).field_text(&event, "regarding.name"), "p");
    assert_eq!(kind(V1).field_text(&core, "reportingController"), "c");
    shown(
        V1,
        std::slice::from_ref(&event),
        expect![[r#"
        59m |  | Started | pod/p |  | k | hello | 60m | 3 | e
    "#]],
    );
    super::v1::from_core(&mut core);
    assert_eq!(core, event);
    assert_eq!(kind(V1).stored_resource(), ("", "events"));
}

#[test]
fn new_events_have_to_be_complete() {
    refused(
        V1,
        json!({"metadata": {"namespace": "a"}, "regarding": {"namespace": "b"}, "deprecatedCount": 1}),
        expect![[r#"
            involvedObject.namespace: Invalid value: "b": does not match event.namespace
            eventTime: Required value
            type: Invalid value: "": has invalid value: 
            count: Invalid value: "": needs to be unset
        "#]],
    );
    refused(
        V1,
        json!({"metadata": {"namespace": "a"}, "regarding": {}, "eventTime": "2026-01-01T00:00:00.000000Z",
            "action": "a".repeat(129), "note": "a".repeat(1025), "reportingController": "a b", "type": "Odd",
            "series": {"count": 1}, "deprecatedSource": {"host": "h"}}),
        expect![[r#"
            involvedObject.namespace: Invalid value: "": does not match event.namespace
            reportingController: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
            reportingInstance: Required value
            action: Invalid value: "": can have at most 128 characters
            reason: Required value
            message: Invalid value: "": can have at most 1024 characters
            series.count: Invalid value: "": should be at least 2
            series.lastObservedTime: Required value
            type: Invalid value: "": has invalid value: Odd
            source: Invalid value: "": needs to be unset
        "#]],
    );
}

#[test]
fn an_event_stays_but_for_its_series() {
    let mut old = created(
        V1,
        json!({
            "metadata": {"resourceVersion": "1"}, "regarding": {"namespace": "default"}, "type": "Normal",
            "eventTime": "2026-01-01T00:00:00.000000Z", "reportingController": "c", "reportingInstance": "c-1",
            "reason": "Started", "action": "Start",
        }),
    );
    let series = json!({"count": 2, "lastObservedTime": "2026-01-01T00:00:01.000000Z"});
    change_refused(V1, &old, |event| event["series"] = series, expect![""]);
    change_refused(
        V1,
        &old,
        |event| {
            event["note"] = json!("other");
            event["series"] = json!({"count": 1});
        },
        expect![[r#"
            series.count: Invalid value: "": should be at least 2
            series.lastObservedTime: Required value
            message: Invalid value: "other": field is immutable
        "#]],
    );
    // Those of the core group need not be complete.
    old["eventTime"] = serde_json::Value::Null;
    change_refused(V1, &old, |event| event["metadata"]["labels"] = json!({"a": "b"}), expect![""]);
}
