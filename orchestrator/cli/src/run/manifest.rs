//! Manifests: reading, checking and ordering them, with errors that say where.

use anyhow::{Context, anyhow, bail};
use orchestrator_apimachinery::meta::split_api_version;
use orchestrator_apimachinery::{ApiError, Catalog, Kind, yaml};
use serde_json::Value;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One object of a manifest, with where it came from.
#[derive(Clone, Debug)]
pub struct Item {
    /// The object, image paths resolved.
    pub object: Value,
    /// Its kind.
    pub kind: Arc<Kind>,
    /// Where it came from.
    pub origin: Origin,
}

impl Item {
    /// Whether it is something that ends.
    pub fn is_job(&self) -> bool {
        self.kind.group == "batch" && self.kind.kind == "Job"
    }
}

/// Where an object was read.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The file's name, or `standard input`.
    pub file: String,
    text: Arc<str>,
    document: usize,
    line: usize,
}

impl Origin {
    /// `FILE, document N, line L`; the line is that of `field` when it can be found.
    pub fn place(&self, field: &str) -> String {
        let line = Some(field).filter(|field| !field.is_empty());
        let line = line.and_then(|field| yaml::line_of(&self.text, self.line, field)).unwrap_or(self.line);
        format!("{}, document {}, line {line}", self.file, self.document)
    }

    /// What the server refused, with places instead of field paths alone.
    pub fn explain(&self, error: &ApiError) -> anyhow::Error {
        if error.causes.is_empty() {
            let field = field_of(&error.message).unwrap_or_default();
            return anyhow!("{}: {}", self.place(field), error.message);
        }
        let texts = error.causes.iter().map(|c| format!("{}: {}: {}", self.place(&c.field), c.field, c.message));
        anyhow!("{}", texts.collect::<Vec<_>>().join("; "))
    }
}

/// The path in `strict decoding error: unknown field "spec.x"`, `cannot be handled as a Pod:
/// spec.x: expected list` and the like.
fn field_of(message: &str) -> Option<&str> {
    if let Some((_, quoted)) = message.split_once("field \"") {
        return quoted.split('"').next();
    }
    if message.starts_with("namespaces \"") {
        return Some("metadata.namespace");
    }
    let (_, after) = message.split_once(" cannot be handled as a ")?;
    after.split(": ").nth(1).filter(|path| !path.contains(' '))
}

/// Reads all manifests, in the order in which they should be applied.
pub fn load(paths: &[PathBuf], catalog: &Catalog) -> anyhow::Result<Vec<Item>> {
    let mut items = Vec::new();
    for path in paths {
        if path == Path::new("-") {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("standard input")?;
            let here = std::env::current_dir().context("current directory")?;
            read("standard input", text, &here, catalog, &mut items)?;
            continue;
        }
        for file in files(path)? {
            let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let whole = fs::canonicalize(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let folder = whole.parent().unwrap_or(Path::new("/"));
            read(&file.display().to_string(), text, folder, catalog, &mut items)?;
        }
    }
    if items.is_empty() {
        bail!("no objects in {}", paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", "));
    }
    items.sort_by_key(|item| rank(&item.kind.kind));
    Ok(items)
}

/// What others refer to comes first.
fn rank(kind: &str) -> usize {
    const FIRST: [&str; 11] = [
        "Namespace",
        "PriorityClass",
        "RuntimeClass",
        "ServiceAccount",
        "ClusterRole",
        "Role",
        "ClusterRoleBinding",
        "RoleBinding",
        "ConfigMap",
        "Secret",
        "Service",
    ];
    FIRST.iter().position(|name| *name == kind).unwrap_or(FIRST.len())
}

fn files(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let metadata = fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    if !metadata.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))? {
        let file = entry.with_context(|| format!("cannot read {}", path.display()))?.path();
        let wanted = file.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "json");
        if wanted && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    if files.is_empty() {
        bail!("no .yaml, .yml or .json files in {}", path.display());
    }
    Ok(files)
}

