use crate::field::Errors;
use crate::kinds::tests::{change_refused, created, kind, refused, shown, stored};
use expect_test::{Expect, expect};
use serde_json::{Value, json};

fn claim() -> Value {
    created(
        "ResourceClaim",
        json!({"spec": {"devices": {"requests": [{"name": "a", "exactly": {"deviceClassName": "c"}}]}}}),
    )
}

#[track_caller]
fn status(old: &Value, status: Value, expected: Expect) -> Value {
    let kind = kind("ResourceClaim");
    let mut new = old.clone();
    new["status"] = status;
    (kind.strategy.prepare_status_update)(&mut new, old);
    (kind.strategy.default)(&mut new);
    let mut errors = Errors::default();
    (kind.strategy.validate)(&new, &mut errors);
    (kind.strategy.validate_update)(&new, old, &mut errors);
    expected.assert_eq(&errors.0.iter().map(|error| format!("{error}\n")).collect::<String>());
    new
}

#[test]
fn requests_are_filled_in_and_fixed() {
    let claim = claim();
    stored(
        &claim,
        "/spec",
        expect![[r#"
        {
          "devices": {
            "requests": [
              {
                "exactly": {
                  "allocationMode": "ExactCount",
                  "count": 1,
                  "deviceClassName": "c"
                },
                "name": "a"
              }
            ]
          }
        }"#]],
    );
    change_refused(
        "ResourceClaim",
        &claim,
        |claim| claim["spec"]["devices"]["requests"][0]["exactly"]["count"] = json!(2),
        expect![[r#"
            spec: Invalid value: {"devices":{"requests":[{"exactly":{"allocationMode":"ExactCount","count":2,"deviceClassName":"c"},"name":"a"}]}}: field is immutable
        "#]],
    );
}

#[test]
fn requests_are_checked() {
    let exactly = json!({"deviceClassName": "c"});
    refused(
        "ResourceClaim",
        json!({"spec": {"devices": {
            "requests": [
                {"name": "A"}, {"name": "b", "exactly": exactly, "firstAvailable": [{"name": "x", "deviceClassName": "c"}]},
                {"name": "c", "exactly": {"allocationMode": "All", "count": 1, "deviceClassName": ""}},
                {"name": "d", "firstAvailable": [{"name": "x", "deviceClassName": "c"}, {"name": "x", "deviceClassName": "c"}]},
                {"name": "d", "exactly": {"deviceClassName": "c", "allocationMode": "Odd", "tolerations": [
                    {"operator": "Exists", "value": "x", "effect": "PreferNoSchedule"}, {"key": "-", "operator": "Odd"},
                ]}},
            ],
            "constraints": [
                {"requests": ["d/x", "d/y", "z", "a/b/c", "d/x"]}, {"matchAttribute": "model"},
                {"matchAttribute": "a.b/c", "distinctAttribute": "a.b/c"}, {"distinctAttribute": "a/b/c"},
            ],
            "config": [{"requests": ["q"], "opaque": {"driver": "", "parameters": {}}}],
        }}}),
        expect![[r#"
            spec.devices.requests[0].name: Invalid value: "A": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
            spec.devices.requests[0]: Required value: exactly one of `exactly` or `firstAvailable` is required
            spec.devices.requests[1]: Invalid value: null: exactly one of `exactly` or `firstAvailable` is required, but multiple fields are set
            spec.devices.requests[2].exactly.deviceClassName: Required value
            spec.devices.requests[2].exactly.count: Invalid value: 1: must not be specified when allocationMode is 'All'
            spec.devices.requests[3].firstAvailable[1]: Duplicate value: "x"
            spec.devices.requests[4].exactly.allocationMode: Unsupported value: "Odd": supported values: "All", "ExactCount"
            spec.devices.requests[4].exactly.tolerations[0].value: Invalid value: "x": must be empty for operator `Exists`
            spec.devices.requests[4].exactly.tolerations[0].effect: Unsupported value: "PreferNoSchedule": supported values: "NoExecute", "NoSchedule", "None"
            spec.devices.requests[4].exactly.tolerations[1].key: Invalid value: "-": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
            spec.devices.requests[4].exactly.tolerations[1].operator: Unsupported value: "Odd": supported values: "Equal", "Exists"
            spec.devices.requests[4]: Duplicate value: "d"
            spec.devices.constraints[0].requests[0]: Invalid value: "d/x": must be the name of a request in the claim or the name of a request and a subrequest separated by '/'
            spec.devices.constraints[0].requests[1]: Invalid value: "d/y": must be the name of a request in the claim or the name of a request and a subrequest separated by '/'
            spec.devices.constraints[0].requests[2]: Invalid value: "z": must be the name of a request in the claim or the name of a request and a subrequest separated by '/'
            spec.devices.constraints[0].requests[3]: Invalid value: "a/b/c": must be the name of a request in the claim or the name of a request and a subrequest separated by '/'
            spec.devices.constraints[0].requests[4]: Invalid value: "d/x": must be the name of a request in the claim or the name of a request and a subrequest separated by '/'
            spec.devices.constraints[0].requests[4]: Duplicate value: "d/x"
            spec.devices.constraints[0]: Required value: exactly one of "matchAttribute" or "distinctAttribute" is required
            spec.devices.constraints[1].matchAttribute: Invalid value: "model": a fully qualified name must be a domain and a name separated by a slash
            spec.devices.constraints[2]: Invalid value: null: exactly one of `matchAttribute` or `distinctAttribute` is required, but multiple fields are set
            spec.devices.constraints[3].distinctAttribute: Invalid value: "a/b/c": must not contain more than one slash
            spec.devices.config[0].requests[0]: Invalid value: "q": must be the name of a request in the claim or the name of a request and a subrequest separated by '/'
            spec.devices.config[0].opaque.driver: Required value
        "#]],
    );
}

#[test]
fn an_allocation_comes_as_a_whole_and_before_its_users() {
    let claim = claim();
    let result = json!({"request": "a", "driver": "d", "pool": "p", "device": "g0"});
    let user = json!({"resource": "pods", "name": "p", "uid": "u"});
    let allocation = json!({"devices": {"results": [result]}});
    status(
        &claim,
        json!({"reservedFor": [user, {}]}),
        expect![[r#"
        status.reservedFor[1].resource: Required value
        status.reservedFor[1].name: Required value
        status.reservedFor[1].uid: Required value
        status.reservedFor: Forbidden: may not be specified when `allocated` is not set
    "#]],
    );
    let allocated = status(&claim, json!({"allocation": allocation, "reservedFor": [user]}), expect![[""]]);
    status(
        &allocated,
        json!({"allocation": {"devices": {}}}),
        expect![[r#"
        status.allocation: Invalid value: {"devices":{}}: field is immutable
    "#]],
    );
    status(
        &claim,
        json!({"allocation": {"devices": {
            "results": [{"request": "z", "driver": "", "pool": "P", "device": "", "shareID": "x", "bindingConditions": ["a"]}],
            "config": [{"source": "Odd", "opaque": {"driver": "d", "parameters": {}}}],
        }}}),
        expect![[r#"
            status.allocation.devices.results[0].request: Invalid value: "z": must be the name of a request in the claim or the name of a request and a subrequest separated by '/'
            status.allocation.devices.results[0].driver: Required value
            status.allocation.devices.results[0].pool: Invalid value: "P": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
            status.allocation.devices.results[0].device: Invalid value: "": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
            status.allocation.devices.results[0].shareID: Invalid value: "x": uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with lowercase hexadecimal characters
            status.allocation.devices.results[0].bindingFailureConditions: Invalid value: []: bindingFailureConditions are required to use bindingConditions
            status.allocation.devices.config[0].source: Unsupported value: "Odd": supported values: "FromClaim", "FromClass"
        "#]],
    );
    status(
        &allocated,
        json!({"allocation": allocated["status"]["allocation"], "devices": [
            {"driver": "d", "pool": "p", "device": "g0", "networkData": {"ips": ["10.0.0.1/8", "x"]}},
            {"driver": "d", "pool": "p", "device": "g1", "data": 1},
            {"driver": "d", "pool": "p", "device": "g0"},
        ]}),
        expect![[r#"
            status.devices[0].networkData.ips[1]: Invalid value: "x": must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)
            status.devices[1]: Invalid value: "d/p/g1": must be an allocated device in the claim
            status.devices[1].data: Invalid value: "<value omitted>": must be a valid JSON object
            status.devices[2]: Duplicate value: "d/p/g0"
        "#]],
    );
    let mut deleted = allocated.clone();
    deleted["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    let other = json!({"resource": "pods", "name": "q", "uid": "v"});
    let deleted = status(
        &deleted,
        json!({"allocation": allocated["status"]["allocation"], "reservedFor": [user, other]}),
        expect![[r#"
            status.reservedFor: Forbidden: new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set
        "#]],
    );
    shown(
        "ResourceClaim",
        &[claim, allocated, deleted],
        expect![[r#"
        x | pending | 60m
        x | allocated,reserved | 60m
        x | deleted,allocated,reserved | 60m
    "#]],
    );
}
