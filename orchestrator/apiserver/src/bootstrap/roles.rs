//! Upstream's default roles of users, nodes and the control plane.
//!
//! Source: kubernetes v1.36, the bootstrap policy with every feature gate at its default, and what
//! kubeadm adds for joining nodes.

use super::RBAC;
use super::rules::{parse, rule};
use serde_json::{Value, json};

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
    let (mut edit, mut view) = (aggregate("edit"), aggregate("view"));
    label(&mut edit, "admin");
    label(&mut view, "edit");
    let everything = json!({"verbs": ["*"], "nonResourceURLs": ["*"]});
    let mut roles =
        vec![aggregate("admin"), edit, view, cluster_role("cluster-admin", vec![rule("* | * | *"), everything])];
    for (name, rules) in parse(TABLE) {
        let mut role = cluster_role(name, rules);
        if let Some(into) = name.strip_prefix("system:aggregate-to-") {
            label(&mut role, into);
        }
        roles.push(role);
    }
    roles.push(cluster_role("system:node", node_rules()));
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

pub(super) fn account(namespace: &str, name: &str) -> Value {
    json!({"kind": "ServiceAccount", "name": name, "namespace": namespace})
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
    let component = |name: &str| user(&format!("system:{name}"));
    let (manager, scheduler) = ("kube-controller-manager", "kube-scheduler");
    let leader_of = |name: &str| format!("system::leader-locking-{name}");
    let signer = "system:controller:bootstrap-signer";
    let reader = "extension-apiserver-authentication-reader";
    let info = "kubeadm:bootstrap-signer-clusterinfo";
    let mut objects: Vec<Value> = Vec::new();
    for (namespace, table) in [(SYSTEM, SYSTEM_TABLE), (PUBLIC, PUBLIC_TABLE)] {
        objects.extend(parse(table).into_iter().map(|(name, rules)| role(namespace, name, rules)));
    }
    let own = |namespace: &str, name: &str, subjects| role_binding(namespace, name, name, subjects);
    let leaders = [
        (manager, vec![component(manager), account(SYSTEM, manager), account(SYSTEM, "leader-election-controller")]),
        (scheduler, vec![component(scheduler), account(SYSTEM, scheduler)]),
    ];
    objects.extend(leaders.map(|(name, subjects)| own(SYSTEM, &leader_of(name), subjects)));
    objects.extend(
        ["bootstrap-signer", "cloud-provider", "token-cleaner"]
            .map(|name| own(SYSTEM, &format!("system:controller:{name}"), vec![account(SYSTEM, name)])),
    );
    let readers = vec![component(manager), component(scheduler)];
    objects.push(role_binding(SYSTEM, &format!("system::{reader}"), reader, readers));
    objects.push(own(PUBLIC, signer, vec![account(SYSTEM, "bootstrap-signer")]));
    objects.push(own(PUBLIC, info, vec![user("system:anonymous")]));
    objects
}

/// What a node may do at most; which objects, its relations say.
pub(super) fn node_rules() -> Vec<Value> {
    parse(NODE_TABLE).remove(0).1
}

const TABLE: &str = "\
system:discovery
  /api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/
