//! Objects of the kinds that are about the cluster itself.

use serde_json::{Value, json};

/// A request for a certificate, PEM in base64.
pub(in crate::kinds) fn certificate_request() -> &'static str {
    include_str!("../certificate_signing_request/request.b64").trim()
}

/// A rule of a policy about Pods.
pub(in crate::kinds) fn rule(operation: &str) -> Value {
    json!({"operations": [operation], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]})
}

/// Objects with most of what the rules look at.
pub(super) fn samples() -> Vec<(&'static str, Value)> {
    let mut all = network();
    all.extend(storage());
    all.extend(admission());
    all.extend(devices());
    all.extend([
        (
            "CertificateSigningRequest",
            json!({"spec": {
                "request": certificate_request(), "signerName": "example.com/signer", "usages": ["client auth"],
                "expirationSeconds": 3600,
            }}),
        ),
        (
            "FlowSchema",
            json!({"spec": {
                "priorityLevelConfiguration": {"name": "l"}, "distinguisherMethod": {"type": "ByUser"},
                "rules": [{
                    "subjects": [
                        {"kind": "ServiceAccount", "serviceAccount": {"name": "*", "namespace": "n"}},
                        {"kind": "User", "user": {"name": "u"}},
                    ],
                    "resourceRules": [{
                        "verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "namespaces": ["n"],
                    }],
                    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["/healthz/*"]}],
                }],
            }}),
        ),
        (
            "PriorityLevelConfiguration",
            json!({"spec": {"type": "Limited", "limited": {"limitResponse": {"type": "Queue", "queuing": {}}}}}),
        ),
        (
            "APIService",
            json!({
                "metadata": {"name": "v1.example.com"},
                "spec": {
                    "group": "example.com", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 10,
                    "service": {"name": "s", "namespace": "n"}, "caBundle": "YQ==",
                },
            }),
        ),
    ]);
    all
}

fn network() -> Vec<(&'static str, Value)> {
    let backend = json!({"service": {"name": "s", "port": {"number": 80}}});
    vec![
        (
            "Ingress",
            json!({"spec": {
                "ingressClassName": "c", "defaultBackend": backend,
                "rules": [{"host": "*.a.b", "http": {"paths": [
                    {"path": "/", "pathType": "Prefix", "backend": backend},
                    {"pathType": "ImplementationSpecific", "backend": {"resource": {"kind": "K", "name": "n"}}},
                ]}}],
                "tls": [{"hosts": ["a.b"], "secretName": "s"}],
            }}),
        ),
        (
            "IngressClass",
            json!({"spec": {
                "controller": "example.com/c", "parameters": {"apiGroup": "a.b", "kind": "K", "name": "n"},
            }}),
        ),
        (
            "NetworkPolicy",
            json!({"spec": {
                "podSelector": {"matchLabels": {"a": "b"}},
                "ingress": [{
                    "from": [{"podSelector": {}, "namespaceSelector": {}}],
                    "ports": [{"port": 80, "endPort": 90}, {"port": "http"}],
                }],
                "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}]}],
            }}),
        ),
        (
            "IPAddress",
            json!({
                "metadata": {"name": "10.96.0.1"},
                "spec": {"parentRef": {"resource": "services", "namespace": "default", "name": "s"}},
            }),
        ),
        ("ServiceCIDR", json!({"spec": {"cidrs": ["10.96.0.0/16", "fd00::/108"]}})),
    ]
}

fn storage() -> Vec<(&'static str, Value)> {
    vec![
        (
            "StorageClass",
            json!({
                "provisioner": "example.com/p", "parameters": {"a": "b"}, "allowVolumeExpansion": true,
                "allowedTopologies": [{"matchLabelExpressions": [{"key": "zone", "values": ["a", "b"]}]}],
            }),
        ),
        (
            "CSIDriver",
            json!({"spec": {
                "tokenRequests": [{"audience": "a", "expirationSeconds": 600}], "nodeAllocatableUpdatePeriodSeconds": 10,
            }}),
        ),
        (
            "CSINode",
            json!({"spec": {"drivers": [
                {"name": "d", "nodeID": "i", "topologyKeys": ["zone"], "allocatable": {"count": 5}},
            ]}}),
        ),
        (
            "CSIStorageCapacity",
            json!({"storageClassName": "c", "capacity": "1024Mi", "nodeTopology": {"matchLabels": {"a": "b"}}}),
        ),
        (
            "VolumeAttachment",
            json!({"spec": {"attacher": "d", "nodeName": "n", "source": {"persistentVolumeName": "v"}}}),
        ),
        ("VolumeAttributesClass", json!({"driverName": "d", "parameters": {"a": "b"}})),
    ]
}

