//! Completion indexes of Indexed Jobs.

use crate::pods;
use k8s_openapi::api::core::v1::{EnvVar, EnvVarSource, ObjectFieldSelector, Pod};
use kube::ResourceExt;
use std::collections::BTreeSet;
use std::sync::Arc;

const INDEX: &str = "batch.kubernetes.io/job-completion-index";

fn index(pod: &Pod) -> Option<i32> {
    pod.annotations().get(INDEX)?.parse().ok()
}

/// Indexes of Pods that succeeded.
pub fn succeeded(pods: &[Arc<Pod>]) -> BTreeSet<i32> {
    pods.iter().filter(|pod| pods::phase(pod) == "Succeeded").filter_map(|pod| index(pod)).collect()
}

/// Up to `count` indexes below `completions` that neither succeeded nor run.
pub fn free(pods: &[Arc<Pod>], completions: i32, count: usize) -> Vec<i32> {
    let taken = |pod: &&Arc<Pod>| pods::phase(pod) == "Succeeded" || pods::is_active(pod);
    let taken: BTreeSet<i32> = pods.iter().filter(taken).filter_map(|pod| index(pod)).collect();
    (0..completions).filter(|index| !taken.contains(index)).take(count).collect()
}

/// Gives `pod` its index: annotation, label, host name and `JOB_COMPLETION_INDEX`.
pub fn assign(mut pod: Pod, job: &str, index: i32) -> Pod {
    pod.metadata.annotations.get_or_insert_default().insert(INDEX.into(), index.to_string());
    pod.metadata.labels.get_or_insert_default().insert(INDEX.into(), index.to_string());
    let spec = pod.spec.get_or_insert_default();
    spec.hostname.get_or_insert_with(|| format!("{job}-{index}"));
    let source = EnvVarSource {
        field_ref: Some(ObjectFieldSelector {
            field_path: format!("metadata.annotations['{INDEX}']"),
            api_version: Some("v1".into()),
        }),
        ..EnvVarSource::default()
    };
    let variable = EnvVar { name: "JOB_COMPLETION_INDEX".into(), value_from: Some(source), value: None };
    for container in spec.containers.iter_mut().chain(spec.init_containers.iter_mut().flatten()) {
        let env = container.env.get_or_insert_default();
        if !env.iter().any(|existing| existing.name == variable.name) {
            env.push(variable.clone());
        }
    }
    pod
}

/// Indexes as status shows them: `0-3,5`.
pub fn text(indexes: &BTreeSet<i32>) -> String {
    let mut runs: Vec<(i32, i32)> = Vec::new();
    for &index in indexes {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == index => *last = index,
            _ => runs.push((index, index)),
        }
    }
    let show = |(first, last): &(i32, i32)| if first == last { first.to_string() } else { format!("{first}-{last}") };
    runs.iter().map(show).collect::<Vec<_>>().join(",")
}
