use super::world::{ask_log, pod};
use serde_json::json;

#[tokio::test]
async fn the_query_reaches_the_node() {
    let ask = async |query: &str| ask_log(&pod("n1"), query).await;
    let path = "/containerLogs/shop/web/main?";
    assert_eq!(ask("").await, (200, path.into()));
    let all = "container=main&follow=true&tailLines=5&timestamps=1&previous=false&limitBytes=10&sinceSeconds=3";
    assert_eq!(
        ask(all).await,
        (200, format!("{path}follow=true&timestamps=true&tailLines=5&limitBytes=10&sinceSeconds=3"))
    );
    let since = ask("sinceTime=2025-01-01T02%3A00%3A00%2B01%3A00&pretty=true").await;
    assert_eq!(since, (200, format!("{path}sinceTime=2025-01-01T01%3A00%3A00Z")));
}

#[tokio::test]
async fn what_cannot_be_answered_is_told_as_upstream_does() {
    let several = json!({
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"nodeName": "n1", "containers": [{"name": "a"}, {"name": "b"}], "initContainers": [{"name": "i"}],
            "ephemeralContainers": [{"name": "e"}]},
    });
    let waiting = json!({"metadata": {"name": "web", "namespace": "shop"}, "spec": {"nodeName": "n1", "containers": [{"name": "waiting"}]}});
    let mut lines = Vec::new();
    for (pod, query) in [
        (&several, ""),
        (&several, "container=x"),
        (&several, "container=../../x"),
        (&several, "container=e"),
        (&waiting, ""),
        (&pod("n1"), "tailLines=-1&limitBytes=0"),
        (&pod("n1"), "tailLines=many"),
        (&pod("n1"), "sinceTime=yesterday"),
        (&pod("n1"), "sinceSeconds=1&sinceTime=2025-01-01T00:00:00Z"),
        (&pod("gone"), ""),
        (&pod("broken"), ""),
        (&pod(""), ""),
    ] {
        let (status, text) = ask_log(pod, query).await;
        lines.push(format!("{status} {text}"));
    }
    expect_test::expect![[r#"
        400 BadRequest: a container name must be specified for pod web, choose one of: [a b] or one of the init containers: [i]
        400 BadRequest: container x is not valid for pod web
        400 BadRequest: container ../../x is not valid for pod web
        200 /containerLogs/shop/web/e?
        400 BadRequest: container "waiting" is waiting to start
        422 Invalid: PodLogOptions "web" is invalid: [tailLines: Invalid value: -1: must be greater than or equal to 0, limitBytes: Invalid value: 0: must be greater than 0]
        400 BadRequest: strconv.ParseInt: parsing "many": invalid syntax
        400 BadRequest: failed to parse four digit integer as year: invalid digit, expected 0-9 but got y
        422 Invalid: PodLogOptions "web" is invalid: sinceSeconds: Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified
        503 ServiceUnavailable: node "gone" is not connected
        503 ServiceUnavailable: node "broken" cannot be reached: connection refused
        204 "#]].assert_eq(&lines.join("\n"));
}
