//! A container's environment; pure.

use crate::limits::ENV_BYTES_MAX;
use crate::pod;
use k8s_openapi::api::core::v1::{
    ConfigMap, Container, EnvVar, ObjectFieldSelector, Pod, ResourceFieldSelector, Secret, Service,
};
use orchestrator_apimachinery::quantity::Quantity;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// Where the values of references come from.
pub trait References: Send + Sync {
    /// The ConfigMap `name` of the Pod's namespace.
    fn config_map(&self, name: &str) -> Option<Arc<ConfigMap>>;
    /// The Secret `name` of the Pod's namespace.
    fn secret(&self, name: &str) -> Option<Arc<Secret>>;
}

/// What the environment says of the Pod's surroundings.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The Pod's addresses.
    pub pod_ips: Vec<IpAddr>,
    /// The node's address.
    pub host_ip: String,
    /// The Pod's host name.
    pub hostname: String,
    /// Services that the Pod sees as variables.
    pub services: Vec<Arc<Service>>,
    /// What a container without limits may use: cpu in thousandths of a core, memory in bytes.
    pub allocatable: (i64, i64),
}

/// The environment of `container`, complete and in order; the error is what a user reads.
///
/// Later entries win over earlier ones: service variables, then `envFrom`, then `env`.
pub fn environment(
    pod: &Pod,
    container: &Container,
    references: &dyn References,
    around: &Surroundings,
) -> Result<Vec<(String, String)>, String> {
    let mut env = Environment::default();
    env.set("HOSTNAME", around.hostname.clone());
    for (name, value) in service_variables(pod, &around.services) {
        env.set(&name, value);
    }
    let ambient = env.values.clone();
    for source in container.env_from.iter().flatten() {
        let prefix = source.prefix.as_deref().unwrap_or("");
        for (key, value) in whole(source, references)? {
            env.set(&format!("{prefix}{key}"), value);
        }
    }
    for variable in container.env.iter().flatten() {
        if let Some(value) = value_of(pod, container, variable, &env.values, &ambient, references, around)? {
            if value.len() > ENV_BYTES_MAX {
                return Err(format!("environment variable {} has more than {ENV_BYTES_MAX} bytes", variable.name));
            }
            env.set(&variable.name, value);
        }
    }
    Ok(env.order.into_iter().map(|name| (name.clone(), env.values.remove(&name).unwrap_or_default())).collect())
}

#[derive(Default)]
struct Environment {
    order: Vec<String>,
    values: BTreeMap<String, String>,
}

impl Environment {
    fn set(&mut self, name: &str, value: String) {
        if self.values.insert(name.to_owned(), value).is_none() {
            self.order.push(name.to_owned());
        }
    }
}

/// All entries of an `envFrom` source.
fn whole(
    source: &k8s_openapi::api::core::v1::EnvFromSource,
    references: &dyn References,
) -> Result<Vec<(String, String)>, String> {
    if let Some(from) = &source.config_map_ref {
        return match references.config_map(&from.name) {
            Some(map) => Ok(map.data.clone().unwrap_or_default().into_iter().collect()),
            None if from.optional == Some(true) => Ok(Vec::new()),
            None => Err(format!("configmap \"{}\" not found", from.name)),
        };
    }
    if let Some(from) = &source.secret_ref {
        return match references.secret(&from.name) {
            Some(secret) => {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let data = secret.data.iter().flatten();
                Ok(data.map(|(key, value)| (key.clone(), text(&value.0))).collect())
            }
            None if from.optional == Some(true) => Ok(Vec::new()),
            None => Err(format!("secret \"{}\" not found", from.name)),
        };
    }
    Ok(Vec::new())
}

