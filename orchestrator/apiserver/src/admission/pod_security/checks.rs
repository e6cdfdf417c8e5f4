//! The controls of the Pod Security Standards.
//!
//! Source: <https://kubernetes.io/docs/concepts/security/pod-security-standards/>

use super::Level;
use serde_json::Value;

/// Capabilities that containers have anyway.
const DEFAULT_CAPABILITIES: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];
const SAFE_SYSCTLS: [&str; 12] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
];
const SELINUX_TYPES: [&str; 5] = ["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"];
const RESTRICTED_VOLUMES: [&str; 9] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

struct Pod<'a> {
    spec: &'a Value,
    metadata: &'a Value,
    containers: Vec<&'a Value>,
}

/// What of a level a Pod does not keep, in upstream's words.
pub(super) fn violations(level: Level, spec: &Value, metadata: &Value) -> Vec<String> {
    let lists = ["initContainers", "containers", "ephemeralContainers"];
    let containers = lists.iter().flat_map(|list| spec[*list].as_array().into_iter().flatten()).collect();
    let pod = Pod { spec, metadata, containers };
    let mut found = Vec::new();
    if level >= Level::Baseline {
        found.extend(baseline(&pod));
    }
    if level >= Level::Restricted {
        found.extend(restricted(&pod));
    }
    found
}

fn name(container: &Value) -> String {
    format!("{:?}", container["name"].as_str().unwrap_or_default())
}

/// `container "a"`, or `containers "a", "b"`.
fn listed(containers: &[&Value]) -> String {
    let names: Vec<String> = containers.iter().map(|container| name(container)).collect();
    format!("container{} {}", if names.len() == 1 { "" } else { "s" }, names.join(", "))
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}

impl<'a> Pod<'a> {
    fn failing(&self, fails: impl Fn(&Value) -> bool) -> Vec<&'a Value> {
        self.containers.iter().copied().filter(|container| fails(container)).collect()
    }

    fn volumes(&self) -> impl Iterator<Item = &'a Value> {
        self.spec["volumes"].as_array().into_iter().flatten()
    }

    /// The securityContexts of the Pod and its containers.
    fn contexts(&self) -> impl Iterator<Item = &'a Value> {
        std::iter::once(&self.spec["securityContext"])
            .chain(self.containers.iter().map(|container| &container["securityContext"]))
    }
}

fn baseline(pod: &Pod<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let host: Vec<String> = ["hostNetwork", "hostPID", "hostIPC"]
        .into_iter()
        .filter(|field| pod.spec[*field] == true)
        .map(|field| format!("{field}=true"))
        .collect();
    if !host.is_empty() {
        found.push(format!("host namespaces ({})", host.join(", ")));
    }
    let privileged = pod.failing(|container| container["securityContext"]["privileged"] == true);
    if !privileged.is_empty() {
        found.push(format!("privileged ({} must not set securityContext.privileged=true)", listed(&privileged)));
    }
    let added = |container: &Value| -> Vec<String> {
        let added = texts(&container["securityContext"]["capabilities"]["add"]);
        added.filter(|name| !DEFAULT_CAPABILITIES.contains(name)).map(|name| format!("{name:?}")).collect()
    };
    let capable = pod.failing(|container| !added(container).is_empty());
    if !capable.is_empty() {
        let mut names: Vec<String> = capable.iter().flat_map(|container| added(container)).collect();
        names.sort();
        names.dedup();
        found.push(format!(
            "non-default capabilities ({} must not include {} in securityContext.capabilities.add)",
            listed(&capable),
            names.join(", ")
        ));
    }
    let paths: Vec<String> = pod.volumes().filter(|volume| volume["hostPath"].is_object()).map(name).collect();
    if !paths.is_empty() {
        found.push(format!(
            "hostPath volumes (volume{} {})",
            if paths.len() == 1 { "" } else { "s" },
            paths.join(", ")
        ));
    }
    found.extend(host_ports(pod));
    found.extend(kernel(pod));
    found
}

fn host_ports(pod: &Pod<'_>) -> Option<String> {
    let ports = |container: &Value| -> Vec<String> {
        let ports = container["ports"].as_array().into_iter().flatten();
        ports
            .filter_map(|port| port["hostPort"].as_i64())
            .filter(|port| *port != 0)
            .map(|port| port.to_string())
            .collect()
    };
    let open = pod.failing(|container| !ports(container).is_empty());
    if open.is_empty() {
        return None;
    }
    let numbers: Vec<String> = open.iter().flat_map(|container| ports(container)).collect();
    let (verb, s) = (if open.len() == 1 { "uses" } else { "use" }, if numbers.len() == 1 { "" } else { "s" });
    Some(format!("hostPort ({} {verb} hostPort{s} {})", listed(&open), numbers.join(", ")))
}

