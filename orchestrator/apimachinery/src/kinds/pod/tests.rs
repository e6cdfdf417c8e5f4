use super::*;
use crate::kinds::tests::{change_refused, container, created, shown, stored, updated};
use expect_test::expect;

fn pod(spec: Value, status: Value) -> Value {
    let mut pod = json!({"metadata": {"name": "web", "creationTimestamp": "2026-01-01T00:00:00Z"}});
    (pod["spec"], pod["status"]) = (spec, status);
    pod
}

fn one(status: Value) -> Value {
    pod(json!({"containers": [{"name": "c"}]}), status)
}

#[test]
fn get_pods_tells_what_the_containers_are_doing() {
    let running = json!({"name": "c", "ready": true, "restartCount": 0, "state": {"running": {}}});
    let crashing = json!({
        "name": "c", "restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"finishedAt": "2026-01-01T00:55:00Z"}},
    });
    let ended =
        |end: Value| json!({"phase": "Failed", "containerStatuses": [{"name": "c", "state": {"terminated": end}}]});
    let init = |state: Value| {
        pod(
            json!({"containers": [{"name": "c"}], "initContainers": [{"name": "i"}, {"name": "j"}]}),
            json!({"phase": "Pending", "initContainerStatuses": [
            {"name": "i", "state": {"terminated": {"exitCode": 0}}}, {"name": "j", "state": state, "restartCount": 3},
        ], "containerStatuses": [{"name": "c", "state": {"waiting": {"reason": "PodInitializing"}}}]}),
        )
    };
    let mut deleted = one(json!({"phase": "Running", "containerStatuses": [running]}));
    deleted["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:59:00Z");
    let mut placed = one(json!({"phase": "Running", "containerStatuses": [running], "podIPs": [{"ip": "10.244.0.5"}],
        "conditions": [{"type": "Ready", "status": "True"}, {"type": "a/b", "status": "True"}]}));
    placed["spec"]["nodeName"] = json!("n1");
    placed["spec"]["readinessGates"] = json!([{"conditionType": "a/b"}, {"conditionType": "c/d"}]);
    let done = json!({"name": "d", "state": {"terminated": {"reason": "Completed"}}});
    let half = pod(
        json!({"containers": [{"name": "d"}, {"name": "c"}]}),
        json!({
            "phase": "Running", "containerStatuses": [done, running],
        }),
    );
    let sidecar = pod(
        json!({"containers": [{"name": "c"}], "initContainers": [{"name": "s", "restartPolicy": "Always"}]}),
        json!({"phase": "Running", "containerStatuses": [running], "initContainerStatuses": [
            {"name": "s", "ready": true, "started": true, "restartCount": 1, "state": {"running": {}}},
        ]}),
    );
    shown(
        "Pod",
        &[
            one(json!({"phase": "Pending"})),
            one(
                json!({"phase": "Pending", "containerStatuses": [{"name": "c", "state": {"waiting": {"reason": "ContainerCreating"}}}]}),
            ),
            placed,
            one(json!({"phase": "Running", "containerStatuses": [crashing]})),
            one(ended(json!({"reason": "Completed", "exitCode": 0}))),
            one(ended(json!({"reason": "OOMKilled", "exitCode": 137}))),
            one(ended(json!({"exitCode": 3}))),
            one(ended(json!({"signal": 9}))),
            one(json!({"phase": "Failed", "reason": "Evicted"})),
            one(json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "reason": "SchedulingGated"}]})),
            init(json!({"running": {}})),
            init(json!({"waiting": {"reason": "ImagePullBackOff"}})),
            init(json!({"terminated": {"exitCode": 1}})),
            deleted,
            half,
            sidecar,
        ],
        expect![[r#"
            web | 0/1 | Pending | 0 | 60m | <none> | <none> | <none> | <none>
            web | 0/1 | ContainerCreating | 0 | 60m | <none> | <none> | <none> | <none>
            web | 1/1 | Running | 0 | 60m | 10.244.0.5 | n1 | <none> | 1/2
            web | 0/1 | CrashLoopBackOff | 2 (5m ago) | 60m | <none> | <none> | <none> | <none>
            web | 0/1 | Completed | 0 | 60m | <none> | <none> | <none> | <none>
            web | 0/1 | OOMKilled | 0 | 60m | <none> | <none> | <none> | <none>
            web | 0/1 | ExitCode:3 | 0 | 60m | <none> | <none> | <none> | <none>
            web | 0/1 | Signal:9 | 0 | 60m | <none> | <none> | <none> | <none>
            web | 0/1 | Evicted | 0 | 60m | <none> | <none> | <none> | <none>
            web | 0/1 | SchedulingGated | 0 | 60m | <none> | <none> | <none> | <none>
            web | 0/1 | Init:1/2 | 3 | 60m | <none> | <none> | <none> | <none>
            web | 0/1 | Init:ImagePullBackOff | 3 | 60m | <none> | <none> | <none> | <none>
            web | 0/1 | Init:ExitCode:1 | 3 | 60m | <none> | <none> | <none> | <none>
            web | 1/1 | Terminating | 0 | 60m | <none> | <none> | <none> | <none>
            web | 1/2 | NotReady | 0 | 60m | <none> | <none> | <none> | <none>
            web | 2/2 | Running | 1 | 60m | <none> | <none> | <none> | <none>
        "#]],
    );
}

