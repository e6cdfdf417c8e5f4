use super::*;
use crate::testing::pod;
use serde_json::json;

fn refused(code: u16, reason: &str, cause: &str) -> kube::Error {
    let causes = json!([{"reason": cause, "message": "m", "field": "f"}]);
    let status = json!({"status": "Failure", "message": "no room", "reason": reason, "code": code, "details": {"causes": causes}});
    kube::Error::Api(Box::new(serde_json::from_value(status).unwrap()))
}

#[test]
fn owners_hear_of_refusals_but_not_of_races() {
    assert_eq!(refusal(&refused(403, "Forbidden", "Else")).as_deref(), Some("no room"));
    assert_eq!(refusal(&refused(422, "Invalid", "FieldValueInvalid")).as_deref(), Some("no room"));
    assert_eq!(refusal(&refused(409, "AlreadyExists", "")), None);
    assert_eq!(refusal(&refused(403, "Forbidden", "NamespaceTerminating")), None);
}

#[test]
fn a_conflict_is_told_from_a_failure() {
    let error = |code: u16| ControllerError::Read { what: "x".into(), source: Box::new(refused(code, "R", "")) };
    assert!(error(409).is_conflict());
    assert!(!error(403).is_conflict());
}

#[test]
fn an_object_is_written_once_at_a_time() {
    let (one, two) = (pod("one", "Running", true), pod("two", "Running", true));
    let writes =
        vec![Write::patch(&one, json!({})), Write::delete(&two), Write::replace_status(&one), Write::create(&one)];
    let left = first_for_each_object(writes.clone());
    assert_eq!(left, [writes[0].clone(), writes[1].clone(), writes[3].clone()]);
}
