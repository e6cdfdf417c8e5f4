//! ServiceCIDR: a range that Services get their addresses from.

use super::checks::{fits, texts};
use super::{AGE, NAME, addresses, cells, cluster, columns, metadata, state, status};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use ipnet::IpNet;
use serde_json::Value;

/// The row of ServiceCIDR.
pub fn kind() -> Kind {
    Kind {
        subresources: vec![status()],
        columns: columns(&[NAME, ("CIDRs", "string", 0, "Its networks, one of each family."), AGE]),
        strategy: strategy(),
        ..cluster("networking.k8s.io", "ServiceCIDR", "servicecidrs")
    }
}

/// One network of each family.
const CIDRS_MAX: usize = 2;

fn strategy() -> Strategy {
    Strategy { validate, validate_update, cells: row, ..state::uncounted() }
}

fn validate(object: &Value, errors: &mut Errors) {
    let (spec, path) = (&object["spec"], Path::new("spec").child("cidrs"));
    let cidrs = texts(spec, "cidrs");
    if cidrs.is_empty() {
        errors.required(&path, "at least one CIDR required");
    } else if cidrs.len() > CIDRS_MAX {
        errors.invalid(&path, spec, "may only hold up to 2 values");
    } else {
        for (index, cidr) in cidrs.iter().enumerate() {
            fits(addresses::canonical_network(cidr), cidr, &path.index(index), errors);
        }
        let families: Vec<bool> =
            cidrs.iter().filter_map(|cidr| cidr.parse::<IpNet>().ok()).map(|net| net.addr().is_ipv4()).collect();
        if let [first, second] = families.as_slice()
            && first == second
        {
            let wrong = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64";
            errors.invalid(&path, &cidrs, wrong);
        }
    }
}

fn validate_update(object: &Value, old: &Value, errors: &mut Errors) {
    let path = Path::new("spec").child("cidrs");
    let (new, old) = (texts(&object["spec"], "cidrs"), texts(&old["spec"], "cidrs"));
    // A second family may be added.
    if new.len() != old.len() && (old.len(), new.len()) != (1, CIDRS_MAX) {
        errors.invalid(&path, &new, metadata::IMMUTABLE);
        return;
    }
    for (index, (new, _)) in new.iter().zip(&old).enumerate().filter(|(_, (new, old))| new != old) {
        errors.invalid(&path.index(index), new, metadata::IMMUTABLE);
    }
}

fn row(object: &Value, now: i64) -> Vec<Value> {
    vec![cells::name(object), texts(&object["spec"], "cidrs").join(",").into(), cells::age(object, now)]
}

#[cfg(test)]
mod tests;
