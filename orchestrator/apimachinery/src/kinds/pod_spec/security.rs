//! Rules of security contexts.

use crate::field::{Errors, Path};
use crate::kinds::fields::{indexed, is_true, text};
use crate::kinds::names;
use serde_json::Value;
use std::collections::BTreeSet;

const SYSCTL_BYTES_MAX: usize = 253;
const SYSCTL_REGEX: &str = "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9][-_a-z0-9]*[a-z0-9]?$";
const GMSA_BYTES_MAX: usize = 64 * 1024;

/// Checks `securityContext` of a PodSpec, and what beside it shares the node's namespaces.
pub fn validate_pod(spec: &Value, path: &Path, errors: &mut Errors) {
    validate_namespaces(spec, path, errors);
    let (context, path) = (&spec["securityContext"], &path.child("securityContext"));
    validate_ids(context, &["runAsUser", "runAsGroup", "fsGroup"], path, errors);
    for (index, group) in indexed(context, "supplementalGroups") {
        id_is_in_range(group, &path.child("supplementalGroups").index(index), errors);
    }
    validate_profile(&context["seccompProfile"], &path.child("seccompProfile"), errors);
    let policy = text(context, "fsGroupChangePolicy");
    if !policy.is_empty() && !["Always", "OnRootMismatch"].contains(&policy) {
        errors.not_supported(&path.child("fsGroupChangePolicy"), policy, &["Always", "OnRootMismatch"]);
    }
    one_of(context, "supplementalGroupsPolicy", &["Merge", "Strict"], path, errors);
    one_of(context, "seLinuxChangePolicy", &["MountOption", "Recursive"], path, errors);
    validate_app_armor(&context["appArmorProfile"], &path.child("appArmorProfile"), errors);
    validate_windows(&context["windowsOptions"], &path.child("windowsOptions"), errors);
    validate_sysctls(spec, &path.child("sysctls"), errors);
}

fn one_of(value: &Value, field: &str, supported: &[&str], path: &Path, errors: &mut Errors) {
    if let Some(given) = value[field].as_str().filter(|given| !supported.contains(given)) {
        errors.not_supported(&path.child(field), given, supported);
    }
}

fn validate_namespaces(spec: &Value, path: &Path, errors: &mut Errors) {
    if is_true(spec, "shareProcessNamespace") && is_true(spec, "hostPID") {
        let wrong = "ShareProcessNamespace and HostPID cannot both be enabled";
        errors.invalid(&path.child("shareProcessNamespace"), true, wrong);
    }
    if spec["hostUsers"] == Value::Bool(false) {
        for (field, shown) in [("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC")] {
            if is_true(spec, field) {
                errors.forbidden(&path.child(shown), "when `hostUsers` is false");
            }
        }
    }
}

fn validate_sysctls(spec: &Value, path: &Path, errors: &mut Errors) {
    let fits = |name: &str| {
        name.split(['.', '/']).all(|part| {
            let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
            let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
            ends(part.chars().next()) && ends(part.chars().next_back()) && part.chars().all(inner)
        })
    };
    let mut seen = BTreeSet::new();
    for (index, sysctl) in indexed(&spec["securityContext"], "sysctls") {
        let (name, path) = (text(sysctl, "name"), path.index(index).child("name"));
        if name.is_empty() {
            errors.required(&path, "");
        } else if name.len() > SYSCTL_BYTES_MAX || !fits(name) {
            let wrong = format!("must have at most {SYSCTL_BYTES_MAX} characters and match regex {SYSCTL_REGEX}");
            errors.invalid(&path, name, &wrong);
        } else if !seen.insert(name) {
            errors.duplicate(&path, name);
        }
        let dotted = name.replace('/', ".");
        if is_true(spec, "hostNetwork") && dotted.starts_with("net.") {
            errors.invalid(&path, name, "may not be specified when 'hostNetwork' is true");
        }
        let of_ipc = ["kernel.shm", "kernel.msg", "fs.mqueue."].iter().any(|start| dotted.starts_with(start));
        if is_true(spec, "hostIPC") && (of_ipc || dotted == "kernel.sem") {
            errors.invalid(&path, name, "may not be specified when 'hostIPC' is true");
        }
    }
}

