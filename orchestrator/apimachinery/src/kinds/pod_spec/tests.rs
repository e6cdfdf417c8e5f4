use crate::field::Path;
use crate::kinds::pod_spec::{qos_class, warnings};
use crate::kinds::tests::{container, created, refused, stored, with};
use expect_test::{Expect, expect};
use serde_json::{Value, json};

/// A Pod with one container that has these fields more.
fn with_container(fields: Value) -> Value {
    let container = with(container(), fields);
    json!({"spec": {"containers": [container]}})
}

#[track_caller]
fn container_refused(fields: Value, expected: Expect) {
    refused("Pod", with_container(fields), expected);
}

/// A Pod whose spec has these fields more.
#[track_caller]
fn spec_refused(fields: Value, expected: Expect) {
    let mut pod = with_container(json!({}));
    for (key, value) in fields.as_object().expect("fields") {
        pod["spec"][key] = value.clone();
    }
    refused("Pod", pod, expected);
}

#[test]
fn a_pod_gets_upstreams_defaults() {
    let pod = created(
        "Pod",
        json!({"spec": {
            "serviceAccountName": "robot", "hostNetwork": true,
            "containers": [{
                "name": "c", "image": "registry:5000/a/b", "ports": [{"containerPort": 80}],
                "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                    {"name": "B", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}],
                "readinessProbe": {"httpGet": {"port": 80}}, "lifecycle": {"preStop": {"httpGet": {"port": 80}}},
                "resources": {"limits": {"cpu": "0.5", "memory": "1024Mi"}},
            }],
            "volumes": [
                {"name": "a"}, {"name": "b", "secret": {"secretName": "s"}}, {"name": "c", "hostPath": {"path": "/x"}},
                {"name": "i", "image": {"reference": "a:1"}}, {"name": "d", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
            ],
        }}),
    );
    stored(
        &pod,
        "",
        expect![[r#"
            {
              "metadata": {
                "creationTimestamp": "2026-01-01T00:00:00Z",
                "generation": 1,
                "name": "x",
                "namespace": "default",
                "uid": "u-1"
              },
              "spec": {
                "containers": [
                  {
                    "env": [
                      {
                        "name": "A",
                        "valueFrom": {
                          "fieldRef": {
                            "apiVersion": "v1",
                            "fieldPath": "metadata.name"
                          }
                        }
                      },
                      {
                        "name": "B",
                        "valueFrom": {
                          "resourceFieldRef": {
                            "divisor": "0",
                            "resource": "limits.cpu"
                          }
                        }
                      }
                    ],
                    "image": "registry:5000/a/b",
                    "imagePullPolicy": "Always",
                    "lifecycle": {
                      "preStop": {
                        "httpGet": {
                          "path": "/",
                          "port": 80,
                          "scheme": "HTTP"
                        }
                      }
                    },
                    "name": "c",
                    "ports": [
                      {
                        "containerPort": 80,
                        "hostPort": 80,
                        "protocol": "TCP"
                      }
                    ],
                    "readinessProbe": {
                      "failureThreshold": 3,
                      "httpGet": {
                        "path": "/",
                        "port": 80,
                        "scheme": "HTTP"
                      },
                      "periodSeconds": 10,
                      "successThreshold": 1,
                      "timeoutSeconds": 1
                    },
                    "resources": {
                      "limits": {
                        "cpu": "500m",
                        "memory": "1Gi"
                      },
                      "requests": {
                        "cpu": "500m",
                        "memory": "1Gi"
                      }
                    },
                    "terminationMessagePath": "/dev/termination-log",
                    "terminationMessagePolicy": "File"
                  }
                ],
                "dnsPolicy": "ClusterFirst",
                "enableServiceLinks": true,
                "hostNetwork": true,
                "restartPolicy": "Always",
                "schedulerName": "default-scheduler",
                "securityContext": {},
                "serviceAccount": "robot",
                "serviceAccountName": "robot",
                "terminationGracePeriodSeconds": 30,
                "volumes": [
                  {
                    "emptyDir": {},
                    "name": "a"
                  },
                  {
                    "name": "b",
                    "secret": {
                      "defaultMode": 420,
                      "secretName": "s"
                    }
                  },
                  {
                    "hostPath": {
                      "path": "/x",
                      "type": ""
                    },
                    "name": "c"
                  },
                  {
                    "image": {
                      "pullPolicy": "IfNotPresent",
                      "reference": "a:1"
                    },
                    "name": "i"
                  },
                  {
                    "name": "d",
                    "projected": {
                      "defaultMode": 420,
                      "sources": [
                        {
                          "serviceAccountToken": {
                            "expirationSeconds": 3600,
                            "path": "t"
                          }
                        }
                      ]
                    }
                  }
                ]
              },
              "status": {
                "phase": "Pending",
                "qosClass": "Guaranteed"
              }
            }"#]],
    );
}

#[test]
fn the_pull_policy_follows_the_tag() {
    let policy = |image: &str| {
        let pod = created("Pod", with_container(json!({"image": image})));
        pod["spec"]["containers"][0]["imagePullPolicy"].as_str().expect("a policy").to_owned()
    };
    for image in ["a", "a:latest", "host:5000/a", "file:///x/app.wasm"] {
        assert_eq!(policy(image), "Always", "{image}");
    }
    let digest = format!("a@sha256:{}", "0".repeat(64));
    for image in ["a:1", "host:5000/a:v2", &digest] {
        assert_eq!(policy(image), "IfNotPresent", "{image}");
    }
}

#[test]
fn bad_containers_are_refused_in_upstreams_words() {
    refused(
        "Pod",
        json!({"spec": {}}),
        expect![[r#"
        spec.containers: Required value
    "#]],
    );
    refused(
        "Pod",
        json!({"spec": {"containers": [{}, {"name": "A_b", "image": "a"}, container(), container()]}}),
        expect![[r#"
            spec.containers[0].name: Required value
            spec.containers[0].image: Required value
            spec.containers[1].name: Invalid value: "A_b": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
            spec.containers[3].name: Duplicate value: "c"
        "#]],
    );
    container_refused(
        json!({"imagePullPolicy": "Sometimes", "terminationMessagePolicy": "Mail"}),
        expect![[r#"
            spec.containers[0].terminationMessagePolicy: Unsupported value: "Mail": supported values: "FallbackToLogsOnError", "File"
            spec.containers[0].imagePullPolicy: Unsupported value: "Sometimes": supported values: "Always", "IfNotPresent", "Never"
        "#]],
    );
    container_refused(
        json!({"ports": [
            {"containerPort": 0}, {"containerPort": 70000, "protocol": "HTTP"}, {"containerPort": 1, "name": "a--b"},
            {"containerPort": 2, "name": "a", "hostPort": 9}, {"containerPort": 3, "name": "a", "hostPort": 9},
        ]}),
        expect![[r#"
            spec.containers[0].ports[0].containerPort: Required value
            spec.containers[0].ports[1].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive
            spec.containers[0].ports[1].protocol: Unsupported value: "HTTP": supported values: "SCTP", "TCP", "UDP"
            spec.containers[0].ports[2].name: Invalid value: "a--b": must not contain consecutive hyphens
            spec.containers[0].ports[4].name: Duplicate value: "a"
            spec.containers[0].ports[4].hostPort: Duplicate value: "TCP//9"
        "#]],
    );
    container_refused(
        json!({"env": [
        {"name": ""}, {"name": "a=b"}, {"name": "C", "valueFrom": {}},
        {"name": "D", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "spec.nope"}}},
        {"name": "E", "valueFrom": {"secretKeyRef": {"name": "s", "key": "a b"}}},
        {"name": "F", "valueFrom": {"resourceFieldRef": {"resource": "limits.gpu"}}},
    ], "envFrom": [{}, {"configMapRef": {}}]}),
        expect![[r#"
            spec.containers[0].env[0].name: Required value
            spec.containers[0].env[1].name: Invalid value: "a=b": a valid environment variable name must consist only of printable ASCII characters other than '='
            spec.containers[0].env[2].valueFrom: Invalid value: "": must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`
            spec.containers[0].env[3].valueFrom.fieldRef.fieldPath: Unsupported value: "spec.nope": supported values: "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"
            spec.containers[0].env[3].valueFrom: Invalid value: "": may not be specified when `value` is not empty
            spec.containers[0].env[4].valueFrom.secretKeyRef.key: Invalid value: "a b": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')
            spec.containers[0].env[5].valueFrom.resourceFieldRef.resource: Unsupported value: "limits.gpu": supported values: "limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage", "requests.memory"
            spec.containers[0].envFrom[0]: Invalid value: "": must specify one of: `configMapRef` or `secretRef`
            spec.containers[0].envFrom[1].configMapRef.name: Required value
        "#]],
    );
    container_refused(
        json!({"volumeMounts": [
            {"name": "nope", "mountPath": "/a"}, {"name": "", "mountPath": "/a", "subPath": "../x"},
        ]}),
        expect![[r#"
            spec.containers[0].volumeMounts[0].name: Not found: "nope"
            spec.containers[0].volumeMounts[1].name: Required value
            spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/a": must be unique
            spec.containers[0].volumeMounts[1].subPath: Invalid value: "../x": must not contain '..'
        "#]],
    );
    container_refused(
        json!({"securityContext": {"runAsUser": -1, "privileged": true, "allowPrivilegeEscalation": false}}),
        expect![[r#"
            spec.containers[0].securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive
            spec.containers[0].securityContext: Invalid value: {"allowPrivilegeEscalation":false,"privileged":true,"runAsUser":-1}: cannot set `allowPrivilegeEscalation` to false and `privileged` to true
        "#]],
    );
}

#[test]
fn bad_probes_are_refused_in_upstreams_words() {
    container_refused(
        json!({
            "livenessProbe": {"successThreshold": 2, "httpGet": {"port": "a_b", "scheme": "FTP"}},
            "readinessProbe": {"periodSeconds": -1, "terminationGracePeriodSeconds": 1},
            "startupProbe": {"exec": {}, "tcpSocket": {"port": 0}},
            "lifecycle": {"preStop": {"sleep": {"seconds": 60}}},
        }),
        expect![[r#"
            spec.containers[0].lifecycle.preStop.sleep: Invalid value: 60: must be non-negative and less than terminationGracePeriodSeconds (30)
            spec.containers[0].livenessProbe.httpGet.port: Invalid value: "a_b": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)
            spec.containers[0].livenessProbe.httpGet.scheme: Unsupported value: "FTP": supported values: "HTTP", "HTTPS"
            spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1
            spec.containers[0].readinessProbe: Required value: must specify a handler type
            spec.containers[0].readinessProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0
            spec.containers[0].readinessProbe.terminationGracePeriodSeconds: Invalid value: 1: must not be set for readinessProbes
            spec.containers[0].startupProbe.exec.command: Required value
            spec.containers[0].startupProbe.tcpSocket: Forbidden: may not specify more than 1 handler type
        "#]],
    );
}

#[test]
fn bad_resources_are_refused_in_upstreams_words() {
    container_refused(
        json!({"resources": {
            "limits": {"cpu": "100m", "memory": "-1Mi", "cpus": "1"},
            "requests": {"cpu": "200m", "memory": "many", "example.com/gpu": "1.5"},
        }}),
        expect![[r#"
            spec.containers[0].resources.limits[cpus]: Invalid value: "cpus": must be a standard resource type or fully qualified
            spec.containers[0].resources.limits[cpus]: Invalid value: "cpus": must be a standard resource for containers
            spec.containers[0].resources.limits[memory]: Invalid value: "-1Mi": must be greater than or equal to 0
            spec.containers[0].resources.requests: Invalid value: "200m": must be less than or equal to cpu limit of 100m
            spec.containers[0].resources.requests[cpus]: Invalid value: "cpus": must be a standard resource type or fully qualified
            spec.containers[0].resources.requests[cpus]: Invalid value: "cpus": must be a standard resource for containers
            spec.containers[0].resources.requests[example.com/gpu]: Invalid value: "1500m": must be an integer
            spec.containers[0].resources.limits: Required value: Limit must be set for non overcommitable resources
            spec.containers[0].resources.requests[memory]: Invalid value: "many": quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'
        "#]],
    );
}

#[test]
fn bad_volumes_are_refused_in_upstreams_words() {
    spec_refused(
        json!({"volumes": [
            {"name": ""}, {"name": "a", "emptyDir": {}, "hostPath": {"path": "/a/../b", "type": "Odd"}}, {"name": "a"},
            {"name": "b", "secret": {"defaultMode": 512, "items": [{"key": "", "path": "/x"}]}},
            {"name": "c", "configMap": {}}, {"name": "d", "emptyDir": {"sizeLimit": "-1"}},
            {"name": "e", "downwardAPI": {"items": [{"path": "..x"}]}},
            {"name": "f", "projected": {"sources": [{}, {"serviceAccountToken": {"path": "t", "expirationSeconds": 1}}]}},
            {"name": "g", "persistentVolumeClaim": {}},
        ]}),
        expect![[r#"
            spec.volumes[0].name: Required value
            spec.volumes[1].hostPath: Forbidden: may not specify more than 1 volume type
            spec.volumes[2].name: Duplicate value: "a"
            spec.volumes[3].secret.secretName: Required value
            spec.volumes[3].secret.defaultMode: Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive
            spec.volumes[3].secret.items[0].key: Required value
            spec.volumes[3].secret.items[0].path: Invalid value: "/x": must be a relative path
            spec.volumes[4].configMap.name: Required value
            spec.volumes[5].emptyDir.sizeLimit: Forbidden: SizeLimit field must be a valid resource quantity
            spec.volumes[6].downwardAPI.items[0].path: Invalid value: "..x": must not start with '..'
            spec.volumes[6].downwardAPI.items[0]: Required value: one of fieldRef and resourceFieldRef is required
            spec.volumes[7].projected.sources[0]: Required value: must specify a volume type
            spec.volumes[7].projected.sources[1].serviceAccountToken.expirationSeconds: Invalid value: 1: may not specify a duration less than 10 minutes
            spec.volumes[8].persistentVolumeClaim.claimName: Required value
        "#]],
    );
}

#[test]
fn bad_specs_are_refused_in_upstreams_words() {
    spec_refused(
        json!({"restartPolicy": "Maybe", "dnsPolicy": "None", "activeDeadlineSeconds": 0}),
        expect![[r#"
        spec.restartPolicy: Unsupported value: "Maybe": supported values: "Always", "Never", "OnFailure"
        spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None
        spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive
    "#]],
    );
    spec_refused(
        json!({"nodeSelector": {"a": "b c"}, "hostname": "A", "serviceAccountName": "A", "runtimeClassName": ""}),
        expect![[r#"
            spec.nodeSelector: Invalid value: "b c": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')
            spec.serviceAccountName: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
            spec.hostname: Invalid value: "A": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
            spec.runtimeClassName: Invalid value: "": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
        "#]],
    );
    spec_refused(
        json!({"tolerations": [
            {"operator": "Equal"}, {"key": "a", "operator": "Exists", "value": "b"}, {"key": "a", "operator": "Odd"},
            {"key": "a", "effect": "NoSchedule", "tolerationSeconds": 1}, {"key": "a", "effect": "Odd"},
        ]}),
        expect![[r#"
            spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which means "match all values and all keys"
            spec.tolerations[1].operator: Invalid value: "b": value must be empty when `operator` is 'Exists'
            spec.tolerations[2].operator: Unsupported value: "Odd": supported values: "Equal", "Exists"
            spec.tolerations[3].effect: Invalid value: "NoSchedule": effect must be 'NoExecute' when `tolerationSeconds` is set
            spec.tolerations[4].effect: Unsupported value: "Odd": supported values: "NoExecute", "NoSchedule", "PreferNoSchedule"
        "#]],
    );
    spec_refused(
        json!({
            "affinity": {
                "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []},
                    "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 0, "preference": {}}]},
                "podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": ""}]},
            },
            "topologySpreadConstraints": [{"maxSkew": 0, "topologyKey": "a", "whenUnsatisfiable": "Odd"}],
        }),
        expect![[r#"
            spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: Required value: must have at least one node selector term
            spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: Invalid value: 0: must be in the range 1-100
            spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Required value: can not be empty
            spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero
            spec.topologySpreadConstraints[0].whenUnsatisfiable: Unsupported value: "Odd": supported values: "DoNotSchedule", "ScheduleAnyway"
        "#]],
    );
    spec_refused(
        json!({"initContainers": [
        {"name": "c", "image": "a", "livenessProbe": {"tcpSocket": {"port": 1}}},
    ], "ephemeralContainers": [{"name": "e", "image": "a"}]}),
        expect![[r#"
            spec.initContainers[0].name: Duplicate value: "c"
            spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always
            spec.ephemeralContainers: Forbidden: cannot be set on create
        "#]],
    );
}

#[test]
fn the_class_of_service_follows_requests_and_limits() {
    let class = |resources: Value| qos_class(&with_container(json!({"resources": resources}))["spec"]);
    assert_eq!(class(json!({})), "BestEffort");
    assert_eq!(class(json!({"requests": {"cpu": "1"}})), "Burstable");
    assert_eq!(class(json!({"limits": {"cpu": "1", "memory": "1Gi"}})), "Guaranteed");
    assert_eq!(class(json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1000m"}})), "Guaranteed");
    assert_eq!(class(json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1m"}})), "Burstable");
}

#[test]
fn what_is_odd_but_allowed_is_warned_of() {
    let mut pod = with_container(json!({
        "env": [{"name": "A"}, {"name": "A"}], "resources": {"requests": {"memory": "100m"}},
        "ports": [{"containerPort": 1, "protocol": "TCP"}, {"containerPort": 1, "protocol": "TCP"}],
    }));
    pod["spec"]["terminationGracePeriodSeconds"] = json!(-1);
    expect![[r#"
        spec.containers[0].resources.requests[memory]: fractional byte value "100m" is invalid, must be an integer
        spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply
        spec.containers[0].ports[1]: duplicate port definition with spec.containers[0].ports[0]
        spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1"#]]
    .assert_eq(&warnings(&pod, &Path::default()).join("\n"));
}

#[test]
fn devices_mounts_and_sizes_are_checked() {
    let volumes = json!([{"name": "v", "persistentVolumeClaim": {"claimName": "p"}}, {"name": "e"}]);
    let mut pod = with_container(json!({
        "volumeDevices": [{"name": "v", "devicePath": "/d"}, {"name": "v", "devicePath": "/d"},
            {"name": "e", "devicePath": "/x/../y"}, {"name": "z", "devicePath": ""}],
        "volumeMounts": [{"name": "v", "mountPath": "/d"}, {"name": "e", "mountPath": "/e", "recursiveReadOnly": "Enabled"}],
        "resizePolicy": [{"resourceName": "cpu", "restartPolicy": "Odd"}, {"resourceName": "cpu", "restartPolicy": "NotRequired"},
            {"resourceName": "disk", "restartPolicy": "RestartContainer"}],
        "resources": {"claims": [{"name": "gpu"}], "limits": {"hugepages-2Mi": "2Mi"}},
        "lifecycle": {"stopSignal": "SIGTERM"}, "terminationMessagePolicy": "Odd",
    }));
    pod["spec"]["volumes"] = volumes;
    refused(
        "Pod",
        pod,
        expect![[r#"
            spec.containers[0].terminationMessagePolicy: Unsupported value: "Odd": supported values: "FallbackToLogsOnError", "File"
            spec.containers[0].volumeMounts[0].name: Invalid value: "v": must not already exist in volumeDevices
            spec.containers[0].volumeMounts[0].mountPath: Invalid value: "/d": must not already exist as a path in volumeDevices
            spec.containers[0].volumeMounts[1].name: Invalid value: "e": must not already exist in volumeDevices
            spec.containers[0].volumeMounts[1].recursiveReadOnly: Forbidden: may only be specified when readOnly is true
            spec.containers[0].volumeDevices[0].name: Invalid value: "v": must not already exist in volumeMounts
            spec.containers[0].volumeDevices[0].devicePath: Invalid value: "/d": must not already exist as a path in volumeMounts
            spec.containers[0].volumeDevices[1].name: Invalid value: "v": must be unique
            spec.containers[0].volumeDevices[1].devicePath: Invalid value: "/d": must be unique
            spec.containers[0].volumeDevices[1].name: Invalid value: "v": must not already exist in volumeMounts
            spec.containers[0].volumeDevices[1].devicePath: Invalid value: "/d": must not already exist as a path in volumeMounts
            spec.containers[0].volumeDevices[2].name: Invalid value: "e": can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode
            spec.containers[0].volumeDevices[2].devicePath: Invalid value: "/x/../y": must not contain '..'
            spec.containers[0].volumeDevices[2].name: Invalid value: "e": must not already exist in volumeMounts
            spec.containers[0].volumeDevices[3].name: Not found: "z"
            spec.containers[0].volumeDevices[3].devicePath: Required value
            spec.containers[0].resources: Forbidden: HugePages require cpu or memory
            spec.containers[0].resources.claims[0]: Not found: "gpu": must be one of the names in pod.spec.resourceClaims which is empty
            spec.containers[0].resizePolicy: Unsupported value: "Odd": supported values: "NotRequired", "RestartContainer"
            spec.containers[0].resizePolicy[1]: Duplicate value: "cpu"
            spec.containers[0].resizePolicy: Unsupported value: "disk": supported values: "cpu", "memory"
            spec.containers[0].lifecycle.stopSignal: Forbidden: may not be set for containers with empty `spec.os.name`
        "#]],
    );
}

#[test]
fn restart_rules_are_checked() {
    container_refused(
        json!({"restartPolicyRules": [{"action": "Restart"}]}),
        expect![[r#"
        spec.containers[0].restartPolicy: Required value: must specify restartPolicy when restart rules are used
        spec.containers[0].restartPolicyRules[0].exitCodes: Required value: must be specified
    "#]],
    );
    container_refused(
        json!({"restartPolicy": "Odd", "restartPolicyRules": [{"action": "Odd", "exitCodes": {"operator": "Odd"}}]}),
        expect![[r#"
            spec.containers[0].restartPolicy: Unsupported value: "Odd": supported values: "Always", "Never", "OnFailure"
            spec.containers[0].restartPolicyRules[0].action: Unsupported value: "Odd": supported values: "Restart", "RestartAllContainers"
            spec.containers[0].restartPolicyRules[0].exitCodes.operator: Unsupported value: "Odd": supported values: "In", "NotIn"
        "#]],
    );
    container_refused(
        json!({"restartPolicy": "Never", "restartPolicyRules": [
            {"action": "RestartAllContainers", "exitCodes": {"operator": "In", "values": [1]}},
        ]}),
        expect![""],
    );
}

#[test]
fn security_contexts_are_checked() {
    spec_refused(
        json!({
            "hostNetwork": true, "hostPID": true, "shareProcessNamespace": true, "hostUsers": false,
            "securityContext": {
                "sysctls": [{"name": ""}, {"name": "A"}, {"name": "net.a", "value": "1"}, {"name": "a.b"}, {"name": "a.b"}],
                "supplementalGroupsPolicy": "Odd", "seLinuxChangePolicy": "Odd", "appArmorProfile": {"type": "Localhost"},
                "windowsOptions": {"gmsaCredentialSpecName": "A", "runAsUserName": ""},
            },
            "os": {"name": "linux"},
        }),
        expect![[r#"
            spec.shareProcessNamespace: Invalid value: true: ShareProcessNamespace and HostPID cannot both be enabled
            spec.hostNetwork: Forbidden: when `hostUsers` is false
            spec.HostPID: Forbidden: when `hostUsers` is false
            spec.securityContext.supplementalGroupsPolicy: Unsupported value: "Odd": supported values: "Merge", "Strict"
            spec.securityContext.seLinuxChangePolicy: Unsupported value: "Odd": supported values: "MountOption", "Recursive"
            spec.securityContext.appArmorProfile.localhostProfile: Required value: must be set when AppArmor type is Localhost
            spec.securityContext.windowsOptions.gmsaCredentialSpecName: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
            spec.securityContext.windowsOptions.runAsUserName: Invalid value: "": runAsUserName cannot be an empty string
            spec.securityContext.sysctls[0].name: Required value
            spec.securityContext.sysctls[1].name: Invalid value: "A": must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9][-_a-z0-9]*[a-z0-9]?$
            spec.securityContext.sysctls[2].name: Invalid value: "net.a": may not be specified when 'hostNetwork' is true
            spec.securityContext.sysctls[4].name: Duplicate value: "a.b"
            spec.securityContext.windowsOptions: Forbidden: windows options cannot be set for a linux pod
        "#]],
    );
    spec_refused(
        json!({"os": {"name": "windows"}, "hostPID": true, "securityContext": {"fsGroup": 1}, "hostUsers": true}),
        expect![[r#"
            spec.securityContext.fsGroup: Forbidden: cannot be set for a windows pod
            spec.hostPID: Forbidden: cannot be set for a windows pod
            spec.hostUsers: Forbidden: cannot be set for a windows pod
        "#]],
    );
}

#[test]
fn placement_by_labels_of_the_pod_is_checked() {
    let spread = |fields: Value| {
        with(json!({"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}), fields)
    };
    spec_refused(
        json!({
            "topologySpreadConstraints": [
                spread(json!({"minDomains": 0, "nodeAffinityPolicy": "Odd", "matchLabelKeys": ["a"]})),
                spread(json!({"labelSelector": {"matchLabels": {"a": "b"}}, "matchLabelKeys": ["a"]})),
            ],
            "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["a", "b"]},
                    {"key": "spec.x", "operator": "Exists"}]},
            ]}}},
            "resourceClaims": [{"name": "a"}, {"name": "a", "resourceClaimName": "x"}], "hostnameOverride": "A",
            "dnsConfig": {"searches": [".", "_a.b", "A"]},
        }),
        expect![[r#"
            spec.resourceClaims[0]: Invalid value: {"name":"a"}: must specify one of: `resourceClaimName`, `resourceClaimTemplateName`
            spec.resourceClaims[1].name: Duplicate value: "a"
            spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[0].values: Required value: must be only one value when `operator` is 'In' or 'NotIn' for node field selector
            spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[1].operator: Invalid value: "Exists": not a valid selector operator
            spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[1].key: Invalid value: "spec.x": not a valid field selector key
            spec.topologySpreadConstraints[0].minDomains: Invalid value: 0: must be greater than zero
            spec.topologySpreadConstraints[0].minDomains: Invalid value: 0: can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway
            spec.topologySpreadConstraints[0].nodeAffinityPolicy: Unsupported value: "Odd": supported values: "Honor", "Ignore"
            spec.topologySpreadConstraints[0].matchLabelKeys: Forbidden: must not be specified when labelSelector is not set
            spec.topologySpreadConstraints[1].{topologyKey, whenUnsatisfiable}: Duplicate value: "{zone, ScheduleAnyway}"
            spec.topologySpreadConstraints[1].matchLabelKeys[0]: Invalid value: "a": exists in both matchLabelKeys and labelSelector
            spec.dnsConfig.searches[2]: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9_]([-_a-z0-9]*[a-z0-9_])?(\.[a-z0-9_]([-_a-z0-9]*[a-z0-9_])?)*')
            spec.hostnameOverride: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
        "#]],
    );
}

#[test]
fn variables_may_come_from_a_file_of_a_volume() {
    let pod = |reference: Value| {
        let mut pod = with_container(json!({"env": [{"name": "A", "valueFrom": {"fileKeyRef": reference}}]}));
        pod["spec"]["volumes"] = json!([{"name": "v"}]);
        pod
    };
    let good = created("Pod", pod(json!({"volumeName": "v", "path": "a/b.env", "key": "A"})));
    assert_eq!(good.pointer("/spec/containers/0/env/0/valueFrom/fileKeyRef/optional"), Some(&json!(false)));
    refused("Pod", good, expect![""]);
    refused(
        "Pod",
        pod(json!({"volumeName": "w", "path": "/a/../b", "key": "a=b"})),
        expect![[r#"
        spec.containers[0].env[0].valueFrom.fileKeyRef.volumeName: Not found: "w"
        spec.containers[0].env[0].valueFrom.fileKeyRef.path: Invalid value: "/a/../b": must be a relative path
        spec.containers[0].env[0].valueFrom.fileKeyRef.path: Invalid value: "/a/../b": must not contain '..'
        spec.containers[0].env[0].valueFrom.fileKeyRef.key: Invalid value: "a=b": a valid environment variable name must consist only of printable ASCII characters other than '='
    "#]],
    );
    refused(
        "Pod",
        pod(json!({})),
        expect![[r#"
        spec.containers[0].env[0].valueFrom.fileKeyRef.volumeName: Required value
        spec.containers[0].env[0].valueFrom.fileKeyRef.path: Required value
        spec.containers[0].env[0].valueFrom.fileKeyRef.key: Required value
    "#]],
    );
}

#[test]
fn templates_are_warned_of_what_is_old_or_in_vain() {
    let template = json!({
        "metadata": {"annotations": {
            "scheduler.alpha.kubernetes.io/critical-pod": "", "seccomp.security.alpha.kubernetes.io/pod": "x",
            "container.seccomp.security.alpha.kubernetes.io/c": "x", "container.apparmor.security.beta.kubernetes.io/c": "x",
        }},
        "spec": {
            "containers": [
                {"name": "c", "image": "a", "env": [{"name": "A", "value": "1"}, {"name": "A", "value": "$(A)2"},
                    {"name": "A", "value": "3"}],
                    "ports": [{"containerPort": 80, "protocol": "TCP", "hostIP": "10.0.0.1"},
                        {"containerPort": 80, "protocol": "TCP", "hostPort": 80}],
                    "resources": {"limits": {"ephemeral-storage": "0.5"}}},
                {"name": "d", "image": "a", "ports": [{"containerPort": 80, "protocol": "TCP", "hostPort": 80, "hostIP": "10.0.0.1"}]},
            ],
            "nodeSelector": {"beta.kubernetes.io/os": "linux"},
            "affinity": {
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [
                        {"key": "failure-domain.beta.kubernetes.io/zone", "operator": "Exists"}]}]},
                    "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "preference": {"matchExpressions": [
                        {"key": "beta.kubernetes.io/instance-type", "operator": "Exists"}]}}],
                },
                "podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "a"}]},
                "podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": {"topologyKey": "a"}}]},
            },
            "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "failure-domain.beta.kubernetes.io/region",
                "whenUnsatisfiable": "DoNotSchedule"}],
            "hostAliases": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.1"}], "imagePullSecrets": [{"name": "s"}, {"name": "s"}, {}],
            "overhead": {"memory": "1500m"},
            "volumes": [
                {"name": "g", "gitRepo": {"repository": "r"}}, {"name": "r", "rbd": {}}, {"name": "o", "storageos": {}},
                {"name": "e", "ephemeral": {"volumeClaimTemplate": {"spec": {"resources": {"requests": {"storage": "1500m"}}}}}},
                {"name": "p", "projected": {"sources": [
                    {"serviceAccountToken": {"path": "token"}}, {"secret": {"items": [{"key": "k", "path": "token"}]}},
                    {"configMap": {"items": [{"key": "k", "path": "other"}, {"key": "k", "path": "token"}]}},
                ]}},
            ],
        },
    });
    let path = Path::new("spec").child("template");
    expect![[r#"
        spec.template.spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead
        spec.template.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].key: failure-domain.beta.kubernetes.io/zone is deprecated since v1.17; use "topology.kubernetes.io/zone" instead
        spec.template.spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].preference.matchExpressions[0].key: beta.kubernetes.io/instance-type is deprecated since v1.17; use "node.kubernetes.io/instance-type" instead
        spec.template.spec.topologySpreadConstraints[0].topologyKey: failure-domain.beta.kubernetes.io/region is deprecated since v1.17; use "topology.kubernetes.io/region" instead
        spec.template.spec.topologySpreadConstraints[0].labelSelector: a null labelSelector results in matching no pod
        spec.template.metadata.annotations[scheduler.alpha.kubernetes.io/critical-pod]: non-functional in v1.16+; use the "priorityClassName" field instead
        spec.template.spec.volumes[0].gitRepo: deprecated in v1.11, and disabled by default in v1.33+
        spec.template.spec.volumes[1].rbd: deprecated in v1.28, non-functional in v1.31+
        spec.template.spec.volumes[2].storageOS: deprecated in v1.22, non-functional in v1.25+
        spec.template.spec.volumes[3].ephemeral.volumeClaimTemplate.spec.resources.requests[storage]: fractional byte value "1500m" is invalid, must be an integer
        spec.template.spec.volumes[4].projected.sources.secrets[0]: has duplicated path with ServiceAccountToken "token"
        spec.template.spec.volumes[4].projected.sources.configMap[1]: has duplicated path with ServiceAccountToken "token"
        spec.template.spec.hostAliases[1].ip: duplicate ip "10.0.0.1"
        spec.template.spec.imagePullSecrets[1].name: duplicate name "s"
        spec.template.spec.imagePullSecrets[2].name: invalid empty name ""
        spec.template.spec.overhead[memory]: fractional byte value "1500m" is invalid, must be an integer
        spec.template.metadata.annotations[seccomp.security.alpha.kubernetes.io/pod]: non-functional in v1.27+; use the "seccompProfile" field instead
        spec.template.metadata.annotations[container.seccomp.security.alpha.kubernetes.io/c]: non-functional in v1.27+; use the "seccompProfile" field instead
        spec.template.metadata.annotations[container.apparmor.security.beta.kubernetes.io/c]: deprecated since v1.30; use the "appArmorProfile" field instead
        spec.template.spec.containers[0].resources.limits[ephemeral-storage]: fractional byte value "0.5" is invalid, must be an integer
        spec.template.spec.containers[0].env[2]: hides previous definition of "A", which may be dropped when using apply
        spec.template.spec.containers[0].ports[0]: hostIP set without hostPort: {Name: HostPort:0 ContainerPort:80 Protocol:TCP HostIP:10.0.0.1}
        spec.template.spec.containers[0].ports[1]: overlapping port definition with spec.template.spec.containers[0].ports[0]
        spec.template.spec.containers[1].ports[0]: overlapping port definition with spec.template.spec.containers[0].ports[0]
        spec.template.spec.containers[1].ports[0]: dangerously ambiguous port definition with spec.template.spec.containers[0].ports[1]
        spec.template.spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector: a null labelSelector results in matching no pod
        spec.template.spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm.labelSelector: a null labelSelector results in matching no pod"#]].assert_eq(&warnings(&template, &path).join("\n"));
}

#[test]
fn a_pod_as_a_whole_bounds_its_containers() {
    let pod = |whole: Value, requests: Value, limits: Value| {
        let mut pod = with_container(json!({"resources": {"requests": requests, "limits": limits}}));
        pod["spec"]["initContainers"] = json!([
            {"name": "s", "image": "a:1", "restartPolicy": "Always", "resources": {"requests": {"cpu": "100m"}}},
            {"name": "i", "image": "a:1", "resources": {"requests": {"cpu": "700m", "memory": "1Mi"}}},
        ]);
        pod["spec"]["resources"] = whole;
        pod
    };
    let made = created("Pod", pod(json!({"limits": {"cpu": "2", "memory": "1Gi"}}), json!({"cpu": "300m"}), json!({})));
    let requests = &made["spec"]["resources"]["requests"];
    assert_eq!(requests, &json!({"cpu": "800m", "memory": "1Mi"}), "the init container beside the sidecar asks most");
    assert_eq!(made["status"]["qosClass"], "Burstable");
    refused("Pod", made, expect![""]);
    let whole = json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}});
    assert_eq!(qos_class(&pod(whole, json!({}), json!({}))["spec"]), "Guaranteed");
    refused(
        "Pod",
        pod(
            json!({"claims": [{"name": "c"}], "limits": {"cpu": "1", "ephemeral-storage": "1Gi"}, "requests": {"cpu": "500m"}}),
            json!({}),
            json!({"cpu": "2"}),
        ),
        expect![[r#"
            spec.resources.claims: Forbidden: claims cannot be set for Resources at pod-level
            spec.resources.limits[ephemeral-storage]: Unsupported value: "ephemeral-storage": supported values: "cpu", "hugepages-", "memory"
            spec.resources.requests[cpu]: Invalid value: "500m": must be greater than or equal to aggregate container requests of 2100m
            spec.resources.containers[0][cpu].limits: Invalid value: "2": must be less than or equal to pod limits of 1
        "#]],
    );
}

#[test]
fn huge_pages_claims_and_names_of_resources_are_checked() {
    container_refused(
        json!({"resources": {"limits": {"cpu": "1", "hugepages-2Mi": "3Mi", "requests.example.com/x": "1"}}}),
        expect![[r#"
            spec.containers[0].resources.limits[hugepages-2Mi]: Invalid value: "3Mi": 3Mi is not positive integer multiple of hugepages-2Mi
            spec.containers[0].resources.limits[requests.example.com/x]: Invalid value: "requests.example.com/x": doesn't follow extended resource name standard
            spec.containers[0].resources.requests[hugepages-2Mi]: Invalid value: "3Mi": 3Mi is not positive integer multiple of hugepages-2Mi
            spec.containers[0].resources.requests[requests.example.com/x]: Invalid value: "requests.example.com/x": doesn't follow extended resource name standard
        "#]],
    );
    container_refused(
        json!({"resources": {"claims": [{"name": "a"}, {"name": "a", "request": "B"}, {"name": "b", "request": "r"}, {"name": "b"}]}}),
        expect![[r#"
            spec.containers[0].resources.claims[0]: Not found: "a": must be one of the names in pod.spec.resourceClaims which is empty
            spec.containers[0].resources.claims[1].request: Invalid value: "B": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
            spec.containers[0].resources.claims[1]: Duplicate value: "a"
            spec.containers[0].resources.claims[1]: Not found: "a": must be one of the names in pod.spec.resourceClaims which is empty
            spec.containers[0].resources.claims[2]: Not found: "b": must be one of the names in pod.spec.resourceClaims which is empty
            spec.containers[0].resources.claims[3]: Duplicate value: "b"
            spec.containers[0].resources.claims[3]: Not found: "b": must be one of the names in pod.spec.resourceClaims which is empty
        "#]],
    );
    spec_refused(
        json!({"containers": [container()], "affinity": {
            "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [
                {"key": "a", "operator": "In", "values": ["-"]}]}]}},
            "podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
                {"topologyKey": "a", "labelSelector": {}, "namespaces": ["N"]}]},
        }}),
        expect![[r#"
            spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values[0]: Invalid value: "-": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')
            spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].namespace: Invalid value: "N": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
        "#]],
    );
}
