//! delete in all its ways, and the generators of `kubectl create`.

use super::{Rows, deployment, pod};

pub fn rows(rows: &Rows) {
    for name in ["p1", "p2", "p3"] {
        rows.ok_with("create -f -", &pod(name, "hello-http"), &["created"]);
    }
    rows.ok("delete pod p1", &["pod \"p1\" deleted"]);
    rows.fails("get pod p1", 1, &["NotFound"]);
    rows.ok("delete pod p2 --wait=false --grace-period=0 --force", &["Immediate deletion", "force deleted"]);
    rows.fails("delete pod p1", 1, &["pods \"p1\" not found"]);
    rows.ok("delete pod p1 --ignore-not-found", &[]);
    rows.ok("delete pods -l app=web", &["pod \"p3\" deleted"]);
    rows.ok_with("create -f -", &pod("p4", "hello-http"), &["created"]);
    rows.ok("delete pods --all", &["pod \"p4\" deleted"]);
    let manifest = |name: &str| deployment(name, 1, "img:1").to_string();
    rows.ok_with("create -f -", &manifest("web"), &["created"]);
    rows.until("get rs", "web-");
    rows.ok("delete deploy web --cascade=foreground", &["deployment.apps \"web\" deleted"]);
    rows.until("get rs,pods", "No resources found");
    rows.ok_with("create -f -", &manifest("web"), &["created"]);
    rows.ok_with("delete -f -", &manifest("web"), &["deleted"]);
    rows.until("get rs,pods", "No resources found");
    rows.ok("create deployment d2 --image=x", &["deployment.apps/d2 created"]);
    rows.ok("get deploy d2 --output-watch-events -w --request-timeout=2s", &["ADDED", "d2"]);
    rows.until("get rs", "d2-");
    rows.ok("delete deploy d2 --cascade=orphan", &["deleted"]);
    rows.ok("get rs", &["d2-"]);
    rows.ok("create ns going", &["namespace/going created"]);
    rows.ok("create cm inside -n going", &["created"]);
    rows.ok("delete ns going", &["namespace \"going\" deleted"]);
    rows.fails("get ns going", 1, &["NotFound"]);
    rows.fails("delete ns default", 1, &["this namespace may not be deleted"]);
}

/// Each generator sends protobuf.
pub fn generators(rows: &Rows) {
    rows.ok("create ns foo", &["namespace/foo created"]);
    rows.ok("create configmap cm1 --from-literal=a=b", &["configmap/cm1 created"]);
    rows.ok("create secret generic s1 --from-literal=a=b", &["secret/s1 created"]);
    rows.ok(
        "create secret docker-registry s2 --docker-server=r --docker-username=u --docker-password=p",
        &["secret/s2 created"],
    );
    rows.ok("create deployment d1 --image=x --replicas=0 --port=80", &["created"]);
    rows.ok("create job j --image=x", &["job.batch/j created"]);
    rows.ok("create cronjob cj --image=x --schedule=*/5_*_*_*_* --dry-run=client", &["created (dry run)"]);
    rows.ok("create ingress i1 --rule=a.b/x=svc:80", &["ingress.networking.k8s.io/i1 created"]);
    rows.ok("get ing i1", &["CLASS", "HOSTS", "a.b"]);
    rows.ok("describe ing i1", &["a.b", "/x", "svc:80"]);
    rows.ok("create role r --verb=get,list --resource=pods", &["role.rbac.authorization.k8s.io/r created"]);
    rows.ok("create clusterrole cr --verb=get --resource=nodes", &["created"]);
    rows.ok("create rolebinding rb --clusterrole=view --user=u", &["created"]);
    rows.ok("create clusterrolebinding crb --clusterrole=view --group=g", &["created"]);
    rows.ok("create serviceaccount sa", &["serviceaccount/sa created"]);
    rows.ok("create service clusterip s --tcp=80:8080", &["service/s created"]);
    rows.ok("create service nodeport np --tcp=80:8080", &["service/np created"]);
    rows.ok("create service loadbalancer lb --tcp=80:8080", &["service/lb created"]);
    rows.ok("create service externalname en --external-name=example.com", &["service/en created"]);
    rows.ok("create quota q --hard=pods=2,cpu=1", &["resourcequota/q created"]);
    rows.ok("get quota q", &["REQUEST", "LIMIT", "AGE"]);
    rows.ok("create pdb p --selector=app=x --min-available=1", &["poddisruptionbudget.policy/p created"]);
    rows.ok("get pdb p", &["MIN AVAILABLE", "MAX UNAVAILABLE", "ALLOWED DISRUPTIONS"]);
    rows.ok("create priorityclass pc --value=10", &["created"]);
    rows.ok(
        "get all,cm,secret,ing,pdb,quota,role,rolebinding,sa",
        &["configmap/cm1", "ingress.networking.k8s.io/i1", "poddisruptionbudget.policy/p"],
    );
}
