mod samples;

use super::{fields, metadata};
use crate::field::Errors;
use crate::{Catalog, Kind};
use expect_test::{Expect, expect};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) mod platform;

/// 2026-01-01T01:00:00Z, an hour after the objects of these tests were created.
pub(super) const NOW: i64 = 1_767_225_600 + 3600;

/// The served kind of this name, which may have the apiVersion before it.
#[track_caller]
pub(super) fn kind(name: &str) -> Arc<Kind> {
    let (version, kind) = name.split_once(' ').unwrap_or(("", name));
    let fits = |known: &&Arc<Kind>| known.kind == kind && (version.is_empty() || known.api_version() == version);
    Catalog::builtin().all().iter().find(fits).expect(name).clone()
}

/// The object as a create stores it.
#[track_caller]
pub(super) fn created(name: &str, mut object: Value) -> Value {
    let kind = kind(name);
    let metadata = &mut object["metadata"];
    fields::default(metadata, "name", "x");
    if kind.scope == crate::Scope::Namespaced {
        fields::default(metadata, "namespace", "default");
    }
    fields::default(metadata, "uid", "u-1");
    fields::default(metadata, "creationTimestamp", "2026-01-01T00:00:00Z");
    (kind.strategy.default)(&mut object);
    (kind.strategy.prepare_create)(&mut object);
    object
}

/// The object as an update of the main resource stores it.
#[track_caller]
pub(super) fn updated(name: &str, old: &Value, change: impl FnOnce(&mut Value)) -> Value {
    let kind = kind(name);
    let mut object = old.clone();
    change(&mut object);
    (kind.strategy.default)(&mut object);
    (kind.strategy.prepare_update)(&mut object, old);
    object
}

fn lines(errors: &Errors) -> String {
    errors.0.iter().map(|error| format!("{error}\n")).collect()
}

/// What is wrong with a new object.
#[track_caller]
pub(super) fn refused(name: &str, object: Value, expected: Expect) {
    let (kind, object) = (kind(name), created(name, object));
    let mut errors = Errors::default();
    metadata::validate(&kind, &object, &mut errors);
    (kind.strategy.validate)(&object, &mut errors);
    expected.assert_eq(&lines(&errors));
}

/// What is wrong with a change of an object.
#[track_caller]
pub(super) fn change_refused(name: &str, old: &Value, change: impl FnOnce(&mut Value), expected: Expect) {
    let (kind, object) = (kind(name), updated(name, old, change));
    let mut errors = Errors::default();
    metadata::validate_update(&object, old, &mut errors);
    (kind.strategy.validate)(&object, &mut errors);
    (kind.strategy.validate_update)(&object, old, &mut errors);
    expected.assert_eq(&lines(&errors));
}

/// The object without what every object has, as short JSON.
#[track_caller]
pub(super) fn stored(object: &Value, pointer: &str, expected: Expect) {
    expected.assert_eq(&serde_json::to_string_pretty(object.pointer(pointer).expect(pointer)).expect("JSON"));
}

/// The cells of objects, a line for each.
#[track_caller]
pub(super) fn shown(name: &str, objects: &[Value], expected: Expect) {
    let kind = kind(name);
    let line = |object: &Value| {
        let cells = (kind.strategy.cells)(object, NOW);
        let cells: Vec<String> = cells.iter().map(|cell| cell.as_str().map_or(cell.to_string(), Into::into)).collect();
        format!("{}\n", cells.join(" | "))
    };
    expected.assert_eq(&objects.iter().map(line).collect::<String>());
}

/// The object with these fields more, or instead of its own.
#[track_caller]
pub(super) fn with(mut object: Value, fields: Value) -> Value {
    let Value::Object(fields) = fields else { panic!("not fields: {fields}") };
    for (key, value) in fields {
        object[key] = value;
    }
    object
}

/// An object whose spec is about Pods with the label `app=x`, and has these fields.
#[track_caller]
pub(super) fn replicated(fields: Value) -> Value {
    let spec = json!({"selector": {"matchLabels": {"app": "x"}}, "template": template()});
    json!({"spec": with(spec, fields)})
}

/// A container that is good.
pub(super) fn container() -> Value {
    json!({"name": "c", "image": "hello:1"})
}

