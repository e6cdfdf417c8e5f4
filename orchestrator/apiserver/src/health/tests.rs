use super::*;
use http_body_util::BodyExt;

async fn check(path: &str, query: &str, code: u16, expected: &str) {
    let checks = [Check::new("ping", true, ""), Check::new("etcd", false, "the store is closed")];
    let (endpoint, name) = endpoint(path).unwrap();
    let response = answer(endpoint, name, &Query::parse(query).unwrap(), &checks).unwrap();
    assert_eq!(response.status(), code, "{path}?{query}");
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(std::str::from_utf8(&bytes).unwrap(), expected, "{path}?{query}");
}

#[tokio::test]
async fn checks_are_told_as_upstream_tells_them() {
    check("/livez", "exclude=etcd", 200, "ok").await;
    check("/readyz", "verbose&exclude=etcd", 200, "[+]ping ok\n[+]etcd excluded: ok\nreadyz check passed\n").await;
    check("/readyz", "", 500, "[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n").await;
    let warned = "[+]ping ok\n[+]etcd excluded: ok\nwarn: some health checks cannot be excluded: no matches for \"x\"\n\
                  healthz check passed\n";
    check("/healthz", "verbose&exclude=etcd&exclude=x", 200, warned).await;
    check("/livez/ping", "", 200, "ok").await;
    check("/livez/etcd", "", 500, "internal server error: the store is closed\n").await;
    assert!(answer("livez", "none", &Query::default(), &[]).is_none());
    assert_eq!(endpoint("/livezz"), None);
    assert_eq!(endpoint("/version"), None);
}
