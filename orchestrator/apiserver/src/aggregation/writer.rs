//! Writes of APIServices as the server itself.

use super::{GROUP, PLURAL};
use crate::auth::Attributes;
use crate::identity::Identity;
use crate::registry::{Change, DeleteOptions, Make, Part, Writing};
use crate::server::ApiServer;
use orchestrator_apimachinery::ApiError;
use orchestrator_apimachinery::schema::FieldValidation;
use serde_json::Value;
use std::sync::Arc;

/// What is done to an APIService.
pub(super) enum Act<'a> {
    Create(Value),
    Delete,
    /// Makes the new object of the current one.
    Status(&'a mut Make<'a>),
}

impl Act<'_> {
    fn words(&self) -> (&'static str, &'static str) {
        match self {
            Act::Create(_) => ("create", ""),
            Act::Delete => ("delete", ""),
            Act::Status(_) => ("update", "status"),
        }
    }
}

/// Writes one. That somebody else was faster is no failure.
pub(super) async fn write(server: &Arc<ApiServer>, name: &str, act: Act<'_>) -> Result<(), ApiError> {
    let catalog = server.caches().catalog();
    let kind = catalog.resource(GROUP, "v1", PLURAL).ok_or_else(ApiError::no_such_path)?;
    let (verb, subresource) = act.words();
    let what = Attributes {
        verb: verb.into(),
        group: GROUP.into(),
        version: "v1".into(),
        resource: PLURAL.into(),
        subresource: subresource.into(),
        name: name.into(),
        ..Attributes::default()
    };
    let who = Identity::user("system:apiserver", &["system:masters"]);
    let mut writing = Writing {
        kind,
        who: &who,
        what: &what,
        dry_run: false,
        validation: FieldValidation::Ignore,
        manager: "kube-apiserver".into(),
        applied: false,
        warnings: Vec::new(),
    };
    let registry = &server.registry;
    let done = match act {
        Act::Create(object) => registry.create(&mut writing, object, Vec::new()).await,
        Act::Delete => registry.delete(&mut writing, "", name, &DeleteOptions::default()).await,
        Act::Status(make) => {
            let change = Change { namespace: "", name, part: Part::Raw, make, duplicates: Vec::new() };
            registry.change(&mut writing, change).await
        }
    };
    match done {
        Err(error) if matches!(error.code, 404 | 409) => Ok(()),
        done => done.map(drop),
    }
}
