use crate::kinds::tests::{change_refused, created, kind, refused, shown, updated, with};
use expect_test::expect;
use serde_json::{Value, json};

fn slice(changes: Value) -> Value {
    let spec = with(
        json!({"driver": "d", "nodeName": "n", "pool": {"name": "p", "generation": 1, "resourceSliceCount": 1}}),
        changes,
    );
    json!({"spec": spec})
}

#[test]
fn a_slice_stays_where_it_is() {
    let slice =
        created("ResourceSlice", slice(json!({"devices": [{"name": "a", "capacity": {"m": {"value": "1024Mi"}}}]})));
    assert_eq!(slice["spec"]["devices"][0]["capacity"]["m"]["value"], "1Gi");
    change_refused(
        "ResourceSlice",
        &slice,
        |slice| {
            slice["spec"]["driver"] = json!("e");
            slice["spec"]["pool"]["name"] = json!("q");
            slice["spec"]["nodeName"] = json!("m");
        },
        expect![[r#"
            spec.pool.name: Invalid value: "q": field is immutable
            spec.driver: Invalid value: "e": field is immutable
            spec.nodeName: Invalid value: "m": field is immutable
        "#]],
    );
    let changed = updated("ResourceSlice", &slice, |slice| slice["spec"]["devices"] = json!([]));
    assert_eq!(changed["metadata"]["generation"], 2);
    assert_eq!(kind("ResourceSlice").field_text(&slice, "spec.nodeName"), "n");
    shown(
        "ResourceSlice",
        &[slice],
        expect![[r#"
        x | n | d | p | 60m
    "#]],
    );
}

#[test]
fn slices_say_in_one_way_where_they_are() {
    refused(
        "ResourceSlice",
        slice(json!({"nodeName": null, "pool": {"name": "P", "generation": -1}})),
        expect![[r#"
        spec.pool.name: Invalid value: "P": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
        spec.pool.resourceSliceCount: Invalid value: 0: must be greater than zero
        spec.pool.generation: Invalid value: -1: must be greater than or equal to zero
        spec: Required value: exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required
    "#]],
    );
    refused(
        "ResourceSlice",
        slice(json!({"allNodes": true, "perDeviceNodeSelection": false, "nodeSelector": {"nodeSelectorTerms": []},
            "devices": [], "sharedCounters": [{"name": "", "counters": {}}]})),
        expect![[r#"
            spec.nodeSelector.nodeSelectorTerms: Required value: must have at least one node selector term
            spec.nodeSelector.nodeSelectorTerms: Invalid value: []: must have exactly one node selector term
            spec.perDeviceNodeSelection: Invalid value: false: must be either unset or set to true
            spec: Invalid value: "{`nodeName`, `nodeSelector`, `allNodes`}": exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required, but multiple fields are set
            spec: Invalid value: "": only one of `sharedCounters` or `devices` is allowed
            spec.sharedCounters[0].name: Required value
            spec.sharedCounters[0].counters: Required value
        "#]],
    );
    let each = json!({"nodeName": null, "perDeviceNodeSelection": true, "devices": [
        {"name": "a"}, {"name": "b", "nodeName": "n", "allNodes": true}, {"name": "c", "nodeName": "", "allNodes": false},
    ]});
    refused(
        "ResourceSlice",
        slice(each),
        expect![[r#"
        spec.devices[0]: Required value: exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in the ResourceSlice spec
        spec.devices[1]: Invalid value: "{`nodeName`, `allNodes`}": exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in the ResourceSlice spec
        spec.devices[2].nodeName: Invalid value: "": must not be empty
        spec.devices[2].allNodes: Invalid value: false: must be either unset or set to true
        spec.devices[2]: Required value: exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in the ResourceSlice spec
    "#]],
    );
    refused(
        "ResourceSlice",
        slice(json!({"devices": [{"name": "a", "nodeName": "n"}]})),
        expect![[r#"
        spec.devices[0]: Invalid value: null: `nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec
    "#]],
    );
}

#[test]
fn devices_are_checked() {
    refused(
        "ResourceSlice",
        slice(json!({"devices": [
            {
                "name": "A",
                "attributes": {
                    "1a": {"int": 1}, "b": {}, "c": {"int": 1, "bool": true}, "d": {"version": "1.02.3"},
                    "e": {"strings": []}, "f": {"string": "x".repeat(65)}, "x/y/z": {"int": 1}, "/g": {"int": 1},
                },
                "taints": [{"key": "", "effect": "Odd"}],
                "consumesCounters": [{"counterSet": "", "counters": {}}, {"counterSet": "s", "counters": {"C": {"value": "1"}}}],
                "bindingConditions": ["a", "a"], "bindingFailureConditions": ["a"],
                "nodeAllocatableResourceMappings": {"odd": {"capacityKey": "m"}, "cpu": {"capacityKey": ""}},
            },
            {"name": "b", "capacity": {"m": {"value": "1", "requestPolicy": {}}}, "bindingConditions": ["a"]},
            {"name": "b"},
        ]})),
        expect![[r#"
            spec.devices[0].name: Invalid value: "A": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
            spec.devices[0].attributes: Invalid value: "": the domain must not be empty
            spec.devices[0].attributes: Invalid value: "1a": a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for validation is '[A-Za-z_][A-Za-z0-9_]*')
            spec.devices[0].attributes[b]: Invalid value: "": exactly one value must be specified
            spec.devices[0].attributes[c]: Invalid value: {"bool":true,"int":1}: exactly one value must be specified
            spec.devices[0].attributes[d].version: Invalid value: "1.02.3": must be a string compatible with semver.org spec 2.0.0
            spec.devices[0].attributes[e].strings: Invalid value: []: must not be empty if specified
            spec.devices[0].attributes[f].string: Too long: may not be more than 64 bytes
            spec.devices[0].attributes: Invalid value: "x/y/z": must not contain more than one slash
            spec.devices[0].taints[0].key: Invalid value: "": name part must be non-empty
            spec.devices[0].taints[0].key: Invalid value: "": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
            spec.devices[0].taints[0].effect: Unsupported value: "Odd": supported values: "NoExecute", "NoSchedule", "None"
            spec.devices[0].consumesCounters[0].counterSet: Required value
            spec.devices[0].consumesCounters[0].counters: Required value
            spec.devices[0].consumesCounters[1].counters: Invalid value: "C": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
            spec.devices[0].bindingConditions[1]: Duplicate value: "a"
            spec.devices[0].bindingFailureConditions[0]: Invalid value: "a": bindingFailureConditions must not overlap with bindingConditions
            spec.devices[0].nodeAllocatableResourceMappings[cpu].capacityKey: Invalid value: "": capacityKey must not be an empty string
            spec.devices[0].nodeAllocatableResourceMappings[odd]: Invalid value: "odd": must be a node allocatable resource name
            spec.devices[0].nodeAllocatableResourceMappings[odd].capacityKey: Not found: "m"
            spec.devices[1].capacity[m].requestPolicy: Forbidden: allowMultipleAllocations must be true
            spec.devices[1].bindingFailureConditions: Invalid value: []: bindingFailureConditions are required to use bindingConditions
            spec.devices[2]: Duplicate value: "b"
        "#]],
    );
    let many: Vec<Value> =
        (0..65).map(|index| json!({"name": format!("d{index}"), "taints": [{"key": "k", "effect": "None"}]})).collect();
    refused(
        "ResourceSlice",
        slice(json!({"devices": many})),
        expect![[r#"
        spec.devices: Too many: 65: must have at most 64 items
    "#]],
    );
}

#[test]
fn shared_capacity_is_asked_for_in_steps() {
    let device = |name: &str, policy: Value| json!({"name": name, "allowMultipleAllocations": true, "capacity": {"m": {"value": "8", "requestPolicy": policy}}});
    refused(
        "ResourceSlice",
        slice(json!({"devices": [
            device("a", json!({"validValues": ["1"], "validRange": {"min": "1"}})),
            device("b", json!({"validValues": ["1"]})),
            device("c", json!({"default": "3", "validValues": ["2", "1", "1", "9"]})),
            device("d", json!({"default": "1", "validRange": {}})),
            device("e", json!({"default": "1", "validRange": {"min": "2", "max": "9", "step": "3"}})),
            device("f", json!({"default": "9", "validRange": {"min": "9", "max": "7", "step": "0"}})),
            device("g", json!({"default": "2", "validRange": {"min": "2", "max": "8", "step": "7"}})),
            device("h", json!({"default": "2", "validRange": {"min": "2", "max": "8", "step": "2"}})),
        ]})),
        expect![[r#"
            spec.devices[0].capacity[m].requestPolicy: Forbidden: exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time
            spec.devices[1].capacity[m].requestPolicy.default: Required value: required when validValues is defined
            spec.devices[2].capacity[m].requestPolicy.validValues[1]: Invalid value: "1": values must be sorted in ascending order
            spec.devices[2].capacity[m].requestPolicy.validValues[2]: Duplicate value: "1"
            spec.devices[2].capacity[m].requestPolicy.validValues[3]: Invalid value: "9": option is larger than capacity value: 8
            spec.devices[2].capacity[m].requestPolicy.validValues: Invalid value: "3": default value is not valid according to the requestPolicy
            spec.devices[3].capacity[m].requestPolicy.validRange.min: Required value: required when validRange is defined
            spec.devices[4].capacity[m].requestPolicy.validRange.default: Invalid value: "1": default is less than min: 2
            spec.devices[4].capacity[m].requestPolicy.validRange.max: Invalid value: "9": max is larger than capacity value: 8
            spec.devices[4].capacity[m].requestPolicy.validRange.step: Invalid value: "1": value is not a multiple of a given step (3) from (2)
            spec.devices[4].capacity[m].requestPolicy.validRange.step: Invalid value: "9": value is not a multiple of a given step (3) from (2)
            spec.devices[5].capacity[m].requestPolicy.validRange.min: Invalid value: "9": min is larger than capacity value: 8
            spec.devices[5].capacity[m].requestPolicy.validRange.max: Invalid value: "9": min is larger than max: 7
            spec.devices[5].capacity[m].requestPolicy.validRange.default: Invalid value: "9": default is more than max: 7
            spec.devices[5].capacity[m].requestPolicy.validRange.step: Invalid value: "0": must be greater than zero
            spec.devices[6].capacity[m].requestPolicy.validRange.step: Invalid value: "7": one step 9 is larger than capacity value: 8
            spec.devices[6].capacity[m].requestPolicy.validRange.step: Invalid value: "8": value is not a multiple of a given step (7) from (2)
        "#]],
    );
}
