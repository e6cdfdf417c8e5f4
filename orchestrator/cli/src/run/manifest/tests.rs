use super::*;

#[track_caller]
fn fails(text: &str, expected: &str) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("m.yaml");
    fs::write(&file, text).unwrap();
    let error = load(std::slice::from_ref(&file), &Catalog::builtin()).unwrap_err().to_string();
    let error = error.replace(&file.display().to_string(), "m.yaml");
    assert!(error.contains(expected), "{error}");
}

#[test]
fn errors_name_file_document_and_line() {
    let good = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n";
    fails(&format!("{good}---\napiVersion: v1\nkind: ConfigMop\nmetadata:\n  name: b\n"), "m.yaml, document 2, line");
    fails("apiVersion: apps/v1\nkind: Deploiment\nmetadata:\n  name: b\n", "did you mean \"apps/v1 Deployment\"?");
    fails("kind: Pod\nmetadata:\n  name: b\n", "apiVersion: Required value");
    fails("apiVersion: v1\nkind: Pod\n", "metadata.name: Required value");
    fails("apiVersion: v1\nkind: Pod\nmetadata:\n  name: n\n", "line 4: metadata.name: expected string, got false");
    fails("apiVersion: v1\nkind: Pod\nkind: Pod\n", "m.yaml, document 1, line");
}

#[test]
fn namespaces_come_first_and_images_are_relative_to_the_manifest() {
    let dir = tempfile::tempdir().unwrap();
    let pod =
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\nspec:\n  containers:\n  - name: c\n    image: ./app.wasm\n";
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: space\n";
    fs::write(dir.path().join("a.yaml"), pod).unwrap();
    fs::write(dir.path().join("b.yml"), namespace).unwrap();
    fs::write(dir.path().join("app.wasm"), "").unwrap();
    let items = load(&[dir.path().to_owned()], &Catalog::builtin()).unwrap();
    let kinds: Vec<&str> = items.iter().map(|item| &*item.kind.kind).collect();
    assert_eq!(kinds, ["Namespace", "Pod"]);
    let image = items[1].object["spec"]["containers"][0]["image"].as_str().unwrap();
    let whole = fs::canonicalize(dir.path()).unwrap();
    assert_eq!(image, format!("file://{}/app.wasm", whole.display()));
}

#[test]
fn what_is_no_container_is_left_for_the_server_to_refuse() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("m.yaml");
    let start = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\nspec:\n  containers: ";
    for (containers, expected) in [
        ("[7, null]", serde_json::json!([7, null])),
        ("7", serde_json::json!(7)),
        ("[{name: x}, {image: 3}]", serde_json::json!([{"name": "x"}, {"image": 3}])),
    ] {
        fs::write(&file, format!("{start}{containers}\n")).unwrap();
        let items = load(std::slice::from_ref(&file), &Catalog::builtin()).unwrap();
        assert_eq!(items[0].object["spec"]["containers"], expected);
    }
}

#[test]
fn what_the_server_refuses_is_found_in_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("m.yaml");
    let text =
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\n  namespace: x\nspec:\n  hostname: h\n  containers: 7\n";
    fs::write(&file, text).unwrap();
    let item = load(std::slice::from_ref(&file), &Catalog::builtin()).unwrap().remove(0);
    for (message, line) in [
        ("Pod in version \"v1\" cannot be handled as a Pod: spec.containers: expected list, got number 7", 8),
        ("Pod in version \"v1\" cannot be handled as a Pod: strict decoding error: unknown field \"spec.hostname\"", 7),
        ("namespaces \"x\" not found", 5),
        ("something else", 1),
    ] {
        let told = item.origin.explain(&ApiError::new(400, "", message.to_owned())).to_string();
        assert!(told.contains(&format!("document 1, line {line}: {message}")), "{told}");
    }
}
