//! Upstream's default roles of users, nodes and the control plane.

use super::RBAC;
use serde_json::{Value, json};

const READ: &str = "get list watch";
const WRITE: &str = "create delete deletecollection patch update";
const READ_WRITE: &str = "create delete deletecollection get list patch update watch";
const CERTIFICATES: &str = "certificates.k8s.io";
/// Both groups that serve Events.
const EVENT_GROUPS: &str = "core events.k8s.io";

/// A rule; each argument is a list of words, the group `core` is "".
pub(super) fn rule(verbs: &str, groups: &str, resources: &str) -> Value {
    let groups: Vec<&str> = groups.split(' ').map(|group| if group == "core" { "" } else { group }).collect();
    json!({"verbs": words(verbs), "apiGroups": groups, "resources": words(resources)})
}

/// A rule for objects of these names only.
pub(super) fn named(verbs: &str, groups: &str, resources: &str, names: &str) -> Value {
    let mut rule = rule(verbs, groups, resources);
    rule["resourceNames"] = json!(words(names));
    rule
}

/// Leave to record Events.
pub(super) fn events() -> Value {
    rule("create patch update", EVENT_GROUPS, "events")
}

fn paths(urls: &str) -> Value {
    json!({"verbs": ["get"], "nonResourceURLs": words(urls)})
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

/// Metadata of every default role and binding.
fn metadata(name: &str) -> Value {
    json!({
        "name": name,
        "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
        "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"},
    })
}

/// A ClusterRole.
pub(super) fn cluster_role(name: &str, rules: Vec<Value>) -> Value {
    json!({"apiVersion": format!("{RBAC}/v1"), "kind": "ClusterRole", "metadata": metadata(name), "rules": rules})
}

/// A ClusterRoleBinding.
pub(super) fn cluster_role_binding(name: &str, role: &str, subjects: Vec<Value>) -> Value {
    json!({
        "apiVersion": format!("{RBAC}/v1"), "kind": "ClusterRoleBinding", "metadata": metadata(name),
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role}, "subjects": subjects,
    })
}

fn user(name: &str) -> Value {
    json!({"apiGroup": RBAC, "kind": "User", "name": name})
}

fn group(name: &str) -> Value {
    json!({"apiGroup": RBAC, "kind": "Group", "name": name})
}

fn label(role: &mut Value, into: &str) {
    role["metadata"]["labels"][format!("rbac.authorization.k8s.io/aggregate-to-{into}")] = json!("true");
}

/// A ClusterRole made of all that are labelled for it.
fn aggregate(name: &str) -> Value {
    let mut role = cluster_role(name, Vec::new());
    role["aggregationRule"] = json!({"clusterRoleSelectors": [
        {"matchLabels": {format!("rbac.authorization.k8s.io/aggregate-to-{name}"): "true"}},
    ]});
    role
}

