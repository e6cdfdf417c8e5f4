use crate::Catalog;
use expect_test::expect;

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
        nodes v1 [no] cluster "Node" verbs 8 status
        pods v1 [po] ns "Pod" verbs 8 binding,eviction,log,portforward,status
        secrets v1 [] ns "Secret" verbs 8 
        serviceaccounts v1 [sa] ns "ServiceAccount" verbs 8 token
        services v1 [svc] ns "Service" verbs 8 status
        deployments apps/v1 [deploy] ns "Deployment" verbs 8 scale,status
        replicasets apps/v1 [rs] ns "ReplicaSet" verbs 8 scale,status
        jobs batch/v1 [] ns "Job" verbs 8 status
        leases coordination.k8s.io/v1 [] ns "Lease" verbs 8 
        endpointslices discovery.k8s.io/v1 [] ns "EndpointSlice" verbs 8 
        runtimeclasses node.k8s.io/v1 [] cluster "RuntimeClass" verbs 8 
        priorityclasses scheduling.k8s.io/v1 [pc] cluster "PriorityClass" verbs 8 
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
    "#]]
    .assert_eq(&lines);
}

#[test]
fn every_kind_has_as_many_cells_as_columns() {
    for kind in Catalog::builtin().all() {
        let object = serde_json::json!({"metadata": {"name": "x", "creationTimestamp": "2026-01-01T00:00:00Z"}});
        assert_eq!((kind.strategy.cells)(&object, 1_800_000_000).len(), kind.columns.len(), "{kind:?}");
    }
}
