//! What webhooks and policies are told: of streams, of subresources, of other versions.

use super::*;
use std::sync::Mutex;

/// The requests that a webhook was asked about.
#[derive(Clone, Default)]
pub(super) struct Seen(Arc<Mutex<Vec<Value>>>);

impl Seen {
    pub fn last(&self) -> Value {
        self.0.lock().unwrap().last().cloned().expect("the webhook was called")
    }

    pub fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Of what kind, resource and subresource the last request was.
    #[track_caller]
    fn check(&self, operation: &str, kind: [&str; 3], resource: [&str; 4]) {
        let request = self.last();
        let [group, version, kind] = kind;
        assert_eq!(request["kind"], json!({"group": group, "version": version, "kind": kind}), "{request}");
        let [group, version, plural, part] = resource;
        assert_eq!(request["resource"], json!({"group": group, "version": version, "resource": plural}), "{request}");
        assert_eq!(request["subResource"].as_str().unwrap_or_default(), part);
        assert_eq!(request["operation"], operation);
    }
}

/// A webhook for everything of some resources that writes down what it is asked and answers as told.
pub(super) async fn listen(
    kit: &Kit,
    plural: &str,
    resources: Value,
    more: Value,
    decide: impl Fn(&Value) -> Value + Send + Sync + 'static,
) -> Seen {
    let seen = Seen::default();
    let inner = seen.clone();
    let answered = answer(move |request| {
        inner.0.lock().unwrap().push(request.clone());
        decide(request)
    });
    let (port, certificate) = https(&kit.tasks, answered).await;
    let mut hook = hook("h.example.com", port, &certificate, more);
    let rule = json!({"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": resources});
    if hook["rules"][0]["resources"] == json!(["configmaps"]) {
        hook["rules"] = json!([rule]);
    }
    configure(kit, plural, "seen", json!([hook])).await;
    seen
}

pub(super) fn allow(_: &Value) -> Value {
    json!({"allowed": true})
}

fn refuse_exec(request: &Value) -> Value {
    let denied = request["object"]["command"][0] == "rm";
    json!({"allowed": !denied, "status": {"message": "not that", "code": 403, "reason": "Forbidden"}})
}

async fn running_pod(kit: &Kit, name: &str) {
    let mut pod = pod(name, json!({}));
    pod["spec"]["nodeName"] = json!("away");
    let made = kit.post(PODS, pod).await;
    assert_eq!(made.0, 201, "{}", made.1);
}

#[tokio::test]
async fn streams_are_admitted_before_they_are_upgraded() {
    let kit = kit().await;
    running_pod(&kit, "a").await;
    let seen =
        listen(&kit, "validatingwebhookconfigurations", json!(["pods/*", "nodes/proxy"]), json!({}), refuse_exec);
    let seen = seen.await;
    let exec = format!("{PODS}/a/exec?command=rm&command=-r&container=c&stdout=true&tty=false");
    check(&kit.post(&exec, Value::Null).await, 403, "admission webhook \"h.example.com\" denied the request: not that");
    seen.check("CONNECT", ["", "v1", "PodExecOptions"], ["", "v1", "pods", "exec"]);
    let request = seen.last();
    let options = json!({"kind": "PodExecOptions", "apiVersion": "v1", "stdout": true, "container": "c", "command": ["rm", "-r"]});
    assert_eq!((&request["object"], &request["oldObject"]), (&options, &Value::Null));
    assert_eq!(
        (&request["name"], &request["namespace"], &request["options"]),
        (&json!("a"), &json!("default"), &Value::Null)
    );
    // What is allowed goes on as before: a client that does not upgrade is told so.
    check(&kit.post(&format!("{PODS}/a/attach?stdin=true"), Value::Null).await, 400, "Upgrade request required");
    seen.check("CONNECT", ["", "v1", "PodAttachOptions"], ["", "v1", "pods", "attach"]);
    assert_eq!(seen.last()["object"], json!({"kind": "PodAttachOptions", "apiVersion": "v1", "stdin": true}));
    check(&kit.get(&format!("{PODS}/a/portforward?ports=80,81")).await, 400, "Upgrade request required");
    seen.check("CONNECT", ["", "v1", "PodPortForwardOptions"], ["", "v1", "pods", "portforward"]);
    assert_eq!(seen.last()["object"]["ports"], json!([80, 81]));
    check(&kit.get(&format!("{PODS}/a:80/proxy/b/c?d=e")).await, 503, "");
    seen.check("CONNECT", ["", "v1", "PodProxyOptions"], ["", "v1", "pods", "proxy"]);
    assert_eq!(seen.last()["object"]["path"], "b/c");
}