fn read(file: &str, text: String, folder: &Path, catalog: &Catalog, items: &mut Vec<Item>) -> anyhow::Result<()> {
    let documents = yaml::parse_all(&text).map_err(|error| anyhow!("{file}, {error}"))?;
    let text: Arc<str> = text.into();
    for document in documents {
        let (line, number) = (document.line, document.index);
        let origin = Origin { file: file.to_owned(), text: text.clone(), document: number, line };
        let list = document.value["kind"].as_str() == Some("List");
        let objects = match document.value {
            Value::Object(mut map) if list => map.remove("items").and_then(|items| match items {
                Value::Array(items) => Some(items),
                _ => None,
            }),
            value => Some(vec![value]),
        };
        let objects = objects.ok_or_else(|| anyhow!("{}: a List needs items", origin.place("items")))?;
        for mut object in objects {
            let kind = kind_of(&object, &origin, catalog)?;
            resolve_images(&mut object, folder);
            items.push(Item { object, kind, origin: origin.clone() });
        }
    }
    Ok(())
}

fn kind_of(object: &Value, origin: &Origin, catalog: &Catalog) -> anyhow::Result<Arc<Kind>> {
    if !object.is_object() {
        bail!("{}: expected an object with apiVersion and kind", origin.place(""));
    }
    let Some(api_version) = object["apiVersion"].as_str() else {
        bail!("{}: apiVersion: Required value", origin.place(""))
    };
    let Some(kind) = object["kind"].as_str() else { bail!("{}: kind: Required value", origin.place("")) };
    let has_name = object["metadata"]["name"].is_string() || object["metadata"]["generateName"].is_string();
    let given = object["metadata"].get("name").filter(|name| !name.is_null() && !name.is_string());
    if let Some(given) = given {
        // YAML takes `n`, `yes` and `1` for something else.
        bail!("{}: metadata.name: expected string, got {given}; put it in quotes", origin.place("metadata.name"));
    }
    if !has_name {
        bail!("{}: metadata.name: Required value: name or generateName is required", origin.place("metadata"));
    }
    let (group, version) = split_api_version(api_version);
    if let Some(found) = catalog.kind(group, version, kind) {
        return Ok(found.clone());
    }
    let wrong = format!("{api_version} {kind}");
    let names = catalog.all().iter().map(|known| format!("{} {}", known.api_version(), known.kind));
    let by_kind = |name: &String| {
        let known = name.split_once(' ').map_or("", |(_, known)| known);
        // The kind's own name says more than its group.
        3.0 * strsim::jaro_winkler(&known.to_lowercase(), &kind.to_lowercase()) + strsim::jaro_winkler(name, &wrong)
    };
    let nearest = names.max_by(|a, b| by_kind(a).total_cmp(&by_kind(b))).unwrap_or_default();
    let place = origin.place("kind");
    bail!("{place}: no kind {kind:?} in {api_version:?}, did you mean {nearest:?}?")
}

/// Makes `image: ./app.wasm` and the like, which are relative to the manifest's folder, `file://`
/// references.
fn resolve_images(value: &mut Value, folder: &Path) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| resolve_images(item, folder)),
        Value::Object(fields) => {
            for (name, field) in fields {
                if matches!(name.as_str(), "containers" | "initContainers" | "ephemeralContainers") {
                    let containers = field.as_array_mut().into_iter().flatten();
                    for image in containers.filter_map(|container| container.get_mut("image")) {
                        resolve_image(image, folder);
                    }
                } else {
                    resolve_images(field, folder);
                }
            }
        }
        _ => {}
    }
}

fn resolve_image(image: &mut Value, folder: &Path) {
    let Some(text) = image.as_str() else { return };
    let is_path = text.starts_with("./") || text.starts_with("../") || text.starts_with('/');
    if is_path {
        let path = folder.join(text);
        let path = fs::canonicalize(&path).unwrap_or(path);
        *image = Value::String(format!("file://{}", path.display()));
    }
}

#[cfg(test)]
mod tests;