fn validate_app_armor(profile: &Value, path: &Path, errors: &mut Errors) {
    if profile.is_null() {
        return;
    }
    let (file, at) = (profile["localhostProfile"].as_str(), path.child("localhostProfile"));
    match (text(profile, "type"), file) {
        ("Localhost", None) => errors.required(&at, "must be set when AppArmor type is Localhost"),
        ("Localhost", Some(file)) if file.trim() != file => {
            errors.invalid(&at, file, "must not be padded with whitespace");
        }
        ("Localhost", Some("")) => errors.required(&at, "must be set when AppArmor type is Localhost"),
        ("Localhost", Some(file)) if file.len() > 4095 => errors.too_long(&at, 4095),
        ("Localhost", Some(_)) => {}
        ("RuntimeDefault" | "Unconfined", Some(file)) => {
            errors.invalid(&at, file, "can only be set when AppArmor type is Localhost");
        }
        ("RuntimeDefault" | "Unconfined", None) => {}
        ("", _) => errors.required(&path.child("type"), "type is required when appArmorProfile is set"),
        (other, _) => {
            errors.not_supported(&path.child("type"), other, &["Localhost", "RuntimeDefault", "Unconfined"]);
        }
    }
}

fn validate_windows(options: &Value, path: &Path, errors: &mut Errors) {
    if let Some(name) = options["gmsaCredentialSpecName"].as_str() {
        for wrong in names::dns_subdomain(name) {
            errors.invalid(&path.child("gmsaCredentialSpecName"), name, &wrong);
        }
    }
    if let Some(spec) = options["gmsaCredentialSpec"].as_str() {
        let at = path.child("gmsaCredentialSpec");
        if spec.is_empty() {
            errors.invalid(&at, spec, "gmsaCredentialSpec cannot be an empty string");
        }
        if spec.len() > GMSA_BYTES_MAX {
            let wrong = format!("gmsaCredentialSpec size must be under {} KiB", GMSA_BYTES_MAX / 1024);
            errors.invalid(&at, spec, &wrong);
        }
    }
    if options["runAsUserName"] == "" {
        errors.invalid(&path.child("runAsUserName"), "", "runAsUserName cannot be an empty string");
    }
}

/// Checks `securityContext` of a container.
pub fn validate_container(context: &Value, path: &Path, errors: &mut Errors) {
    validate_ids(context, &["runAsUser", "runAsGroup"], path, errors);
    validate_profile(&context["seccompProfile"], &path.child("seccompProfile"), errors);
    one_of(context, "procMount", &["Default", "Unmasked"], path, errors);
    validate_app_armor(&context["appArmorProfile"], &path.child("appArmorProfile"), errors);
    validate_windows(&context["windowsOptions"], &path.child("windowsOptions"), errors);
    if context["allowPrivilegeEscalation"] != Value::Bool(false) {
        return;
    }
    if is_true(context, "privileged") {
        let wrong = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
        errors.invalid(path, context, wrong);
    }
    let added = context["capabilities"]["add"].as_array();
    if added.is_some_and(|added| added.iter().any(|name| name == "CAP_SYS_ADMIN")) {
        let wrong = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN";
        errors.invalid(path, context, wrong);
    }
}

fn validate_ids(context: &Value, fields: &[&str], path: &Path, errors: &mut Errors) {
    for field in fields {
        if let Some(id) = context.get(*field) {
            id_is_in_range(id, &path.child(field), errors);
        }
    }
}

fn id_is_in_range(id: &Value, path: &Path, errors: &mut Errors) {
    for wrong in names::in_range(id.as_i64().unwrap_or(-1), 0, i64::from(i32::MAX)) {
        errors.invalid(path, id, &wrong);
    }
}

fn validate_profile(profile: &Value, path: &Path, errors: &mut Errors) {
    if profile.is_null() {
        return;
    }
    let has_file = !text(profile, "localhostProfile").is_empty();
    match text(profile, "type") {
        "Localhost" if !has_file => {
            errors.required(&path.child("localhostProfile"), "must be set when seccomp type is Localhost");
        }
        "RuntimeDefault" | "Unconfined" if has_file => {
            errors.invalid(
                &path.child("localhostProfile"),
                &profile["localhostProfile"],
                "can only be set when seccomp type is Localhost",
            );
        }
        "Localhost" | "RuntimeDefault" | "Unconfined" => {}
        "" => errors.required(&path.child("type"), "type is required when seccompProfile is set"),
        other => errors.not_supported(&path.child("type"), other, &["Localhost", "RuntimeDefault", "Unconfined"]),
    }
}
