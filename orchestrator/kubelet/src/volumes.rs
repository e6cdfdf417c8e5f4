//! A Pod's volumes: what they show, and the directories that containers mount.

use crate::env::{self, References, Surroundings, field_value, resource_value};
use crate::limits::{TOKEN_REFRESH_MAX, TOKEN_REFRESH_SHARE};
use crate::pod::after;
use async_trait::async_trait;
use k8s_openapi::api::core::v1::{
    ConfigMap, Container, DownwardAPIVolumeFile, KeyToPath, Pod, ProjectedVolumeSource, Secret,
    ServiceAccountTokenProjection, Volume, VolumeProjection,
};
use k8s_openapi::jiff::Timestamp;
use runtime_base::error::chain;
use runtime_spec::Mount;
use runtime_volume::{FileEntry, FileSet, HostPathKind, VolumeDir};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

/// The mode of files when nothing says one.
const DEFAULT_MODE: i32 = 0o644;

/// Asks for tokens of the Pod's service account.
#[async_trait]
pub trait Tokens: Send + Sync {
    /// A token and when it expires; the error is what a user reads.
    async fn token(&self, projection: &ServiceAccountTokenProjection) -> Result<(String, Timestamp), String>;
}

/// A volume on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mounted {
    /// Its directory.
    pub path: PathBuf,
    /// Whether containers may only read it, whatever they ask for.
    pub read_only: bool,
}

/// A Pod's volumes by name.
pub type MountedVolumes = HashMap<String, Mounted>;

/// Makes all volumes of `pod` in `dir`, or brings what they show up to date; with when to do so
/// again. The error is the Event's text.
pub async fn mount(
    pod: &Pod,
    dir: &VolumeDir,
    references: &dyn References,
    around: &Surroundings,
    tokens: &dyn Tokens,
    now: Timestamp,
) -> Result<(MountedVolumes, Option<Timestamp>), String> {
    let mut mounted = MountedVolumes::new();
    let mut refresh_at = None;
    for volume in pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten()) {
        let failed = |text: String| format!("MountVolume.SetUp failed for volume \"{}\" : {text}", volume.name);
        let one = match source(volume).map_err(failed)? {
            Source::Empty => dir.empty_dir(&volume.name).map(|path| Mounted { path, read_only: false }),
            Source::Host(path, kind) => {
                runtime_volume::host_path(path, kind).map(|path| Mounted { path, read_only: false })
            }
            Source::Files(sort) => {
                let (files, next) = files(pod, volume, references, around, tokens, now).await.map_err(failed)?;
                refresh_at = [refresh_at, next].into_iter().flatten().min();
                dir.files(sort, &volume.name, &files).map(|(path, _)| Mounted { path, read_only: true })
            }
        };
        mounted.insert(volume.name.clone(), one.map_err(|error| failed(chain(&error)))?);
    }
    Ok((mounted, refresh_at))
}

enum Source<'a> {
    Empty,
    Host(&'a str, HostPathKind),
    Files(&'static str),
}

fn source(volume: &Volume) -> Result<Source<'_>, String> {
    if let Some(host) = &volume.host_path {
        let kind = match host.type_.as_deref().unwrap_or("") {
            "" => HostPathKind::Any,
            "Directory" => HostPathKind::Directory,
            "DirectoryOrCreate" => HostPathKind::DirectoryOrCreate,
            _ => HostPathKind::Other,
        };
        return Ok(Source::Host(&host.path, kind));
    }
    if volume.empty_dir.is_some() {
        return Ok(Source::Empty);
    }
    for (is_it, sort) in [
        (volume.config_map.is_some(), "configmap"),
        (volume.secret.is_some(), "secret"),
        (volume.downward_api.is_some(), "downward-api"),
        (volume.projected.is_some(), "projected"),
    ] {
        if is_it {
            return Ok(Source::Files(sort));
        }
    }
    let other = serde_json::to_value(volume).unwrap_or_default();
    let kind = other.as_object().and_then(|fields| fields.keys().find(|key| *key != "name").cloned());
    match kind {
        // The API's default for a volume without a source.
        None => Ok(Source::Empty),
        Some(kind) => Err(format!("volume type {kind} is not supported yet")),
    }
}