fn value_of(
    pod: &Pod,
    container: &Container,
    variable: &EnvVar,
    values: &BTreeMap<String, String>,
    ambient: &BTreeMap<String, String>,
    references: &dyn References,
    around: &Surroundings,
) -> Result<Option<String>, String> {
    if let Some(value) = variable.value.as_ref().filter(|value| !value.is_empty()) {
        return Ok(Some(expand(value, |name| values.get(name).or_else(|| ambient.get(name)).cloned())));
    }
    let Some(from) = &variable.value_from else { return Ok(Some(String::new())) };
    if let Some(field) = &from.field_ref {
        return field_value(pod, field, around).map(Some);
    }
    if let Some(resource) = &from.resource_field_ref {
        return resource_value(pod, container, resource, around).map(Some);
    }
    if let Some(key) = &from.config_map_key_ref {
        let optional = key.optional == Some(true);
        let Some(map) = references.config_map(&key.name) else {
            return missing(optional, || format!("configmap \"{}\" not found", key.name));
        };
        return match map.data.as_ref().and_then(|data| data.get(&key.key)) {
            Some(value) => Ok(Some(value.clone())),
            None => missing(optional, || {
                format!("couldn't find key {} in ConfigMap {}/{}", key.key, namespace(pod), key.name)
            }),
        };
    }
    if let Some(key) = &from.secret_key_ref {
        let optional = key.optional == Some(true);
        let Some(secret) = references.secret(&key.name) else {
            return missing(optional, || format!("secret \"{}\" not found", key.name));
        };
        return match secret.data.as_ref().and_then(|data| data.get(&key.key)) {
            Some(value) => Ok(Some(String::from_utf8_lossy(&value.0).into_owned())),
            None => {
                missing(optional, || format!("couldn't find key {} in Secret {}/{}", key.key, namespace(pod), key.name))
            }
        };
    }
    Err(format!("the source of environment variable {} is not supported yet", variable.name))
}

fn missing(optional: bool, message: impl FnOnce() -> String) -> Result<Option<String>, String> {
    if optional { Ok(None) } else { Err(message()) }
}

fn namespace(pod: &Pod) -> &str {
    pod.metadata.namespace.as_deref().unwrap_or_default()
}

/// `text` with each `$(NAME)` replaced by what `lookup` knows; `$$` is a dollar sign, and an
/// unknown name stays as it is.
///
/// Source: Kubernetes, "Define Dependent Environment Variables".
pub fn expand(text: &str, lookup: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let tail = &rest[at + 1..];
        if let Some(after) = tail.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some((name, after)) = tail.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
            match lookup(name) {
                Some(value) => out.push_str(&value),
                None => out.extend(["$(", name, ")"]),
            }
            rest = after;
        } else {
            out.push('$');
            rest = tail;
        }
    }
    out.push_str(rest);
    out
}

/// The value of a field of the Pod, as the downward API names it.
pub fn field_value(pod: &Pod, field: &ObjectFieldSelector, around: &Surroundings) -> Result<String, String> {
    let path = field.field_path.as_str();
    let spec = pod.spec.as_ref();
    let text = |value: Option<&String>| Ok(value.cloned().unwrap_or_default());
    let ips = || around.pod_ips.iter().map(ToString::to_string).collect::<Vec<_>>();
    match path {
        "metadata.name" => return text(pod.metadata.name.as_ref()),
        "metadata.namespace" => return text(pod.metadata.namespace.as_ref()),
        "metadata.uid" => return text(pod.metadata.uid.as_ref()),
        "metadata.labels" => return Ok(format_map(pod.metadata.labels.as_ref())),
        "metadata.annotations" => return Ok(format_map(pod.metadata.annotations.as_ref())),
        "spec.nodeName" => return text(spec.and_then(|spec| spec.node_name.as_ref())),
        "spec.serviceAccountName" => return text(spec.and_then(|spec| spec.service_account_name.as_ref())),
        "status.hostIP" | "status.hostIPs" => return Ok(around.host_ip.clone()),
        "status.podIP" => return Ok(ips().into_iter().next().unwrap_or_default()),
        "status.podIPs" => return Ok(ips().join(",")),
        _ => {}
    }
    for (prefix, map) in
        [("metadata.labels", pod.metadata.labels.as_ref()), ("metadata.annotations", pod.metadata.annotations.as_ref())]
    {
        if let Some(key) = path.strip_prefix(prefix).and_then(subscript) {
            return Ok(map.and_then(|map| map.get(key)).cloned().unwrap_or_default());
        }
    }
    Err(format!("unsupported fieldPath: {path}"))
}

/// The key in `['key']`.
fn subscript(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    let quoted = |quote: char| inner.strip_prefix(quote)?.strip_suffix(quote);
    quoted('\'').or_else(|| quoted('"'))
}

/// `key="value"` lines, as downward API volumes show labels.
fn format_map(map: Option<&BTreeMap<String, String>>) -> String {
    let lines: Vec<String> = map.into_iter().flatten().map(|(key, value)| format!("{key}={value:?}")).collect();
    lines.join("\n")
}

