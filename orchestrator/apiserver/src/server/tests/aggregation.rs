//! APIServices: group versions that another server answers, on loopback.

use super::*;
use crate::pki::tests::loopback::{Answer, Handler, https, serve};
use hyper_util::rt::TokioIo;
use std::sync::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const SERVICES: &str = "/apis/apiregistration.k8s.io/v1/apiservices";
const LOADS: &str = "/apis/metrics.example.com/v1/loads";

fn api_service() -> Value {
    json!({
        "metadata": {"name": "v1.metrics.example.com"},
        "spec": {
            "group": "metrics.example.com", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 100,
            "insecureSkipTLSVerify": true, "service": {"namespace": "default", "name": "metrics", "port": 443},
        },
    })
}

async fn watched(kit: &Kit) -> Watch {
    kit.watch(&format!("{SERVICES}?watch=1&fieldSelector=metadata.name%3Dv1.metrics.example.com")).await
}

/// Why an APIService is available or not, once that is told.
async fn reason(watch: &mut Watch) -> String {
    loop {
        let event = watch.next().await.unwrap();
        let conditions = event["object"]["status"]["conditions"].as_array().cloned().unwrap_or_default();
        if let Some(condition) = conditions.first() {
            return condition["reason"].as_str().unwrap().to_owned();
        }
    }
}

/// Puts the Service and its one endpoint, which is on loopback and so none that a client may write.
async fn stand_behind(kit: &Kit, port: u16) {
    let service = json!({"metadata": {"name": "metrics"}, "spec": {"ports": [{"port": 443, "targetPort": port}]}});
    kit.post("/api/v1/namespaces/default/services", service).await;
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "metrics", "namespace": "default", "labels": {"kubernetes.io/service-name": "metrics"}},
        "ports": [{"name": "", "port": port}], "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": true}}],
    });
    let value = crate::registry::envelope::seal(&slice).unwrap();
    let key = "/registry/discovery.k8s.io/endpointslices/default/metrics".into();
    let ops = vec![orchestrator_store::Op::Put { key, value }];
    kit.store.txn(orchestrator_store::Txn { compare: vec![], ops }).await.unwrap();
    assert_eq!(kit.get("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/metrics").await.0, 200);
}

/// Registers the group version of a server and waits until it is available.
async fn register(kit: &Kit, port: u16) -> Watch {
    stand_behind(kit, port).await;
    let mut watch = watched(kit).await;
    check(&kit.post(SERVICES, api_service()).await, 201, "");
    while reason(&mut watch).await != "Passed" {}
    watch
}

fn resources() -> Value {
    json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "metrics.example.com/v1",
        "resources": [{"name": "loads", "singularName": "load", "namespaced": false, "kind": "Load", "verbs": ["get", "list"]}],
    })
}

#[tokio::test]
async fn another_server_answers_its_group() {
    let kit = bootstrapped().await;
    let answer: Answer = Arc::new(|path, headers, _| {
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        match path {
            "/apis/metrics.example.com/v1" => (200, resources()),
            "/openapi/v3" | "/openapi/v2" => (404, json!({})),
            _ => (
                200,
                json!({
                    "path": path, "user": text("x-remote-user"), "uid": text("x-remote-uid"), "group": text("x-remote-group"),
                    "extra": text("x-remote-extra-a%2fb"), "authorization": text("authorization"), "te": text("te"),
                }),
            ),
        }
    });
    let (port, _) = https(&kit.tasks, answer).await;
    let mut watch = watched(&kit).await;
    let (code, made) = kit.post(SERVICES, api_service()).await;
    assert_eq!(code, 201, "{made}");
    assert_eq!(reason(&mut watch).await, "ServiceNotFound");
    check(&kit.get(LOADS).await, 503, "service unavailable");
    stand_behind(&kit, port).await;
    while reason(&mut watch).await != "Passed" {}
    let who = Identity { uid: "u-1".into(), extra: [("a/b".to_owned(), vec!["c".to_owned()])].into(), ..admin() };
    let headers = [("authorization", "Bearer secret"), ("x-remote-uid", "root"), ("te", "trailers")];
    let (code, answer) =
        read(kit.server.handle(who, request("GET", &format!("{LOADS}?limit=5"), &headers, "")).await).await;
    assert_eq!(code, 200, "{answer}");
    let expected = json!({
        "path": format!("{LOADS}?limit=5"), "user": "admin", "uid": "u-1", "group": "system:masters", "extra": "c",
        "authorization": null, "te": null,
    });
    assert_eq!(answer, expected);
    let accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    let (_, groups) = kit.send("GET", "/apis", &[("accept", accept)], Value::Null).await;
    let found = groups["items"].as_array().unwrap().iter().find(|one| one["metadata"]["name"] == "metrics.example.com");
    assert_eq!(found.unwrap()["versions"][0]["resources"][0]["resource"], "loads");
    assert_eq!(kit.get("/apis/metrics.example.com").await.1["preferredVersion"]["version"], "v1");
    assert_eq!(kit.get("/apis/metrics.example.com/v1").await.1["resources"][0]["name"], "loads");
    assert!(kit.get("/openapi/v3").await.1["paths"].get("apis/metrics.example.com/v1").is_none());
}

#[tokio::test]
async fn extension_servers_are_told_how_to_know_this_one() {
    let kit = bootstrapped().await;
    let path = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication";
    let data = kit.get(path).await.1["data"].clone();
    let expected = json!({
        "client-ca-file": "CA",
        "requestheader-allowed-names": "[\"front-proxy-client\"]",
        "requestheader-client-ca-file": "FRONT",
        "requestheader-extra-headers-prefix": "[\"X-Remote-Extra-\"]",
        "requestheader-group-headers": "[\"X-Remote-Group\"]",
        "requestheader-uid-headers": "[\"X-Remote-Uid\"]",
        "requestheader-username-headers": "[\"X-Remote-User\"]",
    });
    assert_eq!(data, expected);
}

