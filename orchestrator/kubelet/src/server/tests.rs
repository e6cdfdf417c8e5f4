use super::*;
use serde_json::json;

#[track_caller]
fn check(status: serde_json::Value, previous: bool, expected: Result<u32, &str>) {
    let mut all = json!({"name": "c", "image": "i", "imageID": "", "ready": false, "restartCount": 0});
    all.as_object_mut().unwrap().extend(status.as_object().unwrap().clone());
    let status: PodStatus = serde_json::from_value(json!({"containerStatuses": [all]})).unwrap();
    let found = log_attempt(&status, "p", "c", previous);
    assert_eq!(found.as_ref().map(|attempt| *attempt).map_err(String::as_str), expected);
}

#[test]
fn logs_are_those_of_the_right_run() {
    let waiting = |reason: &str| json!({"state": {"waiting": {"reason": reason}}});
    let ended = json!({"exitCode": 1});
    check(
        waiting("ContainerCreating"),
        false,
        Err("container \"c\" in pod \"p\" is waiting to start: ContainerCreating"),
    );
    check(
        waiting("ErrImagePull"),
        false,
        Err("container \"c\" in pod \"p\" is waiting to start: image can't be pulled"),
    );
    check(
        waiting("ImagePullBackOff"),
        false,
        Err("container \"c\" in pod \"p\" is waiting to start: trying and failing to pull image"),
    );
    check(waiting("PodInitializing"), true, Err("previous terminated container \"c\" in pod \"p\" not found"));
    let running = json!({"state": {"running": {}}, "restartCount": 3, "lastState": {"terminated": ended}});
    check(running.clone(), false, Ok(3));
    check(running, true, Ok(2));
    let looping = json!({"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "restartCount": 3,
        "lastState": {"terminated": ended}});
    check(looping.clone(), false, Ok(3));
    check(looping, true, Ok(3));
    assert_eq!(
        log_attempt(&PodStatus::default(), "p", "x", false),
        Err("container x is not valid for pod p".to_owned())
    );
}

#[test]
fn queries_become_options() {
    let now = Timestamp::from_second(1000).unwrap();
    let query = parse_query("follow=true&tailLines=5&sinceSeconds=10&timestamps=1&limitBytes=9&x=%41%2B+b%");
    assert_eq!(query["x"], "A+ b%");
    let options = log_options(&query, now).unwrap();
    assert_eq!(options.since, Timestamp::from_second(990).ok());
    assert_eq!((options.follow, options.timestamps), (true, true));
    assert_eq!((options.tail_lines, options.limit_bytes), (Some(5), Some(9)));
    let time = parse_query("sinceTime=1970-01-01T00%3A00%3A07Z");
    assert_eq!(log_options(&time, now).unwrap().since, Timestamp::from_second(7).ok());
    for bad in ["tailLines=-1", "limitBytes=x", "sinceTime=yesterday"] {
        assert!(log_options(&parse_query(bad), now).is_err(), "{bad}");
    }
}
