//! Volume sources that Pods and PersistentVolumes share: directories of the node and of other machines.

use crate::field::{Errors, Path};
use crate::kinds::fields::{self, default_text, entries, int, is_true, list, object_mut, text};
use crate::kinds::names;
use crate::kinds::pod_spec::container::no_backsteps;
use serde_json::Value;

const HOST_PATH_TYPES: [&str; 7] =
    ["BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"];
const DRIVER_BYTES_MAX: usize = 63;
const LUN_WRONG: &str = "must be between 0 and 255, inclusive";

/// Whether a source stands in a Pod or is a PersistentVolume's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// `volumes` of a PodSpec.
    Pod,
    /// The spec of a PersistentVolume.
    PersistentVolume,
}

/// Refuses a text that is empty.
pub fn required(source: &Value, field: &str, path: &Path, errors: &mut Errors) {
    if text(source, field).is_empty() {
        errors.required(&path.child(field), "");
    }
}

/// Texts that have to be there, by source.
fn required_fields(field: &str) -> &'static [&'static str] {
    match field {
        "gcePersistentDisk" => &["pdName"],
        "awsElasticBlockStore" | "cinder" | "portworxVolume" => &["volumeID"],
        "nfs" => &["server", "path"],
        "iscsi" => &["targetPortal", "iqn"],
        "glusterfs" => &["endpoints", "path"],
        "rbd" => &["image"],
        "flexVolume" => &["driver"],
        "azureFile" => &["secretName", "shareName"],
        "azureDisk" => &["diskName", "diskURI"],
        "vsphereVolume" => &["volumePath"],
        "photonPersistentDisk" => &["pdID"],
        "scaleIO" => &["gateway", "system", "volumeName"],
        "storageos" => &["volumeName"],
        "quobyte" => &["registry", "volume"],
        "local" | "hostPath" => &["path"],
        _ => &[],
    }
}

/// Checks a source of this field.
pub fn validate(field: &str, source: &Value, place: Place, path: &Path, errors: &mut Errors) {
    if (field == "rbd" || field == "cephfs") && list(source, "monitors").is_empty() {
        errors.required(&path.child("monitors"), "");
    }
    for name in required_fields(field) {
        required(source, name, path, errors);
    }
    match field {
        "hostPath" => validate_host_path(source, path, errors),
        "local" => no_backsteps(text(source, "path"), &path.child("path"), errors),
        "nfs" if text(source, "path").starts_with(|c| c != '/') => {
            errors.invalid(&path.child("path"), text(source, "path"), "must be an absolute path");
        }
        "gcePersistentDisk" | "awsElasticBlockStore" => in_byte(source, "partition", path, errors),
        "iscsi" => validate_iscsi(source, path, errors),
        "fc" => validate_fibre_channel(source, path, errors),
        "flocker" => validate_flocker(source, path, errors),
        "flexVolume" => validate_flex(source, path, errors),
        "azureDisk" => validate_azure_disk(source, path, errors),
        "storageos" => validate_storage_os(source, path, errors),
        "quobyte" => validate_quobyte(source, path, errors),
        "csi" => validate_csi(source, place, path, errors),
        "azureFile" if source["secretNamespace"] == "" => errors.required(&path.child("secretNamespace"), ""),
        "glusterfs" if source["endpointsNamespace"] == "" => {
            let wrong = "if the endpointnamespace is set, it must be a valid namespace name";
            errors.invalid(&path.child("endpointsNamespace"), "", wrong);
        }
        _ => {}
    }
    if ["cinder", "storageos"].contains(&field) && source["secretRef"].is_object() {
        let at = path.child("secretRef");
        required(&source["secretRef"], "name", &at, errors);
        if place == Place::PersistentVolume {
            required(&source["secretRef"], "namespace", &at, errors);
        }
    }
}

fn in_byte(source: &Value, field: &str, path: &Path, errors: &mut Errors) {
    if let Some(number) = int(source, field).filter(|number| !(0..=255).contains(number)) {
        errors.invalid(&path.child(field), number, LUN_WRONG);
    }
}

fn validate_host_path(source: &Value, path: &Path, errors: &mut Errors) {
    no_backsteps(text(source, "path"), &path.child("path"), errors);
    let type_ = text(source, "type");
    if !type_.is_empty() && !HOST_PATH_TYPES.contains(&type_) {
        errors.not_supported(&path.child("type"), type_, &HOST_PATH_TYPES);
    }
}

fn validate_iscsi(source: &Value, path: &Path, errors: &mut Errors) {
    let named = |name: &str| ["iqn", "eui", "naa"].iter().any(|start| name.starts_with(start));
    let iqn = text(source, "iqn");
    if !iqn.is_empty() && !named(iqn) {
        errors.invalid(&path.child("iqn"), iqn, "must be valid format starting with iqn, eui, or naa");
    }
    in_byte(source, "lun", path, errors);
    let needs_secret = is_true(source, "chapAuthDiscovery") || is_true(source, "chapAuthSession");
    if needs_secret && source["secretRef"].is_null() {
        errors.required(&path.child("secretRef"), "");
    }
    if let Some(name) = source["initiatorName"].as_str().filter(|name| !named(name)) {
        errors.invalid(&path.child("initiatorname"), name, "must be valid format starting with iqn, eui, or naa");
    }
}

fn validate_fibre_channel(source: &Value, path: &Path, errors: &mut Errors) {
    let (by_target, by_id) = (!list(source, "targetWWNs").is_empty(), !list(source, "wwids").is_empty());
    let at = path.child("targetWWNs");
    match (by_target, by_id) {
        (false, false) => errors.required(&at, "must specify either targetWWNs or wwids, but not both"),
        (true, true) => {
            let wrong = "targetWWNs and wwids can not be specified simultaneously";
            errors.invalid(&at, &source["targetWWNs"], wrong);
        }
        _ => {}
    }
    if by_target && source["lun"].is_null() {
        errors.required(&path.child("lun"), "lun is required if targetWWNs is specified");
    }
    in_byte(source, "lun", path, errors);
}

