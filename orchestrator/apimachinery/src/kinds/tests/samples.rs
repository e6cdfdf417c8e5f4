//! Objects of the workload kinds with most of what the rules look at.

use super::{container, template};
use serde_json::{Value, json};

fn job() -> Value {
    json!({
        "completionMode": "Indexed", "completions": 3, "parallelism": 2, "backoffLimitPerIndex": 1,
        "maxFailedIndexes": 2, "managedBy": "example.com/queue",
        "podFailurePolicy": {"rules": [
            {"action": "FailIndex", "onExitCodes": {"containerName": "c", "operator": "In", "values": [1, 2]}},
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        ]},
        "successPolicy": {"rules": [{"succeededIndexes": "0-1", "succeededCount": 1}]},
        "template": {"spec": {"restartPolicy": "Never", "containers": [container()]}},
    })
}

fn metrics(selector: &Value) -> Value {
    json!([
        {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}},
        {"type": "Pods", "pods": {"metric": {"name": "m"}, "target": {"type": "AverageValue", "averageValue": "1"}}},
        {"type": "Object", "object": {
            "describedObject": {"kind": "Service", "name": "s"}, "metric": {"name": "m", "selector": selector},
            "target": {"type": "Value", "value": "10"},
        }},
        {"type": "External", "external": {"metric": {"name": "m"}, "target": {"type": "Value", "value": "2"}}},
        {"type": "ContainerResource", "containerResource": {
            "name": "memory", "container": "c", "target": {"type": "AverageValue", "averageValue": "1Mi"},
        }},
    ])
}

/// A good object of each kind.
pub fn workloads() -> Vec<(&'static str, Value)> {
    let selector = json!({"matchLabels": {"app": "x"}, "matchExpressions": [{"key": "app", "operator": "Exists"}]});
    let claim = json!({
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": "fast",
        "dataSource": {"kind": "PersistentVolumeClaim", "name": "other"}, "selector": selector,
    });
    let reference = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"});
    let stateful_set = json!({
        "serviceName": "s", "selector": selector, "template": template(),
        "volumeClaimTemplates": [{"metadata": {"name": "v"}, "spec": claim}],
    });
    let limits = json!([
        {"type": "Container", "max": {"cpu": "1000m"}, "min": {"cpu": "0.1"}, "maxLimitRequestRatio": {"cpu": "4"}},
        {"type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}},
    ]);
    let quota = json!({
        "hard": {"pods": "10", "requests.cpu": "1000m"}, "scopes": ["NotBestEffort"],
        "scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["a"]}]},
    });
    let volume = json!({
        "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1024Mi"}, "local": {"path": "/d"},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [
            {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]},
        ]}},
    });
    let subsets = json!([
        {"addresses": [{"ip": "10.0.0.1", "nodeName": "n"}], "ports": [{"name": "a", "port": 80}]},
        {"notReadyAddresses": [{"ip": "10.0.0.2"}], "ports": [{"port": 81, "name": "b"}]},
    ]);
    let cron = json!({
        "schedule": "*/5 0-6,12 1 jan-mar mon", "timeZone": "Europe/Paris", "jobTemplate": {"spec": job()},
    });
    let v2 = json!({
        "maxReplicas": 3, "scaleTargetRef": reference, "metrics": metrics(&selector), "behavior": {"scaleUp": {}},
    });
    let v1 = json!({"maxReplicas": 3, "scaleTargetRef": reference, "targetCPUUtilizationPercentage": 60});
    let budget = json!({"minAvailable": "50%", "selector": selector, "unhealthyPodEvictionPolicy": "AlwaysAllow"});
    let event = json!({
        "regarding": {"kind": "Pod", "name": "p", "namespace": "default"}, "note": "hello", "reason": "Started",
        "eventTime": "2026-01-01T00:00:00.000000Z", "action": "Start", "type": "Normal",
        "reportingController": "example.com/c", "reportingInstance": "c-1",
        "series": {"count": 2, "lastObservedTime": "2026-01-01T00:00:01.000000Z"},
    });
    vec![
        ("ReplicationController", json!({"spec": {"template": template()}})),
        ("PodTemplate", json!({"template": template()})),
        ("DaemonSet", json!({"spec": {"selector": selector, "template": template()}})),
        ("StatefulSet", json!({"spec": stateful_set})),
        ("ControllerRevision", json!({"data": {"a": 1}, "revision": 1})),
        ("Endpoints", json!({"subsets": subsets})),
        ("LimitRange", json!({"spec": {"limits": limits}})),
        ("ResourceQuota", json!({"spec": quota})),
        ("PersistentVolume", json!({"spec": volume})),
        ("PersistentVolumeClaim", json!({"spec": claim})),
        ("Job", json!({"metadata": {"name": "indexed"}, "spec": job()})),
        ("CronJob", json!({"spec": cron})),
        ("autoscaling/v2 HorizontalPodAutoscaler", json!({"spec": v2})),
        ("autoscaling/v1 HorizontalPodAutoscaler", json!({"spec": v1})),
        ("PodDisruptionBudget", json!({"spec": budget})),
        ("events.k8s.io/v1 Event", event),
    ]
}
