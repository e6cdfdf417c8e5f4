use crate::kinds::tests::{change_refused, created, kind, refused, shown, stored, with};
use expect_test::expect;
use serde_json::{Value, json};

fn volume(fields: Value) -> Value {
    let spec = with(json!({"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1024Mi"}}), fields);
    json!({"spec": spec})
}

#[test]
fn a_volume_gets_upstreams_defaults() {
    let object = created("PersistentVolume", volume(json!({"hostPath": {"path": "/d"}})));
    stored(
        &object,
        "/spec",
        expect![[r#"
        {
          "accessModes": [
            "ReadWriteOnce"
          ],
          "capacity": {
            "storage": "1Gi"
          },
          "hostPath": {
            "path": "/d",
            "type": ""
          },
          "persistentVolumeReclaimPolicy": "Retain",
          "volumeMode": "Filesystem"
        }"#]],
    );
    stored(
        &object,
        "/status",
        expect![[r#"
        {
          "lastPhaseTransitionTime": "2026-01-01T00:00:00Z",
          "phase": "Pending"
        }"#]],
    );
}

#[test]
fn bad_volumes_are_refused_in_upstreams_words() {
    refused(
        "PersistentVolume",
        json!({"spec": {}}),
        expect![[r#"
        spec.accessModes: Required value
        spec.capacity: Required value
        spec.capacity: Unsupported value: "null": supported values: "storage"
        spec: Required value: must specify a volume type
    "#]],
    );
    refused(
        "PersistentVolume",
        volume(json!({
            "accessModes": ["ReadWriteOncePod", "ReadOnlyMany", "Odd"], "capacity": {"storage": "0", "cpu": "1"},
            "persistentVolumeReclaimPolicy": "Odd", "volumeMode": "Odd", "storageClassName": "A",
            "local": {"path": "/a/../b"}, "nfs": {"server": "s", "path": "p"}, "volumeAttributesClassName": "",
        })),
        expect![[r#"
            spec.accessModes: Unsupported value: "Odd": supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"
            spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes
            spec.capacity: Unsupported value: "{\"cpu\":\"1\",\"storage\":\"0\"}": supported values: "storage"
            spec.capacity[storage]: Invalid value: "0": must be greater than zero
            spec.persistentVolumeReclaimPolicy: Unsupported value: "Odd": supported values: "Delete", "Recycle", "Retain"
            spec.local.path: Invalid value: "/a/../b": must not contain '..'
            spec.nodeAffinity: Required value: Local volume requires node affinity
            spec.nfs: Forbidden: may not specify more than 1 volume type
            spec.storageClassName: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
            spec.volumeMode: Unsupported value: "Odd": supported values: "Block", "Filesystem"
            spec.volumeAttributesClassName: Required value: an empty string is disallowed
            spec.csi: Required value: has to be specified when using volumeAttributesClassName
        "#]],
    );
    refused(
        "PersistentVolume",
        volume(json!({
            "hostPath": {"path": "/"}, "persistentVolumeReclaimPolicy": "Recycle", "nodeAffinity": {},
        })),
        expect![[r#"
            spec.nodeAffinity.required: Required value: must specify required node constraints
            spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'
        "#]],
    );
    refused(
        "PersistentVolume",
        volume(json!({"csi": {"driver": "a_b", "nodePublishSecretRef": {"name": "A"}}})),
        expect![[r#"
            spec.csi.driver: Invalid value: "a_b": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
            spec.csi.volumeHandle: Required value
            spec.csi.nodePublishSecretRef.name: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
            spec.csi.nodePublishSecretRef.namespace: Required value
        "#]],
    );
}

#[test]
fn the_source_of_a_volume_stays() {
    let old = created("PersistentVolume", volume(json!({"csi": {"driver": "d", "volumeHandle": "h"}})));
    change_refused(
        "PersistentVolume",
        &old,
        |object| {
            object["spec"]["csi"]["controllerExpandSecretRef"] = json!({"name": "s", "namespace": "n"});
            object["spec"]["capacity"]["storage"] = json!("2Gi");
        },
        expect![""],
    );
    change_refused(
        "PersistentVolume",
        &old,
        |object| {
            object["spec"]["csi"]["volumeHandle"] = json!("i");
            object["spec"]["volumeMode"] = json!("Block");
        },
        expect![[r#"
            spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation
            volumeMode: Invalid value: "Block": field is immutable
        "#]],
    );
}

#[test]
fn get_shows_size_and_claim() {
    let mut bound = created(
        "PersistentVolume",
        volume(json!({
            "hostPath": {"path": "/d"}, "accessModes": ["ReadOnlyMany", "ReadWriteOnce"], "storageClassName": "fast",
            "claimRef": {"namespace": "n", "name": "c"},
        })),
    );
    bound["status"]["phase"] = json!("Bound");
    let mut deleted = bound.clone();
    deleted["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    shown(
        "PersistentVolume",
        &[bound.clone(), deleted],
        expect![[r#"
        x | 1Gi | RWO,ROX | Retain | Bound | n/c | fast | <unset> |  | 60m | Filesystem
        x | 1Gi | RWO,ROX | Retain | Terminating | n/c | fast | <unset> |  | 60m | Filesystem
    "#]],
    );
    bound["spec"]["persistentVolumeReclaimPolicy"] = json!("Recycle");
    bound["spec"]["capacity"]["storage"] = json!("100m");
    bound["metadata"]["annotations"] = json!({"volume.beta.kubernetes.io/storage-class": "slow"});
    expect![[r#"
        metadata.annotations[volume.beta.kubernetes.io/storage-class]: deprecated since v1.8; use "storageClassName" attribute instead
        spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.
        spec.capacity[storage]: fractional byte value "100m" is invalid, must be an integer"#]].assert_eq(&(kind("PersistentVolume").strategy.warnings)(&bound).join("\n"));
}