/// AppArmor, SELinux, /proc, seccomp and sysctls.
fn kernel(pod: &Pod<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let annotations = pod.metadata["annotations"].as_object().into_iter().flatten();
    let unconfined = annotations.filter(|(key, value)| {
        key.starts_with("container.apparmor.security.beta.kubernetes.io/")
            && value
                .as_str()
                .is_some_and(|text| !text.is_empty() && text != "runtime/default" && !text.starts_with("localhost/"))
    });
    if unconfined.count() > 0 || pod.contexts().any(|context| context["appArmorProfile"]["type"] == "Unconfined") {
        found.push("forbidden AppArmor profile (must not be unconfined)".to_owned());
    }
    let selinux = pod.contexts().map(|context| &context["seLinuxOptions"]).any(|options| {
        !SELINUX_TYPES.contains(&options["type"].as_str().unwrap_or_default())
            || ["user", "role"].iter().any(|field| options[*field].as_str().is_some_and(|text| !text.is_empty()))
    });
    if selinux {
        found.push("seLinuxOptions (pod or containers set forbidden securityContext.seLinuxOptions)".to_owned());
    }
    let proc = pod.failing(|container| {
        container["securityContext"]["procMount"].as_str().is_some_and(|mount| mount != "Default")
    });
    if !proc.is_empty() {
        found.push(format!("procMount ({} must not set securityContext.procMount to \"Unmasked\")", listed(&proc)));
    }
    if pod.contexts().any(|context| context["seccompProfile"]["type"] == "Unconfined") {
        found.push(
            "seccompProfile (pod or containers must not set securityContext.seccompProfile.type to \"Unconfined\")"
                .to_owned(),
        );
    }
    let sysctls = pod.spec["securityContext"]["sysctls"].as_array().into_iter().flatten();
    let sysctls: Vec<&str> =
        sysctls.filter_map(|one| one["name"].as_str()).filter(|name| !SAFE_SYSCTLS.contains(name)).collect();
    if !sysctls.is_empty() {
        found.push(format!("forbidden sysctls ({})", sysctls.join(", ")));
    }
    found
}

fn restricted(pod: &Pod<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let windows = pod.spec["os"]["name"] == "windows";
    for volume in pod.volumes() {
        let kinds = volume.as_object().into_iter().flatten().map(|(field, _)| field.as_str());
        let mut kinds = kinds.filter(|field| *field != "name" && !RESTRICTED_VOLUMES.contains(field));
        if let Some(kind) = kinds.next() {
            found.push(format!(
                "restricted volume types (volume {} uses restricted volume type {kind:?})",
                name(volume)
            ));
        }
    }
    if !windows {
        let escalating = pod.failing(|container| container["securityContext"]["allowPrivilegeEscalation"] != false);
        if !escalating.is_empty() {
            found.push(format!(
                "allowPrivilegeEscalation != false ({} must set securityContext.allowPrivilegeEscalation=false)",
                listed(&escalating)
            ));
        }
        found.extend(capabilities(pod));
    }
    let spec = &pod.spec["securityContext"];
    let root = pod.failing(|container| {
        let own = &container["securityContext"]["runAsNonRoot"];
        *own == false || (own.is_null() && spec["runAsNonRoot"] != true)
    });
    if !root.is_empty() {
        found.push(format!(
            "runAsNonRoot != true (pod or {} must set securityContext.runAsNonRoot=true)",
            listed(&root)
        ));
    }
    if spec["runAsUser"] == 0 {
        found.push("runAsUser=0 (pod must not set runAsUser=0)".to_owned());
    }
    let zero = pod.failing(|container| container["securityContext"]["runAsUser"] == 0);
    if !zero.is_empty() {
        found.push(format!("runAsUser=0 ({} must not set runAsUser=0)", listed(&zero)));
    }
    if !windows {
        let profile = |context: &Value| {
            matches!(context["seccompProfile"]["type"].as_str(), Some("RuntimeDefault" | "Localhost"))
        };
        let unset = pod.failing(|container| {
            let own = &container["securityContext"];
            !profile(own) && (own["seccompProfile"]["type"].is_string() || !profile(spec))
        });
        if !unset.is_empty() {
            found.push(format!(
                "seccompProfile (pod or {} must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")",
                listed(&unset)
            ));
        }
    }
    found
}

fn capabilities(pod: &Pod<'_>) -> Option<String> {
    let of = |container: &Value, part: &str| -> Vec<String> {
        texts(&container["securityContext"]["capabilities"][part]).map(str::to_owned).collect()
    };
    let keeps = pod.failing(|container| !of(container, "drop").iter().any(|name| name == "ALL"));
    let adds = pod.failing(|container| of(container, "add").iter().any(|name| name != "NET_BIND_SERVICE"));
    let mut why = Vec::new();
    if !keeps.is_empty() {
        why.push(format!("{} must set securityContext.capabilities.drop=[\"ALL\"]", listed(&keeps)));
    }
    if !adds.is_empty() {
        let mut names: Vec<String> = adds.iter().flat_map(|container| of(container, "add")).collect();
        names.retain(|name| name != "NET_BIND_SERVICE");
        names.sort();
        names.dedup();
        let names: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
        why.push(format!(
            "{} must not include {} in securityContext.capabilities.add",
            listed(&adds),
            names.join(", ")
        ));
    }
    (!why.is_empty()).then(|| format!("unrestricted capabilities ({})", why.join("; ")))
}
