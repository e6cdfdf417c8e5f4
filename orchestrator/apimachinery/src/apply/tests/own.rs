//! Who owns what after which writes.

use super::*;

fn deployment() -> Value {
    json!({
        "metadata": {"labels": {"app": "web"}},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "web"}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{
                    "name": "c", "image": "i", "resources": {}, "ports": [{"containerPort": 80, "protocol": "TCP"}],
                    "env": [{"name": "X", "value": "1"}], "args": ["a", "b"],
                }]},
            },
        },
        "status": {"replicas": 7},
    })
}

#[test]
fn a_creation_owns_what_upstream_says_it_owns() {
    let made = deployments().create("kubectl-create", deployment());
    assert_eq!(
        made["metadata"]["managedFields"],
        json!([{
            "manager": "kubectl-create", "operation": "Update", "apiVersion": "apps/v1", "time": NOW,
            "fieldsType": "FieldsV1",
            "fieldsV1": {
                "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
                "f:spec": {
                    "f:replicas": {},
                    "f:selector": {},
                    "f:strategy": {"f:type": {}, "f:rollingUpdate": {".": {}, "f:maxSurge": {}}},
                    "f:template": {
                        "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
                        "f:spec": {"f:containers": {r#"k:{"name":"c"}"#: {
                            ".": {}, "f:name": {}, "f:image": {}, "f:resources": {}, "f:args": {},
                            "f:ports": {".": {}, r#"k:{"containerPort":80,"protocol":"TCP"}"#: {
                                ".": {}, "f:containerPort": {}, "f:protocol": {},
                            }},
                            "f:env": {".": {}, r#"k:{"name":"X"}"#: {".": {}, "f:name": {}, "f:value": {}}},
                        }}},
                    },
                },
            },
        }])
    );
}

#[test]
fn an_applied_configuration_owns_what_it_names() {
    let made = deployments().apply("helm", None, deployment()).unwrap();
    assert_eq!(
        owned(&made, "helm", "Apply"),
        json!({
            "f:metadata": {"f:labels": {"f:app": {}}},
            "f:spec": {
                "f:replicas": {}, "f:selector": {},
                "f:strategy": {"f:type": {}, "f:rollingUpdate": {"f:maxSurge": {}}},
                "f:template": {
                    "f:metadata": {"f:labels": {"f:app": {}}},
                    "f:spec": {"f:containers": {r#"k:{"name":"c"}"#: {
                        ".": {}, "f:name": {}, "f:image": {}, "f:resources": {}, "f:args": {},
                        "f:ports": {r#"k:{"containerPort":80,"protocol":"TCP"}"#: {
                            ".": {}, "f:containerPort": {}, "f:protocol": {},
                        }},
                        "f:env": {r#"k:{"name":"X"}"#: {".": {}, "f:name": {}, "f:value": {}}},
                    }}},
                },
            },
        })
    );
}

#[test]
fn an_update_takes_what_it_changes_and_drops_what_it_removes() {
    let desk = maps();
    let one = desk.create("a", json!({"data": {"x": "1", "y": "1", "z": "1"}}));
    let two = desk.update("b", &one, |map| {
        map["data"]["x"] = json!("2");
        map["data"].as_object_mut().unwrap().remove("y");
    });
    assert_eq!(owned(&two, "a", "Update"), json!({"f:data": {".": {}, "f:z": {}}}));
    assert_eq!(owned(&two, "b", "Update"), json!({"f:data": {"f:x": {}}}));
    // Nothing changed: nothing moves, not even the time.
    let again = Desk { now: LATER, ..desk };
    assert_eq!(again.update("c", &two, |_| {}), two);
    // A manager without fields is forgotten.
    let three = again.update("a", &two, |map| map["data"] = json!({"x": "2", "z": "3"}));
    assert_eq!(owned(&three, "a", "Update"), json!({"f:data": {".": {}, "f:z": {}}}));
    let four = again.update("a", &three, |map| {
        map.as_object_mut().unwrap().remove("data");
    });
    assert_eq!(four["metadata"].get("managedFields"), None);
}

