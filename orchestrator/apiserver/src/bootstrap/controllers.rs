//! Upstream's roles of the single controllers: `system:controller:NAME` for the service account
//! `kube-system/NAME`.

use super::roles::{cluster_role, cluster_role_binding, events, named, rule};
use serde_json::{Value, json};

/// The ClusterRoles.
pub(super) fn cluster_roles() -> Vec<Value> {
    all().into_iter().map(|(name, rules)| cluster_role(&format!("system:controller:{name}"), rules)).collect()
}

/// Their bindings.
pub(super) fn cluster_role_bindings() -> Vec<Value> {
    let bind = |name: &str| {
        let role = format!("system:controller:{name}");
        let subject = json!({"kind": "ServiceAccount", "name": name, "namespace": "kube-system"});
        cluster_role_binding(&role, &role, vec![subject])
    };
    all().into_iter().map(|(name, _)| bind(name)).collect()
}

const READ: &str = "get list watch";

type Controller = (&'static str, Vec<Value>);

fn all() -> Vec<Controller> {
    let mut all = workloads();
    all.extend(networking());
    all.extend(housekeeping());
    all.sort_by_key(|(name, _)| *name);
    all
}

fn workloads() -> Vec<Controller> {
    let pods = || rule("create delete get list patch update watch", "core", "pods");
    let revisions = || rule("create delete get list patch update watch", "apps", "controllerrevisions");
    vec![
        (
            "cronjob-controller",
            vec![
                rule("get list update watch", "batch", "cronjobs"),
                rule("create delete get list patch update watch", "batch", "jobs"),
                rule("update", "batch", "cronjobs/finalizers cronjobs/status"),
                rule("delete list", "core", "pods"),
                events(),
            ],
        ),
        (
            "daemon-set-controller",
            vec![
                rule(READ, "apps", "daemonsets"),
                rule("update", "apps", "daemonsets/finalizers daemonsets/status"),
                rule("list watch", "core", "nodes"),
                pods(),
                rule("create", "core", "pods/binding"),
                revisions(),
                events(),
            ],
        ),
        (
            "deployment-controller",
            vec![
                rule("get list update watch", "apps", "deployments"),
                rule("update", "apps", "deployments/finalizers deployments/status"),
                rule("create delete get list patch update watch", "apps", "replicasets"),
                rule("get list update watch", "core", "pods"),
                events(),
            ],
        ),
        (
            "job-controller",
            vec![
                rule("get list patch update watch", "batch", "jobs"),
                rule("update", "batch", "jobs/finalizers jobs/status"),
                pods(),
                events(),
            ],
        ),
        (
            "replicaset-controller",
            vec![
                rule("get list update watch", "apps", "replicasets"),
                rule("update", "apps", "replicasets/finalizers replicasets/status"),
                pods(),
                events(),
            ],
        ),
        (
            "replication-controller",
            vec![
                rule("get list update watch", "core", "replicationcontrollers"),
                rule("update", "core", "replicationcontrollers/finalizers replicationcontrollers/status"),
                pods(),
                events(),
            ],
        ),
        (
            "statefulset-controller",
            vec![
                rule("get list watch", "apps", "statefulsets"),
                rule("update", "apps", "statefulsets/finalizers statefulsets/status"),
                pods(),
                revisions(),
                rule("create delete get list update watch", "core", "persistentvolumeclaims"),
                events(),
            ],
        ),
        (
            "horizontal-pod-autoscaler",
            vec![
                rule(READ, "autoscaling", "horizontalpodautoscalers"),
                rule("update", "autoscaling", "horizontalpodautoscalers/status"),
                rule("get update", "*", "*/scale"),
                rule("list", "core", "pods"),
                rule("list", "metrics.k8s.io", "pods"),
                events(),
            ],
        ),
        (
            "disruption-controller",
            vec![
                rule(READ, "apps", "deployments replicasets statefulsets"),
                rule(READ, "policy", "poddisruptionbudgets"),
                rule("update", "policy", "poddisruptionbudgets/status"),
                rule(READ, "core", "pods replicationcontrollers"),
                rule("patch update", "core", "pods/status"),
                rule("get", "*", "*/scale"),
                events(),
            ],
        ),
    ]
}

fn networking() -> Vec<Controller> {
    vec![
        (
            "endpoint-controller",
            vec![
                rule(READ, "core", "pods services"),
                rule("create delete get list update", "core", "endpoints"),
                rule("create", "core", "endpoints/restricted"),
                events(),
            ],
        ),
        (
            "endpointslice-controller",
            vec![
                rule(READ, "core", "nodes pods services"),
                rule("update", "core", "services/finalizers"),
                rule("create delete get list update", "discovery.k8s.io", "endpointslices"),
                rule("create", "discovery.k8s.io", "endpointslices/restricted"),
                events(),
            ],
        ),
        (
            "endpointslicemirroring-controller",
            vec![
                rule(READ, "core", "endpoints services"),
                rule("update", "core", "endpoints/finalizers services/finalizers"),
                rule("create delete get list update", "discovery.k8s.io", "endpointslices"),
                rule("create", "discovery.k8s.io", "endpointslices/restricted"),
                events(),
            ],
        ),
        (
            "service-controller",
            vec![
                rule(READ, "core", "services"),
                rule("patch update", "core", "services/status"),
                rule("list watch", "core", "nodes"),
                events(),
            ],
        ),
    ]
}

fn housekeeping() -> Vec<Controller> {
    vec![
        (
            "clusterrole-aggregation-controller",
            vec![rule("escalate get list patch update watch", super::RBAC, "clusterroles")],
        ),
        ("generic-garbage-collector", vec![rule("delete get list patch update watch", "*", "*"), events()]),
        (
            "namespace-controller",
            vec![
                rule("delete get list watch", "core", "namespaces"),
                rule("update", "core", "namespaces/finalize namespaces/status"),
                rule("delete deletecollection get list", "*", "*"),
            ],
        ),
        (
            "node-controller",
            vec![
                rule("delete get list patch update", "core", "nodes"),
                rule("patch update", "core", "nodes/status"),
                rule("patch update", "core", "pods/status"),
                rule("delete get list", "core", "pods"),
                rule(READ, "coordination.k8s.io", "leases"),
                events(),
            ],
        ),
        (
            "pod-garbage-collector",
            vec![
                rule("delete list watch", "core", "pods"),
                rule("get list", "core", "nodes"),
                rule("patch", "core", "pods/status"),
            ],
        ),
        ("root-ca-cert-publisher", vec![rule("create update", "core", "configmaps"), events()]),
        ("service-account-controller", vec![rule("create", "core", "serviceaccounts"), events()]),
        (
            "resourcequota-controller",
            vec![rule("list watch", "*", "*"), rule("update", "core", "resourcequotas/status"), events()],
        ),
        ("ttl-after-finished-controller", vec![rule("delete get list watch", "batch", "jobs"), events()]),
        (
            "persistent-volume-binder",
            vec![
                rule("create delete get list update watch", "core", "persistentvolumes"),
                rule("update", "core", "persistentvolumes/status"),
                rule("get list update watch", "core", "persistentvolumeclaims"),
                rule("update", "core", "persistentvolumeclaims/status"),
                rule(READ, "storage.k8s.io", "storageclasses"),
                rule("get list watch", "core", "nodes pods"),
                events(),
            ],
        ),
        (
            "pvc-protection-controller",
            vec![rule("get list update watch", "core", "persistentvolumeclaims"), rule(READ, "core", "pods"), events()],
        ),
        (
            "attachdetach-controller",
            vec![
                rule("list watch", "core", "persistentvolumeclaims persistentvolumes"),
                rule(READ, "core", "nodes"),
                rule("patch update", "core", "nodes/status"),
                rule("list watch", "core", "pods"),
                rule("create delete get list watch", "storage.k8s.io", "volumeattachments"),
                rule(READ, "storage.k8s.io", "csidrivers csinodes"),
                events(),
            ],
        ),
        (
            "expand-controller",
            vec![
                rule("get list patch update watch", "core", "persistentvolumes"),
                rule("patch update", "core", "persistentvolumeclaims/status"),
                rule(READ, "core", "persistentvolumeclaims"),
                rule(READ, "storage.k8s.io", "storageclasses"),
                events(),
            ],
        ),
        (
            "ephemeral-volume-controller",
            vec![
                rule("update", "core", "pods/finalizers"),
                rule(READ, "core", "pods"),
                rule("create get list watch", "core", "persistentvolumeclaims"),
                events(),
            ],
        ),
        (
            "resource-claim-controller",
            vec![
                rule("update", "core", "pods/finalizers"),
                rule(READ, "core", "pods"),
                rule("patch update", "core", "pods/status"),
                rule("create delete get list watch", "resource.k8s.io", "resourceclaims"),
                rule("patch update", "resource.k8s.io", "resourceclaims resourceclaims/status"),
                rule(READ, "resource.k8s.io", "resourceclaimtemplates"),
                events(),
            ],
        ),
        (
            "device-taint-eviction-controller",
            vec![
                rule("delete get list watch", "core", "pods"),
                rule("patch update", "core", "pods/status"),
                rule(READ, "resource.k8s.io", "deviceclasses devicetaintrules resourceclaims resourceslices"),
                events(),
            ],
        ),
        (
            "taint-eviction-controller",
            vec![
                rule("delete get list watch", "core", "pods"),
                rule("patch update", "core", "pods/status"),
                rule(READ, "core", "nodes"),
                events(),
            ],
        ),
        (
            "certificate-controller",
            vec![
                rule("delete get list watch", "certificates.k8s.io", "certificatesigningrequests"),
                rule(
                    "update",
                    "certificates.k8s.io",
                    "certificatesigningrequests/approval certificatesigningrequests/status",
                ),
                named("approve", "certificates.k8s.io", "signers", "kubernetes.io/kube-apiserver-client-kubelet"),
                named(
                    "sign",
                    "certificates.k8s.io",
                    "signers",
                    "kubernetes.io/kube-apiserver-client kubernetes.io/kube-apiserver-client-kubelet \
                     kubernetes.io/kubelet-serving kubernetes.io/legacy-unknown",
                ),
                rule("create", "authorization.k8s.io", "subjectaccessreviews"),
                events(),
            ],
        ),
        (
            "route-controller",
            vec![rule("list watch", "core", "nodes"), rule("patch", "core", "nodes/status"), events()],
        ),
        ("ttl-controller", vec![rule("list patch update watch", "core", "nodes"), events()]),
        (
            "service-cidrs-controller",
            vec![
                rule("get list patch update watch", "networking.k8s.io", "servicecidrs"),
                rule("patch update", "networking.k8s.io", "servicecidrs/finalizers servicecidrs/status"),
                rule(READ, "networking.k8s.io", "ipaddresses"),
                events(),
            ],
        ),
        (
            "validatingadmissionpolicy-status-controller",
            vec![
                rule(READ, "admissionregistration.k8s.io", "validatingadmissionpolicies"),
                rule("get patch update", "admissionregistration.k8s.io", "validatingadmissionpolicies/status"),
                events(),
            ],
        ),
        (
            "legacy-service-account-token-cleaner",
            vec![
                rule("get", "core", "configmaps"),
                rule("delete list patch watch", "core", "secrets"),
                rule("list watch", "core", "pods serviceaccounts"),
            ],
        ),
        (
            "selinux-warning-controller",
            vec![
                rule(READ, "core", "persistentvolumeclaims persistentvolumes pods"),
                rule(READ, "storage.k8s.io", "csidrivers"),
                events(),
            ],
        ),
        (
            "volumeattributesclass-protection-controller",
            vec![
                rule("get list update watch", "storage.k8s.io", "volumeattributesclasses"),
                rule(READ, "core", "persistentvolumeclaims persistentvolumes"),
                events(),
            ],
        ),
        ("pv-protection-controller", vec![rule("get list update watch", "core", "persistentvolumes"), events()]),
    ]
}
