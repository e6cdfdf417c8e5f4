use super::*;

#[tokio::test]
async fn an_object_is_created_read_changed_and_deleted() {
    let kit = kit().await;
    let (code, made) = kit.post(MAPS, config_map("a", "1")).await;
    assert_eq!(code, 201);
    assert_eq!((&made["kind"], &made["apiVersion"]), (&json!("ConfigMap"), &json!("v1")));
    let metadata = &made["metadata"];
    assert_eq!(metadata["namespace"], "default");
    assert_eq!(metadata["uid"].as_str().unwrap().len(), 36);
    assert!(metadata["creationTimestamp"].as_str().unwrap().starts_with("2026-"));
    let path = format!("{MAPS}/a");
    // What was answered is what is read, at once.
    assert_eq!(kit.get(&path).await, (200, made.clone()));

    let mut changed = made.clone();
    changed["data"]["key"] = json!("2");
    let (code, updated) = kit.put(&path, changed.clone()).await;
    assert_eq!(code, 200);
    assert_ne!(updated["metadata"]["resourceVersion"], metadata["resourceVersion"]);
    check(&kit.put(&path, changed).await, 409, "the object has been modified; please apply your changes");
    // The same content writes nothing.
    assert_eq!(kit.put(&path, updated.clone()).await, (200, updated.clone()));

    let (code, status) = kit.delete(&path, Value::Null).await;
    assert_eq!((code, &status["status"]), (200, &json!("Success")));
    assert_eq!(status["details"], json!({"name": "a", "kind": "configmaps", "uid": metadata["uid"]}));
    check(&kit.get(&path).await, 404, "configmaps \"a\" not found");
    check(&kit.delete(&path, Value::Null).await, 404, "configmaps \"a\" not found");
}

