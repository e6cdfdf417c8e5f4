use super::*;

#[test]
fn durations_read_as_go_prints_them() {
    for (seconds, text) in [(0, "0s"), (10, "10s"), (80, "1m20s"), (300, "5m0s"), (3661, "1h1m1s")] {
        assert_eq!(go_duration(seconds), text);
    }
}

#[test]
fn quality_of_service_follows_requests_and_limits() {
    let class = |resources: serde_json::Value| {
        let pod: Pod = serde_json::from_value(
            serde_json::json!({"spec": {"containers": [{"name": "c", "resources": resources}]}}),
        )
        .unwrap();
        pod::qos_class(&pod)
    };
    assert_eq!(class(serde_json::json!({})), "BestEffort");
    assert_eq!(class(serde_json::json!({"limits": {"cpu": "1", "memory": "1Gi"}})), "Guaranteed");
    assert_eq!(class(serde_json::json!({"requests": {"cpu": "1"}})), "Burstable");
    assert_eq!(
        class(serde_json::json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}})),
        "Burstable"
    );
}
