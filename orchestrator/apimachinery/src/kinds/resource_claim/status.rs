//! The status of a ResourceClaim: what was allocated, for whom, and what drivers tell of it.

use crate::field::{Errors, Path};
use crate::kinds::checks::{fits, one_of, texts, too_many, unique};
use crate::kinds::devices::{self, Requests};
use crate::kinds::fields::{indexed, list, text};
use crate::kinds::metadata::immutable;
use crate::kinds::{addresses, conditions, domains, pod_spec};
use serde_json::Value;
use std::collections::BTreeSet;

const CONSUMERS_MAX: usize = 256;
const RESULTS_MAX: usize = 32;
const CONDITIONS_MAX: usize = 8;
const INTERFACE_BYTES_MAX: usize = 256;
const HARDWARE_BYTES_MAX: usize = 128;
const IPS_MAX: usize = 16;

/// Driver, pool, device and share.
type Device<'a> = [&'a str; 4];

fn device(value: &Value) -> Device<'_> {
    ["driver", "pool", "device", "shareID"].map(|field| text(value, field))
}

/// Checks the status as it stands.
pub fn validate(object: &Value, errors: &mut Errors) {
    let (status, path) = (&object["status"], Path::new("status"));
    validate_consumers(status, &path.child("reservedFor"), errors);
    validate_devices(status, &path.child("devices"), errors);
}

fn validate_consumers(status: &Value, path: &Path, errors: &mut Errors) {
    let consumers = list(status, "reservedFor");
    if too_many(path, consumers.len(), CONSUMERS_MAX, errors) {
        return;
    }
    for (index, consumer) in consumers.iter().enumerate() {
        for field in ["resource", "name", "uid"] {
            if text(consumer, field).is_empty() {
                errors.required(&path.index(index).child(field), "");
            }
        }
    }
    unique(consumers.iter().map(|consumer| text(consumer, "uid")), path, errors);
    if !consumers.is_empty() && status["allocation"].is_null() {
        errors.forbidden(path, "may not be specified when `allocated` is not set");
    }
}

fn validate_devices(status: &Value, path: &Path, errors: &mut Errors) {
    let allocated: BTreeSet<Device<'_>> =
        list(&status["allocation"]["devices"], "results").iter().map(device).collect();
    let mut seen = BTreeSet::new();
    for (index, one) in indexed(status, "devices") {
        let path = path.index(index);
        validate_identity(one, &path, errors);
        let shown = device(one).into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
        if !allocated.contains(&device(one)) {
            errors.invalid(&path, &shown, "must be an allocated device in the claim");
        }
        if !seen.insert(device(one)) {
            errors.duplicate(&path, &shown);
        }
        let at = path.child("conditions");
        too_many(&at, list(one, "conditions").len(), CONDITIONS_MAX, errors);
        conditions::validate(one, &at, errors);
        if !one["data"].is_null() {
            devices::validate_raw(&one["data"], &path.child("data"), errors);
        }
        validate_network(&one["networkData"], &path.child("networkData"), errors);
    }
}

fn validate_identity(one: &Value, path: &Path, errors: &mut Errors) {
    domains::driver(text(one, "driver"), &path.child("driver"), errors);
    devices::validate_pool(text(one, "pool"), &path.child("pool"), errors);
    devices::validate_label(text(one, "device"), &path.child("device"), errors);
    if let Some(share) = one["shareID"].as_str().filter(|share| !is_uuid(share)) {
        let wrong = "uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with lowercase \
                     hexadecimal characters";
        errors.invalid(&path.child("shareID"), share, wrong);
    }
}

fn is_uuid(text: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let fits =
        |(index, byte): (usize, u8)| if [8, 13, 18, 23].contains(&index) { byte == b'-' } else { is_digit(byte) };
    text.len() == 36 && text.bytes().enumerate().all(fits)
}

fn validate_network(data: &Value, path: &Path, errors: &mut Errors) {
    for (field, max) in [("interfaceName", INTERFACE_BYTES_MAX), ("hardwareAddress", HARDWARE_BYTES_MAX)] {
        if text(data, field).len() > max {
            errors.too_long(&path.child(field), max);
        }
    }
    let (ips, path) = (texts(data, "ips"), path.child("ips"));
    if too_many(&path, ips.len(), IPS_MAX, errors) {
        return;
    }
    for (index, ip) in ips.iter().enumerate() {
        fits(addresses::interface_address(ip), ip, &path.index(index), errors);
    }
    unique(ips, &path, errors);
}

/// Checks a change of the status: an allocation comes and goes as a whole. Arguments: new, old.
pub fn validate_update(object: &Value, old: &Value, errors: &mut Errors) {
    let (path, status, before) = (Path::new("status"), &object["status"], &old["status"]);
    let is_known = |consumer: &&Value| !list(before, "reservedFor").contains(consumer);
    let is_deleted = !text(&object["metadata"], "deletionTimestamp").is_empty();
    if is_deleted && !status["allocation"].is_null() && list(status, "reservedFor").iter().any(|one| is_known(&one)) {
        let wrong = "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set";
        errors.forbidden(&path.child("reservedFor"), wrong);
    }
    let (allocation, path) = (&status["allocation"], path.child("allocation"));
    match (allocation.is_null(), before["allocation"].is_null()) {
        (true, _) => {}
        (false, false) => immutable(allocation, &before["allocation"], &path, errors),
        (false, true) => validate_allocation(allocation, &Requests::of(&object["spec"]), &path, errors),
    }
}

fn validate_allocation(allocation: &Value, requests: &Requests<'_>, path: &Path, errors: &mut Errors) {
    let (all, at) = (&allocation["devices"], path.child("devices"));
    let results = at.child("results");
    if !too_many(&results, list(all, "results").len(), RESULTS_MAX, errors) {
        for (index, result) in indexed(all, "results") {
            let path = results.index(index);
            requests.validate(text(result, "request"), &path.child("request"), errors);
            validate_identity(result, &path, errors);
            devices::validate_binding_conditions(result, &path, errors);
            devices::validate_tolerations(result, &path, errors);
        }
    }
    let at = at.child("config");
    if !too_many(&at, list(all, "config").len(), 2 * devices::CONFIGURATIONS_MAX, errors) {
        for (index, configuration) in indexed(all, "config") {
            let path = at.index(index);
            let source = text(configuration, "source");
            one_of(source, &["FromClaim", "FromClass"], &path.child("source"), errors);
            requests.validate_list(configuration, &path, errors);
            devices::validate_configuration(configuration, &path, errors);
        }
    }
    if !allocation["nodeSelector"].is_null() {
        pod_spec::validate_node_selector(&allocation["nodeSelector"], &path.child("nodeSelector"), errors);
    }
}