/// The roles of users and of components other than the controllers.
pub(super) fn cluster_roles() -> Vec<Value> {
    let everything = json!({"verbs": ["*"], "nonResourceURLs": ["*"]});
    let (mut edit, mut view) = (aggregate("edit"), aggregate("view"));
    label(&mut edit, "admin");
    label(&mut view, "edit");
    let mut parts = [
        ("admin", cluster_role("system:aggregate-to-admin", admin_rules())),
        ("edit", cluster_role("system:aggregate-to-edit", edit_rules())),
        ("view", cluster_role("system:aggregate-to-view", view_rules())),
    ];
    for (into, role) in &mut parts {
        label(role, into);
    }
    let mut roles = vec![
        cluster_role("cluster-admin", vec![rule("*", "*", "*"), everything]),
        cluster_role(
            "system:discovery",
            vec![paths("/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/")],
        ),
        cluster_role(
            "system:monitoring",
            vec![paths("/healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/*")],
        ),
        cluster_role(
            "system:basic-user",
            vec![
                rule("create", "authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews"),
                rule("create", "authentication.k8s.io", "selfsubjectreviews"),
            ],
        ),
        cluster_role("system:public-info-viewer", vec![paths("/healthz /livez /readyz /version /version/")]),
        cluster_role(
            "system:service-account-issuer-discovery",
            vec![paths(
                "/.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks /openid/v1/jwks/",
            )],
        ),
        cluster_role(
            "system:auth-delegator",
            vec![
                rule("create", "authentication.k8s.io", "tokenreviews"),
                rule("create", "authorization.k8s.io", "subjectaccessreviews"),
            ],
        ),
        cluster_role(
            "system:kubelet-api-admin",
            vec![
                rule(READ, "core", "nodes"),
                rule("proxy", "core", "nodes"),
                rule(
                    "*",
                    "core",
                    "nodes/log nodes/metrics nodes/proxy nodes/stats nodes/configz nodes/healthz nodes/pods",
                ),
            ],
        ),
        cluster_role("system:node-proxier", node_proxier_rules()),
        cluster_role(
            "system:node-problem-detector",
            vec![rule("get", "core", "nodes"), rule("patch", "core", "nodes/status"), events()],
        ),
        cluster_role(
            "system:node-bootstrapper",
            vec![rule("create get list watch", CERTIFICATES, "certificatesigningrequests")],
        ),
        cluster_role("system:kube-dns", vec![rule("list watch", "core", "endpoints services")]),
        cluster_role("system:kube-aggregator", vec![rule(READ, "core", "endpoints services")]),
        cluster_role(
            "system:volume-scheduler",
            vec![
                rule("get list patch update watch", "core", "persistentvolumes"),
                rule(READ, "storage.k8s.io", "storageclasses"),
                rule("get list patch update watch", "core", "persistentvolumeclaims"),
            ],
        ),
        cluster_role(
            "system:persistent-volume-provisioner",
            vec![
                rule("create delete get list watch", "core", "persistentvolumes"),
                rule("get list update watch", "core", "persistentvolumeclaims"),
                rule(READ, "storage.k8s.io", "storageclasses"),
                rule("watch", "core", "events"),
                events(),
            ],
        ),
        approver("legacy-unknown-approver", "kubernetes.io/legacy-unknown"),
        approver("kubelet-serving-approver", "kubernetes.io/kubelet-serving"),
        approver("kube-apiserver-client-approver", "kubernetes.io/kube-apiserver-client"),
        approver("kube-apiserver-client-kubelet-approver", "kubernetes.io/kube-apiserver-client-kubelet"),
        cluster_role(
            "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
            vec![rule("create", CERTIFICATES, "certificatesigningrequests/nodeclient")],
        ),
        cluster_role(
            "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
            vec![rule("create", CERTIFICATES, "certificatesigningrequests/selfnodeclient")],
        ),
        aggregate("admin"),
        edit,
        view,
        cluster_role("system:node", node_rules()),
        cluster_role("system:kube-scheduler", scheduler_rules()),
        cluster_role("system:kube-controller-manager", controller_manager_rules()),
    ];
    roles.extend(parts.map(|(_, role)| role));
    roles
}

/// Who has those roles.
pub(super) fn cluster_role_bindings() -> Vec<Value> {
    let same = |name: &str, subjects| cluster_role_binding(name, name, subjects);
    vec![
        same("cluster-admin", vec![group("system:masters")]),
        cluster_role_binding("kubeadm:cluster-admins", "cluster-admin", vec![group("kubeadm:cluster-admins")]),
        same("system:monitoring", vec![group("system:monitoring")]),
        same("system:discovery", vec![group("system:authenticated")]),
        same("system:basic-user", vec![group("system:authenticated")]),
        same("system:public-info-viewer", vec![group("system:authenticated"), group("system:unauthenticated")]),
        same("system:service-account-issuer-discovery", vec![group("system:serviceaccounts")]),
        same("system:kube-scheduler", vec![user("system:kube-scheduler")]),
        same("system:volume-scheduler", vec![user("system:kube-scheduler")]),
        same("system:node-proxier", vec![user("system:kube-proxy")]),
        same("system:kube-dns", vec![account("kube-system", "kube-dns")]),
        // What kubeadm gives to joining nodes.
        cluster_role_binding(
            "kubeadm:kubelet-bootstrap",
            "system:node-bootstrapper",
            vec![group("system:bootstrappers:kubeadm:default-node-token")],
        ),
        cluster_role_binding(
            "kubeadm:node-autoapprove-bootstrap",
            "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
            vec![group("system:bootstrappers:kubeadm:default-node-token")],
        ),
        cluster_role_binding(
            "kubeadm:node-autoapprove-certificate-rotation",
            "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
            vec![group("system:nodes")],
        ),
        same("system:kube-controller-manager", vec![user("system:kube-controller-manager")]),
        // Nobody: the Node authorizer gives these rights, each node its own.
        same("system:node", Vec::new()),
    ]
}

fn account(namespace: &str, name: &str) -> Value {
    json!({"kind": "ServiceAccount", "name": name, "namespace": namespace})
}

/// Who may approve the requests of one signer.
fn approver(name: &str, signer: &str) -> Value {
    let name = format!("system:certificates.k8s.io:{name}");
    cluster_role(&name, vec![named("approve", CERTIFICATES, "signers", signer)])
}

fn node_proxier_rules() -> Vec<Value> {
    vec![
        rule("list watch", "core", "endpoints services"),
        rule(READ, "core", "nodes"),
        rule("list watch", "discovery.k8s.io", "endpointslices"),
        rule("list watch", "networking.k8s.io", "servicecidrs"),
        events(),
    ]
}

