//! auth, create token, certificate; cordon, taint, drain.

use super::{Rows, pod};
use serde_json::json;

pub fn rows(rows: &Rows) {
    rows.ok("auth can-i create pods", &["yes"]);
    rows.fails("auth can-i create pods --as=nobody", 1, &["no"]);
    rows.ok("auth can-i --list", &["Resources", "*.*"]);
    rows.ok("auth can-i --list --as=nobody", &["selfsubjectaccessreviews.authorization.k8s.io"]);
    rows.ok("auth whoami", &["ATTRIBUTE", "Username", "kubernetes-admin"]);
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "r", "namespace": "default"},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]});
    rows.ok_with("auth reconcile -f -", &role.to_string(), &["role.rbac.authorization.k8s.io/r reconciled"]);
    rows.ok("create rolebinding rb --role=r --user=u", &["created"]);
    rows.ok("auth can-i get pods --as=u", &["yes"]);
    rows.fails("get pods --as=nobody", 1, &["Error from server (Forbidden)", "cannot list resource \"pods\""]);
    rows.fails("get secrets --as=u", 1, &["User \"u\" cannot list resource \"secrets\""]);
    let token = rows.ok("create token default", &[]);
    assert_eq!(token.trim().split('.').count(), 3, "{token}");
    rows.ok(&format!("--token={} auth whoami", token.trim()), &["kubernetes-admin"]);
    rows.ok_with("create -f -", &pod("p1", "hello-http"), &["created"]);
    rows.ok("create token default --duration=1h --bound-object-kind=Pod --bound-object-name=p1", &["."]);
    certificates(rows);
}

/// A request made with openssl's words would need openssl: this one was made once, its key is gone.
const REQUEST: &str = include_str!("request.b64");

fn certificates(rows: &Rows) {
    let request = |name: &str| {
        json!({"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": name},
            "spec": {"request": REQUEST.trim(), "signerName": "kubernetes.io/kube-apiserver-client", "usages": ["client auth"]}})
        .to_string()
    };
    rows.ok_with("create -f -", &request("csr1"), &["certificatesigningrequest.certificates.k8s.io/csr1 created"]);
    rows.ok("get csr", &["SIGNERNAME", "REQUESTOR", "kubernetes-admin", "Pending"]);
    rows.ok("certificate approve csr1", &["csr1 approved"]);
    rows.ok("get csr csr1", &["Approved"]);
    rows.ok_with("create -f -", &request("csr2"), &["created"]);
    rows.ok("certificate deny csr2", &["csr2 denied"]);
    rows.ok("get csr csr2", &["Denied"]);
}

pub fn nodes(rows: &Rows) {
    let name = rows.ok("get nodes -o jsonpath={.items[0].metadata.name}", &[]);
    let name = name.trim();
    rows.until("get nodes", "Ready");
    rows.ok_with("create -f -", &pod("p1", "hello-http"), &["created"]);
    rows.ok("wait --for=condition=Ready pod/p1 --timeout=60s", &["condition met"]);
    rows.ok(&format!("cordon {name}"), &["cordoned"]);
    rows.ok("get nodes", &["Ready,SchedulingDisabled"]);
    rows.ok(&format!("uncordon {name}"), &["uncordoned"]);
    rows.ok(&format!("taint nodes {name} k=v:NoSchedule"), &["tainted"]);
    rows.ok(&format!("taint nodes {name} k-"), &["untainted"]);
    rows.fails(&format!("drain {name} --timeout=5s"), 1, &["cannot delete", "use --force to override"]);
    rows.ok(
        &format!("drain {name} --force --ignore-daemonsets --delete-emptydir-data --timeout=60s"),
        &["evicting pod default/p1", "pod/p1 evicted", "drained"],
    );
    rows.ok(&format!("uncordon {name}"), &["uncordoned"]);
    rows.ok("get nodes -o wide", &["ROLES", "INTERNAL-IP", "CONTAINER-RUNTIME"]);
}