#[tokio::test]
async fn policies_decide_on_streams_and_mutations_reach_them() {
    let kit = kit().await;
    running_pod(&kit, "a").await;
    let rules = json!({"resourceRules": [{"operations": ["CONNECT"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods/exec", "services/proxy"]}]});
    let spec = json!({"matchConstraints": rules, "validations": [
        {"expression": "!has(object.command) || object.command[0] != 'sh'", "message": "no shells", "reason": "Forbidden"},
        {"expression": "request.operation == 'CONNECT' && oldObject == null"},
        {"expression": "object.kind != 'ServiceProxyOptions' || !object.path.startsWith('admin')", "message": "not there"},
    ]});
    policy(&kit, "validatingadmission", "no-shells", spec, json!({"validationActions": ["Deny"]})).await;
    let refused = kit.post(&format!("{PODS}/a/exec?command=sh&stdout=1"), Value::Null).await;
    check(
        &refused,
        403,
        "pods \"a\" is forbidden: ValidatingAdmissionPolicy 'no-shells' with binding 'no-shells-binding' denied request: no shells",
    );
    let refused = kit.get("/api/v1/namespaces/default/services/s/proxy/admin/x").await;
    check(&refused, 422, "not there");
    // The first of several values counts for admission, and for what is run.
    let twice = format!("{PODS}/a/exec?command=ls&stdout=false&stdout=true");
    check(&kit.post(&twice, Value::Null).await, 400, "you must specify at least 1 of stdin, stdout, stderr");
    // What cannot be told to admission is told to the client.
    let odd = kit.post(&format!("{PODS}/a/portforward?ports=80&ports=x"), Value::Null).await;
    check(&odd, 400, "unable to parse \"x\" as a port");
    // A policy that changes the options changes what is run.
    let change = json!({"matchConstraints": rules, "failurePolicy": "Fail", "reinvocationPolicy": "Never", "mutations": [
        {"patchType": "JSONPatch", "jsonPatch": {"expression": "[JSONPatch{op: 'replace', path: '/command', value: ['sh']}]"}}]});
    policy(&kit, "mutatingadmission", "shells", change, json!({})).await;
    check(&kit.post(&format!("{PODS}/a/exec?command=ls&stdout=1"), Value::Null).await, 403, "no shells");
}

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";

fn deployment(name: &str) -> Value {
    json!({"metadata": {"name": name, "labels": {"x": "y"}}, "spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}}}})
}

#[tokio::test]
async fn a_scale_is_shown_as_a_scale_and_changed_as_one() {
    let kit = kit().await;
    assert_eq!(kit.post(DEPLOYMENTS, deployment("a")).await.0, 201);
    let more = |request: &Value| match request["object"]["spec"]["replicas"].as_i64() {
        Some(7) => json!({"allowed": false, "status": {"message": "seven"}}),
        Some(replicas) => patch(json!([{"op": "replace", "path": "/spec/replicas", "value": replicas + 1}])),
        None => json!({"allowed": true}),
    };
    let seen = listen(&kit, "mutatingwebhookconfigurations", json!(["deployments/scale"]), json!({}), more).await;
    let (code, scale) = kit.patch(&format!("{DEPLOYMENTS}/a/scale"), "merge", json!({"spec": {"replicas": 3}})).await;
    assert_eq!((code, &scale["spec"]["replicas"]), (200, &json!(4)), "{scale}");
    seen.check("UPDATE", ["autoscaling", "v1", "Scale"], ["apps", "v1", "deployments", "scale"]);
    let request = seen.last();
    assert_eq!((&request["object"]["kind"], &request["object"]["spec"]["replicas"]), (&json!("Scale"), &json!(3)));
    assert_eq!(
        (&request["oldObject"]["kind"], &request["oldObject"]["spec"]["replicas"]),
        (&json!("Scale"), &json!(1))
    );
    assert!(request["oldObject"]["metadata"]["resourceVersion"].is_string());
    assert_eq!(request["options"]["kind"], "UpdateOptions");
    assert_eq!(kit.get(&format!("{DEPLOYMENTS}/a")).await.1["spec"]["replicas"], 4);
    check(&kit.patch(&format!("{DEPLOYMENTS}/a/scale"), "merge", json!({"spec": {"replicas": 7}})).await, 400, "seven");
    // The workload itself is none of this rule's.
    let asked = seen.count();
    assert_eq!(kit.patch(&format!("{DEPLOYMENTS}/a"), "merge", json!({"spec": {"replicas": 7}})).await.0, 200);
    assert_eq!(seen.count(), asked);
}

#[tokio::test]
async fn bindings_evictions_and_tokens_are_shown_as_what_they_are() {
    let kit = kit().await;
    for name in ["a", "b"] {
        assert_eq!(kit.post(PODS, pod(name, json!({}))).await.0, 201);
    }
    let refuse = |request: &Value| {
        let denied = request["dryRun"] == true && request["subResource"] == "eviction";
        json!({"allowed": !denied, "status": {"message": "stays"}})
    };
    let resources = json!(["pods", "pods/*", "serviceaccounts/*"]);
    let seen = listen(&kit, "validatingwebhookconfigurations", resources, json!({}), refuse).await;
    let binding = json!({"metadata": {"name": "a"}, "target": {"kind": "Node", "name": "n"}});
    check(&kit.post(&format!("{PODS}/a/binding"), binding).await, 201, "");
    seen.check("CREATE", ["", "v1", "Binding"], ["", "v1", "pods", "binding"]);
    assert_eq!(seen.last()["object"]["target"]["name"], "n");
    let token = json!({"spec": {"audiences": ["x"]}});
    check(&kit.post("/api/v1/namespaces/default/serviceaccounts/default/token", token).await, 201, "");
    seen.check("CREATE", ["authentication.k8s.io", "v1", "TokenRequest"], ["", "v1", "serviceaccounts", "token"]);
    let eviction = json!({"metadata": {"name": "b"}});
    check(&kit.post(&format!("{PODS}/b/eviction?dryRun=All"), eviction.clone()).await, 400, "stays");
    seen.check("CREATE", ["policy", "v1", "Eviction"], ["", "v1", "pods", "eviction"]);
    let asked = seen.count();
    check(&kit.post(&format!("{PODS}/b/eviction"), eviction).await, 201, "");
    // The delete that follows is not asked about once more.
    assert_eq!(seen.count(), asked + 1);
    check(&kit.get(&format!("{PODS}/b")).await, 404, "");
    let status = json!({"status": {"phase": "Running"}});
    check(&kit.patch(&format!("{PODS}/a/status"), "merge", status).await, 200, "");
    seen.check("UPDATE", ["", "v1", "Pod"], ["", "v1", "pods", "status"]);
    let debug = json!({"spec": {"ephemeralContainers": [{"name": "d", "image": "i"}]}});
    check(&kit.patch(&format!("{PODS}/a/ephemeralcontainers"), "strategic-merge", debug).await, 200, "");
    seen.check("UPDATE", ["", "v1", "Pod"], ["", "v1", "pods", "ephemeralcontainers"]);
}

const SCALERS: &str = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers";

fn scaler(name: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}, "minReplicas": 1, "maxReplicas": 3,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}}],
    }})
}

