//! Malformed requests: each is refused with the status, reason and words that upstream has.

use super::custom::{CRONTABS, DEFINITIONS, definition, version};
use super::*;

/// Sends bytes as they are.
async fn raw(kit: &Kit, method: &str, path: &str, type_: &str, body: impl Into<Bytes>) -> (u16, Value) {
    read(kit.server.handle(admin(), request(method, path, &[("content-type", type_)], body)).await).await
}

#[track_caller]
fn is(found: &(u16, Value), code: u16, reason: &str, message: &str) {
    let text = |field: &str| found.1[field].as_str().unwrap_or_default();
    assert_eq!((found.0, text("reason"), text("message")), (code, reason, message));
}

const UNRECOGNIZED: &str = "the object provided is unrecognized (must be of type ConfigMap): ";

#[tokio::test]
async fn bodies_that_are_not_json_are_told_as_upstream_tells_them() {
    let kit = kit().await;
    for (body, why) in [
        ("", "unexpected end of JSON input (<empty>)"),
        ("{", "unexpected end of JSON input ({)"),
        ("x", "invalid character 'x' looking for beginning of value (78)"),
        ("{x}", "invalid character 'x' looking for beginning of object key string ({x})"),
        ("{\"a\" 1}", "invalid character '1' after object key ({\"a\" 1})"),
        ("{\"a\":1 2}", "invalid character '2' after object key:value pair ({\"a\":1 2})"),
        ("[1 2]", "invalid character '2' after array element (5b3120325d)"),
        ("{} {}", "invalid character '{' after top-level value ({} {})"),
        ("{\"a\":tru}", "invalid character '}' in literal true (expecting 'e') ({\"a\":tru})"),
        ("{\"a\":01}", "invalid character '1' after object key:value pair ({\"a\":01})"),
        ("{\"a\":-}", "invalid character '}' in numeric literal ({\"a\":-})"),
        ("{\"a\":\"\\q\"}", "invalid character 'q' in string escape code ({\"a\":\"\\q\"})"),
        ("{\"a\":\"\n\"}", "invalid character '\\n' in string literal ({\"a\":\"\n\"})"),
        (
            "{\"metadata\":{\"name\":\"a-name-that-is-long\",}}",
            "invalid character '}' looking for beginning of object key string ({\"metadata\":{\"name\":\"a-name-th ...)",
        ),
        (
            "[]",
            "json: cannot unmarshal array into Go value of type struct { APIVersion string \
             \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" } (5b5d)",
        ),
        ("{\"a\":1e999999}", "json: cannot unmarshal number 1e999999 into Go value of type float64 ({\"a\":1e999999})"),
    ] {
        for (method, path) in [("POST", MAPS.to_owned()), ("PUT", format!("{MAPS}/a"))] {
            let found = raw(&kit, method, &path, "application/json", body).await;
            let message = format!("{UNRECOGNIZED}couldn't get version/kind; json parse error: {why}");
            is(&found, 400, "BadRequest", &message);
        }
    }
    let found = raw(&kit, "POST", MAPS, "application/yaml", "a: b: c").await;
    check(&found, 400, &format!("{UNRECOGNIZED}yaml: "));
    let found = raw(&kit, "POST", MAPS, "application/vnd.kubernetes.protobuf", "nothing").await;
    check(&found, 400, UNRECOGNIZED);
    for (type_, words) in [
        ("merge-patch", "error decoding patch: invalid character 'x' looking for beginning of value"),
        ("strategic-merge-patch", "invalid character 'x' looking for beginning of value"),
        ("json-patch", "invalid character 'x' looking for beginning of value"),
    ] {
        kit.post(MAPS, config_map("a", "1")).await;
        let found = raw(&kit, "PATCH", &format!("{MAPS}/a"), &format!("application/{type_}+json"), "x").await;
        is(&found, 400, "BadRequest", words);
    }
}

