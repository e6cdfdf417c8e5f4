//! What belongs to a node: its Pods, and what these refer to.
//!
//! Upstream keeps a graph of all relations; here a relation is looked up among the Pods of the
//! namespace that is asked about, which the watch cache holds in memory.

use super::super::{Attributes, read};
use crate::registry::reader::ObjectReader;
use orchestrator_apimachinery::meta;
use serde_json::Value;

/// What a Pod can refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Referent {
    /// In volumes, environment or image pull secrets.
    Secret,
    /// In volumes or environment.
    ConfigMap,
    /// A PersistentVolumeClaim, its own ones of ephemeral volumes among them.
    Claim,
    /// Of devices.
    ResourceClaim,
    /// As which it runs.
    ServiceAccount,
}

/// The relations of one node.
pub(super) struct Relations<'a> {
    pub node: &'a str,
    pub objects: &'a dyn ObjectReader,
}

impl Relations<'_> {
    /// The refusal of what is not related.
    pub fn none(&self) -> Option<String> {
        Some(format!("no relationship found between node '{}' and this object", self.node))
    }

    /// Whether the Pod is bound to the node; `None` when there is no such Pod.
    pub fn is_bound(&self, namespace: &str, name: &str) -> Option<bool> {
        let pod = read(self.objects, "", "pods", namespace, name)?;
        Some(pod["spec"]["nodeName"] == self.node)
    }

    /// Whether a Pod of the node refers to the object that is asked for.
    pub fn of_pods(&self, what: &Attributes, kind: Referent) -> bool {
        self.mention(&what.namespace, &what.name, kind)
    }

    fn mention(&self, namespace: &str, name: &str, kind: Referent) -> bool {
        // Most Pods are told apart by their text, without decoding them. Claims of ephemeral
        // volumes have names that stand nowhere.
        let spelled = kind != Referent::Claim;
        let mentions = |bytes: &[u8]| {
            let text = str::from_utf8(bytes).unwrap_or_default();
            text.contains(self.node) && (!spelled || text.contains(name))
        };
        let candidates = self.objects.list_if("", "pods", Some(namespace), &mentions).into_iter();
        let mut pods = candidates.filter_map(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        pods.any(|pod| {
            // Mirror Pods do not count: the node makes them itself, and could name any Secret.
            let mirror = pod["metadata"]["annotations"]["kubernetes.io/config.mirror"].is_string();
            pod["spec"]["nodeName"] == self.node && !mirror && refers(&pod, kind, name)
        })
    }

    /// Whether a Pod of the node uses the claim that a PersistentVolume is bound to.
    pub fn of_volume(&self, name: &str) -> bool {
        read(self.objects, "", "persistentvolumes", "", name).is_some_and(|volume| self.uses(&volume))
    }

    fn uses(&self, volume: &Value) -> bool {
        let claim = &volume["spec"]["claimRef"];
        let (namespace, name) = (claim["namespace"].as_str(), claim["name"].as_str());
        namespace.zip(name).is_some_and(|(namespace, name)| self.mention(namespace, name, Referent::Claim))
    }

    /// Whether a PersistentVolume that a Pod of the node uses needs the Secret on the node.
    pub fn of_secret_of_volume(&self, namespace: &str, name: &str) -> bool {
        let mentions = |bytes: &[u8]| str::from_utf8(bytes).is_ok_and(|text| text.contains(name));
        let volumes = self.objects.list_if("", "persistentvolumes", None, &mentions).into_iter();
        let mut volumes = volumes.filter_map(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        volumes.any(|volume| secrets_of_volume(&volume).contains(&(namespace, name)) && self.uses(&volume))
    }

    /// Whether a VolumeAttachment is of the node.
    pub fn is_attached(&self, name: &str) -> bool {
        self.is_of_node("storage.k8s.io", "volumeattachments", name)
    }

    /// Whether a ResourceSlice is of the node.
    pub fn offers(&self, name: &str) -> bool {
        self.is_of_node("resource.k8s.io", "resourceslices", name)
    }

    fn is_of_node(&self, group: &str, plural: &str, name: &str) -> bool {
        read(self.objects, group, plural, "", name).is_some_and(|object| object["spec"]["nodeName"] == self.node)
    }
}

fn each(list: &Value) -> impl Iterator<Item = &Value> + Clone {
    list.as_array().into_iter().flatten()
}

/// Sources of volumes that name a Secret of the Pod's namespace in `secretRef`.
const WITH_SECRET_REF: [&str; 7] = ["cephfs", "cinder", "flexVolume", "iscsi", "rbd", "scaleIO", "storageos"];

/// Whether a Pod names the object.
fn refers(pod: &Value, kind: Referent, name: &str) -> bool {
    let spec = &pod["spec"];
    let is = |value: &Value| value.as_str() == Some(name);
    let by_environment = |from: &str, key: &str| {
        let lists = ["containers", "initContainers", "ephemeralContainers"];
        lists.iter().flat_map(|list| each(&spec[list])).any(|container| {
            each(&container["envFrom"]).any(|source| is(&source[from]["name"]))
                || each(&container["env"]).any(|variable| is(&variable["valueFrom"][key]["name"]))
        })
    };
    let volumes = each(&spec["volumes"]);
    let projected = |source: &str| {
        volumes.clone().flat_map(|volume| each(&volume["projected"]["sources"])).any(|one| is(&one[source]["name"]))
    };
    match kind {
        Referent::Claim => claims(pod).any(|claim| claim == name),
        Referent::ConfigMap => {
            by_environment("configMapRef", "configMapKeyRef")
                || projected("configMap")
                || volumes.clone().any(|volume| is(&volume["configMap"]["name"]))
        }
        Referent::Secret => {
            by_environment("secretRef", "secretKeyRef")
                || projected("secret")
                || each(&spec["imagePullSecrets"]).any(|secret| is(&secret["name"]))
                || volumes.clone().any(|volume| {
                    is(&volume["secret"]["secretName"])
                        || is(&volume["azureFile"]["secretName"])
                        || is(&volume["csi"]["nodePublishSecretRef"]["name"])
                        || WITH_SECRET_REF.iter().any(|source| is(&volume[source]["secretRef"]["name"]))
                })
        }
        Referent::ResourceClaim => {
            each(&spec["resourceClaims"])
                .chain(each(&pod["status"]["resourceClaimStatuses"]))
                .any(|claim| is(&claim["resourceClaimName"]))
                || is(&pod["status"]["extendedResourceClaimStatus"]["resourceClaimName"])
        }
        Referent::ServiceAccount => is(&spec["serviceAccountName"]),
    }
}

/// The names of the PersistentVolumeClaims that a Pod uses.
pub(in crate::auth) fn claims(pod: &Value) -> impl Iterator<Item = String> {
    let owner = meta::name(pod);
    each(&pod["spec"]["volumes"]).filter_map(move |volume| {
        let named = volume["persistentVolumeClaim"]["claimName"].as_str().map(str::to_owned);
        let own = || Some(format!("{owner}-{}", volume["name"].as_str()?));
        named.or_else(|| volume["ephemeral"].is_object().then(own)?)
    })
}

/// Where a PersistentVolume names Secrets that its node needs.
const VOLUME_SECRETS: [(&str, &str); 10] = [
    ("csi", "nodePublishSecretRef"),
    ("csi", "nodeStageSecretRef"),
    ("csi", "nodeExpandSecretRef"),
    ("cephfs", "secretRef"),
    ("cinder", "secretRef"),
    ("flexVolume", "secretRef"),
    ("iscsi", "secretRef"),
    ("rbd", "secretRef"),
    ("scaleIO", "secretRef"),
    ("storageos", "secretRef"),
];

/// Namespaces and names of the Secrets that a kubelet needs to mount a PersistentVolume.
fn secrets_of_volume(volume: &Value) -> Vec<(&str, &str)> {
    let spec = &volume["spec"];
    let home = spec["claimRef"]["namespace"].as_str().unwrap_or_default();
    let references = VOLUME_SECRETS.iter().map(|(source, key)| (&spec[source][key], "namespace", "name"));
    let files = (&spec["azureFile"], "secretNamespace", "secretName");
    let named = references.chain([files]).filter_map(|(one, namespace, name)| {
        let namespace = one[namespace].as_str().filter(|text| !text.is_empty());
        Some((namespace.unwrap_or(home), one[name].as_str()?))
    });
    named.collect()
}

/// Whether any of these fields with a reference stands somewhere in a Pod's spec.
pub(in crate::auth) fn mentions_any(pod: &Value, fields: &[&str]) -> bool {
    fn within(value: &Value, fields: &[&str]) -> bool {
        match value {
            Value::Object(entries) => entries.iter().any(|(key, value)| {
                let empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
                (fields.contains(&key.as_str()) && !empty) || within(value, fields)
            }),
            Value::Array(items) => items.iter().any(|item| within(item, fields)),
            _ => false,
        }
    }
    ["containers", "initContainers", "volumes", "imagePullSecrets"].iter().any(|field| {
        let list = &pod["spec"][field];
        (fields.contains(field) && list.as_array().is_some_and(|list| !list.is_empty())) || within(list, fields)
    })
}