fn admission() -> Vec<(&'static str, Value)> {
    let rule = json!({
        "operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods", "pods/status"],
    });
    let hook = |client: Value| {
        json!({
            "name": "a.example.com", "rules": [rule], "clientConfig": client, "sideEffects": "None",
            "admissionReviewVersions": ["v1"], "matchConditions": [{"name": "c", "expression": "true"}],
        })
    };
    let service = json!({"service": {"name": "s", "namespace": "n", "path": "/a/b"}});
    let constraints = json!({"resourceRules": [rule], "namespaceSelector": {"matchLabels": {"a": "b"}}});
    let parameters = json!({"apiVersion": "a.b/v1", "kind": "K"});
    let reference = json!({"name": "p", "parameterNotFoundAction": "Deny"});
    vec![
        ("MutatingWebhookConfiguration", json!({"webhooks": [hook(service)]})),
        ("ValidatingWebhookConfiguration", json!({"webhooks": [hook(json!({"url": "https://a.b/c"}))]})),
        (
            "ValidatingAdmissionPolicy",
            json!({"spec": {
                "matchConstraints": constraints, "paramKind": parameters,
                "variables": [{"name": "v", "expression": "1"}],
                "validations": [{"expression": "true", "message": "m", "reason": "Invalid"}],
                "auditAnnotations": [{"key": "k", "valueExpression": "'v'"}],
            }}),
        ),
        (
            "ValidatingAdmissionPolicyBinding",
            json!({"spec": {
                "policyName": "p", "paramRef": reference, "validationActions": ["Deny"],
                "matchResources": {"resourceRules": [rule]},
            }}),
        ),
        (
            "MutatingAdmissionPolicy",
            json!({"spec": {
                "matchConstraints": constraints, "paramKind": parameters, "reinvocationPolicy": "Never",
                "mutations": [
                    {"patchType": "JSONPatch", "jsonPatch": {"expression": "[]"}},
                    {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": "Object{}"}},
                ],
            }}),
        ),
        ("MutatingAdmissionPolicyBinding", json!({"spec": {"policyName": "p", "paramRef": reference}})),
    ]
}

fn devices() -> Vec<(&'static str, Value)> {
    let selectors = json!([{"cel": {"expression": "true"}}]);
    let opaque = json!({"driver": "d.example.com", "parameters": {"a": 1}});
    let claim = json!({"devices": {
        "requests": [
            {"name": "a", "exactly": {"deviceClassName": "c", "selectors": selectors,
                "tolerations": [{"key": "k", "value": "v", "effect": "NoSchedule"}]}},
            {"name": "b", "firstAvailable": [{"name": "x", "deviceClassName": "c", "allocationMode": "All"}]},
        ],
        "constraints": [{"requests": ["a", "b/x"], "matchAttribute": "d.example.com/model"}],
        "config": [{"requests": ["a"], "opaque": opaque}],
    }});
    vec![
        (
            "DeviceClass",
            json!({"spec": {
                "selectors": selectors, "config": [{"opaque": opaque}], "extendedResourceName": "example.com/gpu",
            }}),
        ),
        ("ResourceClaim", json!({"spec": claim})),
        ("ResourceClaimTemplate", json!({"spec": {"metadata": {"labels": {"a": "b"}}, "spec": claim}})),
        (
            "ResourceSlice",
            json!({"spec": {
                "driver": "d.example.com", "nodeName": "n",
                "pool": {"name": "p", "generation": 1, "resourceSliceCount": 1},
                "devices": [{
                    "name": "g0", "allowMultipleAllocations": true,
                    "attributes": {"model": {"string": "m"}, "d.example.com/version": {"version": "1.2.3-a.1+b"}},
                    "capacity": {"memory": {"value": "1024Mi", "requestPolicy": {
                        "default": "256Mi", "validRange": {"min": "256Mi", "max": "1Gi", "step": "256Mi"},
                    }}},
                    "taints": [{"key": "k", "effect": "NoExecute"}],
                    "consumesCounters": [{"counterSet": "s", "counters": {"c": {"value": "1"}}}],
                }],
            }}),
        ),
    ]
}
