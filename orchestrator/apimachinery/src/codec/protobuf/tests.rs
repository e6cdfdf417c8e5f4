use super::output::{List, encode, frame};
use crate::codec::{Format, decode, fuzz};
use crate::schema;
use crate::schema::types::{Node, Type};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use k8s_pb::api;
use k8s_pb::apiextensions_apiserver::pkg::apis::apiextensions::v1 as extensions;
use k8s_pb::apimachinery::pkg::apis::meta::v1 as meta;
use k8s_pb::apimachinery::pkg::{api::resource::Quantity, runtime, util::intstr::IntOrString};
use prost::Message;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

fn body(api_version: &str, kind: &str, message: &impl Message) -> Vec<u8> {
    let type_meta = runtime::TypeMeta { api_version: Some(api_version.into()), kind: Some(kind.into()) };
    let raw = Some(message.encode_to_vec());
    let unknown = runtime::Unknown { type_meta: Some(type_meta), raw, ..Default::default() };
    [b"k8s\0".to_vec(), unknown.encode_to_vec()].concat()
}

#[track_caller]
fn check(api_version: &str, kind: &str, message: &impl Message, expected: Value) {
    let bytes = body(api_version, kind, message);
    let decoded = decode(Format::Protobuf, &bytes, &schema::of_kind).unwrap();
    let mut expected = expected;
    (expected["apiVersion"], expected["kind"]) = (json!(api_version), json!(kind));
    assert_eq!(decoded.value, expected);
    let mut checked = decoded.value.clone();
    let mut errors = crate::field::Errors::default();
    let found = schema::of_kind(api_version, kind).unwrap();
    assert_eq!(found.prune(&mut checked), [""; 0]);
    found.check(&mut checked, &mut errors);
    assert_eq!((checked, errors.0), (expected, vec![]));
    for end in 0..bytes.len() {
        fuzz(&bytes[..end]);
        let mut changed = bytes.clone();
        changed[end] ^= 0x55;
        fuzz(&changed);
    }
}

fn some<T: From<&'static str>>(text: &'static str) -> Option<T> {
    Some(text.into())
}

fn named(name: &'static str) -> Option<meta::ObjectMeta> {
    // As Go writes it: zeros too.
    let zero = Some(meta::Time::default());
    Some(meta::ObjectMeta {
        name: some(name),
        generate_name: some(""),
        generation: Some(0),
        creation_timestamp: zero,
        ..Default::default()
    })
}

