//! The fields of built-in types that take one of a few words, as upstream's enum types have them.

/// Type, field, and the words in the order of the alphabet.
type Row = (&'static str, &'static str, &'static [&'static str]);

const PULL: &[&str] = &["Always", "IfNotPresent", "Never"];
const PROTOCOL: &[&str] = &["SCTP", "TCP", "UDP"];
const POLICY: &[&str] = &["Cluster", "Local"];
const INCLUSION: &[&str] = &["Honor", "Ignore"];
const EFFECT: &[&str] = &["NoExecute", "NoSchedule", "PreferNoSchedule"];
const ROLLING: &[&str] = &["OnDelete", "RollingUpdate"];
const RETENTION: &[&str] = &["Delete", "Retain"];
const FAILURE: &[&str] = &["Fail", "Ignore"];
const MATCH: &[&str] = &["Equivalent", "Exact"];
const SCOPE: &[&str] = &["*", "Cluster", "Namespaced"];
const VOLUME_MODE: &[&str] = &["Block", "Filesystem"];
const SIDE_EFFECTS: &[&str] = &["None", "NoneOnDryRun", "Some", "Unknown"];
const METRIC_SOURCE: &[&str] = &["ContainerResource", "External", "Object", "Pods", "Resource"];
const SECCOMP: &[&str] = &["Localhost", "RuntimeDefault", "Unconfined"];
const OPERATOR: &[&str] = &["DoesNotExist", "Exists", "Gt", "In", "Lt", "NotIn"];

