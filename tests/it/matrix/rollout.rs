//! scale, autoscale, rollout and run, with Pods that run.

use super::{Rows, deployment, images};

pub fn rows(rows: &Rows) {
    let (_registry, [one, two]) = images(rows);
    rows.ok_with("apply -f -", &deployment("web", 1, &one).to_string(), &["created"]);
    rows.ok("rollout status deploy/web --timeout=60s", &["successfully rolled out"]);
    rows.ok("scale deploy web --replicas=2", &["deployment.apps/web scaled"]);
    rows.fails("scale deploy web --replicas=3 --current-replicas=7", 1, &["Expected replicas to be 7, was 2"]);
    rows.ok("rollout status deploy/web --timeout=60s", &["successfully rolled out"]);
    rows.ok("logs deploy/web", &[]);
    rows.ok(&format!("set image deploy/web c={two}"), &["image updated"]);
    rows.ok("rollout status deploy/web --timeout=60s", &["successfully rolled out"]);
    rows.ok("rollout history deploy/web", &["REVISION", "1", "2"]);
    rows.ok("rollout history deploy/web --revision=1", &["Pod Template", &one]);
    rows.ok("rollout undo deploy/web", &["rolled back"]);
    rows.ok("rollout status deploy/web --timeout=60s", &["successfully rolled out"]);
    rows.ok("get deploy web -o jsonpath={.spec.template.spec.containers[0].image}", &[&one]);
    rows.ok("rollout restart deploy/web", &["restarted"]);
    rows.ok("rollout status deploy/web --timeout=60s", &["successfully rolled out"]);
    rows.ok("rollout pause deploy/web", &["paused"]);
    rows.fails("rollout pause deploy/web", 1, &["already paused"]);
    rows.ok("rollout resume deploy/web", &["resumed"]);
    rows.ok(
        "autoscale deploy web --min=1 --max=3 --cpu-percent=50",
        &["horizontalpodautoscaler.autoscaling/web autoscaled"],
    );
    rows.ok("get hpa web", &["REFERENCE", "Deployment/web", "MINPODS", "MAXPODS"]);
    rows.ok(
        "get horizontalpodautoscalers.v1.autoscaling web -o jsonpath={.spec.targetCPUUtilizationPercentage}",
        &["50"],
    );
    rows.ok("describe hpa web", &["Reference:", "Deployment/web"]);
    rows.ok(&format!("run p2 --image={one}"), &["pod/p2 created"]);
    rows.ok("wait --for=condition=Ready pod/p2 --timeout=60s", &["condition met"]);
    rows.ok("run p3 --image=img:1 --dry-run=server -o name", &["pod/p3"]);
}
