//! Owners of fields in several versions of one kind.

use super::*;
use crate::{ApiError, Catalog};
use proptest::prelude::{any, prop_assert_eq, proptest};

/// A kind that clients write in several versions; objects pass between them as they do in the store.
struct Versioned {
    catalog: Catalog,
    kind: &'static str,
}

fn scalers() -> Versioned {
    Versioned { catalog: Catalog::builtin(), kind: "HorizontalPodAutoscaler" }
}

const V1: &str = "autoscaling/v1";
const V2: &str = "autoscaling/v2";

impl Versioned {
    fn of(&self, api_version: &str) -> Arc<crate::Kind> {
        let (group, version) = crate::meta::split_api_version(api_version);
        self.catalog.kind(group, version, self.kind).unwrap().clone()
    }

    fn shown(&self, api_version: &str, object: &Value) -> Value {
        let kind = self.of(object["apiVersion"].as_str().unwrap());
        in_version(&self.catalog, &kind, api_version, object).unwrap().1
    }

    fn apply(
        &self,
        api_version: &str,
        manager: &str,
        live: Option<&Value>,
        mut body: Value,
        force: bool,
    ) -> Result<Value, ApiError> {
        let kind = self.of(api_version);
        body["apiVersion"] = json!(api_version);
        body["kind"] = json!(self.kind);
        body["metadata"]["name"] = json!("a");
        let config = Config::new(kind.schema(), Realm::WithoutStatus, api_version, self.kind, body)?;
        let writer = Writer { manager, api_version, subresource: "", now: NOW };
        let versions = |to: &str, object: &Value| in_version(&self.catalog, &kind, to, object);
        match live {
            None => Ok(config.created(&writer)),
            Some(live) => config.apply(self.shown(api_version, live), &writer, &versions, force),
        }
    }

    fn update(&self, api_version: &str, manager: &str, live: &Value, change: impl FnOnce(&mut Value)) -> Value {
        let kind = self.of(api_version);
        let old = self.shown(api_version, live);
        let mut new = old.clone();
        change(&mut new);
        let claimed = take(&mut new);
        let writer = Writer { manager, api_version, subresource: "", now: NOW };
        let versions = |to: &str, object: &Value| in_version(&self.catalog, &kind, to, object);
        let realm = Realm::WithoutStatus;
        track(&kind.schema(), realm, &writer, &versions, Some(&old), &mut new, claimed);
        new
    }
}

fn v1(share: i64, max: i64) -> Value {
    json!({"spec": {"maxReplicas": max, "targetCPUUtilizationPercentage": share, "scaleTargetRef": {"name": "web"}}})
}

fn v2(share: i64, max: i64) -> Value {
    let target = json!({"type": "Utilization", "averageUtilization": share});
    let metrics = json!([{"type": "Resource", "resource": {"name": "cpu", "target": target}}]);
    json!({"spec": {"maxReplicas": max, "metrics": metrics, "scaleTargetRef": {"name": "web"}}})
}

#[test]
fn conflicts_are_found_and_told_in_the_owners_version() {
    #[track_caller]
    fn check(error: &ApiError, expected: &[(&str, &str)]) {
        let found: Vec<_> = error.causes.iter().map(|cause| (&*cause.message, &*cause.field)).collect();
        assert_eq!((error.code, found), (409, expected.to_vec()), "{error}");
    }
    let scalers = scalers();
    let live = scalers.apply(V1, "one", None, v1(50, 3), false).unwrap();
    // Another manager says the same in the other version: nothing is disputed.
    let shared = scalers.apply(V2, "two", Some(&live), v2(50, 3), false).unwrap();
    assert_eq!(owned(&shared, "one", "Apply"), owned(&live, "one", "Apply"));
    // But not when it wants another share of the CPU, which the first one named by its name in v1.
    let error = scalers.apply(V2, "two", Some(&live), v2(60, 3), false).unwrap_err();
    check(&error, &[("conflict with \"one\"", ".spec.targetCPUUtilizationPercentage")]);
    let error = scalers.apply(V1, "one", Some(&shared), v1(60, 3), false).unwrap_err();
    check(&error, &[("conflict with \"two\"", ".spec.metrics")]);
    let updated = scalers.update(V2, "editor", &live, |object| object["spec"] = v2(70, 3)["spec"].clone());
    assert_eq!(owned(&updated, "one", "Apply")["f:spec"].get("f:targetCPUUtilizationPercentage"), None);
    let error = scalers.apply(V1, "one", Some(&updated), v1(50, 3), false).unwrap_err();
    check(&error, &[("conflict with \"editor\" using autoscaling/v2", ".spec.metrics")]);
    let forced = scalers.apply(V1, "one", Some(&updated), v1(50, 3), true).unwrap();
    assert_eq!(owned(&forced, "editor", "Update"), Value::Null);
    assert_eq!(scalers.shown(V2, &forced)["spec"], v2(50, 3)["spec"]);
}