#[test]
fn conflicts_are_told_in_upstreams_words() {
    #[track_caller]
    fn check(live: &Value, config: Value, message: &str, causes: &[(&str, &str)]) {
        let error = deployments().apply("me", Some(live), config).unwrap_err();
        assert_eq!((error.code, &*error.reason, error.message.as_str()), (409, "Conflict", message));
        let found: Vec<_> = error.causes.iter().map(|one| (one.message.as_str(), one.field.as_str())).collect();
        assert_eq!(found, causes);
        assert!(error.causes.iter().all(|one| one.reason == "FieldManagerConflict"));
    }
    let desk = deployments();
    let live = desk.apply("other", None, json!({"spec": {"replicas": 1, "paused": true}})).unwrap();
    check(
        &live,
        json!({"spec": {"replicas": 2}}),
        "Apply failed with 1 conflict: conflict with \"other\": .spec.replicas",
        &[("conflict with \"other\"", ".spec.replicas")],
    );
    let live = desk.create("kubectl-create", deployment());
    check(
        &live,
        json!({"spec": {"replicas": 2}}),
        "Apply failed with 1 conflict: conflict with \"kubectl-create\" using apps/v1: .spec.replicas",
        &[("conflict with \"kubectl-create\" using apps/v1", ".spec.replicas")],
    );
    let image = json!({"spec": {"replicas": 3, "template": {"spec": {"containers": [{"name": "c", "image": "j"}]}}}});
    check(
        &live,
        image,
        "Apply failed with 2 conflicts: conflicts with \"kubectl-create\" using apps/v1:\n- .spec.replicas\n- \
         .spec.template.spec.containers[name=\"c\"].image",
        &[
            ("conflict with \"kubectl-create\" using apps/v1", ".spec.replicas"),
            ("conflict with \"kubectl-create\" using apps/v1", ".spec.template.spec.containers[name=\"c\"].image"),
        ],
    );
}

#[test]
fn the_same_value_is_shared_and_force_takes_another() {
    let desk = deployments();
    let live = desk.apply("one", None, json!({"spec": {"replicas": 1, "paused": true}})).unwrap();
    let shared = desk.apply("two", Some(&live), json!({"spec": {"replicas": 1}})).unwrap();
    assert_eq!(owned(&shared, "one", "Apply"), json!({"f:spec": {"f:replicas": {}, "f:paused": {}}}));
    assert_eq!(owned(&shared, "two", "Apply"), json!({"f:spec": {"f:replicas": {}}}));
    // What one drops and the other names stays.
    let dropped = desk.apply("one", Some(&shared), json!({"spec": {"paused": true}})).unwrap();
    assert_eq!(dropped["spec"], json!({"replicas": 1, "paused": true}));
    let forced = desk.apply_with("two", Some(&shared), json!({"spec": {"replicas": 5}}), true).unwrap();
    assert_eq!(forced["spec"]["replicas"], 5);
    assert_eq!(owned(&forced, "one", "Apply"), json!({"f:spec": {"f:paused": {}}}));
    // What nobody names any more goes.
    let gone = desk.apply("two", Some(&dropped), json!({})).unwrap();
    assert_eq!(gone["spec"], json!({"paused": true}));
    assert_eq!(owned(&gone, "two", "Apply"), Value::Null);
}

