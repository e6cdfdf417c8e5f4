use crate::kinds::tests::shown;
use expect_test::expect;
use serde_json::json;

#[test]
fn get_shows_how_components_are() {
    let status = |status: &str, message: &str, error: &str| {
        let condition = json!({"type": "Healthy", "status": status, "message": message, "error": error});
        json!({"metadata": {"name": "etcd-0"}, "conditions": [condition]})
    };
    let lost = json!({"metadata": {"name": "scheduler"}});
    shown(
        "ComponentStatus",
        &[status("True", "ok", ""), status("False", "", "refused"), lost],
        expect![[r#"
        etcd-0 | Healthy | ok | 
        etcd-0 | Unhealthy |  | refused
        scheduler | Unknown |  | 
    "#]],
    );
}
