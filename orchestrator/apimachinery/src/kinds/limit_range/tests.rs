use crate::kinds::tests::{created, refused, stored};
use expect_test::expect;
use serde_json::{Value, json};

fn range(limits: Value) -> Value {
    json!({"spec": {"limits": limits}})
}

#[test]
fn what_a_container_gets_follows_from_its_bounds() {
    let object = created(
        "LimitRange",
        range(json!([
            {"type": "Container", "max": {"cpu": "2000m"}, "min": {"cpu": "0.1", "memory": "1024Ki"}},
            {"type": "Container", "default": {"cpu": 1}},
            {"type": "Pod", "max": {"cpu": 2}},
        ])),
    );
    stored(
        &object,
        "/spec/limits",
        expect![[r#"
        [
          {
            "default": {
              "cpu": "2"
            },
            "defaultRequest": {
              "cpu": "2",
              "memory": "1Mi"
            },
            "max": {
              "cpu": "2"
            },
            "min": {
              "cpu": "100m",
              "memory": "1Mi"
            },
            "type": "Container"
          },
          {
            "default": {
              "cpu": "1"
            },
            "defaultRequest": {
              "cpu": "1"
            },
            "type": "Container"
          },
          {
            "max": {
              "cpu": "2"
            },
            "type": "Pod"
          }
        ]"#]],
    );
}

#[test]
fn bounds_that_do_not_fit_are_refused_in_upstreams_words() {
    refused(
        "LimitRange",
        range(json!([{
            "type": "Container", "min": {"cpu": 2}, "max": {"cpu": 1}, "default": {"cpu": "3"},
            "defaultRequest": {"cpu": "4"}, "maxLimitRequestRatio": {"cpu": "0.5"},
        }])),
        expect![[r#"
            spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1
            spec.limits[0].defaultRequest[cpu]: Invalid value: "4": default request value 4 is greater than max value 1
            spec.limits[0].defaultRequest[cpu]: Invalid value: "4": default request value 4 is greater than default limit value 3
            spec.limits[0].default[cpu]: Invalid value: "1": default value 3 is greater than max value 1
            spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: "500m": ratio 500m is less than 1
        "#]],
    );
    refused(
        "LimitRange",
        range(json!([
            {"type": "Odd"}, {"type": "Pod", "default": {"cpu": 1}, "max": {"disk": 1}}, {"type": "Pod"},
            {"type": "PersistentVolumeClaim", "max": {"cpu": 1}},
            {"type": "a.b/c", "min": {"cpu": 1}, "max": {"cpu": 2}, "maxLimitRequestRatio": {"cpu": 3}},
            {"type": "Container", "default": {"a.b/gpu": 2}, "defaultRequest": {"a.b/gpu": 1}},
        ])),
        expect![[r#"
            spec.limits[0].type: Invalid value: "Odd": must be a standard limit type or fully qualified
            spec.limits[1].max[disk]: Invalid value: "disk": must be a standard resource type or fully qualified
            spec.limits[1].max[disk]: Invalid value: "disk": must be a standard resource for containers
            spec.limits[1].default: Forbidden: may not be specified when `type` is 'Pod'
            spec.limits[2].type: Duplicate value: "Pod"
            spec.limits[3].limits: Required value: either minimum or maximum storage value is required, but neither was provided
            spec.limits[4].maxLimitRequestRatio[cpu]: Invalid value: "3": ratio 3 is greater than max/min = 2.000000
            spec.limits[5].defaultRequest[a.b/gpu]: Invalid value: "1": default value 2 must equal to defaultRequest value 1 in a.b/gpu
        "#]],
    );
}
