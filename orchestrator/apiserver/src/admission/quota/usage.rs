//! What single objects use, by the names that quotas give to resources.

use orchestrator_apimachinery::quantity::Quantity;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Amounts by resource.
pub(in crate::admission) type Usage = BTreeMap<String, Quantity>;

const COMPUTE: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];
/// Core kinds that quotas count by their plain plural.
const COUNTED: [&str; 7] =
    ["configmaps", "persistentvolumeclaims", "pods", "replicationcontrollers", "resourcequotas", "secrets", "services"];

/// The one name of a resource: `cpu` is `requests.cpu`.
pub(super) fn canonical(name: &str) -> String {
    if COMPUTE.contains(&name) { format!("requests.{name}") } else { name.to_owned() }
}

fn count_name((group, plural): (&str, &str)) -> String {
    if group.is_empty() { format!("count/{plural}") } else { format!("count/{plural}.{group}") }
}

/// What a quota has to know of an object; worked out once for each object of the cache.
#[derive(Debug)]
pub(crate) struct Counted {
    /// What it uses.
    pub(super) usage: Usage,
    terminating: bool,
    best_effort: bool,
    crosses_namespaces: bool,
    priority_class: Box<str>,
}

impl Counted {
    pub(super) fn new(kind: (&str, &str), object: &Value) -> Self {
        let pod = (kind == ("", "pods")).then_some(object);
        let seconds = |pod: &Value| pod["spec"]["activeDeadlineSeconds"].as_i64();
        Counted {
            usage: of_object(kind, object),
            terminating: pod.and_then(seconds).is_some_and(|seconds| seconds >= 0),
            best_effort: pod.is_some_and(is_best_effort),
            crosses_namespaces: pod.is_some_and(crosses_namespaces),
            priority_class: pod.and_then(|pod| pod["spec"]["priorityClassName"].as_str()).unwrap_or_default().into(),
        }
    }