fn role(namespace: &str, name: &str, rules: Vec<Value>) -> Value {
    let mut role = cluster_role(name, rules);
    role["kind"] = json!("Role");
    role["metadata"]["namespace"] = json!(namespace);
    role
}

fn role_binding(namespace: &str, name: &str, role: &str, subjects: Vec<Value>) -> Value {
    let mut binding = cluster_role_binding(name, role, subjects);
    binding["kind"] = json!("RoleBinding");
    binding["roleRef"]["kind"] = json!("Role");
    binding["metadata"]["namespace"] = json!(namespace);
    binding
}

/// The Roles of single namespaces and their bindings.
pub(super) fn roles() -> Vec<Value> {
    const SYSTEM: &str = "kube-system";
    const PUBLIC: &str = "kube-public";
    let bootstrap_signer = "system:controller:bootstrap-signer";
    let leader = |component: &str| {
        vec![rule("watch", "core", "configmaps"), named("get update", "core", "configmaps", component)]
    };
    let component = |name: &str| user(&format!("system:{name}"));
    let (manager, scheduler) = ("kube-controller-manager", "kube-scheduler");
    let leader_of = |name: &str| format!("system::leader-locking-{name}");
    let signer = || vec![account(SYSTEM, "bootstrap-signer")];
    let reader = "extension-apiserver-authentication-reader";
    let readers = vec![component(manager), component(scheduler)];
    let info = "kubeadm:bootstrap-signer-clusterinfo";
    vec![
        role(SYSTEM, reader, vec![named(READ, "core", "configmaps", "extension-apiserver-authentication")]),
        role(SYSTEM, bootstrap_signer, vec![rule(READ, "core", "secrets")]),
        role(SYSTEM, "system:controller:cloud-provider", vec![rule("create get list watch", "core", "configmaps")]),
        role(
            SYSTEM,
            "system:controller:token-cleaner",
            vec![rule("delete get list watch", "core", "secrets"), events()],
        ),
        role(SYSTEM, &leader_of(manager), leader(manager)),
        role(SYSTEM, &leader_of(scheduler), leader(scheduler)),
        role(
            PUBLIC,
            bootstrap_signer,
            vec![rule(READ, "core", "configmaps"), named("update", "core", "configmaps", "cluster-info"), events()],
        ),
        role(PUBLIC, info, vec![named("get", "core", "configmaps", "cluster-info")]),
        role_binding(SYSTEM, &format!("system::{reader}"), reader, readers),
        role_binding(
            SYSTEM,
            &leader_of(manager),
            &leader_of(manager),
            vec![component(manager), account(SYSTEM, manager)],
        ),
        role_binding(
            SYSTEM,
            &leader_of(scheduler),
            &leader_of(scheduler),
            vec![component(scheduler), account(SYSTEM, scheduler)],
        ),
        role_binding(SYSTEM, bootstrap_signer, bootstrap_signer, signer()),
        role_binding(
            SYSTEM,
            "system:controller:cloud-provider",
            "system:controller:cloud-provider",
            vec![account(SYSTEM, "cloud-provider")],
        ),
        role_binding(
            SYSTEM,
            "system:controller:token-cleaner",
            "system:controller:token-cleaner",
            vec![account(SYSTEM, "token-cleaner")],
        ),
        role_binding(PUBLIC, bootstrap_signer, bootstrap_signer, signer()),
        role_binding(PUBLIC, info, info, vec![user("system:anonymous")]),
    ]
}

fn admin_rules() -> Vec<Value> {
    vec![
        rule("create", "authorization.k8s.io", "localsubjectaccessreviews"),
        rule(READ_WRITE, RBAC, "rolebindings roles"),
    ]
}

fn edit_rules() -> Vec<Value> {
    vec![
        rule(READ, "core", "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy"),
        rule("impersonate", "core", "serviceaccounts"),
        rule(WRITE, "core", "pods pods/attach pods/exec pods/portforward pods/proxy"),
        rule("create", "core", "pods/eviction serviceaccounts/token"),
        rule("patch update", "core", "pods/resize"),
        rule(WRITE, "resource.k8s.io", "resourceclaims resourceclaimtemplates"),
        rule(
            WRITE,
            "core",
            "configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets \
             serviceaccounts services services/proxy",
        ),
        rule(
            WRITE,
            "apps",
            "daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets \
             statefulsets/scale",
        ),
        rule(WRITE, "autoscaling", "horizontalpodautoscalers"),
        rule(WRITE, "batch", "cronjobs jobs"),
        rule(WRITE, "policy", "poddisruptionbudgets"),
        rule(WRITE, "networking.k8s.io", "ingresses networkpolicies"),
        rule(READ_WRITE, "coordination.k8s.io", "leases"),
    ]
}

