//! When `coracle run` is done, and how.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, ResourceExt};
use orchestrator_client::Informer;
use orchestrator_client::informer::Filter;
use runtime_base::Tasks;
use std::collections::BTreeSet;
use std::process::ExitCode;

/// Waits until the Jobs of these namespaces and names have ended, and returns the exit code of
/// the first that failed.
pub async fn wait(client: &Client, wanted: BTreeSet<(String, String)>, tasks: &Tasks) -> ExitCode {
    let jobs: Informer<Job> = Informer::start(Api::all(client.clone()), Filter::default(), tasks);
    let pods: Informer<Pod> = Informer::start(Api::all(client.clone()), Filter::default(), tasks);
    let changes = jobs.subscribe();
    jobs.synced().await;
    pods.synced().await;
    loop {
        let mut all = jobs.list();
        all.retain(|job| wanted.contains(&(job.namespace().unwrap_or_default(), job.name_any())));
        if all.iter().all(|job| ended(job, "Complete") || ended(job, "Failed")) {
            let failed = all.iter().find(|job| ended(job, "Failed"));
            return failed.map_or(ExitCode::SUCCESS, |job| ExitCode::from(exit_code(job, &pods)));
        }
        changes.next().await;
    }
}

fn ended(job: &Job, type_: &str) -> bool {
    let conditions = job.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    conditions.iter().any(|condition| condition.type_ == type_ && condition.status == "True")
}

/// The exit code of the failed Job's last failed container; 1 when none is known.
fn exit_code(job: &Job, pods: &Informer<Pod>) -> u8 {
    let owned = |pod: &Pod| {
        let owners = pod.metadata.owner_references.as_deref().unwrap_or_default();
        owners.iter().any(|owner| Some(&owner.uid) == job.metadata.uid.as_ref())
    };
    let ends = pods.list().into_iter().filter(|pod| owned(pod)).flat_map(|pod| {
        let statuses = pod.status.clone().and_then(|status| status.container_statuses).unwrap_or_default();
        statuses.into_iter().filter_map(|container| container.state?.terminated)
    });
    let failed = ends.filter(|end| end.exit_code != 0);
    let last = failed.max_by_key(|end| end.finished_at.as_ref().map(|time| time.0));
    last.and_then(|end| u8::try_from(end.exit_code).ok()).unwrap_or(1)
}
