//! Pods stay five minutes on a node that is not ready or unreachable, unless they say otherwise.

use super::Admission;
use orchestrator_apimachinery::ApiError;
use serde_json::{Value, json};

const SECONDS: i64 = 300;
const TAINTS: [&str; 2] = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];

/// Adds the two tolerations to a Pod that has no such of its own; a changed one must not lose them.
pub(super) fn mutate(admission: &Admission<'_>, pod: &mut Value) -> Result<(), ApiError> {
    if !admission.creates_pod() && admission.old_pod().is_none() {
        return Ok(());
    }
    if !pod["spec"]["tolerations"].is_array() {
        pod["spec"]["tolerations"] = json!([]);
    }
    let Some(tolerations) = pod["spec"]["tolerations"].as_array_mut() else { return Ok(()) };
    for taint in TAINTS {
        let text = |toleration: &Value, field: &str| toleration[field].as_str().unwrap_or_default().to_owned();
        let tolerated = tolerations.iter().any(|toleration| {
            [taint, ""].contains(&&*text(toleration, "key"))
                && ["NoExecute", ""].contains(&&*text(toleration, "effect"))
        });
        if !tolerated {
            tolerations.push(json!({
                "key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": SECONDS,
            }));
        }
    }
    Ok(())
}