#[tokio::test]
async fn bodies_of_another_kind_or_place_are_refused() {
    let kit = kit().await;
    kit.post(MAPS, config_map("a", "1")).await;
    let with = |change: Value| {
        let mut object = config_map("a", "1");
        for (field, value) in change.as_object().unwrap() {
            match field.as_str() {
                "name" | "namespace" => object["metadata"][field] = value.clone(),
                _ => object[field] = value.clone(),
            }
        }
        object
    };
    let scheme = "in scheme \"k8s.io/kubernetes/pkg/api/legacyscheme/scheme.go:30\"";
    for (change, why) in [
        (
            json!({"apiVersion": "v1", "kind": "Secret"}),
            "Secret in version \"v1\" cannot be handled as a ConfigMap: converting (v1.Secret) to (core.ConfigMap): unknown \
             conversion"
                .to_owned(),
        ),
        (
            json!({"kind": "Foo"}),
            format!(
                "Foo in version \"v1\" cannot be handled as a ConfigMap: no kind \"Foo\" is registered for version \"v1\" \
                 {scheme}"
            ),
        ),
        (
            json!({"apiVersion": "example.com/v2"}),
            format!(
                "ConfigMap in version \"v2\" cannot be handled as a ConfigMap: no kind \"ConfigMap\" is registered for \
                 version \"example.com/v2\" {scheme}"
            ),
        ),
        (
            json!({"namespace": "other"}),
            "the namespace of the provided object does not match the namespace sent on the request".to_owned(),
        ),
    ] {
        is(&kit.post(MAPS, with(change.clone())).await, 400, "BadRequest", &why);
        is(&kit.put(&format!("{MAPS}/a"), with(change)).await, 400, "BadRequest", &why);
    }
    let found = kit.put(&format!("{MAPS}/a"), with(json!({"name": "b"}))).await;
    is(&found, 400, "BadRequest", "the name of the object (b) does not match the name on the URL (a)");
    let scaler = json!({"apiVersion": "autoscaling/v1", "metadata": {"name": "a"}, "spec": {"maxReplicas": 1}});
    let found = kit.post("/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers", scaler).await;
    let words = "the API version in the data (autoscaling/v1) does not match the expected API version (autoscaling/v2)";
    is(&found, 400, "BadRequest", words);
    kit.post(DEFINITIONS, definition(json!([version("v1", true)]))).await;
    let crontab = |version: &str, kind: &str| json!({"apiVersion": version, "kind": kind, "metadata": {"name": "a"}, "spec": {"cronSpec": "* * * * *"}});
    let found = kit.post(CRONTABS, crontab("stable.example.com/v2", "CronTab")).await;
    let words = "the API version in the data (stable.example.com/v2) does not match the expected API version \
                 (stable.example.com/v1)";
    is(&found, 400, "BadRequest", words);
    let found = kit.post(CRONTABS, crontab("stable.example.com/v1", "Other")).await;
    let words = "CronTab.stable.example.com \"a\" is invalid: kind: Invalid value: \"Other\": must be CronTab";
    is(&found, 422, "Invalid", words);
}

#[tokio::test]
async fn media_types_that_nobody_reads_are_told_which_are_read() {
    let kit = kit().await;
    kit.post(MAPS, config_map("a", "1")).await;
    kit.post(DEFINITIONS, definition(json!([version("v1", true)]))).await;
    let before = "the body of the request was in an unknown format - accepted media types include: ";
    let all = format!("{before}application/json, application/yaml, application/vnd.kubernetes.protobuf");
    let found = raw(&kit, "POST", MAPS, "text/plain", "{}").await;
    is(&found, 415, "UnsupportedMediaType", &all);
    let found = raw(&kit, "POST", CRONTABS, "application/vnd.kubernetes.protobuf", "k8s\0").await;
    is(&found, 415, "UnsupportedMediaType", &format!("{before}application/json, application/yaml"));
    let found = raw(&kit, "PATCH", &format!("{MAPS}/a"), "application/json", "{}").await;
    let patches = "application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, \
                   application/apply-patch+yaml";
    is(&found, 415, "UnsupportedMediaType", &format!("{before}{patches}"));
}