async fn tag(kit: &Kit, path: &str) -> String {
    let response = kit.server.handle(admin(), request("GET", path, &[], "")).await;
    response.headers()["etag"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_openapi_of_another_server_is_part_of_this_ones() {
    let kit = bootstrapped().await;
    let (calls, title) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new("first")));
    let (inner, titled) = (calls.clone(), title.clone());
    let answer: Answer = Arc::new(move |path, _, _| match path {
        "/apis/metrics.example.com/v1" if *titled.lock().unwrap() == "away" => (500, json!({})),
        "/apis/metrics.example.com/v1" => (200, resources()),
        "/openapi/v3" => {
            *inner.lock().unwrap() += 1;
            let url = |path: &str| json!({"serverRelativeURL": path});
            (
                200,
                json!({"paths": {
                    "apis/metrics.example.com/v1": url("/openapi/v3/apis/metrics.example.com/v1?hash=X"),
                    "version": url("/openapi/v3/version?hash=Y"),
                }}),
            )
        }
        "/openapi/v3/apis/metrics.example.com/v1?hash=X" => {
            let title = *titled.lock().unwrap();
            (200, json!({"openapi": "3.0.0", "info": {"title": title}, "paths": {LOADS: {}}}))
        }
        "/openapi/v2" => (
            200,
            json!({
                "swagger": "2.0",
                "paths": {LOADS: {"get": {"operationId": "listLoads"}}, "/version/": {}, "/apis/metrics.example.com/v1beta1/x": {}},
                "definitions": {"com.example.Load": {"type": "object"}, "io.k8s.api.core.v1.Pod": {"description": "not ours"}},
            }),
        ),
        _ => (404, json!({})),
    });
    let (port, _) = https(&kit.tasks, answer).await;
    let (index, second) = (tag(&kit, "/openapi/v3").await, tag(&kit, "/openapi/v2").await);
    let mut watch = register(&kit, port).await;
    let changed = tag(&kit, "/openapi/v3").await;
    assert_ne!(index, changed);
    assert_ne!(second, tag(&kit, "/openapi/v2").await);
    let place = kit.get("/openapi/v3").await.1["paths"]["apis/metrics.example.com/v1"]["serverRelativeURL"].clone();
    let place = place.as_str().unwrap();
    let (code, document) = kit.get(place).await;
    assert_eq!((code, &document["info"]["title"]), (200, &json!("first")), "{place}");
    assert_eq!(kit.get("/openapi/v3/apis/metrics.example.com/v1?hash=OLD").await.0, 301);
    let merged = kit.get("/openapi/v2").await.1;
    assert_eq!(merged["paths"][LOADS]["get"]["operationId"], "listLoads");
    assert!(merged["paths"].get("/apis/metrics.example.com/v1beta1/x").is_none());
    assert!(merged["definitions"]["com.example.Load"].is_object());
    assert_ne!(merged["definitions"]["io.k8s.api.core.v1.Pod"]["description"], "not ours");
    let asked = *calls.lock().unwrap();
    // What stays available is not asked again; what comes back is.
    *title.lock().unwrap() = "away";
    let touch = |text: &str| json!({"metadata": {"labels": {"touched": text}}});
    let service = "/api/v1/namespaces/default/services/metrics";
    check(&kit.patch(service, "merge", touch("1")).await, 200, "");
    assert_eq!(reason(&mut watch).await, "FailedDiscoveryCheck");
    assert_eq!(*calls.lock().unwrap(), asked);
    *title.lock().unwrap() = "second";
    check(&kit.patch(service, "merge", touch("2")).await, 200, "");
    assert_eq!(reason(&mut watch).await, "Passed");
    assert_ne!(tag(&kit, "/openapi/v3").await, changed);
    assert_eq!(kit.get("/openapi/v3/apis/metrics.example.com/v1").await.1["info"]["title"], "second");
}

#[tokio::test]
async fn upgrades_lead_to_the_other_server() {
    let kit = bootstrapped().await;
    let tasks = kit.tasks.clone();
    let handler: Handler = Arc::new(move |mut request| {
        let tasks = tasks.clone();
        async move {
            let response = http::Response::builder();
            if request.headers().get("upgrade").is_none() {
                return response.status(200).body(body::full(resources().to_string())).unwrap();
            }
            assert_eq!(request.headers()["x-remote-user"], "admin");
            let upgrade = hyper::upgrade::on(&mut request);
            tasks.spawn("echo", async move {
                let mut stream = TokioIo::new(upgrade.await.unwrap());
                let mut word = [0; 4];
                stream.read_exact(&mut word).await.unwrap();
                stream.write_all(&word.map(|byte| byte.to_ascii_uppercase())).await.unwrap();
                stream.shutdown().await.unwrap();
            });
            let response = response.status(101).header("connection", "Upgrade").header("upgrade", "echo/1");
            response.body(body::full("")).unwrap()
        }
        .boxed()
    });
    let (port, _) = serve(&kit.tasks, handler).await;
    register(&kit, port).await;
    let mut wire = super::streams::wire(&kit);
    let head = format!("GET {LOADS}/x/shell HTTP/1.1\r\nHost: s\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n");
    wire.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(wire.read_u8().await.unwrap());
    }
    let answer = String::from_utf8(answer).unwrap().to_lowercase();
    assert!(answer.starts_with("http/1.1 101") && answer.contains("upgrade: echo/1"), "{answer}");
    wire.write_all(b"echo").await.unwrap();
    let mut echoed = String::new();
    wire.read_to_string(&mut echoed).await.unwrap();
    assert_eq!(echoed, "ECHO");
}