    /// Whether a Pod is of a quota's scopes.
    pub(super) fn is_in_scope(&self, spec: &Value) -> bool {
        let plain = spec["scopes"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let expressions = spec["scopeSelector"]["matchExpressions"].as_array().into_iter().flatten();
        plain.into_iter().all(|scope| self.has_scope(scope)) && expressions.into_iter().all(|wanted| self.fits(wanted))
    }

    fn has_scope(&self, scope: &str) -> bool {
        match scope {
            "Terminating" => self.terminating,
            "NotTerminating" => !self.terminating,
            "BestEffort" => self.best_effort,
            "NotBestEffort" => !self.best_effort,
            "PriorityClass" => !self.priority_class.is_empty(),
            "CrossNamespacePodAffinity" => self.crosses_namespaces,
            _ => false,
        }
    }

    fn fits(&self, wanted: &Value) -> bool {
        let scope = wanted["scopeName"].as_str().unwrap_or_default();
        if scope != "PriorityClass" {
            return self.has_scope(scope) == (wanted["operator"] != "DoesNotExist");
        }
        let class = &*self.priority_class;
        let listed = wanted["values"].as_array().into_iter().flatten().any(|value| value == class);
        match wanted["operator"].as_str() {
            Some("In") => listed,
            Some("NotIn") => !listed,
            Some("DoesNotExist") => class.is_empty(),
            _ => !class.is_empty(),
        }
    }
}

/// What each object of a kind uses alike, if one is like the other.
pub(super) fn of_each(kind: (&str, &str)) -> Option<Usage> {
    let alike = !matches!(kind, ("", "pods" | "services" | "persistentvolumeclaims"));
    alike.then(|| of_object(kind, &Value::Null))
}

/// Whether objects of a kind can use one of the resources.
pub(super) fn may_use(kind: (&str, &str), resources: &BTreeSet<&String>) -> bool {
    let count = count_name(kind);
    resources.iter().any(|resource| {
        **resource == count
            || (kind.0.is_empty()
                && match kind.1 {
                    "pods" => {
                        *resource == "pods" || resource.starts_with("requests.") || resource.starts_with("limits.")
                    }
                    "services" => resource.starts_with("services"),
                    "persistentvolumeclaims" => {
                        *resource == "persistentvolumeclaims"
                            || *resource == "requests.storage"
                            || resource.contains(".storageclass.storage.k8s.io/")
                    }
                    plural => *resource == plural,
                })
    })
}

/// What an object uses.
fn of_object(kind: (&str, &str), object: &Value) -> Usage {
    let one = Quantity::from_millis(1000);
    let mut usage = Usage::from([(count_name(kind), one)]);
    if !kind.0.is_empty() {
        return usage;
    }
    match kind.1 {
        "pods" if is_over(object) => return usage,
        "pods" => of_pod(object, &mut usage),
        "services" => of_service(&object["spec"], &mut usage),
        "persistentvolumeclaims" => of_claim(&object["spec"], &mut usage),
        _ => {}
    }
    if COUNTED.contains(&kind.1) {
        usage.insert(kind.1.to_owned(), one);
    }
    usage
}

/// What a Pod asks for, as `requests.cpu` and so on.
pub(in crate::admission) fn of_running_pod(pod: &Value) -> Usage {
    let mut usage = Usage::new();
    of_pod(pod, &mut usage);
    usage
}

fn is_over(pod: &Value) -> bool {
    matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

fn parsed(amounts: &Value) -> impl Iterator<Item = (&String, Quantity)> {
    let amounts = amounts.as_object().into_iter().flatten();
    amounts.filter_map(|(name, value)| Some((name, Quantity::parse(value.as_str()?).ok()?)))
}

/// What a Pod asks for: the sum of its containers and sidecars, or more where an init container needs
/// more beside the sidecars that started before it; what the Pod says as a whole comes first.
fn of_pod(pod: &Value, usage: &mut Usage) {
    let spec = &pod["spec"];
    for part in ["requests", "limits"] {
        let list = |field: &str| spec[field].as_array().into_iter().flatten();
        let (mut sum, mut sidecars, mut most) = (Usage::new(), Usage::new(), Usage::new());
        for container in list("containers") {
            add_all(&mut sum, &container["resources"][part]);
        }
        for container in list("initContainers") {
            let amounts = &container["resources"][part];
            let stays = container["restartPolicy"] == "Always";
            if stays {
                add_all(&mut sum, amounts);
                add_all(&mut sidecars, amounts);
            }
            // Of what it does not name itself there is no more than before.
            let beside = parsed(amounts).map(|(name, amount)| {
                let beside = sidecars.get(name).copied().unwrap_or_default();
                (name.clone(), if stays { beside } else { beside + amount })
            });
            raise(&mut most, beside.collect());
        }
        raise(&mut sum, most);
        sum.extend(parsed(&spec["resources"][part]).map(|(name, amount)| (name.clone(), amount)));
        add_all(&mut sum, &spec["overhead"]);
        usage.extend(sum.into_iter().map(|(name, amount)| (format!("{part}.{name}"), amount)));
    }
}

fn add_all(usage: &mut Usage, amounts: &Value) {
    for (name, amount) in parsed(amounts) {
        let sum = usage.entry(name.clone()).or_default();
        *sum = *sum + amount;
    }
}

/// Takes the larger of two amounts.
fn raise(usage: &mut Usage, least: Usage) {
    for (name, amount) in least {
        let sum = usage.entry(name).or_default();
        *sum = if amount > *sum { amount } else { *sum };
    }
}

fn of_service(spec: &Value, usage: &mut Usage) {
    let one = Quantity::from_millis(1000);
    let ports = spec["ports"].as_array().map_or(0, Vec::len) as i64;
    match spec["type"].as_str() {
        Some("LoadBalancer") => {
            usage.insert("services.loadbalancers".into(), one);
            if spec["allocateLoadBalancerNodePorts"] != false {
                usage.insert("services.nodeports".into(), Quantity::from_millis(ports * 1000));
            }
        }
        Some("NodePort") => {
            usage.insert("services.nodeports".into(), Quantity::from_millis(ports * 1000));
        }
        _ => {}
    }
}

fn of_claim(spec: &Value, usage: &mut Usage) {
    let one = Quantity::from_millis(1000);
    let size = spec["resources"]["requests"]["storage"].as_str().and_then(|text| Quantity::parse(text).ok());
    let size = size.unwrap_or_default();
    usage.insert("requests.storage".into(), size);
    if let Some(class) = spec["storageClassName"].as_str().filter(|class| !class.is_empty()) {
        usage.insert(format!("{class}.storageclass.storage.k8s.io/requests.storage"), size);
        usage.insert(format!("{class}.storageclass.storage.k8s.io/persistentvolumeclaims"), one);
    }
}

/// What a quota on compute resources makes every container say, and who does not.
pub(super) fn missing_of_pod<'r>(pod: &Value, hard: impl Iterator<Item = &'r String>) -> Vec<String> {
    let mut missing = Vec::new();
    for resource in hard {
        let Some((part, name)) = resource.split_once('.').filter(|(part, _)| matches!(*part, "requests" | "limits"))
        else {
            continue;
        };
        if !COMPUTE.contains(&name) {
            continue;
        }
        let containers = ["containers", "initContainers"]
            .into_iter()
            .flat_map(|list| pod["spec"][list].as_array().into_iter().flatten());
        let silent = containers.filter(|container| container["resources"][part][name].is_null());
        let names: Vec<&str> = silent.filter_map(|container| container["name"].as_str()).collect();
        if !names.is_empty() {
            missing.push(format!("{resource} for: {}", names.join(",")));
        }
    }
    missing
}

/// Whether a quota is only about some Pods.
pub(super) fn is_scoped(spec: &Value) -> bool {
    let some = |value: &Value| value.as_array().is_some_and(|list| !list.is_empty());
    some(&spec["scopes"]) || some(&spec["scopeSelector"]["matchExpressions"])
}

fn is_best_effort(pod: &Value) -> bool {
    let asks = |resources: &Value| {
        ["requests", "limits"]
            .iter()
            .any(|part| ["cpu", "memory"].iter().any(|name| !resources[*part][*name].is_null()))
    };
    let containers = ["containers", "initContainers"]
        .into_iter()
        .flat_map(|list| pod["spec"][list].as_array().into_iter().flatten());
    !asks(&pod["spec"]["resources"]) && !containers.into_iter().any(|container| asks(&container["resources"]))
}

fn crosses_namespaces(pod: &Value) -> bool {
    let affinity = &pod["spec"]["affinity"];
    ["podAffinity", "podAntiAffinity"].iter().any(|side| {
        let required =
            affinity[*side]["requiredDuringSchedulingIgnoredDuringExecution"].as_array().into_iter().flatten();
        let preferred =
            affinity[*side]["preferredDuringSchedulingIgnoredDuringExecution"].as_array().into_iter().flatten();
        required.chain(preferred.map(|term| &term["podAffinityTerm"])).any(|term| {
            term["namespaces"].as_array().is_some_and(|names| !names.is_empty())
                || term["namespaceSelector"].is_object()
        })
    })
}