#[tokio::test]
async fn parameters_without_sense_are_refused() {
    let kit = kit().await;
    for (query, code, reason, words) in [
        ("limit=abc", 400, "BadRequest", "strconv.ParseInt: parsing \"abc\": invalid syntax"),
        ("timeoutSeconds=x", 400, "BadRequest", "strconv.ParseInt: parsing \"x\": invalid syntax"),
        ("watch=1&timeoutSeconds=1.5", 400, "BadRequest", "strconv.ParseInt: parsing \"1.5\": invalid syntax"),
        (
            "limit=99999999999999999999",
            400,
            "BadRequest",
            "strconv.ParseInt: parsing \"99999999999999999999\": value out of range",
        ),
        (
            "resourceVersion=abc",
            400,
            "BadRequest",
            "resourceVersion: Invalid value: \"abc\": strconv.ParseUint: parsing \"abc\": invalid syntax",
        ),
        (
            "watch=1&resourceVersion=-1",
            400,
            "BadRequest",
            "resourceVersion: Invalid value: \"-1\": strconv.ParseUint: parsing \"-1\": invalid syntax",
        ),
        (
            "labelSelector=a%20b",
            400,
            "BadRequest",
            "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt",
        ),
        ("fieldSelector=x", 400, "BadRequest", "invalid selector: 'x'; can't understand 'x'"),
        (
            "fieldSelector=spec.x%3D1",
            400,
            "BadRequest",
            "\"spec.x\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
        ),
        (
            "resourceVersionMatch=Exact",
            422,
            "Invalid",
            "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden \
             unless resourceVersion is provided",
        ),
    ] {
        is(&kit.get(&format!("{MAPS}?{query}")).await, code, reason, words);
    }
    let dry = |options: &str| {
        format!("{options}.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: \"x\": supported values: \"All\"")
    };
    let path = format!("{MAPS}/a?dryRun=x");
    is(&kit.post(&format!("{MAPS}?dryRun=x"), config_map("a", "")).await, 422, "Invalid", &dry("CreateOptions"));
    is(&kit.put(&path, config_map("a", "")).await, 422, "Invalid", &dry("UpdateOptions"));
    is(&kit.patch(&path, "merge", json!({})).await, 422, "Invalid", &dry("PatchOptions"));
    is(&kit.delete(&path, Value::Null).await, 422, "Invalid", &dry("DeleteOptions"));
    let words = "PatchOptions.meta.k8s.io \"\" is invalid: fieldValidation: Unsupported value: \"x\": supported values: \
                 \"Ignore\", \"Strict\", \"Warn\"";
    is(&kit.patch(&format!("{MAPS}/a?fieldValidation=x"), "merge", json!({})).await, 422, "Invalid", words);
}

#[tokio::test]
async fn absurd_bodies_are_refused_in_bounded_steps() {
    let kit = kit().await;
    // Each is as large as a body may be, or nests as deep as it can within.
    let size = 3 * 1024 * 1024 - 100;
    let nested = format!("{{\"data\":{}", "[".repeat(size));
    let found = raw(&kit, "POST", MAPS, "application/json", nested).await;
    check(&found, 400, "exceeded max depth");
    let found = raw(&kit, "POST", MAPS, "application/yaml", format!("data: {}", "[".repeat(size))).await;
    check(&found, 400, "yaml: ");
    let digits = "1".repeat(100_000);
    for number in ["1e999999", "-1e999999", &digits] {
        let body = format!("{{\"metadata\":{{\"name\":\"a\"}},\"data\":{{\"a\":{number}}}}}");
        let found = raw(&kit, "POST", MAPS, "application/json", body).await;
        assert_eq!(found.0, 400, "{}", found.1);
        assert!(found.1.to_string().len() < 1000, "the answer is short");
    }
    for quantity in ["1e999999", "1e-999999", "0.0000000000000000001e99999999999999", &digits, "1.", ".", "1E1E1"] {
        let container = json!({"name": "c", "image": "i", "resources": {"limits": {"cpu": quantity}}});
        let pod = json!({"metadata": {"name": "a"}, "spec": {"containers": [container]}});
        let found = kit.post("/api/v1/namespaces/default/pods?dryRun=All", pod).await;
        assert!(matches!(found.0, 201 | 400 | 422), "{quantity:.20}: {}", found.1);
    }
    let mut bomb = String::from("metadata: {name: a}\ndata:\n  a0: &a0 x\n");
    for level in 1..30 {
        let below = format!("*a{}", level - 1);
        bomb.push_str(&format!("  a{level}: &a{level} [{}]\n", vec![below; 10].join(", ")));
    }
    let found = raw(&kit, "POST", MAPS, "application/yaml", bomb).await;
    check(&found, 400, "yaml: ");
    let fields: Vec<String> = (0..100_000).map(|_| "\"a\":\"1\"".to_owned()).collect();
    let body = format!("{{\"metadata\":{{\"name\":\"a\"}},\"data\":{{{}}}}}", fields.join(","));
    let found = raw(&kit, "POST", &format!("{MAPS}?fieldValidation=Strict"), "application/json", body).await;
    check(&found, 400, "strict decoding error: duplicate field \"data.a\"");
    assert!(found.1.to_string().len() < 10_000, "not all are told");
    let large = format!("{{\"data\":{{\"a\":\"{}\"}}}}", "x".repeat(4 * 1024 * 1024));
    let found = raw(&kit, "POST", MAPS, "application/json", large).await;
    is(&found, 413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728");
}