#[test]
fn a_new_pod_is_pending_whatever_status_it_came_with() {
    let pod = created("Pod", json!({"spec": {"containers": [container()]}, "status": {"phase": "Running"}}));
    stored(
        &pod,
        "/status",
        expect![[r#"
        {
          "phase": "Pending",
          "qosClass": "BestEffort"
        }"#]],
    );
    assert_eq!(pod["metadata"]["generation"], 1);
}

#[test]
fn only_few_fields_of_a_pod_change() {
    let old = created(
        "Pod",
        json!({"spec": {"containers": [container()], "tolerations": [{"key": "a", "operator": "Exists"}]}}),
    );
    let changed = updated("Pod", &old, |pod| {
        pod["spec"]["containers"][0]["image"] = json!("hello:2");
        pod["status"]["phase"] = json!("Running");
    });
    assert_eq!((&changed["metadata"]["generation"], &changed["status"]["phase"]), (&json!(2), &json!("Pending")));
    change_refused(
        "Pod",
        &old,
        |pod| {
            pod["spec"]["containers"][0]["image"] = json!("hello:2");
            pod["spec"]["activeDeadlineSeconds"] = json!(5);
            pod["spec"]["tolerations"] =
                json!([{"key": "a", "operator": "Exists", "effect": ""}, {"key": "b", "operator": "Exists"}]);
            pod["metadata"]["labels"] = json!({"a": "b"});
        },
        expect![""],
    );
    change_refused(
        "Pod",
        &old,
        |pod| {
            pod["spec"]["containers"][0]["command"] = json!(["x"]);
            pod["spec"]["nodeName"] = json!("n1");
            pod["spec"]["tolerations"] = json!([]);
        },
        expect![[r#"
            spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds
            spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)
            + spec.containers[0].command: ["x"]
            + spec.nodeName: "n1"

        "#]],
    );
    change_refused(
        "Pod",
        &old,
        |pod| pod["spec"]["containers"] = json!([container(), {"name": "d", "image": "e"}]),
        expect![[r#"
            spec.containers: Forbidden: pod updates may not add or remove containers
        "#]],
    );
}

#[test]
fn the_status_subresource_leaves_the_spec_alone() {
    let old = created("Pod", json!({"spec": {"containers": [container()]}}));
    let mut new = old.clone();
    new["spec"]["nodeName"] = json!("n1");
    new["metadata"]["labels"] = json!({"a": "b"});
    new["status"] = json!({"phase": "Running"});
    (strategy().prepare_status_update)(&mut new, &old);
    assert_eq!(new["spec"], old["spec"]);
    assert_eq!(new["status"], json!({"phase": "Running", "qosClass": "BestEffort"}));
    assert_eq!(new["metadata"]["labels"]["a"], "b");
}

#[test]
fn a_pod_that_runs_nowhere_needs_no_grace() {
    let grace = |node: &str, phase: &str, seconds: i64| {
        grace_seconds(
            &json!({"spec": {"nodeName": node, "terminationGracePeriodSeconds": seconds}, "status": {"phase": phase}}),
        )
    };
    assert_eq!(grace("n", "Running", 20), Some(20));
    assert_eq!(grace("n", "Running", -5), Some(1));
    assert_eq!(grace("", "Pending", 20), Some(0));
    assert_eq!(grace("n", "Succeeded", 20), Some(0));
}

/// What is wrong with a change by a subresource, and the Pod as it would be stored.
fn by_subresource(
    old: &Value,
    change: impl FnOnce(&mut Value),
    prepare: fn(&mut Value, &Value),
    validate: fn(&Value, &Value, &mut Errors),
) -> (String, Value) {
    let mut new = old.clone();
    change(&mut new);
    (strategy().default)(&mut new);
    prepare(&mut new, old);
    let mut errors = Errors::default();
    (strategy().validate)(&new, &mut errors);
    validate(&new, old, &mut errors);
    (errors.0.iter().map(|error| format!("{error}\n")).collect(), new)
}

#[test]
fn ephemeral_containers_are_added_and_stay() {
    let old = created("Pod", json!({"spec": {"containers": [container()]}}));
    let change = |containers: Value| {
        move |pod: &mut Value| {
            pod["spec"]["ephemeralContainers"] = containers;
            pod["spec"]["nodeName"] = json!("elsewhere");
        }
    };
    let debug = json!({"name": "debug", "image": "a:1", "targetContainerName": "c"});
    let by = |old: &Value, containers: Value| {
        by_subresource(old, change(containers), prepare_ephemeral, validate_ephemeral_update)
    };
    let (wrong, added) = by(&old, json!([debug]));
    assert_eq!((wrong.as_str(), &added["metadata"]["generation"]), ("", &json!(2)));
    assert!(added["spec"]["nodeName"].is_null(), "the subresource changes nothing else");
    expect![[r#"
        spec.ephemeralContainers: Forbidden: existing ephemeral containers "debug" may not be removed

    "#]]
    .assert_eq(&by(&added, json!([])).0);
    expect![[r#"
        spec.ephemeralContainers: Forbidden: existing ephemeral containers "debug" may not be changed
        - debug.image: "a:1"
        + debug.image: "b:1"

    "#]]
    .assert_eq(&by(&added, json!([{"name": "debug", "image": "b:1", "targetContainerName": "c"}])).0);
    expect![[r#"
        spec.ephemeralContainers[1].name: Duplicate value: "c"
        spec.ephemeralContainers[1].targetContainerName: Not found: "z"
    "#]]
    .assert_eq(&by(&added, json!([debug, {"name": "c", "image": "a:1", "targetContainerName": "z"}])).0);
    let mut mirror = old.clone();
    mirror["metadata"]["annotations"] = json!({"kubernetes.io/config.mirror": "x"});
    expect![[r#"
        []: Forbidden: static pods do not support ephemeral containers
    "#]]
    .assert_eq(&by(&mirror, json!([debug])).0);
    // An ordinary change leaves them alone.
    change_refused("Pod", &added, |pod| pod["spec"]["containers"][0]["image"] = json!("b:2"), expect![""]);
}

#[test]
fn a_resize_changes_amounts_only() {
    let mut container = container();
    container["resources"] = json!({"requests": {"cpu": "1", "memory": "1Gi"}});
    let old = created("Pod", json!({"spec": {"containers": [container]}}));
    let by = |resources: Value| {
        let change = |pod: &mut Value| {
            pod["spec"]["containers"][0]["resources"] = resources;
            pod["spec"]["containers"][0]["image"] = json!("other:1");
        };
        by_subresource(&old, change, prepare_resize, validate_resize)
    };
    let (wrong, resized) = by(json!({"requests": {"cpu": "2000m", "memory": "2Gi"}}));
    assert_eq!((wrong.as_str(), &resized["metadata"]["generation"]), ("", &json!(2)));
    assert_eq!(resized["spec"]["containers"][0]["image"], "hello:1");
    assert_eq!(resized["spec"]["containers"][0]["resources"]["requests"]["cpu"], "2");
    expect![[r#"
        spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed
    "#]]
    .assert_eq(&by(json!({"requests": {"cpu": "1"}})).0);
    expect![[r#"
        spec: Forbidden: only cpu and memory resources are mutable
    "#]]
    .assert_eq(&by(json!({"requests": {"cpu": "1", "memory": "1Gi", "a.b/c": "1"}, "limits": {"a.b/c": "1"}})).0);
    expect![[r#"
        spec: Invalid value: "Guaranteed": Pod QOS Class may not change as a result of resizing
    "#]]
    .assert_eq(&by(json!({"limits": {"cpu": "1", "memory": "1Gi"}})).0);
}

#[test]
fn a_gated_pod_is_only_narrowed() {
    const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
    let term = |values: Value| json!({"matchExpressions": values});
    let zone = json!({"key": "zone", "operator": "In", "values": ["a"]});
    let disk = json!({"key": "disk", "operator": "Exists"});
    let affinity = |terms: Value| json!({"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": terms}}});
    let old = created(
        "Pod",
        json!({"spec": {
            "containers": [container()], "schedulingGates": [{"name": "a/b"}], "nodeSelector": {"a": "b"},
            "affinity": affinity(json!([term(json!([zone]))])),
        }}),
    );
    change_refused(
        "Pod",
        &old,
        |pod| {
            pod["spec"]["nodeSelector"]["c"] = json!("d");
            pod["spec"]["affinity"] = affinity(json!([term(json!([zone, disk]))]));
            pod["spec"]["schedulingGates"] = json!([]);
        },
        expect![""],
    );
    change_refused(
        "Pod",
        &old,
        |pod| {
            pod["spec"]["nodeSelector"] = json!({"a": "c"});
            pod["spec"]["affinity"] = affinity(json!([term(json!([disk]))]));
        },
        expect![[r#"
            spec.nodeSelector: Invalid value: {"a":"c"}: only additions are allowed (no mutations or deletions)
            spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]: Invalid value: {"matchExpressions":[{"key":"disk","operator":"Exists"}]}: only additions are allowed (no mutations or deletions)
        "#]],
    );
}

#[test]
fn a_container_that_ended_for_good_stays_ended() {
    let pod = |policy: &str| {
        let mut pod = created(
            "Pod",
            json!({"spec": {"restartPolicy": policy, "containers": [container()],
                "initContainers": [{"name": "i", "image": "a:1"}, {"name": "s", "image": "a:1", "restartPolicy": "Always"}]}}),
        );
        let ended = |name: &str, code: i64| json!({"name": name, "state": {"terminated": {"exitCode": code}}});
        pod["status"]["containerStatuses"] = json!([ended("c", 0)]);
        pod["status"]["initContainerStatuses"] = json!([ended("i", 1), ended("s", 0)]);
        pod
    };
    let runs = |old: &Value, expected: expect_test::Expect| {
        let kind = crate::kinds::tests::kind("Pod");
        let mut object = old.clone();
        for field in ["containerStatuses", "initContainerStatuses"] {
            for status in object["status"][field].as_array_mut().unwrap() {
                status["state"] = json!({"running": {}});
            }
        }
        let mut errors = crate::field::Errors::default();
        kind.validate_change(&object, old, &mut errors);
        expected.assert_eq(&errors.0.iter().map(|error| format!("{error}\n")).collect::<String>());
    };
    runs(&pod("Always"), expect![[""]]);
    runs(
        &pod("OnFailure"),
        expect![[r#"
        status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state
    "#]],
    );
    runs(
        &pod("Never"),
        expect![[r#"
        status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state
        status.initContainerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state
    "#]],
    );
}

#[test]
fn bad_statuses_are_refused_in_upstreams_words() {
    let old = created("Pod", json!({"spec": {"containers": [container()]}}));
    let becomes = |status: Value, expected: expect_test::Expect| {
        let kind = crate::kinds::tests::kind("Pod");
        let mut object = old.clone();
        object["status"] = status;
        (kind.strategy.prepare_status_update)(&mut object, &old);
        let mut errors = crate::field::Errors::default();
        kind.validate_change(&object, &old, &mut errors);
        expected.assert_eq(&errors.0.iter().map(|error| format!("{error}\n")).collect::<String>());
        object
    };
    becomes(
        json!({"podIPs": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.1"}], "hostIPs": [{"ip": "x"}], "hostIP": "y",
            "nominatedNodeName": "N", "conditions": [{"type": "Ready"}, {"type": "a/b/c"}],
            "resourceClaimStatuses": [{"name": "r", "resourceClaimName": "C"}]}),
        expect![[r#"
            metadata.conditions[1].Type: Invalid value: "a/b/c": a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')
            status.nominatedNodeName: Invalid value: "N": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
            status.resourceClaimStatuses[0].name: Invalid value: "r": must match the name of an entry in `spec.resourceClaims`
            status.resourceClaimStatuses[0].name: Invalid value: "C": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
            status.podIPs: Invalid value: [{"ip":"10.0.0.1"},{"ip":"10.0.0.1"}]: may specify no more than one IP for each IP family
            status.podIPs[1]: Duplicate value: {"ip":"10.0.0.1"}
            status.hostIPs[0]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)
            status.hostIPs[0].ip: Invalid value: "x": must be equal to `hostIP`
        "#]],
    );
    let told = becomes(json!({"podIP": "10.0.0.2"}), expect![""]);
    assert_eq!(told["status"]["podIPs"], json!([{"ip": "10.0.0.2"}]));
    assert_eq!(told["status"]["qosClass"], "BestEffort");
    let mut mirror = old.clone();
    mirror["metadata"]["annotations"] = json!({
        "kubernetes.io/config.mirror": "1", "container.apparmor.security.beta.kubernetes.io/c": "x",
    });
    change_refused(
        "Pod",
        &mirror,
        |pod| pod["metadata"]["annotations"] = json!({}),
        expect![[r#"
        metadata.annotations[container.apparmor.security.beta.kubernetes.io/c]: Forbidden: may not remove or update AppArmor annotations
        metadata.annotations[kubernetes.io/config.mirror]: Forbidden: may not remove or update mirror pod annotation
    "#]],
    );
    change_refused(
        "Pod",
        &old,
        |pod| pod["metadata"]["annotations"] = mirror["metadata"]["annotations"].clone(),
        expect![[r#"
            metadata.annotations[container.apparmor.security.beta.kubernetes.io/c]: Forbidden: may not add AppArmor annotations
            metadata.annotations[kubernetes.io/config.mirror]: Forbidden: may not add mirror pod annotation
        "#]],
    );
}

#[test]
fn a_resize_leaves_init_containers_but_sidecars_alone() {
    let with = |name: &str, cpu: &str| json!({"name": name, "image": "a:1", "resources": {"requests": {"cpu": cpu}}});
    let mut sidecar = with("s", "1");
    sidecar["restartPolicy"] = json!("Always");
    let old =
        created("Pod", json!({"spec": {"containers": [with("c", "1")], "initContainers": [with("i", "1"), sidecar]}}));
    let by = |index: usize, requests: Value| {
        let change = |pod: &mut Value| pod["spec"]["initContainers"][index]["resources"]["requests"] = requests;
        by_subresource(&old, change, prepare_resize, validate_resize).0
    };
    assert_eq!(by(1, json!({"cpu": "2"})), "");
    expect![[r#"
        spec: Forbidden: resources for non-sidecar init containers are immutable
    "#]]
    .assert_eq(&by(0, json!({"cpu": "2"})));
    expect![[r#"
        spec: Forbidden: only cpu and memory resources for sidecar containers are mutable
    "#]]
    .assert_eq(&by(1, json!({"cpu": "2", "ephemeral-storage": "1Gi"})));
    let mut whole = old.clone();
    whole["spec"]["resources"] = json!({"limits": {"cpu": "9"}});
    let change = |pod: &mut Value| pod["spec"]["containers"][0]["resources"]["requests"]["cpu"] = json!("2");
    expect![[r#"
        spec.resources.requests[cpu]: Invalid value: "0": must be greater than or equal to aggregate container requests of 3
        []: Forbidden: pods with pod-level resources cannot be resized
    "#]].assert_eq(&by_subresource(&whole, change, prepare_resize, validate_resize).0);
}

#[test]
fn get_pods_shows_how_init_containers_fail_and_nodes_are_lost() {
    let init = |restart: &str, state: Value| {
        let init = json!({"name": "i", "restartPolicy": restart});
        pod(
            json!({"containers": [{"name": "c"}], "initContainers": [init, {"name": "j"}]}),
            json!({"phase": "Pending", "initContainerStatuses": [
                {"name": "i", "state": state, "restartCount": 4, "lastState": {"terminated": {"finishedAt": "2026-01-01T00:55:00Z"}}},
            ], "containerStatuses": [{"name": "c", "state": {"waiting": {"reason": "PodInitializing"}}}]}),
        )
    };
    let mut lost = one(json!({"phase": "Running", "reason": "NodeLost"}));
    lost["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:59:00Z");
    let mut done = one(json!({"phase": "Succeeded"}));
    done["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:59:00Z");
    let ended = json!({"name": "c", "state": {"terminated": {"reason": "Completed"}}});
    let running = json!({"name": "d", "ready": true, "state": {"running": {}}});
    let mut ready = pod(
        json!({"containers": [{"name": "c"}, {"name": "d"}]}),
        json!({"phase": "Running", "containerStatuses": [ended, running]}),
    );
    ready["status"]["conditions"] = json!([{"type": "Ready", "status": "True"}]);
    shown(
        "Pod",
        &[
            init("", json!({"waiting": {"reason": "CrashLoopBackOff"}})),
            init("", json!({"waiting": {"reason": "PodInitializing"}})),
            init("", json!({"terminated": {"exitCode": 1, "reason": "Error"}})),
            init("", json!({"terminated": {"exitCode": 137, "signal": 9}})),
            init("Always", json!({"terminated": {"exitCode": 0}})),
            init("Always", json!({"waiting": {"reason": "ImagePullBackOff"}})),
            lost,
            done,
            ready,
        ],
        expect![[r#"
            web | 0/1 | Init:CrashLoopBackOff | 4 (5m ago) | 60m | <none> | <none> | <none> | <none>
            web | 0/1 | Init:0/2 | 4 (5m ago) | 60m | <none> | <none> | <none> | <none>
            web | 0/1 | Init:Error | 4 (5m ago) | 60m | <none> | <none> | <none> | <none>
            web | 0/1 | Init:Signal:9 | 4 (5m ago) | 60m | <none> | <none> | <none> | <none>
            web | 0/2 | PodInitializing | 4 (5m ago) | 60m | <none> | <none> | <none> | <none>
            web | 0/2 | Init:ImagePullBackOff | 4 (5m ago) | 60m | <none> | <none> | <none> | <none>
            web | 0/1 | Unknown | 0 | 60m | <none> | <none> | <none> | <none>
            web | 0/1 | Succeeded | 0 | 60m | <none> | <none> | <none> | <none>
            web | 1/2 | Running | 0 | 60m | <none> | <none> | <none> | <none>
        "#]],
    );
}
