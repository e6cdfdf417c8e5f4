//! create, apply in both ways, diff, edit, replace, patch, label, annotate, set.

use super::{Rows, deployment};
use serde_json::json;

pub fn rows(rows: &Rows) {
    let manifest = |image: &str| deployment("web", 0, image).to_string();
    rows.ok_with("apply -f -", &manifest("img:1"), &["deployment.apps/web created"]);
    rows.ok_with("apply -f -", &manifest("img:1"), &["deployment.apps/web unchanged"]);
    rows.ok_with("apply -f -", &manifest("img:2"), &["deployment.apps/web configured"]);
    rows.ok_with("apply -f - --dry-run=server", &manifest("img:9"), &["configured (server dry run)"]);
    rows.ok("get deploy web -o jsonpath={.spec.template.spec.containers[0].image}", &["img:2"]);
    rows.fails_with("diff -f -", &manifest("img:3"), 1, &["-      - image: img:2", "+      - image: img:3"]);
    rows.ok_with("diff -f -", &manifest("img:2"), &[]);
    rows.ok_with("apply -f - --prune -l app=web", &manifest("img:2"), &["deployment.apps/web unchanged"]);
    server_side(rows);
    let mut edited = rows.kubectl.command(&["edit", "deployment", "web"]);
    edited.env("KUBE_EDITOR", "sed -i s/img:4/img:5/");
    assert!(edited.output().unwrap().status.success());
    rows.ok("get deploy web -o jsonpath={.spec.template.spec.containers[0].image}", &["img:5"]);
    rows.ok_with("replace -f -", &manifest("img:6"), &["deployment.apps/web replaced"]);
    rows.ok_with("replace --force -f -", &manifest("img:7"), &["deleted", "replaced"]);
    let wrong = manifest("img:1").replace("\"image\"", "\"imagee\"");
    rows.fails_with("apply -f -", &wrong, 1, &["unknown field \"spec.template.spec.containers[0].imagee\""]);
    rows.fails_with("create -f -", &wrong, 1, &["strict decoding error", "unknown field"]);
    rows.ok_with(
        "create --validate=warn -f - --dry-run=server",
        &manifest("x").replace("\"web\"", "\"w2\""),
        &["created (server dry run)"],
    );
    rows.fails_with(
        "create -f -",
        &manifest("img:1"),
        1,
        &["AlreadyExists", "deployments.apps \"web\" already exists"],
    );
    let bad = deployment("bad", 0, "img:1").to_string().replace("\"replicas\":0", "\"replicas\":-1");
    rows.fails_with("apply -f -", &bad, 1, &["is invalid", "spec.replicas", "must be greater than or equal to 0"]);
}

fn server_side(rows: &Rows) {
    let manifest = |image: &str| deployment("web", 0, image).to_string();
    rows.ok_with(
        "apply --server-side -f - --force-conflicts",
        &manifest("img:3"),
        &["deployment.apps/web serverside-applied"],
    );
    rows.ok_with(
        "apply --server-side --dry-run=server -f -",
        &manifest("img:8"),
        &["serverside-applied (server dry run)"],
    );
    rows.fails_with(
        "apply --server-side --field-manager=other -f -",
        &manifest("img:9"),
        1,
        &["conflict", ".spec.template.spec.containers[name=\"c\"].image"],
    );
    rows.ok_with(
        "apply --server-side --field-manager=other --force-conflicts -f -",
        &manifest("img:4"),
        &["serverside-applied"],
    );
    rows.ok("get deploy web -o yaml --show-managed-fields", &["manager: other", "operation: Apply", "f:image: {}"]);
    let plain = rows.ok("get deploy web -o yaml", &[]);
    assert!(!plain.contains("managedFields"), "{plain}");
    let config = |data: serde_json::Value| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ssa"}, "data": data}).to_string()
    };
    rows.ok_with(
        "apply --server-side -f -",
        &config(json!({"a": "1", "b": "2"})),
        &["configmap/ssa serverside-applied"],
    );
    rows.ok_with("apply --server-side -f -", &config(json!({"a": "1"})), &["configmap/ssa serverside-applied"]);
    let left = rows.ok("get cm ssa -o jsonpath={.data}", &[]);
    assert_eq!(left.trim(), r#"{"a":"1"}"#);
}

pub fn patches(rows: &Rows) {
    rows.ok_with("create -f -", &deployment("web", 0, "img:1").to_string(), &["created"]);
    let replicas = "get deploy web -o jsonpath={.spec.replicas}";
    rows.ok(r#"patch deploy web -p {"spec":{"replicas":3}}"#, &["deployment.apps/web patched"]);
    // Of an object that no controller writes to meanwhile.
    rows.ok("create configmap still --from-literal=a=b", &["created"]);
    rows.ok(r#"patch configmap still -p {"data":{"a":"b"}}"#, &["configmap/still patched (no change)"]);
    rows.ok(replicas, &["3"]);
    rows.ok(r#"patch deploy web --type=merge -p {"spec":{"replicas":4}}"#, &["patched"]);
    rows.ok(r#"patch deploy web --type=json -p [{"op":"replace","path":"/spec/replicas","value":5}]"#, &["patched"]);
    rows.ok(replicas, &["5"]);
    rows.ok(r#"patch deploy web --subresource=scale --type=merge -p {"spec":{"replicas":0}}"#, &["patched"]);
    rows.ok(replicas, &["0"]);
    rows.ok(r#"patch deploy web --subresource=status --type=merge -p {"status":{"collisionCount":7}}"#, &["patched"]);
    rows.ok("get deploy web --subresource=status", &["web", "0/0"]);
    rows.fails(
        r#"patch deploy web --type=json -p [{"op":"test","path":"/spec/replicas","value":9}]"#,
        1,
        &["The request is invalid", "/spec/replicas"],
    );
    rows.ok("label deploy web x=y", &["deployment.apps/web labeled"]);
    rows.fails("label deploy web x=z", 1, &["already has a value (y)"]);
    rows.ok("label deploy web x=z --overwrite", &["labeled"]);
    rows.ok("label deploy web x-", &["unlabeled"]);
    rows.ok("annotate deploy web a=b", &["annotated"]);
    rows.ok("annotate deploy web a-", &["annotated"]);
    rows.ok("set image deploy/web c=img:7", &["image updated"]);
    rows.ok("set env deploy/web A=B", &["env updated"]);
    rows.ok("set env deploy/web --list", &["A=B"]);
    rows.ok("set resources deploy/web --limits=cpu=1", &["resource requirements updated"]);
    rows.ok("create serviceaccount robot", &["serviceaccount/robot created"]);
    rows.ok("set serviceaccount deploy/web robot", &["serviceaccount updated"]);
    rows.ok("expose deploy web --port=80 --target-port=8080", &["service/web exposed"]);
    rows.ok("set selector service web app=other", &["selector updated"]);
    rows.ok("create clusterrole reader --verb=get --resource=pods", &["created"]);
    rows.ok("create rolebinding rb --clusterrole=view --user=u", &["rolebinding.rbac.authorization.k8s.io/rb created"]);
    rows.ok("set subject rolebinding rb --user=v", &["subjects updated"]);
}