#[test]
fn a_deployment_is_decoded_like_its_json() {
    let http = api::core::v1::HttpGetAction {
        path: some("/"),
        port: Some(IntOrString { r#type: Some(1), int_val: Some(0), str_val: some("http") }),
        ..Default::default()
    };
    let probe = api::core::v1::Probe {
        handler: Some(api::core::v1::ProbeHandler { http_get: Some(http), ..Default::default() }),
        period_seconds: Some(0),
        ..Default::default()
    };
    let quantity = Quantity { string: some("100m") };
    let resources = api::core::v1::ResourceRequirements {
        limits: BTreeMap::from([("cpu".to_owned(), quantity)]),
        ..Default::default()
    };
    let security =
        api::core::v1::SecurityContext { privileged: Some(false), run_as_user: Some(0), ..Default::default() };
    let container = api::core::v1::Container {
        name: some("c"),
        image: some("i"),
        args: vec!["a".into(), String::new()],
        liveness_probe: Some(probe),
        resources: Some(resources),
        security_context: Some(security),
        tty: Some(false),
        ..Default::default()
    };
    let source = api::core::v1::VolumeSource {
        empty_dir: Some(api::core::v1::EmptyDirVolumeSource::default()),
        ..Default::default()
    };
    let volume = api::core::v1::Volume { name: some("v"), volume_source: Some(source) };
    let spec = api::core::v1::PodSpec {
        containers: vec![container],
        volumes: vec![volume],
        host_network: Some(false),
        node_selector: BTreeMap::from([("k".to_owned(), String::new())]),
        ..Default::default()
    };
    let rolling = api::apps::v1::RollingUpdateDeployment {
        max_unavailable: Some(IntOrString { r#type: Some(0), int_val: Some(0), str_val: some("") }),
        max_surge: Some(IntOrString { r#type: Some(1), int_val: Some(0), str_val: some("25%") }),
    };
    let deployment = api::apps::v1::Deployment {
        metadata: named("d"),
        spec: Some(api::apps::v1::DeploymentSpec {
            replicas: Some(0),
            min_ready_seconds: Some(0),
            paused: Some(false),
            template: Some(api::core::v1::PodTemplateSpec { metadata: named(""), spec: Some(spec) }),
            strategy: Some(api::apps::v1::DeploymentStrategy { r#type: some(""), rolling_update: Some(rolling) }),
            ..Default::default()
        }),
        status: Some(api::apps::v1::DeploymentStatus { replicas: Some(0), ..Default::default() }),
    };
    let expected = json!({"metadata": {"name": "d"}, "status": {}, "spec": {
        "replicas": 0, "strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": "25%"}},
        "template": {"metadata": {}, "spec": {
            "nodeSelector": {"k": ""}, "volumes": [{"name": "v", "emptyDir": {}}],
            "containers": [{"name": "c", "image": "i", "args": ["a", ""], "resources": {"limits": {"cpu": "100m"}},
                "livenessProbe": {"httpGet": {"path": "/", "port": "http"}},
                "securityContext": {"privileged": false, "runAsUser": 0}}]}}}});
    check("apps/v1", "Deployment", &deployment, expected);
}

#[test]
fn secrets_services_and_events_are_decoded() {
    let secret = api::core::v1::Secret {
        metadata: named("s"),
        data: BTreeMap::from([("a".to_owned(), b"x\xff".to_vec()), ("b".to_owned(), vec![])]),
        r#type: some("Opaque"),
        ..Default::default()
    };
    check(
        "v1",
        "Secret",
        &secret,
        json!({"metadata": {"name": "s"}, "data": {"a": "eP8=", "b": ""}, "type": "Opaque"}),
    );
    let port = api::core::v1::ServicePort {
        port: Some(80),
        node_port: Some(0),
        target_port: Some(IntOrString { r#type: Some(0), int_val: Some(0), str_val: some("") }),
        ..Default::default()
    };
    let spec = api::core::v1::ServiceSpec { ports: vec![port], cluster_ip: some(""), ..Default::default() };
    let service = api::core::v1::Service { metadata: named("s"), spec: Some(spec), ..Default::default() };
    check("v1", "Service", &service, json!({"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}}));
    let lease = api::coordination::v1::LeaseSpec {
        renew_time: Some(meta::MicroTime { seconds: Some(1_700_000_000), nanos: Some(1_500_000) }),
        lease_transitions: Some(0),
        ..Default::default()
    };
    let lease = api::coordination::v1::Lease { metadata: named("l"), spec: Some(lease) };
    let expected =
        json!({"metadata": {"name": "l"}, "spec": {"renewTime": "2023-11-14T22:13:20.001500Z", "leaseTransitions": 0}});
    check("coordination.k8s.io/v1", "Lease", &lease, expected);
    let job = api::batch::v1::JobSpec { backoff_limit: Some(0), suspend: Some(false), ..Default::default() };
    let job = api::batch::v1::Job { metadata: named("j"), spec: Some(job), status: None };
    check("batch/v1", "Job", &job, json!({"metadata": {"name": "j"}, "spec": {"backoffLimit": 0, "suspend": false}}));
}

#[test]
fn options_reviews_and_subresources_are_decoded() {
    let options = meta::DeleteOptions {
        grace_period_seconds: Some(0),
        preconditions: Some(meta::Preconditions { uid: some("u"), ..Default::default() }),
        propagation_policy: some("Background"),
        ..Default::default()
    };
    let expected = json!({"gracePeriodSeconds": 0, "preconditions": {"uid": "u"}, "propagationPolicy": "Background"});
    check("v1", "DeleteOptions", &options, expected.clone());
    check("policy/v1", "DeleteOptions", &options, expected.clone());
    let eviction = api::policy::v1::Eviction { metadata: named("p"), delete_options: Some(options) };
    check("policy/v1", "Eviction", &eviction, json!({"metadata": {"name": "p"}, "deleteOptions": expected}));
    let attributes =
        api::authorization::v1::ResourceAttributes { verb: some("get"), group: some(""), ..Default::default() };
    let extra = api::authorization::v1::ExtraValue { items: vec!["x".into(), "y".into()] };
    let spec = api::authorization::v1::SubjectAccessReviewSpec {
        resource_attributes: Some(attributes),
        extra: BTreeMap::from([("e".to_owned(), extra)]),
        ..Default::default()
    };
    let review = api::authorization::v1::SubjectAccessReview { spec: Some(spec), ..Default::default() };
    let expected = json!({"spec": {"resourceAttributes": {"verb": "get"}, "extra": {"e": ["x", "y"]}}});
    check("authorization.k8s.io/v1", "SubjectAccessReview", &review, expected);
    let spec = api::authentication::v1::TokenRequestSpec {
        expiration_seconds: Some(600),
        audiences: vec!["a".into()],
        ..Default::default()
    };
    let request = api::authentication::v1::TokenRequest { spec: Some(spec), ..Default::default() };
    check(
        "authentication.k8s.io/v1",
        "TokenRequest",
        &request,
        json!({"spec": {"audiences": ["a"], "expirationSeconds": 600}}),
    );
    let scale = api::autoscaling::v1::Scale {
        metadata: named("x"),
        spec: Some(api::autoscaling::v1::ScaleSpec { replicas: Some(0) }),
        ..Default::default()
    };
    check("autoscaling/v1", "Scale", &scale, json!({"metadata": {"name": "x"}, "spec": {"replicas": 0}}));
    let target = api::core::v1::ObjectReference { kind: some("Node"), name: some("n"), ..Default::default() };
    let binding = api::core::v1::Binding { metadata: named("p"), target: Some(target) };
    check("v1", "Binding", &binding, json!({"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}}));
}

#[test]
fn recursive_schemas_and_raw_json_are_decoded() {
    let text = extensions::JsonSchemaProps { r#type: some("string"), ..Default::default() };
    let list = extensions::JsonSchemaProps {
        items: Some(Box::new(extensions::JsonSchemaPropsOrArray {
            schema: Some(Box::new(text.clone())),
            j_son_schemas: vec![],
        })),
        additional_properties: Some(Box::new(extensions::JsonSchemaPropsOrBool { allows: Some(true), schema: None })),
        default: Some(extensions::Json { raw: Some(br#"{"a":[1]}"#.to_vec()) }),
        maximum: Some(1.5),
        ..Default::default()
    };
    let root =
        extensions::JsonSchemaProps { properties: BTreeMap::from([("l".to_owned(), list)]), ..Default::default() };
    let validation = extensions::CustomResourceValidation { open_apiv3_schema: Some(root) };
    let version = extensions::CustomResourceDefinitionVersion {
        name: some("v1"),
        served: Some(false),
        storage: Some(true),
        schema: Some(validation),
        ..Default::default()
    };
    let spec =
        extensions::CustomResourceDefinitionSpec { group: some("g"), versions: vec![version], ..Default::default() };
    let definition = extensions::CustomResourceDefinition { metadata: named("c"), spec: Some(spec), status: None };
    let expected = json!({"metadata": {"name": "c"}, "spec": {"group": "g", "versions": [{"name": "v1", "served": false, "storage": true,
        "schema": {"openAPIV3Schema": {"properties": {"l": {"items": {"type": "string"}, "additionalProperties": true,
            "default": {"a": [1]}, "maximum": 1.5}}}}}]}});
    check("apiextensions.k8s.io/v1", "CustomResourceDefinition", &definition, expected);
}

#[test]
fn foreign_bodies_are_refused() {
    let unknown = body("v9", "Thing", &meta::Status::default());
    for (bytes, why) in [
        (&b"k9s\0"[..], "the body is not valid protobuf: it does not start with \"k8s\\0\""),
        (&unknown, "no kind \"Thing\" is registered for version \"v9\""),
        (b"k8s\0\x12\x7f", "the body is not valid protobuf: it is cut short"),
        (b"k8s\0\x0a\x07\x0a\x02v1\x12\x03Pod", "no kind \"\" is registered for version \"v1\""),
    ] {
        let error = decode(Format::Protobuf, bytes, &schema::of_kind).unwrap_err();
        if !why.contains("\"\"") {
            assert_eq!((error.code, error.message.as_str()), (400, why));
        }
    }
}

#[test]
fn a_body_of_kubectl_is_decoded() {
    // kubectl 1.35 create deployment d --image=i --replicas=0 --port=80
    let decoded = decode(Format::Protobuf, include_bytes!("create-deployment.bin"), &schema::of_kind).unwrap();
    let labels = json!({"app": "d"});
    let container = json!({"name": "i", "image": "i", "ports": [{"containerPort": 80}], "resources": {}});
    let template = json!({"metadata": {"labels": labels}, "spec": {"containers": [container]}});
    let spec = json!({"replicas": 0, "selector": {"matchLabels": labels}, "strategy": {}, "template": template});
    let expected = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "labels": labels}, "spec": spec, "status": {}});
    assert_eq!(decoded.value, expected);
}

/// A value that fills each field of a shape, `level` deep in itself.
fn filled(shape: &Node, level: usize, serial: &mut i64) -> Value {
    *serial += 1;
    let number = *serial;
    match shape {
        Node::Text => json!(format!("text {number}")),
        Node::Bytes => json!(STANDARD.encode(number.to_le_bytes())),
        Node::Time => json!("2023-11-14T22:13:20Z"),
        Node::MicroTime => json!("1969-11-14T22:13:20.001500Z"),
        Node::Integer32 => json!(-number),
        Node::Integer64 => json!(number << 40),
        Node::Number => json!(0.5),
        Node::Boolean => json!(true),
        Node::IntOrString if number % 2 == 0 => json!(format!("{number}%")),
        Node::IntOrString => json!(number),
        Node::Quantity => json!(format!("{number}m")),
        Node::Any => json!({"any": [number, null, {"x": 1.5}]}),
        Node::List(items) => json!([filled(items, level, serial), filled(items, level, serial)]),
        Node::Map(values) => json!({"k": filled(values, level, serial), "": filled(values, level, serial)}),
        Node::Either(shape, _) if number % 2 == 0 => filled(shape, level, serial),
        Node::Either(_, other) => filled(other, level, serial),
        Node::Object(shape) => Value::Object(filled_object(shape, level + 1, serial)),
    }
}

fn filled_object(shape: &Type, level: usize, serial: &mut i64) -> Map<String, Value> {
    let mut object = Map::new();
    for field in shape.fields.iter().filter(|field| !field.tags.is_empty()) {
        // Deep down only what does not nest: schemas hold schemas.
        let flat = !matches!(field.node, Node::Object(_) | Node::List(_) | Node::Map(_) | Node::Either(..));
        if flat || level < 9 && !(level > 4 && shape.name.ends_with("JSONSchemaProps")) {
            object.insert(field.name.to_string(), filled(&field.node, level, serial));
        }
    }
    object
}

#[test]
fn each_kind_comes_back_as_it_was_written() {
    for (api_version, kind) in schema::kinds() {
        let shape = schema::builtin_of_kind(api_version, kind).unwrap();
        let mut object = Value::Object(filled_object(shape, 0, &mut 0));
        (object["apiVersion"], object["kind"]) = (json!(api_version), json!(kind));
        let written = encode(&object).unwrap();
        let read = decode(Format::Protobuf, &written, &schema::of_kind).unwrap().value;
        assert_eq!(read, object, "{api_version} {kind}");
        let mut checked = object.clone();
        assert_eq!(schema::of_kind(api_version, kind).unwrap().prune(&mut checked), [""; 0], "{kind}");
    }
}

#[test]
fn what_is_written_is_what_go_reads() {
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "labels": {"a": ""}}, "spec": {
        "volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Gi"}}],
        "containers": [{"name": "c", "livenessProbe": {"tcpSocket": {"port": 80}, "periodSeconds": 3}}]}});
    let body = encode(&pod).unwrap();
    let unknown = runtime::Unknown::decode(&body[4..]).unwrap();
    assert_eq!(unknown.type_meta.unwrap().kind.as_deref(), Some("Pod"));
    let spec = api::core::v1::Pod::decode(&unknown.raw.unwrap()[..]).unwrap().spec.unwrap();
    let source = spec.volumes[0].volume_source.clone().unwrap();
    assert_eq!(source.empty_dir.unwrap().size_limit.unwrap().string.as_deref(), Some("1Gi"));
    let probe = spec.containers[0].liveness_probe.clone().unwrap();
    assert_eq!(probe.handler.unwrap().tcp_socket.unwrap().port.unwrap().int_val, Some(80));
    assert_eq!(probe.period_seconds, Some(3));
}

#[test]
fn lists_events_and_partial_objects_are_written() {
    let item = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v"}});
    let mut list = List::start("v1", "ConfigMap", &json!({"resourceVersion": "7", "remainingItemCount": 2})).unwrap();
    list.push(&item).unwrap();
    list.push_json(item.to_string().as_bytes()).unwrap();
    let body = list.finish();
    let value = json!({"apiVersion": "v1", "kind": "ConfigMapList",
        "metadata": {"resourceVersion": "7", "remainingItemCount": 2}, "items": [item, item]});
    assert_eq!(encode(&value).unwrap(), body);
    let unknown = runtime::Unknown::decode(&body[4..]).unwrap();
    let list = api::core::v1::ConfigMapList::decode(&unknown.raw.unwrap()[..]).unwrap();
    assert_eq!((list.items.len(), list.metadata.unwrap().remaining_item_count), (2, Some(2)));

    let frame = frame("ADDED", &item).unwrap();
    assert_eq!(u32::from_be_bytes(frame[..4].try_into().unwrap()) as usize, frame.len() - 4);
    let event = meta::WatchEvent::decode(&frame[4..]).unwrap();
    assert_eq!(event.r#type.as_deref(), Some("ADDED"));
    let raw = event.object.unwrap().raw.unwrap();
    assert_eq!(decode(Format::Protobuf, &raw, &schema::of_kind).unwrap().value, item);

    let partial = json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": {"name": "a"}});
    let body = encode(&partial).unwrap();
    let raw = runtime::Unknown::decode(&body[4..]).unwrap().raw.unwrap();
    let read = meta::PartialObjectMetadata::decode(&raw[..]).unwrap();
    assert_eq!(read.metadata.unwrap().name.as_deref(), Some("a"));
    assert_eq!(encode(&json!({"apiVersion": "g/v1", "kind": "Own"})).unwrap_err().code, 406);
}

#[test]
fn numbers_of_our_own_are_these() {
    let text = include_str!("../../../build/numbers.txt");
    let mut listed = String::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        let field = schema::builtin_type(words[0]).unwrap().field(words[1]).unwrap();
        assert_eq!(&*field.tags, [words[2].parse::<u32>().unwrap()], "{line}");
        listed += &format!("{} {} {}\n", words[0].rsplit('.').next().unwrap(), words[1], words[2]);
    }
    expect_test::expect![[r#"
        ImageVolumeStatus imageRef 1
        NodeAllocatableResourceClaimStatus resourceClaimName 1
        NodeAllocatableResourceClaimStatus containers 2
        NodeAllocatableResourceClaimStatus resources 3
        PodSchedulingGroup podGroupName 1
        PodSpec schedulingGroup 43
        PodStatus nodeAllocatableResourceClaimStatuses 21
        ResourceHealth message 6
        VolumeMountStatus volumeStatus 5
        VolumeStatus image 1
        Device nodeAllocatableResourceMappings 13
        DeviceAttribute ints 6
        DeviceAttribute bools 7
        DeviceAttribute strings 8
        DeviceAttribute versions 9
        NodeAllocatableResourceMapping capacityKey 1
        NodeAllocatableResourceMapping allocationMultiplier 2
        CSIDriverSpec preventPodSchedulingIfMissing 11
        ListMeta shardInfo 5
        ShardInfo selector 1
    "#]]
    .assert_eq(&listed);
}
