use super::*;
use crate::plan::Verb;
use crate::testing::{meta, now};
use k8s_openapi::api::batch::v1::{JobCondition, JobSpec, JobStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// A Job that ended `ago` seconds ago by a condition of this type.
fn ended(type_: &str, ago: i64, limit: Option<i32>) -> Job {
    let condition = JobCondition {
        type_: type_.into(),
        status: "True".into(),
        last_transition_time: Some(Time(Now::from_second(now().as_second() - ago).unwrap())),
        ..JobCondition::default()
    };
    Job {
        metadata: meta("j", "j-uid"),
        spec: Some(JobSpec { ttl_seconds_after_finished: limit, ..JobSpec::default() }),
        status: Some(JobStatus { conditions: Some(vec![condition]), ..JobStatus::default() }),
    }
}

#[test]
fn a_finished_job_goes_after_its_time() {
    let cases = [
        (ended("Complete", 60, Some(60)), true, None),
        (ended("Failed", 61, Some(60)), true, None),
        (ended("Complete", 0, Some(0)), true, None),
        (ended("Complete", 20, Some(60)), false, Some(Duration::from_secs(40))),
        (ended("Complete", 999, None), false, None),
        (ended("FailureTarget", 999, Some(0)), false, None),
    ];
    for (job, goes, requeue) in cases {
        let plan = plan(&job, now());
        assert_eq!((!plan.writes.is_empty(), plan.requeue), (goes, requeue), "{job:?}");
    }
}

#[test]
fn its_pods_go_first_and_it_is_asked_for_once() {
    let mut job = ended("Complete", 60, Some(60));
    let plan = plan(&job, now());
    assert_eq!(plan.writes[0].verb, Verb::Delete);
    assert_eq!(plan.writes[0].body["propagationPolicy"], "Foreground");
    assert_eq!(plan.writes[0].body["preconditions"]["uid"], "j-uid");
    job.metadata.deletion_timestamp = Some(Time(now()));
    assert_eq!(super::plan(&job, now()), Plan::default());
}