/// What a volume of files shows, and when that is to be made anew.
async fn files(
    pod: &Pod,
    volume: &Volume,
    references: &dyn References,
    around: &Surroundings,
    tokens: &dyn Tokens,
    now: Timestamp,
) -> Result<(FileSet, Option<Timestamp>), String> {
    let mut set = FileSet::new();
    if let Some(from) = &volume.config_map {
        let map = Lookup { kind: "configmap", name: &from.name, optional: from.optional };
        let data = map.data(references.config_map(&from.name).map(|map| map_data(&map)))?;
        add_items(&mut set, &map, data, from.items.as_deref(), from.default_mode)?;
    } else if let Some(from) = &volume.secret {
        let name = from.secret_name.as_deref().unwrap_or_default();
        let secret = Lookup { kind: "secret", name, optional: from.optional };
        let data = secret.data(references.secret(name).map(|secret| secret_data(&secret)))?;
        add_items(&mut set, &secret, data, from.items.as_deref(), from.default_mode)?;
    } else if let Some(from) = &volume.downward_api {
        add_downward(&mut set, pod, from.items.as_deref(), from.default_mode, around)?;
    } else if let Some(from) = &volume.projected {
        let next = projected(&mut set, pod, from, references, around, tokens, now).await?;
        return Ok((set, next));
    }
    Ok((set, None))
}

async fn projected(
    set: &mut FileSet,
    pod: &Pod,
    from: &ProjectedVolumeSource,
    references: &dyn References,
    around: &Surroundings,
    tokens: &dyn Tokens,
    now: Timestamp,
) -> Result<Option<Timestamp>, String> {
    let mut refresh_at: Option<Timestamp> = None;
    let mode = from.default_mode;
    for source in from.sources.iter().flatten() {
        if let Some(projection) = &source.service_account_token {
            let (token, expires) = tokens.token(projection).await?;
            let life = crate::pod::between(now, expires);
            let next = after(now, life.mul_f64(TOKEN_REFRESH_SHARE).min(TOKEN_REFRESH_MAX));
            refresh_at = [refresh_at, Some(next)].into_iter().flatten().min();
            add(set, &projection.path, token.into_bytes(), mode.unwrap_or(DEFAULT_MODE));
        } else {
            plain_projection(set, pod, source, mode, references, around)?;
        }
    }
    Ok(refresh_at)
}

fn plain_projection(
    set: &mut FileSet,
    pod: &Pod,
    source: &VolumeProjection,
    mode: Option<i32>,
    references: &dyn References,
    around: &Surroundings,
) -> Result<(), String> {
    if let Some(from) = &source.config_map {
        let map = Lookup { kind: "configmap", name: &from.name, optional: from.optional };
        let data = map.data(references.config_map(&from.name).map(|map| map_data(&map)))?;
        add_items(set, &map, data, from.items.as_deref(), mode)
    } else if let Some(from) = &source.secret {
        let secret = Lookup { kind: "secret", name: &from.name, optional: from.optional };
        let data = secret.data(references.secret(&from.name).map(|secret| secret_data(&secret)))?;
        add_items(set, &secret, data, from.items.as_deref(), mode)
    } else if let Some(from) = &source.downward_api {
        add_downward(set, pod, from.items.as_deref(), mode, around)
    } else {
        let other = serde_json::to_value(source).unwrap_or_default();
        let kind = other.as_object().and_then(|fields| fields.keys().next().cloned()).unwrap_or_default();
        Err(format!("projected volume source {kind} is not supported yet"))
    }
}

type Data = BTreeMap<String, Vec<u8>>;

fn map_data(map: &ConfigMap) -> Data {
    let text = map.data.iter().flatten().map(|(key, value)| (key.clone(), value.clone().into_bytes()));
    text.chain(map.binary_data.iter().flatten().map(|(key, value)| (key.clone(), value.0.clone()))).collect()
}