#[tokio::test]
async fn a_webhook_for_one_version_is_told_of_the_others_in_it() {
    let kit = kit().await;
    let rule = json!([{"operations": ["*"], "apiGroups": ["autoscaling"], "apiVersions": ["v1"], "resources": ["*"]}]);
    let change = |request: &Value| match request["object"].is_object() {
        true => patch(json!([{"op": "replace", "path": "/spec/targetCPUUtilizationPercentage", "value": 50}])),
        false => json!({"allowed": true}),
    };
    let seen = listen(&kit, "mutatingwebhookconfigurations", json!([]), json!({"rules": rule}), change).await;
    let (code, made) = kit.post(SCALERS, scaler("a")).await;
    assert_eq!(code, 201, "{made}");
    seen.check(
        "CREATE",
        ["autoscaling", "v1", "HorizontalPodAutoscaler"],
        ["autoscaling", "v1", "horizontalpodautoscalers", ""],
    );
    let request = seen.last();
    assert_eq!(request["requestKind"]["version"], "v2");
    assert_eq!(request["requestResource"]["version"], "v2");
    assert_eq!(request["object"]["apiVersion"], "autoscaling/v1");
    assert_eq!(request["object"]["spec"]["targetCPUUtilizationPercentage"], 70);
    assert_eq!(made["apiVersion"], "autoscaling/v2");
    assert_eq!(made["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"], 50, "{made}");
    check(&kit.delete(&format!("{SCALERS}/a"), Value::Null).await, 200, "");
    assert_eq!(
        (&seen.last()["object"], &seen.last()["oldObject"]["apiVersion"]),
        (&Value::Null, &json!("autoscaling/v1"))
    );
}