#[test]
fn what_an_applier_drops_goes_unless_others_own_it() {
    #[track_caller]
    fn check(first: Value, meanwhile: fn(&mut Value), then: Value, spec: Value) {
        let desk = desk("io.k8s.api.core.v1.Pod", "v1");
        let one = desk.apply("me", None, json!({"spec": first})).unwrap();
        let two = desk.update("other", &one, meanwhile);
        let three = desk.apply("me", Some(&two), json!({"spec": then})).unwrap();
        assert_eq!(three["spec"], spec);
    }
    let both = || json!({"containers": [{"name": "a", "image": "i"}, {"name": "b", "image": "i"}]});
    let only_a = || json!({"containers": [{"name": "a", "image": "i"}]});
    check(both(), |_| {}, only_a(), only_a());
    // Defaults in the dropped item go with it, and so does what others added inside.
    check(both(), |pod| pod["spec"]["containers"][1]["imagePullPolicy"] = json!("Always"), only_a(), only_a());
    // A struct goes with its defaults, unless somebody else owns something in it.
    let probe = || json!({"containers": [{"name": "a", "livenessProbe": {"exec": {"command": ["x"]}}}]});
    let bare = || json!({"containers": [{"name": "a"}]});
    check(probe(), |_| {}, bare(), bare());
    check(
        probe(),
        |pod| pod["spec"]["containers"][0]["livenessProbe"]["periodSeconds"] = json!(3),
        bare(),
        json!({"containers": [{"name": "a", "livenessProbe": {"periodSeconds": 3}}]}),
    );
    // Entries of maps and values of atomic ones.
    check(json!({"nodeSelector": {"a": "1"}}), |_| {}, json!({}), json!({}));
    check(
        json!({"overhead": {"cpu": "1", "memory": "1"}, "hostname": "x"}),
        |pod| pod["spec"]["overhead"]["disk"] = json!("1"),
        json!({"overhead": {"memory": "1"}}),
        json!({"overhead": {"memory": "1", "disk": "1"}}),
    );
    check(
        json!({"volumes": [{"name": "v", "emptyDir": {"medium": "Memory"}}]}),
        |_| {},
        json!({"volumes": [{"name": "v", "emptyDir": {}}]}),
        json!({"volumes": [{"name": "v", "emptyDir": {}}]}),
    );
}

#[test]
fn lists_merge_by_key_in_the_order_of_the_configuration() {
    #[track_caller]
    fn check(live: &[&str], config: &[&str], merged: &[&str]) {
        let desk = desk("io.k8s.api.core.v1.Pod", "v1");
        let env = |names: &[&str]| names.iter().map(|name| json!({"name": name})).collect::<Vec<_>>();
        let pod = |names: &[&str]| json!({"spec": {"containers": [{"name": "c", "env": env(names)}]}});
        let one = desk.create("other", pod(live));
        let two = desk.apply("me", Some(&one), pod(config)).unwrap();
        assert_eq!(two["spec"]["containers"][0]["env"], Value::Array(env(merged)));
        // Sets are no different.
        let set = |names: &[&str]| json!({"metadata": {"finalizers": names}});
        let one = desk.create("other", set(live));
        let two = desk.apply("me", Some(&one), set(config)).unwrap();
        assert_eq!(two["metadata"]["finalizers"], json!(merged));
    }
    check(&["a", "b"], &["b", "a"], &["b", "a"]);
    check(&["a", "X", "b"], &["b", "a"], &["X", "b", "a"]);
    check(&["a", "X", "b", "Y"], &["b", "a"], &["X", "b", "Y", "a"]);
    check(&["X", "a"], &["n", "a"], &["X", "n", "a"]);
    check(&["a", "X"], &["a", "n"], &["a", "X", "n"]);
    check(&["a", "b", "X"], &["b", "n", "a"], &["b", "X", "n", "a"]);
    check(&["X", "Y"], &["n"], &["X", "Y", "n"]);
    check(&[], &["n"], &["n"]);
    check(&["X"], &[], &["X"]);
}

#[test]
fn a_port_without_protocol_is_that_of_tcp() {
    let desk = desk("io.k8s.api.core.v1.Service", "v1");
    let ports = |ports: Value| json!({"spec": {"ports": ports}});
    let live = desk.create("other", ports(json!([{"port": 80, "protocol": "TCP", "targetPort": 1}])));
    let new = desk.apply("me", Some(&live), ports(json!([{"port": 80, "name": "http"}]))).unwrap();
    assert_eq!(new["spec"]["ports"], json!([{"port": 80, "protocol": "TCP", "targetPort": 1, "name": "http"}]));
    let key = r#"k:{"port":80,"protocol":"TCP"}"#;
    assert_eq!(
        owned(&new, "me", "Apply"),
        json!({"f:spec": {"f:ports": {key: {".": {}, "f:port": {}, "f:name": {}}}}})
    );
    let twice = desk.apply("me", Some(&live), ports(json!([{"port": 80}, {"port": 80, "protocol": "TCP"}])));
    let error = twice.unwrap_err();
    assert!(error.message.contains(".spec.ports: duplicate entries for key [port=80,protocol=\"TCP\"]"), "{error}");
}