/// The value of a resource of a container, divided and rounded up as the downward API does.
pub fn resource_value(
    pod: &Pod,
    own: &Container,
    field: &ResourceFieldSelector,
    around: &Surroundings,
) -> Result<String, String> {
    let container = match field.container_name.as_deref().filter(|name| !name.is_empty()) {
        Some(name) => pod::container(pod, name).map(|(c, _)| c).ok_or(format!("container {name} not found"))?,
        None => own,
    };
    let (list, name) = field.resource.split_once('.').ok_or(format!("unsupported resource {}", field.resource))?;
    let resources = container.resources.as_ref();
    let amounts = match list {
        "limits" => resources.and_then(|r| r.limits.as_ref()),
        "requests" => resources.and_then(|r| r.requests.as_ref()),
        _ => return Err(format!("unsupported container resource : {}", field.resource)),
    };
    let millis = match amounts.and_then(|amounts| amounts.get(name)) {
        Some(amount) => Quantity::parse(&amount.0)?.millis(),
        None if list == "limits" && name == "cpu" => around.allocatable.0,
        None if list == "limits" && name == "memory" => around.allocatable.1.saturating_mul(1000),
        None => 0,
    };
    let divisor = match &field.divisor {
        Some(divisor) => Quantity::parse(&divisor.0)?.millis(),
        None => 1000,
    };
    let divisor = if divisor <= 0 { 1000 } else { divisor };
    Ok((millis / divisor + i64::from(millis % divisor > 0)).to_string())
}

/// The variables by which a Pod finds Services: those of its namespace (unless
/// `enableServiceLinks` is false) and always `default/kubernetes`.
///
/// Source: Kubernetes, "Service", discovering services, environment variables.
fn service_variables(pod: &Pod, services: &[Arc<Service>]) -> Vec<(String, String)> {
    let links = pod.spec.as_ref().and_then(|spec| spec.enable_service_links).unwrap_or(true);
    let mut found: Vec<&Arc<Service>> = services
        .iter()
        .filter(|service| {
            let own = service.metadata.namespace.as_deref() == Some(namespace(pod));
            let api = service.metadata.namespace.as_deref() == Some("default")
                && service.metadata.name.as_deref() == Some("kubernetes");
            api || (own && links)
        })
        .collect();
    // The Pod's own Services win over one of the same name elsewhere.
    found.sort_by_key(|service| service.metadata.namespace.as_deref() == Some(namespace(pod)));
    found.iter().flat_map(|service| variables_of(service)).collect()
}

fn variables_of(service: &Service) -> Vec<(String, String)> {
    let spec = service.spec.as_ref();
    let address = spec.and_then(|spec| spec.cluster_ip.as_deref()).unwrap_or_default();
    let ports = spec.and_then(|spec| spec.ports.as_deref()).unwrap_or_default();
    if address.is_empty() || address == "None" {
        return Vec::new();
    }
    let upper = |name: &str| name.to_uppercase().replace('-', "_");
    let name = upper(service.metadata.name.as_deref().unwrap_or_default());
    let joined = |port: i32| match address.parse::<IpAddr>() {
        Ok(IpAddr::V6(ip)) => format!("[{ip}]:{port}"),
        _ => format!("{address}:{port}"),
    };
    let mut out = vec![(format!("{name}_SERVICE_HOST"), address.to_owned())];
    if let Some(first) = ports.first() {
        out.push((format!("{name}_SERVICE_PORT"), first.port.to_string()));
    }
    for port in ports {
        if let Some(own) = port.name.as_deref().filter(|own| !own.is_empty()) {
            out.push((format!("{name}_SERVICE_PORT_{}", upper(own)), port.port.to_string()));
        }
    }
    for (index, port) in ports.iter().enumerate() {
        let protocol = port.protocol.as_deref().unwrap_or("TCP");
        let url = format!("{}://{}", protocol.to_lowercase(), joined(port.port));
        let prefix = format!("{name}_PORT_{}_{}", port.port, protocol.to_uppercase());
        if index == 0 {
            out.push((format!("{name}_PORT"), url.clone()));
        }
        out.push((prefix.clone(), url));
        out.push((format!("{prefix}_PROTO"), protocol.to_lowercase()));
        out.push((format!("{prefix}_PORT"), port.port.to_string()));
        out.push((format!("{prefix}_ADDR"), address.to_owned()));
    }
    out
}

#[cfg(test)]
mod tests;
