//! Who may do what by default: read the difference when this changes.

use super::authorize::ask;
use super::world::House;
use crate::identity::Identity;
use serde_json::json;

#[tokio::test]
async fn the_default_roles_give_this_much() {
    let house = House::new();
    for role in ["admin", "edit", "view"] {
        house.world.put(&json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": role, "namespace": "shop"},
            "roleRef": {"kind": "ClusterRole", "name": role}, "subjects": [{"kind": "User", "name": role}],
        }));
    }
    let controller =
        |name: &str| Identity::user(&format!("system:serviceaccount:kube-system:{name}"), &["system:serviceaccounts"]);
    let people = [
        ("anonymous", Identity::anonymous()),
        ("nobody", Identity::user("nobody", &[])),
        ("pod", Identity::user("system:serviceaccount:shop:default", &["system:serviceaccounts"])),
        ("view", Identity::user("view", &[])),
        ("edit", Identity::user("edit", &[])),
        ("admin", Identity::user("admin", &[])),
        ("cluster", Identity::user("kubernetes-admin", &["kubeadm:cluster-admins"])),
        ("sched", Identity::user("system:kube-scheduler", &[])),
        ("kcm", Identity::user("system:kube-controller-manager", &[])),
        ("node", Identity::user("system:node:n1", &["system:nodes"])),
        ("deploy", controller("deployment-controller")),
        ("rs", controller("replicaset-controller")),
        ("job", controller("job-controller")),
        ("slices", controller("endpointslice-controller")),
        ("ns", controller("namespace-controller")),
        ("sa", controller("service-account-controller")),
        ("ca", controller("root-ca-cert-publisher")),
        ("gc", controller("generic-garbage-collector")),
        ("nodes", controller("node-controller")),
    ];
    let requests = [
        "get /healthz",
        "get /version",
        "get /api",
        "get /openapi/v3",
        "get /metrics",
        "get /openid/v1/jwks",
        "create authorization.k8s.io/selfsubjectaccessreviews",
        "create authentication.k8s.io/tokenreviews",
        "list core/namespaces",
        "create core/namespaces",
        "delete core/namespaces",
        "update core/namespaces/finalize - shop",
        "list core/nodes",
        "update core/nodes - n9",
        "get core/nodes/proxy - n1",
        "list core/pods shop",
        "create core/pods shop",
        "delete core/pods shop p",
        "get core/pods/log shop p",
        "get core/pods/exec shop p",
        "create core/pods/exec shop p",
        "create core/pods/portforward shop p",
        "create core/pods/binding shop p",
        "update core/pods/status shop p",
        "create core/pods/eviction shop p",
        "list core/secrets shop",
        "list core/secrets",
        "create core/secrets shop",
        "create core/configmaps shop",
        "create core/serviceaccounts shop",
        "create core/serviceaccounts/token shop default",
        "impersonate core/serviceaccounts shop default",
        "impersonate core/users - root",
        "create core/services shop",
        "create core/events shop",
        "create apps/deployments shop",
        "update apps/deployments/status shop d",
        "patch apps/deployments/scale shop d",
        "create apps/replicasets shop",
        "create batch/jobs shop",
        "create discovery.k8s.io/endpointslices shop",
        "create coordination.k8s.io/leases kube-system",
        "create rbac.authorization.k8s.io/roles shop",
        "create rbac.authorization.k8s.io/clusterroles",
        "escalate rbac.authorization.k8s.io/roles shop",
        "create node.k8s.io/runtimeclasses",
        "list example.com/widgets",
        "delete example.com/widgets shop w",
    ];
    let mut lines = vec![format!("{:52} {}", "", people.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" "))];
    for text in requests {
        let marks = people.iter().map(|(name, who)| {
            let mark = if house.rbac.decide(who, &ask(text)).is_ok() { "x" } else { "." };
            format!("{mark:<width$}", width = name.len())
        });
        lines.push(format!("{text:52} {}", marks.collect::<Vec<_>>().join(" ").trim_end()));
    }
    expect_test::expect_file!["matrix.txt"].assert_eq(&(lines.join("\n") + "\n"));
}