#[test]
fn configurations_that_do_not_fit_are_refused() {
    #[track_caller]
    fn check(config: Value, message: &str) {
        let error = deployments().config(config).unwrap_err();
        assert_eq!((error.code, error.message.as_str()), (400, message));
    }
    let who = "failed to create typed patch object (/a; apps/v1, Kind=Deployment):";
    check(json!({"spec": {"wrong": 1}}), &format!("{who} .spec.wrong: field not declared in schema"));
    check(
        json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "x": 1}, {"image": "i"}]}}}}),
        &format!(
            "{who} errors:\n  .spec.template.spec.containers[name=\"c\"].x: field not declared in schema\n  \
             .spec.template.spec.containers: element 1: associative list with keys has an element that omits all key \
             fields [\"name\"] (and doesn't have default values for any key fields)"
        ),
    );
    check(
        json!({"metadata": {"finalizers": ["x", "x"]}}),
        &format!("{who} .metadata.finalizers: duplicate entries for key [=\"x\"]"),
    );
    check(json!({"metadata": {"managedFields": []}}), "metadata.managedFields must be nil");
    let error = deployments().config(json!({"spec": {"replicas": "x"}})).unwrap_err();
    assert!(error.message.starts_with(&format!("{who} .spec.replicas: expected")), "{error}");
    let other = Config::new(deployments().schema, Realm::Whole, "v1", "Pod", json!({"apiVersion": "v1", "kind": "Po"}));
    assert_eq!(other.unwrap_err().message, "invalid object type: /v1, Kind=Po");
    assert!(deployments().config(json!({"metadata": {"managedFields": null}})).is_ok());
}

#[test]
fn untracked_objects_stay_so_until_something_is_applied() {
    let desk = maps();
    let mut live = desk.create("a", json!({"data": {"x": "1", "y": "1"}}));
    take(&mut live);
    let updated = desk.update("b", &live, |map| map["data"]["x"] = json!("2"));
    assert_eq!(updated["metadata"].get("managedFields"), None);
    let error = desk.apply("c", Some(&updated), json!({"data": {"x": "3"}})).unwrap_err();
    assert!(error.message.contains("conflict with \"before-first-apply\" using v1: .data.x"), "{error}");
    let applied = desk.apply("c", Some(&updated), json!({"data": {"z": "3"}})).unwrap();
    let before = owned(&applied, "before-first-apply", "Update");
    assert_eq!(before, json!({"f:data": {".": {}, "f:x": {}, "f:y": {}}}));
}

#[test]
fn clients_may_claim_and_reset_fields() {
    let desk = maps();
    let live = desk.create("a", json!({"data": {"x": "1"}}));
    for reset in [json!([]), json!([{}])] {
        let new = desk.update("b", &live, |map| map["metadata"]["managedFields"] = reset);
        assert_eq!(new["metadata"].get("managedFields"), None);
    }
    for wrong in [json!([{"manager": "x"}]), json!("x"), json!([1]), Value::Null, json!([{}, {}])] {
        assert_eq!(desk.update("b", &live, |map| map["metadata"]["managedFields"] = wrong), live);
    }
    let claim = desk.update("b", &live, |map| map["metadata"]["managedFields"][0]["manager"] = json!("renamed"));
    assert_eq!(owned(&claim, "renamed", "Update"), json!({"f:data": {".": {}, "f:x": {}}}));
    assert_eq!(owned(&claim, "a", "Update"), Value::Null);
}

#[test]
fn old_updates_are_merged() {
    let desk = maps();
    let times: Vec<String> = (0..15).map(|minute| format!("2026-11-23T14:{minute:02}:00Z")).collect();
    let mut map = desk.create("m00", json!({"data": {}}));
    for (index, time) in times.iter().enumerate() {
        let now: &'static str = Box::leak(time.clone().into_boxed_str());
        map = Desk { now, ..maps() }
            .update(&format!("m{index:02}"), &map, |map| map["data"][format!("k{index:02}")] = json!("v"));
    }
    let entries = map["metadata"]["managedFields"].as_array().unwrap();
    assert_eq!(entries.len(), crate::limits::UPDATE_MANAGERS_MAX);
    let ancient = owned(&map, "ancient-changes", "Update");
    let keys: Vec<&String> = ancient["f:data"].as_object().unwrap().keys().collect();
    assert_eq!(keys, [".", "f:k00", "f:k01", "f:k02", "f:k03", "f:k04", "f:k05"].iter().collect::<Vec<_>>());
    assert_eq!(entries[0]["time"], times[5]);
}