fn secret_data(secret: &Secret) -> Data {
    secret.data.iter().flatten().map(|(key, value)| (key.clone(), value.0.clone())).collect()
}

struct Lookup<'a> {
    kind: &'static str,
    name: &'a str,
    optional: Option<bool>,
}

impl Lookup<'_> {
    fn data(&self, found: Option<Data>) -> Result<Data, String> {
        match found {
            Some(data) => Ok(data),
            None if self.optional == Some(true) => Ok(Data::new()),
            None => Err(format!("{} \"{}\" not found", self.kind, self.name)),
        }
    }
}

fn add(set: &mut FileSet, path: &str, bytes: Vec<u8>, mode: i32) {
    set.insert(path.to_owned(), FileEntry { bytes, mode: u32::try_from(mode).unwrap_or(0o644) & 0o777 });
}

/// Adds all of `data`, or the listed items of it.
fn add_items(
    set: &mut FileSet,
    lookup: &Lookup<'_>,
    data: Data,
    items: Option<&[KeyToPath]>,
    mode: Option<i32>,
) -> Result<(), String> {
    let mode = mode.unwrap_or(DEFAULT_MODE);
    let Some(items) = items.filter(|items| !items.is_empty()) else {
        data.into_iter().for_each(|(key, bytes)| add(set, &key, bytes, mode));
        return Ok(());
    };
    for item in items {
        match data.get(&item.key) {
            Some(bytes) => add(set, &item.path, bytes.clone(), item.mode.unwrap_or(mode)),
            None if lookup.optional == Some(true) => {}
            None => return Err(format!("references non-existent {} key: {}", config_word(lookup.kind), item.key)),
        }
    }
    Ok(())
}

fn config_word(kind: &str) -> &str {
    if kind == "configmap" { "config" } else { kind }
}

fn add_downward(
    set: &mut FileSet,
    pod: &Pod,
    items: Option<&[DownwardAPIVolumeFile]>,
    mode: Option<i32>,
    around: &Surroundings,
) -> Result<(), String> {
    for item in items.unwrap_or_default() {
        let value = if let Some(field) = &item.field_ref {
            field_value(pod, field, around)?
        } else if let Some(resource) = &item.resource_field_ref {
            resource_value(pod, &Container::default(), resource, around)?
        } else {
            String::new()
        };
        add(set, &item.path, value.into_bytes(), item.mode.or(mode).unwrap_or(DEFAULT_MODE));
    }
    Ok(())
}

/// The mounts of `container`; the error is what a user reads.
pub fn mounts(
    container: &Container,
    volumes: &MountedVolumes,
    environment: &[(String, String)],
) -> Result<Vec<Mount>, String> {
    let mut out = Vec::new();
    for mount in container.volume_mounts.iter().flatten() {
        let volume = volumes.get(&mount.name).ok_or_else(|| format!("volume \"{}\" not found", mount.name))?;
        let lookup = |name: &str| environment.iter().rev().find(|(own, _)| own == name).map(|(_, value)| value.clone());
        let sub = match (&mount.sub_path, &mount.sub_path_expr) {
            (Some(sub), _) if !sub.is_empty() => Some(sub.clone()),
            (_, Some(expr)) if !expr.is_empty() => Some(env::expand(expr, lookup)),
            _ => None,
        };
        let host_path = match sub {
            Some(sub) => runtime_volume::sub_path(&volume.path, &sub).map_err(|error| {
                format!(
                    "failed to prepare subPath for volumeMount \"{}\" of container \"{}\": {}",
                    mount.name,
                    container.name,
                    chain(&error)
                )
            })?,
            None => volume.path.clone(),
        };
        let container_path =
            if mount.mount_path.starts_with('/') { mount.mount_path.clone() } else { format!("/{}", mount.mount_path) };
        let read_only = volume.read_only || mount.read_only == Some(true);
        out.push(Mount { host_path, container_path, read_only });
    }
    Ok(out)
}

#[cfg(test)]
mod tests;
