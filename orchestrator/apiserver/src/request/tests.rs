use super::*;

#[track_caller]
fn check(path: &str, expected: Result<[&str; 6], u16>) {
    let found = match Route::parse(path) {
        Ok(Route::Resource(t)) => Ok([t.group, t.version, t.plural, t.namespace, t.name, t.subresource]),
        Ok(Route::Other) => Ok(std::array::from_fn(|_| "other".to_owned())),
        Err(error) => Err(error.code),
    };
    assert_eq!(found, expected.map(|parts| parts.map(str::to_owned)), "{path}");
}

#[test]
fn paths_name_resources() {
    check("/api/v1/pods", Ok(["", "v1", "pods", "", "", ""]));
    check("/api/v1/namespaces", Ok(["", "v1", "namespaces", "", "", ""]));
    check("/api/v1/namespaces/a", Ok(["", "v1", "namespaces", "", "a", ""]));
    check("/api/v1/namespaces/a/status", Ok(["", "v1", "namespaces", "", "a", "status"]));
    check("/api/v1/namespaces/a/finalize", Ok(["", "v1", "namespaces", "", "a", "finalize"]));
    check("/api/v1/namespaces/a/pods", Ok(["", "v1", "pods", "a", "", ""]));
    check("/api/v1/namespaces/a/pods/b/log", Ok(["", "v1", "pods", "a", "b", "log"]));
    check("/apis/apps/v1/namespaces/a/deployments/b/scale", Ok(["apps", "v1", "deployments", "a", "b", "scale"]));
    check("/api/v1/nodes/n%2d1", Ok(["", "v1", "nodes", "", "n-1", ""]));
    for other in ["/", "/api", "/api/", "/api/v1", "/api/v1/", "/apis", "/apis/apps/v1", "/version", "/healthz/x"] {
        check(other, Ok(["other"; 6]));
    }
}

#[test]
fn paths_cannot_leave_their_place() {
    for bad in [
        "/api/v1/pods/..",
        "/api/v1/pods/%2e%2e",
        "/api/v1/namespaces/a%2fb/pods",
        "/api/v1/namespaces//pods",
        "/api/v1/pods/a%00",
        "/api/v1/pods/%ff",
        "/api/v1/pods/%zz",
        "/api/v1/pods/a%252fb",
        "relative",
    ] {
        check(bad, Err(400));
    }
    check("/api/v1/namespaces/a/pods/b/log/c", Err(404));
    check(&format!("/api/v1/pods/{}", "a".repeat(100_000)), Err(414));
}

#[test]
fn what_follows_a_proxy_stays_as_it_came() {
    for (path, name, tail) in [
        ("/api/v1/namespaces/a/pods/b/proxy", "b", ""),
        ("/api/v1/namespaces/a/pods/b/proxy/", "b", "/"),
        ("/api/v1/namespaces/a/services/http:b:80/proxy/x%2fy//../z/", "http:b:80", "/x%2fy//../z/"),
        ("/api/v1/nodes/n%3A1/proxy/%25", "n:1", "/%25"),
    ] {
        let Ok(Route::Resource(target)) = Route::parse(path) else { panic!("{path}") };
        assert_eq!((&*target.name, &*target.subresource, &*target.tail), (name, "proxy", tail));
    }
    check("/api/v1/namespaces/../pods/b/proxy/c", Err(400));
}

#[test]
fn verbs_follow_from_method_and_path() {
    let verb = |method: Method, path: &str, query: &str| {
        attributes(&method, path, &Route::parse(path).unwrap(), &Query::parse(query).unwrap()).verb
    };
    assert_eq!(verb(Method::GET, "/api/v1/pods", ""), "list");
    assert_eq!(verb(Method::GET, "/api/v1/pods", "watch=1"), "watch");
    assert_eq!(verb(Method::GET, "/api/v1/pods", "watch=false"), "list");
    assert_eq!(verb(Method::GET, "/api/v1/nodes/a", "watch=1"), "get");
    assert_eq!(verb(Method::DELETE, "/api/v1/nodes/a", ""), "delete");
    assert_eq!(verb(Method::DELETE, "/api/v1/nodes", ""), "deletecollection");
    assert_eq!(verb(Method::GET, "/version", ""), "get");
    let query = Query::parse("fieldSelector=metadata.name%3Da&watch=true").unwrap();
    let path = "/api/v1/nodes";
    let named = attributes(&Method::GET, path, &Route::parse(path).unwrap(), &query);
    assert_eq!((named.verb.as_str(), named.name.as_str()), ("watch", "a"));
}

#[test]
fn hostile_bytes_are_refused_or_read() {
    for text in ["/api/v1/%", "/apis/a/b/c?%=%", "?&&=&", "\u{0}", "/api/v1/%e0%80%af", ";;;,as=Table"] {
        fuzz(text.as_bytes());
    }
}

#[test]
fn a_namespace_is_asked_about_in_itself() {
    let ask = |method: Method, path: &str| {
        let what = attributes(&method, path, &Route::parse(path).unwrap(), &Query::default());
        format!("{} {} {:?} {:?}", what.verb, what.resource, what.namespace, what.name)
    };
    assert_eq!(ask(Method::GET, "/api/v1/namespaces/shop"), r#"get namespaces "shop" "shop""#);
    assert_eq!(ask(Method::GET, "/api/v1/namespaces"), r#"list namespaces "" """#);
    assert_eq!(ask(Method::GET, "/api/v1/nodes/n"), r#"get nodes "" "n""#);
}