#[test]
fn kubectl_moves_from_client_side_apply() {
    let desk = maps();
    let annotation = "kubectl.kubernetes.io/last-applied-configuration";
    let config = |x: &str| json!({"data": {"x": x, "y": "1"}});
    let last = desk.typed(config("1")).to_string();
    let mut first = config("1");
    first["metadata"] = json!({"name": "a", "annotations": {annotation: last}});
    let live = desk.create("kubectl-client-side-apply", first);
    // Fields that are as the annotation says are kubectl's own.
    let new = desk.apply("kubectl", Some(&live), config("2")).unwrap();
    assert_eq!(new["data"]["x"], "2");
    let noted: Value = serde_json::from_str(new["metadata"]["annotations"][annotation].as_str().unwrap()).unwrap();
    assert_eq!(noted, desk.typed(config("2")));
    // Others may not.
    assert_eq!(desk.apply("helm", Some(&live), config("2")).unwrap_err().code, 409);
    let edited = desk.update("kubectl-edit", &live, |map| map["data"]["x"] = json!("5"));
    let error = desk.apply("kubectl", Some(&edited), config("2")).unwrap_err();
    assert_eq!(error.message, "Apply failed with 1 conflict: conflict with \"kubectl-edit\" using v1: .data.x");
}

#[test]
fn values_without_schema_merge_by_their_shape() {
    let schema = Arc::new(Schema::any());
    let apply = |live: Option<&Value>, manager: &str, spec: Value| {
        let object = json!({"apiVersion": "g/v1", "kind": "K", "metadata": {"name": "a"}, "spec": spec});
        let config = Config::new(schema.clone(), Realm::Whole, "g/v1", "K", object).unwrap();
        let writer = Writer { manager, api_version: "g/v1", subresource: "", now: NOW };
        live.map_or_else(|| Ok(config.created(&writer)), |live| config.apply(live.clone(), &writer, &nowhere, false))
    };
    let one = apply(None, "a", json!({"m": {"x": 1, "e": {}}, "l": [1, 2]})).unwrap();
    let all = json!({"f:spec": {".": {}, "f:l": {}, "f:m": {".": {}, "f:x": {}, "f:e": {}}}});
    assert_eq!(owned(&one, "a", "Apply"), all);
    let two = apply(Some(&one), "b", json!({"m": {"y": 2}})).unwrap();
    assert_eq!(two["spec"], json!({"m": {"x": 1, "y": 2, "e": {}}, "l": [1, 2]}));
    assert_eq!(apply(Some(&two), "b", json!({"l": [1]})).unwrap_err().causes[0].field, ".spec.l");
    let three = apply(Some(&two), "a", json!({"m": {"x": 1}})).unwrap();
    assert_eq!(three["spec"], json!({"m": {"x": 1, "y": 2}}));
}

#[test]
fn the_status_is_owned_by_those_who_write_it() {
    let desk = deployments();
    let live = desk.create("a", deployment());
    let writer = Writer { manager: "c", api_version: "apps/v1", subresource: "status", now: NOW };
    let mut new = live.clone();
    new["status"]["conditions"] = json!([{"type": "Available", "status": "True"}]);
    new["spec"]["replicas"] = json!(9);
    let claimed = Some(json!([]));
    track(&desk.schema, Realm::Status, &writer, &nowhere, Some(&live), &mut new, claimed);
    let entry = &new["metadata"]["managedFields"][1];
    assert_eq!(entry["subresource"], "status");
    assert_eq!(
        entry["fieldsV1"],
        json!({"f:status": {"f:conditions": {".": {}, r#"k:{"type":"Available"}"#: {".": {}, "f:type": {}, "f:status": {}}}}})
    );
}