/// In the order of types and fields.
const ROWS: &[Row] = &[
    ("admissionregistration.v1.MatchResources", "matchPolicy", MATCH),
    ("admissionregistration.v1.MutatingAdmissionPolicySpec", "failurePolicy", FAILURE),
    ("admissionregistration.v1.MutatingWebhook", "failurePolicy", FAILURE),
    ("admissionregistration.v1.MutatingWebhook", "matchPolicy", MATCH),
    ("admissionregistration.v1.MutatingWebhook", "reinvocationPolicy", &["IfNeeded", "Never"]),
    ("admissionregistration.v1.MutatingWebhook", "sideEffects", SIDE_EFFECTS),
    ("admissionregistration.v1.Mutation", "patchType", &["ApplyConfiguration", "JSONPatch"]),
    ("admissionregistration.v1.NamedRuleWithOperations", "scope", SCOPE),
    ("admissionregistration.v1.ParamRef", "parameterNotFoundAction", &["Allow", "Deny"]),
    ("admissionregistration.v1.RuleWithOperations", "scope", SCOPE),
    ("admissionregistration.v1.ValidatingAdmissionPolicySpec", "failurePolicy", FAILURE),
    ("admissionregistration.v1.ValidatingWebhook", "failurePolicy", FAILURE),
    ("admissionregistration.v1.ValidatingWebhook", "matchPolicy", MATCH),
    ("admissionregistration.v1.ValidatingWebhook", "sideEffects", SIDE_EFFECTS),
    ("apps.v1.DaemonSetUpdateStrategy", "type", ROLLING),
    ("apps.v1.DeploymentStrategy", "type", &["Recreate", "RollingUpdate"]),
    ("apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy", "whenDeleted", RETENTION),
    ("apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy", "whenScaled", RETENTION),
    ("apps.v1.StatefulSetSpec", "podManagementPolicy", &["OrderedReady", "Parallel"]),
    ("apps.v1.StatefulSetUpdateStrategy", "type", ROLLING),
    ("autoscaling.v2.HPAScalingPolicy", "type", &["Percent", "Pods"]),
    ("autoscaling.v2.HPAScalingRules", "selectPolicy", &["Disabled", "Max", "Min"]),
    ("autoscaling.v2.MetricSpec", "type", METRIC_SOURCE),
    ("autoscaling.v2.MetricStatus", "type", METRIC_SOURCE),
    ("autoscaling.v2.MetricTarget", "type", &["AverageValue", "Utilization", "Value"]),
    ("batch.v1.CronJobSpec", "concurrencyPolicy", &["Allow", "Forbid", "Replace"]),
    ("batch.v1.JobSpec", "completionMode", &["Indexed", "NonIndexed"]),
    ("batch.v1.JobSpec", "podReplacementPolicy", &["Failed", "TerminatingOrFailed"]),
    ("batch.v1.PodFailurePolicyOnExitCodesRequirement", "operator", &["In", "NotIn"]),
    ("batch.v1.PodFailurePolicyRule", "action", &["Count", "FailIndex", "FailJob", "Ignore"]),
    ("core.v1.AppArmorProfile", "type", SECCOMP),
    ("core.v1.AzureDiskVolumeSource", "cachingMode", &["None", "ReadOnly", "ReadWrite"]),
    ("core.v1.AzureDiskVolumeSource", "kind", &["Dedicated", "Managed", "Shared"]),
    ("core.v1.Container", "imagePullPolicy", PULL),
    ("core.v1.Container", "terminationMessagePolicy", &["FallbackToLogsOnError", "File"]),
    ("core.v1.ContainerPort", "protocol", PROTOCOL),
    ("core.v1.ContainerRestartRuleOnExitCodes", "operator", &["In", "NotIn"]),
    ("core.v1.EndpointPort", "protocol", PROTOCOL),
    ("core.v1.EphemeralContainer", "imagePullPolicy", PULL),
    ("core.v1.EphemeralContainer", "terminationMessagePolicy", &["FallbackToLogsOnError", "File"]),
    ("core.v1.HTTPGetAction", "scheme", &["HTTP", "HTTPS"]),
    (
        "core.v1.HostPathVolumeSource",
        "type",
        &["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"],
    ),
    ("core.v1.ImageVolumeSource", "pullPolicy", PULL),
    ("core.v1.NamespaceStatus", "phase", &["Active", "Terminating"]),
    ("core.v1.NodeSelectorRequirement", "operator", OPERATOR),
    ("core.v1.NodeStatus", "phase", &["Pending", "Running", "Terminated"]),
    ("core.v1.PersistentVolumeClaimSpec", "volumeMode", VOLUME_MODE),
    ("core.v1.PersistentVolumeClaimStatus", "phase", &["Bound", "Lost", "Pending"]),
    ("core.v1.PersistentVolumeSpec", "persistentVolumeReclaimPolicy", &["Delete", "Recycle", "Retain"]),
    ("core.v1.PersistentVolumeSpec", "volumeMode", VOLUME_MODE),
    ("core.v1.PersistentVolumeStatus", "phase", &["Available", "Bound", "Failed", "Pending", "Released"]),
    ("core.v1.PodSecurityContext", "fsGroupChangePolicy", &["Always", "OnRootMismatch"]),
    ("core.v1.PodSecurityContext", "supplementalGroupsPolicy", &["Merge", "Strict"]),
    ("core.v1.PodSpec", "dnsPolicy", &["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"]),
    ("core.v1.PodSpec", "preemptionPolicy", &["Never", "PreemptLowerPriority"]),
    ("core.v1.PodSpec", "restartPolicy", &["Always", "Never", "OnFailure"]),
    ("core.v1.PodStatus", "phase", &["Failed", "Pending", "Running", "Succeeded", "Unknown"]),
    ("core.v1.PodStatus", "qosClass", &["BestEffort", "Burstable", "Guaranteed"]),
    ("core.v1.PortStatus", "protocol", PROTOCOL),
    ("core.v1.ScopedResourceSelectorRequirement", "operator", &["DoesNotExist", "Exists", "In", "NotIn"]),
    (
        "core.v1.ScopedResourceSelectorRequirement",
        "scopeName",
        &[
            "BestEffort",
            "CrossNamespacePodAffinity",
            "NotBestEffort",
            "NotTerminating",
            "PriorityClass",
            "Terminating",
            "VolumeAttributesClass",
        ],
    ),
    ("core.v1.SeccompProfile", "type", SECCOMP),
    ("core.v1.SecurityContext", "procMount", &["Default", "Unmasked"]),
    ("core.v1.ServicePort", "protocol", PROTOCOL),
    ("core.v1.ServiceSpec", "externalTrafficPolicy", POLICY),
    ("core.v1.ServiceSpec", "internalTrafficPolicy", POLICY),
    ("core.v1.ServiceSpec", "ipFamilyPolicy", &["PreferDualStack", "RequireDualStack", "SingleStack"]),
    ("core.v1.ServiceSpec", "sessionAffinity", &["ClientIP", "None"]),
    ("core.v1.ServiceSpec", "type", &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]),
    ("core.v1.Taint", "effect", EFFECT),
    ("core.v1.Toleration", "effect", EFFECT),
    ("core.v1.Toleration", "operator", &["Equal", "Exists", "Gt", "Lt"]),
    ("core.v1.TopologySpreadConstraint", "nodeAffinityPolicy", INCLUSION),
    ("core.v1.TopologySpreadConstraint", "nodeTaintsPolicy", INCLUSION),
    ("core.v1.TopologySpreadConstraint", "whenUnsatisfiable", &["DoNotSchedule", "ScheduleAnyway"]),
    ("discovery.v1.EndpointSlice", "addressType", &["FQDN", "IPv4", "IPv6"]),
    ("networking.v1.HTTPIngressPath", "pathType", &["Exact", "ImplementationSpecific", "Prefix"]),
    ("networking.v1.NetworkPolicyPort", "protocol", PROTOCOL),
    ("policy.v1.PodDisruptionBudgetSpec", "unhealthyPodEvictionPolicy", &["AlwaysAllow", "IfHealthyBudget"]),
    ("scheduling.v1.PriorityClass", "preemptionPolicy", &["Never", "PreemptLowerPriority"]),
    ("storage.v1.StorageClass", "reclaimPolicy", &["Delete", "Recycle", "Retain"]),
    ("storage.v1.StorageClass", "volumeBindingMode", &["Immediate", "WaitForFirstConsumer"]),
];

/// The words that a field of a type takes, by the type's whole name; none when it takes any.
pub(super) fn of(type_: &str, field: &str) -> &'static [&'static str] {
    let Some(type_) = type_.strip_prefix("io.k8s.api.") else { return &[] };
    let found = ROWS.binary_search_by(|(known, name, _)| (*known, *name).cmp(&(type_, field)));
    found.ok().and_then(|at| ROWS.get(at)).map_or(&[], |(.., words)| words)
}

#[cfg(test)]
mod tests;
