use super::{prepare_approval, validate_approval};
use crate::field::Errors;
use crate::kinds::tests::platform::certificate_request;
use crate::kinds::tests::{change_refused, created, kind, refused, shown};
use base64::Engine;
use expect_test::{Expect, expect};
use serde_json::{Value, json};

const KIND: &str = "CertificateSigningRequest";

fn certificate() -> &'static str {
    include_str!("certificate.b64").trim()
}

fn request() -> Value {
    let spec =
        json!({"request": certificate_request(), "signerName": "a.b/c", "usages": ["client auth"], "username": "u"});
    created(KIND, json!({"spec": spec}))
}

fn condition(type_: &str, status: &str) -> Value {
    json!({"type": type_, "status": status, "reason": "r"})
}

/// What is wrong with a write of a subresource.
#[track_caller]
fn written(old: &Value, approval: bool, change: impl FnOnce(&mut Value), expected: Expect) -> Value {
    let kind = kind(KIND);
    let mut new = old.clone();
    change(&mut new);
    let mut errors = Errors::default();
    if approval {
        prepare_approval(&mut new, old);
        validate_approval(&new, old, &mut errors);
    } else {
        (kind.strategy.prepare_status_update)(&mut new, old);
        (kind.strategy.validate_update)(&new, old, &mut errors);
    }
    (kind.strategy.validate)(&new, &mut errors);
    expected.assert_eq(&errors.0.iter().map(|error| format!("{error}\n")).collect::<String>());
    new
}

#[test]
fn requests_are_checked() {
    let pem = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    refused(
        KIND,
        json!({"spec": {
            "request": pem("hello"), "signerName": "kubernetes.io/legacy-unknown", "usages": ["client auth", "odd", "odd"],
            "expirationSeconds": 599,
        }}),
        expect![[r#"
            spec.request: Invalid value: "aGVsbG8=": PEM block type must be CERTIFICATE REQUEST
            spec.usages[1]: Unsupported value: "odd": supported values: "any", "cert sign", "client auth", "code signing", "content commitment", "crl sign", "data encipherment", "decipher only", "digital signature", "email protection", "encipher only", "ipsec end system", "ipsec tunnel", "ipsec user", "key agreement", "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing", "s/mime", "server auth", "signing", "timestamping"
            spec.usages[2]: Unsupported value: "odd": supported values: "any", "cert sign", "client auth", "code signing", "content commitment", "crl sign", "data encipherment", "decipher only", "digital signature", "email protection", "encipher only", "ipsec end system", "ipsec tunnel", "ipsec user", "key agreement", "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing", "s/mime", "server auth", "signing", "timestamping"
            spec.usages[2]: Duplicate value: "odd"
            spec.signerName: Invalid value: "kubernetes.io/legacy-unknown": the legacy signerName is not allowed via this API version
            spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 600 seconds (10 minutes)
        "#]],
    );
    let broken = pem("-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n");
    refused(
        KIND,
        json!({"spec": {"request": broken, "signerName": "a", "usages": []}}),
        expect![[r#"
        spec.request: Invalid value: "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUFBPQotLS0tLUVORCBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0K": asn1: structure error: malformed certificate request
        spec.usages: Required value
        spec.signerName: Invalid value: "a": must be a fully qualified domain and path of the form 'example.com/signer-name'
    "#]],
    );
    let other = pem("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n");
    refused(
        KIND,
        json!({"spec": {"request": other, "signerName": "", "usages": ["any"]}}),
        expect![[r#"
        spec.request: Invalid value: "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1BQT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=": PEM block type must be CERTIFICATE REQUEST
        spec.signerName: Required value
    "#]],
    );
}

#[test]
fn the_spec_never_changes() {
    let request = request();
    change_refused(KIND, &request, |request| request["spec"]["signerName"] = json!("bad"), expect![[""]]);
}

#[test]
fn only_approval_decides_and_a_decision_stays() {
    let request = request();
    let approve = |request: &mut Value| request["status"]["conditions"] = json!([condition("Approved", "True")]);
    written(
        &request,
        false,
        approve,
        expect![[r#"
        status.conditions: Forbidden: updates may not add a condition of type "Approved"
    "#]],
    );
    let approved = written(&request, true, approve, expect![[""]]);
    written(
        &approved,
        true,
        |request| request["status"]["conditions"] = json!([]),
        expect![[r#"
        status.conditions: Forbidden: updates may not remove a condition of type "Approved"
    "#]],
    );
    let both = json!([condition("Approved", "False"), condition("Denied", "True"), condition("", "Odd")]);
    written(
        &request,
        true,
        |request| request["status"]["conditions"] = both,
        expect![[r#"
        status.conditions[0].status: Unsupported value: "False": supported values: "True"
        status.conditions[1].type: Invalid value: "Denied": Approved and Denied conditions are mutually exclusive
        status.conditions[2].type: Required value
        status.conditions[2].status: Unsupported value: "Odd": supported values: "False", "True", "Unknown"
    "#]],
    );
    written(
        &approved,
        false,
        |request| request["status"]["conditions"][0]["reason"] = json!("x"),
        expect![[r#"
        status.conditions: Forbidden: updates may not modify a condition of type "Approved"
    "#]],
    );
    let sneaked =
        written(&request, true, |request| request["status"]["certificate"] = json!(certificate()), expect![[""]]);
    assert_eq!(sneaked["status"], json!({}));
    let issued =
        written(&approved, false, |request| request["status"]["certificate"] = json!(certificate()), expect![[""]]);
    written(
        &issued,
        false,
        |request| request["status"]["certificate"] = json!("YQ=="),
        expect![[r#"
        status.certificate: Forbidden: updates may not modify existing certificate content
        status.certificate: Invalid value: "<certificate data>": must contain at least one CERTIFICATE PEM block
    "#]],
    );
    let mut denied = request.clone();
    denied["status"]["conditions"] = json!([condition("Denied", "True"), condition("Failed", "True")]);
    denied["spec"]["expirationSeconds"] = json!(86_400);
    shown(
        KIND,
        &[request, approved, issued, denied],
        expect![[r#"
        x | 60m | a.b/c | u | <none> | Pending
        x | 60m | a.b/c | u | <none> | Approved
        x | 60m | a.b/c | u | <none> | Approved,Issued
        x | 60m | a.b/c | u | 24h | Denied,Failed
    "#]],
    );
}
