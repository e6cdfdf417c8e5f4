//! Webhooks and policies, compiled once for each change of their objects.

use crate::registry::cache::Cache;
use orchestrator_apimachinery::ApiError;
use orchestrator_store::Revision;
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};

/// What is compiled from an object.
pub(super) trait Configured: Sized {
    /// The parts of one object, in its order; what cannot be compiled is a part that refuses.
    fn compile(object: &Value) -> Vec<Self>;
}

/// Compiled parts.
pub(super) type Parts<T> = Arc<[Arc<T>]>;

/// The compiled parts of all objects of a kind, in the order of their names.
pub(super) struct Compiled<T> {
    state: Mutex<(Option<Revision>, Parts<T>)>,
}

impl<T> Default for Compiled<T> {
    fn default() -> Self {
        Compiled { state: Mutex::new((None, Arc::from(Vec::new()))) }
    }
}

impl<T: Configured> Compiled<T> {
    /// The parts as of what the cache shows now.
    pub fn current(&self, cache: &Cache) -> Result<Parts<T>, ApiError> {
        let (objects, revision, _) = cache.snapshot();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.0 != Some(revision) {
            let mut parts = Vec::new();
            for object in objects.values() {
                let object: Value = serde_json::from_slice(&object.bytes()).map_err(ApiError::internal)?;
                parts.extend(T::compile(&object).into_iter().map(Arc::new));
            }
            *state = (Some(revision), parts.into());
        }
        Ok(state.1.clone())
    }
}
