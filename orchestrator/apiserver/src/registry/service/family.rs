//! The IP families of a Service, in a cluster whose Services have IPv4 addresses.

use orchestrator_apimachinery::field::{Errors, Path};
use serde_json::{Value, json};

const SINGLE: &str = "SingleStack";
const BOTH: &str = "RequireDualStack";

fn texts<'a>(spec: &'a Value, field: &str) -> Vec<&'a str> {
    spec[field].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Fills in `ipFamilyPolicy` and `ipFamilies`, and checks that the cluster has them.
pub(super) fn complete(spec: &mut Value, old: Option<&Value>, errors: &mut Errors) {
    let path = Path::new("spec");
    let headless = spec["clusterIP"] == "None" || spec["clusterIPs"][0] == "None";
    // Without selector and address it is up to whoever writes the endpoints.
    let is_free = headless && spec["selector"].as_object().is_none_or(serde_json::Map::is_empty);
    if spec["ipFamilyPolicy"].is_null() {
        let before = old.map_or(&Value::Null, |old| &old["ipFamilyPolicy"]);
        spec["ipFamilyPolicy"] = match before {
            Value::Null => json!(if is_free { BOTH } else { SINGLE }),
            before => before.clone(),
        };
    }
    let policy = spec["ipFamilyPolicy"].as_str().unwrap_or_default().to_owned();
    if policy == SINGLE
        && old.is_some_and(|old| old["ipFamilies"] == spec["ipFamilies"])
        && let Some(families) = spec["ipFamilies"].as_array_mut()
    {
        families.truncate(1);
    }
    let at = path.child("ipFamilyPolicy");
    for (field, what) in [("clusterIPs", "cluster IPs"), ("ipFamilies", "IP families")] {
        if policy == SINGLE && texts(spec, field).len() > 1 {
            let wrong = format!("must be 'RequireDualStack' or 'PreferDualStack' when multiple {what} are specified");
            errors.invalid(&at, &policy, &wrong);
        }
    }
    let mut families: Vec<String> = texts(spec, "ipFamilies").into_iter().map(str::to_owned).collect();
    let addresses = texts(spec, "clusterIPs");
    for (index, address) in addresses.iter().enumerate().skip(families.len()).filter(|(_, address)| **address != "None")
    {
        if address.contains(':') {
            let wrong = "IPv6 is not configured on this cluster";
            errors.invalid(&path.child("clusterIPs").index(index), &addresses, wrong);
        }
    }
    if families.is_empty() {
        families.push("IPv4".to_owned());
    }
    if is_free {
        if families.len() == 1 && policy != SINGLE {
            families.push(if families[0] == "IPv4" { "IPv6" } else { "IPv4" }.to_owned());
        }
    } else {
        if policy == BOTH {
            errors.invalid(&at, &policy, "this cluster is not configured for dual-stack services");
        }
        for (index, family) in families.iter().enumerate().filter(|(_, family)| *family != "IPv4") {
            errors.invalid(&path.child("ipFamilies").index(index), family, "not configured on this cluster");
        }
    }
    spec["ipFamilies"] = json!(families);
}