system:monitoring
  /healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/*
system:public-info-viewer
  /healthz /livez /readyz /version /version/
system:service-account-issuer-discovery
  /.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks /openid/v1/jwks/
system:basic-user
  create | authorization.k8s.io | selfsubjectaccessreviews selfsubjectrulesreviews
  create | authentication.k8s.io | selfsubjectreviews
system:auth-delegator
  create | authentication.k8s.io | tokenreviews
  create | authorization.k8s.io | subjectaccessreviews
system:aggregate-to-admin
  create | authorization.k8s.io | localsubjectaccessreviews
  create delete deletecollection get list patch update watch | rbac.authorization.k8s.io | rolebindings roles
system:aggregate-to-edit
  get list watch | core | pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy
  impersonate | core | serviceaccounts
  create delete deletecollection patch update | core | pods pods/attach pods/exec pods/portforward pods/proxy
  create | core | pods/eviction
  patch update | core | pods/resize
  create delete deletecollection patch update | core | configmaps events persistentvolumeclaims \
replicationcontrollers replicationcontrollers/scale secrets serviceaccounts services services/proxy
  create | core | serviceaccounts/token
  create delete deletecollection patch update | apps | daemonsets deployments deployments/rollback \
deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale
  create delete deletecollection patch update | autoscaling | horizontalpodautoscalers
  create delete deletecollection patch update | batch | cronjobs jobs
  create delete deletecollection patch update | extensions | daemonsets deployments deployments/rollback \
deployments/scale ingresses networkpolicies replicasets replicasets/scale replicationcontrollers/scale
  create delete deletecollection patch update | policy | poddisruptionbudgets
  create delete deletecollection patch update | networking.k8s.io | ingresses networkpolicies
  create delete deletecollection get list patch update watch | coordination.k8s.io | leases
  create delete deletecollection patch update | resource.k8s.io | resourceclaims resourceclaimtemplates
system:aggregate-to-view
  get list watch | core | configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods \
replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status
  get list watch | core | bindings events limitranges namespaces/status pods/log pods/status \
replicationcontrollers/status resourcequotas resourcequotas/status
  get list watch | core | namespaces
  get list watch | discovery.k8s.io | endpointslices
  get list watch | apps | controllerrevisions daemonsets daemonsets/status deployments deployments/scale \
deployments/status replicasets replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status
  get list watch | autoscaling | horizontalpodautoscalers horizontalpodautoscalers/status
  get list watch | batch | cronjobs cronjobs/status jobs jobs/status
  get list watch | extensions | daemonsets daemonsets/status deployments deployments/scale deployments/status \
ingresses ingresses/status networkpolicies replicasets replicasets/scale replicasets/status replicationcontrollers/scale
  get list watch | policy | poddisruptionbudgets poddisruptionbudgets/status
  get list watch | networking.k8s.io | ingresses ingresses/status networkpolicies
  get list watch | resource.k8s.io | resourceclaims resourceclaims/status resourceclaimtemplates
system:certificates.k8s.io:certificatesigningrequests:nodeclient
  create | certificates.k8s.io | certificatesigningrequests/nodeclient
system:certificates.k8s.io:certificatesigningrequests:selfnodeclient
  create | certificates.k8s.io | certificatesigningrequests/selfnodeclient
system:certificates.k8s.io:kube-apiserver-client-approver
  approve | certificates.k8s.io | signers | kubernetes.io/kube-apiserver-client
system:certificates.k8s.io:kube-apiserver-client-kubelet-approver
  approve | certificates.k8s.io | signers | kubernetes.io/kube-apiserver-client-kubelet
system:certificates.k8s.io:kubelet-serving-approver
  approve | certificates.k8s.io | signers | kubernetes.io/kubelet-serving
system:certificates.k8s.io:legacy-unknown-approver
  approve | certificates.k8s.io | signers | kubernetes.io/legacy-unknown
system:heapster
  get list watch | core | events namespaces nodes pods
  get list watch | extensions | deployments
system:kube-aggregator
  get list watch | core | endpoints services
system:kube-dns
  list watch | core | endpoints services
system:kubelet-api-admin
  get list watch | core | nodes
  proxy | core | nodes
  * | core | nodes/log nodes/metrics nodes/proxy nodes/stats
  * | core | nodes/configz nodes/healthz nodes/pods
system:node-bootstrapper
  create get list watch | certificates.k8s.io | certificatesigningrequests
system:node-problem-detector
  get | core | nodes
  patch | core | nodes/status
  events
system:node-proxier
  list watch | core | endpoints services
  get list watch | core | nodes
  events
  list watch | networking.k8s.io | servicecidrs
  list watch | discovery.k8s.io | endpointslices
system:persistent-volume-provisioner
  create delete get list watch | core | persistentvolumes
  get list update watch | core | persistentvolumeclaims
  get list watch | storage.k8s.io | storageclasses
  watch | core | events
  events
system:volume-scheduler
  get list patch update watch | core | persistentvolumes
  get list watch | storage.k8s.io | storageclasses
  get list patch update watch | core | persistentvolumeclaims
system:kube-scheduler
  events
  create | coordination.k8s.io | leases
  get list update watch | coordination.k8s.io | leases | kube-scheduler
  create delete deletecollection get list patch update watch | coordination.k8s.io | leasecandidates
  get list watch | core | nodes
  delete get list watch | core | pods
  create | core | bindings pods/binding
  patch update | core | pods/status
  get list watch | core | replicationcontrollers services
  get list watch | apps extensions | replicasets
  get list watch | apps | statefulsets
  get list watch | policy | poddisruptionbudgets
  get list watch | core | persistentvolumeclaims persistentvolumes
  create | authentication.k8s.io | tokenreviews
  create | authorization.k8s.io | subjectaccessreviews
  get list watch | storage.k8s.io | csinodes
  get list watch | storage.k8s.io | volumeattachments
  get list watch | core | namespaces
  get list watch | storage.k8s.io | csidrivers
  get list watch | storage.k8s.io | csistoragecapacities
  get list watch | resource.k8s.io | deviceclasses
  get list patch update watch | resource.k8s.io | resourceclaims
  get list patch update watch | resource.k8s.io | resourceclaims/status
  patch update | resource.k8s.io | resourceclaims/binding
  get list patch update watch | core | pods/finalizers
  get list watch | resource.k8s.io | resourceslices
system:kube-controller-manager
  events
  create | coordination.k8s.io | leases
  get update | coordination.k8s.io | leases | kube-controller-manager
  create | core | secrets serviceaccounts
  delete | core | secrets
  get | core | configmaps namespaces secrets serviceaccounts
  update | core | secrets serviceaccounts
  create | authentication.k8s.io | tokenreviews
  create | authorization.k8s.io | subjectaccessreviews
  list watch | * | *
  create | core | serviceaccounts/token
";

/// The last three are beyond upstream's: a node is its own service proxy here.
const NODE_TABLE: &str = "\
system:node
  create | authentication.k8s.io | tokenreviews
  create | authorization.k8s.io | localsubjectaccessreviews subjectaccessreviews
  get list watch | core | services
  create get list watch | core | nodes
  patch update | core | nodes/status
  patch update | core | nodes
  create patch update | core events.k8s.io | events
  get list watch | core | pods
  create delete | core | pods
  patch update | core | pods/status
  create | core | pods/eviction
  get list watch | core | configmaps secrets
  get | core | persistentvolumeclaims persistentvolumes
  get | core | endpoints
  create get list watch | certificates.k8s.io | certificatesigningrequests
  create delete get patch update | coordination.k8s.io | leases
  get | storage.k8s.io | volumeattachments
  create | core | serviceaccounts/token
  get patch update | core | persistentvolumeclaims/status
  get list watch | storage.k8s.io | csidrivers
  create delete get patch update | storage.k8s.io | csinodes
  get list watch | node.k8s.io | runtimeclasses
  get | resource.k8s.io | resourceclaims
  deletecollection | resource.k8s.io | resourceslices
  get | core | serviceaccounts
  get list watch | core | namespaces
  get list watch | discovery.k8s.io | endpointslices
  get list watch | networking.k8s.io | networkpolicies
";

const SYSTEM_TABLE: &str = "\
extension-apiserver-authentication-reader
  get list watch | core | configmaps | extension-apiserver-authentication
system::leader-locking-kube-controller-manager
  create get list update watch | coordination.k8s.io | leases
  create get list update watch | coordination.k8s.io | leasecandidates
system::leader-locking-kube-scheduler
  create get list update watch | coordination.k8s.io | leases
  create get list update watch | coordination.k8s.io | leasecandidates
system:controller:bootstrap-signer
  get list watch | core | secrets
system:controller:cloud-provider
  create get list watch | core | configmaps
system:controller:token-cleaner
  delete get list watch | core | secrets
  events
";

const PUBLIC_TABLE: &str = "\
system:controller:bootstrap-signer
  get list watch | core | configmaps
  update | core | configmaps | cluster-info
  events
kubeadm:bootstrap-signer-clusterinfo
  get | core | configmaps | cluster-info
";
