use super::*;
use crate::references::Found;
use runtime_volume::PodDirs;
use serde_json::json;
use std::fs;

struct FixedToken;

#[async_trait]
impl Tokens for FixedToken {
    async fn token(&self, projection: &ServiceAccountTokenProjection) -> Result<(String, Timestamp), String> {
        let life = projection.expiration_seconds.unwrap_or(3600);
        Ok(("token".into(), Timestamp::from_second(1000 + life).unwrap()))
    }
}

fn found() -> Found {
    let map = json!({"metadata": {"name": "m"}, "data": {"a": "1", "b": "2"}, "binaryData": {"bin": "AAE="}});
    let secret = json!({"metadata": {"name": "s"}, "data": {"k": "c2VjcmV0"}});
    let ca = json!({"metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": "CA"}});
    Found::of([map, ca].map(|map| serde_json::from_value(map).unwrap()), [serde_json::from_value(secret).unwrap()])
}

async fn mounted(volume: serde_json::Value) -> Result<(tempfile::TempDir, Mounted, Option<Timestamp>), String> {
    let keep = tempfile::tempdir().unwrap();
    let dir = PodDirs::open(keep.path().to_owned()).unwrap().pod("u").unwrap();
    let mut volume = volume;
    volume["name"] = json!("v");
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": "p", "namespace": "ns", "uid": "u", "labels": {"app": "x"}},
        "spec": {"containers": [{"name": "c", "resources": {"limits": {"memory": "64Mi"}}}], "volumes": [volume]}
    }))
    .unwrap();
    let now = Timestamp::from_second(1000).unwrap();
    let (volumes, next) = mount(&pod, &dir, &found(), &Surroundings::default(), &FixedToken, now).await?;
    Ok((keep, volumes["v"].clone(), next))
}

#[track_caller]
fn check_files(path: &std::path::Path, expected: &[(&str, &[u8])]) {
    for (name, bytes) in expected {
        assert_eq!(fs::read(path.join(name)).unwrap(), *bytes, "{name}");
    }
    let shown = fs::read_dir(path).unwrap().filter_map(Result::ok);
    let shown = shown.filter(|entry| !entry.file_name().to_string_lossy().starts_with("..")).count();
    assert_eq!(shown, expected.len());
}

#[tokio::test]
async fn config_maps_and_secrets_are_files() {
    let (_keep, volume, next) = mounted(json!({"configMap": {"name": "m"}})).await.unwrap();
    check_files(&volume.path, &[("a", b"1"), ("b", b"2"), ("bin", &[0, 1])]);
    assert!(volume.read_only && next.is_none());
    let items = json!({"configMap": {"name": "m", "items": [{"key": "a", "path": "dir/one"}]}});
    let (_keep, volume, _) = mounted(items).await.unwrap();
    assert_eq!(fs::read(volume.path.join("dir/one")).unwrap(), b"1");
    let (_keep, volume, _) = mounted(json!({"secret": {"secretName": "s", "defaultMode": 256}})).await.unwrap();
    check_files(&volume.path, &[("k", b"secret")]);
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(volume.path.join("k")).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o400);
}

#[tokio::test]
async fn what_is_missing_is_named() {
    for (volume, expected) in [
        (json!({"configMap": {"name": "gone"}}), "configmap \"gone\" not found"),
        (json!({"secret": {"secretName": "gone"}}), "secret \"gone\" not found"),
        (
            json!({"configMap": {"name": "m", "items": [{"key": "z", "path": "z"}]}}),
            "references non-existent config key: z",
        ),
        (json!({"nfs": {"server": "s", "path": "/"}}), "volume type nfs is not supported yet"),
        (
            json!({"persistentVolumeClaim": {"claimName": "x"}}),
            "volume type persistentVolumeClaim is not supported yet",
        ),
        (
            json!({"configMap": {"name": "m", "items": [{"key": "a", "path": "../a"}]}}),
            "path \"../a\" must be relative and must not contain '..'",
        ),
    ] {
        let error = mounted(volume).await.unwrap_err();
        assert_eq!(error, format!("MountVolume.SetUp failed for volume \"v\" : {expected}"));
    }
    assert!(mounted(json!({"configMap": {"name": "gone", "optional": true}})).await.is_ok());
}

#[tokio::test]
async fn a_projected_volume_is_what_an_in_cluster_client_needs() {
    let (_keep, volume, next) = mounted(json!({"projected": {"defaultMode": 420, "sources": [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}}]}}))
    .await
    .unwrap();
    check_files(&volume.path, &[("token", b"token"), ("ca.crt", b"CA"), ("namespace", b"ns")]);
    let next = next.unwrap().as_second() - 1000;
    assert!((2800..2900).contains(&next), "refreshed after {next} s");
}

#[tokio::test]
async fn downward_api_shows_fields_and_resources() {
    let items = json!([
        {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
        {"path": "mem", "resourceFieldRef": {"containerName": "c", "resource": "limits.memory", "divisor": "1Mi"}}]);
    let (_keep, volume, _) = mounted(json!({"downwardAPI": {"items": items}})).await.unwrap();
    check_files(&volume.path, &[("labels", b"app=\"x\""), ("mem", b"64")]);
}

#[tokio::test]
async fn containers_mount_volumes_and_directories_in_them() {
    let (keep, empty, _) = mounted(json!({"emptyDir": {}})).await.unwrap();
    assert!(empty.path.starts_with(keep.path()) && !empty.read_only);
    let volumes = MountedVolumes::from([("v".to_owned(), empty.clone())]);
    let check = |mount: serde_json::Value| {
        let container: Container = serde_json::from_value(json!({"name": "c", "volumeMounts": [mount]})).unwrap();
        mounts(&container, &volumes, &[("POD".into(), "p".into())])
    };
    let whole = check(json!({"name": "v", "mountPath": "/data", "readOnly": true})).unwrap();
    assert_eq!(whole, [Mount { host_path: empty.path.clone(), container_path: "/data".into(), read_only: true }]);
    let sub = check(json!({"name": "v", "mountPath": "/data", "subPathExpr": "a/$(POD)"})).unwrap();
    assert!(sub[0].host_path.ends_with("a/p") && sub[0].host_path.is_dir());
    assert_eq!(check(json!({"name": "w", "mountPath": "/x"})).unwrap_err(), "volume \"w\" not found");
    assert!(check(json!({"name": "v", "mountPath": "/x", "subPath": "../up"})).unwrap_err().contains("'..'"));
}
