//! What is allowed in a Pod or a template but probably not meant: texts for `Warning:` headers.
//!
//! Says what upstream's API server says, in its order.

use super::CONTAINER_LISTS;
use crate::field::Path;
use crate::kinds::fields::{indexed, int, list, text};
use crate::kinds::{names, persistent_volume_claim};
use crate::limits::PORT_WARNINGS_MAX;
use crate::quantity::Quantity;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Labels of nodes that have newer names: since when, and which.
const OLD_NODE_LABELS: [(&str, &str, &str); 5] = [
    ("beta.kubernetes.io/arch", "v1.14", "kubernetes.io/arch"),
    ("beta.kubernetes.io/os", "v1.14", "kubernetes.io/os"),
    ("beta.kubernetes.io/instance-type", "v1.17", "node.kubernetes.io/instance-type"),
    ("failure-domain.beta.kubernetes.io/region", "v1.17", "topology.kubernetes.io/region"),
    ("failure-domain.beta.kubernetes.io/zone", "v1.17", "topology.kubernetes.io/zone"),
];
/// Annotations that nothing reads any more.
const OLD_ANNOTATIONS: [(&str, &str); 3] = [
    (
        "scheduler.alpha.kubernetes.io/critical-pod",
        "non-functional in v1.16+; use the \"priorityClassName\" field instead",
    ),
    ("security.alpha.kubernetes.io/sysctls", "non-functional in v1.11+; use the \"sysctls\" field instead"),
    ("security.alpha.kubernetes.io/unsafe-sysctls", "non-functional in v1.11+; use the \"sysctls\" field instead"),
];
/// Volume sources that are gone or going.
const OLD_VOLUMES: [(&str, &str, &str); 9] = [
    ("photonPersistentDisk", "photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"),
    ("gitRepo", "gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"),
    ("scaleIO", "scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
    ("flocker", "flocker", "deprecated in v1.22, non-functional in v1.25+"),
    ("storageos", "storageOS", "deprecated in v1.22, non-functional in v1.25+"),
    ("quobyte", "quobyte", "deprecated in v1.22, non-functional in v1.25+"),
    ("glusterfs", "glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
    ("cephfs", "cephfs", "deprecated in v1.28, non-functional in v1.31+"),
    ("rbd", "rbd", "deprecated in v1.28, non-functional in v1.31+"),
];
const SECCOMP_OF_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_OF_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";
const SECCOMP_INSTEAD: &str = "non-functional in v1.27+; use the \"seccompProfile\" field instead";
const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";
const APP_ARMOR_INSTEAD: &str = "deprecated since v1.30; use the \"appArmorProfile\" field instead";
const NO_SELECTOR: &str = "a null labelSelector results in matching no pod";
const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

/// The warnings about a Pod (of the path "") or a template: an object with `metadata` and `spec`.
pub fn warnings(template: &Value, path: &Path) -> Vec<String> {
    let (spec, metadata) = (&template["spec"], &template["metadata"]);
    let at = path.child("spec");
    let mut warnings = Vec::new();
    placement(spec, &at, &mut warnings);
    for (annotation, instead) in OLD_ANNOTATIONS {
        if !metadata["annotations"][annotation].is_null() {
            warnings.push(format!("{}: {instead}", annotation_at(path, annotation)));
        }
    }
    volumes(spec, &at.child("volumes"), &mut warnings);
    lists(spec, &at, &mut warnings);
    for resource in ["memory", "ephemeral-storage"] {
        fraction(&spec["overhead"], resource, &at.child("overhead"), &mut warnings);
    }
    profiles(template, path, &mut warnings);
    for (container, at) in containers(spec, &at) {
        of_container(container, &at, &mut warnings);
    }
    ports(spec, &at, &mut warnings);
    if int(spec, "terminationGracePeriodSeconds").is_some_and(|seconds| seconds < 0) {
        let at = at.child("terminationGracePeriodSeconds");
        warnings.push(format!("{at}: must be >= 0; negative values are invalid and will be treated as 1"));
    }
    selectors(&spec["affinity"], &at.child("affinity"), &mut warnings);
    warnings
}

/// Whether a name makes no good host name; `of` says what it becomes part of.
pub fn name_warning(name: &str, of: &str) -> Option<String> {
    let wrong = names::dns_label(name);
    (!wrong.is_empty()).then(|| {
        let why = "which can result in surprising behavior; a DNS label is recommended";
        format!("metadata.name: this is used in {of}, {why}: [{}]", wrong.join(" "))
    })
}

/// What is said of a node's label that has a newer name.
pub fn node_label_warning(label: &str) -> Option<String> {
    let (_, since, instead) = OLD_NODE_LABELS.iter().find(|(old, ..)| *old == label)?;
    Some(format!("deprecated since {since}; use {instead:?} instead"))
}

/// Warnings about the labels of a map that selects nodes.
fn node_selector_warnings(selector: &Value, path: &Path, warnings: &mut Vec<String>) {
    for label in selector.as_object().into_iter().flat_map(serde_json::Map::keys) {
        if let Some(instead) = node_label_warning(label) {
            warnings.push(format!("{}: {instead}", path.key(label)));
        }
    }
}

/// Warnings about one term that selects nodes.
pub fn node_term_warnings(term: &Value, path: &Path, warnings: &mut Vec<String>) {
    for (index, expression) in indexed(term, "matchExpressions") {
        let key = text(expression, "key");
        if let Some(instead) = node_label_warning(key) {
            let at = path.child("matchExpressions").index(index).child("key");
            warnings.push(format!("{at}: {key} is {instead}"));
        }
    }
}

fn annotation_at(path: &Path, annotation: &str) -> Path {
    path.child("metadata").child("annotations").key(annotation)
}

/// The containers of all lists and where they are.
fn containers<'a>(spec: &'a Value, path: &'a Path) -> impl Iterator<Item = (&'a Value, Path)> {
    CONTAINER_LISTS.into_iter().flat_map(move |field| {
        indexed(spec, field).map(move |(index, container)| (container, path.child(field).index(index)))
    })
}

fn placement(spec: &Value, path: &Path, warnings: &mut Vec<String>) {
    node_selector_warnings(&spec["nodeSelector"], &path.child("nodeSelector"), warnings);
    let (affinity, at) = (&spec["affinity"]["nodeAffinity"], path.child("affinity").child("nodeAffinity"));
    for (index, term) in indexed(&affinity[REQUIRED], "nodeSelectorTerms") {
        node_term_warnings(term, &at.child(REQUIRED).child("nodeSelectorTerms").index(index), warnings);
    }
    for (index, term) in indexed(affinity, PREFERRED) {
        node_term_warnings(&term["preference"], &at.child(PREFERRED).index(index).child("preference"), warnings);
    }
    for (index, constraint) in indexed(spec, "topologySpreadConstraints") {
        let at = path.child("topologySpreadConstraints").index(index);
        let key = text(constraint, "topologyKey");
        if let Some(instead) = node_label_warning(key) {
            warnings.push(format!("{}: {key} is {instead}", at.child("topologyKey")));
        }
        if constraint["labelSelector"].is_null() {
            warnings.push(format!("{}: {NO_SELECTOR}", at.child("labelSelector")));
        }
    }
}

fn volumes(spec: &Value, path: &Path, warnings: &mut Vec<String>) {
    for (index, volume) in indexed(spec, "volumes") {
        let at = path.index(index);
        for (source, shown, why) in OLD_VOLUMES {
            if !volume[source].is_null() {
                warnings.push(format!("{}: {why}", at.child(shown)));
            }
        }
        let claim = &volume["ephemeral"]["volumeClaimTemplate"];
        let at = at.child("ephemeral").child("volumeClaimTemplate").child("spec");
        warnings.extend(persistent_volume_claim::warnings(&claim["spec"], &at));
    }
    shadowed_tokens(spec, path, warnings);
}

/// Files of projected volumes that lie where a token lies.
fn shadowed_tokens(spec: &Value, path: &Path, warnings: &mut Vec<String>) {
    let sources = list(spec, "volumes").iter().flat_map(|volume| list(&volume["projected"], "sources"));
    let tokens = sources.map(|source| &source["serviceAccountToken"]).filter(|token| !token.is_null());
    let tokens: BTreeSet<&str> = tokens.map(|token| text(token, "path")).collect();
    for (index, volume) in indexed(spec, "volumes") {
        let at = path.index(index).child("projected").child("sources");
        for source in list(&volume["projected"], "sources") {
            // The names and places of the lists are upstream's.
            for (field, shown) in [("configMap", "configMap"), ("secret", "secrets"), ("downwardAPI", "downwardAPI")] {
                for (index, item) in indexed(&source[field], "items") {
                    let file = text(item, "path");
                    if tokens.contains(file) {
                        let at = at.child(shown).index(index);
                        warnings.push(format!("{at}: has duplicated path with ServiceAccountToken {file:?}"));
                    }
                }
            }
            let file = text(&source["clusterTrustBundle"], "path");
            if !source["clusterTrustBundle"].is_null() && tokens.contains(file) {
                let at = at.child("ClusterTrustBundle");
                warnings.push(format!("{at}: has duplicated path with ServiceAccountToken {file:?}"));
            }
        }
    }
}

/// Elements that come twice in lists of the spec.
fn lists(spec: &Value, path: &Path, warnings: &mut Vec<String>) {
    for (field, key) in [("hostAliases", "ip"), ("imagePullSecrets", "name")] {
        let mut seen = BTreeSet::new();
        for (index, item) in indexed(spec, field) {
            let value = text(item, key);
            if !seen.insert(value) {
                let at = path.child(field).index(index).child(key);
                warnings.push(format!("{at}: duplicate {key} {value:?}"));
            }
        }
    }
    for (index, secret) in indexed(spec, "imagePullSecrets") {
        if text(secret, "name").is_empty() {
            let at = path.child("imagePullSecrets").index(index).child("name");
            warnings.push(format!("{at}: invalid empty name \"\""));
        }
    }
}

/// Parts of bytes.
fn fraction(amounts: &Value, resource: &str, path: &Path, warnings: &mut Vec<String>) {
    let shown = text(amounts, resource);
    if Quantity::parse(shown).is_ok_and(|quantity| !quantity.is_integer()) {
        let at = path.key(resource);
        warnings.push(format!("{at}: fractional byte value {shown:?} is invalid, must be an integer"));
    }
}

/// Annotations that fields took the place of, where the field is not set.
fn profiles(template: &Value, path: &Path, warnings: &mut Vec<String>) {
    let (spec, annotations) = (&template["spec"], &template["metadata"]["annotations"]);
    let of_pod = &spec["securityContext"];
    if of_pod["seccompProfile"].is_null() && !annotations[SECCOMP_OF_POD].is_null() {
        warnings.push(format!("{}: {SECCOMP_INSTEAD}", annotation_at(path, SECCOMP_OF_POD)));
    }
    let is_template = *path != Path::default();
    for (container, _) in containers(spec, &Path::default()) {
        let (name, own) = (text(container, "name"), &container["securityContext"]);
        let key = format!("{SECCOMP_OF_CONTAINER}{name}");
        if own["seccompProfile"].is_null() && !annotations[&key].is_null() {
            warnings.push(format!("{}: {SECCOMP_INSTEAD}", annotation_at(path, &key)));
        }
        let key = format!("{APP_ARMOR}{name}");
        let has_field = [of_pod, own].iter().any(|context| !context["appArmorProfile"].is_null());
        if is_template && !has_field && !annotations[&key].is_null() {
            warnings.push(format!("{}: {APP_ARMOR_INSTEAD}", annotation_at(path, &key)));
        }
    }
}

fn of_container(container: &Value, path: &Path, warnings: &mut Vec<String>) {
    for resource in ["memory", "ephemeral-storage"] {
        for kind in ["limits", "requests"] {
            let amounts = &container["resources"][kind];
            fraction(amounts, resource, &path.child("resources").child(kind), warnings);
        }
    }
    let mut seen = BTreeSet::new();
    for (index, variable) in indexed(container, "env") {
        let name = text(variable, "name");
        let (value, own) = (text(variable, "value"), format!("$({name})"));
        // A value may well be made of the one before it.
        let hides = !variable["valueFrom"].is_null() || value == own || !value.contains(&own);
        if !seen.insert(name) && hides {
            let at = path.child("env").index(index);
            let why = "which may be dropped when using apply";
            warnings.push(format!("{at}: hides previous definition of {name:?}, {why}"));
        }
    }
}

/// Ports that several containers, or one of them twice, want. A number of warnings is enough, and
/// each port is compared with a number of others only.
fn ports(spec: &Value, path: &Path, warnings: &mut Vec<String>) {
    let mut seen: BTreeMap<(i64, &str), Vec<(&Value, Path)>> = BTreeMap::new();
    let most = warnings.len() + PORT_WARNINGS_MAX;
    let host = |port: &Value| (int(port, "hostPort").unwrap_or(0), text(port, "hostIP").to_owned());
    for (container, at) in containers(spec, path) {
        for (index, port) in indexed(container, "ports") {
            let at = at.child("ports").index(index);
            let (number, ip) = host(port);
            if !ip.is_empty() && number == 0 {
                warnings.push(format!("{at}: hostIP set without hostPort: {}", shown(port)));
            }
            if warnings.len() >= most {
                return;
            }
            let same = seen.entry((int(port, "containerPort").unwrap_or(0), text(port, "protocol"))).or_default();
            for (other, first) in same.iter() {
                let (other_number, other_ip) = host(other);
                if (number, &ip) == (other_number, &other_ip) {
                    warnings.push(format!("{at}: duplicate port definition with {first}"));
                } else if number == 0 || other_number == 0 {
                    warnings.push(format!("{at}: overlapping port definition with {first}"));
                } else if number == other_number && ip.is_empty() != other_ip.is_empty() {
                    warnings.push(format!("{at}: dangerously ambiguous port definition with {first}"));
                }
            }
            if same.len() < PORT_WARNINGS_MAX {
                same.push((port, at));
            }
        }
    }
}

/// A port as upstream prints it here.
fn shown(port: &Value) -> String {
    let number = |field| int(port, field).unwrap_or(0);
    format!(
        "{{Name:{} HostPort:{} ContainerPort:{} Protocol:{} HostIP:{}}}",
        text(port, "name"),
        number("hostPort"),
        number("containerPort"),
        text(port, "protocol"),
        text(port, "hostIP")
    )
}

/// Terms about Pods that select none.
fn selectors(affinity: &Value, path: &Path, warnings: &mut Vec<String>) {
    for kind in ["podAffinity", "podAntiAffinity"] {
        for (index, term) in indexed(&affinity[kind], REQUIRED) {
            if term["labelSelector"].is_null() {
                let at = path.child(kind).child(REQUIRED).index(index).child("labelSelector");
                warnings.push(format!("{at}: {NO_SELECTOR}"));
            }
        }
        for (index, term) in indexed(&affinity[kind], PREFERRED) {
            if term["podAffinityTerm"]["labelSelector"].is_null() {
                let at = path.child(kind).child(PREFERRED).index(index).child("podAffinityTerm");
                warnings.push(format!("{}: {NO_SELECTOR}", at.child("labelSelector")));
            }
        }
    }
}
