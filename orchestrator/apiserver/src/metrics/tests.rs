use super::*;
use crate::limits::SERIES_MAX;

fn gauges() -> Gauges {
    let objects = vec![(String::new(), "pods".to_owned(), 3), ("apps".to_owned(), "deployments".to_owned(), 1)];
    Gauges { in_flight: [2, 1], objects, revisions: [9, 8], started: 7 }
}

fn what(verb: &str, resource: &str) -> Attributes {
    Attributes {
        verb: verb.into(),
        version: "v1".into(),
        resource: resource.into(),
        namespace: "n".into(),
        ..Attributes::default()
    }
}

#[test]
fn requests_are_told_under_upstreams_names() {
    let metrics = Metrics::default();
    metrics.count(&what("list", "pods"), 200, Duration::from_millis(4));
    metrics.count(&what("list", "pods"), 200, Duration::from_millis(90));
    metrics.count(&what("create", "pods"), 409, Duration::from_secs(100));
    let text = metrics.text(&gauges());
    let list = "verb=\"LIST\",group=\"\",version=\"v1\",resource=\"pods\",subresource=\"\",scope=\"namespace\",component=\"apiserver\"";
    for line in [
        format!("apiserver_request_total{{{list},code=\"200\",dry_run=\"\"}} 2"),
        format!("apiserver_request_duration_seconds_bucket{{{list},dry_run=\"\",le=\"0.005\"}} 1"),
        format!("apiserver_request_duration_seconds_bucket{{{list},dry_run=\"\",le=\"0.1\"}} 2"),
        format!("apiserver_request_duration_seconds_bucket{{{list},dry_run=\"\",le=\"+Inf\"}} 2"),
        format!("apiserver_request_duration_seconds_sum{{{list},dry_run=\"\"}} 0.094"),
        "apiserver_current_inflight_requests{request_kind=\"mutating\"} 1".into(),
        "apiserver_storage_objects{resource=\"deployments.apps\"} 1".into(),
        "apiserver_resource_objects{group=\"apps\",resource=\"deployments\"} 1".into(),
        "process_start_time_seconds 7".into(),
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(text.contains("verb=\"POST\"") && text.contains("code=\"409\""));
}

#[test]
fn watches_are_open_until_they_are_dropped() {
    let metrics = Metrics::default();
    let catalog = orchestrator_apimachinery::Catalog::builtin();
    let watch = metrics.watch(catalog.resource("", "v1", "pods").unwrap());
    watch.events(b"{}\n{}\n");
    let line = |text: String, name: &str| text.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert!(line(metrics.text(&gauges()), "apiserver_longrunning_requests{").ends_with(" 1"));
    drop(watch);
    let text = metrics.text(&gauges());
    assert!(line(text.clone(), "apiserver_longrunning_requests{").ends_with(" 0"));
    assert_eq!(
        line(text, "apiserver_watch_events_total{"),
        "apiserver_watch_events_total{group=\"\",version=\"v1\",kind=\"Pod\"} 2"
    );
}

#[test]
fn series_are_bounded() {
    let metrics = Metrics::default();
    for number in 0..SERIES_MAX + 10 {
        metrics.count(&what("get", &format!("made-up-{number}")), 404, Duration::ZERO);
    }
    assert_eq!(metrics.requests.len(), SERIES_MAX);
}

#[test]
fn a_commands_name_may_hold_blanks() {
    let mut out = Text::default();
    let behind = "S 1 1 1 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 8 0 100 4096000 25 0";
    process::of_stat(&mut out, &format!("1 (a ) b) {behind}"));
    assert!(out.0.contains("process_cpu_seconds_total 2\n"), "{}", out.0);
    assert!(
        out.0.contains("process_resident_memory_bytes 102400\n")
            && out.0.contains("process_virtual_memory_bytes 4096000\n")
    );
}
