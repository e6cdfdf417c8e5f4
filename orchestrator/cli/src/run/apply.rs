//! Applying manifests, and deleting what was applied.

use super::manifest::Item;
use super::view::View;
use anyhow::anyhow;
use http::Method;
use kube::Client;
use orchestrator_apimachinery::{ApiError, Scope, meta};
use runtime_base::clock;
use serde_json::{Value, json};
use std::time::Duration;

/// An object that was applied: its URL and what to call it.
#[derive(Clone, Debug)]
pub struct Applied {
    path: String,
    name: String,
    /// `(namespace, name)` of a Job.
    pub job: Option<(String, String)>,
}

fn collection(item: &Item) -> String {
    let kind = &item.kind;
    let root = if kind.group.is_empty() { "/api".to_owned() } else { format!("/apis/{}", kind.group) };
    match kind.scope {
        Scope::Cluster => format!("{root}/{}/{}", kind.version, kind.plural),
        Scope::Namespaced => format!("{root}/{}/namespaces/{}/{}", kind.version, namespace(item), kind.plural),
    }
}

fn namespace(item: &Item) -> &str {
    Some(meta::namespace(&item.object)).filter(|namespace| !namespace.is_empty()).unwrap_or("default")
}

async fn send(client: &Client, method: Method, path: &str, type_: &str, body: &Value) -> kube::Result<Value> {
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header(http::header::CONTENT_TYPE, type_)
        .body(body.to_string().into_bytes())
        .map_err(kube::Error::HttpError)?;
    client.request(request).await
}

/// Creates every object, or changes those that are there already. All are first tried without
/// effect, so that a mistake in the last leaves nothing of the others behind.
pub async fn all(client: &Client, items: &[Item], view: &View) -> anyhow::Result<Vec<Applied>> {
    let namespaces: Vec<&str> =
        items.iter().filter(|item| item.kind.kind == "Namespace").map(|item| meta::name(&item.object)).collect();
    for item in items.iter().filter(|item| !namespaces.contains(&meta::namespace(&item.object))) {
        put(client, item, "dryRun=All&").await?;
    }
    let mut applied = Vec::new();
    for item in items {
        let (path, verb) = put(client, item, "").await?;
        let name = path.rsplit('/').next().unwrap_or("").to_owned();
        let job = item.is_job().then(|| (namespace(item).to_owned(), name.clone()));
        let group = Some(&*item.kind.group).filter(|group| !group.is_empty()).map(|group| format!(".{group}"));
        let name = format!("{}{}/{name}", item.kind.singular, group.unwrap_or_default());
        view.line(&format!("{name} {verb}"));
        applied.push(Applied { path, name, job });
    }
    Ok(applied)
}

async fn put(client: &Client, item: &Item, query: &str) -> anyhow::Result<(String, &'static str)> {
    let collection = collection(item);
    let path = format!("{collection}?{query}fieldManager=coracle-run&fieldValidation=Strict");
    match send(client, Method::POST, &path, "application/json", &item.object).await {
        Ok(made) => {
            let name = made["metadata"]["name"].as_str().unwrap_or_else(|| meta::name(&item.object));
            Ok((format!("{collection}/{name}"), "created"))
        }
        Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => {
            let object = format!("{collection}/{}", meta::name(&item.object));
            let path = format!("{object}?{query}fieldManager=coracle-run&fieldValidation=Strict");
            let answer = send(client, Method::PATCH, &path, "application/merge-patch+json", &item.object).await;
            answer.map(|_| (object, "configured")).map_err(|error| explain(item, error))
        }
        Err(error) => Err(explain(item, error)),
    }
}

fn explain(item: &Item, error: kube::Error) -> anyhow::Error {
    let kube::Error::Api(status) = error else { return anyhow!(error).context(item.origin.place("")) };
    let mut refusal = ApiError::new(status.code, "", status.message.clone());
    let causes = status.details.map(|details| details.causes).unwrap_or_default();
    refusal.causes = causes
        .into_iter()
        .map(|c| orchestrator_apimachinery::status::Cause { reason: c.reason, message: c.message, field: c.field })
        .collect();
    item.origin.explain(&refusal)
}

/// Deletes what was applied, last first, and waits up to `limit` until it is gone.
pub async fn delete(client: &Client, applied: &[Applied], limit: Duration) {
    let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Foreground"});
    for object in applied.iter().rev() {
        if let Err(error) = send(client, Method::DELETE, &object.path, "application/json", &options).await {
            tracing::warn!(object = object.name, %error, "not deleted");
        }
    }
    let gone = async {
        let mut pause = Duration::from_millis(20);
        for object in applied {
            while exists(client, &object.path).await {
                clock::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_millis(500));
            }
        }
    };
    clock::within(limit, gone).await;
}

async fn exists(client: &Client, path: &str) -> bool {
    let Ok(request) = http::Request::get(path).body(Vec::new()) else { return false };
    client.request::<Value>(request).await.is_ok()
}
