//! kube-rs: client, watcher and controller.

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Api, DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::runtime::controller::{Action, Controller};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, Config, ResourceExt};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tests_kit::Server;
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(60);

async fn client(server: &Server) -> Client {
    let kubeconfig = kube::config::Kubeconfig::read_from(server.kubeconfig()).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &Default::default()).await.unwrap();
    Client::try_from(config).unwrap()
}

fn config_map(name: &str) -> ConfigMap {
    let metadata = ObjectMeta { name: Some(name.into()), ..ObjectMeta::default() };
    ConfigMap { metadata, data: Some([("a".to_owned(), "1".to_owned())].into()), ..ConfigMap::default() }
}

#[tokio::test]
async fn the_client_creates_patches_applies_and_deletes() {
    let server = Server::start();
    let api: Api<ConfigMap> = Api::default_namespaced(client(&server).await);
    let made = api.create(&PostParams::default(), &config_map("c")).await.unwrap();
    assert!(made.uid().is_some());
    let error = api.create(&PostParams::default(), &config_map("c")).await.unwrap_err();
    assert!(matches!(error, kube::Error::Api(status) if status.code == 409 && status.reason == "AlreadyExists"));
    let patch = json!({"data": {"b": "2"}});
    let patched = api.patch("c", &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
    assert_eq!(patched.data.unwrap().len(), 2);
    let applied = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"c": "3"}});
    let applied = api.patch("c", &PatchParams::apply("tests"), &Patch::Apply(&applied)).await.unwrap();
    assert_eq!(applied.data.unwrap().len(), 3);
    assert!(applied.metadata.managed_fields.unwrap().iter().any(|entry| entry.manager.as_deref() == Some("tests")));
    let some = api.list(&ListParams::default().fields("metadata.name=c")).await.unwrap();
    assert_eq!(some.items.len(), 1);
    api.delete("c", &DeleteParams::default()).await.unwrap();
    assert!(api.get_opt("c").await.unwrap().is_none());
}

#[tokio::test]
async fn a_watcher_sees_every_change_with_and_without_streaming_lists() {
    let server = Server::start();
    for streaming in [false, true] {
        let api: Api<ConfigMap> = Api::default_namespaced(client(&server).await);
        let config = watcher::Config::default().labels("app=w");
        let config = if streaming { config.streaming_lists() } else { config };
        let mut events = watcher(api.clone(), config).applied_objects().boxed();
        let mut object = config_map("w");
        object.metadata.labels = Some([("app".to_owned(), "w".to_owned())].into());
        api.create(&PostParams::default(), &object).await.unwrap();
        let seen = timeout(LIMIT, events.try_next()).await.unwrap().unwrap().unwrap();
        assert_eq!(seen.data.unwrap()["a"], "1");
        for round in 2..20 {
            let patch = json!({"data": {"a": round.to_string()}});
            api.patch("w", &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
            let seen = timeout(LIMIT, events.try_next()).await.unwrap().unwrap().unwrap();
            assert_eq!(seen.data.unwrap()["a"], round.to_string());
        }
        api.delete("w", &DeleteParams::default()).await.unwrap();
    }
}

#[tokio::test]
async fn a_controller_makes_a_secret_for_each_config_map() {
    let server = Server::start();
    let client = client(&server).await;
    let (maps, secrets): (Api<ConfigMap>, Api<Secret>) =
        (Api::default_namespaced(client.clone()), Api::default_namespaced(client.clone()));
    let config = watcher::Config::default().labels("app=k");
    let reconcile = |map: Arc<ConfigMap>, secrets: Arc<Api<Secret>>| async move {
        let owner = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": map.name_any(), "uid": map.uid(), "controller": true});
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": map.name_any(), "ownerReferences": [owner]},
            "stringData": map.data});
        secrets.patch(&map.name_any(), &PatchParams::apply("tests").force(), &Patch::Apply(&secret)).await?;
        Ok::<_, kube::Error>(Action::await_change())
    };
    let controller = Controller::new(maps.clone(), config).owns(secrets.clone(), watcher::Config::default()).run(
        reconcile,
        |_, _, _| Action::requeue(Duration::from_secs(1)),
        Arc::new(secrets.clone()),
    );
    let checks = async {
        let mut seen = watcher(secrets.clone(), watcher::Config::default()).applied_objects().boxed();
        let mut map = config_map("k");
        map.metadata.labels = Some([("app".to_owned(), "k".to_owned())].into());
        maps.create(&PostParams::default(), &map).await.unwrap();
        let made = async {
            loop {
                let secret = seen.try_next().await.unwrap().unwrap();
                if secret.name_any() == "k" {
                    return secret;
                }
            }
        };
        let made = timeout(LIMIT, made).await.unwrap();
        assert_eq!(made.data.unwrap()["a"].0, b"1");
        // A Secret that somebody deletes is made again.
        secrets.delete("k", &DeleteParams::default()).await.unwrap();
        timeout(LIMIT, async { while seen.try_next().await.unwrap().unwrap().name_any() != "k" {} }).await.unwrap();
    };
    tokio::select! {
        () = controller.for_each(|_| async {}) => panic!("the controller ended"),
        () = checks => {}
    }
}
