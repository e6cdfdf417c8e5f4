use super::*;

#[track_caller]
fn check(accept: &str, protobuf: bool, expected: Result<(Shape, Media), u16>) {
    assert_eq!(negotiate(Some(accept), protobuf).map_err(|error| error.code), expected, "{accept}");
}

#[test]
fn accept_headers_choose_the_shape() {
    let json = |shape| Ok((shape, Media::Json));
    check("application/json", true, json(Shape::Plain));
    check("", true, json(Shape::Plain));
    check("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", true, json(Shape::Table));
    check("application/json;as=Table;v=v2;g=meta.k8s.io,application/json", true, json(Shape::Plain));
    check("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList", true, json(Shape::Discovery));
    check(
        "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
        true,
        json(Shape::DiscoveryBeta),
    );
    check("text/html, */*;q=0.1", true, json(Shape::Plain));
    check("application/com.github.proto-openapi.spec.v2@v1.0+protobuf", true, Err(406));
}

#[test]
fn what_is_asked_for_first_is_sent() {
    let both = "application/vnd.kubernetes.protobuf,application/json";
    check(both, true, Ok((Shape::Plain, Media::Protobuf)));
    check(both, false, Ok((Shape::Plain, Media::Json)));
    check("application/vnd.kubernetes.protobuf", false, Err(406));
    check("application/json,application/vnd.kubernetes.protobuf", true, Ok((Shape::Plain, Media::Json)));
    check("application/json;q=0.5,application/vnd.kubernetes.protobuf", true, Ok((Shape::Plain, Media::Protobuf)));
    check("application/json;q=0", true, Err(406));
    check("application/yaml, application/json", false, Ok((Shape::Plain, Media::Yaml)));
    let partial = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    check(partial, false, Ok((Shape::Partial, Media::Protobuf)));
    let table = "application/vnd.kubernetes.protobuf;as=Table;g=meta.k8s.io;v=v1";
    check(&format!("{table},application/json"), true, Ok((Shape::Plain, Media::Json)));
    check(table, true, Err(406));
}
