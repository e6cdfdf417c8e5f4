use super::*;
use crate::files::FileEntry;
use std::os::unix::fs::symlink;

fn pods() -> (tempfile::TempDir, PodDirs) {
    let dir = tempfile::tempdir().unwrap();
    let pods = PodDirs::open(dir.path().join("pods")).unwrap();
    (dir, pods)
}

#[test]
fn volumes_live_and_go_with_their_pod() {
    let (_keep, pods) = pods();
    let pod = pods.pod("uid-1").unwrap();
    let empty = pod.empty_dir("cache").unwrap();
    fs::write(empty.join("f"), "kept").unwrap();
    assert_eq!(pod.empty_dir("cache").unwrap(), empty);
    assert_eq!(fs::read_to_string(empty.join("f")).unwrap(), "kept", "a second mount keeps the content");
    let files = FileSet::from([("k".to_owned(), FileEntry { bytes: b"v".to_vec(), mode: 0o400 })]);
    let (dir, changed) = pod.files("secret", "s", &files).unwrap();
    assert!(changed && dir.ends_with("uid-1/volumes/kubernetes.io~secret/s"));
    assert_eq!(pods.list().unwrap(), ["uid-1"]);
    pods.remove("uid-1").unwrap();
    pods.remove("uid-1").unwrap();
    assert!(pods.list().unwrap().is_empty());
}

#[test]
fn names_are_single_parts_of_a_path() {
    let (_keep, pods) = pods();
    for bad in ["..", ".", "", "a/b", "/a", "a/"] {
        assert!(matches!(pods.pod(bad), Err(VolumeError::Escape { .. })), "{bad}");
        assert!(matches!(pods.pod("ok").unwrap().empty_dir(bad), Err(VolumeError::Escape { .. })), "{bad}");
    }
}

#[test]
fn a_sub_path_stays_in_its_volume() {
    let (keep, pods) = pods();
    let volume = pods.pod("u").unwrap().empty_dir("v").unwrap();
    let made = sub_path(&volume, "a/b").unwrap();
    assert!(made.is_dir() && made.starts_with(volume.canonicalize().unwrap()));
    assert!(matches!(sub_path(&volume, "../x"), Err(VolumeError::Escape { .. })));
    assert!(matches!(sub_path(&volume, "/etc"), Err(VolumeError::Escape { .. })));
    symlink(keep.path(), volume.join("out")).unwrap();
    assert!(matches!(sub_path(&volume, "out"), Err(VolumeError::Outside { .. })));
    assert!(matches!(sub_path(&volume, "out/deeper"), Err(VolumeError::Outside { .. })));
    fs::write(volume.join("file"), "").unwrap();
    assert!(matches!(sub_path(&volume, "file"), Err(VolumeError::NotDirectory { .. })));
}

#[test]
fn host_paths_are_directories() {
    let dir = tempfile::tempdir().unwrap();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let new = dir.path().join("new/dir");
    assert!(matches!(host_path(&text(&new), HostPathKind::Directory), Err(VolumeError::HostPath { .. })));
    assert_eq!(host_path(&text(&new), HostPathKind::DirectoryOrCreate).unwrap(), new);
    assert_eq!(host_path(&text(&new), HostPathKind::Any).unwrap(), new);
    fs::write(dir.path().join("f"), "").unwrap();
    assert!(matches!(host_path(&text(&dir.path().join("f")), HostPathKind::Any), Err(VolumeError::HostPath { .. })));
    assert!(matches!(host_path("relative", HostPathKind::Any), Err(VolumeError::Escape { .. })));
}

#[test]
fn a_directory_without_write_permission_is_removed_too() {
    let (_keep, pods) = pods();
    let empty = pods.pod("u").unwrap().empty_dir("v").unwrap();
    fs::create_dir(empty.join("locked")).unwrap();
    fs::write(empty.join("locked/f"), "").unwrap();
    fs::set_permissions(empty.join("locked"), fs::Permissions::from_mode(0o500)).unwrap();
    pods.remove("u").unwrap();
    assert!(pods.list().unwrap().is_empty());
}