#[test]
fn one_manager_may_change_its_version() {
    let scalers = scalers();
    let live = scalers.apply(V1, "me", None, v1(50, 3), false).unwrap();
    let changed = scalers.apply(V2, "me", Some(&live), v2(60, 4), false).unwrap();
    assert_eq!(changed["spec"], v2(60, 4)["spec"]);
    let entries = changed["metadata"]["managedFields"].as_array().unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["apiVersion"], V2);
    // What it named in v1 and names no more in v2 goes.
    let mut less = v2(60, 4);
    less["spec"].as_object_mut().unwrap().remove("metrics");
    let gone = scalers.apply(V2, "me", Some(&live), less.clone(), false).unwrap();
    assert_eq!(gone["spec"], less["spec"]);
    let back = scalers.apply(V1, "me", Some(&changed), v1(60, 4), false).unwrap();
    assert_eq!(scalers.shown(V2, &back)["spec"], v2(60, 4)["spec"]);
}

#[test]
fn what_another_owns_in_its_version_stays_when_an_applier_drops_it() {
    let scalers = scalers();
    let live = scalers.apply(V1, "me", None, v1(50, 3), false).unwrap();
    let shared = scalers.apply(V2, "other", Some(&live), v2(50, 3), false).unwrap();
    let mut less = v1(50, 3);
    less["spec"].as_object_mut().unwrap().remove("targetCPUUtilizationPercentage");
    let kept = scalers.apply(V1, "me", Some(&shared), less.clone(), false).unwrap();
    assert_eq!(kept["spec"]["targetCPUUtilizationPercentage"], 50);
    let alone = scalers.apply(V1, "me", Some(&live), less, false).unwrap();
    assert_eq!(alone["spec"].get("targetCPUUtilizationPercentage"), None);
}

#[test]
fn events_have_owners_in_both_groups() {
    let events = Versioned { catalog: Catalog::builtin(), kind: "Event" };
    let made = events.apply("v1", "one", None, json!({"message": "hello", "reason": "R"}), false).unwrap();
    let error = events.apply("events.k8s.io/v1", "two", Some(&made), json!({"note": "bye"}), false).unwrap_err();
    assert_eq!(error.causes[0].field, ".message");
    let forced = events.apply("events.k8s.io/v1", "two", Some(&made), json!({"note": "bye"}), true).unwrap();
    assert_eq!(owned(&forced, "one", "Apply"), json!({"f:reason": {}}));
    assert_eq!(events.shown("v1", &forced)["message"], "bye");
}

#[test]
fn what_is_of_a_version_that_is_gone_is_nobodys() {
    let scalers = scalers();
    let mut live = scalers.apply(V1, "one", None, v1(50, 3), false).unwrap();
    live["metadata"]["managedFields"][0]["apiVersion"] = json!("autoscaling/v2beta1");
    let applied = scalers.apply(V2, "two", Some(&live), v2(60, 3), false).unwrap();
    assert_eq!(owned(&applied, "one", "Apply"), Value::Null);
    let updated = scalers.update(V2, "two", &live, |object| object["spec"]["maxReplicas"] = json!(9));
    assert_eq!(owned(&updated, "one", "Apply"), Value::Null);
}

proptest! {
    #[test]
    fn to_apply_again_in_the_other_version_changes_no_field(
        share in 1_i64..100, max in 1_i64..9, other in 1_i64..100, starts_in_v1 in any::<bool>(),
    ) {
        let scalers = scalers();
        let (first, then) = if starts_in_v1 { (V1, V2) } else { (V2, V1) };
        let of = |version: &str, share| if version == V1 { v1(share, max) } else { v2(share, max) };
        let live = scalers.apply(first, "me", None, of(first, share), false).unwrap();
        let again = scalers.apply(then, "me", Some(&live), of(then, share), false).unwrap();
        prop_assert_eq!(&scalers.shown(V2, &again)["spec"], &scalers.shown(V2, &live)["spec"]);
        // Another manager is in conflict in either version, if and only if it wants something else.
        for version in [V1, V2] {
            let asked = scalers.apply(version, "you", Some(&again), of(version, other), false);
            prop_assert_eq!(asked.is_ok(), share == other);
        }
    }
}
