use crate::kinds::tests::{created, kind, refused, shown};
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
