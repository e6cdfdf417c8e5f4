//! Upstream's flow schemas and priority levels.

use serde_json::{Value, json};

/// All of them.
pub(crate) fn objects() -> Vec<Value> {
    let mut objects = levels();
    objects.extend(schemas());
    objects
}

fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1", "kind": kind,
        "metadata": {"name": name, "annotations": {"apf.kubernetes.io/autoupdate-spec": "true"}},
        "spec": spec,
    })
}

fn levels() -> Vec<Value> {
    let level = |name: &str, spec: Value| object("PriorityLevelConfiguration", name, &spec);
    let queue = |name: &str, shares: u32, lendable: u32, queues: u32, hand: u32| {
        level(
            name,
            json!({"type": "Limited", "limited": {
                "nominalConcurrencyShares": shares, "lendablePercent": lendable,
                "limitResponse": {
                    "type": "Queue", "queuing": {"queues": queues, "handSize": hand, "queueLengthLimit": 50},
                },
            }}),
        )
    };
    vec![
        level("exempt", json!({"type": "Exempt", "exempt": {"nominalConcurrencyShares": 0, "lendablePercent": 0}})),
        level(
            "catch-all",
            json!({"type": "Limited", "limited": {
                "nominalConcurrencyShares": 5, "lendablePercent": 0, "limitResponse": {"type": "Reject"},
            }}),
        ),
        queue("system", 30, 33, 64, 6),
        queue("node-high", 40, 25, 64, 6),
        queue("leader-election", 10, 0, 16, 4),
        queue("workload-high", 40, 50, 128, 6),
        queue("workload-low", 100, 90, 128, 6),
        queue("global-default", 20, 50, 128, 6),
    ]
}

fn user(name: &str) -> Value {
    json!({"kind": "User", "user": {"name": name}})
}

fn group(name: &str) -> Value {
    json!({"kind": "Group", "group": {"name": name}})
}

fn account(name: &str) -> Value {
    json!({"kind": "ServiceAccount", "serviceAccount": {"namespace": "kube-system", "name": name}})
}

fn resource(verbs: &[&str], api_group: &str, resources: &[&str], namespace: &str, cluster_scope: bool) -> Value {
    let mut rule = json!({"verbs": verbs, "apiGroups": [api_group], "resources": resources, "namespaces": [namespace]});
    if cluster_scope {
        rule["clusterScope"] = json!(true);
    }
    rule
}

/// Leave to do anything.
fn everything(subjects: &[Value]) -> Value {
    json!([{
        "subjects": subjects, "resourceRules": [resource(&["*"], "*", &["*"], "*", true)],
        "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
    }])
}

fn some(subjects: &[Value], resources: &[Value]) -> Value {
    json!([{"subjects": subjects, "resourceRules": resources}])
}

fn schemas() -> Vec<Value> {
    let schema = |name: &str, level: &str, precedence: u32, by: &str, rules: Value| {
        let mut spec = json!({
            "priorityLevelConfiguration": {"name": level}, "matchingPrecedence": precedence, "rules": rules,
        });
        if !by.is_empty() {
            spec["distinguisherMethod"] = json!({"type": by});
        }
        object("FlowSchema", name, &spec)
    };
    let everybody = [group("system:unauthenticated"), group("system:authenticated")];
    let (manager, scheduler) = (user("system:kube-controller-manager"), user("system:kube-scheduler"));
    let lease =
        |namespace: &str| resource(&["get", "create", "update"], "coordination.k8s.io", &["leases"], namespace, false);
    let endpoints = resource(&["get", "create", "update"], "", &["endpoints"], "*", false);
    let nodes = [
        resource(&["*"], "", &["nodes", "nodes/status"], "*", true),
        resource(&["*"], "coordination.k8s.io", &["leases"], "*", false),
    ];
    let probes = json!([{
        "subjects": everybody,
        "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["/healthz", "/readyz", "/livez"]}],
    }]);
    let leaders = [manager.clone(), scheduler.clone(), account("*")];
    let makers = [manager.clone(), account("endpoint-controller"), account("endpointslicemirroring-controller")];
    vec![
        schema("exempt", "exempt", 1, "", everything(&[group("system:masters")])),
        schema("probes", "exempt", 2, "", probes),
        schema("system-leader-election", "leader-election", 100, "ByUser", some(&leaders, &[lease("kube-system")])),
        schema("endpoint-controller", "workload-high", 150, "ByUser", some(&makers, &[endpoints])),
        schema("workload-leader-election", "leader-election", 200, "ByUser", some(&[account("*")], &[lease("*")])),
        schema("system-node-high", "node-high", 400, "ByUser", some(&[group("system:nodes")], &nodes)),
        schema("system-nodes", "system", 500, "ByUser", everything(&[group("system:nodes")])),
        schema("kube-controller-manager", "workload-high", 800, "ByNamespace", everything(&[manager])),
        schema("kube-scheduler", "workload-high", 800, "ByNamespace", everything(&[scheduler])),
        schema("kube-system-service-accounts", "workload-high", 900, "ByNamespace", everything(&[account("*")])),
        schema("service-accounts", "workload-low", 9000, "ByUser", everything(&[group("system:serviceaccounts")])),
        schema("global-default", "global-default", 9900, "ByUser", everything(&everybody)),
        schema("catch-all", "catch-all", 10000, "ByUser", everything(&everybody)),
    ]
}
