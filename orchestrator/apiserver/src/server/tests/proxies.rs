use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const CORE: &str = "/api/v1/namespaces/default";

/// An HTTP server that answers with what it was sent, and redirects `/away`; its port.
async fn backend(kit: &Kit) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let tasks = kit.tasks.clone();
    kit.tasks.spawn("backend", async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tasks.spawn("request", async move {
                let mut seen = Vec::new();
                let mut buffer = [0; 4096];
                while !seen.windows(4).any(|end| end == b"\r\n\r\n") || !complete(&seen) {
                    match socket.read(&mut buffer).await {
                        Ok(count @ 1..) => seen.extend(&buffer[..count]),
                        _ => return,
                    }
                }
                let text = String::from_utf8_lossy(&seen).into_owned();
                let extra = if text.contains(" /away ") { "Location: /home\r\n" } else { "" };
                let code = if extra.is_empty() { "200 OK" } else { "302 Found" };
                let head = format!("HTTP/1.1 {code}\r\n{extra}Content-Length: {}\r\n\r\n", text.len());
                let _ = socket.write_all((head + &text).as_bytes()).await;
            });
        }
    });
    port
}

/// Whether the whole body came.
fn complete(seen: &[u8]) -> bool {
    let text = String::from_utf8_lossy(seen).to_lowercase();
    let length = text.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.parse().ok());
    text.split_once("\r\n\r\n").is_some_and(|(_, body)| body.len() >= length.unwrap_or(0))
}

async fn pod(kit: &Kit, port: u16) {
    let containers = json!([{"name": "c", "image": "i:1", "ports": [{"containerPort": port}]}]);
    kit.post(&format!("{CORE}/pods"), json!({"metadata": {"name": "web"}, "spec": {"containers": containers}})).await;
    let binding = json!({"target": {"kind": "Node", "name": "here"}});
    assert_eq!(kit.post(&format!("{CORE}/pods/web/binding"), binding).await.0, 201);
}

#[tokio::test]
async fn a_pod_is_reached_with_all_methods_and_paths() {
    let kit = kit().await;
    let port = backend(&kit).await;
    pod(&kit, port).await;
    let seen = kit.get(&format!("{CORE}/pods/web/proxy/a%2Fb/../c/?x=1%202")).await;
    assert_eq!(seen.0, 200);
    let text = seen.1.as_str().unwrap();
    assert!(text.starts_with("GET /a%2Fb/../c/?x=1%202 HTTP/1.1\r\n"), "{text}");
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        let protocols = "base64url.bearer.authorization.k8s.io.c2VjcmV0, chat";
        let headers = [
            ("authorization", "Bearer secret"),
            ("sec-websocket-protocol", protocols),
            ("x-own", "1"),
            ("content-length", "13"),
        ];
        let path = format!("{CORE}/pods/http:web:{port}/proxy/there");
        let (code, text) = kit.send(method, &path, &headers, json!({"a": "bodyx"})).await;
        let text = text.as_str().unwrap();
        assert!(code == 200 && text.starts_with(&format!("{method} /there HTTP/1.1")), "{text}");
        assert!(text.ends_with("\r\n\r\n{\"a\":\"bodyx\"}") && text.contains("x-own: 1"), "{text}");
        assert!(!text.contains("secret") && !text.contains("c2VjcmV0"), "{text}");
        assert!(text.contains("sec-websocket-protocol: chat\r\n"), "{text}");
    }
    let away = request("GET", &format!("{CORE}/pods/web/proxy/away"), &[], "");
    let away = kit.server.handle(admin(), away).await;
    assert_eq!(away.headers()["location"], "/api/v1/namespaces/default/pods/web/proxy/home");
    let bare = kit.server.handle(admin(), request("GET", &format!("{CORE}/pods/web/proxy?q=1"), &[], "")).await;
    assert_eq!(bare.status(), 301);
    assert_eq!(bare.headers()["location"], "/api/v1/namespaces/default/pods/web/proxy/?q=1");
    check(&kit.get(&format!("{CORE}/pods/web:1/proxy/")).await, 503, "error trying to reach service: ");
    check(&kit.get(&format!("{CORE}/pods/ftp:web:1/proxy/")).await, 400, "invalid pod request \"ftp:web:1\"");
    check(&kit.get(&format!("{CORE}/pods/none/proxy/")).await, 404, "pods \"none\" not found");
}

#[tokio::test]
async fn a_service_is_reached_by_port_and_name() {
    let kit = kit().await;
    let port = backend(&kit).await;
    pod(&kit, port).await;
    let spec = json!({"ports": [{"name": "http", "port": 80}, {"name": "more", "port": 81}]});
    kit.post(&format!("{CORE}/services"), json!({"metadata": {"name": "web"}, "spec": spec})).await;
    let slice = json!({
        "metadata": {"name": "web-1", "labels": {"kubernetes.io/service-name": "web"}}, "addressType": "IPv4",
        "ports": [{"name": "http", "port": port}],
        "endpoints": [{"addresses": ["10.0.0.9"], "targetRef": {"kind": "Pod", "name": "web", "namespace": "default"}}],
    });
    let slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";
    assert_eq!(kit.post(slices, slice).await.0, 201);
    kit.server.caches().fresh().await.unwrap();
    for name in ["web:80", "web:http", "http:web:80"] {
        let (code, text) = kit.get(&format!("{CORE}/services/{name}/proxy/")).await;
        assert_eq!((code, text.as_str().unwrap().starts_with("GET / HTTP/1.1")), (200, true), "{text}");
    }
    check(
        &kit.get(&format!("{CORE}/services/web:82/proxy/")).await,
        503,
        "no service port 82 found for service \"web\"",
    );
    check(&kit.get(&format!("{CORE}/services/web:81/proxy/")).await, 503, "no endpoints available for service \"web\"");
    check(&kit.get(&format!("{CORE}/services/web/proxy/")).await, 503, "no endpoints available for service \"web\"");
}

#[tokio::test]
async fn nobody_outside_the_cluster_is_called() {
    let kit = kit().await;
    let spec = json!({"type": "ExternalName", "externalName": "localhost", "ports": [{"port": 22}]});
    let (code, made) = kit.post(&format!("{CORE}/services"), json!({"metadata": {"name": "out"}, "spec": spec})).await;
    assert_eq!(code, 201, "{made}");
    let answer = kit.get(&format!("{CORE}/services/out:22/proxy/")).await;
    check(&answer, 503, "no endpoints available for service \"out\"");
}

#[tokio::test]
async fn a_node_is_its_kubelet() {
    let kit = kit().await;
    assert_eq!(kit.post("/api/v1/nodes", json!({"metadata": {"name": "here"}})).await.0, 201);
    assert_eq!(kit.get("/api/v1/nodes/here/proxy/healthz").await, (200, json!("ok")));
    assert_eq!(kit.get("/api/v1/nodes/here:10250/proxy/stats/x?y=1").await, (200, json!("GET /stats/x?y=1\n")));
    for address in ["127.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1"] {
        let status = json!({"status": {"addresses": [{"type": "InternalIP", "address": address}]}});
        assert_eq!(kit.patch("/api/v1/nodes/here/status", "merge", status).await.0, 200);
        check(&kit.get("/api/v1/nodes/here:80/proxy/").await, 400, "address not allowed");
    }
    check(&kit.get("/api/v1/nodes/none/proxy/healthz").await, 404, "nodes \"none\" not found");
}