#[tokio::test]
async fn bad_requests_are_told_in_upstreams_words() {
    let kit = kit().await;
    kit.post(MAPS, config_map("a", "1")).await;
    check(&kit.post(MAPS, config_map("a", "1")).await, 409, "configmaps \"a\" already exists");
    check(&kit.post(MAPS, json!({})).await, 422, "name or generateName is required");
    check(&kit.post(MAPS, config_map("A_", "1")).await, 422, "ConfigMap \"A_\" is invalid: metadata.name");
    check(
        &kit.post("/api/v1/namespaces/none/configmaps", config_map("a", "")).await,
        404,
        "namespaces \"none\" not found",
    );
    let elsewhere = json!({"metadata": {"name": "x", "namespace": "other"}});
    check(&kit.post(MAPS, elsewhere).await, 400, "does not match the namespace sent on the request");
    let foreign = json!({"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "x"}});
    check(&kit.post(MAPS, foreign).await, 400, "cannot be handled as a ConfigMap: converting (v1.Secret)");
    let foreign = json!({"kind": "ConfigMap", "apiVersion": "v2", "metadata": {"name": "x"}});
    check(&kit.post(MAPS, foreign).await, 400, "no kind \"ConfigMap\" is registered for version \"v2\"");
    check(&kit.post(MAPS, json!({"metadata": {"name": "x", "resourceVersion": "3"}})).await, 400, "should not be set");
    check(
        &kit.post(MAPS, json!({"metadata": {"name": "x"}, "data": {"a": 1}})).await,
        400,
        "cannot be handled as a ConfigMap",
    );
    check(&kit.post(MAPS, json!([])).await, 400, "");
    check(&kit.send("POST", MAPS, &[("content-type", "text/plain")], json!({})).await, 415, "unknown format");
    check(&kit.send("GET", MAPS, &[("accept", "text/html")], Value::Null).await, 406, "application/json");
    check(&kit.put(&format!("{MAPS}/b"), config_map("b", "")).await, 404, "not found");
    check(&kit.put(&format!("{MAPS}/a"), config_map("b", "")).await, 400, "does not match the name on the URL");
    check(&kit.post("/api/v1/configmaps", config_map("b", "")).await, 405, "does not allow this method");
    check(&kit.get("/api/v1/configmaps/a").await, 404, "could not find the requested resource");
    check(&kit.get("/api/v1/namespaces/default/nodes").await, 404, "could not find the requested resource");
    check(&kit.get("/api/v1/wonders").await, 404, "could not find the requested resource");
    check(&kit.get("/apis/apps/v2/deployments").await, 404, "could not find the requested resource");
    check(&kit.get("/nowhere").await, 404, "could not find the requested resource");
    check(&kit.post("/version", json!({})).await, 405, "does not allow");
    check(&kit.delete("/api/v1/namespaces", Value::Null).await, 405, "does not allow");
    check(&kit.get(&format!("{MAPS}?limit=x")).await, 400, "strconv.ParseInt: parsing \"x\": invalid syntax");
    check(&kit.post(&format!("{MAPS}?dryRun=Some"), config_map("c", "")).await, 422, "Unsupported value");
}

#[tokio::test]
async fn unknown_fields_are_refused_warned_about_or_ignored() {
    let kit = kit().await;
    let body = || json!({"metadata": {"name": "a"}, "data": {"k": "v"}, "wrong": 1}).to_string();
    let send = async |validation: &str| {
        let path = format!("{MAPS}?dryRun=All&fieldValidation={validation}");
        let response = kit.server.handle(admin(), request("POST", &path, &[], body())).await;
        let warning = response.headers().get("warning").map(|value| value.to_str().unwrap().to_owned());
        (read(response).await, warning)
    };
    let (answer, _) = send("Strict").await;
    check(&answer, 400, "strict decoding error: unknown field \"wrong\"");
    let ((code, object), warning) = send("Warn").await;
    assert_eq!((code, &object["wrong"]), (201, &Value::Null));
    assert_eq!(warning.unwrap(), "299 - \"unknown field \\\"wrong\\\"\"");
    assert_eq!(send("Ignore").await.1, None);
    check(&send("Maybe").await.0, 422, "Unsupported value");
    let twice = r#"{"metadata": {"name": "a"}, "data": {"k": "v", "k": "w"}}"#;
    let path = format!("{MAPS}?fieldValidation=Strict");
    let answer = read(kit.server.handle(admin(), request("POST", &path, &[], twice)).await).await;
    check(&answer, 400, "duplicate field \"data.k\"");
}

#[tokio::test]
async fn a_dry_run_writes_nothing() {
    let kit = kit().await;
    let before = kit.store.revision();
    let (code, made) = kit.post(&format!("{MAPS}?dryRun=All"), config_map("a", "1")).await;
    assert_eq!((code, &made["metadata"]["resourceVersion"]), (201, &Value::Null));
    kit.post(MAPS, config_map("a", "1")).await;
    check(&kit.post(&format!("{MAPS}?dryRun=All"), config_map("a", "1")).await, 409, "already exists");
    let path = format!("{MAPS}/a?dryRun=All");
    let (_, patched) = kit.patch(&path, "merge", json!({"data": {"key": "2"}})).await;
    assert_eq!(patched["data"]["key"], "2");
    assert_eq!(kit.delete(&path, Value::Null).await.0, 200);
    let body = json!({"kind": "DeleteOptions", "apiVersion": "v1", "dryRun": ["All"]});
    assert_eq!(kit.delete(&format!("{MAPS}/a"), body).await.0, 200);
    assert_eq!(kit.get(&format!("{MAPS}/a")).await.1["data"]["key"], "1");
    assert_eq!(kit.store.revision(), before + 1);
}

#[tokio::test]
async fn patches_of_three_kinds_apply() {
    let kit = kit().await;
    kit.post(MAPS, config_map("a", "1")).await;
    let path = format!("{MAPS}/a");
    let (code, one) = kit.patch(&path, "merge", json!({"data": {"new": "x", "key": null}})).await;
    assert_eq!((code, &one["data"]), (200, &json!({"new": "x"})));
    let (_, two) = kit.patch(&path, "json", json!([{"op": "replace", "path": "/data/new", "value": "y"}])).await;
    assert_eq!(two["data"], json!({"new": "y"}));
    let (_, three) = kit.patch(&path, "strategic-merge", json!({"metadata": {"labels": {"l": "v"}}})).await;
    assert_eq!(three["metadata"]["labels"], json!({"l": "v"}));
    // A patch that changes nothing writes nothing.
    let (_, four) = kit.patch(&path, "merge", json!({"data": {"new": "y"}})).await;
    assert_eq!(four["metadata"]["resourceVersion"], three["metadata"]["resourceVersion"]);
    let old = json!({"metadata": {"resourceVersion": "1"}, "data": {"new": "z"}});
    check(&kit.patch(&path, "merge", old).await, 409, "has been modified");
    check(&kit.patch(&format!("{MAPS}/none"), "merge", json!({})).await, 404, "not found");
    check(&kit.patch(&path, "json", json!({"op": "x"})).await, 400, "");
    let rename = json!({"metadata": {"name": "b"}});
    check(&kit.patch(&path, "merge", rename).await, 400, "does not match the name on the URL");
    check(&kit.patch(&path, "merge", json!({"metadata": {"uid": "other"}})).await, 409, "Precondition failed: UID");
}

#[tokio::test]
async fn patches_at_the_same_time_all_count() {
    let kit = kit().await;
    kit.post(MAPS, config_map("a", "1")).await;
    let path = format!("{MAPS}/a");
    let patches = (0..8).map(|n| {
        let (kit, path) = (&kit, &path);
        async move { kit.patch(path, "merge", json!({"data": {format!("k{n}"): "v"}})).await.0 }
    });
    let codes: Vec<u16> = futures::future::join_all(patches).await;
    assert_eq!(codes, [200; 8]);
    assert_eq!(kit.get(&path).await.1["data"].as_object().unwrap().len(), 9);
}

#[tokio::test]
async fn generated_names_are_new_ones() {
    let kit = kit().await;
    let body = json!({"metadata": {"generateName": "web-"}});
    let mut names = std::collections::BTreeSet::new();
    for _ in 0..5 {
        let (code, made) = kit.post(MAPS, body.clone()).await;
        assert_eq!(code, 201);
        names.insert(made["metadata"]["name"].as_str().unwrap().to_owned());
    }
    assert_eq!(names.len(), 5);
    assert!(names.iter().all(|name| name.starts_with("web-") && name.len() == 9), "{names:?}");
}

#[tokio::test]
async fn status_and_spec_are_changed_apart() {
    let kit = kit().await;
    let path = "/apis/apps/v1/namespaces/default/deployments";
    let body = json!({
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 2, "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": "i:1"}]},
            },
        },
        "status": {"replicas": 9},
    });
    let (code, made) = kit.post(path, body).await;
    assert_eq!(code, 201, "{made}");
    assert_eq!((&made["metadata"]["generation"], &made["status"]["replicas"]), (&json!(1), &Value::Null));
    let web = format!("{path}/web");
    let patch = json!({"spec": {"replicas": 7}, "status": {"replicas": 3, "observedGeneration": 1}});
    let (code, status) = kit.patch(&format!("{web}/status"), "merge", patch.clone()).await;
    assert_eq!(code, 200, "{status}");
    assert_eq!((&status["spec"]["replicas"], &status["status"]["replicas"]), (&json!(2), &json!(3)));
    assert_eq!(status["metadata"]["generation"], 1);
    let (_, main) = kit.patch(&web, "merge", json!({"spec": {"replicas": 7}, "status": {"replicas": 8}})).await;
    assert_eq!((&main["spec"]["replicas"], &main["status"]["replicas"]), (&json!(7), &json!(3)));
    assert_eq!(main["metadata"]["generation"], 2);

    let scale = format!("{web}/scale");
    let (_, found) = kit.get(&scale).await;
    assert_eq!((&found["kind"], &found["spec"]["replicas"]), (&json!("Scale"), &json!(7)));
    assert_eq!(found["status"], json!({"replicas": 3, "selector": "app=web"}));
    let (code, scaled) = kit.patch(&scale, "merge", json!({"spec": {"replicas": 4}})).await;
    assert_eq!((code, &scaled["spec"]["replicas"]), (200, &json!(4)));
    check(&kit.put(&scale, found).await, 409, "has been modified");
    assert_eq!(kit.get(&web).await.1["spec"]["replicas"], 4);
    check(&kit.patch(&scale, "merge", json!({"spec": {"replicas": -1}})).await, 422, "greater than or equal to 0");
    check(&kit.get(&format!("{web}/nothing")).await, 404, "could not find");
    check(&kit.delete(&scale, Value::Null).await, 405, "does not allow");
}

