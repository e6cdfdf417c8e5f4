//! What a Pod for one operating system cannot ask for.

use super::CONTAINER_LISTS;
use crate::field::{Errors, Path};
use crate::kinds::fields::{indexed, is_true, text};
use serde_json::Value;

const WINDOWS_WRONG: &str = "cannot be set for a windows pod";
/// Fields of a Pod's security context that Windows does not know.
const POD_FIELDS: [&str; 11] = [
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "fsGroup",
    "fsGroupChangePolicy",
    "sysctls",
    "runAsUser",
    "runAsGroup",
    "supplementalGroups",
    "supplementalGroupsPolicy",
    "seLinuxChangePolicy",
];
/// Fields of a container's security context that Windows does not know.
const CONTAINER_FIELDS: [&str; 10] = [
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "capabilities",
    "readOnlyRootFilesystem",
    "privileged",
    "allowPrivilegeEscalation",
    "procMount",
    "runAsUser",
    "runAsGroup",
];

/// Checks a PodSpec against the operating system that it names.
pub fn validate(spec: &Value, path: &Path, errors: &mut Errors) {
    match text(&spec["os"], "name") {
        "linux" => each_context(spec, path, |context, path| {
            if !context["windowsOptions"].is_null() {
                errors.forbidden(&path.child("windowsOptions"), "windows options cannot be set for a linux pod");
            }
        }),
        "windows" => {
            let at = path.child("securityContext");
            for field in POD_FIELDS.into_iter().filter(|field| !spec["securityContext"][*field].is_null()) {
                errors.forbidden(&at.child(field), WINDOWS_WRONG);
            }
            for field in ["hostPID", "hostIPC", "shareProcessNamespace"] {
                if is_true(spec, field) {
                    errors.forbidden(&path.child(field), WINDOWS_WRONG);
                }
            }
            if !spec["hostUsers"].is_null() {
                errors.forbidden(&path.child("hostUsers"), WINDOWS_WRONG);
            }
            each_container_context(spec, path, |context, path| {
                for field in CONTAINER_FIELDS.into_iter().filter(|field| !context[*field].is_null()) {
                    errors.forbidden(&path.child(field), WINDOWS_WRONG);
                }
            });
        }
        _ => {}
    }
}

fn each_context(spec: &Value, path: &Path, mut check: impl FnMut(&Value, &Path)) {
    check(&spec["securityContext"], &path.child("securityContext"));
    each_container_context(spec, path, check);
}

fn each_container_context(spec: &Value, path: &Path, mut check: impl FnMut(&Value, &Path)) {
    for containers in CONTAINER_LISTS {
        for (index, container) in indexed(spec, containers) {
            check(&container["securityContext"], &path.child(containers).index(index).child("securityContext"));
        }
    }
}