fn validate_flocker(source: &Value, path: &Path, errors: &mut Errors) {
    let (name, id) = (text(source, "datasetName"), text(source, "datasetUUID"));
    match (name.is_empty(), id.is_empty()) {
        (true, true) => errors.required(path, "one of datasetName and datasetUUID is required"),
        (false, false) => {
            errors.invalid(path, "resource", "datasetName and datasetUUID can not be specified simultaneously");
        }
        _ => {}
    }
    if name.contains('/') {
        errors.invalid(&path.child("datasetName"), name, "must not contain '/'");
    }
}

fn validate_flex(source: &Value, path: &Path, errors: &mut Errors) {
    for (key, _) in entries(source, "options") {
        let domain = format!(".{}", key.split('/').next().unwrap_or(key).to_lowercase());
        if domain.ends_with(".kubernetes.io") || domain.ends_with(".k8s.io") {
            let wrong = "kubernetes.io and k8s.io namespaces are reserved";
            errors.invalid(&path.child("options").key(key), key, wrong);
        }
    }
}

fn validate_azure_disk(source: &Value, path: &Path, errors: &mut Errors) {
    let (caching, kind, uri) = (text(source, "cachingMode"), text(source, "kind"), text(source, "diskURI"));
    if !caching.is_empty() && !["None", "ReadOnly", "ReadWrite"].contains(&caching) {
        errors.not_supported(&path.child("cachingMode"), caching, &["None", "ReadOnly", "ReadWrite"]);
    }
    if !kind.is_empty() && !["Dedicated", "Managed", "Shared"].contains(&kind) {
        errors.not_supported(&path.child("kind"), kind, &["Dedicated", "Managed", "Shared"]);
    }
    let (start, form) = match kind {
        "" => return,
        "Managed" => (
            "/subscriptions/",
            "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}",
        ),
        _ => ("https://", "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"),
    };
    if !uri.starts_with(start) {
        errors.not_supported(&path.child("diskURI"), uri, &[form]);
    }
}

fn validate_storage_os(source: &Value, path: &Path, errors: &mut Errors) {
    for field in ["volumeName", "volumeNamespace"] {
        let name = text(source, field);
        if !name.is_empty() {
            for wrong in names::dns_label(name) {
                errors.invalid(&path.child(field), name, &wrong);
            }
        }
    }
}

fn validate_quobyte(source: &Value, path: &Path, errors: &mut Errors) {
    let (registry, at) = (text(source, "registry"), path.child("registry"));
    for host in registry.split(',').filter(|_| !registry.is_empty()) {
        let fits = host.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        if !fits {
            let wrong = "must be a host:port pair or multiple pairs separated by commas";
            errors.invalid(&at, registry, wrong);
        }
    }
}

fn validate_csi(source: &Value, place: Place, path: &Path, errors: &mut Errors) {
    let (driver, at) = (text(source, "driver"), path.child("driver"));
    if driver.is_empty() {
        errors.required(&at, "");
    } else {
        if driver.len() > DRIVER_BYTES_MAX {
            errors.too_long(&at, DRIVER_BYTES_MAX);
        }
        for wrong in names::dns_subdomain(&driver.to_lowercase()) {
            errors.invalid(&at, driver, &wrong);
        }
    }
    if place == Place::Pod {
        let secret = &source["nodePublishSecretRef"];
        if !secret.is_null() {
            required(secret, "name", &path.child("nodePublishSecretRef"), errors);
            for wrong in names::dns_subdomain(text(secret, "name")).iter().filter(|_| !text(secret, "name").is_empty())
            {
                errors.invalid(&path.child("name"), text(secret, "name"), wrong);
            }
        }
        return;
    }
    required(source, "volumeHandle", path, errors);
    let secrets =
        ["controllerPublishSecretRef", "controllerExpandSecretRef", "nodePublishSecretRef", "nodeExpandSecretRef"];
    for field in secrets.into_iter().filter(|field| !source[*field].is_null()) {
        let (secret, at) = (&source[field], path.child(field));
        let rules: [(&str, names::Rule); 2] = [("name", names::dns_subdomain), ("namespace", names::dns_label)];
        for (part, rule) in rules {
            required(secret, part, &at, errors);
            let name = text(secret, part);
            for wrong in rule(name).iter().filter(|_| !name.is_empty()) {
                errors.invalid(&at.child(part), name, wrong);
            }
        }
    }
}

/// Fills in the defaults of the sources that a Pod's volume or a PersistentVolume's spec holds.
pub fn default(value: &mut Value) {
    let texts: [(&str, &str, &str); 9] = [
        ("iscsi", "iscsiInterface", "default"),
        ("rbd", "pool", "rbd"),
        ("rbd", "user", "admin"),
        ("rbd", "keyring", "/etc/ceph/keyring"),
        ("azureDisk", "cachingMode", "ReadWrite"),
        ("azureDisk", "kind", "Shared"),
        ("azureDisk", "fsType", "ext4"),
        ("scaleIO", "storageMode", "ThinProvisioned"),
        ("scaleIO", "fsType", "xfs"),
    ];
    for (source, field, text) in texts {
        if let Some(source) = object_mut(value, source) {
            default_text(source, field, text);
        }
    }
    if let Some(host_path) = object_mut(value, "hostPath") {
        fields::default(host_path, "type", "");
    }
    if let Some(disk) = object_mut(value, "azureDisk") {
        fields::default(disk, "readOnly", false);
    }
}