fn view_rules() -> Vec<Value> {
    vec![
        rule(
            READ,
            "core",
            "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers \
             replicationcontrollers/scale serviceaccounts services services/status",
        ),
        rule(
            READ,
            "core",
            "bindings events limitranges namespaces/status pods/log pods/status replicationcontrollers/status \
             resourcequotas resourcequotas/status",
        ),
        rule(READ, "core", "namespaces"),
        rule(READ, "discovery.k8s.io", "endpointslices"),
        rule(
            READ,
            "apps",
            "controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status \
             replicasets replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status",
        ),
        rule(READ, "autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status"),
        rule(READ, "batch", "cronjobs cronjobs/status jobs jobs/status"),
        rule(READ, "policy", "poddisruptionbudgets poddisruptionbudgets/status"),
        rule(READ, "networking.k8s.io", "ingresses ingresses/status networkpolicies"),
        rule(READ, "resource.k8s.io", "resourceclaims resourceclaims/status resourceclaimtemplates"),
    ]
}

/// What a node may do at most; which objects, its relations say. Beyond upstream's list it reads
/// namespaces, EndpointSlices and NetworkPolicies, since a node is its own service proxy here.
pub(super) fn node_rules() -> Vec<Value> {
    vec![
        rule("create", "authentication.k8s.io", "tokenreviews"),
        rule("create", "authorization.k8s.io", "localsubjectaccessreviews subjectaccessreviews"),
        rule(READ, "core", "services"),
        rule("create get list watch", "core", "nodes"),
        rule("patch update", "core", "nodes nodes/status"),
        events(),
        rule(READ, "core", "pods"),
        rule("create delete", "core", "pods"),
        rule("patch update", "core", "pods/status"),
        rule("create", "core", "pods/eviction"),
        rule(READ, "core", "configmaps secrets"),
        rule("get", "core", "persistentvolumeclaims persistentvolumes"),
        rule("create", "core", "serviceaccounts/token"),
        rule(READ, "core", "namespaces"),
        rule(READ, "discovery.k8s.io", "endpointslices"),
        rule(READ, "networking.k8s.io", "networkpolicies"),
        rule("create get list watch", "certificates.k8s.io", "certificatesigningrequests"),
        rule("create delete get patch update", "coordination.k8s.io", "leases"),
        rule(READ, "node.k8s.io", "runtimeclasses"),
        rule(READ, "storage.k8s.io", "csidrivers"),
        rule("create delete get patch update", "storage.k8s.io", "csinodes"),
        rule(READ, "certificates.k8s.io", "clustertrustbundles"),
    ]
}

fn scheduler_rules() -> Vec<Value> {
    vec![
        events(),
        rule("create", "coordination.k8s.io", "leases"),
        named("get list update watch", "coordination.k8s.io", "leases", "kube-scheduler"),
        rule(READ, "core", "namespaces nodes persistentvolumeclaims persistentvolumes replicationcontrollers services"),
        rule("delete get list watch", "core", "pods"),
        rule("create", "core", "bindings pods/binding"),
        rule("patch update", "core", "pods/status"),
        rule(READ, "apps", "replicasets statefulsets"),
        rule(READ, "policy", "poddisruptionbudgets"),
        rule(READ, "storage.k8s.io", "csidrivers csinodes csistoragecapacities storageclasses"),
        rule(READ, "scheduling.k8s.io", "priorityclasses"),
        rule(READ, "node.k8s.io", "runtimeclasses"),
        rule(READ, "resource.k8s.io", "deviceclasses resourceslices"),
        rule("get list patch update watch", "resource.k8s.io", "resourceclaims"),
        rule("patch update", "resource.k8s.io", "resourceclaims/status resourceclaims/binding"),
        rule("create", "authentication.k8s.io", "tokenreviews"),
        rule("create", "authorization.k8s.io", "subjectaccessreviews"),
    ]
}

fn controller_manager_rules() -> Vec<Value> {
    vec![
        events(),
        rule("create", "coordination.k8s.io", "leases"),
        named("get list update watch", "coordination.k8s.io", "leases", "kube-controller-manager"),
        rule("create", "core", "secrets serviceaccounts serviceaccounts/token"),
        rule("delete", "core", "secrets"),
        rule("get", "core", "configmaps namespaces secrets serviceaccounts"),
        rule("update", "core", "secrets serviceaccounts"),
        rule("create", "authentication.k8s.io", "tokenreviews"),
        rule("create", "authorization.k8s.io", "subjectaccessreviews"),
        // Informers of all controllers, the garbage collector's among them.
        rule("list watch", "*", "*"),
    ]
}
