use super::*;
use crate::testing::{Cluster, meta, now, pod, template};
use proptest::prelude::*;

fn job(parallelism: i32, completions: Option<i32>, backoff: i32) -> Job {
    let mut template = template("x:1");
    template.spec.as_mut().unwrap().restart_policy = Some("Never".into());
    let spec = JobSpec {
        parallelism: Some(parallelism),
        completions,
        backoff_limit: Some(backoff),
        template,
        ..JobSpec::default()
    };
    Job { metadata: meta("j", "j-uid"), spec: Some(spec), status: None }
}

fn world(cluster: &Cluster) -> World {
    World { job: cluster.get("jobs", "n", "j").unwrap(), pods: cluster.all("pods") }
}

/// Gives every active Pod the next of `ends`; what is left over runs.
fn end_pods(cluster: &mut Cluster, phase: &str) {
    for active in cluster.all::<Pod>("pods").into_iter().filter(|pod| pods::is_active(pod)) {
        let mut ended = pod("x", phase, false);
        ended.metadata = active.metadata.clone();
        cluster.put("pods", &ended);
    }
}

fn active(cluster: &Cluster) -> usize {
    cluster.all::<Pod>("pods").iter().filter(|pod| pods::is_active(pod)).count()
}

fn state(cluster: &Cluster) -> Vec<(String, String)> {
    let job: Arc<Job> = cluster.get("jobs", "n", "j").unwrap();
    let conditions = job.status.clone().unwrap_or_default().conditions.unwrap_or_default();
    conditions.into_iter().map(|c| (c.type_, c.reason.unwrap_or_default())).collect()
}

fn pair(type_: &str, reason: &str) -> (String, String) {
    (type_.to_owned(), reason.to_owned())
}

#[test]
fn it_completes_after_enough_successes() {
    let mut cluster = Cluster::default();
    cluster.put("jobs", &job(2, Some(3), 0));
    cluster.apply(&plan(&world(&cluster), now()));
    assert_eq!(active(&cluster), 2);
    end_pods(&mut cluster, "Succeeded");
    cluster.apply(&plan(&world(&cluster), now()));
    assert_eq!(active(&cluster), 1, "one more is enough");
    end_pods(&mut cluster, "Succeeded");
    cluster.apply(&plan(&world(&cluster), now()));
    let expected = [pair("SuccessCriteriaMet", "CompletionsReached"), pair("Complete", "CompletionsReached")];
    assert_eq!(state(&cluster), expected);
    assert!(plan(&world(&cluster), now()).is_empty());
}

#[test]
fn it_fails_beyond_the_back_off_limit() {
    let mut cluster = Cluster::default();
    cluster.put("jobs", &job(1, Some(1), 1));
    for _ in 0..2 {
        cluster.apply(&plan(&world(&cluster), now()));
        end_pods(&mut cluster, "Failed");
        // Pods that ended long ago: the pause between tries is over.
        for failed in cluster.all::<Pod>("pods") {
            let mut old = (*failed).clone();
            old.metadata.creation_timestamp = Some(Time(Now::from_second(1_600_000_000).unwrap()));
            cluster.put("pods", &old);
        }
    }
    cluster.apply(&plan(&world(&cluster), now()));
    let expected = [pair("FailureTarget", "BackoffLimitExceeded"), pair("Failed", "BackoffLimitExceeded")];
    assert_eq!(state(&cluster), expected);
    let job: Arc<Job> = cluster.get("jobs", "n", "j").unwrap();
    assert_eq!(job.status.clone().unwrap().failed, Some(2));
}

#[test]
fn a_failed_pod_is_followed_after_a_pause() {
    let mut cluster = Cluster::default();
    cluster.put("jobs", &job(1, Some(1), 6));
    cluster.apply(&plan(&world(&cluster), now()));
    end_pods(&mut cluster, "Failed");
    for failed in cluster.all::<Pod>("pods") {
        let mut fresh = (*failed).clone();
        fresh.metadata.creation_timestamp = Some(Time(now()));
        cluster.put("pods", &fresh);
    }
    let waiting = plan(&world(&cluster), now());
    assert_eq!(waiting.requeue, Some(Duration::from_secs(10)));
    cluster.apply(&waiting);
    assert_eq!(active(&cluster), 0);
}

#[test]
fn a_suspended_job_runs_nothing() {
    let mut cluster = Cluster::default();
    let mut suspended = job(2, Some(2), 0);
    suspended.spec.as_mut().unwrap().suspend = Some(true);
    cluster.put("jobs", &suspended);
    cluster.apply(&plan(&world(&cluster), now()));
    assert_eq!(active(&cluster), 0);
    assert_eq!(state(&cluster), [pair("Suspended", "JobSuspended")]);
}

#[test]
fn an_indexed_job_runs_each_index_once() {
    let mut cluster = Cluster::default();
    let mut indexed = job(2, Some(3), 0);
    indexed.spec.as_mut().unwrap().completion_mode = Some("Indexed".into());
    cluster.put("jobs", &indexed);
    for _ in 0..2 {
        cluster.apply(&plan(&world(&cluster), now()));
        end_pods(&mut cluster, "Succeeded");
    }
    cluster.apply(&plan(&world(&cluster), now()));
    let job: Arc<Job> = cluster.get("jobs", "n", "j").unwrap();
    assert_eq!(job.status.clone().unwrap().completed_indexes.as_deref(), Some("0-2"));
    assert_eq!(cluster.all::<Pod>("pods").len(), 3);
}

#[test]
fn indexes_are_written_as_ranges() {
    let text = |indexes: &[i32]| indexes::text(&indexes.iter().copied().collect());
    assert_eq!(text(&[0, 1, 2, 5, 7, 8]), "0-2,5,7-8");
    assert_eq!(text(&[]), "");
}

proptest! {
    #[test]
    fn a_plan_applied_leaves_nothing_to_plan(
        parallelism in 0..4i32,
        completions in proptest::option::of(1..5i32),
        phases in proptest::collection::vec(0..4usize, 0..6),
    ) {
        let mut cluster = Cluster::default();
        cluster.put("jobs", &job(parallelism, completions, 2));
        for (index, phase) in phases.into_iter().enumerate() {
            let mut new = pod(&format!("p{index}"), ["Pending", "Running", "Failed", "Succeeded"][phase], false);
            new.metadata.creation_timestamp = Some(Time(Now::from_second(1_600_000_000).unwrap()));
            cluster.put("pods", &new);
        }
        for _ in 0..3 {
            let next = plan(&world(&cluster), now());
            cluster.apply(&next);
        }
        let last = plan(&world(&cluster), now());
        prop_assert!(last.writes.is_empty(), "{:?}", last);
    }
}
