//! Objects in memory, and a key directory.

use crate::auth::{Authentication, Authenticator, Rbac, TokenIssuer};
use crate::pki::{Pki, PkiNames};
use crate::registry::reader::ObjectReader;
use bytes::Bytes;
use http::HeaderMap;
use orchestrator_apimachinery::meta;
use runtime_base::{Clock, Rng};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio::sync::watch;

type Key = (String, String, String, String);

/// A cluster's objects.
#[derive(Default)]
pub struct World {
    objects: Mutex<BTreeMap<Key, Bytes>>,
    changes: Mutex<BTreeMap<(String, String), watch::Sender<u64>>>,
}

fn plural(kind: &str) -> String {
    format!("{}s", kind.to_lowercase())
}

impl World {
    /// With the bootstrap objects.
    pub fn bootstrapped() -> Arc<Self> {
        let world = Arc::new(Self::default());
        crate::bootstrap::objects(&crate::bootstrap::tests::config()).iter().for_each(|object| world.put(object));
        world
    }

    fn key(object: &Value) -> Key {
        let group = meta::split_api_version(object["apiVersion"].as_str().unwrap()).0.to_owned();
        let (namespace, name) = (meta::namespace(object).to_owned(), meta::name(object).to_owned());
        (group, plural(object["kind"].as_str().unwrap()), namespace, name)
    }

    fn sender(&self, group: &str, plural: &str) -> watch::Sender<u64> {
        let mut changes = self.changes.lock().unwrap();
        changes.entry((group.into(), plural.into())).or_insert_with(|| watch::channel(0).0).clone()
    }

    pub fn put(&self, object: &Value) {
        let key = Self::key(object);
        let sender = self.sender(&key.0, &key.1);
        self.objects.lock().unwrap().insert(key, serde_json::to_vec(object).unwrap().into());
        sender.send_modify(|count| *count += 1);
    }

    pub fn remove(&self, object: &Value) {
        let key = Self::key(object);
        let sender = self.sender(&key.0, &key.1);
        self.objects.lock().unwrap().remove(&key);
        sender.send_modify(|count| *count += 1);
    }

    /// The stored object of the same key.
    pub fn like(&self, object: &Value) -> Option<Value> {
        let bytes = self.objects.lock().unwrap().get(&Self::key(object))?.clone();
        serde_json::from_slice(&bytes).ok()
    }
}

impl ObjectReader for World {
    fn get(&self, group: &str, plural: &str, namespace: &str, name: &str) -> Option<Bytes> {
        self.objects.lock().unwrap().get(&(group.into(), plural.into(), namespace.into(), name.into())).cloned()
    }

    fn list(&self, group: &str, plural: &str, namespace: Option<&str>) -> Vec<Bytes> {
        let objects = self.objects.lock().unwrap();
        let wanted = |key: &Key| key.0 == group && key.1 == plural && namespace.is_none_or(|home| home == key.2);
        objects.iter().filter(|(key, _)| wanted(key)).map(|(_, bytes)| bytes.clone()).collect()
    }

    fn changes(&self, group: &str, plural: &str) -> watch::Receiver<u64> {
        self.sender(group, plural).subscribe()
    }
}

/// Everything that authentication needs, on 2025-01-01.
pub struct House {
    pub dir: tempfile::TempDir,
    pub pki: Pki,
    pub world: Arc<World>,
    pub tokens: Arc<TokenIssuer>,
    pub authenticator: Authenticator,
    pub rbac: Rbac,
}

/// Seconds since 1970.
pub const START: u64 = 1_735_689_600;

impl House {
    pub fn new() -> Self {
        Self::at(0)
    }

    /// With a clock that is `later` seconds on.
    pub fn at(later: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::simulated(SystemTime::UNIX_EPOCH + Duration::from_secs(START + later));
        let pki = Pki::load_or_create(dir.path(), &PkiNames::standard("box", &[]), clock.clone()).unwrap();
        let world = World::bootstrapped();
        let tokens = Arc::new(TokenIssuer::new(&pki, clock.clone(), Rng::seeded(1)));
        let authenticator = Authenticator::new(&pki, tokens.clone(), world.clone(), clock).unwrap();
        let rbac = Rbac::new(world.clone());
        House { dir, pki, world, tokens, authenticator, rbac }
    }

    /// Who shows this bearer token.
    pub async fn ask(&self, token: &str) -> Authentication {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
        self.authenticator.authenticate(&headers, &[]).await
    }

    /// The same keys and objects, seen `later` seconds after the start.
    pub fn authenticator_at(&self, later: u64) -> Authenticator {
        let clock = Clock::simulated(SystemTime::UNIX_EPOCH + Duration::from_secs(START + later));
        let tokens = Arc::new(TokenIssuer::new(&self.pki, clock.clone(), Rng::seeded(2)));
        Authenticator::new(&self.pki, tokens, self.world.clone(), clock).unwrap()
    }
}

pub fn account(namespace: &str, name: &str, uid: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": namespace, "name": name, "uid": uid}})
}

pub fn pod(namespace: &str, name: &str, node: &str, spec: Value) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"namespace": namespace, "name": name, "uid": format!("uid-{name}")},
        "spec": {"nodeName": node, "serviceAccountName": "default", "containers": [{"name": "c"}]},
    });
    for (key, value) in spec.as_object().unwrap() {
        pod["spec"][key] = value.clone();
    }
    pod
}