#[tokio::test]
async fn tables_and_metadata_are_answered_when_asked_for() {
    let kit = kit().await;
    kit.post(MAPS, config_map("a", "1")).await;
    let table = [("accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json")];
    let (_, list) = kit.send("GET", MAPS, &table, Value::Null).await;
    assert_eq!(list["kind"], "Table");
    assert_eq!(list["rows"][0]["cells"][0], "a");
    assert_eq!(list["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    assert!(list["columnDefinitions"].as_array().unwrap().len() > 1);
    let (_, one) = kit.send("GET", &format!("{MAPS}/a?includeObject=Object"), &table, Value::Null).await;
    assert_eq!(one["rows"][0]["object"]["data"]["key"], "1");
    let partial = [("accept", "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io")];
    let (_, list) = kit.send("GET", MAPS, &partial, Value::Null).await;
    assert_eq!(list["kind"], "PartialObjectMetadataList");
    assert_eq!((&list["items"][0]["metadata"]["name"], &list["items"][0]["data"]), (&json!("a"), &Value::Null));
}

#[tokio::test]
async fn discovery_documents_are_served_with_tags() {
    let kit = kit().await;
    let aggregated = [("accept", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")];
    let response = kit.server.handle(admin(), request("GET", "/apis", &aggregated, "")).await;
    let content_type = response.headers()["content-type"].to_str().unwrap().to_owned();
    assert_eq!(content_type, "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
    let tag = response.headers()["etag"].to_str().unwrap().to_owned();
    let again = [aggregated[0], ("if-none-match", &*tag)];
    assert_eq!(kit.server.handle(admin(), request("GET", "/apis", &again, "")).await.status(), 304);
    for (path, kind) in [
        ("/api", "APIVersions"),
        ("/apis", "APIGroupList"),
        ("/apis/apps", "APIGroup"),
        ("/api/v1", "APIResourceList"),
        ("/apis/apps/v1", "APIResourceList"),
    ] {
        assert_eq!(kit.get(path).await.1["kind"], kind, "{path}");
    }
    assert_eq!(kit.get("/version").await.1["minor"], "36");
    let (_, index) = kit.get("/openapi/v3").await;
    let url = index["paths"]["apis/apps/v1"]["serverRelativeURL"].as_str().unwrap();
    assert_eq!(kit.get(url).await.1["openapi"], "3.0.0");
    assert_eq!(kit.get("/openapi/v2").await.1["swagger"], "2.0");
    assert_eq!(kit.send("GET", "/openapi/v2", &[("accept", "text/html")], Value::Null).await.0, 406);
    assert_eq!(kit.get("/openapi/v3/apis/apps/v1?hash=OLD").await.0, 301);
    assert_eq!(kit.get("/readyz").await, (200, json!("ok")));
    assert!(kit.get("/livez?verbose").await.1.as_str().unwrap().contains("livez check passed"));
    assert!(kit.get("/metrics").await.1.as_str().unwrap().contains("apiserver_request_total{verb=\"GET\""));
    assert_eq!(kit.get("/openid/v1/jwks").await.1["keys"][0]["alg"], "ES256");
}

#[tokio::test]
async fn answers_come_in_the_media_type_that_is_asked_for_first() {
    use orchestrator_apimachinery::codec::{Format, decode};
    use orchestrator_apimachinery::schema::of_kind;
    let kit = kit().await;
    kit.post(MAPS, config_map("a", "1")).await;
    let ask = async |path: &str, headers: &[(&str, &str)]| {
        let response = kit.server.handle(admin(), request("GET", path, headers, "")).await;
        let content_type = response.headers()["content-type"].to_str().unwrap().to_owned();
        (content_type, response.into_body().collect().await.unwrap().to_bytes())
    };
    let protobuf = [("accept", "application/vnd.kubernetes.protobuf,application/json")];
    let path = format!("{MAPS}/a");
    let (content_type, body) = ask(&path, &protobuf).await;
    assert_eq!(content_type, "application/vnd.kubernetes.protobuf");
    assert_eq!(decode(Format::Protobuf, &body, &of_kind).unwrap().value, kit.get(&path).await.1);
    let (content_type, body) = ask(&format!("{MAPS}/none"), &protobuf).await;
    assert_eq!(content_type, "application/vnd.kubernetes.protobuf");
    assert_eq!(decode(Format::Protobuf, &body, &of_kind).unwrap().value["reason"], "NotFound");
    let (_, body) = ask(MAPS, &protobuf).await;
    assert!(body.starts_with(b"k8s\0") && body.windows(13).any(|part| part == b"ConfigMapList"));
    let (content_type, body) = ask(&path, &[("accept", "application/yaml")]).await;
    assert!(content_type == "application/yaml" && body.starts_with(b"apiVersion: v1"));
    let response = kit.server.handle(admin(), request("GET", &format!("{MAPS}?watch=1"), &protobuf, "")).await;
    assert_eq!(response.headers()["content-type"], "application/vnd.kubernetes.protobuf;stream=watch");
    let frame = response.into_body().frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(u32::from_be_bytes(frame[..4].try_into().unwrap()) as usize, frame.len() - 4);

    let gzip = [("accept-encoding", "gzip")];
    let response = kit.server.handle(admin(), request("GET", "/openapi/v3/api/v1", &gzip, "")).await;
    assert_eq!(response.headers()["content-encoding"], "gzip");
    assert!(
        !kit.server.handle(admin(), request("GET", MAPS, &gzip, "")).await.headers().contains_key("content-encoding")
    );
}

#[tokio::test]
async fn everybody_is_asked_for_rights() {
    let kit = kit().await;
    let nobody = Identity::user("nobody", &[]);
    let ask = async |method: &str, path: &str| {
        read(kit.server.handle(nobody.clone(), request(method, path, &[], "{}")).await).await
    };
    let text = "User \"nobody\" cannot list resource \"configmaps\" in API group \"\" in the namespace \"default\"";
    check(&ask("GET", MAPS).await, 403, text);
    check(&ask("POST", MAPS).await, 403, "cannot create resource");
    check(&ask("GET", "/metrics").await, 403, "cannot get path \"/metrics\"");
    check(&ask("GET", "/api/v1/namespaces/default/pods/x/log").await, 403, "\"pods/log\"");
    // Rights come before existence.
    check(&ask("GET", "/apis/none/v1/things").await, 403, "cannot list resource \"things\"");
    let outside =
        kit.server.handle_from_outside(&[], request("GET", MAPS, &[("authorization", "Bearer no")], "")).await;
    check(&read(outside).await, 401, "Unauthorized");
}

#[tokio::test]
async fn reviews_are_answered() {
    let kit = kit().await;
    let access = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let spec = json!({"spec": {"resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "default"}}});
    assert_eq!(kit.post(access, spec.clone()).await.1["status"]["allowed"], true);
    let nobody = Identity::user("nobody", &["g"]);
    let review = async |path: &str, body: &Value| {
        read(kit.server.handle(nobody.clone(), request("POST", path, &[], body.to_string())).await).await
    };
    // Asking is a right of its own, which bootstrap gives to everybody.
    check(&review(access, &spec).await, 403, "selfsubjectaccessreviews");
    let subject = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    let mut body = spec.clone();
    body["spec"]["user"] = json!("nobody");
    assert_eq!(kit.post(subject, body).await.1["status"]["allowed"], false);
    check(&kit.post(subject, spec).await, 422, "at least one of user or group must be specified");
    check(&kit.post(access, json!({"spec": {}})).await, 422, "exactly one of");
    let (code, me) = kit.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", json!({})).await;
    assert_eq!((code, &me["status"]["userInfo"]["username"]), (201, &json!("admin")));
    let rules = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
    let (_, found) = kit.post(rules, json!({"spec": {"namespace": "default"}})).await;
    assert_eq!(found["status"]["resourceRules"][0]["verbs"], json!(["*"]));
    let (_, token) = kit.post("/api/v1/namespaces/default/serviceaccounts/default/token", json!({"spec": {}})).await;
    let token = token["status"]["token"].as_str().unwrap().to_owned();
    let review = json!({"spec": {"token": token}});
    let tokens = "/apis/authentication.k8s.io/v1/tokenreviews";
    check(&kit.post(tokens, json!({"spec": {}})).await, 400, "token is required for TokenReview in authentication");
    let (_, found) = kit.post(tokens, review).await;
    assert_eq!(found["status"]["user"]["username"], "system:serviceaccount:default:default");
    check(&kit.get(access).await, 405, "does not allow");
}

#[tokio::test]
async fn access_reviews_are_checked_and_know_selectors() {
    let kit = kit().await;
    let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    let of_node = |selector: Value| {
        let mut attributes = json!({"verb": "list", "resource": "pods"});
        if !selector.is_null() {
            attributes["fieldSelector"] = selector;
        }
        json!({"spec": {"user": "system:node:n1", "groups": ["system:nodes"], "uid": "7", "extra": {"a": ["b"]},
            "resourceAttributes": attributes}})
    };
    let one = |operator: &str, values: Value| json!({"requirements": [{"key": "spec.nodeName", "operator": operator, "values": values}]});
    for (selector, allowed) in [
        (Value::Null, false),
        (json!({"rawSelector": "spec.nodeName=n1"}), true),
        (json!({"rawSelector": "spec.nodeName=n2"}), false),
        (one("In", json!(["n1"])), true),
        (one("In", json!(["n1", "n2"])), false),
        (one("NotIn", json!(["n1"])), false),
        (one("Unheard", json!(["n1"])), false),
    ] {
        let (code, found) = kit.post(path, of_node(selector.clone())).await;
        assert_eq!((code, &found["status"]["allowed"]), (201, &json!(allowed)), "{selector}");
        let why = found["status"]["reason"].as_str().unwrap_or_default();
        assert_eq!(why.contains("can only list/watch pods with spec.nodeName field selector"), !allowed, "{why}");
    }
    let at = "spec.resourceAttributes.fieldSelector";
    let both = json!({"rawSelector": "a=b", "requirements": [{"key": "a", "operator": "Exists"}]});
    check(
        &kit.post(path, of_node(both)).await,
        422,
        &format!("{at}.rawSelector: Invalid value: \"a=b\": may not specified"),
    );
    let none =
        format!("{at}.requirements: Required value: when {at} is specified, requirements or rawSelector is required");
    check(&kit.post(path, of_node(json!({}))).await, 422, &none);
    let empty =
        format!("{at}.requirements[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'");
    check(&kit.post(path, of_node(one("In", json!([])))).await, 422, &empty);
    let many = format!("{at}.requirements[0].values: Forbidden: may not be specified when `operator` is");
    check(&kit.post(path, of_node(one("Exists", json!(["x"])))).await, 422, &many);
    let mut named = of_node(Value::Null);
    named["metadata"] = json!({"name": "x"});
    check(&kit.post(path, named).await, 422, "must be empty");
    let mut paths = of_node(Value::Null);
    paths["spec"]["nonResourceAttributes"] = json!({"path": "/", "verb": "get"});
    check(&kit.post(path, paths).await, 422, "cannot be specified in combination with resourceAttributes");
    let local = "/apis/authorization.k8s.io/v1/namespaces/default/localsubjectaccessreviews";
    let spec = |namespace: &str| json!({"spec": {"user": "a", "resourceAttributes": {"verb": "get", "resource": "pods", "namespace": namespace}}});
    assert_eq!(kit.post(local, spec("default")).await.0, 201);
    check(&kit.post(local, spec("other")).await, 422, "must match metadata.namespace");
    let elsewhere = json!({"metadata": {"namespace": "x"}, "spec": spec("x")["spec"]});
    check(&kit.post(local, elsewhere).await, 400, "does not match the namespace sent on the request");
}

#[tokio::test]
async fn what_the_api_is_reached_by_is_made_again() {
    let kit = bootstrapped().await;
    for path in ["/api/v1/namespaces/default/services", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"] {
        let mut watch = kit.watch(&format!("{path}?watch=1&fieldSelector=metadata.name=kubernetes")).await;
        let first = watch.next().await.unwrap()["object"]["metadata"]["uid"].clone();
        assert_eq!(kit.delete(&format!("{path}/kubernetes"), Value::Null).await.0, 200);
        assert_eq!(watch.next().await.unwrap()["type"], "DELETED");
        let again = watch.next().await.unwrap();
        assert_eq!(again["type"], "ADDED");
        assert_ne!(again["object"]["metadata"]["uid"], first);
    }
    assert_eq!(kit.get("/readyz/ping").await, (200, json!("ok")));
}

#[tokio::test]
async fn kubectl_finds_no_custom_kinds() {
    let kit = kit().await;
    let (code, list) = kit.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions?limit=500").await;
    assert_eq!((code, &list["items"]), (200, &json!([])));
    assert_eq!(kit.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/x").await.0, 404);
}

#[tokio::test]
async fn head_is_answered_without_a_body() {
    let kit = kit().await;
    let response = kit.server.handle_from_outside(&[], request("HEAD", MAPS, &[], "")).await;
    assert_ne!(response.headers()["content-length"], "0");
    assert_eq!(read(response).await, (401, json!("")));
}