/// A template that is good, with the label `app=x`.
pub(super) fn template() -> Value {
    json!({"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [container()]}})
}

/// Objects with most of what the rules look at.
fn samples() -> Vec<(&'static str, Value)> {
    let pod = json!({"spec": {
        "containers": [{
            "name": "c", "image": "hello", "ports": [{"name": "http", "containerPort": 80, "hostPort": 80}],
            "env": [
                {"name": "A", "value": "b"},
                {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                {"name": "C", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
                {"name": "D", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "k"}}},
            ],
            "envFrom": [{"secretRef": {"name": "s"}}],
            "resources": {"limits": {"cpu": "1000m", "memory": "0.5Gi"}, "requests": {"cpu": "0.1"}},
            "volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": "a"}],
            "livenessProbe": {"httpGet": {"port": "http", "httpHeaders": [{"name": "A", "value": "b"}]}},
            "lifecycle": {"preStop": {"sleep": {"seconds": 1}}},
            "securityContext": {"runAsUser": 1, "seccompProfile": {"type": "RuntimeDefault"}},
        }],
        "initContainers": [{"name": "i", "image": "a:1", "restartPolicy": "Always"}],
        "volumes": [
            {"name": "v"},
            {"name": "w", "configMap": {"name": "m", "items": [{"key": "k", "path": "p"}]}},
            {"name": "p", "projected": {"sources": [
                {"serviceAccountToken": {"path": "token"}},
                {"downwardAPI": {"items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
            ]}},
        ],
        "tolerations": [{"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}],
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
            {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]},
        ]}}},
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}],
        "dnsConfig": {"nameservers": ["10.0.0.1"], "searches": ["a.b"], "options": [{"name": "ndots"}]},
        "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["a"]}], "readinessGates": [{"conditionType": "a/b"}],
        "imagePullSecrets": [{"name": "s"}], "nodeSelector": {"a": "b"},
    }, "status": {
        "containerStatuses": [{"name": "c", "state": {"running": {}}, "ready": true, "restartCount": 1,
            "lastState": {"terminated": {"finishedAt": "2026-01-01T00:00:00Z"}}}],
        "initContainerStatuses": [{"name": "i", "started": true, "state": {"running": {}}}],
        "conditions": [{"type": "Ready", "status": "True"}],
    }});
    let selector = json!({"matchLabels": {"app": "x"}, "matchExpressions": [{"key": "app", "operator": "Exists"}]});
    let mut all = vec![
        ("Pod", pod),
        ("ConfigMap", json!({"data": {"a": "b"}, "binaryData": {"c": "YQ=="}})),
        ("Secret", json!({"data": {"c": "YQ=="}})),
        ("Namespace", json!({})),
        (
            "Node",
            json!({
                "spec": {"taints": [{"key": "a", "effect": "NoExecute"}], "podCIDRs": ["10.0.0.0/24"]},
                "status": {"capacity": {"cpu": "2000m"}, "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}]},
            }),
        ),
        (
            "Service",
            json!({"spec": {
                "type": "LoadBalancer", "ports": [{"port": 80}], "selector": {"a": "b"}, "sessionAffinity": "ClientIP",
                "clusterIP": "10.96.0.1",
            }}),
        ),
        ("Deployment", json!({"spec": {"selector": selector, "template": template()}})),
        ("ReplicaSet", json!({"spec": {"selector": selector, "template": template()}})),
        ("Job", json!({"spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [container()]}}}})),
        ("Lease", json!({"spec": {"holderIdentity": "n", "leaseDurationSeconds": 40}})),
        (
            "EndpointSlice",
            json!({
                "addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}], "ports": [{"port": 80}],
            }),
        ),
        ("RuntimeClass", json!({"handler": "wasm", "scheduling": {"tolerations": [{"operator": "Exists"}]}})),
        ("PriorityClass", json!({"value": 5})),
        ("Role", json!({"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]})),
        (
            "RoleBinding",
            json!({
                "roleRef": {"kind": "Role", "name": "r"},
                "subjects": [{"kind": "User", "name": "u"}, {"kind": "ServiceAccount", "name": "s", "namespace": "n"}],
            }),
        ),
        ("Event", json!({"involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"}, "source": {}})),
        ("ServiceAccount", json!({"secrets": [{"name": "s"}]})),
    ];
    all.extend(platform::samples());
    all.extend(samples::workloads());
    all
}

#[test]
fn good_objects_are_taken_and_defaulting_them_again_changes_nothing() {
    for (name, object) in samples() {
        refused(name, object.clone(), expect![""]);
        let once = created(name, object);
        let mut twice = once.clone();
        (kind(name).strategy.default)(&mut twice);
        assert_eq!(once, twice, "{name}");
        change_refused(name, &once, |_| {}, expect![""]);
        assert_eq!(updated(name, &once, |_| {}), once, "an update without a change changes {name}");
    }
}

#[test]
fn what_the_rules_write_fits_the_schema() {
    for (name, object) in samples() {
        let (kind, mut object) = (kind(name), created(name, object));
        assert_eq!(kind.schema().prune(&mut object), Vec::<String>::new(), "{name}");
        let mut errors = Errors::default();
        kind.schema().check(&mut object, &mut errors);
        assert_eq!(lines(&errors), "", "{name}");
    }
}

#[test]
fn what_the_rules_write_decodes_as_the_controllers_types() {
    use k8s_openapi::api::{apps::v1 as apps, batch::v1 as batch, core::v1 as core, discovery::v1 as discovery};
    use k8s_openapi::api::{autoscaling, events::v1 as events, policy::v1 as policy};
    fn decode<T: serde::de::DeserializeOwned>(object: Value) -> Result<(), String> {
        serde_json::from_value::<T>(object).map(|_| ()).map_err(|wrong| wrong.to_string())
    }
    type Decode = fn(Value) -> Result<(), String>;
    let types: [(&str, Decode); 23] = [
        ("Pod", decode::<core::Pod>),
        ("Node", decode::<core::Node>),
        ("Secret", decode::<core::Secret>),
        ("Service", decode::<core::Service>),
        ("Deployment", decode::<apps::Deployment>),
        ("ReplicaSet", decode::<apps::ReplicaSet>),
        ("Job", decode::<batch::Job>),
        ("EndpointSlice", decode::<discovery::EndpointSlice>),
        ("ReplicationController", decode::<core::ReplicationController>),
        ("PodTemplate", decode::<core::PodTemplate>),
        ("Endpoints", decode::<core::Endpoints>),
        ("LimitRange", decode::<core::LimitRange>),
        ("ResourceQuota", decode::<core::ResourceQuota>),
        ("PersistentVolume", decode::<core::PersistentVolume>),
        ("PersistentVolumeClaim", decode::<core::PersistentVolumeClaim>),
        ("DaemonSet", decode::<apps::DaemonSet>),
        ("StatefulSet", decode::<apps::StatefulSet>),
        ("ControllerRevision", decode::<apps::ControllerRevision>),
        ("CronJob", decode::<batch::CronJob>),
        ("autoscaling/v1 HorizontalPodAutoscaler", decode::<autoscaling::v1::HorizontalPodAutoscaler>),
        ("autoscaling/v2 HorizontalPodAutoscaler", decode::<autoscaling::v2::HorizontalPodAutoscaler>),
        ("PodDisruptionBudget", decode::<policy::PodDisruptionBudget>),
        ("events.k8s.io/v1 Event", decode::<events::Event>),
    ];
    for (name, decode) in types {
        let (_, object) = samples().into_iter().find(|(sample, _)| *sample == name).expect(name);
        let kind = kind(name);
        let mut object = created(name, object);
        object["apiVersion"] = json!(kind.api_version());
        object["kind"] = json!(kind.kind);
        assert_eq!(decode(object), Ok(()), "{name}");
    }
}

fn pointers(value: &Value, at: &str, all: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(key, child)| (key.replace('/', "~1"), child)).collect(),
        Value::Array(list) => list.iter().enumerate().map(|(index, child)| (index.to_string(), child)).collect(),
        _ => Vec::new(),
    };
    for (key, child) in children {
        let at = format!("{at}/{key}");
        pointers(child, &at, all);
        all.push(at);
    }
}

#[test]
fn no_part_of_an_object_is_so_bad_that_the_rules_panic() {
    for (name, object) in samples() {
        let kind = kind(name);
        let mut all = Vec::new();
        pointers(&object, "", &mut all);
        for pointer in all {
            for bad in [Value::Null, json!({}), json!([]), json!([null]), json!(""), json!(-1)] {
                let mut broken = object.clone();
                let place = broken.pointer_mut(&pointer).expect("exists");
                // The schema has seen to it that objects are objects and texts are texts.
                if std::mem::discriminant(place) != std::mem::discriminant(&bad) && !bad.is_null() {
                    continue;
                }
                *place = bad;
                let broken = created(name, broken);
                let mut errors = Errors::default();
                metadata::validate(&kind, &broken, &mut errors);
                (kind.strategy.validate)(&broken, &mut errors);
                (kind.strategy.validate_update)(&broken, &object, &mut errors);
                (kind.strategy.validate_update)(&object, &broken, &mut errors);
                (kind.strategy.warnings)(&broken);
                (kind.strategy.grace_seconds)(&broken);
                (kind.strategy.cells)(&broken, NOW);
                let mut changed = broken.clone();
                (kind.strategy.prepare_update)(&mut changed, &object);
                (kind.strategy.prepare_status_update)(&mut changed, &object);
            }
        }
    }
}

#[test]
fn the_table_lists_what_kubectl_api_resources_shows() {
    let mut lines = String::new();
    for kind in Catalog::builtin().all() {
        let scope = if kind.scope == crate::Scope::Namespaced { "ns" } else { "cluster" };
        let subresources: Vec<&str> = kind.subresources.iter().map(|sub| &*sub.name).collect();
        lines += &format!(
            "{} {} [{}] {} {:?} verbs {} {}\n",
            kind.plural,
            kind.api_version(),
            kind.short_names.join(","),
            scope,
            kind.kind,
            kind.verbs.len(),
            subresources.join(",")
        );
    }
    expect![[r#"
        configmaps v1 [cm] ns "ConfigMap" verbs 8 
        events v1 [ev] ns "Event" verbs 8 
        namespaces v1 [ns] cluster "Namespace" verbs 7 finalize,status
        nodes v1 [no] cluster "Node" verbs 8 proxy,status
        pods v1 [po] ns "Pod" verbs 8 attach,binding,ephemeralcontainers,eviction,exec,log,portforward,proxy,resize,status
        secrets v1 [] ns "Secret" verbs 8 
        serviceaccounts v1 [sa] ns "ServiceAccount" verbs 8 token
        services v1 [svc] ns "Service" verbs 8 proxy,status
        deployments apps/v1 [deploy] ns "Deployment" verbs 8 scale,status
        replicasets apps/v1 [rs] ns "ReplicaSet" verbs 8 scale,status
        jobs batch/v1 [] ns "Job" verbs 8 status
        leases coordination.k8s.io/v1 [] ns "Lease" verbs 8 
        endpointslices discovery.k8s.io/v1 [] ns "EndpointSlice" verbs 8 
        runtimeclasses node.k8s.io/v1 [] cluster "RuntimeClass" verbs 8 
        priorityclasses scheduling.k8s.io/v1 [pc] cluster "PriorityClass" verbs 8 
        ingresses networking.k8s.io/v1 [ing] ns "Ingress" verbs 8 status
        ingressclasses networking.k8s.io/v1 [] cluster "IngressClass" verbs 8 
        networkpolicies networking.k8s.io/v1 [netpol] ns "NetworkPolicy" verbs 8 
        ipaddresses networking.k8s.io/v1 [ip] cluster "IPAddress" verbs 8 
        servicecidrs networking.k8s.io/v1 [] cluster "ServiceCIDR" verbs 8 status
        storageclasses storage.k8s.io/v1 [sc] cluster "StorageClass" verbs 8 
        csidrivers storage.k8s.io/v1 [] cluster "CSIDriver" verbs 8 
        csinodes storage.k8s.io/v1 [] cluster "CSINode" verbs 8 
        csistoragecapacities storage.k8s.io/v1 [] ns "CSIStorageCapacity" verbs 8 
        volumeattachments storage.k8s.io/v1 [] cluster "VolumeAttachment" verbs 8 status
        volumeattributesclasses storage.k8s.io/v1 [vac] cluster "VolumeAttributesClass" verbs 8 
        certificatesigningrequests certificates.k8s.io/v1 [csr] cluster "CertificateSigningRequest" verbs 8 approval,status
        flowschemas flowcontrol.apiserver.k8s.io/v1 [] cluster "FlowSchema" verbs 8 status
        prioritylevelconfigurations flowcontrol.apiserver.k8s.io/v1 [] cluster "PriorityLevelConfiguration" verbs 8 status
        deviceclasses resource.k8s.io/v1 [] cluster "DeviceClass" verbs 8 
        resourceclaims resource.k8s.io/v1 [] ns "ResourceClaim" verbs 8 status
        resourceclaimtemplates resource.k8s.io/v1 [] ns "ResourceClaimTemplate" verbs 8 
        resourceslices resource.k8s.io/v1 [] cluster "ResourceSlice" verbs 8 
        apiservices apiregistration.k8s.io/v1 [] cluster "APIService" verbs 8 status
        customresourcedefinitions apiextensions.k8s.io/v1 [crd,crds] cluster "CustomResourceDefinition" verbs 8 status
        mutatingwebhookconfigurations admissionregistration.k8s.io/v1 [] cluster "MutatingWebhookConfiguration" verbs 8 
        validatingwebhookconfigurations admissionregistration.k8s.io/v1 [] cluster "ValidatingWebhookConfiguration" verbs 8 
        validatingadmissionpolicies admissionregistration.k8s.io/v1 [] cluster "ValidatingAdmissionPolicy" verbs 8 status
        validatingadmissionpolicybindings admissionregistration.k8s.io/v1 [] cluster "ValidatingAdmissionPolicyBinding" verbs 8 
        mutatingadmissionpolicies admissionregistration.k8s.io/v1 [] cluster "MutatingAdmissionPolicy" verbs 8 
        mutatingadmissionpolicybindings admissionregistration.k8s.io/v1 [] cluster "MutatingAdmissionPolicyBinding" verbs 8 
        clusterroles rbac.authorization.k8s.io/v1 [] cluster "ClusterRole" verbs 8 
        roles rbac.authorization.k8s.io/v1 [] ns "Role" verbs 8 
        clusterrolebindings rbac.authorization.k8s.io/v1 [] cluster "ClusterRoleBinding" verbs 8 
        rolebindings rbac.authorization.k8s.io/v1 [] ns "RoleBinding" verbs 8 
        selfsubjectreviews authentication.k8s.io/v1 [] cluster "SelfSubjectReview" verbs 1 
        tokenreviews authentication.k8s.io/v1 [] cluster "TokenReview" verbs 1 
        localsubjectaccessreviews authorization.k8s.io/v1 [] ns "LocalSubjectAccessReview" verbs 1 
        selfsubjectaccessreviews authorization.k8s.io/v1 [] cluster "SelfSubjectAccessReview" verbs 1 
        selfsubjectrulesreviews authorization.k8s.io/v1 [] cluster "SelfSubjectRulesReview" verbs 1 
        subjectaccessreviews authorization.k8s.io/v1 [] cluster "SubjectAccessReview" verbs 1 
        replicationcontrollers v1 [rc] ns "ReplicationController" verbs 8 scale,status
        podtemplates v1 [] ns "PodTemplate" verbs 8 
        endpoints v1 [ep] ns "Endpoints" verbs 8 
        limitranges v1 [limits] ns "LimitRange" verbs 8 
        resourcequotas v1 [quota] ns "ResourceQuota" verbs 8 status
        persistentvolumes v1 [pv] cluster "PersistentVolume" verbs 8 status
        persistentvolumeclaims v1 [pvc] ns "PersistentVolumeClaim" verbs 8 status
        componentstatuses v1 [cs] cluster "ComponentStatus" verbs 2 
        bindings v1 [] ns "Binding" verbs 1 
        controllerrevisions apps/v1 [] ns "ControllerRevision" verbs 8 
        daemonsets apps/v1 [ds] ns "DaemonSet" verbs 8 status
        statefulsets apps/v1 [sts] ns "StatefulSet" verbs 8 scale,status
        horizontalpodautoscalers autoscaling/v2 [hpa] ns "HorizontalPodAutoscaler" verbs 8 status
        horizontalpodautoscalers autoscaling/v1 [hpa] ns "HorizontalPodAutoscaler" verbs 8 status
        cronjobs batch/v1 [cj] ns "CronJob" verbs 8 status
        poddisruptionbudgets policy/v1 [pdb] ns "PodDisruptionBudget" verbs 8 status
        events events.k8s.io/v1 [ev] ns "Event" verbs 8 
    "#]]
    .assert_eq(&lines);
}

/// Headings, those of `-o wide` in brackets.
#[test]
fn the_columns_are_those_that_kubectl_get_shows() {
    let mut lines = String::new();
    for kind in Catalog::builtin().all() {
        let heading = |column: &crate::kind::Column| match column.priority {
            0 => column.name.to_string(),
            _ => format!("[{}]", column.name),
        };
        let headings: Vec<String> = kind.columns.iter().map(heading).collect();
        lines += &format!("{} {}: {}\n", kind.plural, kind.api_version(), headings.join(", "));
    }
    expect![[r#"
        configmaps v1: Name, Data, Age
        events v1: Last Seen, Type, Reason, Object, [Subobject], [Source], Message, [First Seen], [Count], [Name]
        namespaces v1: Name, Status, Age
        nodes v1: Name, Status, Roles, Age, Version, [Internal-IP], [External-IP], [OS-Image], [Kernel-Version], [Container-Runtime]
        pods v1: Name, Ready, Status, Restarts, Age, [IP], [Node], [Nominated Node], [Readiness Gates]
        secrets v1: Name, Type, Data, Age
        serviceaccounts v1: Name, Secrets, Age
        services v1: Name, Type, Cluster-IP, External-IP, Port(s), Age, [Selector]
        deployments apps/v1: Name, Ready, Up-to-date, Available, Age, [Containers], [Images], [Selector]
        replicasets apps/v1: Name, Desired, Current, Ready, Age, [Containers], [Images], [Selector]
        jobs batch/v1: Name, Status, Completions, Duration, Age, [Containers], [Images], [Selector]
        leases coordination.k8s.io/v1: Name, Holder, Age
        endpointslices discovery.k8s.io/v1: Name, AddressType, Ports, Endpoints, Age
        runtimeclasses node.k8s.io/v1: Name, Handler, Age
        priorityclasses scheduling.k8s.io/v1: Name, Value, Global-Default, Age, PreemptionPolicy
        ingresses networking.k8s.io/v1: Name, Class, Hosts, Address, Ports, Age
        ingressclasses networking.k8s.io/v1: Name, Controller, Parameters, Age
        networkpolicies networking.k8s.io/v1: Name, Pod-Selector, Age
        ipaddresses networking.k8s.io/v1: Name, ParentRef, Age
        servicecidrs networking.k8s.io/v1: Name, CIDRs, Age
        storageclasses storage.k8s.io/v1: Name, Provisioner, ReclaimPolicy, VolumeBindingMode, AllowVolumeExpansion, Age
        csidrivers storage.k8s.io/v1: Name, AttachRequired, PodInfoOnMount, StorageCapacity, TokenRequests, RequiresRepublish, Modes, Age
        csinodes storage.k8s.io/v1: Name, Drivers, Age
        csistoragecapacities storage.k8s.io/v1: Name, StorageClassName, Capacity
        volumeattachments storage.k8s.io/v1: Name, Attacher, PV, Node, Attached, Age
        volumeattributesclasses storage.k8s.io/v1: Name, DriverName, Age
        certificatesigningrequests certificates.k8s.io/v1: Name, Age, SignerName, Requestor, RequestedDuration, Condition
        flowschemas flowcontrol.apiserver.k8s.io/v1: Name, PriorityLevel, MatchingPrecedence, DistinguisherMethod, Age, MissingPL
        prioritylevelconfigurations flowcontrol.apiserver.k8s.io/v1: Name, Type, NominalConcurrencyShares, Queues, HandSize, QueueLengthLimit, Age
        deviceclasses resource.k8s.io/v1: Name, Age
        resourceclaims resource.k8s.io/v1: Name, State, Age
        resourceclaimtemplates resource.k8s.io/v1: Name, Age
        resourceslices resource.k8s.io/v1: Name, Node, Driver, Pool, Age
        apiservices apiregistration.k8s.io/v1: Name, Service, Available, Age
        customresourcedefinitions apiextensions.k8s.io/v1: Name, Created At
        mutatingwebhookconfigurations admissionregistration.k8s.io/v1: Name, Webhooks, Age
        validatingwebhookconfigurations admissionregistration.k8s.io/v1: Name, Webhooks, Age
        validatingadmissionpolicies admissionregistration.k8s.io/v1: Name, Validations, ParamKind, Age
        validatingadmissionpolicybindings admissionregistration.k8s.io/v1: Name, PolicyName, ParamRef, Age
        mutatingadmissionpolicies admissionregistration.k8s.io/v1: Name, Mutations, ParamKind, Age
        mutatingadmissionpolicybindings admissionregistration.k8s.io/v1: Name, PolicyName, ParamRef, Age
        clusterroles rbac.authorization.k8s.io/v1: Name, Created At
        roles rbac.authorization.k8s.io/v1: Name, Created At
        clusterrolebindings rbac.authorization.k8s.io/v1: Name, Role, Age, [Users], [Groups], [ServiceAccounts]
        rolebindings rbac.authorization.k8s.io/v1: Name, Role, Age, [Users], [Groups], [ServiceAccounts]
        selfsubjectreviews authentication.k8s.io/v1: Name, Created At
        tokenreviews authentication.k8s.io/v1: Name, Created At
        localsubjectaccessreviews authorization.k8s.io/v1: Name, Created At
        selfsubjectaccessreviews authorization.k8s.io/v1: Name, Created At
        selfsubjectrulesreviews authorization.k8s.io/v1: Name, Created At
        subjectaccessreviews authorization.k8s.io/v1: Name, Created At
        replicationcontrollers v1: Name, Desired, Current, Ready, Age, [Containers], [Images], [Selector]
        podtemplates v1: Name, Containers, Images, Pod Labels
        endpoints v1: Name, Endpoints, Age
        limitranges v1: Name, Created At
        resourcequotas v1: Name, Request, Limit, Age
        persistentvolumes v1: Name, Capacity, Access Modes, Reclaim Policy, Status, Claim, StorageClass, VolumeAttributesClass, Reason, Age, [VolumeMode]
        persistentvolumeclaims v1: Name, Status, Volume, Capacity, Access Modes, StorageClass, VolumeAttributesClass, Age, [VolumeMode]
        componentstatuses v1: Name, Status, Message, Error
        bindings v1: Name, Created At
        controllerrevisions apps/v1: Name, Controller, Revision, Age
        daemonsets apps/v1: Name, Desired, Current, Ready, Up-to-date, Available, Node Selector, Age, [Containers], [Images], [Selector]
        statefulsets apps/v1: Name, Ready, Age, [Containers], [Images]
        horizontalpodautoscalers autoscaling/v2: Name, Reference, Targets, MinPods, MaxPods, Replicas, Age
        horizontalpodautoscalers autoscaling/v1: Name, Reference, Targets, MinPods, MaxPods, Replicas, Age
        cronjobs batch/v1: Name, Schedule, Timezone, Suspend, Active, Last Schedule, Age, [Containers], [Images], [Selector]
        poddisruptionbudgets policy/v1: Name, Min Available, Max Unavailable, Allowed Disruptions, Age
        events events.k8s.io/v1: Last Seen, Type, Reason, Object, [Subobject], [Source], Message, [First Seen], [Count], [Name]
    "#]].assert_eq(&lines);
}

#[test]
fn every_kind_has_as_many_cells_as_columns() {
    for kind in Catalog::builtin().all() {
        let object = serde_json::json!({"metadata": {"name": "x", "creationTimestamp": "2026-01-01T00:00:00Z"}});
        assert_eq!((kind.strategy.cells)(&object, 1_800_000_000).len(), kind.columns.len(), "{kind:?}");
    }
}
