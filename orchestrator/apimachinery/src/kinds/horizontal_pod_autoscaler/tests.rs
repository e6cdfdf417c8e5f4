use super::*;
use crate::kinds::tests::{created, refused, shown, stored, with};
use expect_test::expect;

fn autoscaler(fields: Value) -> Value {
    let spec = with(
        json!({"maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}}),
        fields,
    );
    json!({"spec": spec})
}

const V1: &str = "autoscaling/v1 HorizontalPodAutoscaler";
const V2: &str = "autoscaling/v2 HorizontalPodAutoscaler";

#[test]
fn the_preferred_version_comes_first() {
    let versions: Vec<String> = kinds().iter().map(|kind| kind.version.to_string()).collect();
    assert_eq!(versions, ["v2", "v1"]);
}

#[test]
fn an_autoscaler_gets_upstreams_defaults() {
    stored(
        &created(V2, autoscaler(json!({"behavior": {"scaleDown": {}}}))),
        "/spec",
        expect![[r#"
        {
          "behavior": {
            "scaleDown": {
              "policies": [
                {
                  "periodSeconds": 15,
                  "type": "Percent",
                  "value": 100
                }
              ],
              "selectPolicy": "Max"
            },
            "scaleUp": {
              "policies": [
                {
                  "periodSeconds": 15,
                  "type": "Pods",
                  "value": 4
                },
                {
                  "periodSeconds": 15,
                  "type": "Percent",
                  "value": 100
                }
              ],
              "selectPolicy": "Max",
              "stabilizationWindowSeconds": 0
            }
          },
          "maxReplicas": 3,
          "metrics": [
            {
              "resource": {
                "name": "cpu",
                "target": {
                  "averageUtilization": 80,
                  "type": "Utilization"
                }
              },
              "type": "Resource"
            }
          ],
          "minReplicas": 1,
          "scaleTargetRef": {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": "d"
          }
        }"#]],
    );
    stored(
        &created(V1, autoscaler(json!({}))),
        "/spec",
        expect![[r#"
        {
          "maxReplicas": 3,
          "minReplicas": 1,
          "scaleTargetRef": {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": "d"
          },
          "targetCPUUtilizationPercentage": 80
        }"#]],
    );
}

#[test]
fn bad_autoscalers_are_refused_in_upstreams_words() {
    refused(
        V2,
        json!({"spec": {"minReplicas": 0, "maxReplicas": 0, "scaleTargetRef": {}}}),
        expect![[r#"
        spec.minReplicas: Invalid value: 0: must be greater than or equal to 1
        spec.maxReplicas: Invalid value: 0: must be greater than 0
        spec.scaleTargetRef.kind: Required value
        spec.scaleTargetRef.name: Required value
    "#]],
    );
    refused(
        V1,
        autoscaler(json!({"minReplicas": 5, "targetCPUUtilizationPercentage": 0})),
        expect![[r#"
        spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`
        spec.metrics[0].resource.target.averageUtilization: Invalid value: 0: must be greater than 0
    "#]],
    );
    refused(
        V2,
        autoscaler(json!({"metrics": [
            {"type": "Odd"}, {"type": "Pods"},
            {"type": "Resource", "resource": {"name": "", "target": {"type": "Odd"}}, "pods": {}},
            {"type": "Object", "object": {"describedObject": {"kind": "a/b", "name": "n"}, "metric": {}, "target": {}}},
            {"type": "External", "external": {"metric": {"name": "m"},
                "target": {"type": "Value", "value": "-1", "averageValue": "0"}}},
            {"type": "ContainerResource", "containerResource": {"name": "disk", "container": "C",
                "target": {"type": "Utilization", "averageUtilization": 0, "averageValue": "1"}}},
        ]})),
        expect![[r#"
            spec.metrics[0].type: Unsupported value: "Odd": supported values: "ContainerResource", "External", "Object", "Pods", "Resource"
            spec.metrics[0].type: Unsupported value: "Odd": supported values: "ContainerResource", "External", "Object", "Pods", "Resource"
            spec.metrics[1].pods: Required value: must populate information for the given metric source
            spec.metrics[2].pods.metric.name: Required value: must specify a metric name
            spec.metrics[2].pods.target.type: Required value: must specify a metric target type
            spec.metrics[2].pods.target.type: Invalid value: "": must be either Utilization, Value, or AverageValue
            spec.metrics[2].pods.target.averageValue: Required value: must specify a positive target averageValue
            spec.metrics[2].pods: Forbidden: must populate the given metric source only
            spec.metrics[3].object.describedObject.kind: Invalid value: "a/b": may not contain '/'
            spec.metrics[3].object.metric.name: Required value: must specify a metric name
            spec.metrics[3].object.target.type: Required value: must specify a metric target type
            spec.metrics[3].object.target.type: Invalid value: "": must be either Utilization, Value, or AverageValue
            spec.metrics[3].object.target.averageValue: Required value: must set either a target value or averageValue
            spec.metrics[4].external.target.value: Invalid value: "-1": must be positive
            spec.metrics[4].external.target.averageValue: Invalid value: "0": must be positive
            spec.metrics[4].external.target.value: Forbidden: may not set both a target value for metric and a per-pod target
            spec.metrics[5].containerResource.name: Invalid value: "disk": must be a standard resource type or fully qualified
            spec.metrics[5].containerResource.name: Invalid value: "disk": must be a standard resource for containers
            spec.metrics[5].containerResource.container: Invalid value: "C": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
            spec.metrics[5].containerResource.target.averageUtilization: Invalid value: 0: must be greater than 0
            spec.metrics[5].containerResource.target.averageValue: Forbidden: may not set both a target raw value and a target utilization
        "#]],
    );
    refused(
        V2,
        autoscaler(json!({"behavior": {
            "scaleUp": {"stabilizationWindowSeconds": 3601, "selectPolicy": "Odd",
                "policies": [{"type": "Odd", "value": 0, "periodSeconds": 1801}]},
            "scaleDown": {"stabilizationWindowSeconds": -1},
        }})),
        expect![[r#"
            spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 3601: must be less than or equal to 3600
            spec.behavior.scaleUp.selectPolicy: Unsupported value: "Odd": supported values: "Disabled", "Max", "Min"
            spec.behavior.scaleUp.policies[0].type: Unsupported value: "Odd": supported values: "Percent", "Pods"
            spec.behavior.scaleUp.policies[0].value: Invalid value: 0: must be greater than zero
            spec.behavior.scaleUp.policies[0].periodSeconds: Invalid value: 1801: must be less than or equal to 1800
            spec.behavior.scaleDown.stabilizationWindowSeconds: Invalid value: -1: must be greater than or equal to zero
        "#]],
    );
}

#[test]
fn v1_loses_nothing_of_v2() {
    let target = |type_: &str, field: &str| {
        let mut target = json!({"type": type_});
        target[field] = if field == "averageUtilization" { json!(70) } else { json!("5") };
        target
    };
    let metric = json!({"name": "m", "selector": {"matchLabels": {"a": "b"}}});
    let object = json!({"kind": "Service", "name": "s"});
    let full = json!({
        "metadata": {"name": "x", "annotations": {"a": "b"}},
        "spec": {
            "minReplicas": 1, "maxReplicas": 3, "scaleTargetRef": object,
            "metrics": [
                {"type": "Object", "object": {"describedObject": object, "metric": metric, "target": target("Value", "value")}},
                {"type": "Pods", "pods": {"metric": metric, "target": target("AverageValue", "averageValue")}},
                {"type": "External", "external": {"metric": metric, "target": target("AverageValue", "averageValue")}},
                {"type": "Resource", "resource": {"name": "memory", "target": target("Value", "averageUtilization")}},
                {"type": "ContainerResource", "containerResource":
                    {"name": "cpu", "container": "c", "target": target("Utilization", "averageUtilization")}},
                {"type": "Resource", "resource": {"name": "cpu", "target": target("Utilization", "averageUtilization")}},
            ],
            "behavior": {"scaleUp": {"selectPolicy": "Max", "policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}]}},
        },
        "status": {
            "currentReplicas": 1, "desiredReplicas": 2,
            "currentMetrics": [
                {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 7, "averageValue": "70m"}}},
                {"type": "Object", "object": {"describedObject": object, "metric": metric, "current": {"value": "3"}}},
            ],
            "conditions": [{"type": "AbleToScale", "status": "True"}],
        },
    });
    let mut old = full.clone();
    v1::from_v2(&mut old);
    expect![[r#"
        {
          "metadata": {
            "annotations": {
              "a": "b",
              "autoscaling.alpha.kubernetes.io/behavior": "{\"ScaleUp\":{\"Policies\":[{\"PeriodSeconds\":15,\"Type\":\"Pods\",\"Value\":4}],\"SelectPolicy\":\"Max\"}}",
              "autoscaling.alpha.kubernetes.io/conditions": "[{\"status\":\"True\",\"type\":\"AbleToScale\"}]",
              "autoscaling.alpha.kubernetes.io/current-metrics": "[{\"resource\":{\"currentAverageUtilization\":7,\"currentAverageValue\":\"70m\",\"name\":\"cpu\"},\"type\":\"Resource\"},{\"object\":{\"currentValue\":\"3\",\"metricName\":\"m\",\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"target\":{\"kind\":\"Service\",\"name\":\"s\"}},\"type\":\"Object\"}]",
              "autoscaling.alpha.kubernetes.io/metrics": "[{\"object\":{\"metricName\":\"m\",\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"target\":{\"kind\":\"Service\",\"name\":\"s\"},\"targetValue\":\"5\"},\"type\":\"Object\"},{\"pods\":{\"metricName\":\"m\",\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"targetAverageValue\":\"5\"},\"type\":\"Pods\"},{\"external\":{\"metricName\":\"m\",\"metricSelector\":{\"matchLabels\":{\"a\":\"b\"}},\"targetAverageValue\":\"5\"},\"type\":\"External\"},{\"resource\":{\"name\":\"memory\",\"targetAverageUtilization\":70,\"targetType\":\"Value\"},\"type\":\"Resource\"},{\"containerResource\":{\"container\":\"c\",\"name\":\"cpu\",\"targetAverageUtilization\":70},\"type\":\"ContainerResource\"}]"
            },
            "name": "x"
          },
          "spec": {
            "maxReplicas": 3,
            "minReplicas": 1,
            "scaleTargetRef": {
              "kind": "Service",
              "name": "s"
            },
            "targetCPUUtilizationPercentage": 70
          },
          "status": {
            "currentCPUUtilizationPercentage": 7,
            "currentReplicas": 1,
            "desiredReplicas": 2
          }
        }"#]].assert_eq(&serde_json::to_string_pretty(&old).expect("JSON"));
    v1::to_v2(&mut old);
    assert_eq!(old, full);
}

#[test]
fn an_annotation_that_cannot_be_read_stays() {
    let mut object = json!({"metadata": {"annotations": {"autoscaling.alpha.kubernetes.io/metrics": "{"}}, "spec": {}});
    let before = object.clone();
    v1::to_v2(&mut object);
    assert_eq!(object, before);
}

#[test]
fn get_shows_metrics_and_their_targets() {
    let mut object = created(
        V2,
        autoscaler(json!({"metrics": [
            {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}},
            {"type": "Pods", "pods": {"metric": {"name": "m"}, "target": {"type": "AverageValue", "averageValue": "1"}}},
            {"type": "External", "external": {"metric": {"name": "m"}, "target": {"type": "Value", "value": "2"}}},
        ]})),
    );
    let fresh = object.clone();
    object["status"] = json!({"currentReplicas": 2, "currentMetrics": [
        {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 7}}},
        {"type": "Pods", "pods": {"metric": {"name": "m"}, "current": {"averageValue": "3"}}},
    ]});
    shown(
        V2,
        &[fresh, object, created(V2, autoscaler(json!({})))],
        expect![[r#"
        x | Deployment/d | cpu: <unknown>/50%, <unknown>/1 + 1 more... | 1 | 3 | 0 | 60m
        x | Deployment/d | cpu: 7%/50%, 3/1 + 1 more... | 1 | 3 | 2 | 60m
        x | Deployment/d | cpu: <unknown>/80% | 1 | 3 | 0 | 60m
    "#]],
    );
    shown(
        V1,
        &[created(V1, autoscaler(json!({"targetCPUUtilizationPercentage": 60})))],
        expect![[r#"
        x | Deployment/d | cpu: <unknown>/60% | 1 | 3 | 0 | 60m
    "#]],
    );
}