#[tokio::test]
async fn an_exact_webhook_is_not_told_of_other_versions() {
    let kit = kit().await;
    let rule = json!([{"operations": ["*"], "apiGroups": ["autoscaling"], "apiVersions": ["v1"], "resources": ["*"]}]);
    let more = json!({"rules": rule, "matchPolicy": "Exact"});
    let seen = listen(&kit, "validatingwebhookconfigurations", json!([]), more, allow).await;
    check(&kit.post(SCALERS, scaler("a")).await, 201, "");
    assert_eq!(seen.count(), 0);
}

#[tokio::test]
async fn policies_for_one_version_judge_and_change_the_others() {
    let kit = kit().await;
    let rules = json!({"resourceRules": [{"operations": ["*"], "apiGroups": ["autoscaling"], "apiVersions": ["v1"], "resources": ["*"]}]});
    let expression = "object.spec.targetCPUUtilizationPercentage > 10 && request.requestKind.version == 'v2'";
    let spec = json!({"matchConstraints": rules, "validations": [{"expression": expression, "message": "too eager"}]});
    policy(&kit, "validatingadmission", "calm", spec, json!({"validationActions": ["Deny"]})).await;
    let rules = json!({"resourceRules": [{"operations": ["CREATE"], "apiGroups": ["autoscaling"], "apiVersions": ["v1"], "resources": ["*"]}]});
    let expression = "Object{spec: Object.spec{maxReplicas: 9}}";
    let spec = json!({"matchConstraints": rules, "failurePolicy": "Fail", "reinvocationPolicy": "Never", "mutations": [
        {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}]});
    policy(&kit, "mutatingadmission", "more", spec, json!({})).await;
    let (code, made) = kit.post(SCALERS, scaler("a")).await;
    assert_eq!((code, &made["spec"]["maxReplicas"]), (201, &json!(9)), "{made}");
    let mut eager = scaler("b");
    eager["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] = json!(5);
    check(&kit.post(SCALERS, eager).await, 422, "too eager");
    let core = json!({"resourceRules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["events"]}]});
    let spec = json!({"matchConstraints": core, "validations": [
        {"expression": "object.apiVersion == 'v1' && object.message != 'bad'", "message": "a bad note"}]});
    policy(&kit, "validatingadmission", "events", spec, json!({"validationActions": ["Deny"]})).await;
    let event = |note: &str| {
        json!({
            "metadata": {"generateName": "e"}, "eventTime": "2026-01-01T00:00:00.000000Z", "reportingController": "c/d", "note": note,
            "reportingInstance": "i", "action": "Do", "reason": "Done", "type": "Normal",
            "regarding": {"kind": "Pod", "namespace": "default", "name": "p", "apiVersion": "v1"},
        })
    };
    let events = "/apis/events.k8s.io/v1/namespaces/default/events";
    check(&kit.post(events, event("good")).await, 201, "");
    check(&kit.post(events, event("bad")).await, 422, "a bad note");
}
