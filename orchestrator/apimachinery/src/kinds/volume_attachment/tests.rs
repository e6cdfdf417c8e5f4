use crate::kinds::tests::{change_refused, created, kind, refused, shown, stored};
use expect_test::expect;
use serde_json::json;

#[test]
fn an_attachment_is_fixed_and_only_its_status_tells_more() {
    let wish = json!({
        "spec": {"attacher": "d", "nodeName": "n", "source": {"persistentVolumeName": "v"}}, "status": {"attached": true},
    });
    let attachment = created("VolumeAttachment", wish);
    stored(
        &attachment,
        "/status",
        expect![[r#"
        {
          "attached": false
        }"#]],
    );
    change_refused(
        "VolumeAttachment",
        &attachment,
        |one| one["spec"]["nodeName"] = json!("m"),
        expect![[r#"
        spec: Invalid value: {"attacher":"d","nodeName":"m","source":{"persistentVolumeName":"v"}}: field is immutable
    "#]],
    );
    let mut attached = attachment.clone();
    attached["status"]["attached"] = json!(true);
    attached["spec"]["nodeName"] = json!("m");
    (kind("VolumeAttachment").strategy.prepare_status_update)(&mut attached, &attachment);
    shown(
        "VolumeAttachment",
        &[attachment, attached],
        expect![[r#"
        x | d | v | n | false | 60m
        x | d | v | n | true | 60m
    "#]],
    );
    refused(
        "VolumeAttachment",
        json!({"spec": {"attacher": "", "nodeName": "", "source": {}}}),
        expect![[r#"
        spec.attacher: Required value
        spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName
        spec.nodeName: Invalid value: "": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
    "#]],
    );
    refused(
        "VolumeAttachment",
        json!({"spec": {"attacher": "d", "nodeName": "n", "source": {"persistentVolumeName": ""}}}),
        expect![[r#"
            spec.source.persistentVolumeName: Required value: must specify non empty persistentVolumeName
        "#]],
    );
}
