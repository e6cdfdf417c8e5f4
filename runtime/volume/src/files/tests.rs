use super::*;
use std::os::unix::fs::MetadataExt;

fn set(entries: &[(&str, &str)]) -> FileSet {
    let entry = |text: &str| FileEntry { bytes: text.as_bytes().to_vec(), mode: 0o644 };
    entries.iter().map(|(path, text)| ((*path).to_owned(), entry(text))).collect()
}

#[track_caller]
fn check_shown(dir: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        assert_eq!(fs::read_to_string(dir.join(path)).unwrap(), *text, "{path}");
    }
    let tops: BTreeSet<&str> = files.iter().filter_map(|(path, _)| path.split('/').next()).collect();
    let shown: Vec<String> = names(dir).unwrap().into_iter().filter(|name| !name.starts_with("..")).collect();
    assert_eq!(shown.iter().map(String::as_str).collect::<BTreeSet<_>>(), tops);
}

#[test]
fn a_set_is_shown_and_replaced_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = ([("a", "1"), ("d/x", "2")], [("a", "3"), ("b", "4")]);
    assert!(write(dir.path(), &set(&one), Step::Done).unwrap());
    check_shown(dir.path(), &one);
    assert!(!write(dir.path(), &set(&one), Step::Done).unwrap(), "the same set changes nothing");
    assert!(write(dir.path(), &set(&two), Step::Done).unwrap());
    check_shown(dir.path(), &two);
    assert_eq!(names(dir.path()).unwrap().iter().filter(|name| name.starts_with(VERSION)).count(), 1);
}

#[test]
fn a_crash_between_any_steps_leaves_the_old_set_or_the_new_one() {
    for step in [Step::Written, Step::Linked, Step::Swapped, Step::Shown] {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = ([("a", "old"), ("gone", "x")], [("a", "new"), ("come", "y")]);
        write(dir.path(), &set(&old), Step::Done).unwrap();
        write(dir.path(), &set(&new), step).unwrap();
        let expected = if matches!(step, Step::Written | Step::Linked) { "old" } else { "new" };
        assert_eq!(fs::read_to_string(dir.path().join("a")).unwrap(), expected, "{step:?}");
        write(dir.path(), &set(&new), Step::Done).unwrap();
        check_shown(dir.path(), &new);
        let left = names(dir.path()).unwrap();
        assert_eq!(left.iter().filter(|name| name.starts_with("..")).count(), 2, "{step:?} left {left:?}");
    }
}

#[test]
fn modes_are_set_past_the_umask() {
    let dir = tempfile::tempdir().unwrap();
    let entry = FileEntry { bytes: b"s".to_vec(), mode: 0o666 };
    write(dir.path(), &FileSet::from([("f".to_owned(), entry)]), Step::Done).unwrap();
    assert_eq!(fs::metadata(dir.path().join("f")).unwrap().mode() & 0o7777, 0o666);
}

#[test]
fn paths_that_could_leave_are_refused() {
    for bad in ["../x", "a/../b", "/etc/passwd", "", "..data", "a/./../b", "..x"] {
        let dir = tempfile::tempdir().unwrap();
        let error = write(dir.path(), &set(&[(bad, "x")]), Step::Done).unwrap_err();
        assert!(matches!(error, VolumeError::Escape { .. }), "{bad}: {error}");
        assert!(names(dir.path()).unwrap().is_empty());
    }
}

#[test]
fn a_set_above_its_bound_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let entry = FileEntry { bytes: vec![0; FILE_SET_BYTES_MAX + 1], mode: 0o644 };
    let error = write(dir.path(), &FileSet::from([("f".to_owned(), entry)]), Step::Done).unwrap_err();
    assert!(matches!(error, VolumeError::TooLarge { .. }));
    let long = "x".repeat(PATH_BYTES_MAX + 1);
    assert!(matches!(write(dir.path(), &set(&[(&long, "")]), Step::Done), Err(VolumeError::Escape { .. })));
}

#[test]
fn a_reader_of_the_old_set_keeps_it() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &set(&[("a", "old")]), Step::Done).unwrap();
    let held = fs::File::open(dir.path().join("a")).unwrap();
    write(dir.path(), &set(&[("a", "new")]), Step::Done).unwrap();
    assert_eq!(io::read_to_string(held).unwrap(), "old");
}
