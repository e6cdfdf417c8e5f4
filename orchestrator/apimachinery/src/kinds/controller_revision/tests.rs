use crate::kinds::tests::{change_refused, created, refused, shown};
use expect_test::expect;
use serde_json::json;

#[test]
fn the_data_of_a_revision_stays() {
    let old = created("ControllerRevision", json!({"data": {"a": 1}, "revision": 1}));
    change_refused("ControllerRevision", &old, |object| object["revision"] = json!(5), expect![""]);
    change_refused(
        "ControllerRevision",
        &old,
        |object| object["data"] = json!({"a": 2}),
        expect![[r#"
        data: Invalid value: {"a":2}: field is immutable
    "#]],
    );
    refused(
        "ControllerRevision",
        json!({"revision": -1}),
        expect![[r#"
        data: Required value: data is mandatory
        revision: Invalid value: -1: must be greater than or equal to 0
    "#]],
    );
}

#[test]
fn get_shows_whose_revision_it_is() {
    let owner = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "uid": "u", "controller": true});
    let owned =
        created("ControllerRevision", json!({"metadata": {"ownerReferences": [owner]}, "data": {}, "revision": 3}));
    shown(
        "ControllerRevision",
        &[owned, created("ControllerRevision", json!({"data": {}}))],
        expect![[r#"
        x | statefulset.apps/web | 3 | 60m
        x | <none> | 0 | 60m
    "#]],
    );
}
