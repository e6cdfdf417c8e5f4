use super::*;
use crate::artifact::{build_artifact, digest};
use expect_test::{Expect, expect};
use registry::{Answers, Fake, Registry};
use runtime_base::error::chain;
use serde_json::{Value, json};
use std::time::UNIX_EPOCH;

mod registry;

/// A store in a directory of its own.
fn store() -> (tempfile::TempDir, ImageStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = ImageStore::open(ImageStoreConfig::new(dir.path().join("images"))).unwrap();
    (dir, store)
}

fn named(name: &str) -> ImageReference {
    ImageReference::parse(name).unwrap()
}

fn wasm(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

fn artifact(text: &str) -> Artifact {
    build_artifact(&wasm(text), "app.wasm", UNIX_EPOCH).unwrap()
}

fn path_of(image: &Image) -> &Path {
    match &image.kind {
        ImageKind::Wasm { path } => path,
        ImageKind::Linux { .. } => panic!("no Wasm image"),
    }
}

fn user(registry: &str, password: &str) -> Credential {
    Credential { registry: registry.into(), username: "user".into(), password: password.into() }
}

/// The error of a pull in the words a user sees, with `address` in place of the registry's.
async fn refusal(store: &ImageStore, name: &str, address: &str) -> String {
    let error = store.pull(&named(name), &[]).await.expect_err(name);
    chain(&error).replace(address, "ADDRESS")
}

#[tokio::test]
async fn a_built_image_is_pushed_and_pulled_by_tag_and_digest() {
    let registry = Registry::start();
    let (_one, mine) = store();
    let reference = named(&format!("{}/me/app:1", registry.address));
    let artifact = artifact("(module (memory 1))");
    let built = mine.store(&reference, artifact.clone()).await.unwrap();
    assert_eq!(mine.get_local(&reference).await.unwrap(), Some(built.clone()));
    let digest = mine.push(&reference, &[]).await.unwrap();
    assert_eq!(digest, artifact.manifest_digest);

    let (_two, theirs) = store();
    assert_eq!(theirs.get_local(&reference).await.unwrap(), None);
    let pulled = theirs.pull(&reference, &[]).await.unwrap();
    assert_eq!(std::fs::read(path_of(&pulled)).unwrap(), artifact.wasm);
    assert_eq!(pulled.id, format!("{}/me/app@{digest}", registry.address));
    assert_eq!(pulled.digest, artifact.wasm_digest);
    assert_eq!(pulled.config.entrypoint, ["app.wasm"]);
    assert_eq!((&pulled.id, pulled.size_bytes), (&built.id, built.size_bytes));

    let by_digest = named(&format!("{}/me/app@{digest}", registry.address));
    assert!(theirs.get_local(&by_digest).await.unwrap().is_some(), "the tag brought this digest");
    let (_three, others) = store();
    assert_eq!(others.pull(&by_digest, &[]).await.unwrap().id, pulled.id);
    let names: Vec<String> = others.list().await.unwrap().iter().map(|image| image.reference.clone()).collect();
    assert_eq!(names, [by_digest.to_string()]);
    // A second push finds everything there.
    assert_eq!(mine.push(&reference, &[]).await.unwrap(), digest);
}

#[tokio::test]
async fn a_moved_tag_brings_the_new_image() {
    let registry = Registry::start();
    let ((_a, mine), (_b, theirs)) = (store(), store());
    let reference = named(&format!("{}/app", registry.address));
    let mut seen = Vec::new();
    for text in ["(module)", "(module (memory 1))"] {
        mine.store(&reference, artifact(text)).await.unwrap();
        mine.push(&reference, &[]).await.unwrap();
        seen.push(theirs.pull(&reference, &[]).await.unwrap());
    }
    assert_ne!(seen[0].digest, seen[1].digest);
    assert_eq!(theirs.get_local(&reference).await.unwrap().unwrap().digest, seen[1].digest);
}

#[tokio::test]
async fn a_password_opens_the_registry() {
    let registry = Registry::with_password();
    let ((_a, mine), (_b, theirs)) = (store(), store());
    let reference = named(&format!("{}/app:1", registry.address));
    mine.store(&reference, artifact("(module)")).await.unwrap();
    let (right, wrong) = (user(&registry.address, "secret"), user(&registry.address, "guess"));
    for credentials in [vec![], vec![wrong.clone()]] {
        let refused = mine.push(&reference, &credentials).await.unwrap_err();
        assert!(matches!(refused, PushError::Unauthorized(_)), "{refused:?}");
    }
    mine.push(&reference, std::slice::from_ref(&right)).await.unwrap();

    let check = async |credentials: &[Credential], expected: Expect| {
        let error = theirs.pull(&reference, credentials).await.unwrap_err();
        expected.assert_eq(&chain(&error).replace(&registry.address, "ADDRESS"));
    };
    check(
        &[user("ghcr.io", "secret")],
        expect![
            "ADDRESS/app:1: pull access denied: no imagePullSecrets for this registry, and it does not let everybody in"
        ],
    )
    .await;
    check(
        std::slice::from_ref(&wrong),
        expect!["ADDRESS/app:1: pull access denied: the registry refused the credentials of imagePullSecrets"],
    )
    .await;
    // The next credential is tried, and a wrong one earlier leaves nothing behind.
    theirs.pull(&reference, &[wrong, right]).await.unwrap();
}

#[tokio::test]
async fn a_token_server_is_asked_with_the_password() {
    let artifact = artifact("(module)");
    let fake = Fake::with_token(answers(&artifact.manifest, &[&artifact.config, &artifact.wasm])).await;
    let (_dir, mine) = store();
    let reference = named(&format!("{}/app", fake.address));
    let credentials = [user(&fake.address, "secret")];
    for (credentials, refused) in [(&[][..], true), (&[user(&fake.address, "guess")][..], true), (&credentials, false)]
    {
        let pulled = mine.pull(&reference, credentials).await;
        assert_eq!(matches!(pulled, Err(PullError::Unauthorized { .. })), refused, "{pulled:?}");
    }
    assert_eq!(fake.count("scope=repository%3Aapp%3Apull"), 3);
}

#[tokio::test]
async fn missing_images_and_registries_are_named() {
    let registry = Registry::start();
    let (_dir, mine) = store();
    let check = async |name: &str, expected: Expect| {
        let name = name.replace("ADDRESS", &registry.address);
        expected.assert_eq(&refusal(&mine, &name, &registry.address).await);
    };
    check("ADDRESS/nobody/nothing:1", expect!["ADDRESS/nobody/nothing:1: not found"]).await;
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let error = refusal(&mine, &format!("{unused}/app"), &unused).await;
    assert!(error.starts_with("ADDRESS: registry unreachable: "), "{error}");
    assert!(error.ends_with("Connection refused (os error 111)"), "{error}");
    check(
        "file:///nowhere/app.wasm",
        expect![[r#""/nowhere/app.wasm": can't read the file: No such file or directory (os error 2)"#]],
    )
    .await;
    let not_built = mine.push(&named("localhost:1/x"), &[]).await.unwrap_err();
    assert!(matches!(not_built, PushError::NotBuilt(_)));
}

#[tokio::test]
async fn a_corrupted_blob_of_the_registry_is_refused() {
    let registry = Registry::start();
    let ((_a, mine), (_b, theirs)) = (store(), store());
    let reference = named(&format!("{}/app:1", registry.address));
    let artifact = artifact("(module (memory 3))");
    mine.store(&reference, artifact.clone()).await.unwrap();
    mine.push(&reference, &[]).await.unwrap();
    let mut bytes = artifact.wasm.clone();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(registry.blob(&artifact.wasm_digest), &bytes).unwrap();
    let error = theirs.pull(&reference, &[]).await.unwrap_err();
    let PullError::DigestMismatch { expected, actual, .. } = error else { panic!("{error:?}") };
    assert_eq!((expected, actual), (artifact.wasm_digest, digest(&bytes)));
    assert_eq!(theirs.list().await.unwrap(), []);
}

#[tokio::test]
async fn a_corrupted_blob_on_disk_is_pulled_again() {
    let registry = Registry::start();
    let (dir, mine) = store();
    let reference = named(&format!("{}/app:1", registry.address));
    let artifact = artifact("(module)");
    let image = mine.store(&reference, artifact.clone()).await.unwrap();
    mine.push(&reference, &[]).await.unwrap();
    std::fs::remove_file(path_of(&image)).unwrap();
    std::fs::write(path_of(&image), b"\0asm rubbish").unwrap();
    for store in [mine.clone(), ImageStore::open(ImageStoreConfig::new(dir.path().join("images"))).unwrap()] {
        assert_eq!(store.get_local(&reference).await.unwrap(), None);
        store.pull(&reference, &[]).await.unwrap();
        assert_eq!(std::fs::read(path_of(&image)).unwrap(), artifact.wasm);
        std::fs::remove_file(path_of(&image)).unwrap();
    }
}

#[tokio::test]
async fn a_file_is_an_image_and_a_changed_file_another() {
    let (dir, mine) = store();
    let file = dir.path().join("app.wasm");
    let reference = named(&format!("file://{}", file.display()));
    assert_eq!(mine.get_local(&reference).await.unwrap(), None);
    std::fs::write(&file, wasm("(module)")).unwrap();
    let first = mine.pull(&reference, &[]).await.unwrap();
    assert_eq!(
        (first.id.as_str(), first.config.entrypoint.as_slice()),
        (first.digest.as_str(), ["app.wasm".into()].as_slice())
    );
    std::fs::write(&file, wasm("(component)")).unwrap();
    let second = mine.get_local(&reference).await.unwrap().unwrap();
    assert_ne!(first.digest, second.digest);
    assert_eq!(std::fs::read(path_of(&first)).unwrap(), wasm("(module)"), "what runs is not changed");
    std::fs::write(&file, "#!/bin/sh").unwrap();
    let error = mine.pull(&reference, &[]).await.unwrap_err();
    assert!(chain(&error).ends_with(NOT_WASM), "{error}");
    let error = mine.pull(&named(&format!("file://{}", dir.path().display())), &[]).await.unwrap_err();
    assert!(chain(&error).ends_with("not a file"), "{error}");
}

#[tokio::test]
async fn removed_images_leave_no_blobs_but_shared_ones() {
    let (dir, mine) = store();
    let shared = artifact("(module)");
    mine.store(&named("a/one"), shared.clone()).await.unwrap();
    mine.store(&named("a/two"), shared.clone()).await.unwrap();
    mine.store(&named("a/three"), artifact("(component)")).await.unwrap();
    let blobs = || std::fs::read_dir(dir.path().join("images/blobs/sha256")).unwrap().count();
    assert_eq!(blobs(), 6);
    assert!(mine.remove(&named("a/three")).await.unwrap());
    assert!(!mine.remove(&named("a/three")).await.unwrap());
    assert!(mine.remove(&named("a/two")).await.unwrap());
    assert_eq!(blobs(), 3);
    assert!(mine.get_local(&named("a/one")).await.unwrap().is_some());
    mine.remove(&named("a/one")).await.unwrap();
    assert_eq!(blobs(), 0);
}

#[tokio::test]
async fn stores_over_one_directory_see_each_other() {
    let (dir, mine) = store();
    let theirs = ImageStore::open(ImageStoreConfig::new(dir.path().join("images"))).unwrap();
    mine.store(&named("a/one"), artifact("(module)")).await.unwrap();
    theirs.store(&named("a/two"), artifact("(component)")).await.unwrap();
    assert_eq!(mine.list().await.unwrap(), theirs.list().await.unwrap());
    assert_eq!(mine.list().await.unwrap().len(), 2);
    // A sweep while somebody adds leaves everything alone.
    let hold = mine.0.blobs.hold().unwrap();
    let added = mine.0.blobs.put(b"not in the index yet").unwrap();
    theirs.remove(&named("a/one")).await.unwrap();
    assert!(mine.0.blobs.has(&added).unwrap());
    drop(hold);
    theirs.remove(&named("a/two")).await.unwrap();
    assert!(!mine.0.blobs.has(&added).unwrap());
}

#[tokio::test]
async fn an_unreadable_index_is_put_aside_and_kept() {
    let (dir, mine) = store();
    mine.store(&named("a/one"), artifact("(module)")).await.unwrap();
    let index = dir.path().join("images/index.json");
    std::fs::write(&index, "{").unwrap();
    assert_eq!(mine.list().await.unwrap(), []);
    let again = ImageStore::open(ImageStoreConfig::new(dir.path().join("images"))).unwrap();
    assert!(again.0.blobs.has(&artifact("(module)").wasm_digest).unwrap(), "its blobs stay too");
    assert_eq!(std::fs::read_to_string(index.with_extension("json.unreadable")).unwrap(), "{");
    mine.store(&named("a/one"), artifact("(module)")).await.unwrap();
    assert_eq!(mine.list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn limits_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let config = ImageStoreConfig { wasm_bytes_max: 10, images_max: 1, ..ImageStoreConfig::new(dir.path().join("i")) };
    let small = ImageStore::open(config).unwrap();
    small.store(&named("a/one"), artifact("(module)")).await.unwrap();
    let full = small.store(&named("a/two"), artifact("(module)")).await.unwrap_err();
    assert!(matches!(full, StoreError::Full(1)), "{full:?}");
    small.store(&named("a/one"), artifact("(component)")).await.unwrap();
    let file = dir.path().join("large.wasm");
    std::fs::write(&file, wasm("(module (memory 1))")).unwrap();
    let error = small.pull(&named(&format!("file://{}", file.display())), &[]).await.unwrap_err();
    assert!(matches!(error, PullError::TooLarge { what: "Wasm file", limit: 10, .. }), "{error:?}");
}

/// The answers of a registry that holds `manifest` as `app:latest` and these blobs.
fn answers(manifest: &[u8], blobs: &[&[u8]]) -> Answers {
    let mut answers = Answers::new();
    answers.insert("/v2/app/manifests/latest".into(), vec![(200, manifest.to_vec())]);
    answers.insert(format!("/v2/app/manifests/{}", digest(manifest)), vec![(200, manifest.to_vec())]);
    for blob in blobs {
        answers.insert(format!("/v2/app/blobs/{}", digest(blob)), vec![(200, blob.to_vec())]);
    }
    answers
}

fn descriptor(kind: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": kind, "digest": digest(bytes), "size": bytes.len()})
}

#[tokio::test]
async fn pulls_of_the_same_image_share_a_download_and_outlive_one_that_gives_up() {
    let artifact = artifact("(module)");
    let fake = Fake::start(answers(&artifact.manifest, &[&artifact.config, &artifact.wasm])).await;
    let (_dir, mine) = store();
    let reference = named(&format!("{}/app", fake.address));
    let mut given_up = Box::pin(mine.pull(&reference, &[]));
    assert!(futures::poll!(&mut given_up).is_pending());
    let together = futures::future::join_all((0..5).map(|_| mine.pull(&reference, &[])));
    let both = async { (together.await, drop(given_up)) };
    assert!(both.await.0.iter().all(Result::is_ok));
    assert_eq!((fake.count("/manifests/"), fake.count("/blobs/")), (1, 2));
    // Later pulls ask what the name means and fetch nothing.
    mine.pull(&reference, &[]).await.unwrap();
    assert_eq!((fake.count("/manifests/"), fake.count("/blobs/")), (2, 2));
    assert!(mine.pulls().is_empty());
}

#[tokio::test]
async fn a_registry_that_fails_for_a_moment_is_asked_again() {
    let artifact = artifact("(module)");
    let mut answers = answers(&artifact.manifest, &[&artifact.config, &artifact.wasm]);
    answers.values_mut().for_each(|list| list.insert(0, (503, b"busy".to_vec())));
    let fake = Fake::start(answers).await;
    let (_dir, mine) = store();
    mine.pull(&named(&format!("{}/app", fake.address)), &[]).await.unwrap();
    assert_eq!((fake.count("/manifests/"), fake.count("/blobs/")), (2, 4));
}

#[tokio::test]
async fn a_registry_that_keeps_failing_is_left_in_its_own_words() {
    let mut answers = Answers::new();
    let sick = br#"{"errors":[{"code":"UNSUPPORTED","message":"closed for repair"}]}"#;
    answers.insert("/v2/app/manifests/latest".into(), vec![(400, sick.to_vec())]);
    let fake = Fake::start(answers).await;
    let (_dir, mine) = store();
    let error = refusal(&mine, &format!("{}/app", fake.address), &fake.address).await;
    assert!(error.starts_with("ADDRESS/app:latest: registry failed: "), "{error}");
    assert!(error.contains("closed for repair"), "{error}");
    assert_eq!(fake.count("/manifests/"), 1);
}

/// What a pull says of `app:latest` with this manifest.
async fn check_manifest(manifest: &Value, blobs: &[&[u8]], expected: Expect) {
    let fake = Fake::start(answers(manifest.to_string().as_bytes(), blobs)).await;
    let (_dir, mine) = store();
    let seen = match mine.pull(&named(&format!("{}/app", fake.address)), &[]).await {
        Ok(image) => format!("{:?}", image.config),
        Err(error) => chain(&error).replace(&fake.address, "ADDRESS"),
    };
    expected.assert_eq(&seen);
}

const CONTAINER: &str = "application/vnd.oci.image.config.v1+json";
const TAR: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

#[tokio::test]
async fn older_layouts_with_one_wasm_layer_run_as_their_configuration_says() {
    let program = wasm("(module)");
    let config = json!({"os": "wasip1", "architecture": "wasm", "config": {
        "Entrypoint": ["/app.wasm"], "Cmd": ["serve"], "Env": ["A=b"], "WorkingDir": "/data"}})
    .to_string();
    for kind in [
        "application/wasm",
        "application/vnd.module.wasm.content.layer.v1+wasm",
        "application/vnd.bytecodealliance.wasm.component.layer.v0+wasm",
    ] {
        let manifest = json!({"schemaVersion": 2, "config": descriptor(CONTAINER, config.as_bytes()),
            "layers": [descriptor(kind, &program)]});
        check_manifest(
            &manifest,
            &[config.as_bytes(), &program],
            expect![[
                r#"ImageConfig { entrypoint: ["/app.wasm"], cmd: ["serve"], env: ["A=b"], working_dir: Some("/data") }"#
            ]],
        )
        .await;
    }
}

#[tokio::test]
async fn an_index_is_read_for_its_wasm_entry() {
    let artifact = artifact("(module)");
    let mut entry = descriptor(crate::artifact::MANIFEST, &artifact.manifest);
    entry["platform"] = json!({"os": "wasi", "architecture": "wasm"});
    let mut linux = descriptor(crate::artifact::MANIFEST, b"other");
    linux["platform"] = json!({"os": "linux", "architecture": "amd64"});
    let index = |entries: &[&Value]| {
        json!({"schemaVersion": 2, "mediaType": crate::artifact::INDEX, "manifests": entries}).to_string()
    };
    let both = index(&[&linux, &entry]);
    let mut answers = answers(&artifact.manifest, &[&artifact.config, &artifact.wasm]);
    answers.insert("/v2/app/manifests/latest".into(), vec![(200, both.clone().into_bytes())]);
    let fake = Fake::start(answers).await;
    let (_dir, mine) = store();
    let reference = named(&format!("{}/app", fake.address));
    let image = mine.pull(&reference, &[]).await.unwrap();
    assert_eq!(image.id, format!("{}/app@{}", fake.address, digest(both.as_bytes())));
    assert_eq!(image.digest, artifact.wasm_digest);
    check_manifest(
        &serde_json::from_str(&index(&[&linux])).unwrap(),
        &[],
        expect!["ADDRESS/app:latest is a Linux image; this version runs Wasm images only"],
    )
    .await;
}

#[tokio::test]
async fn images_that_can_not_run_say_why() {
    let (tar, linux) = (b"tar".as_slice(), br#"{"os":"linux","architecture":"amd64"}"#.as_slice());
    let manifest = |config: &[u8], layers: Value| json!({"schemaVersion": 2, "config": descriptor(CONTAINER, config), "layers": layers});
    check_manifest(
        &manifest(linux, json!([descriptor(TAR, tar)])),
        &[linux],
        expect!["ADDRESS/app:latest is a Linux image; this version runs Wasm images only"],
    )
    .await;
    let wasi = br#"{"os":"wasip1","architecture":"wasm"}"#.as_slice();
    check_manifest(&manifest(wasi, json!([descriptor(TAR, tar)])), &[wasi], expect!["ADDRESS/app:latest: a Wasm program packed as file system layers, which this version does not read; push the .wasm itself (coracle image build, then coracle image push)"]).await;
    let helm = json!({"schemaVersion": 2, "config": descriptor("application/vnd.cncf.helm.config.v1+json", b"{}"),
        "layers": [descriptor("application/vnd.cncf.helm.chart.content.v1.tar+gzip", tar)]});
    check_manifest(&helm, &[], expect![[r#"ADDRESS/app:latest: no Wasm image: its layers are of the types ["application/vnd.cncf.helm.chart.content.v1.tar+gzip"], and one of application/wasm is wanted"#]]).await;
    let wasm_layer = descriptor("application/wasm", b"#!/bin/sh");
    check_manifest(
        &manifest(wasi, json!([wasm_layer])),
        &[wasi, b"#!/bin/sh"],
        expect![[r"ADDRESS/app:latest: not a WebAssembly file: it does not begin with \0asm"]],
    )
    .await;
    check_manifest(
        &manifest(wasi, json!([wasm_layer, wasm_layer])),
        &[],
        expect!["ADDRESS/app:latest: 2 Wasm layers, and one is wanted"],
    )
    .await;
    let huge = json!({"mediaType": "application/wasm", "digest": digest(b""), "size": 1u64 << 40});
    check_manifest(
        &manifest(wasi, json!([huge])),
        &[],
        expect!["ADDRESS/app:latest: Wasm file of 1099511627776 bytes is over the limit of 536870912"],
    )
    .await;
    let elsewhere = json!({"mediaType": "application/wasm", "digest": "sha256:../../../etc/passwd", "size": 1});
    check_manifest(
        &manifest(wasi, json!([elsewhere])),
        &[],
        expect![[r#"ADDRESS/app:latest: Wasm file with digest "sha256:../../../etc/passwd"; sha256 is wanted"#]],
    )
    .await;
    check_manifest(
        &json!({"schemaVersion": 1}),
        &[],
        expect!["ADDRESS/app:latest: a manifest of schema version 1, not 2"],
    )
    .await;
    check_manifest(&json!([]), &[], expect!["ADDRESS/app:latest: the registry's manifest does not parse: invalid length 0, expected struct Manifest with 5 elements at line 1 column 2"]).await;
}

#[tokio::test]
async fn more_bytes_than_the_manifest_says_are_not_taken() {
    let program = wasm("(module (memory 1))");
    let config = b"{}".as_slice();
    let mut layer = descriptor("application/wasm", &program);
    layer["size"] = json!(4);
    let manifest =
        json!({"schemaVersion": 2, "config": descriptor(crate::artifact::WASM_CONFIG, config), "layers": [layer]});
    let bytes = program.len();
    let fake = Fake::start(answers(manifest.to_string().as_bytes(), &[config, &program])).await;
    let (dir, mine) = store();
    let error = mine.pull(&named(&format!("{}/app", fake.address)), &[]).await.unwrap_err();
    assert!(matches!(error, PullError::TooLarge { bytes: seen, limit: 4, .. } if seen == bytes as u64), "{error:?}");
    assert_eq!(std::fs::read_dir(dir.path().join("images/ingest")).unwrap().count(), 0);
}
